//! The section table: which bytes of the file are which section, and the checks that make it true.

use std::collections::HashSet;
use std::path::Path;

use crate::error::{Error, ErrorKind, Result};
use crate::hash::Hash;
use crate::header::{COPY_AGAIN, FIRST_SECTION, HEADER_BYTES, MAX_TABLE_BYTES};

/// Sections start at multiples of this many bytes: a page, so that each can be mapped and advised on its own, and
/// more than any alignment that a value inside needs.
pub(crate) const ALIGNMENT: u64 = 4096;
/// The most sections a file may have. Sixty-four entries with the longest names and numbers (107 bytes each) fit the
/// table's 8128 bytes, so a writer that keeps both limits never fails at its end.
pub(crate) const MAX_SECTIONS: usize = 64;
/// The longest name of a section, in bytes.
pub(crate) const MAX_NAME_BYTES: usize = 48;

/// One section of a file, as its table tells.
#[derive(Clone, Debug, PartialEq, Eq, bincode::Encode, bincode::Decode)]
pub struct Section {
    /// Its name, unique in the file: lower-case ASCII letters, digits, `.`, `_` and `-`.
    pub name: String,
    /// The version of the section's own format.
    pub revision: u32,
    /// Whether it is so large that only full verification reads it to check its hash.
    pub bulk: bool,
    /// Where it starts, in bytes from the start of the file.
    pub offset: u64,
    /// Its length in bytes.
    pub len: u64,
    /// The BLAKE3 hash of its bytes.
    pub hash: Hash,
}

impl Section {
    /// Where it ends. Never overflows in a table that was checked.
    pub(crate) fn end(&self) -> u64 {
        self.offset + self.len
    }
}

/// The next multiple of [`ALIGNMENT`], unless it is past what 64 bits hold.
pub(crate) fn aligned(offset: u64) -> Option<u64> {
    offset.checked_next_multiple_of(ALIGNMENT)
}

/// Refuses what cannot be the name of a section.
pub(crate) fn check_name(name: &str) -> Result<()> {
    let allowed = |byte: u8| matches!(byte, b'a'..=b'z' | b'0'..=b'9' | b'.' | b'_' | b'-');
    if name.is_empty() || name.len() > MAX_NAME_BYTES || !name.bytes().all(allowed) {
        return Err(Error::new(ErrorKind::Invalid, "not a section's name")
            .expecting(format_args!(
                "1 to {MAX_NAME_BYTES} of a-z, 0-9, `.`, `_`, `-`"
            ))
            .finding(format_args!("{name:?}")));
    }
    Ok(())
}

/// The table's bytes: the number of sections, then each of them.
pub(crate) fn encode(sections: &[Section]) -> Result<Vec<u8>> {
    let bytes = bincode::encode_to_vec(sections, bincode::config::standard()).map_err(|error| {
        Error::new(
            ErrorKind::Invalid,
            format!("the section table cannot be encoded: {error}"),
        )
    })?;
    if bytes.len() > MAX_TABLE_BYTES {
        return Err(
            Error::new(ErrorKind::Invalid, "the section table is too long")
                .expecting(format_args!("at most {MAX_TABLE_BYTES} bytes"))
                .finding(bytes.len()),
        );
    }
    Ok(bytes)
}

/// Reads the table and checks it against the file's length. Afterwards every range lies in the file, starts where
/// the one before it lets it, and has a name of its own.
pub(crate) fn decode(path: &Path, bytes: &[u8], file_len: u64) -> Result<Vec<Section>> {
    let mut reader = Reader { path, bytes, at: 0 };
    let count: u64 = reader.next()?;
    if count > MAX_SECTIONS as u64 {
        return Err(reader
            .corrupt(0, "too many sections")
            .expecting(format_args!("at most {MAX_SECTIONS}"))
            .finding(count));
    }
    let mut sections = Vec::with_capacity(count as usize); // At most 64.
    let mut names = HashSet::new();
    let mut end = FIRST_SECTION;
    for _ in 0..count {
        let at = reader.at;
        let section: Section = reader.next()?;
        let corrupt = |message: &str| reader.corrupt(at, message).in_section(&section.name);
        if let Err(error) = check_name(&section.name) {
            return Err(corrupt("not a section's name")
                .expecting(error.expected().unwrap_or_default())
                .finding(error.got().unwrap_or_default()));
        }
        if !names.insert(section.name.clone()) {
            return Err(corrupt("two sections have the same name")
                .expecting("names used once")
                .finding(&section.name));
        }
        end = check_place(&section, end, file_len, corrupt)?;
        sections.push(section);
    }
    if reader.at != bytes.len() {
        return Err(reader
            .corrupt(
                reader.at,
                "the section table goes on after its last section",
            )
            .expecting(format_args!("{} bytes", reader.at))
            .finding(bytes.len()));
    }
    // Numbers have longer spellings too, which we never write: one content, one file.
    if encode(&sections)? != bytes {
        return Err(reader
            .corrupt(0, "the section table is not in its shortest form")
            .expecting("each number in as few bytes as it needs")
            .finding("longer ones"));
    }
    if end != file_len {
        return Err(reader
            .corrupt(0, "the last section does not end where the file does")
            .expecting(format_args!("a file of {end} bytes"))
            .finding(file_len));
    }
    Ok(sections)
}

/// A section starts at the first multiple of 4096 where the section before it lets it: so sections are aligned,
/// sorted, apart, and nothing hides between them. Gives the section's end.
fn check_place(
    section: &Section,
    end: u64,
    file_len: u64,
    corrupt: impl Fn(&str) -> Error,
) -> Result<u64> {
    let offset = section.offset;
    if !offset.is_multiple_of(ALIGNMENT) {
        return Err(corrupt("the section is not aligned")
            .expecting(format_args!("a start that is a multiple of {ALIGNMENT}"))
            .finding(offset));
    }
    if offset < end {
        return Err(
            corrupt("the section overlaps what lies before it, or is not in order")
                .expecting(format_args!("a start of {end} or later"))
                .finding(offset),
        );
    }
    let past_the_end = || corrupt("the section goes past the end of the file");
    let Some(section_end) = offset.checked_add(section.len) else {
        return Err(past_the_end()
            .expecting(format_args!("an end of at most {file_len}"))
            .finding(format_args!("{offset} + {}", section.len)));
    };
    if section_end > file_len {
        return Err(past_the_end()
            .expecting(format_args!("an end of at most {file_len}"))
            .finding(section_end));
    }
    // `end` lies in the file, so an end that cannot be rounded up is one that no offset has reached.
    if aligned(end) != Some(offset) {
        let place = aligned(end).unwrap_or(end);
        return Err(corrupt("there is a gap before the section")
            .expecting(format_args!("a start of {place}"))
            .finding(offset));
    }
    Ok(section_end)
}

/// Decodes one value after the other and knows where it is.
struct Reader<'a> {
    path: &'a Path,
    bytes: &'a [u8],
    at: usize,
}

impl Reader<'_> {
    fn next<T: bincode::Decode<()>>(&mut self) -> Result<T> {
        // No value in the table is longer than the table, so neither is what is allocated for it.
        let config = bincode::config::standard().with_limit::<MAX_TABLE_BYTES>();
        let rest = self.bytes.get(self.at..).unwrap_or_default();
        match bincode::decode_from_slice(rest, config) {
            Ok((value, read)) => {
                self.at += read;
                Ok(value)
            }
            Err(error) => Err(self
                .corrupt(self.at, "the section table cannot be read")
                .expecting("a section in bincode")
                .finding(error)),
        }
    }

    /// The error for what stands `at` bytes into the table.
    fn corrupt(&self, at: usize, message: &str) -> Error {
        Error::new(ErrorKind::Corrupt, message)
            .at(self.path)
            .at_offset((HEADER_BYTES + at) as u64)
            .mend(COPY_AGAIN)
    }
}

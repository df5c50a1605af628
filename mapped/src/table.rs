//! The section table: which bytes of the file are which section, and the checks that make it true.

use std::collections::HashSet;
use std::path::Path;

use crate::error::{Error, ErrorKind, Result};
use crate::hash::Hash;
use crate::header::{COPY_AGAIN, FIRST_SECTION, HEADER_BYTES, MAX_TABLE_BYTES};

/// Sections start at multiples of this many bytes: a page, so that they can be mapped and advised on their own, and
/// more than any alignment that a value inside needs.
pub(crate) const ALIGNMENT: u64 = 4096;
/// The most sections a file may have. With the longest names and numbers they still fit the table's bytes.
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

/// Why `name` cannot be the name of a section, if it cannot.
pub(crate) fn check_name(name: &str) -> Result<(), Error> {
    let allowed = |byte: u8| matches!(byte, b'a'..=b'z' | b'0'..=b'9' | b'.' | b'_' | b'-');
    if name.is_empty() || name.len() > MAX_NAME_BYTES || !name.bytes().all(allowed) {
        return Err(Error::new(ErrorKind::Invalid, "not a section's name")
            .expected(format_args!(
                "1 to {MAX_NAME_BYTES} of a-z, 0-9, `.`, `_`, `-`"
            ))
            .got(format_args!("{name:?}")));
    }
    Ok(())
}

/// The table's bytes.
pub(crate) fn encode(sections: &[Section]) -> Result<Vec<u8>> {
    bincode::encode_to_vec(sections, bincode::config::standard()).map_err(|error| {
        Error::new(
            ErrorKind::Invalid,
            format!("the section table cannot be encoded: {error}"),
        )
    })
}

/// Reads the table and checks it against the file's length: after this, every range lies in the file.
pub(crate) fn decode(path: &Path, bytes: &[u8], file_len: u64) -> Result<Vec<Section>> {
    let corrupt = |message: &str| {
        Error::new(ErrorKind::Corrupt, message)
            .at(path)
            .at_offset(HEADER_BYTES as u64)
            .mend(COPY_AGAIN)
    };
    let config = bincode::config::standard().with_limit::<MAX_TABLE_BYTES>();
    let (sections, read): (Vec<Section>, usize) = bincode::decode_from_slice(bytes, config)
        .map_err(|error| corrupt(&format!("the section table cannot be read ({error})")))?;
    if read != bytes.len() {
        return Err(corrupt("the section table is longer than its entries")
            .expected(format_args!("{read} bytes"))
            .got(bytes.len()));
    }
    if sections.len() > MAX_SECTIONS {
        return Err(corrupt("too many sections")
            .expected(format_args!("at most {MAX_SECTIONS}"))
            .got(sections.len()));
    }
    let mut names = HashSet::new();
    let mut end = FIRST_SECTION;
    for section in &sections {
        let corrupt = |message: &str| corrupt(message).in_section(&section.name);
        check_name(&section.name).map_err(|_| corrupt("not a section's name"))?;
        if !names.insert(section.name.as_str()) {
            return Err(corrupt("two sections have this name"));
        }
        let place =
            aligned(end).ok_or_else(|| corrupt("the section starts past what a file can hold"))?;
        if section.offset != place {
            return Err(corrupt("the section does not start where it should")
                .expected(place)
                .got(section.offset));
        }
        end = section
            .offset
            .checked_add(section.len)
            .filter(|&end| end <= file_len)
            .ok_or_else(|| corrupt("the section ends past the end of the file"))?;
    }
    if end != file_len {
        return Err(corrupt("the file goes on after its last section")
            .expected(end)
            .got(file_len));
    }
    Ok(sections)
}

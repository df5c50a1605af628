//! The first 64 bytes of a file, and the order in which they are believed.

use std::fmt;
use std::path::Path;

use crate::error::{Error, ErrorKind, Result};
use crate::foreign;
use crate::hash::{Hash, Hasher};

/// The first byte has its high bit set (lost on a 7-bit channel), CR LF and LF are rewritten by a text-mode transfer,
/// and 0x1A ends a text file on DOS. A magic that survived, survived in binary.
pub(crate) const MAGIC: [u8; 8] = *b"\x89MRL\r\n\x1a\n";
/// Reads as 0x04030201 where bytes are in the other order.
pub(crate) const ENDIAN_MARK: u32 = 0x0102_0304;
/// The version of the container that this build writes, and the only one there has been.
pub(crate) const VERSION: u16 = 1;
/// The header's length in bytes; the section table follows it.
pub(crate) const HEADER_BYTES: usize = 64;
/// Where the first section starts.
pub(crate) const FIRST_SECTION: u64 = 8192;
/// The most that the section table may take: what lies between the header and the first section.
pub(crate) const MAX_TABLE_BYTES: usize = FIRST_SECTION as usize - HEADER_BYTES;

/// What a part file is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Kind {
    /// Weights of one model, `*.weights`.
    Weights,
    /// A BM25 index with its store of values, `text.index`.
    TextIndex,
    /// An HNSW index with its store of values, `image.index`.
    ImageIndex,
}

impl Kind {
    const ALL: [Kind; 3] = [Kind::Weights, Kind::TextIndex, Kind::ImageIndex];

    /// The number that stands in the file.
    fn code(self) -> u32 {
        match self {
            Kind::Weights => 1,
            Kind::TextIndex => 2,
            Kind::ImageIndex => 3,
        }
    }
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Kind::Weights => "weights",
            Kind::TextIndex => "text index",
            Kind::ImageIndex => "image index",
        })
    }
}

/// The header of a file whose magic, byte order, version and header hash are right.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Header {
    pub kind: Kind,
    pub file_len: u64,
    pub root: Hash,
}

/// The header's bytes for a file of `file_len` bytes with this encoded section table, and the file's root hash.
pub(crate) fn encode(kind: Kind, file_len: u64, table: &[u8]) -> ([u8; HEADER_BYTES], Hash) {
    debug_assert!(table.len() <= MAX_TABLE_BYTES);
    let mut bytes = [0; HEADER_BYTES];
    bytes[0..8].copy_from_slice(&MAGIC);
    bytes[8..12].copy_from_slice(&ENDIAN_MARK.to_le_bytes());
    bytes[12..14].copy_from_slice(&VERSION.to_le_bytes());
    bytes[14..16].copy_from_slice(&(HEADER_BYTES as u16).to_le_bytes());
    bytes[16..20].copy_from_slice(&kind.code().to_le_bytes());
    bytes[20..24].copy_from_slice(&(table.len() as u32).to_le_bytes());
    bytes[24..32].copy_from_slice(&file_len.to_le_bytes());
    let root = Hasher::new().update(&bytes[..32]).update(table).finish();
    bytes[32..64].copy_from_slice(root.as_bytes());
    (bytes, root)
}

/// Believes the header and finds the encoded section table. `head` is the file's first 8192 bytes, or all of it
/// if it is shorter; `actual_len` is the file's length as the file system has it.
///
/// The order matters: nothing is said about a field before the fields that give it meaning were checked, and the
/// hash comes before the file's length, so that a damaged length is called damage and a cut file is called cut.
pub(crate) fn decode<'a>(
    path: &Path,
    head: &'a [u8],
    actual_len: u64,
) -> Result<(Header, &'a [u8])> {
    if !head.starts_with(&MAGIC) {
        return Err(foreign::describe(path, head));
    }
    if head.len() < HEADER_BYTES {
        return Err(cut(path, HEADER_BYTES as u64, actual_len));
    }
    let mark = u32_at(head, 8);
    if mark == ENDIAN_MARK.swap_bytes() {
        return Err(Error::new(
            ErrorKind::ByteOrder,
            "written for machines of the other byte order",
        )
        .at(path)
        .at_offset(8)
        .expecting("little-endian integers")
        .finding("big-endian ones")
        .mend("Convert the model or corpus again with a released morelet-convert"));
    }
    if mark != ENDIAN_MARK {
        return Err(corrupt(path, 8, "the endian mark is damaged")
            .expecting(format_args!("{ENDIAN_MARK:#010x}"))
            .finding(format_args!("{mark:#010x}")));
    }
    let version = u16_at(head, 12);
    if version != VERSION {
        let mend = if version > VERSION {
            "It was written by a newer Morelet: update this program, or convert again with the version that matches it"
        } else {
            "Convert again with the morelet-convert that came with this program"
        };
        return Err(Error::new(
            ErrorKind::Version,
            "the container's version is not one that this program reads",
        )
        .at(path)
        .at_offset(12)
        .expecting(VERSION)
        .finding(version)
        .mend(mend));
    }
    let header_len = u16_at(head, 14);
    if usize::from(header_len) != HEADER_BYTES {
        return Err(corrupt(path, 14, "the header's length is wrong")
            .expecting(HEADER_BYTES)
            .finding(header_len));
    }
    let table_len = u32_at(head, 20);
    let table_len = match usize::try_from(table_len) {
        Ok(len) if len <= MAX_TABLE_BYTES => len,
        _ => {
            return Err(
                corrupt(path, 20, "the section table's length is past its limit")
                    .expecting(format_args!("at most {MAX_TABLE_BYTES} bytes"))
                    .finding(table_len),
            );
        }
    };
    let file_len = u64_at(head, 24);
    let Some(table) = head.get(HEADER_BYTES..HEADER_BYTES + table_len) else {
        return Err(cut(
            path,
            file_len.max((HEADER_BYTES + table_len) as u64),
            actual_len,
        ));
    };
    let root = Hasher::new().update(&head[..32]).update(table).finish();
    let stored = hash_at(head, 32);
    if root != stored {
        return Err(corrupt(
            path,
            32,
            "the hash of header and section table does not agree",
        )
        .expecting(stored)
        .finding(root));
    }
    if actual_len < file_len {
        return Err(cut(path, file_len, actual_len));
    }
    if actual_len > file_len {
        return Err(
            corrupt(path, file_len, "something was appended to the file")
                .expecting(format_args!("{file_len} bytes"))
                .finding(actual_len),
        );
    }
    let code = u32_at(head, 16);
    let Some(kind) = Kind::ALL.into_iter().find(|kind| kind.code() == code) else {
        return Err(Error::new(
            ErrorKind::Version,
            "the file is of a kind that this program does not know",
        )
        .at(path)
        .at_offset(16)
        .expecting("1 (weights), 2 (text index) or 3 (image index)")
        .finding(code)
        .mend("It was written by a newer Morelet: update this program"));
    };
    Ok((
        Header {
            kind,
            file_len,
            root,
        },
        table,
    ))
}

/// The error for a file that ends too early.
pub(crate) fn cut(path: &Path, expected: u64, got: u64) -> Error {
    Error::new(ErrorKind::Truncated, "the file is cut short")
        .at(path)
        .at_offset(got)
        .expecting(format_args!("{expected} bytes"))
        .finding(got)
        .mend("The copy or download did not finish: fetch it again")
}

fn corrupt(path: &Path, offset: u64, message: &str) -> Error {
    Error::new(ErrorKind::Corrupt, message)
        .at(path)
        .at_offset(offset)
        .mend(COPY_AGAIN)
}

/// How to mend damage that happened to the bytes after they were written.
pub(crate) const COPY_AGAIN: &str = "The file was damaged: copy it again, or convert again";

// The callers have checked that `bytes` holds a whole header, and every `at` is a constant inside it.

fn u16_at(bytes: &[u8], at: usize) -> u16 {
    u16::from_le_bytes(array_at(bytes, at))
}

fn u32_at(bytes: &[u8], at: usize) -> u32 {
    u32::from_le_bytes(array_at(bytes, at))
}

fn u64_at(bytes: &[u8], at: usize) -> u64 {
    u64::from_le_bytes(array_at(bytes, at))
}

fn hash_at(bytes: &[u8], at: usize) -> Hash {
    Hash::from_bytes(array_at(bytes, at))
}

fn array_at<const N: usize>(bytes: &[u8], at: usize) -> [u8; N] {
    let mut array = [0; N];
    array.copy_from_slice(&bytes[at..at + N]);
    array
}

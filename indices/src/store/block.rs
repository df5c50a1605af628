//! One block as it lies in the file, and the records inside it.
//!
//! ```text
//! check u32 | coding u8 | records | plain length | body
//! ```
//!
//! Numbers without a type are variable-length integers. `check` is the first four bytes of the BLAKE3 of all that
//! follows. It is tested before zstd sees the body, so that a flipped bit is an error and never another text.

use morelet_mapped::Hash;

use super::NAME_CAP;
use crate::varint;

/// How a block's body was made from its records.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Coding {
    /// It is the records.
    Plain,
    /// One zstd frame.
    Zstd,
    /// One zstd frame that needs a dictionary of the file, by number.
    Dictionary(u8),
}

/// How many dictionaries a block can choose from.
pub(super) const MAX_DICTIONARIES: usize = 254;

impl Coding {
    fn of_byte(byte: u8) -> Coding {
        match byte {
            0 => Coding::Plain,
            1 => Coding::Zstd,
            number => Coding::Dictionary(number - 2),
        }
    }

    /// `None` for a dictionary of a greater number than there can be.
    #[cfg(feature = "build")]
    fn byte(self) -> Option<u8> {
        match self {
            Coding::Plain => Some(0),
            Coding::Zstd => Some(1),
            Coding::Dictionary(number) => number.checked_add(2),
        }
    }
}

/// A block as it lies in the file, checked.
#[derive(Clone, Copy, Debug)]
pub(super) struct Stored<'a> {
    pub coding: Coding,
    /// How many records it holds.
    pub records: u32,
    /// How long they are together.
    pub plain_len: u64,
    /// The records, as `coding` says.
    pub body: &'a [u8],
}

impl<'a> Stored<'a> {
    /// Reads a whole block, or says what is wrong with it.
    pub fn read(bytes: &'a [u8]) -> Result<Stored<'a>, &'static str> {
        const SHORT: &str = "a block ends too early";
        let (check, mut rest) = bytes.split_first_chunk::<4>().ok_or(SHORT)?;
        if *check != checksum(rest) {
            return Err("a block does not have the checksum that it had when it was written");
        }
        let (&coding, after) = rest.split_first().ok_or(SHORT)?;
        rest = after;
        Ok(Stored {
            coding: Coding::of_byte(coding),
            records: varint::take_u32(&mut rest).ok_or(SHORT)?,
            plain_len: varint::take(&mut rest).ok_or(SHORT)?,
            body: rest,
        })
    }

    /// The block as it lies in a file.
    #[cfg(feature = "build")]
    pub fn bytes(&self) -> Option<Vec<u8>> {
        let mut bytes = Vec::with_capacity(self.body.len() + 20);
        bytes.extend_from_slice(&[0; 4]);
        bytes.push(self.coding.byte()?);
        varint::put(&mut bytes, u64::from(self.records));
        varint::put(&mut bytes, self.plain_len);
        bytes.extend_from_slice(self.body);
        let check = checksum(&bytes[4..]);
        bytes[..4].copy_from_slice(&check);
        Some(bytes)
    }
}

fn checksum(bytes: &[u8]) -> [u8; 4] {
    let hash = Hash::of(bytes);
    let [a, b, c, d, ..] = *hash.as_bytes();
    [a, b, c, d]
}

/// Walks the records of a block. Each is
///
/// Id and title together are at most 64 KiB long.
///
/// ```text
/// 0                                    | text length | text      id and title as in the record before
/// id length + 1 | title length | id | title | text length | text
/// ```
pub(super) struct Records<'a> {
    rest: &'a [u8],
    /// Id and title of the record before.
    article: Option<[&'a [u8]; 2]>,
}

impl<'a> Records<'a> {
    /// The records in `plain`.
    pub fn of(plain: &'a [u8]) -> Records<'a> {
        Records {
            rest: plain,
            article: None,
        }
    }
}

impl<'a> Iterator for Records<'a> {
    type Item = [&'a [u8]; 3];

    /// Id, title and text of the next record. `None` where the block ends, or is not made as it should be.
    fn next(&mut self) -> Option<[&'a [u8]; 3]> {
        let take = |rest: &mut &'a [u8], len: u64| {
            let (part, after) = rest.split_at_checked(usize::try_from(len).ok()?)?;
            *rest = after;
            Some(part)
        };
        let rest = &mut self.rest;
        if let Some(id_len) = varint::take(rest)?.checked_sub(1) {
            let title_len = varint::take(rest)?;
            if id_len.saturating_add(title_len) > NAME_CAP {
                return None;
            }
            self.article = Some([take(rest, id_len)?, take(rest, title_len)?]);
        }
        let [id, title] = self.article?;
        let len = varint::take(rest)?;
        Some([id, title, take(rest, len)?])
    }
}

/// Appends a record; `again` where id and title are those of the record before.
#[cfg(feature = "build")]
pub(super) fn put_record(plain: &mut Vec<u8>, id: &str, title: &str, text: &str, again: bool) {
    if again {
        varint::put(plain, 0);
    } else {
        varint::put(plain, id.len() as u64 + 1);
        varint::put(plain, title.len() as u64);
        plain.extend_from_slice(id.as_bytes());
        plain.extend_from_slice(title.as_bytes());
    }
    varint::put(plain, text.len() as u64);
    plain.extend_from_slice(text.as_bytes());
}

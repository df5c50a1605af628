//! The dictionaries of a file: what zstd knows before it reads a block.
//!
//! ```text
//! count u64 | (length u64, check u64) for each | the dictionaries, one after the other
//! ```
//!
//! A dictionary is read when the first block needs it, not when the file is opened. `check` is the first eight bytes
//! of its BLAKE3: one flipped bit in a dictionary would change words in thousands of paragraphs.

use std::ops::Range;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicUsize, Ordering};

use morelet_mapped::{Bytes, Container, Hash};
use zstd::zstd_safe::DDict;

use super::block::MAX_DICTIONARIES;
use super::{DICTIONARY, REVISION};
use crate::error::Result;

/// No dictionary is longer.
const MAX_BYTES: u64 = 1 << 20;
/// Prepared dictionaries are kept until they take this many bytes; further ones are prepared for each reading
/// anew, which takes some 0.1 ms.
const KEPT_BYTES: usize = 8 << 20;

/// The dictionaries of an open file.
pub(super) struct Dictionaries {
    /// Nothing where the file has none.
    section: Option<Bytes>,
    each: Vec<One>,
    /// How many bytes the prepared ones take.
    kept: AtomicUsize,
}

struct One {
    /// Where it lies in its section.
    place: Range<u64>,
    check: u64,
    prepared: OnceLock<DDict<'static>>,
}

impl Dictionaries {
    /// Reads where each dictionary lies.
    pub fn open(container: &Container) -> Result<Dictionaries> {
        let section = container.optional(DICTIONARY, REVISION..=REVISION)?;
        let each = match &section {
            Some(bytes) => places(bytes).map_err(|message| bytes.corrupt(0, message))?,
            None => Vec::new(),
        };
        Ok(Dictionaries {
            section,
            each,
            kept: AtomicUsize::new(0),
        })
    }

    /// How many there are.
    #[cfg(test)]
    pub fn len(&self) -> usize {
        self.each.len()
    }

    /// How many bytes the prepared ones take.
    #[cfg(test)]
    pub fn kept(&self) -> usize {
        self.kept.load(Ordering::Relaxed)
    }

    /// The bytes of dictionary `number`, checked; `None` where there is no such dictionary.
    pub fn bytes(&self, number: u8) -> Result<Option<Bytes>> {
        let (Some(section), Some(one)) = (&self.section, self.each.get(usize::from(number))) else {
            return Ok(None);
        };
        let bytes = section.slice(one.place.clone())?;
        if check(&bytes) != one.check {
            let message = "a dictionary does not have the checksum that it had when it was written";
            return Err(bytes.corrupt(0, message).into());
        }
        Ok(Some(bytes))
    }

    /// Calls `act` with dictionary `number`, prepared; `None` where there is no such dictionary.
    pub fn with<T>(&self, number: u8, act: impl FnOnce(&DDict<'_>) -> T) -> Result<Option<T>> {
        let Some(one) = self.each.get(usize::from(number)) else {
            return Ok(None);
        };
        if let Some(prepared) = one.prepared.get() {
            return Ok(Some(act(prepared)));
        }
        let Some(bytes) = self.bytes(number)? else {
            return Ok(None);
        };
        let Some(prepared) = DDict::try_create(&bytes) else {
            return Err(bytes.corrupt(0, "zstd refuses the dictionary").into());
        };
        let size = prepared.sizeof();
        if self.kept.fetch_add(size, Ordering::Relaxed) + size > KEPT_BYTES {
            self.kept.fetch_sub(size, Ordering::Relaxed);
            return Ok(Some(act(&prepared)));
        }
        Ok(Some(act(one.prepared.get_or_init(|| prepared))))
    }
}

/// Where each dictionary lies, or what is wrong with the table that says so.
fn places(section: &[u8]) -> Result<Vec<One>, String> {
    let word = |index: usize| {
        let bytes = section.get(index * 8..)?.first_chunk()?;
        Some(u64::from_le_bytes(*bytes))
    };
    let ends = || "the table of dictionaries ends too early".to_owned();
    let count = word(0).ok_or_else(ends)?;
    if count > MAX_DICTIONARIES as u64 {
        return Err(format!(
            "too many dictionaries: expected at most {MAX_DICTIONARIES}, got {count}"
        ));
    }
    let count = count as usize;
    let mut start = 8 + 16 * count as u64;
    let mut each = Vec::with_capacity(count);
    for index in 0..count {
        let (Some(len), Some(check)) = (word(1 + 2 * index), word(2 + 2 * index)) else {
            return Err(ends());
        };
        if len > MAX_BYTES {
            return Err(format!(
                "a dictionary is too long: expected at most {MAX_BYTES} bytes, got {len}"
            ));
        }
        let place = start..start + len;
        start = place.end;
        each.push(One {
            place,
            check,
            prepared: OnceLock::new(),
        });
    }
    if start != section.len() as u64 {
        return Err(format!(
            "the dictionaries end elsewhere than their section: expected {}, got {start}",
            section.len()
        ));
    }
    Ok(each)
}

/// The section that holds `dictionaries`.
#[cfg(feature = "build")]
pub(super) fn section<'a>(
    dictionaries: impl ExactSizeIterator<Item = &'a [u8]> + Clone,
) -> Vec<u8> {
    let mut bytes = (dictionaries.len() as u64).to_le_bytes().to_vec();
    for dictionary in dictionaries.clone() {
        bytes.extend((dictionary.len() as u64).to_le_bytes());
        bytes.extend(check(dictionary).to_le_bytes());
    }
    for dictionary in dictionaries {
        bytes.extend_from_slice(dictionary);
    }
    bytes
}

fn check(bytes: &[u8]) -> u64 {
    let hash = Hash::of(bytes);
    let [a, b, c, d, e, f, g, h, ..] = *hash.as_bytes();
    u64::from_le_bytes([a, b, c, d, e, f, g, h])
}

impl std::fmt::Debug for Dictionaries {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_list()
            .entries(self.each.iter().map(|one| &one.place))
            .finish()
    }
}

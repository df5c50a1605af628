//! The store of values: paragraphs and introductions, compressed in blocks, read one at a time.
//!
//! Values that were added together lie together. A block holds as many of them as make about 16 KiB of text
//! (at least one, whatever its length) and is compressed by itself, so that reading one value decompresses one block:
//!
//! ```text
//! values             block 0 | block 1 | …         each one zstd frame, or plain where that is not longer
//! values.blocks      (offset u64, first record u32, plain length u32) for every block, then the same for the end
//! values.dictionary  what zstd knows before each block; absent where there was too little to learn it from
//! ```
//!
//! and a block, decompressed, is its records one after the other, each three lengths as variable-length integers
//! (7 bits a byte, low bits first), then the bytes of id, title and text.
//!
//! The first two grow with the corpus and are bulk, so nothing in them is believed: offsets are checked where
//! they are read, and a block may not claim a plain length of more than 8 MiB or 64 times what it takes in the
//! file, whichever is more. The writer keeps to that by storing what compresses better than that as it is.

use std::borrow::Cow;
use std::sync::Arc;

use morelet_mapped::{Bytes, Container, Slice};
use zstd::zstd_safe::{DCtx, DDict, get_error_name};

use crate::error::{Error, Result};
use crate::varint;

#[cfg(feature = "build")]
mod writer;
#[cfg(feature = "build")]
pub(crate) use writer::ValueWriter;

/// The section of compressed blocks.
pub(crate) const VALUES: &str = "values";
/// The section that says where each block lies.
pub(crate) const BLOCKS: &str = "values.blocks";
/// The section of the dictionary.
pub(crate) const DICTIONARY: &str = "values.dictionary";
/// The revision of these sections.
pub(crate) const REVISION: u32 = 1;

/// A block may always be this long.
const PLAIN_CAP: u64 = 8 << 20;
/// A longer block may be this many times as long as it is in the file.
const MAX_RATIO: u64 = 64;

/// One value and what it is about.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Value {
    /// The id of the article or image.
    pub id: String,
    /// The title of the article or image.
    pub title: String,
    /// The text of the paragraph or introduction.
    pub text: String,
}

/// Values by number, read from the map.
#[derive(Clone)]
pub(crate) struct ValueStore {
    values: Bytes,
    table: Bytes,
    blocks: Slice<u64>,
    dictionary: Arc<DDict<'static>>,
    len: u32,
}

/// Where a block lies and what is in it.
#[derive(Clone, Copy, Debug)]
struct Block {
    offset: u64,
    first: u32,
    plain_len: u32,
}

impl ValueStore {
    /// The store inside `container`, which must hold `len` values.
    pub fn open(container: &Container, len: u32) -> Result<ValueStore> {
        let values = container.section(VALUES, REVISION..=REVISION)?;
        let table = container.section(BLOCKS, REVISION..=REVISION)?;
        let dictionary = container.optional(DICTIONARY, REVISION..=REVISION)?;
        let prepared = DDict::try_create(dictionary.as_deref().unwrap_or_default());
        let prepared = match (prepared, dictionary) {
            (Some(prepared), _) => prepared,
            (None, Some(bytes)) => {
                return Err(bytes.corrupt(0, "zstd refuses the dictionary").into());
            }
            (None, None) => return Err(Error::input("zstd does not start: out of memory")),
        };
        let store = ValueStore {
            blocks: table.typed::<u64>()?,
            dictionary: Arc::new(prepared),
            values,
            table,
            len,
        };
        if store.blocks.is_empty() || !store.blocks.len().is_multiple_of(2) {
            return Err(store.wrong(
                0,
                "the block table is not made of pairs, the last one for the end",
            ));
        }
        let (start, end) = (store.block(0), store.block(store.block_count()));
        if (start.offset, start.first) != (0, 0) {
            return Err(store.wrong(0, "the first block does not start at 0"));
        }
        if (end.offset, end.first) != (store.values.len() as u64, len) {
            return Err(store.wrong(
                store.block_count(),
                format!(
                    "the block table ends elsewhere than the values: expected byte {} and {len} values, got {} and {}",
                    store.values.len(),
                    end.offset,
                    end.first
                ),
            ));
        }
        Ok(store)
    }

    /// The number of values.
    #[cfg(test)]
    pub fn len(&self) -> u32 {
        self.len
    }

    /// Value number `number`.
    pub fn get(&self, number: u32) -> Result<Value> {
        if number >= self.len {
            return Err(Error::input(format_args!(
                "there is no value {number}: the index holds {}",
                self.len
            )));
        }
        let index = self.find(number);
        let (block, next) = (self.block(index), self.block(index + 1));
        if !(block.first..next.first).contains(&number) {
            return Err(self.wrong(index, "the block table is not in order"));
        }
        let plain = self.plain(index, block, next)?;
        let mut rest: &[u8] = &plain;
        let mut skip = number - block.first;
        loop {
            match (record(&mut rest), skip) {
                (Some(parts), 0) => return self.value(block, parts),
                (Some(_), _) => skip -= 1,
                (None, _) => {
                    return Err(self
                        .values
                        .corrupt(block.offset, "a record is longer than its block")
                        .into());
                }
            }
        }
    }

    fn block_count(&self) -> usize {
        self.blocks.len() / 2 - 1
    }

    /// Block `index`, at most the one for the end.
    fn block(&self, index: usize) -> Block {
        let (offset, rest) = (self.blocks[2 * index], self.blocks[2 * index + 1]);
        Block {
            offset,
            first: rest as u32,
            plain_len: (rest >> 32) as u32,
        }
    }

    /// The last block that starts at or before `number`, by bisection.
    fn find(&self, number: u32) -> usize {
        let (mut low, mut high) = (0, self.block_count());
        while high - low > 1 {
            let middle = low + (high - low) / 2;
            if self.block(middle).first <= number {
                low = middle;
            } else {
                high = middle;
            }
        }
        low
    }

    fn plain(&self, index: usize, block: Block, next: Block) -> Result<Cow<'_, [u8]>> {
        let bytes = match (block.offset, next.offset) {
            (start, end) if start <= end && end <= self.values.len() as u64 => {
                &self.values[start as usize..end as usize]
            }
            _ => return Err(self.wrong(index, "a block lies outside its section")),
        };
        let len = block.plain_len as usize;
        if len == bytes.len() {
            return Ok(Cow::Borrowed(bytes));
        }
        let cap = PLAIN_CAP.max(bytes.len() as u64 * MAX_RATIO);
        if len as u64 > cap {
            return Err(self.wrong(
                index,
                format!("a block claims to be {len} bytes long when decompressed: expected at most {cap}"),
            ));
        }
        let mut plain = Vec::with_capacity(len);
        let Some(mut context) = DCtx::try_create() else {
            return Err(Error::input("zstd does not start: out of memory"));
        };
        match context.decompress_using_ddict(&mut plain, bytes, &self.dictionary) {
            Ok(_) if plain.len() == len => Ok(Cow::Owned(plain)),
            Ok(got) => Err(self.bad_block(block, format_args!("expected {len} bytes, got {got}"))),
            Err(code) => Err(self.bad_block(block, get_error_name(code))),
        }
    }

    fn value(&self, block: Block, parts: [&[u8]; 3]) -> Result<Value> {
        let [id, title, text] = parts.map(|part| std::str::from_utf8(part).map(str::to_owned));
        match (id, title, text) {
            (Ok(id), Ok(title), Ok(text)) => Ok(Value { id, title, text }),
            _ => Err(self.bad_block(block, "a value is not UTF-8")),
        }
    }

    fn bad_block(&self, block: Block, why: impl std::fmt::Display) -> Error {
        self.values
            .corrupt(
                block.offset,
                format!("a block cannot be decompressed: {why}"),
            )
            .into()
    }

    fn wrong(&self, index: usize, message: impl Into<String>) -> Error {
        self.table.corrupt(index as u64 * 16, message).into()
    }
}

impl std::fmt::Debug for ValueStore {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("ValueStore")
            .field("values", &self.values)
            .field("len", &self.len)
            .finish_non_exhaustive()
    }
}

/// Takes the record at the front of `bytes`: id, title, text.
fn record<'a>(bytes: &mut &'a [u8]) -> Option<[&'a [u8]; 3]> {
    let mut lens = [0; 3];
    for len in &mut lens {
        *len = usize::try_from(varint::take(bytes)?).ok()?;
    }
    let mut parts = [&[][..]; 3];
    for (part, len) in parts.iter_mut().zip(lens) {
        (*part, *bytes) = bytes.split_at_checked(len)?;
    }
    Some(parts)
}

#[cfg(test)]
mod tests;

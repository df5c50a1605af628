//! The store of values: paragraphs and introductions, compressed in blocks, read one at a time.
//!
//! Values that were added together lie together. A block holds as many of them as make about 16 KiB of text
//! (at least one, whatever its length) and is compressed by itself, so that reading one value decompresses one block:
//!
//! ```text
//! values             block 0 | block 1 | …         each with a checksum and what its coding is
//! values.blocks      (offset u64, first record u32) for every block, then the same for the end
//! values.dictionary  what zstd may know before a block; absent where there was too little to learn it from
//! ```
//!
//! A block says which dictionary it needs, if any. So a file can hold blocks of several origins, and indexes are
//! merged by copying their blocks as they are. `block` draws a block and its records, `dictionaries` the dictionaries.
//! Writing goes through `records` (values into blocks), `compressor` (what is learned from the first of them, and what
//! it makes of a block, on any thread) and `writer` (compressed blocks, in order, into the file); `copy` merges.
//!
//! All three grow with the corpus and are bulk, so nothing in them is believed: offsets are checked where they are read,
//! and blocks and dictionaries have checksums of their own, so that a value is read as it was written or not at all. A
//! block may not claim a plain length of more than 8 MiB or 64 times what it takes in the file, whichever is more. The
//! writer keeps to that by storing what compresses better than that as it is.

use std::sync::{Arc, Mutex, PoisonError};

use morelet_mapped::{Bytes, Container, Slice};
use zstd::zstd_safe::{DCtx, SafeResult, get_error_name};

use crate::error::{Error, Result};

mod block;
#[cfg(feature = "build")]
mod compressor;
#[cfg(feature = "build")]
mod copy;
mod dictionaries;
mod ids;
#[cfg(feature = "build")]
mod records;
#[cfg(feature = "build")]
mod writer;

#[cfg(feature = "build")]
pub(crate) use compressor::{Compressor, LEVEL, Learned, Waiting};
#[cfg(feature = "build")]
pub(crate) use records::{BlockBuilder, PlainBlock};
#[cfg(feature = "build")]
pub(crate) use writer::ValueWriter;

use block::{Coding, Records, Stored};
use dictionaries::Dictionaries;

/// The section of compressed blocks.
pub(crate) const VALUES: &str = "values";
/// The section that says where each block lies.
pub(crate) const BLOCKS: &str = "values.blocks";
/// The section of the dictionaries.
pub(crate) const DICTIONARY: &str = "values.dictionary";
/// The revision of these sections.
pub(crate) const REVISION: u32 = 2;

/// A block may always be this long.
const PLAIN_CAP: u64 = 8 << 20;
/// The bytes that id and title of an article may take together. Every value is read with its own copy of them.
const NAME_CAP: u64 = 64 << 10;
/// A longer block may be this many times as long as it is in the file.
const MAX_RATIO: u64 = 64;
/// Buffers that grew longer than this are not kept.
const KEPT_BUFFER: usize = 1 << 18;

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

/// Values by number, read from the map. Cloning is cheap.
#[derive(Clone)]
pub(crate) struct ValueStore {
    values: Bytes,
    table: Bytes,
    /// Three for each block: its offset, low half and high half, and its first record.
    blocks: Slice<u32>,
    shared: Arc<Shared>,
    len: u32,
}

struct Shared {
    dictionaries: Dictionaries,
    /// What no reading uses now.
    idle: Mutex<Vec<Scratch>>,
}

/// What decompressing needs.
struct Scratch {
    context: DCtx<'static>,
    plain: Vec<u8>,
}

/// A block and where it lies.
struct Block<'a> {
    index: usize,
    /// In its section, in bytes.
    offset: u64,
    first: u32,
    stored: Stored<'a>,
}

impl ValueStore {
    /// The store inside `container`, which must hold `len` values.
    pub fn open(container: &Container, len: u32) -> Result<ValueStore> {
        let values = container.section(VALUES, REVISION..=REVISION)?;
        let table = container.section(BLOCKS, REVISION..=REVISION)?;
        let store = ValueStore {
            blocks: table.typed::<u32>()?,
            shared: Arc::new(Shared {
                dictionaries: Dictionaries::open(container)?,
                idle: Mutex::new(Vec::new()),
            }),
            values,
            table,
            len,
        };
        if store.blocks.is_empty() || !store.blocks.len().is_multiple_of(3) {
            let message = "the block table is not made of threes, the last one for the end";
            return Err(store.wrong(0, message));
        }
        let (start, end) = (store.entry(0), store.entry(store.block_count()));
        if start != (0, 0) {
            return Err(store.wrong(0, "the first block does not start at 0"));
        }
        if end != (store.values.len() as u64, len) {
            return Err(store.wrong(
                store.block_count(),
                format!(
                    "the block table ends elsewhere than the values: expected byte {} and {len} values, got {} and {}",
                    store.values.len(),
                    end.0,
                    end.1
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
        let block = self.block(self.find(number))?;
        let Some(place) = number
            .checked_sub(block.first)
            .filter(|&place| place < block.stored.records)
        else {
            return Err(self.wrong(block.index, "the block table is not in order"));
        };
        self.with_plain(&block, |plain| {
            match Records::of(plain).nth(place as usize) {
                Some(parts) => self.value(&block, parts),
                None => Err(self.cut(&block)),
            }
        })?
    }

    fn block_count(&self) -> usize {
        self.blocks.len() / 3 - 1
    }

    /// Offset and first record of block `index`, at most the one for the end.
    fn entry(&self, index: usize) -> (u64, u32) {
        let at = 3 * index;
        let (low, high) = (self.blocks[at], self.blocks[at + 1]);
        (u64::from(low) | u64::from(high) << 32, self.blocks[at + 2])
    }

    /// The last block that starts at or before `number`, by bisection.
    fn find(&self, number: u32) -> usize {
        let (mut low, mut high) = (0, self.block_count());
        while high - low > 1 {
            let middle = low + (high - low) / 2;
            if self.entry(middle).1 <= number {
                low = middle;
            } else {
                high = middle;
            }
        }
        low
    }

    /// Block `index`, with its checksum tested.
    fn block(&self, index: usize) -> Result<Block<'_>> {
        let ((offset, first), (end, next)) = (self.entry(index), self.entry(index + 1));
        if offset > end || end > self.values.len() as u64 {
            return Err(self.wrong(index, "a block lies outside its section"));
        }
        let stored = Stored::read(&self.values[offset as usize..end as usize])
            .map_err(|message| self.values.corrupt(offset, message))?;
        if first.checked_add(stored.records) != Some(next) {
            let message = format!(
                "the block table counts other records than the block: expected {first} to {next}, got {} of them",
                stored.records
            );
            return Err(self.wrong(index, message));
        }
        let cap = PLAIN_CAP.max(stored.body.len() as u64 * MAX_RATIO);
        let claims = stored.plain_len;
        if claims > cap || u64::from(stored.records) * 2 > claims {
            let message = format!(
                "a block claims {} records in {claims} bytes: expected at most {cap}, two or more for a record",
                stored.records
            );
            return Err(self.values.corrupt(offset, message).into());
        }
        Ok(Block {
            index,
            offset,
            first,
            stored,
        })
    }

    /// Calls `act` with the records of `block`.
    fn with_plain<T>(&self, block: &Block<'_>, act: impl FnOnce(&[u8]) -> T) -> Result<T> {
        let Stored {
            coding,
            body,
            plain_len,
            ..
        } = block.stored;
        let len = usize::try_from(plain_len)
            .map_err(|_| self.bad(block, "it is longer than this machine can address"))?;
        if coding == Coding::Plain {
            return match body.len() == len {
                true => Ok(act(body)),
                false => Err(self.bad(
                    block,
                    format_args!("expected {len} bytes, got {}", body.len()),
                )),
            };
        }
        let mut scratch = self.scratch()?;
        let Scratch { context, plain } = &mut scratch;
        plain.clear();
        plain
            .try_reserve_exact(len)
            .map_err(|_| Error::input("out of memory for a block of values"))?;
        // Decompressing in one call needs no window, however large a frame says that it is.
        let done = match coding {
            Coding::Dictionary(number) => {
                let dictionaries = &self.shared.dictionaries;
                dictionaries
                    .with(number, |prepared| {
                        context.decompress_using_ddict(plain, body, prepared)
                    })?
                    .ok_or_else(|| self.no_dictionary(block, number))?
            }
            _ => context.decompress(plain, body),
        };
        self.check_len(block, done, plain.len() == len)?;
        let result = act(plain);
        if scratch.plain.capacity() <= KEPT_BUFFER {
            self.idle().push(scratch);
        }
        Ok(result)
    }

    fn check_len(&self, block: &Block<'_>, done: SafeResult, right: bool) -> Result<()> {
        let expected = block.stored.plain_len;
        match done {
            Ok(_) if right => Ok(()),
            Ok(got) => Err(self.bad(block, format_args!("expected {expected} bytes, got {got}"))),
            Err(code) => Err(self.bad(block, get_error_name(code))),
        }
    }

    fn scratch(&self) -> Result<Scratch> {
        if let Some(scratch) = self.idle().pop() {
            return Ok(scratch);
        }
        Ok(Scratch {
            context: DCtx::try_create()
                .ok_or_else(|| Error::input("zstd does not start: out of memory"))?,
            plain: Vec::new(),
        })
    }

    fn idle(&self) -> std::sync::MutexGuard<'_, Vec<Scratch>> {
        self.shared
            .idle
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }

    fn value(&self, block: &Block<'_>, parts: [&[u8]; 3]) -> Result<Value> {
        let [id, title, text] = parts.map(|part| std::str::from_utf8(part).map(str::to_owned));
        match (id, title, text) {
            (Ok(id), Ok(title), Ok(text)) => Ok(Value { id, title, text }),
            _ => Err(self.bad(block, "a value is not UTF-8")),
        }
    }

    fn cut(&self, block: &Block<'_>) -> Error {
        self.bad(block, "a record is longer than its block")
    }

    fn no_dictionary(&self, block: &Block<'_>, number: u8) -> Error {
        self.bad(block, format_args!("there is no dictionary {number}"))
    }

    fn bad(&self, block: &Block<'_>, why: impl std::fmt::Display) -> Error {
        let message = format!("a block cannot be decompressed: {why}");
        self.values.corrupt(block.offset, message).into()
    }

    fn wrong(&self, index: usize, message: impl Into<String>) -> Error {
        self.table.corrupt(index as u64 * 12, message).into()
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

#[cfg(test)]
mod tests;

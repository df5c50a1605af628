//! Writing the store of values.

use morelet_mapped::{Suspended, Writer};
use zstd::zstd_safe::{CCtx, CDict};

use super::{BLOCKS, DICTIONARY, MAX_RATIO, PLAIN_CAP, REVISION, VALUES};
use crate::error::{Error, Result};
use crate::varint;

/// A block is closed when it is this long. Decompressing one takes under 0.1 ms.
const BLOCK_BYTES: usize = 16 << 10;
/// Compression level. On 16 KiB of Wikipedia's text, 9 takes twice the time for 0.2 % less, and 3 a third of it for
/// 4 % more. Reading costs the same at every level.
const LEVEL: i32 = 6;
/// The first values are kept until there are this many bytes of them, to make a dictionary from.
const SAMPLE_BYTES: usize = 8 << 20;
/// How long a dictionary is: zstd's own default. It makes the values of 29,000 Wikipedia articles 13 % shorter.
const DICTIONARY_BYTES: usize = 110 << 10;

/// Writes the sections `values`, `values.blocks` and, where there is enough to learn from, `values.dictionary` of a
/// file. From [`ValueWriter::begin`] to [`ValueWriter::finish`] no other section can be written.
pub(crate) struct ValueWriter {
    section: Suspended,
    context: CCtx<'static>,
    /// `None` while blocks are still collected.
    dictionary: Option<Dictionary>,
    /// Blocks that wait for the dictionary, one after the other.
    waiting: Vec<u8>,
    /// The bytes of those that the dictionary will be made from.
    sample_bytes: usize,
    /// The lengths of those, and the first record after each.
    ends: Vec<(usize, u32)>,
    /// The records of the block that is being filled.
    plain: Vec<u8>,
    /// The block table so far.
    table: Vec<u64>,
    /// Where the next block will lie.
    offset: u64,
    /// The first record of the block that is written next.
    first: u32,
    len: u32,
}

/// What blocks are compressed with.
struct Dictionary {
    prepared: CDict<'static>,
    /// Empty where there was too little to learn from.
    bytes: Vec<u8>,
}

impl ValueWriter {
    /// Begins the section of values.
    pub fn begin(writer: &mut Writer) -> Result<ValueWriter> {
        Ok(ValueWriter {
            section: writer.section(VALUES, REVISION, true)?.suspend(),
            context: CCtx::try_create().ok_or_else(no_memory)?,
            dictionary: None,
            waiting: Vec::new(),
            sample_bytes: 0,
            ends: Vec::new(),
            plain: Vec::with_capacity(2 * BLOCK_BYTES),
            table: Vec::new(),
            offset: 0,
            first: 0,
            len: 0,
        })
    }

    /// Adds a value and gives its number.
    pub fn add(&mut self, writer: &mut Writer, id: &str, title: &str, text: &str) -> Result<u32> {
        let number = self.len;
        let parts = [id, title, text];
        let bytes = parts.iter().map(|part| part.len() + 10).sum::<usize>();
        if u32::try_from(bytes + 2 * BLOCK_BYTES).is_err() {
            return Err(Error::too_large(format_args!(
                "a value of {bytes} bytes in article {id:?}: the limit is 4 GiB"
            )));
        }
        self.len = number
            .checked_add(1)
            .ok_or_else(|| Error::too_large("more than 4,294,967,295 values"))?;
        // A long value gets a block of its own, so that its neighbours stay cheap to read.
        if !self.plain.is_empty() && self.plain.len() + bytes > 2 * BLOCK_BYTES {
            self.close_block(writer, number)?;
        }
        for part in parts {
            varint::put(&mut self.plain, part.len() as u64);
        }
        for part in parts {
            self.plain.extend_from_slice(part.as_bytes());
        }
        if self.plain.len() >= BLOCK_BYTES {
            self.close_block(writer, self.len)?;
        }
        Ok(number)
    }

    /// Ends the section of values and writes what is needed to read it.
    pub fn finish(mut self, writer: &mut Writer) -> Result<()> {
        if !self.plain.is_empty() {
            self.close_block(writer, self.len)?;
        }
        if self.dictionary.is_none() {
            self.learn(writer, false)?;
        }
        writer.resume(&self.section)?.finish()?;
        self.table.extend([self.offset, u64::from(self.len)]);
        let mut section = writer.section(BLOCKS, REVISION, true)?;
        for word in &self.table {
            section.put(&word.to_le_bytes())?;
        }
        section.finish()?;
        if let Some(dictionary) = &self.dictionary
            && !dictionary.bytes.is_empty()
        {
            let mut section = writer.section(DICTIONARY, REVISION, false)?;
            section.put(&dictionary.bytes)?;
            section.finish()?;
        }
        Ok(())
    }

    /// Ends the block being filled; the next one starts with record `next`.
    fn close_block(&mut self, writer: &mut Writer, next: u32) -> Result<()> {
        let plain = std::mem::take(&mut self.plain);
        if self.dictionary.is_some() {
            self.write_block(writer, &plain, next)?;
        } else {
            self.waiting.extend_from_slice(&plain);
            self.ends.push((plain.len(), next));
            if is_sample(&plain) {
                self.sample_bytes += plain.len();
            }
            if self.sample_bytes >= SAMPLE_BYTES || self.waiting.len() >= 8 * SAMPLE_BYTES {
                self.learn(writer, true)?;
            }
        }
        self.plain = plain;
        self.plain.clear();
        if self.plain.capacity() > 64 * BLOCK_BYTES {
            self.plain = Vec::with_capacity(2 * BLOCK_BYTES);
        }
        Ok(())
    }

    /// Makes the dictionary, an empty one unless there is `enough`, and writes the blocks that waited for it.
    fn learn(&mut self, writer: &mut Writer, enough: bool) -> Result<()> {
        let blocks = std::mem::take(&mut self.waiting);
        let ends = std::mem::take(&mut self.ends);
        let mut bytes = Vec::new();
        if enough {
            let samples: Vec<&[u8]> = split(&blocks, &ends)
                .map(|(block, _)| block)
                .filter(|block| is_sample(block))
                .collect();
            let sizes: Vec<usize> = samples.iter().map(|sample| sample.len()).collect();
            let sample = samples.concat();
            // zstd refuses to learn from too little, or from what is all the same. Then there is none.
            bytes =
                zstd::dict::from_continuous(&sample, &sizes, DICTIONARY_BYTES).unwrap_or_default();
        }
        self.dictionary = Some(Dictionary {
            prepared: CDict::try_create(&bytes, LEVEL).ok_or_else(no_memory)?,
            bytes,
        });
        for (block, next) in split(&blocks, &ends) {
            self.write_block(writer, block, next)?;
        }
        Ok(())
    }

    /// Writes a block; the next one starts with record `next`.
    fn write_block(&mut self, writer: &mut Writer, plain: &[u8], next: u32) -> Result<()> {
        let Some(dictionary) = &self.dictionary else {
            return Ok(());
        };
        let mut compressed = Vec::with_capacity(zstd::zstd_safe::compress_bound(plain.len()));
        self.context
            .compress_using_cdict(&mut compressed, plain, &dictionary.prepared)
            .map_err(|code| {
                let why = zstd::zstd_safe::get_error_name(code);
                Error::input(format_args!("zstd cannot compress a block: {why}"))
            })?;
        let plain_len = plain.len() as u64;
        let cap = PLAIN_CAP.max(compressed.len() as u64 * MAX_RATIO);
        let stored = if (compressed.len() as u64) < plain_len && plain_len <= cap {
            &compressed[..]
        } else {
            plain
        };
        let mut section = writer.resume(&self.section)?;
        section.put(stored)?;
        self.section = section.suspend();
        // `add` keeps a block under 4 GiB.
        self.table
            .extend([self.offset, u64::from(self.first) | plain_len << 32]);
        self.offset += stored.len() as u64;
        self.first = next;
        Ok(())
    }
}

/// Whether a dictionary is made from `block` too: a single value may be longer than all others together, and
/// teaches nothing about them.
fn is_sample(block: &[u8]) -> bool {
    block.len() <= 2 * BLOCK_BYTES
}

/// Blocks that lie one after the other, each with the record after it.
fn split<'a>(blocks: &'a [u8], ends: &[(usize, u32)]) -> impl Iterator<Item = (&'a [u8], u32)> {
    let mut rest = blocks;
    ends.iter().map(move |&(len, next)| {
        let (block, after) = rest.split_at(len);
        rest = after;
        (block, next)
    })
}

fn no_memory() -> Error {
    Error::input("zstd does not start: out of memory")
}

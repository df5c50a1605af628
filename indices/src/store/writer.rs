//! Writing the store of values.

use morelet_mapped::{Suspended, Writer};

use super::{BLOCKS, MAX_RATIO, PLAIN_CAP, REVISION, VALUES};
use crate::error::{Error, Result};
use crate::varint;

/// A block is closed when it is this long. Decompressing one takes some 20 µs.
const BLOCK_BYTES: usize = 16 << 10;
/// Compression level: reading costs the same at every level.
const LEVEL: i32 = 9;

/// Writes the sections `values` and `values.blocks` of a file. From [`ValueWriter::begin`] to
/// [`ValueWriter::finish`] no other section can be written.
pub(crate) struct ValueWriter {
    section: Suspended,
    compressor: zstd::bulk::Compressor<'static>,
    /// The records of the block that is being filled.
    plain: Vec<u8>,
    /// The block table so far.
    table: Vec<u64>,
    /// Where the next block will lie.
    offset: u64,
    /// The first record of the block that is being filled.
    first: u32,
    len: u32,
}

impl ValueWriter {
    /// Begins the section of values.
    pub fn begin(writer: &mut Writer) -> Result<ValueWriter> {
        let compressor = zstd::bulk::Compressor::new(LEVEL)
            .map_err(|error| Error::input(format_args!("zstd does not start: {error}")))?;
        Ok(ValueWriter {
            section: writer.section(VALUES, REVISION, true)?.suspend(),
            compressor,
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

    /// Ends the section of values and writes the block table.
    pub fn finish(mut self, writer: &mut Writer) -> Result<()> {
        if !self.plain.is_empty() {
            self.close_block(writer, self.len)?;
        }
        writer.resume(&self.section)?.finish()?;
        self.table.extend([self.offset, u64::from(self.len)]);
        let mut section = writer.section(BLOCKS, REVISION, true)?;
        for word in &self.table {
            section.put(&word.to_le_bytes())?;
        }
        Ok(section.finish()?)
    }

    /// Writes the block being filled; the next one starts with record `next`.
    fn close_block(&mut self, writer: &mut Writer, next: u32) -> Result<()> {
        let compressed = self
            .compressor
            .compress(&self.plain)
            .map_err(|error| Error::input(format_args!("zstd cannot compress a block: {error}")))?;
        let plain_len = self.plain.len() as u64;
        let cap = PLAIN_CAP.max(compressed.len() as u64 * MAX_RATIO);
        let stored = if (compressed.len() as u64) < plain_len && plain_len <= cap {
            &compressed
        } else {
            &self.plain
        };
        let mut section = writer.resume(&self.section)?;
        section.put(stored)?;
        self.section = section.suspend();
        // `add` keeps a block under 4 GiB.
        self.table
            .extend([self.offset, u64::from(self.first) | plain_len << 32]);
        self.offset += stored.len() as u64;
        self.first = next;
        self.plain.clear();
        if self.plain.capacity() > 64 * BLOCK_BYTES {
            self.plain = Vec::with_capacity(2 * BLOCK_BYTES);
        }
        Ok(())
    }
}

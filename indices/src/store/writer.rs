//! Compressed blocks into a file.

use morelet_mapped::{Suspended, Writer};

use super::block::{Coding, MAX_DICTIONARIES, Stored};
use super::compressor::{Compressor, LEVEL, Learned, Waiting};
use super::records::{BlockBuilder, PlainBlock};
use super::{BLOCKS, DICTIONARY, REVISION, VALUES, dictionaries};
use crate::error::{Error, Result};

/// Writes the sections `values`, `values.blocks` and, where there is one, `values.dictionary` of a file. From
/// [`ValueWriter::begin`] to [`ValueWriter::finish`] no other section can be written.
///
/// Values come in one of three ways, which can follow each other:
///
/// * [`ValueWriter::add`], one value at a time, compressed here;
/// * [`ValueWriter::put`], blocks that [`Compressor`]s made of a [`BlockBuilder`]'s, on any thread, in the corpus's order;
/// * [`ValueWriter::copy`], those of a finished store.
pub(crate) struct ValueWriter {
    section: Suspended,
    level: i32,
    /// Values that were added and are in no block yet, and the blocks that the last one closed.
    builder: BlockBuilder,
    closed: Vec<PlainBlock>,
    added: Added,
    /// The dictionaries of this file.
    dictionaries: Vec<Vec<u8>>,
    /// Three words for each block so far.
    table: Vec<u32>,
    /// Where the next block will lie.
    offset: u64,
    /// How many values are in the blocks so far.
    len: u32,
    /// How many values there are, those that wait too.
    total: u32,
}

/// What becomes of values that are added one by one.
enum Added {
    /// They wait for their dictionary.
    Wait(Waiting),
    /// They are compressed with this, which has this number in the file.
    Compress(Compressor, Option<DictionaryNumber>),
}

/// The number of a dictionary in the file that is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) struct DictionaryNumber(u8);

impl ValueWriter {
    /// Begins the section of values.
    pub fn begin(writer: &mut Writer) -> Result<ValueWriter> {
        ValueWriter::begin_at(writer, LEVEL)
    }

    /// As [`ValueWriter::begin`]; `level` is for what is compressed here, from 1 to 19.
    pub fn begin_at(writer: &mut Writer, level: i32) -> Result<ValueWriter> {
        Ok(ValueWriter {
            section: writer.section(VALUES, REVISION, true)?.suspend(),
            level,
            builder: BlockBuilder::default(),
            closed: Vec::new(),
            added: Added::Wait(Waiting::default()),
            dictionaries: Vec::new(),
            table: Vec::new(),
            offset: 0,
            len: 0,
            total: 0,
        })
    }

    /// Adds a value and gives its number.
    pub fn add(&mut self, writer: &mut Writer, id: &str, title: &str, text: &str) -> Result<u32> {
        let number = self.count(1)?;
        let mut closed = std::mem::take(&mut self.closed);
        self.builder.add(id, title, text, &mut closed)?;
        for block in closed.drain(..) {
            self.add_block(writer, block)?;
        }
        self.closed = closed;
        Ok(number)
    }

    /// Makes sure that the file has this dictionary ([`Learned::bytes`]) and gives its number; `None` for an empty
    /// one, which blocks do without, and where the file has as many as it can hold.
    pub fn dictionary(&mut self, bytes: &[u8]) -> Option<DictionaryNumber> {
        if bytes.is_empty() {
            return None;
        }
        let known = self.dictionaries.iter().position(|known| known == bytes);
        let number = known.unwrap_or(self.dictionaries.len());
        if number >= MAX_DICTIONARIES {
            return None;
        }
        if known.is_none() {
            self.dictionaries.push(bytes.to_vec());
        }
        // MAX_DICTIONARIES is less than 256.
        Some(DictionaryNumber(number as u8))
    }

    /// Adds a block that a [`Compressor`] made with the dictionary that has `number` here, and gives the number of
    /// its first value.
    pub fn put(
        &mut self,
        writer: &mut Writer,
        block: &[u8],
        number: Option<DictionaryNumber>,
    ) -> Result<u32> {
        self.settle(writer)?;
        let stored = Stored::read(block)
            .map_err(|why| Error::input(format_args!("a block of values was damaged: {why}")))?;
        let first = self.count(stored.records)?;
        self.write(writer, block, stored, number)?;
        Ok(first)
    }

    /// Ends the section of values and writes what is needed to read it.
    pub fn finish(mut self, writer: &mut Writer) -> Result<()> {
        self.settle(writer)?;
        writer.resume(&self.section)?.finish()?;
        self.push_entry();
        let mut section = writer.section(BLOCKS, REVISION, true)?;
        for word in &self.table {
            section.put(&word.to_le_bytes())?;
        }
        section.finish()?;
        if !self.dictionaries.is_empty() {
            let each = self.dictionaries.iter().map(Vec::as_slice);
            let mut section = writer.section(DICTIONARY, REVISION, true)?;
            section.put(&dictionaries::section(each))?;
            section.finish()?;
        }
        Ok(())
    }

    /// The level for what is compressed here.
    pub(super) fn level(&self) -> i32 {
        self.level
    }

    /// The last dictionary that came into the file, if there is one.
    pub(super) fn last_dictionary(&self) -> Option<DictionaryNumber> {
        // There are at most MAX_DICTIONARIES, which is less than 256.
        self.dictionaries
            .len()
            .checked_sub(1)
            .map(|last| DictionaryNumber(last as u8))
    }

    /// The bytes of a dictionary of the file, none for none.
    pub(super) fn dictionary_bytes(&self, number: Option<DictionaryNumber>) -> &[u8] {
        number
            .and_then(|DictionaryNumber(number)| self.dictionaries.get(usize::from(number)))
            .map_or(&[], Vec::as_slice)
    }

    /// Counts values that come, and gives the number of the first.
    fn count(&mut self, records: u32) -> Result<u32> {
        let first = self.total;
        self.total = first
            .checked_add(records)
            .ok_or_else(|| Error::too_large("more than 4,294,967,295 values"))?;
        Ok(first)
    }

    /// Brings the values that were added one by one into the file, so that others can follow.
    pub(super) fn settle(&mut self, writer: &mut Writer) -> Result<()> {
        if let Some(block) = self.builder.close() {
            self.add_block(writer, block)?;
        }
        match &self.added {
            Added::Wait(waiting) if !waiting.is_empty() => self.learn(writer),
            _ => Ok(()),
        }
    }

    fn add_block(&mut self, writer: &mut Writer, block: PlainBlock) -> Result<()> {
        match &mut self.added {
            Added::Wait(waiting) => match waiting.add(block) {
                true => self.learn(writer),
                false => Ok(()),
            },
            Added::Compress(compressor, number) => {
                let (bytes, number) = (compressor.compress(&block)?, *number);
                self.write_compressed(writer, &bytes, number)
            }
        }
    }

    /// Makes the dictionary and writes the blocks that waited for it.
    fn learn(&mut self, writer: &mut Writer) -> Result<()> {
        let Added::Wait(waiting) = &mut self.added else {
            return Ok(());
        };
        let (mut learned, blocks) = std::mem::take(waiting).learn(self.level)?;
        let number = self.dictionary(learned.bytes());
        if number.is_none() && !learned.bytes().is_empty() {
            learned = Learned::new(Vec::new(), self.level)?;
        }
        self.added = Added::Compress(Compressor::new(&learned)?, number);
        for block in blocks {
            self.add_block(writer, block)?;
        }
        Ok(())
    }

    /// Writes a block whose values are counted already.
    fn write_compressed(
        &mut self,
        writer: &mut Writer,
        block: &[u8],
        number: Option<DictionaryNumber>,
    ) -> Result<()> {
        let stored = Stored::read(block).map_err(Error::input)?;
        self.write(writer, block, stored, number)
    }

    /// Writes `block`, which reads as `stored`, with the number that its dictionary has here.
    fn write(
        &mut self,
        writer: &mut Writer,
        block: &[u8],
        stored: Stored<'_>,
        number: Option<DictionaryNumber>,
    ) -> Result<()> {
        let coding = match (stored.coding, number) {
            (Coding::Dictionary(_), Some(DictionaryNumber(number))) => Coding::Dictionary(number),
            (Coding::Dictionary(_), None) => {
                return Err(Error::input("a block of values lacks its dictionary"));
            }
            (coding, _) => coding,
        };
        self.push_entry();
        let mut section = writer.resume(&self.section)?;
        if coding == stored.coding {
            section.put(block)?;
            self.offset += block.len() as u64;
        } else {
            let bytes = Stored { coding, ..stored }.bytes();
            // A number below MAX_DICTIONARIES has a byte.
            let bytes = bytes.ok_or_else(|| Error::too_large("too many dictionaries"))?;
            section.put(&bytes)?;
            self.offset += bytes.len() as u64;
        }
        self.section = section.suspend();
        self.len += stored.records;
        Ok(())
    }

    /// Says where the next block begins.
    fn push_entry(&mut self) {
        let (low, high) = (self.offset as u32, (self.offset >> 32) as u32);
        self.table.extend([low, high, self.len]);
    }
}

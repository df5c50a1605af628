//! Values of finished stores into a new one.

use std::collections::HashMap;

use morelet_mapped::{Bytes, Writer};

use super::block::{Coding, Records};
use super::compressor::{Compressor, Learned};
use super::records::{BlockBuilder, PlainBlock};
use super::writer::DictionaryNumber;
use super::{Block, Value, ValueStore, ValueWriter};
use crate::error::Result;

impl ValueWriter {
    /// Adds those values of `store` that `keep` wants; it is asked about each once, in order. Blocks of which every
    /// value is kept are copied as they are (after their checksums were tested), with their dictionaries. The kept values
    /// of others are compressed anew.
    ///
    /// The bytes depend on nothing but the stores, the order of the copies, and what is kept.
    pub fn copy(
        &mut self,
        writer: &mut Writer,
        store: &ValueStore,
        mut keep: impl FnMut(u32) -> bool,
    ) -> Result<()> {
        self.settle(writer)?;
        let mut rest = Rest::default();
        let mut numbers: HashMap<u8, Option<DictionaryNumber>> = HashMap::new();
        let mut kept = Vec::new();
        for index in 0..store.block_count() {
            let block = store.block(index)?;
            kept.clear();
            kept.extend((0..block.stored.records).map(|place| keep(block.first + place)));
            if !kept.contains(&true) {
                continue;
            }
            let number = match block.stored.coding {
                Coding::Dictionary(number) => match numbers.get(&number) {
                    Some(&known) => known,
                    None => {
                        let bytes = store.dictionary(&block, number)?;
                        *numbers.entry(number).or_insert(self.dictionary(&bytes))
                    }
                },
                _ => None,
            };
            let fits = number.is_some() || !matches!(block.stored.coding, Coding::Dictionary(_));
            if fits && !kept.contains(&false) {
                rest.flush(self, writer)?;
                self.put(writer, store.bytes(&block), number)?;
            } else {
                rest.choose(self, writer, number)?;
                store.each_of(&block, &kept, |value| rest.add(self, writer, &value))?;
            }
        }
        rest.flush(self, writer)
    }
}

/// Kept values of blocks that are not kept whole.
#[derive(Default)]
struct Rest {
    builder: BlockBuilder,
    closed: Vec<PlainBlock>,
    with: Option<(Option<DictionaryNumber>, Compressor)>,
}

impl Rest {
    /// What follows is compressed with the dictionary of this number; with the file's last one where there is none.
    fn choose(
        &mut self,
        values: &mut ValueWriter,
        writer: &mut Writer,
        number: Option<DictionaryNumber>,
    ) -> Result<()> {
        let number = number.or(values.last_dictionary());
        if !matches!(&self.with, Some((known, _)) if *known == number) {
            self.flush(values, writer)?;
            let learned = Learned::new(values.dictionary_bytes(number).to_vec(), values.level())?;
            self.with = Some((number, Compressor::new(&learned)?));
        }
        Ok(())
    }

    fn add(&mut self, values: &mut ValueWriter, writer: &mut Writer, value: &Value) -> Result<()> {
        let (id, title, text) = (&value.id, &value.title, &value.text);
        self.builder.add(id, title, text, &mut self.closed)?;
        self.write(values, writer)
    }

    fn flush(&mut self, values: &mut ValueWriter, writer: &mut Writer) -> Result<()> {
        self.closed.extend(self.builder.close());
        self.write(values, writer)
    }

    fn write(&mut self, values: &mut ValueWriter, writer: &mut Writer) -> Result<()> {
        for block in self.closed.drain(..) {
            // Nothing is closed before something was chosen.
            if let Some((number, compressor)) = &mut self.with {
                values.put(writer, &compressor.compress(&block)?, *number)?;
            }
        }
        Ok(())
    }
}

impl ValueStore {
    /// The bytes of dictionary `number`, which `block` needs.
    fn dictionary(&self, block: &Block<'_>, number: u8) -> Result<Bytes> {
        self.shared
            .dictionaries
            .bytes(number)?
            .ok_or_else(|| self.no_dictionary(block, number))
    }

    /// A block as it lies in the file.
    fn bytes(&self, block: &Block<'_>) -> &[u8] {
        let end = self.entry(block.index + 1).0;
        // `ValueStore::block` found both inside the section.
        &self.values[block.offset as usize..end as usize]
    }

    /// Calls `act` with those values of a block that `kept` has a `true` for: one at a time, as many short ones may
    /// share a long title.
    fn each_of(
        &self,
        block: &Block<'_>,
        kept: &[bool],
        mut act: impl FnMut(Value) -> Result<()>,
    ) -> Result<()> {
        self.with_plain(block, |plain| {
            let mut records = Records::of(plain);
            for &kept in kept {
                let parts = records.next().ok_or_else(|| self.cut(block))?;
                if kept {
                    act(self.value(block, parts)?)?;
                }
            }
            Ok(())
        })?
    }
}

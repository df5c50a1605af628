//! Values into blocks.

use super::NAME_CAP;
use super::block::put_record;
use crate::error::{Error, Result};

/// A block is closed when it is this long. Decompressing one takes some 20 µs.
const BLOCK_BYTES: usize = 16 << 10;

/// The records of one block, not compressed yet.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct PlainBlock {
    pub(super) bytes: Vec<u8>,
    pub(super) records: u32,
}

impl PlainBlock {
    /// A block that was put by, of [`PlainBlock::bytes`] and [`PlainBlock::records`].
    pub fn new(bytes: Vec<u8>, records: u32) -> PlainBlock {
        PlainBlock { bytes, records }
    }

    /// Its records as they lie in it.
    pub fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// How many values it holds.
    pub fn records(&self) -> u32 {
        self.records
    }

    /// How long it is, in bytes.
    pub fn len(&self) -> usize {
        self.bytes.len()
    }

    /// Whether a dictionary is made from it too: a single value may be longer than all others together, and teaches
    /// nothing about them.
    pub fn is_sample(&self) -> bool {
        self.bytes.len() <= 2 * BLOCK_BYTES
    }
}

/// Collects values and cuts blocks. Where a block ends depends on nothing but the values added so far, so
/// pieces of a corpus that are cut at fixed places (each with a builder of its own) give the same blocks on any
/// number of threads.
#[derive(Default, bincode::Encode, bincode::Decode)]
pub(crate) struct BlockBuilder {
    bytes: Vec<u8>,
    records: u32,
    /// Id and title of the last record in the block, if it has one.
    id: String,
    title: String,
}

impl BlockBuilder {
    /// Adds a value. The blocks that it completes, none to two of them, are appended to `closed`.
    pub fn add(
        &mut self,
        id: &str,
        title: &str,
        text: &str,
        closed: &mut Vec<PlainBlock>,
    ) -> Result<()> {
        let bytes = id.len() + title.len() + text.len() + 30;
        if u32::try_from(bytes + 2 * BLOCK_BYTES).is_err() {
            return Err(Error::too_large(format_args!(
                "a value of {bytes} bytes in article {id:?}: the limit is 4 GiB"
            )));
        }
        if (id.len() + title.len()) as u64 > NAME_CAP {
            return Err(Error::too_large(format_args!(
                "an article whose id and title take {} bytes: the limit is {NAME_CAP}",
                id.len() + title.len()
            )));
        }
        // A long value gets a block of its own, so that its neighbours stay cheap to read.
        if self.bytes.len() + bytes > 2 * BLOCK_BYTES {
            closed.extend(self.close());
        }
        let again = self.records > 0 && self.id == id && self.title == title;
        put_record(&mut self.bytes, id, title, text, again);
        self.records += 1;
        if !again {
            id.clone_into(&mut self.id);
            title.clone_into(&mut self.title);
        }
        if self.bytes.len() >= BLOCK_BYTES {
            closed.extend(self.close());
        }
        Ok(())
    }

    /// Ends the block being filled, however short, if there is a value in it.
    pub fn close(&mut self) -> Option<PlainBlock> {
        if self.records == 0 {
            return None;
        }
        let block = PlainBlock {
            // A copy as long as it must be, and the buffer stays, unless one value made it long.
            bytes: match self.bytes.len() > 4 * BLOCK_BYTES {
                true => std::mem::take(&mut self.bytes),
                false => self.bytes.clone(),
            },
            records: self.records,
        };
        self.bytes.clear();
        self.records = 0;
        Some(block)
    }
}

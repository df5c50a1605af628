//! Blocks of values that cannot be compressed yet: first in, first out, in a file.

use crate::error::{Error, Result};
use crate::spool::Spool;
use crate::store::PlainBlock;

/// Blocks in a file, each behind its length and its number of values.
pub(super) struct Backlog {
    spool: Spool,
    /// Where the next one begins that was not taken.
    at: u64,
    /// How far the file can be read.
    flushed: u64,
}

impl Backlog {
    /// What `spool` holds and was not taken.
    pub fn new(spool: Spool) -> Backlog {
        Backlog {
            flushed: spool.len(),
            spool,
            at: 0,
        }
    }

    /// Adds a block.
    pub fn put(&mut self, block: &PlainBlock) -> Result<()> {
        let len = u32::try_from(block.len())
            .map_err(|_| Error::too_large("a block of values of more than 4 GiB"))?;
        self.spool.put(&len.to_le_bytes())?;
        self.spool.put(&block.records().to_le_bytes())?;
        self.spool.put(block.bytes())
    }

    /// Takes the block that was added first.
    pub fn take(&mut self) -> Result<Option<PlainBlock>> {
        if self.is_empty() {
            return Ok(None);
        }
        if self.at == self.flushed {
            self.spool.flush()?;
            self.flushed = self.spool.len();
        }
        let mut head = [[0; 4]; 2];
        self.spool.read_at(self.at, head.as_flattened_mut())?;
        let [len, records] = head.map(u32::from_le_bytes);
        let begin = self.at + 8;
        if begin + u64::from(len) > self.spool.len() {
            return Err(Error::input(format_args!(
                "{}: it was changed since it was written",
                self.spool.path().display()
            )));
        }
        let mut bytes = vec![0; len as usize];
        self.spool.read_at(begin, &mut bytes)?;
        self.at = begin + u64::from(len);
        Ok(Some(PlainBlock::new(bytes, records)))
    }

    /// The bytes of the blocks that were taken.
    pub fn taken(&self) -> u64 {
        self.at
    }

    /// Takes from where so many bytes were taken before; 0 is the first block.
    pub fn skip_to(&mut self, taken: u64) {
        self.at = taken.min(self.spool.len());
    }

    /// Forgets all blocks, and gives their room on the disk back.
    pub fn clear(&mut self) -> Result<()> {
        (self.at, self.flushed) = (0, 0);
        self.spool.clear()
    }

    /// The bytes of all blocks, those that were taken too.
    pub fn bytes(&self) -> u64 {
        self.spool.len()
    }

    /// Whether all were taken.
    pub fn is_empty(&self) -> bool {
        self.at == self.spool.len()
    }

    /// Makes all blocks outlast a failure of power, and gives the file's length.
    pub fn sync(&mut self) -> Result<u64> {
        self.spool.sync()?;
        Ok(self.spool.len())
    }
}

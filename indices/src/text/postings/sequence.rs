//! A sequence of postings: blocks, or one of pairs, or one posting alone.

use std::ops::Range;

use super::{BLOCK, Block, PADDING, PostingsStore};
use crate::error::{Error, Result};

/// Blocks that share a whole offset in a directory. Together they take less than 64 KiB.
pub(super) const OFFSETS: usize = 32;

/// The bytes of a directory of so many blocks.
fn directory_bytes(blocks: usize) -> usize {
    6 * blocks + 4 * blocks.div_ceil(OFFSETS)
}

/// Sentences, ascending, and a tf for each.
#[derive(Clone, Debug)]
pub(in crate::text) struct Sequence<'a> {
    pub(super) store: &'a PostingsStore,
    /// The blocks, and [`PADDING`] bytes more.
    pub(super) bytes: &'a [u8],
    /// Where they begin in the section.
    start: usize,
    blocks: usize,
    /// Last sentences, then offsets; empty where there is only one block.
    directory: &'a [u8],
    /// The only posting, where it stands in the term's entry.
    pub(super) single: Option<(u32, u32)>,
    /// What no tf is below. In blocks all are 1 where this is 1.
    pub(super) least: u32,
    len: u32,
}

impl<'a> Sequence<'a> {
    /// One posting.
    pub(super) fn single(store: &'a PostingsStore, sentence: u32, tf: u32) -> Sequence<'a> {
        Sequence {
            store,
            bytes: &[],
            start: 0,
            blocks: 1,
            directory: &[],
            single: Some((sentence, tf)),
            least: 1,
            len: 1,
        }
    }

    /// The `len` postings at `bytes` of the section, which ends at least [`PADDING`] bytes later; `None` where
    /// they do not fit.
    pub(super) fn of(
        store: &'a PostingsStore,
        least: u32,
        len: u32,
        bytes: Range<usize>,
    ) -> Option<Sequence<'a>> {
        let (mut blocks, mut blocks_end) = (1, bytes.end);
        if len as usize >= BLOCK {
            blocks = len.div_ceil(BLOCK as u32) as usize;
            let end = bytes.end.checked_sub(directory_bytes(blocks));
            blocks_end = end.filter(|&end| end >= bytes.start)?;
        }
        Some(Sequence {
            store,
            // With the padding: packed integers are read in whole registers.
            bytes: store.postings.get(bytes.start..blocks_end + PADDING)?,
            start: bytes.start,
            blocks,
            directory: store.postings.get(blocks_end..bytes.end)?,
            single: None,
            least,
            len,
        })
    }

    /// The number of postings, at least 1.
    pub fn len(&self) -> u32 {
        self.len
    }

    /// The number of blocks.
    pub fn blocks(&self) -> usize {
        self.blocks
    }

    /// Whether the tfs of its only block stand among its sentences.
    pub(super) fn is_pairs(&self) -> bool {
        self.directory.is_empty()
    }

    /// The number of postings of block `index`.
    pub(super) fn block_len(&self, index: usize) -> usize {
        match self.len as usize - index * BLOCK {
            left if left < BLOCK => left,
            _ => BLOCK,
        }
    }

    /// The last sentence of block `index`, as the directory has it; without one, `u32::MAX`, which no sentence is behind.
    #[inline]
    pub(super) fn last(&self, index: usize) -> u32 {
        self.word(4 * index).map_or(u32::MAX, u32::from_le_bytes)
    }

    /// Where block `index` begins.
    pub(super) fn offset(&self, index: usize) -> usize {
        let whole = self.word(6 * self.blocks + index / OFFSETS * 4);
        let part = |index| {
            let at = 4 * self.blocks + 2 * index;
            self.word(at).map_or(0, u16::from_le_bytes)
        };
        let more = part(index).wrapping_sub(part(index / OFFSETS * OFFSETS));
        whole.map_or(0, u32::from_le_bytes) as usize + usize::from(more)
    }

    /// The bytes of the directory from `at` on, if there is one.
    #[inline]
    fn word<const N: usize>(&self, at: usize) -> Option<[u8; N]> {
        self.directory.get(at..)?.first_chunk().copied()
    }

    /// The first block from `from` on whose last sentence is not before `sentence`, or the number of blocks.
    #[inline]
    pub fn block_of(&self, from: usize, sentence: u32) -> usize {
        if from >= self.blocks || self.last(from) >= sentence {
            return from;
        }
        // In steps that double, then by bisection: it is mostly near.
        let (mut before, mut step) = (from, 1);
        while before + step < self.blocks && self.last(before + step) < sentence {
            before += step;
            step *= 2;
        }
        let (mut low, mut high) = (before + 1, (before + step).min(self.blocks));
        while low < high {
            let middle = low + (high - low) / 2;
            match self.last(middle) < sentence {
                true => low = middle + 1,
                false => high = middle,
            }
        }
        low
    }

    /// The tf of `sentence`; 0 where it is not there.
    pub fn tf(&self, sentence: u32) -> Result<u32> {
        let index = self.block_of(0, sentence);
        if index == self.blocks {
            return Ok(0);
        }
        let mut block = Block::new();
        block.open(self, index)?;
        block.tf(self, sentence)
    }

    /// All postings, from the first on.
    #[cfg(feature = "build")]
    pub fn iter(&self) -> Result<Iter<'_, 'a>> {
        let mut block = Block::new();
        block.open(self, 0)?;
        Ok(Iter {
            sequence: self,
            block,
            index: 0,
            at: 0,
        })
    }

    #[cold]
    pub(super) fn damaged(&self, at: usize) -> Error {
        let message = format!(
            "a list of postings does not hold: expected {} ascending sentences below {} inside its bytes",
            self.len, self.store.sentences
        );
        let at = (self.start + at).min(self.store.postings.len());
        self.store.postings.corrupt(at as u64, message).into()
    }
}

/// On the way through all postings of a sequence.
#[cfg(feature = "build")]
pub(in crate::text) struct Iter<'s, 'a> {
    sequence: &'s Sequence<'a>,
    block: Block<'a>,
    index: usize,
    at: usize,
}

#[cfg(feature = "build")]
impl Iter<'_, '_> {
    /// The next sentence and its tf.
    #[inline]
    pub fn next(&mut self) -> Result<Option<(u32, u32)>> {
        if self.at == self.block.len() {
            self.index += 1;
            if self.index >= self.sequence.blocks {
                return Ok(None);
            }
            self.block.open(self.sequence, self.index)?;
            self.at = 0;
        }
        let sentence = self.block.sentences(self.sequence)?[self.at];
        let tf = match self.block.ones {
            true => 1,
            false => self.block.tfs(self.sequence)?[self.at],
        };
        self.at += 1;
        Ok(Some((sentence, tf)))
    }
}

//! Postings: for each term the sentences that have it, ascending, and how often.
//!
//! ```text
//! terms         for each term, by number:
//!                 df > 1:  df, the bytes of its list
//!                 df = 1:  0, sentence                         where tf is 1; there are no postings
//!                          1, sentence, tf − 2                 where it is more
//! terms.groups  (offset in terms u64, offset in postings u64) for every 32 terms
//! postings      lists, one after the other; 64 bytes of padding
//! a short list  df < 128: pairs, each gap · 2 + (tf > 1), then tf − 2 if tf > 1
//! a long list   blocks of 128 and one of the rest | directory | 12 bytes of impacts
//! a block       gaps | tfs
//! a directory   last sentence u32 of each block
//!               offset u16 of each block, modulo 2¹⁶
//!               offset u32 of every 32nd block
//! ```
//!
//! A gap is the distance to the sentence before, less one; the first counts from −1. The sentence of a term takes as
//! many bytes as the number of sentences does; other integers outside the directory are of variable length. `packing.rs` describes blocks, `impacts.rs` the impacts. All sections are bulk:
//! whatever is read from them is checked where it is read.
//!
//! The directory lets a search go to the block of a sentence without reading those before.

use morelet_mapped::{Bytes, Container, Slice};

use super::impacts::{CLASSES, Impacts};
#[cfg(feature = "build")]
use super::packing;
use super::packing::PADDING;
use crate::error::{Error, Result};
use crate::varint;

mod block;
#[cfg(feature = "build")]
mod writer;
pub(super) use super::packing::BLOCK;
pub(super) use block::Block;
#[cfg(feature = "build")]
pub(super) use writer::{ListWriter, TermsWriter};

/// The section of lists.
pub(super) const POSTINGS: &str = "postings";
/// The section that says where each term's list is.
pub(super) const TERMS: &str = "terms";
/// The section by which a term is found in [`TERMS`].
pub(super) const GROUPS: &str = "terms.groups";
/// The revision of these sections.
pub(super) const REVISION: u32 = 2;
/// Terms that share an entry of [`GROUPS`].
const GROUP: u32 = 32;
/// Blocks that share a whole offset in a directory. Together they take less than 64 KiB.
const OFFSETS: usize = 32;

/// The bytes of a directory of so many blocks.
fn directory_bytes(blocks: usize) -> usize {
    6 * blocks + 4 * blocks.div_ceil(OFFSETS)
}

/// The lists of all terms.
#[derive(Clone, Debug)]
pub(super) struct PostingsStore {
    terms: Bytes,
    groups: Slice<u64>,
    postings: Bytes,
    len: u32,
    sentences: u32,
}

impl PostingsStore {
    /// The lists of `len` terms over `sentences` sentences.
    pub fn open(container: &Container, len: u32, sentences: u32) -> Result<PostingsStore> {
        let groups = container.section(GROUPS, REVISION..=REVISION)?;
        let store = PostingsStore {
            terms: container.section(TERMS, REVISION..=REVISION)?,
            postings: container.section(POSTINGS, REVISION..=REVISION)?,
            groups: groups.typed::<u64>()?,
            len,
            sentences,
        };
        let expected = 2 * len.div_ceil(GROUP) as usize;
        if store.groups.len() != expected {
            let message = format!(
                "the number of offsets for {len} terms: expected {expected}, got {}",
                store.groups.len()
            );
            return Err(groups.corrupt(0, message).into());
        }
        if store.postings.len() < PADDING {
            return Err(store
                .postings
                .corrupt(0, "the padding after the postings is missing")
                .into());
        }
        Ok(store)
    }

    /// The list of term `number`, which the dictionary has checked.
    pub fn list(&self, number: u32) -> Result<List<'_>> {
        let group = (number / GROUP) as usize;
        let (Some(&start), Some(&postings)) =
            (self.groups.get(2 * group), self.groups.get(2 * group + 1))
        else {
            return Err(self.damaged_term(number, 0));
        };
        let entry = || {
            let mut rest = self.terms.get(usize::try_from(start).ok()?..)?;
            let mut at = postings;
            for _ in 0..number % GROUP {
                at = at.checked_add(self.entry(&mut rest)?.len())?;
            }
            Some((self.entry(&mut rest)?, at))
        };
        let Some((entry, at)) = entry() else {
            return Err(self.damaged_term(number, start));
        };
        let mut list = List {
            store: self,
            bytes: &[],
            start: 0,
            blocks: 1,
            impacts: Impacts::of_any_length(u32::MAX),
            directory: &[],
            single: None,
            df: 1,
        };
        match entry {
            Entry::Single { sentence, tf } => {
                list.impacts = Impacts::of_any_length(tf);
                list.single = Some((sentence, tf));
            }
            Entry::List { df, len } => {
                list.df = df;
                if self.lay_out(&mut list, at, len).is_none() {
                    return Err(self.damaged_term(number, start));
                }
            }
        }
        if list.df > self.sentences {
            return Err(self.damaged_term(number, start));
        }
        Ok(list)
    }

    /// Finds the parts of a list of `len` bytes at `at`; `None` where they do not fit.
    fn lay_out<'a>(&'a self, list: &mut List<'a>, at: u64, len: u64) -> Option<()> {
        let begin = usize::try_from(at).ok()?;
        let end = usize::try_from(at.checked_add(len)?).ok()?;
        if end > self.postings.len() - PADDING {
            return None;
        }
        list.start = begin;
        let mut blocks_end = end;
        if list.df as usize >= BLOCK {
            list.blocks = list.df.div_ceil(BLOCK as u32) as usize;
            let directory_end = end.checked_sub(CLASSES)?;
            blocks_end = directory_end
                .checked_sub(directory_bytes(list.blocks))
                .filter(|&at| at >= begin)?;
            list.directory = &self.postings[blocks_end..directory_end];
            list.impacts = Impacts(*self.postings[directory_end..].first_chunk()?);
        }
        // With the padding: packed integers are read in whole registers.
        list.bytes = self.postings.get(begin..blocks_end + PADDING)?;
        Some(())
    }

    /// The error of a term that more sentences have than the `sentences` that have any.
    pub fn more_than_there_are(&self, number: u32, sentences: u32) -> Error {
        let message = format!("term {number}: expected at most {sentences} sentences to have it");
        self.terms.corrupt(0, message).into()
    }

    /// Takes the next entry.
    fn entry(&self, bytes: &mut &[u8]) -> Option<Entry> {
        let df = varint::take_u32(bytes)?;
        if df > 1 {
            let len = varint::take(bytes)?;
            return Some(Entry::List { df, len });
        }
        let own;
        (own, *bytes) = bytes.split_at_checked(sentence_bytes(self.sentences))?;
        let mut sentence = [0; 4];
        sentence[..own.len()].copy_from_slice(own);
        let tf = match df {
            0 => 1,
            _ => varint::take_u32(bytes)?.saturating_add(2),
        };
        Some(Entry::Single {
            sentence: u32::from_le_bytes(sentence),
            tf,
        })
    }

    fn damaged_term(&self, number: u32, group: u64) -> Error {
        let message = format!(
            "the entry of term {number} of {} does not hold: expected a list inside its section over at most {} sentences",
            self.len, self.sentences
        );
        self.terms
            .corrupt(group.min(self.terms.len() as u64), message)
            .into()
    }
}

/// The bytes that the number of one of so many sentences takes, at most 4.
fn sentence_bytes(sentences: u32) -> usize {
    let bits = u32::BITS - sentences.saturating_sub(1).leading_zeros();
    bits.div_ceil(8).max(1) as usize
}

/// What the section of terms says of one.
enum Entry {
    Single { sentence: u32, tf: u32 },
    List { df: u32, len: u64 },
}

impl Entry {
    /// The bytes that its list takes.
    fn len(&self) -> u64 {
        match self {
            Entry::Single { .. } => 0,
            Entry::List { len, .. } => *len,
        }
    }
}

/// The list of one term.
#[derive(Clone, Debug)]
pub(super) struct List<'a> {
    store: &'a PostingsStore,
    /// The blocks, and [`PADDING`] bytes more.
    bytes: &'a [u8],
    /// Where they begin in the section.
    start: usize,
    blocks: usize,
    /// Last sentences, then offsets; empty where there is only one block.
    directory: &'a [u8],
    /// The only posting, where it stands in the term's entry.
    single: Option<(u32, u32)>,
    /// The number of sentences that have the term.
    pub df: u32,
    /// What bounds the term's scores.
    pub impacts: Impacts,
}

impl<'a> List<'a> {
    /// The number of blocks.
    pub fn blocks(&self) -> usize {
        self.blocks
    }

    /// The number of postings of block `index`.
    fn block_len(&self, index: usize) -> usize {
        match self.df as usize - index * BLOCK {
            left if left < BLOCK => left,
            _ => BLOCK,
        }
    }

    /// The last sentence of block `index`, as the directory has it; of a list without one, any.
    #[inline]
    fn last(&self, index: usize) -> u32 {
        self.word(4 * index).map_or(u32::MAX, u32::from_le_bytes)
    }

    /// Where block `index` begins.
    fn offset(&self, index: usize) -> usize {
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

    /// Calls `act` with every sentence and tf, in order.
    #[cfg(feature = "build")]
    pub fn for_each(&self, mut act: impl FnMut(u32, u32) -> Result<()>) -> Result<()> {
        let mut block = Block::new();
        for index in 0..self.blocks {
            block.open(self, index)?;
            block.read_tfs(self)?;
            for at in 0..block.len() {
                act(block.sentences(self)?[at], block.tfs[at])?;
            }
        }
        Ok(())
    }

    /// How often `sentence` has the term.
    pub fn tf(&self, sentence: u32) -> Result<u32> {
        let index = self.block_of(0, sentence);
        if index == self.blocks {
            return Ok(0);
        }
        let mut block = Block::new();
        block.open(self, index)?;
        block.tf(self, sentence)
    }

    #[cold]
    fn damaged(&self, at: usize) -> Error {
        let message = format!(
            "a list of postings does not hold: expected {} ascending sentences below {} inside its bytes",
            self.df, self.store.sentences
        );
        let at = (self.start + at).min(self.store.postings.len());
        self.store.postings.corrupt(at as u64, message).into()
    }
}

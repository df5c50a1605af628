//! Postings: for each term the sentences that have it, ascending, and how often.
//!
//! ```text
//! terms         for each term, by number:  df, then
//!                 df = 1:  sentence, tf − 1                         (three integers in all, no postings)
//!                 df > 1:  the bytes of its postings
//! terms.groups  (offset in terms u64, offset in postings u64) for every 32 terms
//! postings      lists, one after the other; 8 bytes of padding
//! a list        df / 128 blocks of sentences and tfs, then df % 128 pairs
//! a block       128 gaps, packed | 128 tf − 1, packed
//! a pair        gap · 2 + (tf > 1), then tf − 2 if tf > 1
//! ```
//!
//! A gap is the distance to the sentence before, less one; the first counts from −1. Integers outside packed
//! blocks are of variable length. `packing.rs` describes those. All sections are bulk: whatever is read from them
//! is checked where it is read.

use morelet_mapped::{Bytes, Container, Slice};

use super::packing::{self, BLOCK, PADDING};
use crate::error::{Error, Result};
use crate::varint;

#[cfg(feature = "build")]
mod writer;
#[cfg(feature = "build")]
pub(super) use writer::{ListWriter, TermsWriter};

/// The section of lists.
pub(super) const POSTINGS: &str = "postings";
/// The section that says where each term's list is.
pub(super) const TERMS: &str = "terms";
/// The section by which a term is found in [`TERMS`].
pub(super) const GROUPS: &str = "terms.groups";
/// The revision of these sections.
pub(super) const REVISION: u32 = 1;
/// Terms that share an entry of [`GROUPS`].
const GROUP: u32 = 32;

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
    pub fn list(&self, number: u32) -> Result<Postings<'_>> {
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
                at = at.checked_add(Entry::take(&mut rest)?.len())?;
            }
            Some((Entry::take(&mut rest)?, at))
        };
        let Some((entry, at)) = entry() else {
            return Err(self.damaged_term(number, start));
        };
        let (df, single, bytes) = match entry {
            Entry::Single { sentence, tf } => (1, Some((sentence, tf)), 0..0),
            Entry::List { df, len } => {
                let begin = usize::try_from(at).ok();
                let end = at
                    .checked_add(len)
                    .and_then(|end| usize::try_from(end).ok());
                match (begin, end) {
                    (Some(begin), Some(end)) if end <= self.postings.len() - PADDING => {
                        (df, None, begin..end)
                    }
                    _ => return Err(self.damaged_term(number, start)),
                }
            }
        };
        if df > self.sentences {
            return Err(self.damaged_term(number, start));
        }
        Ok(Postings {
            store: self,
            // With the padding: the list's own end is checked when it is reached.
            rest: &self.postings[bytes.start..],
            after: self.postings.len() - bytes.end,
            single,
            df,
            left: df,
            next: 0,
        })
    }

    /// How many sentences have term `number`.
    pub fn df(&self, number: u32) -> Result<u32> {
        Ok(self.list(number)?.df())
    }

    /// How often `sentence` has term `number`.
    pub fn tf(&self, number: u32, sentence: u32) -> Result<u32> {
        let mut list = self.list(number)?;
        let mut block = Block::empty();
        loop {
            list.read(&mut block)?;
            let sentences = &block.sentences[..block.len];
            match sentences.binary_search(&sentence) {
                Ok(at) => return Ok(block.tfs[at]),
                Err(at) if at < block.len || block.len == 0 => return Ok(0),
                Err(_) => {}
            }
        }
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

/// What the section of terms says of one.
enum Entry {
    Single { sentence: u32, tf: u32 },
    List { df: u32, len: u64 },
}

impl Entry {
    fn take(bytes: &mut &[u8]) -> Option<Entry> {
        match varint::take_u32(bytes)? {
            0 => None,
            1 => Some(Entry::Single {
                sentence: varint::take_u32(bytes)?,
                tf: varint::take_u32(bytes)?.checked_add(1)?,
            }),
            df => Some(Entry::List {
                df,
                len: varint::take(bytes)?,
            }),
        }
    }

    /// The bytes that its list takes.
    fn len(&self) -> u64 {
        match self {
            Entry::Single { .. } => 0,
            Entry::List { len, .. } => *len,
        }
    }
}

/// Up to 128 postings.
#[derive(Clone, Debug)]
pub(super) struct Block {
    /// Ascending, all below the number of sentences.
    pub sentences: [u32; BLOCK],
    /// How often each has the term.
    pub tfs: [u32; BLOCK],
    /// How many there are.
    pub len: usize,
}

impl Block {
    /// No postings.
    pub fn empty() -> Block {
        Block {
            sentences: [0; BLOCK],
            tfs: [0; BLOCK],
            len: 0,
        }
    }
}

/// A list that is being read.
#[derive(Clone, Debug)]
pub(super) struct Postings<'a> {
    store: &'a PostingsStore,
    rest: &'a [u8],
    /// The bytes of `rest` that are not the list's.
    after: usize,
    /// The only posting, where it stands in the term's entry.
    single: Option<(u32, u32)>,
    df: u32,
    left: u32,
    /// The first sentence that may come next.
    next: u32,
}

impl Postings<'_> {
    /// The number of sentences that have the term.
    pub fn df(&self) -> u32 {
        self.df
    }

    /// Reads the next block; an empty one is the end.
    pub fn read(&mut self, block: &mut Block) -> Result<()> {
        block.len = (self.left as usize).min(BLOCK);
        if block.len == 0 {
            return Ok(());
        }
        self.left -= block.len as u32;
        let decoded = match self.single {
            Some((sentence, tf)) => {
                block.sentences[0] = sentence;
                block.tfs[0] = tf;
                (sentence < self.store.sentences).then_some(())
            }
            None if block.len == BLOCK => self.packed(block),
            None => self.pairs(block),
        };
        // The list ends where the next begins.
        let list_held = match self.left {
            0 => self.rest.len() == self.after,
            _ => self.rest.len() > self.after,
        };
        if decoded.is_none() || !list_held {
            return Err(self.damaged());
        }
        Ok(())
    }

    fn packed(&mut self, block: &mut Block) -> Option<()> {
        packing::unpack(&mut self.rest, &mut block.sentences)?;
        packing::unpack(&mut self.rest, &mut block.tfs)?;
        // 128 gaps below 2³² and a start below 2³² fit 64 bits.
        let gaps: u64 = block.sentences.iter().map(|&gap| u64::from(gap)).sum();
        let end = u64::from(self.next) + gaps + BLOCK as u64;
        // Wraps only where the end is refused below.
        let mut next = self.next;
        for sentence in &mut block.sentences {
            next = next.wrapping_add(*sentence);
            *sentence = next;
            next = next.wrapping_add(1);
        }
        for tf in &mut block.tfs {
            *tf = tf.saturating_add(1);
        }
        self.go_to(end)
    }

    fn pairs(&mut self, block: &mut Block) -> Option<()> {
        let mut next = u64::from(self.next);
        for at in 0..block.len {
            let pair = varint::take(&mut self.rest)?;
            next = next.checked_add(pair >> 1)?;
            block.sentences[at] = next as u32;
            next = next.checked_add(1)?;
            block.tfs[at] = match pair & 1 {
                0 => 1,
                _ => varint::take_u32(&mut self.rest)?.saturating_add(2),
            };
        }
        self.go_to(next)
    }

    /// Goes on at sentence `next`, if all before it are there.
    fn go_to(&mut self, next: u64) -> Option<()> {
        if next > u64::from(self.store.sentences) {
            return None;
        }
        self.next = next as u32;
        Some(())
    }

    fn damaged(&self) -> Error {
        let postings = &self.store.postings;
        let at = postings.len() - self.rest.len();
        let message = format!(
            "a list of postings does not hold: expected {} ascending sentences below {} inside its bytes",
            self.df, self.store.sentences
        );
        postings.corrupt(at as u64, message).into()
    }
}

//! Postings: for each term the sentences that have it, ascending, and how often.
//!
//! ```text
//! terms         for each term, by number:
//!                 df ≥ 128: df, the bytes of its list, how many repeats it has; where it has any, their bytes
//!                 df > 1:   df, the bytes of its list
//!                 df = 1:   0, sentence                        where tf is 1; there are no postings
//!                           1, sentence, tf − 2                where it is more
//! terms.groups  (offset in terms u64, offset in postings u64) for every 32 terms
//! postings      lists, one after the other; padding
//! a list        df < 128: pairs of sentence and tf, tf at least 1
//!               else: blocks of sentences | directory | repeats | 12 bytes of impacts
//! repeats       the sentences that have the term more than once
//!               of fewer than 128: pairs, tf at least 2; else: blocks of sentences and tfs | directory
//! a pair        gap · 2 + (tf > least), then tf − least − 1 if it is
//! blocks        of 128 and one of the rest: gaps, or gaps | tfs
//! a directory   last sentence u32 of each block
//!               offset u16 of each block, modulo 2¹⁶
//!               offset u32 of every 32nd block
//! ```
//!
//! A gap is the distance to the sentence before, less one; the first counts from −1. The sentence of a term takes as
//! many bytes as the number of sentences does; other integers outside the directory are of variable length. `packing.rs` describes blocks, `impacts.rs` the impacts. All sections are bulk:
//! whatever is read from them is checked where it is read.
//!
//! The directory lets a search go to the block of a sentence without reading those before. Repeats stand apart as they are
//! few, and what a term adds to a score is bounded much better in a sentence that is known to have it once.

use morelet_mapped::{Bytes, Container, Slice};

use super::impacts::{CLASSES, Impacts};
use super::packing::{LEAST_TF, PADDING};
use crate::error::{Error, Result};
use crate::varint;

mod block;
mod sequence;
#[cfg(test)]
mod tests;
#[cfg(feature = "build")]
mod writer;
pub(super) use super::packing::BLOCK;
pub(super) use block::Block;
pub(super) use sequence::Sequence;
#[cfg(feature = "build")]
pub(super) use writer::{ListWriter, TermsWriter};

/// The section of lists.
pub(super) const POSTINGS: &str = "postings";
/// The section that says where each term's list is.
pub(super) const TERMS: &str = "terms";
/// The section by which a term is found in [`TERMS`].
pub(super) const GROUPS: &str = "terms.groups";
/// The revision of these sections.
pub(super) const REVISION: u32 = 3;
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
        let list = match entry {
            Entry::Single { sentence, tf } => List {
                df: 1,
                impacts: Impacts::of_any_length(tf),
                sentences: Sequence::single(self, sentence, tf),
                repeats: None,
            },
            Entry::List { df, len, repeats } => self
                .lay_out(df, at, len, repeats)
                .ok_or_else(|| self.damaged_term(number, start))?,
        };
        if list.df > self.sentences {
            return Err(self.damaged_term(number, start));
        }
        Ok(list)
    }

    /// The parts of a list of `len` bytes at `at`; `None` where they do not fit.
    fn lay_out(&self, df: u32, at: u64, len: u64, repeats: Option<Repeats>) -> Option<List<'_>> {
        let begin = usize::try_from(at).ok()?;
        let end = usize::try_from(at.checked_add(len)?).ok()?;
        if end > self.postings.len() - PADDING {
            return None;
        }
        let Some(Repeats { count, len }) = repeats else {
            return Some(List {
                df,
                impacts: Impacts::of_any_length(u32::MAX),
                sentences: Sequence::of(self, 1, df, begin..end)?,
                repeats: None,
            });
        };
        let impacts = end.checked_sub(CLASSES).filter(|&at| at >= begin)?;
        let middle = impacts.checked_sub(usize::try_from(len).ok()?)?;
        if middle < begin || count > df {
            return None;
        }
        let apart = match count {
            0 => None,
            _ => Some(Sequence::of(self, LEAST_TF, count, middle..impacts)?),
        };
        Some(List {
            df,
            impacts: Impacts(*self.postings[impacts..].first_chunk()?),
            sentences: Sequence::of(self, 1, df, begin..middle)?,
            repeats: apart,
        })
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
            let repeats = match df as usize >= BLOCK {
                false => None,
                true => Some(Repeats::take(bytes)?),
            };
            return Some(Entry::List { df, len, repeats });
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
    Single {
        sentence: u32,
        tf: u32,
    },
    List {
        df: u32,
        len: u64,
        /// Of a list of at least [`BLOCK`].
        repeats: Option<Repeats>,
    },
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

/// How many sentences have a term more than once, and the bytes of these postings.
struct Repeats {
    count: u32,
    len: u64,
}

impl Repeats {
    /// Takes them from an entry.
    fn take(bytes: &mut &[u8]) -> Option<Repeats> {
        let count = varint::take_u32(bytes)?;
        let len = match count {
            0 => 0,
            _ => varint::take(bytes)?,
        };
        Some(Repeats { count, len })
    }
}

/// The list of one term.
#[derive(Clone, Debug)]
pub(super) struct List<'a> {
    /// The number of sentences that have the term.
    pub df: u32,
    /// What bounds the term's scores.
    pub impacts: Impacts,
    /// These sentences; with their tfs if there are fewer than [`BLOCK`], else with 1 for each.
    pub sentences: Sequence<'a>,
    /// Those of at least [`BLOCK`] that have the term more than once.
    pub repeats: Option<Sequence<'a>>,
}

impl List<'_> {
    /// How often `sentence` has the term.
    pub fn tf(&self, sentence: u32) -> Result<u32> {
        let once = self.sentences.tf(sentence)?;
        match &self.repeats {
            Some(repeats) if once > 0 => Ok(repeats.tf(sentence)?.max(once)),
            _ => Ok(once),
        }
    }

    /// Calls `act` with every sentence and tf, in order.
    #[cfg(feature = "build")]
    pub fn for_each(&self, mut act: impl FnMut(u32, u32) -> Result<()>) -> Result<()> {
        let mut repeats = self.repeats.as_ref().map(Sequence::iter).transpose()?;
        let mut repeated = match &mut repeats {
            Some(repeats) => repeats.next()?,
            None => None,
        };
        let mut sentences = self.sentences.iter()?;
        while let Some((sentence, once)) = sentences.next()? {
            let tf = match (&mut repeats, repeated) {
                (Some(repeats), Some((own, tf))) if own == sentence => {
                    repeated = repeats.next()?;
                    tf
                }
                _ => once,
            };
            act(sentence, tf)?;
        }
        match (&self.repeats, repeated) {
            // A sentence that does not have the term at all.
            (Some(repeats), Some(_)) => Err(repeats.damaged(0)),
            _ => Ok(()),
        }
    }
}

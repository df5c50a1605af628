//! One block of a list, read as far as it is needed.

use std::ops::Range;

use super::{BLOCK, Sequence};
use crate::error::Result;
use crate::kernels::kernels;
use crate::kernels::rows::prefetch;
use crate::text::packing::{self, Gaps, Work};
use crate::varint;

/// The bytes from the front of a block on that are fetched for the next one: most take 100 to 300, and the first of them come by
/// themselves.
const AHEAD: Range<usize> = 192..512;

/// Up to 128 postings of a sequence.
pub(in crate::text) struct Block<'a> {
    /// Its sentences lie from here …
    base: u32,
    /// … to here.
    last: u32,
    len: usize,
    /// Where the block begins, for errors.
    offset: usize,
    /// A bitmap of the sentences from `base` on, while they were not read.
    bitmap: Option<Gaps<'a>>,
    /// The packed tfs, while they were not read.
    packed_tfs: Option<&'a [u8]>,
    /// Whether every tf is 1, in which case `tfs` may not have been read.
    pub ones: bool,
    work: Work,
    sentences: [u32; BLOCK],
    tfs: [u32; BLOCK],
}

impl<'a> Block<'a> {
    /// No block yet.
    pub fn new() -> Block<'a> {
        Block {
            base: 0,
            last: 0,
            len: 0,
            offset: 0,
            bitmap: None,
            packed_tfs: None,
            ones: false,
            work: Work::new(),
            sentences: [u32::MAX; BLOCK],
            tfs: [0; BLOCK],
        }
    }

    /// The number of postings.
    pub fn len(&self) -> usize {
        self.len
    }

    /// The last sentence; of an empty block 0.
    pub fn last(&self) -> u32 {
        self.last
    }

    /// Opens block `index`, which must be below the number of blocks.
    pub fn open(&mut self, sequence: &Sequence<'a>, index: usize) -> Result<()> {
        self.offset = sequence.offset(index);
        self.read(sequence, index)
            .ok_or_else(|| sequence.damaged(self.offset))
    }

    fn read(&mut self, sequence: &Sequence<'a>, index: usize) -> Option<()> {
        self.len = sequence.block_len(index);
        self.bitmap = None;
        self.packed_tfs = None;
        if let Some((sentence, tf)) = sequence.single {
            (self.base, self.last) = (sentence, sentence);
            (self.sentences[0], self.tfs[0]) = (sentence, tf);
            self.ones = tf == 1;
            return (sentence < sequence.store.sentences).then_some(());
        }
        self.base = match index {
            0 => 0,
            _ => sequence.last(index - 1).checked_add(1)?,
        };
        let mut bytes = sequence.bytes.get(self.offset..)?;
        if sequence.is_pairs() {
            self.read_pairs(&mut bytes, sequence.least)?;
            self.last = self.sentences[self.len - 1];
            return (self.last < sequence.store.sentences).then_some(());
        }
        self.last = sequence.last(index);
        if self.last < self.base || self.last >= sequence.store.sentences {
            return None;
        }
        let ahead = bytes.get(AHEAD).unwrap_or_default();
        ahead.chunks(64).for_each(prefetch);
        let gaps = Gaps::take(&mut bytes, self.len)?;
        self.ones = sequence.least == 1;
        self.packed_tfs = (!self.ones).then_some(bytes);
        match gaps.bitmap() {
            Some(_) => self.bitmap = Some(gaps),
            None => self.unpack(gaps)?,
        }
        Some(())
    }

    fn unpack(&mut self, gaps: Gaps<'a>) -> Option<()> {
        gaps.sentences(self.base, self.last, &mut self.work, &mut self.sentences)?;
        if self.len < BLOCK {
            self.sentences[self.len..].fill(u32::MAX);
        }
        Some(())
    }

    fn read_pairs(&mut self, bytes: &mut &[u8], least: u32) -> Option<()> {
        let mut next = u64::from(self.base);
        self.ones = least == 1;
        for at in 0..self.len {
            let pair = varint::take(bytes)?;
            next = next.checked_add(pair >> 1)?;
            self.sentences[at] = u32::try_from(next).ok()?;
            next = next.checked_add(1)?;
            self.tfs[at] = match pair & 1 {
                0 => least,
                _ => {
                    self.ones = false;
                    varint::take_u32(bytes)?.saturating_add(least + 1)
                }
            };
        }
        self.sentences[self.len..].fill(u32::MAX);
        Some(())
    }

    /// The sentences, ascending; behind [`Block::len`] there is `u32::MAX`.
    #[inline]
    pub fn sentences(&mut self, sequence: &Sequence<'a>) -> Result<&[u32; BLOCK]> {
        if let Some(gaps) = self.bitmap.take() {
            self.unpack(gaps)
                .ok_or_else(|| sequence.damaged(self.offset))?;
        }
        Ok(&self.sentences)
    }

    /// Sentences and tfs of these places, as far as they were read.
    #[inline]
    pub fn postings(&self, places: Range<usize>) -> (&[u32], &[u32]) {
        (&self.sentences[places.clone()], &self.tfs[places])
    }

    /// How often each sentence has the term; of a block of [`ones`](Block::ones) they may not be right.
    #[inline]
    pub fn tfs(&mut self, sequence: &Sequence<'a>) -> Result<&[u32; BLOCK]> {
        if let Some(mut bytes) = self.packed_tfs.take() {
            packing::take_tfs(&mut bytes, &mut self.work, &mut self.tfs[..self.len])
                .ok_or_else(|| sequence.damaged(self.offset))?;
        }
        Ok(&self.tfs)
    }

    /// How often `sentence`, which is not before the block, has the term: 0 where it is not in the block.
    #[inline]
    pub fn tf(&mut self, sequence: &Sequence<'a>, sentence: u32) -> Result<u32> {
        let place = match &self.bitmap {
            None => {
                let place = (kernels().below)(&self.sentences, sentence);
                (self.sentences.get(place) == Some(&sentence)).then_some(place)
            }
            Some(gaps) => self.place_in(gaps.bitmap().unwrap_or_default(), sentence),
        };
        let Some(place) = place else {
            return Ok(0);
        };
        if self.ones {
            return Ok(1);
        }
        let len = self.len;
        match self.tfs(sequence)?[..len].get(place) {
            Some(&tf) => Ok(tf),
            None => Err(sequence.damaged(self.offset)),
        }
    }

    /// The place of `sentence` among those of a bitmap; any where all tfs are 1.
    #[inline]
    fn place_in(&self, bits: &[u8], sentence: u32) -> Option<usize> {
        let bit = sentence.checked_sub(self.base)? as usize;
        let byte = *bits.get(bit / 8)?;
        if byte >> (bit % 8) & 1 == 0 {
            return None;
        }
        if self.ones {
            return Some(0);
        }
        let whole = bit / 64 * 8;
        let before = bits[..whole]
            .chunks_exact(8)
            .map(|bits| word(bits).count_ones());
        let own = word(&bits[whole..]) & !(u64::MAX << (bit % 64));
        Some((before.sum::<u32>() + own.count_ones()) as usize)
    }
}

/// The first 64 bits of `bytes`, zeros where there are fewer.
#[inline]
fn word(bytes: &[u8]) -> u64 {
    match bytes.first_chunk() {
        Some(chunk) => u64::from_le_bytes(*chunk),
        None => {
            let mut chunk = [0; 8];
            chunk[..bytes.len()].copy_from_slice(bytes);
            u64::from_le_bytes(chunk)
        }
    }
}

//! Which paragraph a sentence is of.
//!
//! Sentences and paragraphs are numbered in the same order, so a bit for each sentence says whether it is the first
//! of its paragraph, and the paragraph is the number of such bits up to it:
//!
//! ```text
//! paragraphs.starts  a bit for each sentence, low bits of u64 first
//! paragraphs.ranks   u32: for every 512 bits, those set before them
//! ```

use morelet_mapped::{Bytes, Container, Slice};

use crate::error::Result;
#[cfg(feature = "build")]
use crate::spool::Spool;
#[cfg(feature = "build")]
use crate::varint;

const STARTS: &str = "paragraphs.starts";
const RANKS: &str = "paragraphs.ranks";
const REVISION: u32 = 1;
/// Words of 64 bits to a rank.
const WORDS: usize = 8;

/// Sentences to paragraphs.
#[derive(Clone, Debug)]
pub(super) struct Paragraphs {
    starts: Slice<u64>,
    ranks: Slice<u32>,
    bytes: Bytes,
    sentences: u32,
    len: u32,
}

impl Paragraphs {
    /// For `sentences` sentences in `len` paragraphs.
    pub fn open(container: &Container, sentences: u32, len: u32) -> Result<Paragraphs> {
        let starts = container.section(STARTS, REVISION..=REVISION)?;
        let ranks = container.section(RANKS, REVISION..=REVISION)?;
        let words = sentences.div_ceil(64) as usize;
        let paragraphs = Paragraphs {
            starts: starts.typed()?,
            ranks: ranks.typed()?,
            bytes: starts.clone(),
            sentences,
            len,
        };
        for (bytes, got, expected) in [
            (&starts, paragraphs.starts.len(), words),
            (&ranks, paragraphs.ranks.len(), words.div_ceil(WORDS)),
        ] {
            if got != expected {
                let message =
                    format!("numbers for {sentences} sentences: expected {expected}, got {got}");
                return Err(bytes.corrupt(0, message).into());
            }
        }
        Ok(paragraphs)
    }

    /// The paragraph of sentence `sentence`, which must be below the number of sentences.
    pub fn of(&self, sentence: u32) -> Result<u32> {
        let word = (sentence / 64) as usize;
        let block = word / WORDS * WORDS;
        let find = || {
            let before: u32 = self
                .starts
                .get(block..word)?
                .iter()
                .map(|bits| bits.count_ones())
                .sum();
            let upto = self.starts.get(word)? << (63 - sentence % 64);
            let own = u64::from(*self.ranks.get(word / WORDS)?);
            let next = match self.ranks.get(word / WORDS + 1) {
                Some(&rank) => u64::from(rank),
                None => u64::from(self.len),
            };
            // Bits and ranks say the same, or one of them is damaged.
            let all = self.starts[block..].iter().take(WORDS);
            if own + all.map(|bits| u64::from(bits.count_ones())).sum::<u64>() != next {
                return None;
            }
            let rank = own + u64::from(before + upto.count_ones());
            u32::try_from(rank.checked_sub(1)?)
                .ok()
                .filter(|&paragraph| paragraph < self.len)
        };
        find().ok_or_else(|| {
            let message = format!("sentence {sentence} is of a paragraph that is not there");
            self.bytes.corrupt(word as u64 * 8, message).into()
        })
    }

    /// The sentences of paragraph `paragraph`, which must be below the number of paragraphs. By bisection.
    pub fn sentences(&self, paragraph: u32) -> Result<std::ops::Range<u32>> {
        let begin = self.begin(paragraph)?;
        let end = match paragraph + 1 < self.len {
            true => self.begin(paragraph + 1)?,
            false => self.sentences,
        };
        Ok(begin..end.max(begin))
    }

    /// The first sentence of paragraph `paragraph`.
    fn begin(&self, paragraph: u32) -> Result<u32> {
        // The last block with at most `paragraph` starts before it.
        let block = self
            .ranks
            .partition_point(|&rank| rank <= paragraph)
            .saturating_sub(1);
        let mut left = paragraph.checked_sub(self.ranks.get(block).copied().unwrap_or(0));
        for (word, bits) in
            (block * WORDS..).zip(self.starts.iter().skip(block * WORDS).take(WORDS))
        {
            match left {
                Some(skip) if skip < bits.count_ones() => {
                    let mut bits = *bits;
                    for _ in 0..skip {
                        bits &= bits - 1;
                    }
                    return Ok(word as u32 * 64 + bits.trailing_zeros());
                }
                Some(skip) => left = Some(skip - bits.count_ones()),
                None => break,
            }
        }
        let message = format!("paragraph {paragraph} has no sentence");
        Err(self.bytes.corrupt(block as u64 * 64, message).into())
    }
}

/// Collects both sections.
#[cfg(feature = "build")]
pub(super) struct ParagraphsWriter {
    starts: Spool,
    ranks: Spool,
    word: u64,
    sentences: u32,
    set: u32,
}

#[cfg(feature = "build")]
impl ParagraphsWriter {
    /// Collects in `starts` and `ranks`.
    pub fn new(starts: Spool, ranks: Spool) -> ParagraphsWriter {
        ParagraphsWriter {
            starts,
            ranks,
            word: 0,
            sentences: 0,
            set: 0,
        }
    }

    /// Adds the sentences of paragraphs whose numbers of sentences are in `counts`, as variable-length integers.
    pub fn add_counts(&mut self, counts: &mut Spool) -> Result<()> {
        counts.flush()?;
        let (mut at, mut bytes) = (0, Vec::new());
        while at < counts.len() {
            let kept = bytes.len();
            let step = (counts.len() - at).min(1 << 16) as usize;
            bytes.resize(kept + step, 0);
            counts.read_at(at, &mut bytes[kept..])?;
            at += step as u64;
            let mut rest = &bytes[..];
            loop {
                let before = rest;
                let Some(count) = varint::take(&mut rest) else {
                    // An integer that goes on behind the buffer.
                    rest = before;
                    break;
                };
                for sentence in 0..count {
                    self.add(sentence == 0)?;
                }
            }
            let len = bytes.len() - rest.len();
            bytes.drain(..len);
        }
        Ok(())
    }

    /// Adds a sentence: the first of a paragraph, or one more of the last.
    pub fn add(&mut self, first: bool) -> Result<()> {
        if self.sentences.is_multiple_of(WORDS as u32 * 64) {
            self.ranks.put(&self.set.to_le_bytes())?;
        }
        self.word |= u64::from(first) << (self.sentences % 64);
        self.set += u32::from(first);
        self.sentences += 1;
        if self.sentences.is_multiple_of(64) {
            self.end_word()?;
        }
        Ok(())
    }

    fn end_word(&mut self) -> Result<()> {
        self.starts.put(&self.word.to_le_bytes())?;
        self.word = 0;
        Ok(())
    }

    /// Writes both sections.
    pub fn finish(mut self, writer: &mut morelet_mapped::Writer) -> Result<()> {
        if !self.sentences.is_multiple_of(64) {
            self.end_word()?;
        }
        self.starts.into_section(writer, STARTS, REVISION)?;
        self.ranks.into_section(writer, RANKS, REVISION)
    }
}

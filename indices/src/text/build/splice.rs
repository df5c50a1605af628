//! Finished indexes into one, without analysing anything again.
//!
//! Sentences, paragraphs and articles come in the order of the indexes. Postings, dictionary, lengths and
//! paragraphs are those of an index built from all articles at once; values are copied block by block, with the
//! dictionaries that they were compressed with.

use std::collections::HashSet;
use std::path::Path;

use morelet_mapped::{Container, Hash, Kind, OpenOptions, Verify, Writer, encode};

use super::chunk::too_many;
use super::folder::Folder;
use super::merge;
use super::runs::Source;
use crate::error::{Error, Result};
use crate::store::ValueWriter;
use crate::text::dictionary::Terms;
use crate::text::meta::{LENGTHS, META, Meta, REVISION};
use crate::text::paragraphs::ParagraphsWriter;
use crate::text::segment::Segment;

/// How to merge text indexes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct MergeOptions {
    /// Whether articles of a later index take the place of those of the same id in earlier ones, whose sentences are
    /// left out then.
    pub replace: bool,
}

/// Merges the text indexes at `paths`, in this order, into one at `target`. They must have the same analyzer, k1
/// and b. All are read in full and their hashes compared before anything is written; damage is an error.
///
/// `stop` is told the work done and the work in all, in terms, and ends the merge by answering `true`: an error of
/// kind [`Stopped`](crate::ErrorKind::Stopped). The work is done in a folder beside the target, which is removed
/// whatever happens, unless the process is killed.
pub fn merge_text_indexes<P: AsRef<Path>>(
    paths: &[P],
    target: impl AsRef<Path>,
    options: &MergeOptions,
    stop: &mut dyn FnMut(u64, u64) -> bool,
) -> Result<Hash> {
    let target = target.as_ref();
    let mut progress = |done, total| match stop(done, total) {
        true => Err(Error::stopped()),
        false => Ok(()),
    };
    let folder = Folder::begin(target)?;
    let mut segments = Vec::with_capacity(paths.len());
    for path in paths {
        progress(0, 0)?;
        segments.push(open(path.as_ref(), segments.first())?);
    }
    let Some(first) = segments.first() else {
        return Err(Error::input("no indexes to merge"));
    };
    let total = segments.iter().map(|s| u64::from(s.meta.terms)).sum();
    let parts = lay_out(&segments, options.replace)?;
    let lengths: Vec<u8> = parts.iter().flat_map(Part::lengths).copied().collect();

    let mut writer = Writer::create_in(folder.path(), target, Kind::TextIndex)?;
    let mut values = ValueWriter::begin(&mut writer)?;
    for part in &parts {
        progress(0, total)?;
        let dropped = part.dropped.as_ref();
        let keep = |paragraph| dropped.is_none_or(|dropped| !dropped.paragraphs.has(paragraph));
        values.copy(&mut writer, &part.segment.values, keep)?;
    }
    values.finish(&mut writer)?;

    let merged = merge::merge(
        parts.iter().map(Spliced::new).collect(),
        &lengths,
        &mut writer,
        folder.path(),
        &mut |done| progress(done, total),
    )?;

    let mut section = writer.section(LENGTHS, REVISION, true)?;
    section.put(&lengths)?;
    section.finish()?;
    let mut starts = ParagraphsWriter::new(folder.spool("starts")?, folder.spool("ranks")?);
    let mut paragraphs = 0;
    for part in &parts {
        paragraphs += part.add_paragraphs(&mut starts)?;
    }
    starts.finish(&mut writer)?;
    let meta = Meta {
        analyzer: first.meta.analyzer.clone(),
        k1: first.meta.k1,
        b: first.meta.b,
        // `lay_out` counted them.
        sentences: lengths.len() as u32,
        // Only a sentence without terms has length 0.
        with_terms: lengths.iter().filter(|&&length| length > 0).count() as u32,
        paragraphs,
        terms: merged.terms,
        tokens: merged.tokens,
        postings: merged.postings,
    };
    let mut section = writer.section(META, REVISION, false)?;
    section.put(&encode(&meta)?)?;
    section.finish()?;
    let root = writer.finish()?;
    stop(total, total);
    Ok(root)
}

/// Opens an index that is to be merged with `first`.
fn open(path: &Path, first: Option<&Segment>) -> Result<Segment> {
    let options = OpenOptions {
        verify: Verify::Full,
        ..OpenOptions::default()
    };
    let segment = Segment::open(Container::open(path, Kind::TextIndex, options)?)?;
    if let Some(first) = first {
        segment.check_like(first)?;
    }
    Ok(segment)
}

/// A segment's place in the merged index.
struct Part<'a> {
    segment: &'a Segment,
    /// The number of its first sentence that is kept.
    first: u32,
    /// Its sentences and paragraphs that are left out; `None` where all are kept.
    dropped: Option<Dropped>,
}

/// What is left out of a segment.
struct Dropped {
    paragraphs: Bits,
    sentences: Bits,
}

/// Finds the place of every segment.
fn lay_out(segments: &[Segment], replace: bool) -> Result<Vec<Part<'_>>> {
    let mut later = HashSet::new();
    let mut dropped = Vec::new();
    for (number, segment) in segments.iter().enumerate().rev() {
        let last = number + 1 == segments.len();
        dropped.push(match replace {
            true => find_replaced(segment, &mut later, !last, number > 0)?,
            false => None,
        });
    }
    let mut first = 0u32;
    let mut parts = Vec::with_capacity(segments.len());
    for (segment, dropped) in segments.iter().zip(dropped.into_iter().rev()) {
        let part = Part {
            segment,
            first,
            dropped,
        };
        let kept = part.kept();
        parts.push(part);
        first = first
            .checked_add(kept)
            .filter(|&sum| sum < u32::MAX)
            .ok_or_else(too_many)?;
    }
    Ok(parts)
}

/// The paragraphs of `segment` whose articles are in a `later` one, if any is. Its own articles are added to `later`
/// if they are to be `noted` for earlier segments.
fn find_replaced(
    segment: &Segment,
    later: &mut HashSet<Hash>,
    compared: bool,
    noted: bool,
) -> Result<Option<Dropped>> {
    let mut own = HashSet::new();
    let mut paragraphs = Bits::new(segment.meta.paragraphs);
    let mut last: Option<(Vec<u8>, bool)> = None;
    segment.values.for_each_id(|number, id| {
        let known = last.as_ref().filter(|(last, _)| last == id);
        let is_replaced = match known {
            Some(&(_, is_replaced)) => is_replaced,
            None => {
                let hash = Hash::of(id);
                if noted {
                    own.insert(hash);
                }
                let is_replaced = compared && later.contains(&hash);
                last = Some((id.to_vec(), is_replaced));
                is_replaced
            }
        };
        if is_replaced {
            paragraphs.set(number);
        }
    })?;
    later.extend(own);
    paragraphs.count();
    if paragraphs.total == 0 {
        return Ok(None);
    }
    let mut sentences = Bits::new(segment.meta.sentences);
    for sentence in 0..segment.meta.sentences {
        if paragraphs.has(segment.paragraphs.of(sentence)?) {
            sentences.set(sentence);
        }
    }
    sentences.count();
    Ok(Some(Dropped {
        paragraphs,
        sentences,
    }))
}

impl Part<'_> {
    /// How many sentences are kept.
    fn kept(&self) -> u32 {
        let dropped = self.dropped.as_ref();
        self.segment.meta.sentences - dropped.map_or(0, |dropped| dropped.sentences.total)
    }

    fn has(&self, sentence: u32) -> bool {
        let dropped = self.dropped.as_ref();
        dropped.is_none_or(|dropped| !dropped.sentences.has(sentence))
    }

    /// The lengths of the sentences that are kept.
    fn lengths(&self) -> impl Iterator<Item = &u8> {
        (0..)
            .zip(self.segment.lengths.iter())
            .filter(|&(sentence, _)| self.has(sentence))
            .map(|(_, length)| length)
    }

    /// The number that a sentence has in the merged index.
    #[inline]
    fn renumber(&self, sentence: u32) -> Option<u32> {
        match &self.dropped {
            None => Some(self.first + sentence),
            Some(dropped) if dropped.sentences.has(sentence) => None,
            Some(dropped) => Some(self.first + sentence - dropped.sentences.before(sentence)),
        }
    }

    /// Tells `starts` of all sentences that are kept, and gives the number of their paragraphs.
    fn add_paragraphs(&self, starts: &mut ParagraphsWriter) -> Result<u32> {
        let (mut last, mut count) = (None, 0);
        for sentence in (0..self.segment.meta.sentences).filter(|&sentence| self.has(sentence)) {
            let paragraph = self.segment.paragraphs.of(sentence)?;
            let is_first = last != Some(paragraph);
            starts.add(is_first)?;
            count += u32::from(is_first);
            last = Some(paragraph);
        }
        let dropped = self.dropped.as_ref();
        let expected =
            self.segment.meta.paragraphs - dropped.map_or(0, |dropped| dropped.paragraphs.total);
        if count != expected {
            return Err(Error::input(format_args!(
                "{}: expected {expected} paragraphs, got sentences of {count}",
                self.segment.container.path().display()
            )));
        }
        Ok(count)
    }
}

/// A set of numbers.
struct Bits {
    words: Vec<u64>,
    /// How many numbers of the set are before each word.
    ranks: Vec<u32>,
    total: u32,
}

impl Bits {
    fn new(len: u32) -> Bits {
        Bits {
            words: vec![0; len.div_ceil(64) as usize],
            ranks: Vec::new(),
            total: 0,
        }
    }

    fn set(&mut self, number: u32) {
        self.words[number as usize / 64] |= 1 << (number % 64);
    }

    /// Makes ready for [`Bits::before`].
    fn count(&mut self) {
        self.total = 0;
        self.ranks.clear();
        for word in &self.words {
            self.ranks.push(self.total);
            self.total += word.count_ones();
        }
    }

    #[inline]
    fn has(&self, number: u32) -> bool {
        let word = self.words.get(number as usize / 64);
        word.is_some_and(|word| word >> (number % 64) & 1 == 1)
    }

    /// How many numbers of the set are below `number`.
    #[inline]
    fn before(&self, number: u32) -> u32 {
        let at = number as usize / 64;
        match (self.words.get(at), self.ranks.get(at)) {
            (Some(word), Some(rank)) => rank + (word & ((1 << (number % 64)) - 1)).count_ones(),
            _ => self.total,
        }
    }
}

/// The postings of a part, for the merge.
struct Spliced<'a> {
    part: &'a Part<'a>,
    terms: Terms<'a>,
}

impl<'a> Spliced<'a> {
    fn new(part: &'a Part<'a>) -> Spliced<'a> {
        Spliced {
            part,
            terms: part.segment.dictionary.terms(),
        }
    }
}

impl Source for Spliced<'_> {
    fn next_term(&mut self) -> Result<bool> {
        self.terms.next()
    }

    fn term(&self) -> &[u8] {
        self.terms.term()
    }

    fn postings(&mut self, mut act: impl FnMut(u32, u32) -> Result<()>) -> Result<()> {
        let list = self.part.segment.postings.list(self.terms.number())?;
        list.for_each(|sentence, tf| match self.part.renumber(sentence) {
            Some(sentence) => act(sentence, tf),
            None => Ok(()),
        })
    }

    fn done(&self) -> u64 {
        u64::from(self.terms.number())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bits_count_those_below() {
        let mut bits = Bits::new(200);
        let members = [0, 1, 63, 64, 100, 199];
        for number in members {
            bits.set(number);
        }
        bits.count();
        assert_eq!(bits.total, 6);
        for number in 0..200 {
            assert_eq!(bits.has(number), members.contains(&number));
            let before = members.iter().filter(|&&m| m < number).count();
            assert_eq!(bits.before(number) as usize, before, "{number}");
        }
    }
}

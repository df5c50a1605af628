//! One file of a text index, open for searching.

use std::ops::Range;

use morelet_mapped::{Bytes, Container};

use super::analyzer::Analyzer;
use super::dictionary::Dictionary;
use super::meta::{self, Meta};
use super::paragraphs::Paragraphs;
use super::postings::{List, PostingsStore};
use crate::error::{Error, Result};
use crate::store::ValueStore;

/// A file, and where its sentences and paragraphs stand among those of all files.
pub(super) struct Segment {
    pub container: Container,
    pub meta: Meta,
    pub analyzer: Analyzer,
    pub dictionary: Dictionary,
    pub postings: PostingsStore,
    /// A byte for every sentence.
    pub lengths: Bytes,
    pub paragraphs: Paragraphs,
    pub values: ValueStore,
    /// The number of its first sentence among all.
    pub first_sentence: u32,
    /// The number of its first paragraph among all.
    pub first_paragraph: u32,
}

impl Segment {
    /// The segment in `container`, the first of its index.
    pub fn open(container: Container) -> Result<Segment> {
        let (meta, analyzer) = Meta::read(&container)?;
        let lengths = container.section(meta::LENGTHS, meta::REVISION..=meta::REVISION)?;
        if lengths.len() != meta.sentences as usize {
            let message = format!(
                "a length for every sentence: expected {}, got {}",
                meta.sentences,
                lengths.len()
            );
            return Err(lengths.corrupt(0, message).into());
        }
        let dictionary = container.section(meta::DICTIONARY, meta::REVISION..=meta::REVISION)?;
        Ok(Segment {
            dictionary: Dictionary::open(dictionary, meta.terms)?,
            postings: PostingsStore::open(&container, meta.terms, meta.sentences)?,
            lengths,
            paragraphs: Paragraphs::open(&container, meta.sentences, meta.paragraphs)?,
            values: ValueStore::open(&container, meta.paragraphs)?,
            first_sentence: 0,
            first_paragraph: 0,
            analyzer,
            meta,
            container,
        })
    }

    /// An error unless this has the analyzer, k1 and b of `first`, without which the two are not one index.
    pub fn check_like(&self, first: &Segment) -> Result<()> {
        let parameters = |s: &Segment| (s.analyzer, s.meta.k1, s.meta.b);
        let (expected, got) = (parameters(first), parameters(self));
        if expected == got {
            return Ok(());
        }
        Err(Error::input(format_args!(
            "{}: expected analyzer {}, k1 {} and b {}, as {} has, got {}, {} and {}",
            self.container.path().display(),
            expected.0,
            expected.1,
            expected.2,
            first.container.path().display(),
            got.0,
            got.1,
            got.2
        )))
    }

    /// The postings of term `number`.
    pub fn list(&self, number: u32) -> Result<List<'_>> {
        let list = self.postings.list(number)?;
        match list.df <= self.meta.with_terms {
            true => Ok(list),
            // Its weight would be negative.
            false => Err(self
                .postings
                .more_than_there_are(number, self.meta.with_terms)),
        }
    }

    /// The numbers of its sentences among all.
    pub fn sentences(&self) -> Range<u32> {
        self.first_sentence..self.first_sentence + self.meta.sentences
    }

    /// The numbers of its paragraphs among all.
    pub fn paragraphs(&self) -> Range<u32> {
        self.first_paragraph..self.first_paragraph + self.meta.paragraphs
    }
}

//! Building a text index in bounded memory.

use std::path::{Path, PathBuf};

use morelet_mapped::{Hash, Kind, Writer, encode};

use super::anchors::without_tags;
use super::lengths;
use super::meta::{self, LENGTHS, META, Meta, REVISION};
use super::paragraphs::ParagraphsWriter;
use crate::error::{Error, Result};
use crate::sentences;
use crate::spool::Spool;
use crate::store::ValueWriter;
use crate::text::Analyzer;

mod inversion;
mod merge;
mod runs;

use inversion::Inversion;
use runs::Runs;

/// Less than this is not worth a run.
const LEAST_MEMORY: u64 = 1 << 20;

/// How to build a text index.
#[derive(Clone, Debug, PartialEq)]
pub struct TextOptions {
    /// How text becomes terms.
    pub analyzer: Analyzer,
    /// BM25's k1, from 0.
    pub k1: f32,
    /// BM25's b, from 0 to 1.
    pub b: f32,
    /// About how many bytes of postings to hold in memory before they are put by in a temporary file beside the
    /// target. The index does not depend on it.
    pub memory: u64,
}

impl Default for TextOptions {
    /// Lucene's parameters, and 4 GiB.
    fn default() -> TextOptions {
        TextOptions {
            analyzer: Analyzer::default(),
            k1: 1.2,
            b: 0.75,
            memory: 4 << 30,
        }
    }
}

/// An article of a corpus.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Article {
    /// Its id.
    pub id: String,
    /// Its title.
    pub title: String,
    /// Its paragraphs, in order.
    pub paragraphs: Vec<ParagraphText>,
}

/// A paragraph, whole or in sentences.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ParagraphText {
    /// To be split into sentences as [`sentences::split`] does.
    Text(String),
    /// Split already. The paragraph's value is the sentences joined by single spaces.
    Sentences(Vec<String>),
}

/// Writes a text index: articles in, one file out. The crate's front page has an example.
///
/// Sentences are analysed one by one into postings in memory. When those take as much as the options allow they are
/// put by as a sorted run, and at the end all runs are merged at once, straight into the file. Values go to the file
/// as they come.
pub struct TextIndexBuilder {
    target: PathBuf,
    options: TextOptions,
    writer: Writer,
    values: ValueWriter,
    paragraphs: ParagraphsWriter,
    lengths: Spool,
    inversion: Inversion,
    runs: Runs,
    counts: Counts,
}

/// What was added so far.
#[derive(Clone, Copy, Debug, Default)]
struct Counts {
    sentences: u32,
    with_terms: u32,
    paragraphs: u32,
    tokens: u64,
}

impl TextIndexBuilder {
    /// Begins an index at `path`. Nothing is there until [`TextIndexBuilder::finish`]; temporary files lie
    /// beside it and are gone when the builder is.
    pub fn create(path: impl AsRef<Path>, options: TextOptions) -> Result<TextIndexBuilder> {
        meta::check(options.k1, options.b)?;
        let target = path.as_ref().to_owned();
        let mut writer = Writer::create(&target, Kind::TextIndex)?;
        let spool = || Spool::beside(&target);
        Ok(TextIndexBuilder {
            values: ValueWriter::begin(&mut writer)?,
            paragraphs: ParagraphsWriter::new(spool()?, spool()?),
            lengths: spool()?,
            runs: Runs::new(spool()?),
            inversion: Inversion::default(),
            counts: Counts::default(),
            writer,
            options,
            target,
        })
    }

    /// Adds an article. Paragraphs without a sentence are left out. After an error the builder is good for nothing.
    pub fn add(&mut self, article: &Article) -> Result<()> {
        for paragraph in &article.paragraphs {
            match paragraph {
                ParagraphText::Text(text) => {
                    self.add_paragraph(article, text.trim(), sentences::split(text))?;
                }
                ParagraphText::Sentences(sentences) => {
                    let trimmed = || sentences.iter().map(|s| s.trim()).filter(|s| !s.is_empty());
                    let text = trimmed().collect::<Vec<_>>().join(" ");
                    self.add_paragraph(article, &text, trimmed())?;
                }
            }
        }
        Ok(())
    }

    /// The number of sentences added so far.
    pub fn sentences(&self) -> u32 {
        self.counts.sentences
    }

    /// The number of paragraphs added so far.
    pub fn paragraphs(&self) -> u32 {
        self.counts.paragraphs
    }

    fn add_paragraph<'a>(
        &mut self,
        article: &Article,
        text: &str,
        sentences: impl Iterator<Item = &'a str>,
    ) -> Result<()> {
        let mut first = true;
        for sentence in sentences {
            self.add_sentence(sentence)?;
            self.paragraphs.add(first)?;
            first = false;
        }
        if !first {
            self.values
                .add(&mut self.writer, &article.id, &article.title, text)?;
            self.counts.paragraphs += 1;
        }
        Ok(())
    }

    fn add_sentence(&mut self, sentence: &str) -> Result<()> {
        let number = self.counts.sentences;
        if number >= u32::MAX - 1 {
            return Err(Error::too_large("more than 4,294,967,294 sentences"));
        }
        let mut terms = 0u32;
        let inversion = &mut self.inversion;
        self.options
            .analyzer
            .for_each_term(&without_tags(sentence), |term| {
                inversion.add(term, number);
                terms = terms.saturating_add(1);
            });
        self.lengths.put(&[lengths::encode(terms)])?;
        self.counts.sentences += 1;
        self.counts.with_terms += u32::from(terms > 0);
        self.counts.tokens += u64::from(terms);
        if self.inversion.bytes() >= self.options.memory.max(LEAST_MEMORY) {
            self.runs.add(std::mem::take(&mut self.inversion))?;
        }
        Ok(())
    }

    /// Merges what was put by, and moves the finished file into place. `progress` is told the work done and the
    /// work in all, in bytes of temporary files.
    pub fn finish(mut self, progress: &mut dyn FnMut(u64, u64)) -> Result<Hash> {
        self.runs.add(self.inversion)?;
        self.values.finish(&mut self.writer)?;
        let total = self.runs.bytes();
        progress(0, total);
        let merged = merge::merge(
            self.runs,
            self.options.memory,
            &mut self.writer,
            &self.target,
            &mut |done| progress(done.min(total), total),
        )?;
        self.lengths
            .into_section(&mut self.writer, LENGTHS, REVISION)?;
        self.paragraphs.finish(&mut self.writer)?;
        let meta = Meta {
            analyzer: self.options.analyzer.to_string(),
            k1: self.options.k1,
            b: self.options.b,
            sentences: self.counts.sentences,
            with_terms: self.counts.with_terms,
            paragraphs: self.counts.paragraphs,
            terms: merged.terms,
            tokens: self.counts.tokens,
            postings: merged.postings,
        };
        let mut section = self.writer.section(META, REVISION, false)?;
        section.put(&encode(&meta)?)?;
        section.finish()?;
        let root = self.writer.finish()?;
        progress(total, total);
        Ok(root)
    }
}

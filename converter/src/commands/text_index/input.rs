//! Corpora into batches of articles.
//!
//! The lines are read here, one after the other, and parsed by the builder's threads. A batch's mark is how many
//! articles were read up to its end and the hash of their lines, so a build that goes on knows that it reads what it read
//! before, whatever happened to names and times of the files: a line mended behind the mark, or a file that was
//! appended to, changes nothing before it.

use crate::records::{CorpusRecord, ParagraphRecord, message};
use crate::shard::Shard;
use crate::{Console, Error, Result};
use indicatif::ProgressBar;
use morelet::Lines;
use morelet_indices::{Article, ParagraphText, TextIndexBuilder};
use morelet_mapped::{Hash, Hasher};
use std::path::PathBuf;
use std::sync::Arc;

/// The articles of corpora, on their way into a builder.
pub(super) struct Input<'a> {
    builder: &'a mut TextIndexBuilder,
    shard: Shard,
    console: &'a Console,
    bar: &'a ProgressBar,
    /// Where an earlier process stopped.
    resumed: Option<Mark>,
    /// Over the lines that were read.
    hasher: Hasher,
    /// How many articles were read, those of other shards too.
    read: u64,
    batch: Batch,
}

/// A place in the corpora.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Mark {
    articles: u64,
    hash: Hash,
}

/// Lines that are not parsed yet.
#[derive(Default)]
struct Batch {
    text: String,
    lines: Vec<Line>,
}

/// Where a line of a batch ends, and where it came from.
struct Line {
    end: usize,
    file: Arc<str>,
    number: u64,
}

impl<'a> Input<'a> {
    /// For the articles of `shard`.
    pub fn new(
        builder: &'a mut TextIndexBuilder,
        shard: Shard,
        console: &'a Console,
        bar: &'a ProgressBar,
    ) -> Result<Self> {
        let resumed = builder.mark().map(Mark::decode).transpose()?;
        Ok(Self {
            builder,
            shard,
            console,
            bar,
            resumed,
            hasher: Hasher::new(),
            read: 0,
            batch: Batch::default(),
        })
    }

    /// Adds the articles of all `corpora` that were not added before. Gives how many were read; `None` where those
    /// that an earlier process has added are not among them.
    pub fn add(mut self, corpora: &[PathBuf]) -> Result<Option<u64>> {
        for corpus in corpora {
            let lines = Lines::open(corpus)?;
            if !self.add_lines(lines)? {
                return Ok(None);
            }
        }
        self.settle()?;
        Ok(self.resumed.is_none().then_some(self.read))
    }

    fn settle(&mut self) -> Result<()> {
        self.give()?;
        Ok(self.builder.settle()?)
    }

    /// `false` where they are others than an earlier process has read.
    fn add_lines(&mut self, mut lines: Lines) -> Result<bool> {
        let file: Arc<str> = lines.path().display().to_string().into();
        loop {
            let line = match lines.next_line() {
                Ok(Some(line)) => line,
                Ok(None) => return Ok(true),
                Err(error) => {
                    // What is wrong in a line before this one may not have been found yet.
                    self.settle()?;
                    return Err(error.into());
                }
            };
            if line.trim().is_empty() {
                continue;
            }
            self.console.check()?;
            self.hasher.update(line.as_bytes()).update(b"\n");
            let position = self.read;
            self.read += 1;
            self.bar.inc(1);
            if let Some(mark) = self.resumed {
                if mark.articles == self.read {
                    if mark.hash != self.hasher.finish() {
                        return Ok(false);
                    }
                    self.resumed = None;
                }
                continue;
            }
            if !self.shard.has(position) {
                continue;
            }
            self.batch.text.push_str(line);
            self.batch.lines.push(Line {
                end: self.batch.text.len(),
                file: file.clone(),
                number: lines.number(),
            });
            if self.batch.text.len() >= self.builder.batch_bytes() {
                self.give()?;
            }
        }
    }

    /// Gives out the batch.
    fn give(&mut self) -> Result<()> {
        if self.batch.lines.is_empty() {
            return Ok(());
        }
        let batch = std::mem::take(&mut self.batch);
        let mark = Mark {
            articles: self.read,
            hash: self.hasher.finish(),
        };
        let bytes = batch.text.len();
        Ok(self
            .builder
            .add_batch(bytes, mark.encode(), move || batch.parse())?)
    }
}

impl Batch {
    fn parse(self) -> std::result::Result<Vec<Article>, String> {
        let mut start = 0;
        let lines = self.lines.iter().map(|line| {
            let text = &self.text[start..line.end];
            start = line.end;
            let record: CorpusRecord = serde_json::from_str(text)
                .map_err(|error| format!("{}:{}: {}", line.file, line.number, message(&error)))?;
            Ok(Article {
                id: record.id.into_text(),
                title: record.title,
                paragraphs: record.paragraphs.into_iter().map(paragraph).collect(),
            })
        });
        lines.collect()
    }
}

fn paragraph(record: ParagraphRecord) -> ParagraphText {
    match record {
        ParagraphRecord::Text(text) => ParagraphText::Text(text),
        ParagraphRecord::Sentences(sentences) => ParagraphText::Sentences(sentences),
    }
}

impl Mark {
    fn encode(self) -> Vec<u8> {
        [&self.articles.to_le_bytes()[..], self.hash.as_bytes()].concat()
    }

    fn decode(bytes: &[u8]) -> Result<Self> {
        let parts = bytes.split_first_chunk::<8>();
        let parts = parts.and_then(|(articles, hash)| Some((articles, hash.try_into().ok()?)));
        let (articles, hash) =
            parts.ok_or_else(|| Error::input("the index was begun by another program"))?;
        Ok(Self {
            articles: u64::from_le_bytes(*articles),
            hash: Hash::from_bytes(hash),
        })
    }
}

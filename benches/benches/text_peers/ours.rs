//! Our index.

use std::path::Path;

use morelet_benches::{Result, open};
use morelet_indices::{Analyzer, Article, ParagraphText, TextIndex, TextIndexBuilder, TextOptions};

use crate::Hit;
use crate::build::Built;
use crate::search::Engine;
use morelet_benches::{Clock, Taken};

/// The sections that peers have as well.
const COMPARED: &[&str] = &["dictionary", "terms", "terms.groups", "postings", "lengths"];

/// What only our build can be told.
pub struct Options {
    /// How many bytes of memory it may take.
    pub memory: u64,
    /// How lines of terms become terms.
    pub analyzer: Analyzer,
}

impl Default for Options {
    fn default() -> Self {
        let options = TextOptions::default();
        Options {
            memory: options.memory,
            analyzer: Analyzer::Standard,
        }
    }
}

/// Builds an index at `index`, every article a paragraph, without the store of paragraphs.
pub fn build(corpus: &Path, index: &Path, threads: usize, options: Options) -> Result<Built> {
    let clock = Clock::of_process();
    let mut lines = open(corpus)?;
    let options = TextOptions {
        threads,
        values: false,
        memory: options.memory,
        analyzer: options.analyzer,
        ..TextOptions::default()
    };
    let mut builder = TextIndexBuilder::create(index, options)?;
    let mut batch = String::new();
    loop {
        let line = lines.next()?;
        let ends_article = line.is_none_or(str::is_empty);
        let ended = line.is_none();
        if let Some(line) = line {
            batch.push_str(line);
            batch.push('\n');
        }
        if ended || (ends_article && batch.len() >= builder.batch_bytes()) {
            let batch = std::mem::take(&mut batch);
            builder.add_batch(batch.len(), Vec::new(), move || Ok(articles(&batch)))?;
        }
        if ended {
            break;
        }
    }
    builder.finish(&mut |_, _| {})?;
    let taken = clock.taken();
    let index = TextIndex::open(index, Default::default())?;
    let parts = index
        .containers()
        .flat_map(|container| container.sections())
        .map(|section| (section.name.to_string(), section.len))
        .collect();
    Ok(Built {
        searchable: taken,
        merged: taken,
        parts,
        compared: COMPARED,
    })
}

/// The articles in lines of terms.
fn articles(lines: &str) -> Vec<Article> {
    lines
        .split("\n\n")
        .map(|article| Article {
            paragraphs: vec![ParagraphText::Sentences(
                article.lines().map(str::to_owned).collect(),
            )],
            ..Article::default()
        })
        .collect()
}

/// Our index, open, with the queries.
pub struct Ours {
    index: TextIndex,
    queries: Vec<String>,
    k: usize,
}

impl Ours {
    /// Opens the index at `path`.
    pub fn open(path: &str, queries: &[String], k: usize) -> Result<Ours> {
        Ok(Ours {
            index: TextIndex::open(path, Default::default())?,
            queries: queries.to_vec(),
            k,
        })
    }
}

impl Engine for Ours {
    fn sentences(&self) -> u64 {
        self.index.len().into()
    }

    fn pass(&mut self) -> Result<Vec<Taken>> {
        self.queries
            .iter()
            .map(|query| {
                let clock = Clock::of_thread();
                self.index.search(query, self.k)?;
                Ok(clock.taken())
            })
            .collect()
    }

    fn hits(&mut self) -> Result<Vec<Vec<Hit>>> {
        self.queries
            .iter()
            .map(|query| {
                let hits = self.index.search(query, self.k)?;
                Ok(hits.iter().map(|hit| (hit.sentence.0, hit.score)).collect())
            })
            .collect()
    }
}

//! Our index.

use std::path::Path;

use morelet_benches::{Result, open};
use morelet_indices::{Article, ParagraphText, TextIndex, TextIndexBuilder, TextOptions};

use crate::Hit;
use crate::build::Built;
use crate::clock::{Clock, Taken};
use crate::search::Engine;

/// The sections that peers have as well.
const COMPARED: &[&str] = &["dictionary", "terms", "terms.groups", "postings", "lengths"];

/// Builds an index at `index`, every sentence a paragraph by itself. Paragraphs are stored, which the peers do not do.
pub fn build(corpus: &Path, index: &Path, _threads: usize) -> Result<Built> {
    let clock = Clock::of_process();
    let mut lines = open(corpus)?;
    let mut builder = TextIndexBuilder::create(index, TextOptions::default())?;
    let mut article = Article::default();
    let mut articles = 0u32;
    while let Some(line) = lines.next()? {
        if line.is_empty() {
            article.id = articles.to_string();
            builder.add(&article)?;
            article.paragraphs.clear();
            articles += 1;
        } else {
            let sentence = ParagraphText::Sentences(vec![line.to_owned()]);
            article.paragraphs.push(sentence);
        }
    }
    builder.add(&article)?;
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

//! A real corpus, in memory as numbers of terms.

use std::collections::HashMap;
use std::io::Write;
use std::sync::Arc;

use crate::{Lines, Result};

/// A corpus to grow from.
#[derive(Clone, Debug, Default)]
pub struct Source {
    /// By number, the terms: those of the corpus in the order of their first occurrence, then new ones.
    names: Vec<Arc<str>>,
    /// All sentences, one after the other.
    terms: Vec<u32>,
    /// Where each sentence ends in `terms`.
    sentence_ends: Vec<usize>,
    /// Where each article ends in `sentence_ends`.
    article_ends: Vec<usize>,
}

impl Source {
    /// Reads lines of terms: one article in `every`, beginning with the first.
    pub fn read(mut lines: Lines, every: usize) -> Result<Source> {
        let mut source = Source::default();
        let mut numbers: HashMap<Arc<str>, u32> = HashMap::new();
        let mut article = 0usize;
        while let Some(line) = lines.next()? {
            if line.is_empty() {
                source.end_article();
                article += 1;
            } else if article.is_multiple_of(every.max(1)) {
                for term in line.split(' ') {
                    let number = match numbers.get(term) {
                        Some(&number) => number,
                        None => {
                            let number = u32::try_from(numbers.len())?;
                            let name: Arc<str> = term.into();
                            source.names.push(name.clone());
                            numbers.insert(name, number);
                            number
                        }
                    };
                    source.terms.push(number);
                }
                source.sentence_ends.push(source.terms.len());
            }
        }
        source.end_article();
        Ok(source)
    }

    fn end_article(&mut self) {
        let end = self.sentence_ends.len();
        if self.article_ends.last().copied().unwrap_or(0) < end {
            self.article_ends.push(end);
        }
    }

    /// The number of articles.
    pub fn articles(&self) -> usize {
        self.article_ends.len()
    }

    /// The sentences of an article.
    pub fn sentences(&self, article: usize) -> impl Iterator<Item = &[u32]> {
        let begin = article
            .checked_sub(1)
            .map_or(0, |before| self.article_ends[before]);
        (begin..self.article_ends[article]).map(|sentence| {
            let begin = sentence
                .checked_sub(1)
                .map_or(0, |before| self.sentence_ends[before]);
            &self.terms[begin..self.sentence_ends[sentence]]
        })
    }

    /// The different terms of an article, in the order of their numbers.
    pub fn distinct(&self, article: usize) -> Vec<u32> {
        let mut terms: Vec<u32> = self.sentences(article).flatten().copied().collect();
        terms.sort_unstable();
        terms.dedup();
        terms
    }

    /// By term, the number of articles that have it.
    pub fn articles_by_term(&self) -> Vec<u32> {
        let mut articles = vec![0; self.names.len()];
        for article in 0..self.articles() {
            for term in self.distinct(article) {
                articles[term as usize] += 1;
            }
        }
        articles
    }

    /// The number of every term.
    pub fn numbers(&self) -> HashMap<Arc<str>, u32> {
        self.names.iter().cloned().zip(0..).collect()
    }

    /// A term.
    pub fn name(&self, term: u32) -> &str {
        &self.names[term as usize]
    }

    /// Adds a term.
    pub fn add_name(&mut self, name: Arc<str>) {
        self.names.push(name);
    }

    /// Writes a sentence as a line.
    pub fn write<'a>(
        &self,
        sentence: impl IntoIterator<Item = &'a u32>,
        out: &mut impl Write,
    ) -> Result<()> {
        for (at, &term) in sentence.into_iter().enumerate() {
            if at > 0 {
                out.write_all(b" ")?;
            }
            out.write_all(self.name(term).as_bytes())?;
        }
        Ok(out.write_all(b"\n")?)
    }
}

//! The index of sentences, open for searching.

use std::collections::HashMap;
use std::path::Path;
use std::sync::{Mutex, PoisonError};

use morelet_mapped::{Bytes, Container, Hash, Kind, OpenOptions};

use super::analyzer::Analyzer;
use super::bm25::Bm25;
use super::dictionary::Dictionary;
use super::meta::{self, Meta};
use super::paragraphs::Paragraphs;
use super::postings::PostingsStore;
use super::search::{self, Clause, Window};
use crate::error::{Error, Result};
use crate::hit::{Hit, join_equal_values};
use crate::store::{Value, ValueStore};

/// The number of a sentence, from 0, in the order in which they were added.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct SentenceId(pub u32);

/// The number of a paragraph, from 0, in the order in which they were added.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ParagraphId(pub u32);

/// A sentence that answers a query.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct SentenceHit {
    /// The sentence.
    pub sentence: SentenceId,
    /// The paragraph that it is of.
    pub paragraph: ParagraphId,
    /// Its BM25 score.
    pub score: f32,
}

/// A paragraph, as it was added.
pub type Paragraph = Value;

/// A text index, open. It is shared between threads as it is: searching takes `&self`.
pub struct TextIndex {
    container: Container,
    meta: Meta,
    analyzer: Analyzer,
    bm25: Bm25,
    dictionary: Dictionary,
    postings: PostingsStore,
    lengths: Bytes,
    paragraphs: Paragraphs,
    values: ValueStore,
    /// Windows that no search uses now.
    windows: Mutex<Vec<Window>>,
}

impl TextIndex {
    /// Opens the index at `path`.
    pub fn open(path: impl AsRef<Path>, options: OpenOptions) -> Result<TextIndex> {
        TextIndex::from_container(Container::open(path, Kind::TextIndex, options)?)
    }

    /// The index inside a container that is open already.
    pub fn from_container(container: Container) -> Result<TextIndex> {
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
        Ok(TextIndex {
            bm25: Bm25::new(meta.k1, meta.b, meta.with_terms, meta.tokens),
            dictionary: Dictionary::open(dictionary, meta.terms)?,
            postings: PostingsStore::open(&container, meta.terms, meta.sentences)?,
            lengths,
            paragraphs: Paragraphs::open(&container, meta.sentences, meta.paragraphs)?,
            values: ValueStore::open(&container, meta.paragraphs)?,
            windows: Mutex::new(Vec::new()),
            analyzer,
            meta,
            container,
        })
    }

    /// The number of sentences.
    #[expect(
        clippy::len_without_is_empty,
        reason = "an empty index is as good as any other"
    )]
    pub fn len(&self) -> u32 {
        self.meta.sentences
    }

    /// The number of paragraphs.
    pub fn paragraphs(&self) -> u32 {
        self.meta.paragraphs
    }

    /// The number of different terms.
    pub fn terms(&self) -> u32 {
        self.meta.terms
    }

    /// How text becomes terms.
    pub fn analyzer(&self) -> Analyzer {
        self.analyzer
    }

    /// BM25's k1: how fast repetitions of a term stop counting.
    pub fn k1(&self) -> f32 {
        self.meta.k1
    }

    /// BM25's b: how much the length of a sentence counts, from 0 to 1.
    pub fn b(&self) -> f32 {
        self.meta.b
    }

    /// The file.
    pub fn container(&self) -> &Container {
        &self.container
    }

    /// The file's hash.
    pub fn root(&self) -> Hash {
        self.container.root()
    }

    /// The `k` best sentences for `query`, best first; of equal scores, the earlier sentence. Only sentences
    /// that have a term of the query are found, so there may be fewer.
    pub fn search(&self, query: &str, k: usize) -> Result<Vec<SentenceHit>> {
        if k == 0 {
            return Ok(Vec::new());
        }
        let mut clauses = Vec::new();
        for (term, times) in count_terms(self.analyzer, query) {
            if let Some(number) = self.dictionary.get(&term)? {
                let postings = self.postings.list(number)?;
                let scores = self.bm25.term(postings.df(), times);
                clauses.push(Clause::new(postings, scores)?);
            }
        }
        let mut window = self.lock_windows().pop().unwrap_or_else(Window::new);
        let best = search::best(&mut clauses, &self.lengths, k, &mut window);
        self.lock_windows().push(window);
        best?
            .into_iter()
            .map(|scored| {
                Ok(SentenceHit {
                    sentence: SentenceId(scored.sentence),
                    paragraph: self.paragraph_of(SentenceId(scored.sentence))?,
                    score: scored.score,
                })
            })
            .collect()
    }

    /// The paragraph that a sentence is of.
    pub fn paragraph_of(&self, SentenceId(sentence): SentenceId) -> Result<ParagraphId> {
        if sentence >= self.len() {
            return Err(Error::input(format_args!(
                "there is no sentence {sentence}: the index holds {}",
                self.len()
            )));
        }
        Ok(ParagraphId(self.paragraphs.of(sentence)?))
    }

    /// Paragraph `id`, with its article's id and title.
    pub fn paragraph(&self, id: ParagraphId) -> Result<Paragraph> {
        self.values.get(id.0)
    }

    /// The paragraphs of the `k` best sentences for `query`. A value that several sentences stand for is given
    /// once, for the best of them, so there may be fewer than `k`; with `keys` every sentence has its own hit.
    pub fn retrieve(&self, query: &str, k: usize, keys: bool) -> Result<Vec<Hit>> {
        let mut read: HashMap<ParagraphId, Paragraph> = HashMap::new();
        let mut hits = Vec::new();
        for found in self.search(query, k)? {
            let paragraph = match read.get(&found.paragraph) {
                Some(_) if !keys => continue,
                Some(paragraph) => paragraph.clone(),
                None => {
                    let paragraph = self.paragraph(found.paragraph)?;
                    read.insert(found.paragraph, paragraph.clone());
                    paragraph
                }
            };
            hits.push(Hit {
                rank: hits.len() + 1,
                score: found.score,
                key: found.sentence.0.to_string(),
                id: paragraph.id,
                title: paragraph.title,
                value: paragraph.text,
            });
        }
        Ok(if keys { hits } else { join_equal_values(hits) })
    }

    fn lock_windows(&self) -> std::sync::MutexGuard<'_, Vec<Window>> {
        self.windows.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl std::fmt::Debug for TextIndex {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("TextIndex")
            .field("path", &self.container.path())
            .field("meta", &self.meta)
            .finish_non_exhaustive()
    }
}

/// The different terms of `query`, in the order of their first occurrence, and how often each occurs.
fn count_terms(analyzer: Analyzer, query: &str) -> Vec<(String, u32)> {
    let mut counts: Vec<(String, u32)> = Vec::new();
    let mut places: HashMap<String, usize> = HashMap::new();
    analyzer.for_each_term(query, |term| match places.get(term) {
        Some(&place) => counts[place].1 = counts[place].1.saturating_add(1),
        None => {
            places.insert(term.to_owned(), counts.len());
            counts.push((term.to_owned(), 1));
        }
    });
    counts
}

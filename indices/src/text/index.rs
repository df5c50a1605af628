//! The index of sentences, open for searching.

use std::collections::HashMap;
use std::path::Path;
use std::sync::atomic::{AtomicUsize, Ordering};

use morelet_mapped::{Container, Hash, Kind, OpenOptions};

use super::analyzer::Analyzer;
use super::bm25::Bm25;
use super::explain::{Explanation, TermExplanation};
use super::filter::Filter;
use super::lengths::LENGTHS;
use super::query;
use super::search::{self, MOST_THREADS, Pool, Scored};
use super::segment::Segment;
use super::snippet::{Highlighter, Snippet};
use crate::error::{Error, Result};
use crate::hit::{Hit, join_equal_values};
use crate::store::Value;

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

/// How to search.
#[derive(Clone, Copy, Debug)]
pub struct SearchOptions<'a> {
    /// How many sentences to find.
    pub k: usize,
    /// 1 finds exactly the best `k`. Less is faster and may miss some: what a sentence might still gain from
    /// the query's frequent terms is taken to be this part of what is possible. From 0 to 1.
    pub effort: f32,
    /// Only sentences of this set, made by [`TextIndex::filter`] of the same index.
    pub filter: Option<&'a Filter>,
    /// How many threads share the work of one query, each with its part of the sentences.
    pub threads: usize,
}

impl Default for SearchOptions<'_> {
    /// The best 10 of all, on the calling thread.
    fn default() -> Self {
        SearchOptions {
            k: 10,
            effort: 1.0,
            filter: None,
            threads: 1,
        }
    }
}

/// A text index, open: one file, or several searched as one. It is shared between threads as it is: searching
/// takes `&self`.
///
/// Several files have common statistics: number of sentences, average length and document frequencies are those
/// of all together, so that a sentence has the score that it would have in one file. Numbers of sentences and
/// paragraphs run on from file to file.
pub struct TextIndex {
    pub(super) segments: Vec<Segment>,
    pub(super) bm25: Bm25,
    sentences: u32,
    paragraphs: u32,
    pool: Pool,
}

impl TextIndex {
    /// Opens the index at `path`.
    pub fn open(path: impl AsRef<Path>, options: OpenOptions) -> Result<TextIndex> {
        TextIndex::from_container(Container::open(path, Kind::TextIndex, options)?)
    }

    /// The index inside a container that is open already.
    pub fn from_container(container: Container) -> Result<TextIndex> {
        TextIndex::from_containers(vec![container])
    }

    /// Several files as one index, at least one of them, all with the same analyzer, k1 and b.
    pub fn from_containers(containers: Vec<Container>) -> Result<TextIndex> {
        let mut segments: Vec<Segment> = Vec::with_capacity(containers.len());
        let (mut sentences, mut paragraphs) = (0u32, 0u32);
        let (mut with_terms, mut tokens) = (0u64, 0u64);
        for container in containers {
            let mut segment = Segment::open(container)?;
            if let Some(first) = segments.first() {
                segment.check_like(first)?;
            }
            (segment.first_sentence, segment.first_paragraph) = (sentences, paragraphs);
            sentences = sentences
                .checked_add(segment.meta.sentences)
                .filter(|&sum| sum < u32::MAX)
                .ok_or_else(|| {
                    Error::too_large("more than 4,294,967,294 sentences in the files together")
                })?;
            // Not more than sentences.
            paragraphs += segment.meta.paragraphs;
            with_terms += u64::from(segment.meta.with_terms);
            tokens = tokens.saturating_add(segment.meta.tokens);
            segments.push(segment);
        }
        let Some(first) = segments.first() else {
            return Err(Error::input("an index needs at least one file"));
        };
        Ok(TextIndex {
            bm25: Bm25::new(first.meta.k1, first.meta.b, with_terms, tokens),
            segments,
            sentences,
            paragraphs,
            pool: Pool::default(),
        })
    }

    /// The number of sentences.
    #[expect(
        clippy::len_without_is_empty,
        reason = "an empty index is as good as any other"
    )]
    pub fn len(&self) -> u32 {
        self.sentences
    }

    /// The number of paragraphs.
    pub fn paragraphs(&self) -> u32 {
        self.paragraphs
    }

    /// The number of different terms of each file, summed: a term that several have counts for each.
    pub fn terms(&self) -> u64 {
        let terms = |segment: &Segment| u64::from(segment.meta.terms);
        self.segments.iter().map(terms).sum()
    }

    /// How text becomes terms.
    pub fn analyzer(&self) -> Analyzer {
        self.segments[0].analyzer
    }

    /// BM25's k1: how fast repetitions of a term stop counting.
    pub fn k1(&self) -> f32 {
        self.segments[0].meta.k1
    }

    /// BM25's b: how much the length of a sentence counts, from 0 to 1.
    pub fn b(&self) -> f32 {
        self.segments[0].meta.b
    }

    /// The files, in the order of their sentences; at least one.
    pub fn containers(&self) -> impl ExactSizeIterator<Item = &Container> {
        self.segments.iter().map(|segment| &segment.container)
    }

    /// The hash of each file.
    pub fn roots(&self) -> impl ExactSizeIterator<Item = Hash> {
        self.containers().map(Container::root)
    }

    /// The `k` best sentences for `query`, best first; of equal scores, the earlier sentence. Only sentences
    /// that have a term of the query are found, so there may be fewer.
    pub fn search(&self, query: &str, k: usize) -> Result<Vec<SentenceHit>> {
        self.search_with(
            query,
            &SearchOptions {
                k,
                ..SearchOptions::default()
            },
        )
    }

    /// The best sentences for `query` under `options`, in the order of [`TextIndex::search`].
    pub fn search_with(
        &self,
        query: &str,
        options: &SearchOptions<'_>,
    ) -> Result<Vec<SentenceHit>> {
        self.check(options)?;
        if options.k == 0 {
            return Ok(Vec::new());
        }
        let terms = query::terms(self.analyzer(), &self.segments, &self.bm25, query)?;
        let found = search::best(&self.segments, &self.bm25, &terms, options, &self.pool)?;
        found.into_iter().map(|scored| self.hit(scored)).collect()
    }

    /// Many queries, up to `threads` of them at a time: for each, what [`TextIndex::search_with`] gives.
    pub fn search_batch<Q: AsRef<str> + Sync>(
        &self,
        queries: &[Q],
        options: &SearchOptions<'_>,
        threads: usize,
    ) -> Result<Vec<Vec<SentenceHit>>> {
        let next = AtomicUsize::new(0);
        // Whoever is free takes the next query.
        let work = || {
            let mut found = Vec::new();
            loop {
                let at = next.fetch_add(1, Ordering::Relaxed);
                let Some(query) = queries.get(at) else {
                    return Ok::<_, Error>(found);
                };
                found.push((at, self.search_with(query.as_ref(), options)?));
            }
        };
        let others = threads.min(queries.len()).clamp(1, MOST_THREADS) - 1;
        let mut found: Vec<(usize, Vec<SentenceHit>)> = std::thread::scope(|scope| {
            let spawn = |_| std::thread::Builder::new().spawn_scoped(scope, work);
            // Where the system has no more threads, those that are there do the work.
            let others: Vec<_> = (0..others).map_while(|at| spawn(at).ok()).collect();
            let mut found = work()?;
            for other in others {
                match other.join() {
                    Ok(more) => found.extend(more?),
                    Err(panic) => std::panic::resume_unwind(panic),
                }
            }
            Ok::<_, Error>(found)
        })?;
        found.sort_unstable_by_key(|&(at, _)| at);
        Ok(found.into_iter().map(|(_, hits)| hits).collect())
    }

    /// Why `sentence` has its score for `query`.
    pub fn explain(&self, query: &str, sentence: SentenceId) -> Result<Explanation> {
        let (number, segment) = self.segment_of(sentence)?;
        let local = sentence.0 - segment.first_sentence;
        let length = segment.lengths[local as usize];
        let mut terms = Vec::new();
        let mut sum = 0.0;
        for term in query::terms(self.analyzer(), &self.segments, &self.bm25, query)? {
            let Some(list) = &term.lists[number] else {
                continue;
            };
            let tf = list.tf(local)?;
            if tf == 0 {
                continue;
            }
            let score = self.bm25.term(term.weight).score(tf, length);
            sum += f64::from(score);
            terms.push(TermExplanation {
                idf: self.bm25.idf(term.df),
                term: term.text,
                times: term.times,
                tf,
                df: term.df,
                score,
            });
        }
        terms.sort_by(|a, b| b.score.total_cmp(&a.score));
        Ok(Explanation {
            sentence,
            score: sum as f32,
            length: LENGTHS[length as usize],
            average_length: self.bm25.average_length(),
            terms,
        })
    }

    /// The part of a paragraph that tells most of what `query` has in common with it, in at most `characters`
    /// characters; its beginning where that is nothing. The words are weighed by what they weigh in this index.
    pub fn snippet(&self, query: &str, paragraph: &str, characters: usize) -> Result<Snippet> {
        let terms = query::terms(self.analyzer(), &self.segments, &self.bm25, query)?;
        let weights = terms.into_iter().map(|term| (term.text, term.weight));
        Ok(Highlighter::new(self.analyzer(), weights).snippet(paragraph, characters))
    }

    /// A filter that lets sentences of `paragraphs` through.
    pub fn filter(&self, paragraphs: impl IntoIterator<Item = ParagraphId>) -> Result<Filter> {
        let mut filter = Filter::none(self.segments.iter().map(|s| s.meta.sentences));
        for paragraph in paragraphs {
            let (number, segment) = self.segment_of_paragraph(paragraph)?;
            let local = paragraph.0 - segment.first_paragraph;
            filter.add(number, &segment.paragraphs, local)?;
        }
        Ok(filter)
    }

    /// The paragraph that a sentence is of.
    pub fn paragraph_of(&self, sentence: SentenceId) -> Result<ParagraphId> {
        let (_, segment) = self.segment_of(sentence)?;
        let local = segment.paragraphs.of(sentence.0 - segment.first_sentence)?;
        Ok(ParagraphId(segment.first_paragraph + local))
    }

    /// Paragraph `id`, with its article's id and title.
    pub fn paragraph(&self, id: ParagraphId) -> Result<Paragraph> {
        let (_, segment) = self.segment_of_paragraph(id)?;
        segment.values.get(id.0 - segment.first_paragraph)
    }

    /// The paragraphs of the `k` best sentences for `query`. A value that several sentences stand for is given
    /// once, for the best of them, so there may be fewer than `k`; with `keys` every sentence has its own hit.
    pub fn retrieve(&self, query: &str, k: usize, keys: bool) -> Result<Vec<Hit>> {
        self.hits(&self.search(query, k)?, keys)
    }

    /// The paragraphs of sentences that were found, as [`TextIndex::retrieve`] gives them.
    pub fn hits(&self, found: &[SentenceHit], keys: bool) -> Result<Vec<Hit>> {
        let mut read: HashMap<ParagraphId, Paragraph> = HashMap::new();
        let mut hits = Vec::new();
        for found in found {
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

    fn check(&self, options: &SearchOptions<'_>) -> Result<()> {
        if !(0.0..=1.0).contains(&options.effort) {
            return Err(Error::input(format_args!(
                "effort: expected a number from 0 to 1, got {}",
                options.effort
            )));
        }
        let sizes = self.segments.iter().map(|segment| segment.meta.sentences);
        match options.filter {
            Some(filter) if !filter.fits(sizes) => {
                Err(Error::input("the filter was made for another index"))
            }
            _ => Ok(()),
        }
    }

    fn hit(&self, scored: Scored) -> Result<SentenceHit> {
        let sentence = SentenceId(scored.sentence);
        Ok(SentenceHit {
            sentence,
            paragraph: self.paragraph_of(sentence)?,
            score: scored.score,
        })
    }

    /// The segment of a sentence, and its number.
    fn segment_of(&self, SentenceId(sentence): SentenceId) -> Result<(usize, &Segment)> {
        self.find(|segment| segment.sentences().end > sentence)
            .ok_or_else(|| {
                Error::input(format_args!(
                    "there is no sentence {sentence}: the index holds {}",
                    self.len()
                ))
            })
    }

    /// The segment of a paragraph, and its number.
    fn segment_of_paragraph(
        &self,
        ParagraphId(paragraph): ParagraphId,
    ) -> Result<(usize, &Segment)> {
        self.find(|segment| segment.paragraphs().end > paragraph)
            .ok_or_else(|| {
                Error::input(format_args!(
                    "there is no paragraph {paragraph}: the index holds {}",
                    self.paragraphs()
                ))
            })
    }

    /// The first segment for which `holds`, which holds for all after it.
    fn find(&self, holds: impl Fn(&Segment) -> bool) -> Option<(usize, &Segment)> {
        let number = self.segments.partition_point(|segment| !holds(segment));
        Some((number, self.segments.get(number)?))
    }
}

impl std::fmt::Debug for TextIndex {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let files = self.containers().map(Container::path);
        f.debug_struct("TextIndex")
            .field("files", &files.collect::<Vec<_>>())
            .field("sentences", &self.sentences)
            .field("paragraphs", &self.paragraphs)
            .finish_non_exhaustive()
    }
}

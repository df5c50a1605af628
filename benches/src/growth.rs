//! A corpus of any size with the statistics of a real one.
//!
//! What makes a search slow or fast is how frequent the query's terms are, how long sentences are, how terms cluster in
//! articles, and how well the best sentences answer. So the corpus is continued with *more articles like those that are
//! there*, in three steps, each of which keeps one of these by construction:
//!
//! 1. **An article is drawn from all before it**, real or made: its sentences' lengths, how often each of its terms
//!    occurs, and which terms occur together in an article are those of a real article.
//! 2. **Some of its terms become new ones.** A term that `a` articles have becomes a new term, everywhere in this article,
//!    with probability `d / a`. That is the Pitman–Yor process with discount `d` (Pitman and Yor, 1997) going on from the
//!    real corpus: a draw of an article's term hits a given term with probability `a / n`, so it stays that term with
//!    `(a − d) / n` and is new with `d · V / n`, summed over the `V` terms. It makes the vocabulary grow as Heaps' law says,
//!    `V ~ n^d`, and keeps the power law of the frequencies: frequent terms stay as they are and grow
//!    with the corpus, rare ones multiply. `d` is not chosen but measured: by Good and Turing's estimate the probability
//!    of a new term is `V₁ / n`, where `V₁` terms occur in one article only, hence `d = V₁ / V`.
//! 3. **Its sentences are cut into pieces, which change places.** Else the corpus would hold every sentence ten times, and
//!    a query's ten best would be copies of its best. Pieces of equal length are exchanged within the article, so that
//!    lengths and the article's terms stay as they were and neighbouring words mostly stay together. How long
//!    the pieces are decides how well the best sentences answer: the one number that has to be fitted
//!    ([`GrowthOptions::piece`]), by letting a tenth of the real corpus grow to the size of the whole and comparing.
//!
//! Real articles come first, in an order drawn by the seed, so that a smaller corpus is the beginning of a larger one and
//! a corpus below the size of the real one is a sample of it. In memory are the real corpus as numbers and the
//! vocabulary; of a made article only its new terms.

mod name;
mod source;

use std::collections::HashMap;
use std::io::Write;
use std::sync::Arc;

use crate::Result;
use crate::random::Random;

pub use source::Source;

/// How a corpus grows.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct GrowthOptions {
    /// Stop after the article in which this number of sentences is reached.
    pub sentences: u64,
    /// The mean length of the pieces that change places, in words, from 1.
    pub piece: f64,
    /// The same seed makes the same corpus.
    pub seed: u64,
}

impl Default for GrowthOptions {
    fn default() -> GrowthOptions {
        GrowthOptions {
            sentences: u64::MAX,
            piece: 8.0,
            seed: 1,
        }
    }
}

/// What was written.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Grown {
    /// Sentences in all.
    pub sentences: u64,
    /// Real articles.
    pub real: usize,
    /// Made articles.
    pub made: usize,
    /// Terms that the real corpus does not have.
    pub new_terms: usize,
}

/// An article made: the real one that it goes back to, and what its terms became, by the real one's terms.
struct Made {
    root: usize,
    renamed: HashMap<u32, u32>,
}

/// A corpus growing.
struct Growth {
    source: Source,
    options: GrowthOptions,
    random: Random,
    discount: f64,
    /// By term, the articles that have it.
    articles: Vec<u32>,
    made: Vec<Made>,
    names: HashMap<Arc<str>, u32>,
}

/// Writes the corpus that `source` grows to.
pub fn grow(source: Source, options: GrowthOptions, out: &mut impl Write) -> Result<Grown> {
    let mut random = Random::new(options.seed);
    let mut order: Vec<usize> = (0..source.articles()).collect();
    random.shuffle(&mut order);
    let mut grown = Grown::default();
    for &article in &order {
        if grown.sentences >= options.sentences {
            return Ok(grown);
        }
        for sentence in source.sentences(article) {
            source.write(sentence, out)?;
            grown.sentences += 1;
        }
        writeln!(out)?;
        grown.real += 1;
    }
    if order.is_empty() {
        return Ok(grown);
    }

    let articles = source.articles_by_term();
    let once = articles.iter().filter(|&&articles| articles == 1).count();
    let mut growth = Growth {
        discount: once as f64 / articles.len() as f64,
        names: source.numbers(),
        articles,
        made: Vec::new(),
        source,
        options,
        random,
    };
    let real_terms = growth.articles.len();
    while grown.sentences < options.sentences {
        grown.sentences += growth.article(&order, out)?;
        grown.made += 1;
    }
    grown.new_terms = growth.articles.len() - real_terms;
    Ok(grown)
}

impl Growth {
    /// Writes another article: the number of its sentences.
    fn article(&mut self, order: &[usize], out: &mut impl Write) -> Result<u64> {
        let parent = self.random.below(order.len() + self.made.len());
        let (root, mut renamed) = match parent.checked_sub(order.len()) {
            None => (order[parent], HashMap::new()),
            Some(made) => (self.made[made].root, self.made[made].renamed.clone()),
        };
        for original in self.source.distinct(root) {
            let term = renamed.get(&original).copied().unwrap_or(original);
            let articles = &mut self.articles[term as usize];
            if self.random.happens(self.discount / f64::from(*articles))
                && let Some(new) = self.new_term(term)
            {
                renamed.insert(original, new);
            } else {
                self.articles[term as usize] += 1;
            }
        }
        let sentences = self.exchange_pieces(root);
        for sentence in &sentences {
            let terms = sentence
                .iter()
                .map(|term| renamed.get(term).unwrap_or(term));
            self.source.write(terms, out)?;
        }
        writeln!(out)?;
        self.made.push(Made { root, renamed });
        Ok(sentences.len() as u64)
    }

    /// A term like `term` that there was not. `None` for the few that have no letter to change.
    fn new_term(&mut self, term: u32) -> Option<u32> {
        let name = name::like(self.source.name(term), &mut self.random, |name| {
            !self.names.contains_key(name)
        })?;
        let number = u32::try_from(self.articles.len()).ok()?;
        let name: Arc<str> = name.into();
        self.source.add_name(name.clone());
        self.names.insert(name, number);
        self.articles.push(1);
        Some(number)
    }

    /// The sentences of a real article, their pieces in other places.
    fn exchange_pieces(&mut self, root: usize) -> Vec<Vec<u32>> {
        let sentences: Vec<&[u32]> = self.source.sentences(root).collect();
        // By length, the pieces; and by sentence, the lengths of its pieces.
        let mut pieces: Vec<Vec<&[u32]>> = Vec::new();
        let mut cuts: Vec<Vec<usize>> = Vec::with_capacity(sentences.len());
        let end = 1.0 / self.options.piece.max(1.0);
        for sentence in sentences {
            let mut lengths = Vec::new();
            let mut start = 0;
            for at in 1..=sentence.len() {
                if at == sentence.len() || self.random.happens(end) {
                    let length = at - start;
                    if pieces.len() <= length {
                        pieces.resize_with(length + 1, Vec::new);
                    }
                    pieces[length].push(&sentence[start..at]);
                    lengths.push(length);
                    start = at;
                }
            }
            cuts.push(lengths);
        }
        for pieces in &mut pieces {
            self.random.shuffle(pieces);
        }
        cuts.into_iter()
            .map(|lengths| {
                let pieces = lengths
                    .into_iter()
                    .filter_map(|length| pieces[length].pop());
                pieces.flatten().copied().collect()
            })
            .collect()
    }
}

#[cfg(test)]
mod tests;

//! Searching the graph of an index.
//!
//! The upper layers of HNSW, which are there to find a place to begin, are replaced by a scan of the first nodes, which
//! were chosen from all over the index.

use std::sync::{Mutex, PoisonError};

use super::beam::{Beam, Graph};
use super::candidate::{Candidate, offer, sort};
use super::marks::Marks;
use super::nodes::{Nodes, Products};
use super::query::Query;
use super::record::Damage;

/// So many of the best entries a search begins at.
const BEGINNINGS: usize = 4;
/// Nodes that are compared in a row are compared in pieces of so many.
pub(super) const PIECE: u32 = 256;
/// More idle memories are not kept, however many searches there were at once.
const MOST_IDLE: usize = 16;
/// A list that grew longer is not kept: some search asked for very much.
const WORTH_KEEPING: usize = 1 << 16;

/// Memory that searches use again and again.
#[derive(Debug, Default)]
pub(super) struct Scratch {
    pub query: Query,
    pub products: Products,
    pub beam: Beam,
}

/// Idle scratch memories.
#[derive(Debug, Default)]
pub(super) struct Pool(Mutex<Vec<Scratch>>);

impl Pool {
    /// Calls `act` with memory that nobody else uses meanwhile.
    pub fn with<T>(&self, act: impl FnOnce(&mut Scratch) -> T) -> T {
        let idle = || self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let taken = idle().pop();
        let mut scratch = taken.unwrap_or_default();
        let result = act(&mut scratch);
        let mut idle = idle();
        if idle.len() < MOST_IDLE && scratch.beam.candidates.capacity() <= WORTH_KEEPING {
            idle.push(scratch);
        }
        result
    }
}

/// Nodes with a query.
struct Asked<'a> {
    nodes: &'a Nodes<'a>,
    query: &'a Query,
    products: &'a mut Products,
}

impl Graph for Asked<'_> {
    type Error = Damage;

    #[inline]
    fn links(&self, node: u32, links: &mut Vec<u32>) -> Result<(), Damage> {
        self.nodes.links(node, links)
    }

    #[inline]
    fn scores(&mut self, nodes: &[u32]) -> &[f32] {
        self.nodes.scores(self.query, nodes, self.products)
    }
}

/// Puts about the `ef` nodes nearest to the query into the candidates, best first. Nodes in `without`
/// are as if they were not there.
pub(super) fn nearest(
    nodes: &Nodes<'_>,
    ef: usize,
    without: Option<&Marks>,
    scratch: &mut Scratch,
) -> Result<(), Damage> {
    let Scratch {
        query,
        products,
        beam,
    } = scratch;
    beam.begin(nodes.len, without);
    let mut from = 0;
    while from < nodes.entries {
        let to = nodes.entries.min(from + PIECE);
        beam.numbers.clear();
        match without {
            Some(without) => {
                let there = (from..to).filter(|&node| !without.has(node));
                beam.numbers.extend(there);
            }
            None => beam.numbers.extend(from..to),
        }
        let scores = nodes.scores(query, &beam.numbers, products);
        for (&score, &node) in scores.iter().zip(&beam.numbers) {
            offer(
                &mut beam.candidates,
                Candidate::new(score, node),
                BEGINNINGS,
            );
        }
        from = to;
    }
    beam.mark_candidates();
    let mut asked = Asked {
        nodes,
        query,
        products,
    };
    beam.search(&mut asked, ef)
}

/// How many candidates are put into order by what their rows leave too, for `k` answers.
fn reranked(k: usize) -> usize {
    k.saturating_mul(2).saturating_add(16)
}

/// Puts the best candidates into the order that their rows give with what these leave, and drops those behind them. Where
/// nothing is left, nothing changes.
pub(super) fn rerank(nodes: &Nodes<'_>, k: usize, scratch: &mut Scratch) {
    if nodes.rerank.is_empty() {
        return;
    }
    let Scratch {
        query,
        products,
        beam,
    } = scratch;
    beam.candidates.truncate(reranked(k));
    beam.numbers.clear();
    beam.numbers
        .extend(beam.candidates.iter().map(|candidate| candidate.node()));
    let scores = nodes.exact_scores(query, &beam.numbers, products);
    for (candidate, &score) in beam.candidates.iter_mut().zip(scores) {
        *candidate = Candidate::new(score, candidate.node());
    }
    sort(&mut beam.candidates);
}

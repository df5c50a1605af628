//! Searching the graph (algorithms 2 and 5 of the paper).

use std::cmp::{Ordering, Reverse};
use std::collections::BinaryHeap;

use super::graph::{Graph, Layer};
use super::vectors::Rows;
use crate::error::Result;

/// A node and its inner product with the query. The greater is the better; among equals the lower node.
#[derive(Clone, Copy, PartialEq)]
struct Candidate {
    score: f32,
    node: u32,
}

impl Eq for Candidate {}

impl Ord for Candidate {
    fn cmp(&self, other: &Self) -> Ordering {
        self.score
            .total_cmp(&other.score)
            .then(other.node.cmp(&self.node))
    }
}

impl PartialOrd for Candidate {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

/// About the `ef` nodes nearest to `query`, in no order.
pub(crate) fn search(
    graph: &Graph,
    rows: &Rows,
    query: &[f32],
    ef: usize,
) -> Result<Vec<(f32, u32)>> {
    if graph.len() == 0 || ef == 0 {
        return Ok(Vec::new());
    }
    let mut searcher = Searcher {
        rows,
        query,
        row: rows.buffer(),
        visited: vec![0; (graph.len() as usize).div_ceil(64)],
    };
    let mut entry = searcher.score(0);
    let mut layers = graph.descend().peekable();
    while let Some(layer) = layers.next() {
        if layers.peek().is_none() {
            return searcher.nearest(layer, entry, ef);
        }
        entry = searcher.climb(layer, entry)?;
    }
    Ok(Vec::new())
}

struct Searcher<'a> {
    rows: &'a Rows,
    query: &'a [f32],
    row: Vec<f32>,
    /// A bit for each node, of the lowest layer.
    visited: Vec<u64>,
}

impl Searcher<'_> {
    fn score(&mut self, node: u32) -> Candidate {
        let score = self.rows.inner_product(node, self.query, &mut self.row);
        Candidate { score, node }
    }

    /// Marks a node; true the first time.
    fn visit(&mut self, node: u32) -> bool {
        let (word, bit) = (&mut self.visited[node as usize / 64], 1 << (node % 64));
        let new = *word & bit == 0;
        *word |= bit;
        new
    }

    /// From node to better neighbour, as long as there is one. Each step is better than the last, so it ends.
    fn climb(&mut self, layer: &Layer, mut best: Candidate) -> Result<Candidate> {
        loop {
            let from = best;
            for neighbour in layer.neighbours(from.node) {
                best = best.max(self.score(neighbour?));
            }
            if best == from {
                return Ok(best);
            }
        }
    }

    /// The best `ef` nodes that can be reached through nodes among the best `ef`.
    fn nearest(&mut self, layer: &Layer, entry: Candidate, ef: usize) -> Result<Vec<(f32, u32)>> {
        self.visit(entry.node);
        let mut candidates = BinaryHeap::from([entry]);
        let mut nearest = BinaryHeap::from([Reverse(entry)]);
        while let Some(candidate) = candidates.pop() {
            let worst = nearest.peek().map(|&Reverse(worst)| worst);
            if nearest.len() >= ef && worst > Some(candidate) {
                break;
            }
            for neighbour in layer.neighbours(candidate.node) {
                let neighbour = neighbour?;
                if !self.visit(neighbour) {
                    continue;
                }
                let found = self.score(neighbour);
                let worst = nearest.peek().map(|&Reverse(worst)| worst);
                if nearest.len() < ef || Some(found) > worst {
                    candidates.push(found);
                    nearest.push(Reverse(found));
                    if nearest.len() > ef {
                        nearest.pop();
                    }
                }
            }
        }
        Ok(nearest
            .into_iter()
            .map(|Reverse(found)| (found.score, found.node))
            .collect())
    }
}

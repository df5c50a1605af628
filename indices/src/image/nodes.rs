//! The nodes of a graph, wherever they lie: in an open file, or in one that is being made.

use super::query::Query;
use super::record::{Damage, Layout};
use super::vectors::Vectors;
use crate::kernels::rows::{Rows, row_kernels};

/// The nodes, borrowed.
#[derive(Clone, Copy)]
pub(super) struct Nodes<'a> {
    pub layout: &'a Layout,
    /// A record for each node.
    pub records: &'a [u8],
    /// What the rows are differences from: as long as a feature.
    pub centre: &'a [f32],
    /// What the rows of integers leave of the differences, a row of halves for each node; or nothing.
    pub rerank: &'a [u8],
    /// How many nodes there are.
    pub len: u32,
    /// How many of the first ones a search may begin at.
    pub entries: u32,
}

/// Room for products with rows.
#[derive(Debug, Default)]
pub(super) struct Products {
    integers: Vec<i32>,
    floats: Vec<f32>,
    remainders: Vec<f32>,
}

impl<'a> Nodes<'a> {
    /// The inner products of the query with these nodes' rows, which must be there: those of integers are near the truth,
    /// others exact but for rounding. A damaged row gives some number; what is no number counts as the worst.
    #[inline]
    pub fn scores<'p>(
        &self,
        query: &Query,
        numbers: &[u32],
        products: &'p mut Products,
    ) -> &'p [f32] {
        let rows = self.layout.rows(self.records);
        let Products {
            integers, floats, ..
        } = products;
        floats.resize(numbers.len(), 0.0);
        match self.layout.vectors {
            Vectors::I8 => {
                integers.resize(numbers.len(), 0);
                (row_kernels().bytes)(&rows, numbers, &query.integers, integers);
                for ((score, &product), &number) in floats.iter_mut().zip(&*integers).zip(numbers) {
                    let (scale, bias) = self.layout.scale(self.records, number);
                    *score = floor(query.scale * scale * product as f32 + (bias + query.offset));
                }
                return floats;
            }
            Vectors::F16 => (row_kernels().halves)(&rows, numbers, &query.difference, floats),
            Vectors::F32 => (row_kernels().floats)(&rows, numbers, &query.difference, floats),
        }
        self.add_biases(query, numbers, floats);
        floats
    }

    /// The inner products of the query with these nodes' rows and, where it is kept, what they leave.
    pub fn exact_scores<'p>(
        &self,
        query: &Query,
        numbers: &[u32],
        products: &'p mut Products,
    ) -> &'p [f32] {
        if self.rerank.is_empty() {
            return self.scores(query, numbers, products);
        }
        let Products {
            floats, remainders, ..
        } = products;
        floats.resize(numbers.len(), 0.0);
        remainders.resize(numbers.len(), 0.0);
        let dim = self.layout.dim;
        let rows = Rows {
            len: dim,
            ..self.layout.rows(self.records)
        };
        (row_kernels().mixed)(&rows, numbers, &query.difference, floats);
        let rows = Rows {
            bytes: self.rerank,
            stride: 2 * dim,
            len: 2 * dim,
        };
        (row_kernels().halves)(&rows, numbers, &query.difference, remainders);
        for ((score, remainder), &number) in floats.iter_mut().zip(&*remainders).zip(numbers) {
            let (scale, _) = self.layout.scale(self.records, number);
            *score = *score * scale + remainder;
        }
        self.add_biases(query, numbers, floats);
        floats
    }

    /// Turns products of differences into inner products.
    fn add_biases(&self, query: &Query, numbers: &[u32], scores: &mut [f32]) {
        for (score, &number) in scores.iter_mut().zip(numbers) {
            let (_, bias) = self.layout.scale(self.records, number);
            *score = floor(*score + (bias + query.offset));
        }
    }

    /// Appends the links of `node`.
    #[inline]
    pub fn links(&self, node: u32, links: &mut Vec<u32>) -> Result<(), Damage> {
        self.layout.read_links(self.records, node, self.len, links)
    }
}

/// What is no number counts as the worst.
#[inline]
fn floor(score: f32) -> f32 {
    if score.is_nan() {
        f32::NEG_INFINITY
    } else {
        score
    }
}

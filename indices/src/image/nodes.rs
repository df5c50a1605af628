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
    /// What the rows of integers are differences from: as long as a feature, or, with other rows, empty.
    pub centre: &'a [f32],
    /// A row of halves for each node, or nothing.
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
        let Products { integers, floats } = products;
        floats.resize(numbers.len(), 0.0);
        match self.layout.vectors {
            Vectors::I8 => {
                integers.resize(numbers.len(), 0);
                (row_kernels().bytes)(&rows, numbers, &query.integers, integers);
                for ((score, &product), &number) in floats.iter_mut().zip(&*integers).zip(numbers) {
                    let (scale, bias) = self.layout.scale(self.records, number);
                    *score = query.scale * scale * product as f32 + (bias + query.offset);
                }
            }
            Vectors::F16 => (row_kernels().halves)(&rows, numbers, &query.unit, floats),
            Vectors::F32 => (row_kernels().floats)(&rows, numbers, &query.unit, floats),
        }
        floor(floats)
    }

    /// The inner products of the query with the best rows there are of these nodes.
    pub fn exact_scores<'p>(
        &self,
        query: &Query,
        numbers: &[u32],
        products: &'p mut Products,
    ) -> &'p [f32] {
        if self.rerank.is_empty() {
            return self.scores(query, numbers, products);
        }
        let len = 2 * self.layout.dim;
        let rows = Rows {
            bytes: self.rerank,
            stride: len,
            len,
        };
        products.floats.resize(numbers.len(), 0.0);
        (row_kernels().halves)(&rows, numbers, &query.unit, &mut products.floats);
        floor(&mut products.floats)
    }

    /// Appends the links of `node`.
    #[inline]
    pub fn links(&self, node: u32, links: &mut Vec<u32>) -> Result<(), Damage> {
        self.layout.read_links(self.records, node, self.len, links)
    }
}

fn floor(scores: &mut [f32]) -> &[f32] {
    for score in scores.iter_mut() {
        if score.is_nan() {
            *score = f32::NEG_INFINITY;
        }
    }
    scores
}

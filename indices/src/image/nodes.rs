//! The nodes of a graph, wherever they lie: in an open file, or in one that is being made.

use super::query::Query;
use super::record::{Damage, Layout};
use super::vectors::{FINER, Vectors};
use crate::kernels::rows::{Parts, Rows, Weights, floor, row_kernels};

/// The nodes, borrowed.
#[derive(Clone, Copy)]
pub(super) struct Nodes<'a> {
    pub layout: &'a Layout,
    /// A record for each node.
    pub records: &'a [u8],
    /// What the rows are differences from: as long as a feature.
    pub centre: &'a [f32],
    /// What the rows of integers leave of the differences, in units finer by [`FINER`]: a row for each node, as long; or nothing.
    pub rerank: &'a [u8],
    /// How many nodes there are.
    pub len: u32,
    /// How many of the first ones a search may begin at.
    pub entries: u32,
}

/// Room for products with rows.
#[derive(Debug, Default)]
pub(super) struct Products {
    floats: Vec<f32>,
    fine: Vec<Parts>,
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
        let floats = &mut products.floats;
        floats.resize(numbers.len(), 0.0);
        match self.layout.vectors {
            Vectors::I8 => {
                let weights = Weights {
                    scale: query.scale,
                    offset: query.offset,
                };
                (row_kernels().scores)(&rows, numbers, &query.integers[0], weights, floats);
                return floats;
            }
            Vectors::F16 => (row_kernels().halves)(&rows, numbers, &query.difference, floats),
            Vectors::F32 => (row_kernels().floats)(&rows, numbers, &query.difference, floats),
        }
        for (score, &number) in floats.iter_mut().zip(numbers) {
            let (_, bias) = self.layout.scale(self.records, number);
            *score = floor(*score + (bias + query.offset));
        }
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
        let Products { floats, fine } = products;
        floats.resize(numbers.len(), 0.0);
        fine.resize(numbers.len(), [0; 3]);
        let rows = self.layout.rows(self.records);
        let remainders = Rows {
            bytes: self.rerank,
            stride: rows.len,
            len: rows.len,
        };
        (row_kernels().fine)(&[rows, remainders], numbers, &query.integers, fine);
        let finer = f64::from(FINER).recip();
        for ((score, &parts), &number) in floats.iter_mut().zip(&*fine).zip(numbers) {
            let [high, middle, low] = parts.map(f64::from);
            let (scale, bias) = self.layout.scale(self.records, number);
            let unit = f64::from(query.scale) * f64::from(scale);
            let product = unit * (high + finer * (middle + finer * low));
            *score = floor(product as f32 + (bias + query.offset));
        }
        floats
    }

    /// Appends the links of `node`.
    #[inline]
    pub fn links(&self, node: u32, links: &mut Vec<u32>) -> Result<(), Damage> {
        self.layout.read_links(self.records, node, self.len, links)
    }
}

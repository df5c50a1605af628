//! Multi-head attention: `softmax(Q Kᵀ / √h) V` for each head of width h (Vaswani et al. 2017).
//!
//! Each head of each sequence is the work of one thread, which packs the head's keys and values in the order
//! of weights and goes down the queries. With integers, queries and keys have a scale a row, values a scale a
//! column, and a probability is a multiple of 1/127 of its row's largest; the row is divided by the sum of
//! what it was rounded to, so that it still sums to 1. Subtracting the mean key from all keys leaves a
//! softmax as it is, and the mean value can be added at the end: both make the numbers to be rounded smaller.

mod fused;
mod int8;

use std::ops::Range;

use super::buffer::{Buffer, Window};
use super::functions::exp;
use super::level::vectorized;
use super::products::{FLOAT_ROWS, Kernels, Products, StridedRows, TILE};
use super::strips::float_sums;
use super::team::for_each;

pub(super) use fused::{HeadMatrices, Sequence, fused};

/// One attention over packed sequences.
pub(crate) struct Attention<'a> {
    /// `[queries, d]`.
    pub(crate) query: &'a [f32],
    /// `[n, d]`.
    pub(crate) key: &'a [f32],
    /// `[n, d]`.
    pub(crate) value: &'a [f32],
    /// d.
    pub(crate) width: usize,
    /// Heads, each d / heads wide.
    pub(crate) heads: usize,
    /// The sequences: rows of `query`, and rows of `key` and `value`. Both in order and without gaps.
    pub(crate) sequences: &'a [(Range<usize>, Range<usize>)],
    /// Where a query sees only its sequence's keys up to its own place: that of each query.
    pub(crate) places: Option<&'a [usize]>,
    /// Whether to multiply integers.
    pub(crate) int8: bool,
}

/// One head of one sequence.
struct Head<'a> {
    query: View<'a>,
    key: View<'a>,
    value: View<'a>,
    /// Where attention is causal, the place of each query.
    places: Option<&'a [usize]>,
}

/// Computes it into `out`, `[queries, d]`.
pub(crate) fn attention(kernels: &'static Kernels, attention: &Attention<'_>, out: &mut [f32]) {
    let width = attention.width;
    let head_width = width / attention.heads.max(1);
    let mut rest = out;
    let mut heads = Vec::new();
    for (queries, keys) in attention.sequences {
        let (rows, after) = rest.split_at_mut(queries.len() * width);
        rest = after;
        let windows = Window::cut(rows, width, queries.len(), head_width);
        heads.extend(windows.into_iter().enumerate().map(|(head, out)| {
            let view =
                |matrix, rows: &Range<usize>| View::of(matrix, rows, width, head, head_width);
            let head = Head {
                query: view(attention.query, queries),
                key: view(attention.key, keys),
                value: view(attention.value, keys),
                places: attention.places.map(|places| &places[queries.clone()]),
            };
            (head, out)
        }));
    }
    for_each(&mut heads, |_, (head, out)| {
        let products = kernels.enter();
        if attention.int8 {
            head.run_int8(&products, out);
        } else {
            head.run_float(kernels, &products, out);
        }
    });
}

impl Head<'_> {
    /// How many keys a query sees.
    fn sees(&self, query: usize) -> usize {
        let keys = self.key.rows;
        self.places
            .map_or(keys, |places| keys.min(places[query] + 1))
    }

    fn run_float(&self, kernels: &Kernels, products: &Products, out: &mut Window<'_, f32>) {
        let (n, h) = (self.key.rows, self.key.columns.len());
        let (key_panels, value_panels) = (n.div_ceil(TILE), h.div_ceil(TILE));
        let padded = key_panels * TILE;
        let mut keys = Buffer::scratch(padded * h);
        let mut values = Buffer::scratch(value_panels * TILE * n);
        let mut all_scores = Buffer::scratch(FLOAT_ROWS * padded);
        let mut all_results = Buffer::scratch(FLOAT_ROWS * value_panels * TILE);
        keys.fill(0.0);
        values.fill(0.0);
        for at in 0..n {
            let row = self.key.row(at);
            let panel = &mut keys[at / TILE * TILE * h..][..TILE * h];
            for (place, x) in panel[at % TILE..].iter_mut().step_by(TILE).zip(row) {
                *place = *x;
            }
            let row = self.value.row(at);
            for (part, panel) in row.chunks(TILE).zip(values.chunks_exact_mut(TILE * n)) {
                panel[at * TILE..][..part.len()].copy_from_slice(part);
            }
        }
        let factor = 1.0 / (h as f32).sqrt();
        let mut query = vec![0.0; FLOAT_ROWS * h];
        let mut packed_query = Buffer::scratch(FLOAT_ROWS * h);
        let mut packed_scores = Buffer::scratch(FLOAT_ROWS * n);
        for first in (0..self.query.rows).step_by(FLOAT_ROWS) {
            let count = FLOAT_ROWS.min(self.query.rows - first);
            for (at, scaled) in query.chunks_exact_mut(h).take(count).enumerate() {
                let row = self.query.row(first + at);
                for (scaled, x) in scaled.iter_mut().zip(row) {
                    *scaled = x * factor;
                }
            }
            let scores = &mut all_scores[..count * padded];
            let rows = StridedRows {
                x: &query,
                stride: h,
                rows: count,
                k: h,
            };
            kernels.pack(&rows, &mut packed_query);
            float_sums(products, &packed_query[..count * h], h, &keys, scores);
            let mut sums = [1.0; FLOAT_ROWS];
            for (at, sum) in sums.iter_mut().take(count).enumerate() {
                let sees = self.sees(first + at);
                let row = &mut scores[at * padded..][..n];
                *sum = softmax(kernels.level(), &mut row[..sees]);
                row[sees..].fill(0.0);
            }
            let result = &mut all_results[..count * value_panels * TILE];
            // The rows of scores become the left operand, without what the last panel has too many.
            let rows = StridedRows {
                x: scores,
                stride: padded,
                rows: count,
                k: n,
            };
            kernels.pack(&rows, &mut packed_scores);
            float_sums(products, &packed_scores[..count * n], n, &values, result);
            for (at, result) in result.chunks_exact(value_panels * TILE).enumerate() {
                for (out, result) in out.row(first + at).iter_mut().zip(result) {
                    *out = result / sums[at];
                }
            }
        }
    }
}

/// Some columns of a row-major matrix.
#[derive(Clone)]
pub(super) struct View<'a> {
    /// From the first row on.
    pub(super) matrix: &'a [f32],
    pub(super) rows: usize,
    /// Numbers from a row to the next.
    pub(super) width: usize,
    pub(super) columns: Range<usize>,
}

impl<'a> View<'a> {
    /// The columns of a head, `h` wide, in some rows of a matrix.
    fn of(matrix: &'a [f32], rows: &Range<usize>, width: usize, head: usize, h: usize) -> Self {
        Self {
            matrix: &matrix[rows.start * width..],
            rows: rows.len(),
            width,
            columns: head * h..(head + 1) * h,
        }
    }

    #[inline(always)]
    pub(super) fn row(&self, row: usize) -> &'a [f32] {
        &self.matrix[row * self.width..][self.columns.clone()]
    }

    /// Some of its rows.
    fn strided(&self, rows: Range<usize>) -> StridedRows<'a> {
        StridedRows {
            x: &self.matrix[rows.start * self.width + self.columns.start..],
            stride: self.width,
            rows: rows.len(),
            k: self.columns.len(),
        }
    }

    /// The mean row.
    #[inline(always)]
    pub(super) fn mean(&self, mean: &mut [f32]) {
        mean.fill(0.0);
        for row in 0..self.rows {
            for (mean, x) in mean.iter_mut().zip(self.row(row)) {
                *mean += x;
            }
        }
        mean.iter_mut().for_each(|mean| *mean /= self.rows as f32);
    }
}

vectorized! {
    /// Makes scores into e^(score − largest), and gives their sum.
    fn softmax(scores: &mut [f32]) -> f32 {
        let mut lanes = [f32::NEG_INFINITY; 16];
        let mut chunks = scores.chunks_exact(16);
        for chunk in &mut chunks {
            for (lane, &score) in lanes.iter_mut().zip(chunk) {
                *lane = if score > *lane { score } else { *lane };
            }
        }
        for &score in chunks.remainder() {
            lanes[0] = lanes[0].max(score);
        }
        let max = lanes.into_iter().fold(f32::NEG_INFINITY, f32::max);
        let mut sums = [0.0_f32; 16];
        let mut chunks = scores.chunks_exact_mut(16);
        for chunk in &mut chunks {
            for (sum, score) in sums.iter_mut().zip(chunk) {
                *score = exp::<FMA>(*score - max);
                *sum += *score;
            }
        }
        for (sum, score) in sums.iter_mut().zip(chunks.into_remainder()) {
            *score = exp::<FMA>(*score - max);
            *sum += *score;
        }
        sums.iter().sum()
    }
}

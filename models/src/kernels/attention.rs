//! Multi-head attention: `softmax(Q Kᵀ / √h) V` for each head of width h (Vaswani et al. 2017).
//!
//! Each head of each sequence is the work of one thread, which packs the head's keys and values in the order
//! of weights and goes down the queries. With integers, queries and keys have a scale a row, values a scale a
//! column, and a probability is a multiple of 1/127 of its row's largest; the row is divided by the sum of
//! what it was rounded to, so that it still sums to 1. Subtracting the mean key from all keys leaves a
//! softmax as it is, and the mean value can be added at the end: both make the numbers to be rounded smaller.

use std::ops::Range;

use super::buffer::{Buffer, Window};
use super::functions::{exp, exp2_coarse, nearest};
use super::level::{Level, vectorized};
use super::linear::{float_sums, int8_sums, pack_rows};
use super::panels;
use super::products::{BLOCK_BYTES, FLOAT_ROWS, K_BLOCK, Kernels, Products, SIDE, TILE};
use super::rows::{QuantizedRows, largest, most, put_block};
use super::team::for_each;

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
    attention: &'a Attention<'a>,
    queries: Range<usize>,
    keys: Range<usize>,
    columns: Range<usize>,
    out: Window<'a, f32>,
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
        heads.extend(windows.into_iter().enumerate().map(|(head, out)| Head {
            attention,
            queries: queries.clone(),
            keys: keys.clone(),
            columns: head * head_width..(head + 1) * head_width,
            out,
        }));
    }
    for_each(&mut heads, |_, head| {
        let products = kernels.enter();
        if head.attention.int8 {
            head.run_int8(&products, kernels.level());
        } else {
            head.run_float(&products, kernels.level());
        }
    });
}

impl Head<'_> {
    /// The head's columns of one row.
    fn row<'a>(&self, matrix: &'a [f32], row: usize) -> &'a [f32] {
        let start = row * self.attention.width;
        &matrix[start + self.columns.start..start + self.columns.end]
    }

    /// How many keys query `at` of the sequence sees.
    fn sees(&self, at: usize) -> usize {
        let place = self
            .attention
            .places
            .map(|places| places[self.queries.start + at] + 1);
        place.map_or(self.keys.len(), |place| place.min(self.keys.len()))
    }

    fn run_int8(&mut self, products: &Products, level: Level) {
        let (n, h) = (self.keys.len(), self.columns.len());
        let stride = panels::blocks(h) * BLOCK_BYTES;
        let value_stride = panels::blocks(n) * BLOCK_BYTES;
        let key_panels = n.div_ceil(TILE);
        let value_panels = h.div_ceil(TILE);
        let padded = key_panels * TILE;
        let mut packed_keys = Buffer::scratch(key_panels * stride);
        let mut packed_values = Buffer::scratch(value_panels * value_stride);
        let mut scores = Buffer::scratch(SIDE * padded);
        let mut result = Buffer::scratch(SIDE * value_panels * TILE);
        let attention = self.attention;
        let view = View {
            matrix: &attention.key[self.keys.start * attention.width..],
            rows: n,
            width: attention.width,
            columns: self.columns.clone(),
        };
        // The softmax is taken to the base 2.
        let factor = std::f32::consts::LOG2_E / (h as f32).sqrt();
        let mut key_scales = vec![0.0; padded];
        pack_keys(level, &view, factor, &mut packed_keys, &mut key_scales);
        let view = View {
            matrix: &attention.value[self.keys.start * attention.width..],
            ..view
        };
        let mut value_scales = vec![0.0; h];
        let mut means = vec![0.0; h];
        pack_values(
            level,
            &view,
            &mut packed_values,
            &mut value_scales,
            &mut means,
        );

        let mut query = QuantizedRows::one_group(SIDE, h);
        let mut probabilities = QuantizedRows::one_group(SIDE, n);
        for first in (0..self.queries.len()).step_by(SIDE) {
            let count = SIDE.min(self.queries.len() - first);
            for at in 0..count {
                let row = self.row(attention.query, self.queries.start + first + at);
                query.put(level, at, row);
            }
            int8_sums(
                products,
                level,
                &query,
                0,
                &packed_keys,
                stride,
                &mut scores,
            );
            for (at, scores) in scores.chunks_exact_mut(padded).take(count).enumerate() {
                let sees = self.sees(first + at);
                let (tile, scale, sum) = probabilities.row_mut(at);
                *sum = softmax_int8(level, &mut scores[..sees], &key_scales, tile, at % TILE);
                *scale = 1.0 / *sum as f32;
            }
            int8_sums(
                products,
                level,
                &probabilities,
                0,
                &packed_values,
                value_stride,
                &mut result,
            );
            for (at, result) in result
                .chunks_exact(value_panels * TILE)
                .take(count)
                .enumerate()
            {
                let out = self.out.row(first + at).iter_mut();
                for (((out, result), scale), mean) in out.zip(result).zip(&value_scales).zip(&means)
                {
                    *out = result * scale + mean;
                }
            }
        }
    }

    fn run_float(&mut self, products: &Products, level: Level) {
        let (n, h) = (self.keys.len(), self.columns.len());
        let (key_panels, value_panels) = (n.div_ceil(TILE), h.div_ceil(TILE));
        let padded = key_panels * TILE;
        let mut keys = Buffer::scratch(padded * h);
        let mut values = Buffer::scratch(value_panels * TILE * n);
        let mut all_scores = Buffer::scratch(FLOAT_ROWS * padded);
        let mut all_results = Buffer::scratch(FLOAT_ROWS * value_panels * TILE);
        let attention = self.attention;
        keys.fill(0.0);
        values.fill(0.0);
        for at in 0..n {
            let row = self.row(attention.key, self.keys.start + at);
            let panel = &mut keys[at / TILE * TILE * h..][..TILE * h];
            for (place, x) in panel[at % TILE..].iter_mut().step_by(TILE).zip(row) {
                *place = *x;
            }
            let row = self.row(attention.value, self.keys.start + at);
            for (part, panel) in row.chunks(TILE).zip(values.chunks_exact_mut(TILE * n)) {
                panel[at * TILE..][..part.len()].copy_from_slice(part);
            }
        }
        let factor = 1.0 / (h as f32).sqrt();
        let mut query = vec![0.0; FLOAT_ROWS * h];
        let mut packed_query = Buffer::scratch(FLOAT_ROWS * h);
        let mut packed_scores = Buffer::scratch(FLOAT_ROWS * n);
        for first in (0..self.queries.len()).step_by(FLOAT_ROWS) {
            let count = FLOAT_ROWS.min(self.queries.len() - first);
            for (at, scaled) in query.chunks_exact_mut(h).take(count).enumerate() {
                let row = self.row(attention.query, self.queries.start + first + at);
                for (scaled, x) in scaled.iter_mut().zip(row) {
                    *scaled = x * factor;
                }
            }
            let scores = &mut all_scores[..count * padded];
            pack_rows(&query[..count * h], h, &mut packed_query[..count * h]);
            float_sums(products, &packed_query[..count * h], h, &keys, scores);
            // The rows of scores become the left operand, [count, n]: close up what the last panel has too many.
            let mut sums = [1.0; FLOAT_ROWS];
            for (at, sum) in sums.iter_mut().take(count).enumerate() {
                let sees = self.sees(first + at);
                let row = &mut scores[at * padded..][..n];
                *sum = softmax(level, &mut row[..sees]);
                row[sees..].fill(0.0);
                scores.copy_within(at * padded..at * padded + n, at * n);
            }
            let result = &mut all_results[..count * value_panels * TILE];
            pack_rows(&scores[..count * n], n, &mut packed_scores[..count * n]);
            float_sums(products, &packed_scores[..count * n], n, &values, result);
            for (at, result) in result.chunks_exact(value_panels * TILE).enumerate() {
                for (out, result) in self.out.row(first + at).iter_mut().zip(result) {
                    *out = result / sums[at];
                }
            }
        }
    }
}

/// Some columns of a row-major matrix.
struct View<'a> {
    matrix: &'a [f32],
    rows: usize,
    width: usize,
    columns: Range<usize>,
}

impl View<'_> {
    #[inline(always)]
    fn row(&self, row: usize) -> &[f32] {
        &self.matrix[row * self.width..][self.columns.clone()]
    }

    /// The mean row.
    #[inline(always)]
    fn mean(&self, mean: &mut [f32]) {
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
    /// Packs keys as weights with an output each: less their mean, with a scale each that has `factor` in it.
    fn pack_keys(keys: &View<'_>, factor: f32, packed: &mut [u8], scales: &mut [f32]) {
        let h = keys.columns.len();
        let blocks = panels::blocks(h);
        let mut mean = vec![0.0; h];
        keys.mean(&mut mean);
        let mut blocks_of_key = vec![[0.0_f32; K_BLOCK]; blocks];
        packed.fill(128);
        for (key, scale) in scales.iter_mut().enumerate().take(keys.rows) {
            let row = keys.row(key).chunks(K_BLOCK).zip(mean.chunks(K_BLOCK));
            let mut max = 0.0_f32;
            for (block, (key, mean)) in blocks_of_key.iter_mut().zip(row) {
                for ((x, key), mean) in block.iter_mut().zip(key).zip(mean) {
                    *x = key - mean;
                }
                max = most(max, largest(block));
            }
            *scale = max / 127.0 * factor;
            let inverse = if max > 0.0 && max.is_finite() { 127.0 / max } else { 0.0 };
            let panel = &mut packed[key / TILE * blocks * BLOCK_BYTES..][..blocks * BLOCK_BYTES];
            for (block, panel) in blocks_of_key.iter().zip(panel.chunks_exact_mut(BLOCK_BYTES)) {
                let (mut bytes, mut sums) = ([0; K_BLOCK], [0; TILE]);
                put_block(block, &mut bytes, &mut sums, |x| nearest(x * inverse).1 ^ 0x80);
                let place = panel[key % TILE * 4..].chunks_mut(4 * TILE);
                for (place, four) in place.zip(bytes.chunks_exact(4)) {
                    for (place, byte) in place.iter_mut().zip(four) {
                        *place = *byte as u8;
                    }
                }
            }
        }
    }
}

vectorized! {
    /// Packs values as weights with an input each: less their mean, with a scale for each column.
    fn pack_values(values: &View<'_>, packed: &mut [u8], scales: &mut [f32], means: &mut [f32]) {
        let h = values.columns.len();
        let blocks = panels::blocks(values.rows);
        values.mean(means);
        let mut extent = vec![0.0_f32; h];
        for row in 0..values.rows {
            for ((largest, x), mean) in extent.iter_mut().zip(values.row(row)).zip(&*means) {
                *largest = most(*largest, x - mean);
            }
        }
        let mut inverse = vec![0.0; h];
        for ((scale, inverse), max) in scales.iter_mut().zip(&mut inverse).zip(extent) {
            *scale = max / 127.0;
            *inverse = if max > 0.0 && max.is_finite() { 127.0 / max } else { 0.0 };
        }
        // A place for each column of whole panels: 128 stands for 0.
        let width = h.next_multiple_of(TILE);
        let mut words = vec![0x8080_8080_u32; width];
        for group in 0..blocks * TILE {
            words.fill(0x8080_8080);
            for byte in 0..4 {
                let row = group * 4 + byte;
                if row >= values.rows {
                    break;
                }
                let columns = words.iter_mut().zip(values.row(row)).zip(&*means).zip(&inverse);
                for (((word, x), mean), inverse) in columns {
                    let q = nearest((x - mean) * inverse).1 as u32 & 0xFF;
                    *word ^= q << (8 * byte);
                }
            }
            for (panel, words) in packed.chunks_exact_mut(blocks * BLOCK_BYTES).zip(words.chunks_exact(TILE)) {
                let place = &mut panel[group * 4 * TILE..][..4 * TILE];
                for (place, word) in place.chunks_exact_mut(4).zip(words) {
                    place.copy_from_slice(&word.to_le_bytes());
                }
            }
        }
    }
}

vectorized! {
    /// The softmax, to the base 2, of a row of scores times the scales of their keys: in multiples of 1/127 of
    /// the largest, written to row `at` of a tile, whose other places become 0. Gives the sum of the multiples.
    fn softmax_int8(scores: &mut [f32], scales: &[f32], tile: &mut [i8], at: usize) -> i32 {
        let max = scaled_maximum(scores, scales);
        let mut sums = [0_i32; TILE];
        let mut scores = scores.chunks(K_BLOCK);
        for block in tile.chunks_exact_mut(BLOCK_BYTES) {
            let Some(place) = block[at * K_BLOCK..].first_chunk_mut() else {
                break;
            };
            let integer = |score: f32| nearest(127.0 * exp2_coarse::<FMA>(score - max)).1;
            let Some(scores) = scores.next() else {
                place.fill(0);
                continue;
            };
            match scores.first_chunk::<K_BLOCK>() {
                Some(scores) => put_block(scores, place, &mut sums, integer),
                None => {
                    // What is not there has the probability 0.
                    let mut padded = [f32::NEG_INFINITY; K_BLOCK];
                    padded[..scores.len()].copy_from_slice(scores);
                    put_block(&padded, place, &mut sums, integer);
                }
            }
        }
        sums.iter().sum()
    }
}

/// Multiplies scores with the scales of their keys and gives the largest.
#[inline(always)]
fn scaled_maximum(scores: &mut [f32], scales: &[f32]) -> f32 {
    let mut lanes = [f32::NEG_INFINITY; 16];
    let scales = &scales[..scores.len()];
    let mut chunks = scores.chunks_exact_mut(16);
    let mut factors = scales.chunks_exact(16);
    for (chunk, factors) in (&mut chunks).zip(&mut factors) {
        for ((lane, score), factor) in lanes.iter_mut().zip(chunk).zip(factors) {
            *score *= factor;
            *lane = if *score > *lane { *score } else { *lane };
        }
    }
    for (score, factor) in chunks.into_remainder().iter_mut().zip(factors.remainder()) {
        *score *= factor;
        lanes[0] = lanes[0].max(*score);
    }
    lanes.into_iter().fold(f32::NEG_INFINITY, f32::max)
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

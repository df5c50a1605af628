//! Attention of one head by integers.

use super::super::buffer::{Buffer, Window};
use super::super::functions::{exp2_coarse, fold, nearest};
use super::super::level::vectorized;
use super::super::panels;
use super::super::products::{BLOCK_BYTES, K_BLOCK, Products, SIDE, TILE};
use super::super::rows::{QuantizedRows, largest, most, put_block};
use super::super::strips::{Epilogue, Int8Panels, Int8Product};
use super::{Head, View};

impl Head<'_> {
    pub(super) fn run_int8(&self, products: &Products, out: &mut Window<'_, f32>) {
        let level = products.level();
        let (n, h) = (self.key.rows, self.key.columns.len());
        let padded = n.next_multiple_of(TILE);
        // The softmax is taken to the base 2.
        let factor = std::f32::consts::LOG2_E / (h as f32).sqrt();
        let stride = panels::blocks(h) * BLOCK_BYTES;
        let mut packed = Buffer::scratch(padded / TILE * stride);
        let mut key_scales = vec![0.0; padded];
        pack_keys(level, &self.key, factor, &mut packed, &mut key_scales);
        let keys = Int8Panels {
            bytes: &packed,
            stride,
        };
        let stride = panels::blocks(n) * BLOCK_BYTES;
        let mut packed = Buffer::scratch(h.div_ceil(TILE) * stride);
        let (mut value_scales, mut means) = (vec![0.0; h], vec![0.0; h]);
        pack_values(
            level,
            &self.value,
            &mut packed,
            &mut value_scales,
            &mut means,
        );
        let values = Int8Panels {
            bytes: &packed,
            stride,
        };
        let by_key = Epilogue {
            scales: &key_scales,
            bias: &[],
        };
        let by_value = Epilogue {
            scales: &value_scales,
            bias: &means,
        };

        let mut query = QuantizedRows::one_group(SIDE, h);
        let mut probabilities = QuantizedRows::one_group(SIDE, n);
        let mut scores = Buffer::scratch(SIDE * padded);
        for first in (0..self.query.rows).step_by(SIDE) {
            let count = SIDE.min(self.query.rows - first);
            query.put_rows(level, &self.query.strided(first..first + count));
            let asked = Int8Product {
                rows: &query,
                panels: keys,
                epilogue: by_key,
            };
            let scores = &mut scores[..count * padded];
            asked.write(products, 0, &mut Window::whole(scores, padded));
            let sees: Vec<_> = (first..first + count)
                .map(|query| self.sees(query))
                .collect();
            softmax_int8(level, scores, padded, &sees, &mut probabilities);
            let answered = Int8Product {
                rows: &probabilities,
                panels: values,
                epilogue: by_value,
            };
            answered.write(products, 0, &mut out.part(first..first + count, 0..h));
        }
    }
}

vectorized! {
    /// Packs keys as weights with an output each: less their mean, with a scale each that has `factor` in it.
    fn pack_keys(keys: &View<'_>, factor: f32, packed: &mut [u8], scales: &mut [f32]) {
        let h = keys.columns.len();
        let blocks = panels::blocks(h);
        let mut mean = vec![0.0; h];
        keys.mean(&mut mean);
        let mut numbers = vec![[0.0_f32; K_BLOCK]; blocks];
        let mut rows = vec![[[0_i8; K_BLOCK]; TILE]; blocks];
        let panels = packed.chunks_exact_mut(blocks * BLOCK_BYTES).zip(scales.chunks_mut(TILE));
        for (panel, (packed, scales)) in panels.enumerate() {
            rows.fill([[0; K_BLOCK]; TILE]);
            let first = panel * TILE;
            for (at, scale) in scales.iter_mut().enumerate().take(keys.rows - first) {
                let row = keys.row(first + at).chunks(K_BLOCK).zip(mean.chunks(K_BLOCK));
                let mut max = 0.0_f32;
                for (numbers, (key, mean)) in numbers.iter_mut().zip(row) {
                    for ((x, key), mean) in numbers.iter_mut().zip(key).zip(mean) {
                        *x = key - mean;
                    }
                    max = most(max, largest(numbers));
                }
                *scale = max / 127.0 * factor;
                let inverse = if max > 0.0 && max.is_finite() { 127.0 / max } else { 0.0 };
                for (numbers, rows) in numbers.iter().zip(&mut rows) {
                    put_block(numbers, &mut rows[at], &mut [0; TILE], |x| nearest(x * inverse).1);
                }
            }
            // Rows become columns, by four bytes.
            for (rows, packed) in rows.iter().zip(packed.as_chunks_mut::<BLOCK_BYTES>().0) {
                for (key, row) in rows.iter().enumerate() {
                    let words = packed.as_chunks_mut::<4>().0[key..].iter_mut().step_by(TILE);
                    for (word, four) in words.zip(row.as_chunks::<4>().0) {
                        *word = four.map(|q| q as u8 ^ 0x80);
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
    /// The softmax, to the base 2, of rows of scores, of each the first that its query sees: as multiples of 1/127 of the
    /// largest, with a scale that makes their sum 1.
    fn softmax_int8(scores: &[f32], width: usize, sees: &[usize], probabilities: &mut QuantizedRows) {
        for (at, (scores, &sees)) in scores.chunks_exact(width).zip(sees).enumerate() {
            let scores = &scores[..sees];
            let (tile, scale, sum) = probabilities.row_mut(at);
            let max = maximum(scores);
            let mut sums = [0_i32; TILE];
            let mut scores = scores.chunks(K_BLOCK);
            for block in tile.as_chunks_mut::<BLOCK_BYTES>().0 {
                let place = &mut block.as_chunks_mut::<K_BLOCK>().0[at % TILE];
                let integer = |score: f32| nearest(127.0 * exp2_coarse::<FMA>(score - max)).1;
                let scores = scores.next().unwrap_or_default();
                match scores.first_chunk::<K_BLOCK>() {
                    Some(scores) => put_block(scores, place, &mut sums, integer),
                    None if scores.is_empty() => place.fill(0),
                    None => {
                        // What is not there has the probability 0.
                        let mut padded = [f32::NEG_INFINITY; K_BLOCK];
                        padded[..scores.len()].copy_from_slice(scores);
                        put_block(&padded, place, &mut sums, integer);
                    }
                }
            }
            *sum = fold(sums, i32::wrapping_add);
            *scale = 1.0 / *sum as f32;
        }
    }
}

/// The largest score. (NaN is none.)
#[inline(always)]
fn maximum(scores: &[f32]) -> f32 {
    let mut lanes = [f32::NEG_INFINITY; TILE];
    let larger = |a: f32, b: f32| if b > a { b } else { a };
    let (chunks, rest) = scores.as_chunks::<TILE>();
    for chunk in chunks {
        for (lane, score) in lanes.iter_mut().zip(chunk) {
            *lane = larger(*lane, *score);
        }
    }
    for (lane, score) in lanes.iter_mut().zip(rest) {
        *lane = larger(*lane, *score);
    }
    fold(lanes, larger)
}

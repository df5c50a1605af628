//! Attention of one head by integers.

use super::super::buffer::{Buffer, Window};
use super::super::functions::{exp2_coarse, nearest};
use super::super::level::{Level, vectorized};
use super::super::linear::int8_sums;
use super::super::panels;
use super::super::products::{BLOCK_BYTES, K_BLOCK, Products, SIDE, TILE};
use super::super::rows::{QuantizedRows, largest, most, put_block};
use super::{Head, View};

impl Head<'_> {
    pub(super) fn run_int8(&self, products: &Products, level: Level, out: &mut Window<'_, f32>) {
        let (n, h) = (self.key.rows, self.key.columns.len());
        let stride = panels::blocks(h) * BLOCK_BYTES;
        let value_stride = panels::blocks(n) * BLOCK_BYTES;
        let key_panels = n.div_ceil(TILE);
        let value_panels = h.div_ceil(TILE);
        let padded = key_panels * TILE;
        let mut packed_keys = Buffer::scratch(key_panels * stride);
        let mut packed_values = Buffer::scratch(value_panels * value_stride);
        let mut scores = Buffer::scratch(SIDE * padded);
        let mut result = Buffer::scratch(SIDE * value_panels * TILE);
        // The softmax is taken to the base 2.
        let factor = std::f32::consts::LOG2_E / (h as f32).sqrt();
        let mut key_scales = vec![0.0; padded];
        pack_keys(level, &self.key, factor, &mut packed_keys, &mut key_scales);
        let mut value_scales = vec![0.0; h];
        let mut means = vec![0.0; h];
        pack_values(
            level,
            &self.value,
            &mut packed_values,
            &mut value_scales,
            &mut means,
        );

        let mut query = QuantizedRows::one_group(SIDE, h);
        let mut probabilities = QuantizedRows::one_group(SIDE, n);
        for first in (0..self.query.rows).step_by(SIDE) {
            let count = SIDE.min(self.query.rows - first);
            for at in 0..count {
                let row = self.query.row(first + at);
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
                let out = out.row(first + at).iter_mut();
                for (((out, result), scale), mean) in out.zip(result).zip(&value_scales).zip(&means)
                {
                    *out = result * scale + mean;
                }
            }
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

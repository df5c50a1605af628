//! Weights in the order of the kernels: panels of 16 outputs.
//!
//! ```text
//! q8    [panels][blocks of 64 inputs][16 groups of 4 inputs][16 outputs][4]   bytes, w + 128
//! q4    [panels][blocks of 32 inputs][256]   byte i holds two of the 512 values that q8 would have here:
//!                                            value i in its low half, value i + 256 in its high half, w + 8
//! f32   [panels][inputs][16 outputs]
//! f16   as f32
//! ```
//!
//! Outputs and inputs that are missing from the last panel or block are zeros.

use half::f16;

use super::buffer::{Buffer, Number};
use super::level::{fma, vectorized};
use super::products::{BLOCK_BYTES, K_BLOCK, TILE};
use crate::weights::Q4_BLOCK;

/// Inputs that share a scale in `q4`.
pub(crate) const HALF: usize = Q4_BLOCK as usize;

/// Bytes of one block of `q4`.
pub(crate) const HALF_BYTES: usize = TILE * HALF / 2;

/// How many blocks of 64 inputs a panel has.
pub(crate) const fn blocks(inputs: usize) -> usize {
    let blocks = inputs.div_ceil(K_BLOCK);
    if blocks == 0 { 1 } else { blocks }
}

/// How many blocks of 32 inputs a panel of `q4` has.
pub(crate) const fn halves(inputs: usize) -> usize {
    let halves = inputs.div_ceil(HALF);
    if halves == 0 { 1 } else { halves }
}

/// Packs a `q8` matrix `[outputs, inputs]`.
pub(crate) fn pack_q8(weights: &[i8], outputs: usize, inputs: usize) -> Buffer<u8> {
    let blocks = blocks(inputs);
    let mut packed = Buffer::zeros(outputs.div_ceil(TILE) * blocks * BLOCK_BYTES);
    packed.fill(128);
    for (output, row) in weights
        .chunks_exact(inputs.max(1))
        .take(outputs)
        .enumerate()
    {
        let panel = &mut packed[output / TILE * blocks * BLOCK_BYTES..][..blocks * BLOCK_BYTES];
        for (group, four) in row.chunks(4).enumerate() {
            let place = &mut panel[group * 4 * TILE + output % TILE * 4..][..four.len()];
            for (byte, &w) in place.iter_mut().zip(four) {
                *byte = w as u8 ^ 0x80;
            }
        }
    }
    packed
}

/// The reverse of [`pack_q8`].
pub(crate) fn unpack_q8(packed: &[u8], outputs: usize, inputs: usize) -> Vec<i8> {
    let blocks = blocks(inputs);
    let mut weights = Vec::with_capacity(outputs * inputs);
    for output in 0..outputs {
        let panel = &packed[output / TILE * blocks * BLOCK_BYTES..][..blocks * BLOCK_BYTES];
        weights.extend((0..inputs).map(|input| {
            (panel[input / 4 * 4 * TILE + output % TILE * 4 + input % 4] ^ 0x80) as i8
        }));
    }
    weights
}

/// Packs integers of −8..=7, `[outputs, inputs]` with a byte each, as `q4`.
pub(crate) fn pack_q4(weights: &[i8], outputs: usize, inputs: usize) -> Buffer<u8> {
    let wide = pack_q8(weights, outputs, inputs);
    let halves = halves(inputs);
    let mut packed = Buffer::zeros(outputs.div_ceil(TILE) * halves * HALF_BYTES);
    let panel_bytes = blocks(inputs) * BLOCK_BYTES;
    for (at, bytes) in packed.chunks_exact_mut(HALF_BYTES).enumerate() {
        let (panel, half) = (at / halves, at % halves);
        let wide = &wide[panel * panel_bytes + half * 2 * HALF_BYTES..][..2 * HALF_BYTES];
        let (low, high) = wide.split_at(HALF_BYTES);
        for ((byte, &low), &high) in bytes.iter_mut().zip(low).zip(high) {
            // w + 128 − 120 = w + 8.
            *byte = (low.wrapping_sub(120) & 15) | (high.wrapping_sub(120) & 15) << 4;
        }
    }
    packed
}

/// The reverse of [`pack_q4`].
pub(crate) fn unpack_q4(packed: &[u8], outputs: usize, inputs: usize) -> Vec<i8> {
    let halves = halves(inputs);
    let mut weights = Vec::with_capacity(outputs * inputs);
    for output in 0..outputs {
        let panel = &packed[output / TILE * halves * HALF_BYTES..][..halves * HALF_BYTES];
        weights.extend((0..inputs).map(|input| {
            let inside = input % HALF;
            let place = inside / 4 * 4 * TILE + output % TILE * 4 + inside % 4;
            let byte = panel[input / HALF * HALF_BYTES + place % HALF_BYTES];
            (byte >> (place / HALF_BYTES * 4) & 15) as i8 - 8
        }));
    }
    weights
}

/// Packs a matrix of floats, or of the bits of half-precision floats, `[outputs, inputs]`.
pub(crate) fn pack_floats<T: Number>(weights: &[T], outputs: usize, inputs: usize) -> Buffer<T> {
    let mut packed = Buffer::zeros(outputs.div_ceil(TILE) * inputs * TILE);
    for (output, row) in weights
        .chunks_exact(inputs.max(1))
        .take(outputs)
        .enumerate()
    {
        let panel = &mut packed[output / TILE * inputs * TILE..][..inputs * TILE];
        for (place, &w) in panel[output % TILE..].iter_mut().step_by(TILE).zip(row) {
            *place = w;
        }
    }
    packed
}

/// The reverse of [`pack_floats`].
pub(crate) fn unpack_floats<T: Number>(packed: &[T], outputs: usize, inputs: usize) -> Vec<T> {
    let mut weights = Vec::with_capacity(outputs * inputs);
    for output in 0..outputs {
        let panel = &packed[output / TILE * inputs * TILE..][..inputs * TILE];
        weights.extend(panel.iter().skip(output % TILE).step_by(TILE));
    }
    weights
}

/// The scales of one panel of `q4`, `[blocks of 32 inputs, 16]`, from the bits of those of the matrix,
/// `[outputs, blocks]`; the panel begins at output `first`.
pub(super) fn panel_scales(scales: &[u16], halves: usize, first: usize) -> Vec<f32> {
    let mut panel = vec![0.0; halves * TILE];
    for output in 0..TILE {
        let Some(row) = scales.get((first + output) * halves..(first + output + 1) * halves) else {
            break;
        };
        for (half, scale) in row.iter().enumerate() {
            panel[half * TILE + output] = f16::from_bits(*scale).to_f32();
        }
    }
    panel
}

vectorized! {
    /// Widens one panel of `q4` to one of `q8`: each block's integers times the ratio of its scale to that of
    /// its output, `ratios: [blocks of 32 inputs, 16]`, rounded.
    pub(super) fn widen_q4(packed: &[u8], ratios: &[f32], panel: &mut [u8]) {
        // A last half block that is missing holds zeros.
        panel[ratios.len() / TILE * 2 * HALF_BYTES..].fill(128);
        let halves = packed.chunks_exact(HALF_BYTES).zip(ratios.chunks_exact(TILE));
        for ((packed, ratios), wide) in halves.zip(panel.chunks_exact_mut(2 * HALF_BYTES)) {
            let mut four = [0.0; 4 * TILE];
            for (four, &ratio) in four.chunks_exact_mut(4).zip(ratios) {
                four.fill(ratio);
            }
            let (low, high) = wide.split_at_mut(HALF_BYTES);
            let rows = packed.chunks_exact(4 * TILE).zip(low.chunks_exact_mut(4 * TILE)).zip(high.chunks_exact_mut(4 * TILE));
            for ((packed, low), high) in rows {
                for (((byte, low), high), ratio) in packed.iter().zip(low).zip(high).zip(&four) {
                    // 2²³ + 128 + w·ratio: the low byte of the float's bits is the rounded integer.
                    const MAGIC: f32 = 8_388_608.0 + 128.0;
                    let l = f32::from(byte & 15) - 8.0;
                    let h = f32::from(byte >> 4) - 8.0;
                    *low = fma::<FMA>(l, *ratio, MAGIC).to_bits() as u8;
                    *high = fma::<FMA>(h, *ratio, MAGIC).to_bits() as u8;
                }
            }
        }
    }
}

vectorized! {
    /// Widens half-precision floats.
    pub(super) fn widen_f16(packed: &[u16], out: &mut [f32]) {
        for (out, &bits) in out.iter_mut().zip(packed) {
            // By hand, so that the compiler makes it into vectors: exponent and fraction move to their new
            // places, and the product mends the exponent's bias, subnormal numbers included.
            let magnitude = f32::from_bits(u32::from(bits & 0x7FFF) << 13);
            let value = magnitude * f32::from_bits((254 - 15) << 23);
            let infinite = bits & 0x7C00 == 0x7C00;
            let value = if infinite { f32::from_bits(magnitude.to_bits() | 0x7F80_0000) } else { value };
            *out = f32::from_bits(value.to_bits() | u32::from(bits & 0x8000) << 16);
        }
    }
}

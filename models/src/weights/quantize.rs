//! From `f32` to the stored types and back, a row at a time.
//!
//! `q8` is symmetric: a row w of a matrix `[out, in]` becomes integers q = round(w / s) in −127..=127
//! with s = max|w| / 127, ties to even, and is read as q·s. A row of zeros has s = 0. −128 is never
//! written, so that a kernel may negate.
//!
//! `q4` is the same for each block of 32 weights along a row, with integers in −7..=7 and a scale that is
//! rounded to half precision first. Of some scales around max|w| / 7, the one with the least squared error
//! is taken: a little clipping of the largest weight often makes the other 31 finer.

use half::f16;
use half::slice::{HalfBitsSliceExt as _, HalfFloatSliceExt as _};

use super::table::Q4_BLOCK;

/// The largest quantized magnitude of `q8`.
const Q8_MAX: f32 = 127.0;

/// Quantizes one row to `q8` and returns its scale.
pub(crate) fn q8_row(row: &[f32], out: &mut Vec<i8>) -> f32 {
    let max = row.iter().fold(0.0_f32, |max, w| max.max(w.abs()));
    let scale = max / Q8_MAX;
    if scale == 0.0 {
        out.extend(row.iter().map(|_| 0));
        return 0.0;
    }
    out.extend(
        row.iter()
            .map(|w| (w / scale).round_ties_even().clamp(-Q8_MAX, Q8_MAX) as i8),
    );
    scale
}

/// The largest quantized magnitude of `q4`.
const Q4_MAX: f32 = 7.0;

/// The scales that are tried for a block of `q4`, as parts of max|w| / 7.
const Q4_SCALES: [f32; 8] = [1.0, 0.96, 0.92, 0.88, 0.84, 0.8, 0.76, 0.72];

/// Quantizes one row to `q4`, a byte for each weight, and appends the scale of each block.
pub(crate) fn q4_row(row: &[f32], out: &mut Vec<i8>, scales: &mut Vec<f16>) {
    for block in row.chunks(Q4_BLOCK as usize) {
        let max = block.iter().fold(0.0_f32, |max, w| max.max(w.abs()));
        let quantize = |scale: f32, w: f32| (w / scale).round_ties_even().clamp(-Q4_MAX, Q4_MAX);
        let candidates = Q4_SCALES
            .iter()
            .map(|part| f16::from_f32(part * max / Q4_MAX));
        let error = |scale: f16| -> f32 {
            let scale = scale.to_f32();
            block
                .iter()
                .map(|&w| (w - scale * quantize(scale, w)).powi(2))
                .sum()
        };
        let usable = candidates.filter(|scale| *scale > f16::ZERO && scale.is_finite());
        let best = usable.min_by(|a, b| error(*a).total_cmp(&error(*b)));
        // A block of zeros, or of weights too small for half precision, becomes zeros.
        let scale = best.unwrap_or(f16::ZERO);
        scales.push(scale);
        let scale = scale.to_f32();
        out.extend(block.iter().map(|&w| {
            if scale > 0.0 {
                quantize(scale, w) as i8
            } else {
                0
            }
        }));
    }
}

/// Puts a row of `q4` into bytes: two weights each, the first in the low half, whole blocks.
pub(crate) fn q4_bytes(row: &[i8], out: &mut Vec<u8>) {
    for block in row.chunks(Q4_BLOCK as usize) {
        let mut padded = [0; Q4_BLOCK as usize];
        padded[..block.len()].copy_from_slice(block);
        out.extend(
            padded
                .chunks_exact(2)
                .map(|two| (two[0] as u8 & 15) | (two[1] as u8) << 4),
        );
    }
}

/// The reverse of [`q4_bytes`] for a row of `width` weights.
pub(crate) fn q4_integers(bytes: &[u8], width: usize, out: &mut Vec<i8>) {
    let integers = bytes
        .iter()
        .flat_map(|&byte| [(byte << 4) as i8 >> 4, byte as i8 >> 4]);
    out.extend(integers.take(width));
}

/// Reads one `q4` row from its integers and the bits of its scales, appending to `out`.
pub(crate) fn read_q4_row(row: &[i8], scales: &[u16], out: &mut Vec<f32>) {
    for (block, &bits) in row.chunks(Q4_BLOCK as usize).zip(scales) {
        let scale = f16::from_bits(bits).to_f32();
        out.extend(block.iter().map(|&q| f32::from(q) * scale));
    }
}

/// Reads one `q8` row, appending to `out`.
pub(crate) fn read_q8_row(row: &[i8], scale: f32, out: &mut Vec<f32>) {
    out.extend(row.iter().map(|&q| f32::from(q) * scale));
}

/// The two bytes of `value` in half precision; `None` where it is too large for one.
pub(crate) fn f16_bytes(value: f32) -> Option<[u8; 2]> {
    let half = f16::from_f32(value);
    half.is_finite().then(|| half.to_le_bytes())
}

/// Reads half-precision values, given as their bits, appending to `out`.
pub(crate) fn read_f16(bits: &[u16], out: &mut Vec<f32>) {
    let start = out.len();
    out.resize(start + bits.len(), 0.0);
    // By the processor's own instruction, where it has one.
    let halves: &[f16] = bits.reinterpret_cast();
    halves.convert_to_f32_slice(&mut out[start..]);
}

/// How far a stored tensor is from its source, summed up as it is written.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Difference {
    error: f64,
    source: f64,
    stored: f64,
    dot: f64,
}

impl Difference {
    pub(crate) fn add(&mut self, source: &[f32], stored: &[f32]) {
        for (&w, &v) in source.iter().zip(stored) {
            let (w, v) = (f64::from(w), f64::from(v));
            self.error += (w - v) * (w - v);
            self.source += w * w;
            self.stored += v * v;
            self.dot += w * v;
        }
    }

    /// ‖w − v‖ / ‖w‖, 0 for a tensor of zeros.
    pub(crate) fn relative_error(&self) -> f64 {
        if self.source == 0.0 {
            0.0
        } else {
            (self.error / self.source).sqrt()
        }
    }

    /// w·v / (‖w‖ ‖v‖), 1 for a tensor of zeros.
    pub(crate) fn cosine(&self) -> f64 {
        let norms = (self.source * self.stored).sqrt();
        if norms == 0.0 {
            1.0
        } else {
            (self.dot / norms).clamp(-1.0, 1.0)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_largest_weight_of_a_row_becomes_127() {
        let mut q = Vec::new();
        let scale = q8_row(&[-2.54, 1.0, 0.0, 0.03], &mut q);
        assert!((scale - 0.02).abs() < 1e-8);
        // -2.54/0.02, 1/0.02, 0, 0.03/0.02 = 1.5, which goes to the even neighbour (or is just off it).
        assert_eq!(&q[..3], &[-127, 50, 0]);
        assert!(q[3] == 1 || q[3] == 2);
    }

    #[test]
    fn ties_go_to_the_even_neighbour() {
        let mut q = Vec::new();
        assert_eq!(q8_row(&[127.0, 0.5, 1.5, 2.5, -0.5, -1.5], &mut q), 1.0);
        assert_eq!(q, [127, 0, 2, 2, 0, -2]);
    }

    #[test]
    fn zeros_and_denormals_do_not_divide_by_zero() {
        let mut q = Vec::new();
        assert_eq!(q8_row(&[0.0, -0.0], &mut q), 0.0);
        assert_eq!(q8_row(&[f32::from_bits(1)], &mut q), 0.0);
        assert_eq!(q, [0, 0, 0]);
    }

    #[test]
    fn f16_refuses_what_it_cannot_hold() {
        assert_eq!(f16_bytes(1.0), Some([0x00, 0x3c]));
        assert_eq!(f16_bytes(65504.0), Some([0xff, 0x7b]));
        assert_eq!(f16_bytes(70000.0), None);
    }

    #[test]
    fn an_exact_copy_has_no_error_and_cosine_one() {
        let mut difference = Difference::default();
        difference.add(&[1.0, -2.0, 3.0], &[1.0, -2.0, 3.0]);
        assert_eq!(difference.relative_error(), 0.0);
        assert!((difference.cosine() - 1.0).abs() < 1e-15);
    }
}

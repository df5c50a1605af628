//! A linear layer's weights as the CPU multiplies them.

use half::f16;
use morelet_mapped::{Plain, Slice};

use super::buffer::{Buffer, Number};
use super::level::Level;
use super::panels::{self, HALF_BYTES, panel_scales, widen_f16, widen_q4};
use super::products::{BLOCK_BYTES, TILE};

/// A matrix `[outputs, inputs]` with its bias.
pub(crate) struct Matrix {
    pub(crate) outputs: usize,
    pub(crate) inputs: usize,
    pub(crate) weights: Packed,
    /// `[outputs]`.
    pub(crate) bias: Option<Vec<f32>>,
}

/// Weights in the order of [`panels`].
pub(crate) enum Packed {
    /// A scale for each output.
    Q8 {
        panels: Numbers<u8>,
        scales: Numbers<f32>,
    },
    /// A scale for each output and block of 32 inputs, `[outputs, blocks]`; and one for each output, which
    /// they are brought to.
    Q4 {
        panels: Numbers<u8>,
        scales: Numbers<u16>,
        outputs: Vec<f32>,
    },
    /// The bits of half-precision floats.
    F16 { panels: Numbers<u16> },
    /// Floats.
    F32 { panels: Numbers<f32> },
}

/// Numbers in a file, or in memory of our own, aligned to 64 bytes.
pub(crate) enum Numbers<T> {
    Mapped(Slice<T>),
    Own(Buffer<T>),
}

impl<T: Number + Plain> std::ops::Deref for Numbers<T> {
    type Target = [T];

    fn deref(&self) -> &[T] {
        match self {
            Self::Mapped(numbers) => numbers,
            Self::Own(numbers) => numbers,
        }
    }
}

impl std::fmt::Debug for Matrix {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Matrix({} x {})", self.outputs, self.inputs)
    }
}

/// Some panels: where they lie, or widened.
pub(super) enum Panels<'a, T> {
    Stored(&'a [T]),
    Widened(Buffer<T>),
}

impl<T: Number> std::ops::Deref for Panels<'_, T> {
    type Target = [T];

    fn deref(&self) -> &[T] {
        match self {
            Self::Stored(panels) => panels,
            Self::Widened(panels) => panels,
        }
    }
}

impl Matrix {
    /// Whether it is multiplied with integers.
    pub(super) fn is_int8(&self) -> bool {
        matches!(self.weights, Packed::Q8 { .. } | Packed::Q4 { .. })
    }

    /// How many bytes of a panel of integers follow each other.
    pub(super) fn panel_bytes(&self) -> usize {
        panels::blocks(self.inputs) * BLOCK_BYTES
    }

    /// The scale of each output, of a matrix of integers.
    pub(super) fn output_scales(&self) -> &[f32] {
        match &self.weights {
            Packed::Q8 { scales, .. } => scales,
            Packed::Q4 { outputs, .. } => outputs,
            Packed::F16 { .. } | Packed::F32 { .. } => &[],
        }
    }

    /// Some panels of integers.
    pub(super) fn int8(&self, level: Level, range: std::ops::Range<usize>) -> Panels<'_, u8> {
        let width = self.panel_bytes();
        match &self.weights {
            Packed::Q8 { panels, .. } => {
                Panels::Stored(&panels[range.start * width..range.end * width])
            }
            Packed::Q4 {
                panels,
                scales,
                outputs,
            } => {
                let halves = panels::halves(self.inputs);
                let mut buffer = Buffer::scratch(range.len() * width);
                for (panel, wide) in range.clone().zip(buffer.chunks_exact_mut(width)) {
                    let mut ratios = panel_scales(scales, halves, panel * TILE);
                    for row in ratios.chunks_exact_mut(TILE) {
                        let outputs = outputs.get(panel * TILE..).unwrap_or_default();
                        for (ratio, &scale) in row.iter_mut().zip(outputs) {
                            *ratio = if scale > 0.0 { *ratio / scale } else { 0.0 };
                        }
                    }
                    let bytes = halves * HALF_BYTES;
                    widen_q4(level, &panels[panel * bytes..][..bytes], &ratios, wide);
                }
                Panels::Widened(buffer)
            }
            Packed::F16 { .. } | Packed::F32 { .. } => Panels::Stored(&[]),
        }
    }

    /// Some panels of floats.
    pub(super) fn floats(&self, level: Level, range: std::ops::Range<usize>) -> Panels<'_, f32> {
        let width = self.inputs * TILE;
        match &self.weights {
            Packed::F32 { panels } => {
                Panels::Stored(&panels[range.start * width..range.end * width])
            }
            Packed::F16 { panels } => {
                let packed = &panels[range.start * width..range.end * width];
                let mut buffer = Buffer::scratch(packed.len());
                widen_f16(level, packed, &mut buffer);
                Panels::Widened(buffer)
            }
            Packed::Q8 { .. } | Packed::Q4 { .. } => Panels::Stored(&[]),
        }
    }
}

/// The scale of each output for [`Packed::Q4`], from the bits of its blocks' scales, `[outputs, blocks]`: that of
/// the block with the largest, so that an integer of 8 there becomes 127.
pub(crate) fn q4_output_scales(scales: &[u16], inputs: usize) -> Vec<f32> {
    let row = |row: &[u16]| {
        // The bits of positive numbers are in their order.
        let largest = row.iter().map(|bits| bits & 0x7FFF).max().unwrap_or(0);
        f16::from_bits(largest).to_f32() * 8.0 / 127.0
    };
    scales
        .chunks_exact(panels::halves(inputs))
        .map(row)
        .collect()
}

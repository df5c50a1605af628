//! One tensor on its way into a file.

use super::quantize::{
    Difference, f16_bytes, q4_bytes, q4_row, q8_row, read_f16, read_q4_row, read_q8_row,
};
use super::table::Precision;
use crate::kernels::panels;

/// Quantizes a tensor row by row and keeps what is written behind its weights.
pub(super) struct Storing {
    precision: Precision,
    /// Whether the weights are held back until all are there, to be put in panels.
    in_panels: bool,
    bytes: Vec<u8>,
    /// Integers, of the row or of all rows.
    integers: Vec<i8>,
    /// Floats of all rows, or their bits, where they are held back.
    floats: Vec<f32>,
    halves: Vec<u16>,
    back: Vec<f32>,
    /// The bytes of the scales so far.
    pub(super) scales: Vec<u8>,
    /// How far what is stored is from its source.
    pub(super) difference: Difference,
}

impl Storing {
    pub(super) fn new(precision: Precision, in_panels: bool) -> Self {
        Self {
            precision,
            in_panels,
            bytes: Vec::new(),
            integers: Vec::new(),
            floats: Vec::new(),
            halves: Vec::new(),
            back: Vec::new(),
            scales: Vec::new(),
            difference: Difference::default(),
        }
    }

    /// Takes a row, and gives the bytes to write for it.
    pub(super) fn row(&mut self, row: &[f32]) -> &[u8] {
        self.bytes.clear();
        self.back.clear();
        if !self.in_panels {
            self.integers.clear();
        }
        let first = self.integers.len();
        match self.precision {
            Precision::F32 => {
                self.back.extend_from_slice(row);
                if self.in_panels {
                    self.floats.extend_from_slice(row);
                } else {
                    self.bytes.extend(row.iter().flat_map(|w| w.to_le_bytes()));
                }
            }
            Precision::F16 => {
                // The writer has refused what is too large.
                self.bytes
                    .extend(row.iter().filter_map(|&w| f16_bytes(w)).flatten());
                let bits = (self.bytes.chunks_exact(2)).map(|b| u16::from_le_bytes([b[0], b[1]]));
                let bits: Vec<u16> = bits.collect();
                read_f16(&bits, &mut self.back);
                if self.in_panels {
                    self.halves.extend(bits);
                    self.bytes.clear();
                }
            }
            Precision::Q8 => {
                let scale = q8_row(row, &mut self.integers);
                self.scales.extend(scale.to_le_bytes());
                read_q8_row(&self.integers[first..], scale, &mut self.back);
                if !self.in_panels {
                    self.bytes.extend(self.integers.iter().map(|&q| q as u8));
                }
            }
            Precision::Q4 => {
                let mut scales = Vec::new();
                q4_row(row, &mut self.integers, &mut scales);
                let bits: Vec<u16> = scales.iter().map(|scale| scale.to_bits()).collect();
                self.scales
                    .extend(bits.iter().flat_map(|bits| bits.to_le_bytes()));
                read_q4_row(&self.integers[first..], &bits, &mut self.back);
                if !self.in_panels {
                    q4_bytes(&self.integers, &mut self.bytes);
                }
            }
        }
        self.difference.add(row, &self.back);
        &self.bytes
    }

    /// The bytes of all rows in panels; none where they have been written.
    pub(super) fn panels(&mut self, rows: usize, width: usize) -> Vec<u8> {
        if !self.in_panels {
            return Vec::new();
        }
        match self.precision {
            Precision::F32 => {
                let packed = panels::pack_floats(&self.floats, rows, width);
                packed.iter().flat_map(|w| w.to_le_bytes()).collect()
            }
            Precision::F16 => {
                let packed = panels::pack_floats(&self.halves, rows, width);
                packed.iter().flat_map(|bits| bits.to_le_bytes()).collect()
            }
            Precision::Q8 => panels::pack_q8(&self.integers, rows, width).to_vec(),
            Precision::Q4 => panels::pack_q4(&self.integers, rows, width).to_vec(),
        }
    }
}

//! The rows that a graph is made of: 8-bit integers, in a scratch file.

use std::path::Path;

use morelet_mapped::{Scratch, ScratchMap};

use super::work::Work;
use crate::error::Result;
use crate::image::vectors::{scale, stored, stored_integer};
use crate::kernels::features::feature_kernels;
use crate::kernels::rows::{Integers, OFFSET, ROW_ALIGNMENT, Rows, row_kernels};

/// Features less their mean, as integers.
pub(super) struct GraphRows {
    /// The mean.
    pub centre: Vec<f32>,
    bytes: ScratchMap<u8>,
    stride: usize,
    scales: Vec<f32>,
    /// The squares of the rows' lengths.
    squares: Vec<f32>,
}

/// A row that others are compared with. Its memory serves one after the other.
#[derive(Default)]
pub(super) struct RowQuery {
    row: u32,
    integers: Integers,
    products: Vec<i32>,
}

impl RowQuery {
    /// Takes a row.
    pub fn set(&mut self, row: u32, rows: &GraphRows) {
        self.row = row;
        let bytes = rows.row(row);
        self.integers.set(bytes.len(), bytes.len(), |integers| {
            let mut sum = 0;
            for (integer, &byte) in integers.iter_mut().zip(bytes) {
                *integer = stored_integer(byte);
                sum += i32::from(*integer);
            }
            sum
        });
    }
}

impl GraphRows {
    /// The rows of `features`, `[n, dim]`.
    pub fn new(
        features: &[f32],
        dim: usize,
        folder: &Path,
        work: &mut Work<'_>,
    ) -> Result<GraphRows> {
        let centre = mean(features, dim);
        let (stride, len) = (dim.next_multiple_of(ROW_ALIGNMENT), features.len() / dim);
        let mut scratch = Scratch::create_in(folder)?;
        let (mut scales, mut squares) = (Vec::with_capacity(len), Vec::with_capacity(len));
        let mut bytes = vec![OFFSET; stride];
        let (mut difference, mut integers) = (vec![0.0; dim], vec![0; dim]);
        let kernels = feature_kernels();
        for (place, feature) in features.chunks_exact(dim).enumerate() {
            let largest = (kernels.subtract)(feature, 1.0, &centre, &mut difference);
            let scale = scale(largest);
            (kernels.round)(&mut difference, scale, &mut integers);
            let mut square = 0i64;
            for (byte, &integer) in bytes.iter_mut().zip(&integers) {
                square += i64::from(integer) * i64::from(integer);
                *byte = stored(integer);
            }
            scratch.put(&bytes)?;
            scales.push(scale);
            // Rounded as in `of_product`: equal rows are at distance 0 exactly.
            squares.push(square as f32 * (scale * scale));
            if place % 4096 == 0 {
                work.tell("rounding features", place as u64, len as u64)?;
            }
        }
        Ok(GraphRows {
            centre,
            bytes: scratch.map()?,
            stride,
            scales,
            squares,
        })
    }

    /// How many rows there are.
    pub fn len(&self) -> u32 {
        self.scales.len() as u32
    }

    /// The bytes of a row.
    pub fn row(&self, row: u32) -> &[u8] {
        &self.bytes[row as usize * self.stride..][..self.stride]
    }

    /// What the integers of a row are multiplied with.
    pub fn scale(&self, row: u32) -> f32 {
        self.scales[row as usize]
    }

    /// The square of the distance of two rows. It is the same the other way round.
    #[inline]
    pub fn distance(&self, a: u32, b: u32) -> f32 {
        let product = (row_kernels().pair)(self.row(a), self.row(b));
        self.of_product(a, b, product)
    }

    /// Puts the squares of the distances of the query's row to others into `distances`, in their order.
    #[inline]
    pub fn distances(&self, query: &mut RowQuery, others: &[u32], distances: &mut Vec<f32>) {
        let rows = Rows {
            bytes: &self.bytes,
            stride: self.stride,
            len: self.stride,
        };
        let RowQuery {
            row,
            integers,
            products,
        } = query;
        products.resize(others.len(), 0);
        (row_kernels().bytes)(&rows, others, integers, products);
        distances.clear();
        let products = others.iter().zip(&*products);
        distances.extend(products.map(|(&other, &product)| self.of_product(*row, other, product)));
    }

    #[inline]
    fn of_product(&self, a: u32, b: u32, product: i32) -> f32 {
        let (a, b) = (a as usize, b as usize);
        let scale = self.scales[a] * self.scales[b];
        // Roundings must not make it negative.
        (self.squares[a] + self.squares[b] - 2.0 * product as f32 * scale).max(0.0)
    }
}

/// The mean of rows; of none, zeros.
fn mean(features: &[f32], dim: usize) -> Vec<f32> {
    let mut sums = vec![0f64; dim];
    for feature in features.chunks_exact(dim) {
        for (sum, &value) in sums.iter_mut().zip(feature) {
            *sum += f64::from(value);
        }
    }
    let len = (features.len() / dim).max(1) as f64;
    sums.iter().map(|sum| (sum / len) as f32).collect()
}

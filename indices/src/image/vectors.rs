//! Features as they lie in the file, and inner products with them.

use bincode::{Decode, Encode};
use half::f16;
use half::slice::HalfFloatSliceExt;
use morelet_mapped::{Container, Slice};

use super::meta::{Meta, REVISION, check_len};
use crate::error::{Error, Result};

/// The section of rows.
pub(crate) const VECTORS: &str = "vectors";
/// The section of scales.
pub(crate) const SCALES: &str = "scales";
/// Rows of integers start at multiples of this many bytes: a cache line.
const ROW_ALIGNMENT: usize = 64;

/// How features are kept.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Encode, Decode)]
pub enum Vectors {
    /// Half precision: two bytes a dimension.
    #[default]
    F16,
    /// 8-bit integers, with a scale of its own for each row (its largest magnitude is 127): one byte a dimension.
    I8,
}

impl std::fmt::Display for Vectors {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Vectors::F16 => "f16",
            Vectors::I8 => "i8",
        })
    }
}

impl std::str::FromStr for Vectors {
    type Err = Error;

    fn from_str(name: &str) -> Result<Vectors> {
        match name {
            "f16" => Ok(Vectors::F16),
            "i8" => Ok(Vectors::I8),
            _ => Err(Error::input(format_args!(
                "features are kept as `f16` or `i8`, not as {name:?}"
            ))),
        }
    }
}

/// The rows of an open index.
#[derive(Clone, Debug)]
pub(crate) enum Rows {
    F16 {
        dim: usize,
        bits: Slice<u16>,
    },
    I8 {
        dim: usize,
        stride: usize,
        integers: Slice<i8>,
        scales: Slice<f32>,
    },
}

impl Rows {
    pub fn open(container: &Container, meta: &Meta) -> Result<Rows> {
        let (dim, len) = (meta.dim as usize, u64::from(meta.nodes));
        let bytes = container.section(VECTORS, REVISION..=REVISION)?;
        match meta.vectors {
            Vectors::F16 => {
                check_len(&bytes, len * dim as u64 * 2)?;
                let bits = bytes.typed()?;
                Ok(Rows::F16 { dim, bits })
            }
            Vectors::I8 => {
                let stride = stride(dim);
                check_len(&bytes, len * stride as u64)?;
                let scales = container.section(SCALES, REVISION..=REVISION)?;
                check_len(&scales, len * 4)?;
                let (integers, scales) = (bytes.typed()?, scales.typed()?);
                Ok(Rows::I8 {
                    dim,
                    stride,
                    integers,
                    scales,
                })
            }
        }
    }

    /// Room for one row in f32, for [`Rows::inner_product`] to use.
    pub fn buffer(&self) -> Vec<f32> {
        match self {
            Rows::F16 { dim, .. } | Rows::I8 { dim, .. } => vec![0.0; *dim],
        }
    }

    /// The inner product of row `node`, which must be one, and `query`. A damaged row gives some number, and NaN
    /// counts as the worst of all.
    pub fn inner_product(&self, node: u32, query: &[f32], row: &mut [f32]) -> f32 {
        let node = node as usize;
        let product = match self {
            Rows::F16 { dim, bits } => {
                let bits = &bits[node * dim..(node + 1) * dim];
                half_row(bits, row);
                dot(query, row)
            }
            Rows::I8 {
                dim,
                stride,
                integers,
                scales,
            } => {
                let integers = &integers[node * stride..node * stride + dim];
                for (value, &integer) in row.iter_mut().zip(integers) {
                    *value = f32::from(integer);
                }
                dot(query, row) * scales[node]
            }
        };
        if product.is_nan() {
            f32::NEG_INFINITY
        } else {
            product
        }
    }
}

/// The bytes from one row of integers to the next.
pub(crate) fn stride(dim: usize) -> usize {
    dim.next_multiple_of(ROW_ALIGNMENT)
}

/// Half-precision bits as single precision.
fn half_row(bits: &[u16], row: &mut [f32]) {
    use half::slice::HalfBitsSliceExt;
    bits.reinterpret_cast::<f16>().convert_to_f32_slice(row);
}

/// A feature of length 1. One without a direction is an error: zero, NaN or infinity somewhere in it.
pub(crate) fn normalize(feature: &[f32]) -> Result<Vec<f32>> {
    let norm = feature
        .iter()
        .map(|&value| f64::from(value).powi(2))
        .sum::<f64>()
        .sqrt();
    if !norm.is_finite() {
        return Err(Error::input(
            "the feature holds a value that is not a number, or infinite",
        ));
    }
    if norm < f64::from(f32::MIN_POSITIVE) {
        return Err(Error::input(
            "the feature is zero: it has no direction to compare",
        ));
    }
    Ok(feature
        .iter()
        .map(|&value| (f64::from(value) / norm) as f32)
        .collect())
}

/// A row as integers and the scale that they are multiplied with. `row` must not be all zero.
#[cfg(feature = "build")]
pub(crate) fn quantize(row: &[f32]) -> (Vec<i8>, f32) {
    let largest = row
        .iter()
        .fold(0f32, |largest, value| largest.max(value.abs()));
    let scale = largest / 127.0;
    // Rounded to the nearest, so within -127..=127.
    let integers = row
        .iter()
        .map(|&value| (value / scale).round() as i8)
        .collect();
    (integers, scale)
}

/// The inner product of two vectors of equal length, in sixteen sums that the compiler can keep in registers.
pub(crate) fn dot(a: &[f32], b: &[f32]) -> f32 {
    const LANES: usize = 16;
    let mut sums = [0f32; LANES];
    let (a_rows, a_rest) = a.as_chunks::<LANES>();
    let (b_rows, b_rest) = b.as_chunks::<LANES>();
    for (a, b) in a_rows.iter().zip(b_rows) {
        for lane in 0..LANES {
            sums[lane] += a[lane] * b[lane];
        }
    }
    let rest: f32 = a_rest.iter().zip(b_rest).map(|(a, b)| a * b).sum();
    sums.iter().sum::<f32>() + rest
}

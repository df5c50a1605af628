//! The section `tensors`: name, shape, precision and place of every tensor.

use std::fmt;
use std::str::FromStr;

use bincode::{Decode, Encode};
use serde::{Deserialize, Serialize};

/// Alignment of each range in the section `data`, in bytes: a cache line, and the widest vector.
pub const TENSOR_ALIGNMENT: u64 = 64;

/// Weights in one block of `q4`.
pub const Q4_BLOCK: u64 = 32;

/// Outputs in one panel.
const PANEL: u64 = 16;

/// Inputs in one block of a panel of `q8`.
const PANEL_BLOCK: u64 = 64;

/// The type that a tensor is stored in.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Encode, Decode, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Precision {
    /// 4 bytes a weight.
    F32,
    /// 2 bytes a weight, IEEE 754 half precision.
    F16,
    /// 1 byte a weight and one `f32` scale a row, symmetric.
    Q8,
    /// Half a byte a weight and one `f16` scale for each block of 32 along a row, symmetric.
    Q4,
}

impl Precision {
    /// How many bytes the weights (without scales) of a tensor with this shape take; `None` where that
    /// overflows.
    pub fn weight_bytes(self, shape: &[u64]) -> Option<u64> {
        let count = element_count(shape)?;
        match self {
            Self::F32 => count.checked_mul(4),
            Self::F16 => count.checked_mul(2),
            Self::Q8 => Some(count),
            Self::Q4 => {
                let blocks = self.scale_count(shape)?;
                blocks.checked_mul(Q4_BLOCK / 2)
            }
        }
    }

    /// How many bytes the scales of a tensor with this shape take: 0 where the type has none.
    pub fn scale_bytes(self, shape: &[u64]) -> Option<u64> {
        match self {
            Self::F32 | Self::F16 => Some(0),
            Self::Q8 => self.scale_count(shape)?.checked_mul(4),
            Self::Q4 => self.scale_count(shape)?.checked_mul(2),
        }
    }

    fn scale_count(self, shape: &[u64]) -> Option<u64> {
        let (rows, width) = rows_and_width(shape)?;
        match self {
            Self::F32 | Self::F16 => Some(0),
            Self::Q8 => Some(rows),
            Self::Q4 => rows.checked_mul(width.div_ceil(Q4_BLOCK)),
        }
    }

    fn as_str(self) -> &'static str {
        match self {
            Self::F32 => "f32",
            Self::F16 => "f16",
            Self::Q8 => "q8",
            Self::Q4 => "q4",
        }
    }
}

impl FromStr for Precision {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match text {
            "f32" => Ok(Self::F32),
            "f16" => Ok(Self::F16),
            "q8" => Ok(Self::Q8),
            "q4" => Ok(Self::Q4),
            other => Err(format!(
                "unknown precision `{other}`: expected f32, f16, q8 or q4"
            )),
        }
    }
}

impl fmt::Display for Precision {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// The order of a tensor's weights in the file.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Encode, Decode, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
#[non_exhaustive]
pub enum Layout {
    /// As in PyTorch: the last dimension is contiguous. Every device can read it. In `q4` a byte holds two
    /// weights, the first in its low half, each in two's complement.
    RowMajor,
    /// Panels of 16 outputs, in the order in which the CPU multiplies them: see `docs/files.md`. Only the
    /// matrices of transformer layers have it.
    Panels,
}

impl Layout {
    /// How many bytes the weights of a tensor take in this layout; `None` where that overflows, or where a
    /// tensor of this shape cannot have it.
    pub fn weight_bytes(self, precision: Precision, shape: &[u64]) -> Option<u64> {
        match (self, shape) {
            (Self::RowMajor, _) => precision.weight_bytes(shape),
            (Self::Panels, &[outputs, inputs]) => {
                let padded = outputs.checked_next_multiple_of(PANEL)?;
                let of_width = |width: u64| {
                    padded.checked_mul(inputs.checked_next_multiple_of(width)?.max(width))
                };
                match precision {
                    Precision::F32 => padded.checked_mul(inputs)?.checked_mul(4),
                    Precision::F16 => padded.checked_mul(inputs)?.checked_mul(2),
                    Precision::Q8 => of_width(PANEL_BLOCK),
                    Precision::Q4 => Some(of_width(Q4_BLOCK)? / 2),
                }
            }
            (Self::Panels, _) => None,
        }
    }
}

impl fmt::Display for Layout {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::RowMajor => f.write_str("row-major"),
            Self::Panels => f.write_str("panels"),
        }
    }
}

/// A range of bytes in the section `data`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Encode, Decode, Serialize, Deserialize)]
pub struct Extent {
    /// From the start of the section; a multiple of [`TENSOR_ALIGNMENT`].
    pub offset: u64,
    /// In bytes.
    pub len: u64,
}

/// One stored form of a tensor.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode, Serialize, Deserialize)]
pub struct Stored {
    /// The order of the weights.
    pub layout: Layout,
    /// Where the weights are.
    pub weights: Extent,
    /// Where their scales are, for `q8` and `q4`.
    pub scales: Option<Extent>,
}

/// A tensor of the file.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode, Serialize, Deserialize)]
pub struct TensorInfo {
    /// Its name, one of [`expected_tensors`](super::expected_tensors).
    pub name: String,
    /// Its logical shape, as in PyTorch.
    pub shape: Vec<u64>,
    /// The type that it is stored in.
    pub precision: Precision,
    /// Its stored forms, at least one.
    pub layouts: Vec<Stored>,
}

impl TensorInfo {
    /// The stored form that has `layout`.
    pub fn stored(&self, layout: Layout) -> Option<&Stored> {
        self.layouts.iter().find(|stored| stored.layout == layout)
    }

    /// How many bytes the tensor takes in the file, scales and every layout included.
    pub fn bytes(&self) -> u64 {
        let one =
            |stored: &Stored| stored.weights.len + stored.scales.map_or(0, |scales| scales.len);
        self.layouts.iter().map(one).sum()
    }
}

/// The product of a shape; `None` where it overflows.
pub(crate) fn element_count(shape: &[u64]) -> Option<u64> {
    shape
        .iter()
        .try_fold(1_u64, |product, &side| product.checked_mul(side))
}

/// A tensor seen as a matrix: the first dimension, and all others together. A vector is one row.
pub(crate) fn rows_and_width(shape: &[u64]) -> Option<(u64, u64)> {
    match shape {
        [] => Some((1, 1)),
        [width] => Some((1, *width)),
        [rows, rest @ ..] => Some((*rows, element_count(rest)?)),
    }
}

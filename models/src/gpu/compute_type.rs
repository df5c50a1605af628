//! The type that a device computes in.

use std::fmt;
use std::str::FromStr;

use burn::tensor::{DType, Tensor};
use serde::{Deserialize, Serialize};

/// The type of the factors of a device's matrix products. Sums are `f32` whatever it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum ComputeType {
    /// Single precision.
    F32,
    /// Half precision: what matrix units take.
    F16,
    /// Half the bits of `f32` with its range: for a device that has it and lacks `f16`.
    Bf16,
}

impl ComputeType {
    /// Burn's name for it.
    pub(crate) fn dtype(self) -> DType {
        match self {
            Self::F32 => DType::F32,
            Self::F16 => DType::F16,
            Self::Bf16 => DType::BF16,
        }
    }
}

impl fmt::Display for ComputeType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::F32 => "f32",
            Self::F16 => "f16",
            Self::Bf16 => "bf16",
        })
    }
}

impl FromStr for ComputeType {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match text {
            "f32" => Ok(Self::F32),
            "f16" => Ok(Self::F16),
            "bf16" => Ok(Self::Bf16),
            other => Err(format!("unknown type `{other}`: expected f32, f16 or bf16")),
        }
    }
}

/// The tensor in `dtype`. Costs nothing where it is.
pub(crate) fn narrow<const D: usize>(x: Tensor<D>, dtype: DType) -> Tensor<D> {
    if x.dtype() == dtype {
        return x;
    }
    x.cast(dtype)
}

/// The tensor in `f32`. Costs nothing where it is.
pub(crate) fn widen<const D: usize>(x: Tensor<D>) -> Tensor<D> {
    narrow(x, DType::F32)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_type_reads_back_as_it_is_written() {
        for compute_type in [ComputeType::F32, ComputeType::F16, ComputeType::Bf16] {
            assert_eq!(compute_type.to_string().parse(), Ok(compute_type));
        }
        assert!("f8".parse::<ComputeType>().is_err());
    }
}

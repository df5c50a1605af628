//! Features: how they are kept, and how they become that.

use bincode::{Decode, Encode};

use crate::error::{Error, Result};
use crate::kernels::features::feature_kernels;
#[cfg(feature = "build")]
use crate::kernels::rows::OFFSET;

/// How the features that are searched are kept.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Encode, Decode)]
pub enum Vectors {
    /// Half precision: two bytes a dimension.
    F16,
    /// 8-bit integers, with a scale of its own for each row (its largest magnitude is 127): one byte a dimension. The
    /// mean of all features is taken off first.
    #[default]
    I8,
    /// Single precision: four bytes a dimension.
    F32,
}

impl std::fmt::Display for Vectors {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.pad(match self {
            Vectors::F16 => "f16",
            Vectors::I8 => "i8",
            Vectors::F32 => "f32",
        })
    }
}

impl std::str::FromStr for Vectors {
    type Err = Error;

    fn from_str(name: &str) -> Result<Vectors> {
        match name {
            "f16" => Ok(Vectors::F16),
            "i8" => Ok(Vectors::I8),
            "f32" => Ok(Vectors::F32),
            _ => Err(Error::input(format_args!(
                "features are kept as `i8`, `f16` or `f32`, not as {name:?}"
            ))),
        }
    }
}

/// Why a feature has no direction that could be compared with that of others, if it has none.
#[must_use]
pub fn feature_fault(feature: &[f32]) -> Option<&'static str> {
    norm(feature).err()
}

/// The length of a feature, or why it has no direction: zero, NaN or infinity somewhere in it.
pub(super) fn norm(feature: &[f32]) -> Result<f64, &'static str> {
    let norm = (feature_kernels().product)(feature, feature).sqrt();
    if !norm.is_finite() {
        return Err("the feature holds a value that is not a number, or infinite");
    }
    if norm < f64::from(f32::MIN_POSITIVE) {
        return Err("the feature is zero: it has no direction to compare");
    }
    Ok(norm)
}

/// Puts a feature of length 1 into `unit`. One without a direction is an error.
#[cfg(feature = "build")]
pub(crate) fn normalize(feature: &[f32], unit: &mut Vec<f32>) -> Result<()> {
    let norm = norm(feature).map_err(Error::input)?;
    let inverse = norm.recip();
    unit.clear();
    unit.extend(
        feature
            .iter()
            .map(|&value| (f64::from(value) * inverse) as f32),
    );
    Ok(())
}

/// What the values of a row of integers are multiplied with, so that the largest is 127. A row of zeros has 0.
pub(crate) fn scale(largest: f32) -> f32 {
    largest / 127.0
}

/// What integers leave of a row is at most half a unit, and rounded to integers again: of so small a part of the unit.
pub(crate) const FINER: f32 = 254.0;

/// The integer of a stored byte.
#[cfg(feature = "build")]
pub(crate) fn stored_integer(byte: u8) -> i8 {
    (byte ^ OFFSET).cast_signed()
}

/// The byte that an integer is stored as.
#[cfg(feature = "build")]
pub(crate) fn stored(integer: i8) -> u8 {
    integer.cast_unsigned() ^ OFFSET
}

#[cfg(all(test, feature = "build"))]
mod tests {
    use super::*;

    #[test]
    fn a_byte_holds_an_integer() {
        assert_eq!([0, 1, 128, 255].map(stored_integer), [-128, -127, 0, 127]);
        for integer in -127..=127 {
            assert_eq!(stored_integer(stored(integer)), integer);
        }
    }

    #[test]
    fn a_feature_has_length_1_or_is_refused() {
        let mut unit = Vec::new();
        normalize(&[3.0, -4.0], &mut unit).unwrap();
        assert_eq!(unit, [0.6, -0.8]);
        normalize(&[f32::MAX, 0.0], &mut unit).unwrap();
        assert_eq!(unit, [1.0, 0.0]);
        for bad in [
            [0.0, 0.0],
            [f32::NAN, 1.0],
            [f32::NEG_INFINITY, 1.0],
            [1e-40, 0.0],
        ] {
            assert!(normalize(&bad, &mut unit).is_err(), "{bad:?}");
            assert!(feature_fault(&bad).is_some(), "{bad:?}");
        }
    }
}

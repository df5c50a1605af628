//! Features: how they are kept, and how they become that.

use bincode::{Decode, Encode};

use crate::error::{Error, Result};
#[cfg(feature = "build")]
use crate::kernels::rows::OFFSET;

/// Sums that are made side by side, in the same order everywhere, which compilers turn into SIMD.
const LANES: usize = 16;

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
fn norm(feature: &[f32]) -> Result<f64, &'static str> {
    let norm = product(feature, feature).sqrt();
    if !norm.is_finite() {
        return Err("the feature holds a value that is not a number, or infinite");
    }
    if norm < f64::from(f32::MIN_POSITIVE) {
        return Err("the feature is zero: it has no direction to compare");
    }
    Ok(norm)
}

/// Puts a feature of length 1 into `unit`. One without a direction is an error.
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

/// The inner product of two rows, equally long.
pub(crate) fn product(a: &[f32], b: &[f32]) -> f64 {
    let ((a, a_rest), (b, b_rest)) = (a.as_chunks::<LANES>(), b.as_chunks::<LANES>());
    let mut lanes = [0f64; LANES];
    let mut add = |a: &[f32], b: &[f32]| {
        for ((lane, &a), &b) in lanes.iter_mut().zip(a).zip(b) {
            *lane += f64::from(a) * f64::from(b);
        }
    };
    for (a, b) in a.iter().zip(b) {
        add(a, b);
    }
    add(a_rest, b_rest);
    lanes.iter().sum()
}

/// What the values of a row of integers are multiplied with, so that the largest is 127. A row of zeros has 0.
pub(crate) fn scale(row: &[f32]) -> f32 {
    let mut lanes = [0f32; LANES];
    for chunk in row.chunks(LANES) {
        for (lane, value) in lanes.iter_mut().zip(chunk) {
            *lane = lane.max(value.abs());
        }
    }
    lanes.into_iter().fold(0f32, f32::max) / 127.0
}

/// A row as integers from −127 to 127, for the scale that [`scale`] gave for it.
pub(crate) fn integers(row: &[f32], scale: f32) -> impl ExactSizeIterator<Item = i8> {
    // Such a float has no room for what is behind the point, so that adding it rounds to the nearest integer, of two to the even
    // one, and the lowest bits are that integer's.
    const ROUNDS: f32 = (3 << 22) as f32;
    // A row of zeros.
    let by = if scale > 0.0 { scale } else { 1.0 };
    row.iter().map(move |&value| {
        let integer = (value / by + ROUNDS).to_bits() as i8;
        // What is no number may be any other.
        integer.max(-127)
    })
}

/// The integer of a stored byte.
#[cfg(feature = "build")]
pub(crate) fn stored_integer(byte: u8) -> i8 {
    (byte ^ OFFSET).cast_signed()
}

#[cfg(all(test, feature = "build"))]
mod tests {
    use super::*;

    #[test]
    fn integers_keep_the_largest_magnitude_as_127() {
        let row = [0.5, -1.0, 0.003, 0.0];
        let rounded = |row: &[f32]| integers(row, scale(row)).collect::<Vec<i8>>();
        assert_eq!(rounded(&row), [64, -127, 0, 0]);
        assert_eq!(rounded(&[0.0, -0.0]), [0, 0]);
        // No kernel takes −128.
        for value in [
            f32::NAN,
            -f32::NAN,
            f32::INFINITY,
            f32::NEG_INFINITY,
            f32::MAX,
        ] {
            assert!(integers(&[value; 3], 1e-3).all(|integer| integer >= -127));
        }
        // Any length, and every integer.
        let row: Vec<f32> = (-127..=127)
            .flat_map(|integer| [integer as f32, integer as f32 + 0.4, integer as f32 - 0.4])
            .map(|value| value.clamp(-127.0, 127.0) * 3e-5)
            .collect();
        let expected = (-127..=127).flat_map(|integer: i32| [integer as i8; 3]);
        assert_eq!(rounded(&row), expected.collect::<Vec<i8>>());
        assert_eq!([0, 1, 128, 255].map(stored_integer), [-128, -127, 0, 127]);
    }

    #[test]
    fn products_are_those_of_double_precision() {
        for len in [0, 1, 15, 16, 17, 100] {
            let a: Vec<f32> = (0..len).map(|place| (place as f32).sin()).collect();
            let b: Vec<f32> = (0..len).map(|place| (place as f32).cos()).collect();
            let pairs = a.iter().zip(&b);
            let sum: f64 = pairs.map(|(&a, &b)| f64::from(a) * f64::from(b)).sum();
            assert!((product(&a, &b) - sum).abs() < 1e-12, "{len}");
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

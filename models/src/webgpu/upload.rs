//! From the map to the device: `q8` and `q4` as the file has them, other matrices in `f16`, vectors in `f32`.

use half::f16;

use super::driver::{Driver, Memory};
use crate::error::Result;
use crate::stack::{Halves, MULTIPLE};
use crate::weights::{Precision, StoredMatrix, Weights, finite};

/// How the weights of a matrix lie in memory.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Stored {
    F16,
    /// Integers of 8 bits, and a scale for each output.
    Q8,
    /// Integers of 4 bits, and a scale in half precision for each 32 of them.
    Q4,
}

/// W `[out, in]`, with its bias in `f32`.
#[derive(Debug)]
pub(super) struct Matrix {
    pub(super) stored: Stored,
    pub(super) weight: Memory,
    pub(super) scales: Option<Memory>,
    pub(super) bias: Memory,
    pub(super) outputs: usize,
    pub(super) inputs: usize,
}

impl Matrix {
    /// The matrices `BLOCK.PART.weight` of as many inputs, one below the other, each with its `BLOCK.PART.bias`.
    pub(super) fn load(
        driver: &Driver,
        weights: &Weights,
        block: &str,
        parts: &[&str],
    ) -> Result<Self> {
        if let Some(matrix) = Self::packed(driver, weights, block, parts)? {
            return Ok(matrix);
        }
        Self::new(driver, &Halves::read(weights, block, parts)?)
    }

    /// Sends a matrix to the device.
    pub(super) fn new(driver: &Driver, halves: &Halves) -> Result<Self> {
        let bytes: Vec<u8> = (halves.weight.iter())
            .flat_map(|half| half.to_ne_bytes())
            .collect();
        Ok(Self {
            stored: Stored::F16,
            weight: driver.upload(&bytes)?,
            scales: None,
            bias: driver.upload_f32(&halves.bias)?,
            outputs: halves.outputs,
            inputs: halves.inputs,
        })
    }

    /// One of `q8` from its integers, scales and bias.
    pub(super) fn q8(
        driver: &Driver,
        (weight, scales, bias): (&[u8], &[f32], &[f32]),
        inputs: usize,
    ) -> Result<Self> {
        Ok(Self {
            stored: Stored::Q8,
            weight: driver.upload(weight)?,
            scales: Some(driver.upload_f32(scales)?),
            bias: driver.upload_f32(bias)?,
            outputs: scales.len(),
            inputs,
        })
    }

    /// The same as the file has them, where all have one type that the kernels unpack, row by row.
    fn packed(
        driver: &Driver,
        weights: &Weights,
        block: &str,
        names: &[&str],
    ) -> Result<Option<Self>> {
        let mut parts: Vec<StoredMatrix> = Vec::new();
        let (mut scales, mut bias) = (Vec::new(), Vec::new());
        for part in names {
            let name = format!("{block}.{part}.weight");
            let Some(part) = weights.stored_matrix(&name)? else {
                return Ok(None);
            };
            let fits = |size: usize| size > 0 && size.is_multiple_of(MULTIPLE);
            let bytes = match part.precision {
                Precision::Q8 => part.rows * part.width,
                Precision::Q4 => part.rows * part.width / 2,
                _ => return Ok(None),
            };
            let alike = parts
                .first()
                .is_none_or(|first| (first.precision, first.width) == (part.precision, part.width));
            let fits = alike && fits(part.rows) && fits(part.width) && part.weights.len() == bytes;
            let Some(of_part) = part.scales.as_ref().filter(|_| fits) else {
                return Ok(None);
            };
            if part.precision == Precision::Q8 {
                finite(of_part, &name, f32::is_finite)?;
            } else {
                finite(of_part, &name, |bits| f16::from_bits(bits).is_finite())?;
            }
            scales.extend_from_slice(of_part);
            parts.push(part);
        }
        for part in names {
            bias.extend(weights.f32s(&format!("{block}.{part}.bias"))?);
        }
        let Some(first) = parts.first() else {
            return Ok(None);
        };
        let outputs: usize = parts.iter().map(|part| part.rows).sum();
        let (stored, size) = match first.precision {
            Precision::Q8 => (Stored::Q8, outputs * 4),
            _ => (Stored::Q4, outputs * first.width / 32 * 2),
        };
        if scales.len() != size || bias.len() != outputs {
            return Ok(None);
        }
        let each = parts.iter().flat_map(|part| part.weights.iter().copied());
        let together: Vec<u8> = each.collect();
        Ok(Some(Self {
            stored,
            weight: driver.upload(&together)?,
            scales: Some(driver.upload(&scales)?),
            bias: driver.upload_f32(&bias)?,
            outputs,
            inputs: first.width,
        }))
    }
}

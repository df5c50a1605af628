//! From the map to the device: matrices in `f16`, vectors in `f32`.
//!
//! A row of `q8` or `q4` is expanded on the way. A product that fills a GPU is bound by its arithmetic, and there packed weights
//! would only have to be unpacked again for every tile; the price is the memory that an `f16` file would take.

use half::f16;
use half::slice::HalfFloatSliceExt as _;
use rayon::prelude::*;

use super::MULTIPLE;
use super::driver::{Driver, Memory};
use crate::error::{Error, Result};
use crate::weights::{Precision, Weights};

/// W `[out, in]` in `f16`, as its bits, with its bias in `f32`.
#[derive(Debug)]
pub(super) struct Matrix {
    pub(super) weight: Memory<u16>,
    pub(super) bias: Memory<f32>,
    pub(super) outputs: usize,
    pub(super) inputs: usize,
}

impl Matrix {
    /// Some matrices of as many inputs, one below the other, each with the name of its bias, where it has one.
    pub(super) fn load(
        driver: &Driver,
        weights: &Weights,
        names: &[(&str, Option<&str>)],
    ) -> Result<Self> {
        let read = |&(matrix, bias): &(&str, Option<&str>)| {
            let weight = bits(weights, matrix)?;
            let shape = weights.info(matrix).map_or(&[][..], |info| &info.shape[..]);
            let outputs = shape.first().map_or(0, |&outputs| outputs as usize);
            let bias = match bias {
                Some(bias) => weights.f32s(bias)?,
                None => vec![0.0; outputs],
            };
            Ok((weight, bias, outputs))
        };
        let parts: Vec<_> = names.par_iter().map(read).collect::<Result<_>>()?;
        let (mut weight, mut bias, mut outputs) = (Vec::new(), Vec::new(), 0);
        for (of_weight, of_bias, of_outputs) in parts {
            weight.extend(of_weight);
            bias.extend(of_bias);
            outputs += of_outputs;
        }
        let inputs = weight.len() / outputs.max(1);
        let name = names.first().map_or("", |name| name.0);
        Self::new(driver, &weight, &bias, (outputs, inputs))
            .map_err(|problem| problem.of(weights, name))
    }

    /// A matrix without a bias, with zeros up to the next number of inputs that the kernels take; and how many it has.
    pub(super) fn padded(driver: &Driver, weights: &Weights, name: &str) -> Result<(Self, usize)> {
        let shape = (weights.info(name)).map_or(&[][..], |info| &info.shape[..]);
        let outputs = shape.first().map_or(0, |&outputs| outputs as usize);
        let weight = bits(weights, name)?;
        let inputs = weight.len() / outputs.max(1);
        let width = inputs.next_multiple_of(MULTIPLE);
        let weight = padded(&weight, (inputs, width));
        let matrix = Self::new(driver, &weight, &vec![0.0; outputs], (outputs, width));
        Ok((matrix.map_err(|problem| problem.of(weights, name))?, inputs))
    }

    /// From numbers.
    pub(super) fn new(
        driver: &Driver,
        weight: &[u16],
        bias: &[f32],
        (outputs, inputs): (usize, usize),
    ) -> std::result::Result<Self, Problem> {
        let fits = |size: usize| size > 0 && size.is_multiple_of(MULTIPLE);
        if !fits(outputs)
            || !fits(inputs)
            || weight.len() != outputs * inputs
            || bias.len() != outputs
        {
            return Err(Problem::Shape(outputs, inputs));
        }
        Ok(Self {
            weight: driver.upload(weight).map_err(Problem::Device)?,
            bias: driver.upload(bias).map_err(Problem::Device)?,
            outputs,
            inputs,
        })
    }
}

/// Why a matrix is not on the device.
#[derive(Debug)]
pub(super) enum Problem {
    /// The kernels cannot take so many outputs and inputs.
    Shape(usize, usize),
    Device(Error),
}

impl Problem {
    fn of(self, weights: &Weights, name: &str) -> Error {
        match self {
            Self::Shape(outputs, inputs) => {
                let message = format!(
                    "{name}: {outputs} × {inputs} weights: the CUDA kernels take multiples of {MULTIPLE}"
                );
                Error::model(weights.container().path(), message)
            }
            Self::Device(error) => error,
        }
    }
}

/// Rows of `width` numbers with zeros up to `wide`.
pub(super) fn padded(rows: &[u16], (width, wide): (usize, usize)) -> Vec<u16> {
    if width == wide {
        return rows.to_vec();
    }
    let count = rows.len() / width.max(1);
    let mut out = vec![0; count * wide];
    for (to, from) in out
        .chunks_exact_mut(wide.max(1))
        .zip(rows.chunks_exact(width.max(1)))
    {
        to[..width].copy_from_slice(from);
    }
    out
}

/// Numbers in half precision, as their bits.
pub(super) fn halves(numbers: &[f32]) -> Vec<u16> {
    let mut half = vec![f16::ZERO; numbers.len()];
    half.convert_from_f32_slice(numbers);
    half.into_iter().map(f16::to_bits).collect()
}

/// A tensor's values in half precision, as their bits.
fn bits(weights: &Weights, name: &str) -> Result<Vec<u16>> {
    let stored = weights.stored_matrix(name)?;
    if let Some(stored) = stored.filter(|stored| stored.precision == Precision::F16) {
        return Ok(stored.weights.typed::<u16>()?.to_vec());
    }
    let values = weights.f32s(name)?;
    let bits = halves(&values);
    let infinite = |&bits: &u16| !f16::from_bits(bits).is_finite();
    if let Some(at) = bits.iter().position(infinite) {
        let message = format!("{name}: a weight is {}, which f16 cannot hold", values[at]);
        return Err(Error::model(weights.container().path(), message));
    }
    Ok(bits)
}

//! From the map to the device: matrices in `f16`, vectors in `f32`.
//!
//! A row of `q8` or `q4` is expanded on the way. A product that fills a GPU is bound by its arithmetic, and there packed weights
//! would only have to be unpacked again for every tile; the price is the memory that an `f16` file would take.

use half::f16;
use half::slice::HalfFloatSliceExt as _;
use rayon::prelude::*;

use super::driver::{Driver, Memory};
use super::kernels::MULTIPLE;
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
        let matrix = Self::new(driver, &weight, &bias, (outputs, inputs));
        matrix.ok_or_else(|| {
            let name = names.first().map_or("", |name| name.0);
            let message = format!(
                "{name}: {outputs} × {inputs} weights: the CUDA kernels need multiples of {MULTIPLE}; use --device \
                 wgpu or cpu"
            );
            Error::model(weights.container().path(), message)
        })?
    }

    /// From numbers. `None` where the kernels cannot take the shape.
    pub(super) fn new(
        driver: &Driver,
        weight: &[u16],
        bias: &[f32],
        (outputs, inputs): (usize, usize),
    ) -> Option<Result<Self>> {
        let fits = |size: usize| size > 0 && size.is_multiple_of(MULTIPLE);
        if !fits(outputs) || !fits(inputs) || weight.len() != outputs * inputs {
            return None;
        }
        if bias.len() != outputs {
            return None;
        }
        let place = || {
            Ok(Self {
                weight: driver.upload(weight)?,
                bias: driver.upload(bias)?,
                outputs,
                inputs,
            })
        };
        Some(place())
    }
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

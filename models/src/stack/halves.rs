//! Matrices of a file as our kernels on a GPU take them: in half precision, as their bits.

use half::f16;
use half::slice::HalfFloatSliceExt as _;
use rayon::prelude::*;

use super::MULTIPLE;
use crate::error::{Error, Result};
use crate::weights::{Precision, Weights};

/// W `[outputs, inputs]` in half precision, as its bits, with its bias.
#[derive(Clone, Debug)]
pub(crate) struct Halves {
    pub(crate) weight: Vec<u16>,
    pub(crate) bias: Vec<f32>,
    pub(crate) outputs: usize,
    pub(crate) inputs: usize,
}

impl Halves {
    /// The matrices `BLOCK.PART.weight` of as many inputs, one below the other, each with its `BLOCK.PART.bias`.
    ///
    /// # Errors
    /// Of kind `Model` where a weight is too large, or the kernels cannot take so many outputs or inputs; of kind `File`.
    pub(crate) fn read(weights: &Weights, block: &str, parts: &[&str]) -> Result<Self> {
        let read = |part: &&str| {
            let weight = bits(weights, &format!("{block}.{part}.weight"))?;
            let bias = weights.f32s(&format!("{block}.{part}.bias"))?;
            Ok((weight, bias))
        };
        let parts: Vec<_> = parts.par_iter().map(read).collect::<Result<_>>()?;
        let (mut weight, mut bias) = (Vec::new(), Vec::new());
        for (of_weight, of_bias) in parts {
            weight.extend(of_weight);
            bias.extend(of_bias);
        }
        let outputs = bias.len();
        let inputs = weight.len() / outputs.max(1);
        Self::new(weight, bias, (outputs, inputs)).map_err(|problem| {
            Error::model(weights.container().path(), format!("{block}: {problem}"))
        })
    }

    /// A matrix without a bias, with zeros up to the next number of inputs that the kernels take; and how many it has.
    ///
    /// # Errors
    /// As [`read`](Self::read).
    pub(crate) fn read_padded(weights: &Weights, name: &str) -> Result<(Self, usize)> {
        let shape = (weights.info(name)).map_or(&[][..], |info| &info.shape[..]);
        let outputs = shape.first().map_or(0, |&outputs| outputs as usize);
        let weight = bits(weights, name)?;
        let inputs = weight.len() / outputs.max(1);
        let width = inputs.next_multiple_of(MULTIPLE);
        let weight = padded(&weight, (inputs, width));
        let matrix = Self::new(weight, vec![0.0; outputs], (outputs, width));
        let matrix = matrix.map_err(|problem| {
            Error::model(weights.container().path(), format!("{name}: {problem}"))
        })?;
        Ok((matrix, inputs))
    }

    /// From numbers. An error says why the kernels cannot take them.
    pub(crate) fn new(
        weight: Vec<u16>,
        bias: Vec<f32>,
        (outputs, inputs): (usize, usize),
    ) -> std::result::Result<Self, String> {
        let fits = |size: usize| size > 0 && size.is_multiple_of(MULTIPLE);
        if !fits(outputs)
            || !fits(inputs)
            || weight.len() != outputs * inputs
            || bias.len() != outputs
        {
            return Err(format!(
                "{outputs} × {inputs} weights: the kernels take multiples of {MULTIPLE}"
            ));
        }
        Ok(Self {
            weight,
            bias,
            outputs,
            inputs,
        })
    }
}

/// Rows of `width` numbers with zeros up to `wide`.
pub(crate) fn padded(rows: &[u16], (width, wide): (usize, usize)) -> Vec<u16> {
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
pub(crate) fn halves(numbers: &[f32]) -> Vec<u16> {
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

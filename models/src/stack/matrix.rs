//! A matrix by itself.

use super::halves::padded;
use super::{Driver, Halves, MULTIPLE, halves};
#[cfg(feature = "cuda")]
use crate::cuda;
use crate::error::Result;
#[cfg(feature = "wgpu")]
use crate::webgpu;
use crate::weights::Weights;

/// `x Wᵀ + b` for a matrix that is not part of a stack, from host to host.
#[derive(Debug)]
pub(crate) struct Matrix {
    weight: Weight,
    outputs: usize,
    /// The number of inputs, and the same with padding.
    inputs: (usize, usize),
    bias: Vec<f32>,
}

#[derive(Debug)]
enum Weight {
    #[cfg(feature = "cuda")]
    Cuda(cuda::Matrix),
    #[cfg(feature = "wgpu")]
    Wgpu(webgpu::Matrix),
}

impl Matrix {
    /// Uploads a matrix; its bias, where there is one, stays on the host. Both are named in full.
    ///
    /// # Errors
    /// Of kind `Model` where the number of outputs is no multiple of 64, or a weight is too large for `f16`; of kind
    /// `File`, `Device`.
    pub(crate) fn load(
        driver: &Driver,
        weights: &Weights,
        matrix: &str,
        bias: Option<&str>,
    ) -> Result<Self> {
        let (weight, inputs) = Halves::read_padded(weights, matrix)?;
        let bias = bias.map(|bias| weights.f32s(bias)).transpose()?;
        Ok(Self {
            bias: bias.unwrap_or_else(|| vec![0.0; weight.outputs]),
            outputs: weight.outputs,
            inputs: (inputs, weight.inputs),
            weight: match driver {
                #[cfg(feature = "cuda")]
                Driver::Cuda(driver) => Weight::Cuda(cuda::Matrix::new(driver, &weight)?),
                #[cfg(feature = "wgpu")]
                Driver::Wgpu(driver) => Weight::Wgpu(webgpu::Matrix::new(driver, &weight)?),
                #[cfg(not(any(feature = "cuda", feature = "wgpu")))]
                _ => match *driver {},
            },
        })
    }

    /// The number of outputs.
    pub(crate) fn outputs(&self) -> usize {
        self.outputs
    }

    /// `[n, in]` to `[n, out]`.
    ///
    /// # Errors
    /// Of kind `Device`.
    pub(crate) fn forward(&self, x: &[f32], n: usize) -> Result<Vec<f32>> {
        let rows = n.next_multiple_of(MULTIPLE);
        let mut x = padded(&halves(x), self.inputs);
        x.resize(rows * self.inputs.1, 0);
        let mut out: Vec<f32> = match &self.weight {
            #[cfg(feature = "cuda")]
            Weight::Cuda(matrix) => matrix.multiply(&x, rows)?,
            #[cfg(feature = "wgpu")]
            Weight::Wgpu(matrix) => matrix.multiply(&x, rows)?,
            #[cfg(not(any(feature = "cuda", feature = "wgpu")))]
            other => match *other {},
        };
        out.truncate(n * self.outputs);
        for row in out.chunks_exact_mut(self.outputs) {
            for (out, bias) in row.iter_mut().zip(&self.bias) {
                *out += bias;
            }
        }
        Ok(out)
    }
}

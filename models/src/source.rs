//! Where the layers get their tensors: from a file, or from the parameters of a training.
//!
//! A model is defined once, by the names that its layers ask for. Who answers decides what they compute with: a
//! mapped file, read as the device wants it, or tensors whose gradients are taken.

use burn::tensor::{Device, Tensor};

use crate::device::Compute;
use crate::error::Result;
use crate::gpu::DeviceLinear;
use crate::layers::{Linear, Weight};
use crate::packed;
use crate::weights::Weights;

/// Tensors by name, one of [`expected_tensors`](crate::weights::expected_tensors).
pub(crate) trait Source {
    /// A large matrix, `[out, in]`, and its bias, where they are multiplied. Of a convolution over patches, what belongs to
    /// one patch is one dimension.
    fn weight(&self, matrix: &str, bias: Option<&str>, compute: &Compute) -> Result<Weight>;

    /// A small one, expanded and in `f32` on every device.
    fn head(&self, matrix: &str, bias: Option<&str>, compute: &Compute) -> Result<Linear>;

    /// A tensor in `f32`.
    fn tensor<const D: usize>(&self, name: &str, device: &Device) -> Result<Tensor<D>>;

    /// The file, where it is one.
    fn file(&self) -> Option<&Weights> {
        None
    }
}

impl Source for Weights {
    fn weight(&self, matrix: &str, bias: Option<&str>, compute: &Compute) -> Result<Weight> {
        if let Some(driver) = compute.driver() {
            let matrix = crate::stack::Matrix::load(driver, self, matrix, bias)?;
            return Ok(Weight::Ours(matrix));
        }
        Ok(match compute.kernels() {
            Some(kernels) => Weight::Packed(kernels, packed::matrix(self, matrix, bias)?),
            None => {
                let linear = DeviceLinear::load(self, matrix, bias, compute)?;
                Weight::Device(Box::new(Linear::new(linear)))
            }
        })
    }

    fn head(&self, matrix: &str, bias: Option<&str>, compute: &Compute) -> Result<Linear> {
        DeviceLinear::load_exact(self, matrix, bias, compute).map(Linear::new)
    }

    fn tensor<const D: usize>(&self, name: &str, device: &Device) -> Result<Tensor<D>> {
        Weights::tensor(self, name, device)
    }

    fn file(&self) -> Option<&Weights> {
        Some(self)
    }
}

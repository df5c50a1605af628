//! A matrix on a device, with its bias.

use burn::tensor::{DType, Tensor, module};

use super::{ComputeType, narrow, upload};
use crate::device::Compute;
use crate::error::Result;
use crate::weights::Weights;

/// `x Wᵀ + b` on a device, with W `[out, in]` in the file.
#[derive(Clone, Debug)]
pub(crate) struct DeviceLinear {
    /// `[in, out]`: a transposed view. Of a quantized matrix, Burn's kernels unpack what they read.
    weight: Tensor<2>,
    /// `[out]`.
    bias: Option<Tensor<1>>,
    dtype: DType,
}

impl DeviceLinear {
    /// Reads `matrix` and, where there is one, `bias`, named in full.
    ///
    /// # Errors
    /// Of kind `Model` where there is no such tensor, or a weight is too large for the device's type; of kind `File`
    /// where a scale is not finite.
    pub(crate) fn load(
        weights: &Weights,
        matrix: &str,
        bias: Option<&str>,
        compute: &Compute,
    ) -> Result<Self> {
        let (compute_type, packed) = (compute.compute_type(), compute.is_burns_gpu());
        Self::load_as(weights, matrix, bias, compute, (compute_type, packed))
    }

    /// The same expanded and in `f32`: for small matrices whose answer is read back.
    ///
    /// # Errors
    /// As [`load`](Self::load).
    pub(crate) fn load_exact(
        weights: &Weights,
        matrix: &str,
        bias: Option<&str>,
        compute: &Compute,
    ) -> Result<Self> {
        Self::load_as(weights, matrix, bias, compute, (ComputeType::F32, false))
    }

    fn load_as(
        weights: &Weights,
        matrix: &str,
        bias: Option<&str>,
        compute: &Compute,
        (compute_type, packed): (ComputeType, bool),
    ) -> Result<Self> {
        let device = compute.device();
        let weight = upload::matrix(weights, matrix, compute_type, packed, device)?;
        let bias = bias
            .map(|bias| upload::vector(weights, bias, compute_type, device))
            .transpose()?;
        Ok(Self::new(weight, bias, compute_type))
    }

    /// From a matrix `[out, in]`, in `compute_type` or quantized, and a bias in `compute_type`.
    pub(crate) fn new(
        weight: Tensor<2>,
        bias: Option<Tensor<1>>,
        compute_type: ComputeType,
    ) -> Self {
        Self {
            weight: weight.transpose(),
            bias,
            dtype: compute_type.dtype(),
        }
    }

    /// `[.., in]` of any type to `[.., out]` of the type that is computed in.
    pub(crate) fn forward<const D: usize>(&self, x: Tensor<D>) -> Tensor<D> {
        let x = narrow(x, self.dtype);
        module::linear(x, self.weight.clone(), self.bias.clone())
    }
}

#[cfg(all(test, feature = "cpu"))]
mod tests {
    use burn::tensor::quantization::{QuantScheme, QuantStore, QuantValue, ScaleDtype};
    use burn::tensor::{Bytes, Device, TensorData};

    use super::*;
    use crate::gpu::upload::{place, q8_data, q8_scheme};

    fn noise(seed: u32, count: usize) -> Vec<f32> {
        let number = |at: u32| {
            let hash = (at + 1).wrapping_mul(seed.wrapping_mul(0x9E37_79B1) | 1);
            ((hash ^ (hash >> 15)) >> 8) as f32 / (1 << 23) as f32 - 1.0
        };
        (0..count as u32).map(number).collect()
    }

    /// x Wᵀ in `f64`, the plain way.
    fn product(x: &[f32], w: &[f32], width: usize) -> Vec<f64> {
        let dot = |a: &[f32], b: &[f32]| {
            let each = a.iter().zip(b);
            each.map(|(&a, &b)| f64::from(a) * f64::from(b))
                .sum::<f64>()
        };
        x.chunks(width)
            .flat_map(|row| w.chunks(width).map(move |out| dot(row, out)))
            .collect()
    }

    #[track_caller]
    fn agrees(weight: Tensor<2>, w: &[f32], width: usize) {
        let device = weight.device();
        let x = noise(3, 5 * width);
        let data = TensorData::new(x.clone(), [1, 5, width]);
        // Burn's CPU backend quantizes anew when it transposes; GPUs only change the view, and are tested in `tests/`.
        let linear = DeviceLinear::new(weight.dequantize(), None, ComputeType::F32);
        let got = linear.forward(Tensor::<3>::from_data(data, &device));
        assert_eq!(got.dims(), [1, 5, w.len() / width]);
        let got = got.try_into_vec_as::<f32>().unwrap();
        for (got, want) in got.iter().zip(product(&x, w, width)) {
            assert!((f64::from(*got) - want).abs() < 1e-4, "{got} {want}");
        }
    }

    #[test]
    fn packed_q8_multiplies_as_its_values_do() {
        for (rows, width) in [(3, 32), (5, 64), (7, 192), (4, 384)] {
            let bytes: Vec<i8> = noise(1, rows * width)
                .iter()
                .map(|w| (w * 127.0) as i8)
                .collect();
            let scales: Vec<f32> = (0..rows).map(|row| 0.001 * (1 << row) as f32).collect();
            let values: Vec<f32> = bytes
                .chunks(width)
                .zip(&scales)
                .flat_map(|(row, scale)| row.iter().map(move |&q| f32::from(q) * scale))
                .collect();
            let bytes: Vec<u8> = bytes.iter().map(|&q| q as u8).collect();
            let scheme = q8_scheme(width).unwrap();
            agrees(
                place(q8_data(&bytes, &scales, width, scheme), &Device::flex()),
                &values,
                width,
            );
        }
        assert!(
            [0, 1, 24, 48, 33]
                .iter()
                .all(|width| q8_scheme(*width).is_none())
        );
    }

    /// The order that `q4` has in a file: eight nibbles in 32 bits, the first in the lowest four.
    #[test]
    fn packed_q4_multiplies_as_its_values_do() {
        let (rows, width) = (3, 64);
        let q: Vec<i8> = noise(2, rows * width)
            .iter()
            .map(|w| (w * 7.0) as i8)
            .collect();
        let bytes = q
            .chunks(2)
            .map(|pair| (pair[0] & 15) as u8 | (pair[1] << 4) as u8);
        let scales: Vec<half::f16> = (0..rows * width / 32)
            .map(|block| half::f16::from_f32(0.25 * (1 + block) as f32))
            .collect();
        let bytes: Vec<u8> = bytes
            .chain(scales.iter().flat_map(|scale| scale.to_le_bytes()))
            .collect();
        let values: Vec<f32> = (q.chunks(32).zip(&scales))
            .flat_map(|(block, scale)| block.iter().map(|&q| f32::from(q) * scale.to_f32()))
            .collect();
        let scheme = QuantScheme::default()
            .with_value(QuantValue::Q4S)
            .with_store(QuantStore::PackedU32(0))
            .per_block([32], ScaleDtype::F16);
        let dtype = DType::QFloat(scheme);
        let data = TensorData::from_bytes(Bytes::from_bytes_vec(bytes), [rows, width], dtype);
        agrees(place(data, &Device::flex()), &values, width);
    }
}

//! From the map to the device.
//!
//! A matrix whose stored type the device computes in is handed over as a view of the map: no copy of ours is made, and
//! CubeCL stages what is backed by a file through pinned memory where the device has that. A quantized one goes up as
//! its bytes with the scales behind them, as Burn wants them, which costs one copy of one matrix at a time. Only a
//! matrix that has to change its type is read number by number.

use burn::tensor::quantization::{QuantScheme, QuantStore, QuantValue, ScaleDtype};
use burn::tensor::{AllocationProperty, Bytes, DType, Device, Shape, Tensor, TensorData};
use half::slice::HalfFloatSliceExt as _;
use half::{bf16, f16};

use super::ComputeType;
use crate::error::{Error, Result};
use crate::weights::{Precision, Q4_BLOCK, StoredMatrix, Weights, finite, rows_and_width};

/// The longest runs along a row that share a copy of its scale, the best first. Burn's blocks have at most 255 values.
const Q8_BLOCKS: [usize; 3] = [128, 64, 32];

/// The scheme of `q8` with this many inputs; `None` where no block divides them.
///
/// The file has one scale for a whole row. Each block of the row gets a copy of it, so what is computed is exact to the
/// file: a scale for the whole tensor would instead let rows with small scales run out of the range of `f16`.
pub(super) fn q8_scheme(width: usize) -> Option<(QuantScheme, usize)> {
    let block = Q8_BLOCKS
        .into_iter()
        .find(|block| width.is_multiple_of(*block))?;
    let scheme = QuantScheme::default()
        .with_value(QuantValue::Q8S)
        .with_store(QuantStore::PackedU32(0))
        .per_block([block as u8], ScaleDtype::F32);
    (width > 0).then_some((scheme, block))
}

/// The scheme of `q4`, which has the file's own blocks.
fn q4_scheme(width: usize) -> Option<QuantScheme> {
    let block = Q4_BLOCK as usize;
    let scheme = QuantScheme::default()
        .with_value(QuantValue::Q4S)
        .with_store(QuantStore::PackedU32(0))
        .per_block([block as u8], ScaleDtype::F16);
    (width > 0 && width.is_multiple_of(block)).then_some(scheme)
}

/// A `q8` matrix `[rows, width]` as Burn takes it: the bytes, then for each row its scale once for each block.
pub(super) fn q8_data(
    weights: &[u8],
    scales: &[f32],
    width: usize,
    (scheme, block): (QuantScheme, usize),
) -> TensorData {
    let copies = width / block;
    let mut bytes = Vec::with_capacity(weights.len() + scales.len() * copies * 4);
    bytes.extend_from_slice(weights);
    for scale in scales {
        for _ in 0..copies {
            bytes.extend_from_slice(&scale.to_le_bytes());
        }
    }
    quantized(bytes, [scales.len(), width], scheme)
}

fn quantized(bytes: Vec<u8>, shape: [usize; 2], scheme: QuantScheme) -> TensorData {
    TensorData::from_bytes(Bytes::from_bytes_vec(bytes), shape, DType::QFloat(scheme))
}

/// The matrix `name`, `[out, in]`, on the device: packed where the file has it so and the device can multiply it so,
/// else in `compute_type`.
pub(super) fn matrix(
    weights: &Weights,
    name: &str,
    compute_type: ComputeType,
    packed: bool,
    device: &Device,
) -> Result<Tensor<2>> {
    let data = match weights.stored_matrix(name)? {
        Some(stored) => as_stored(weights, name, stored, compute_type, packed, device)?,
        None => {
            tracing::info!(tensor = name, "unpacked: the file is laid out for the CPU");
            None
        }
    };
    let data = match data {
        Some(data) => data,
        None => {
            let shape: Vec<usize> = (weights.info(name))
                .and_then(|info| rows_and_width(&info.shape))
                .map_or_else(Vec::new, |(rows, width)| {
                    vec![rows as usize, width as usize]
                });
            let bytes = converted(weights, name, compute_type)?;
            TensorData::from_bytes(bytes, shape, compute_type.dtype())
        }
    };
    Ok(place(data, device))
}

/// A matrix as it lies in the map, where the device can multiply it so.
fn as_stored(
    weights: &Weights,
    name: &str,
    stored: StoredMatrix,
    compute_type: ComputeType,
    packed: bool,
    device: &Device,
) -> Result<Option<TensorData>> {
    let shape = [stored.rows, stored.width];
    let data = match (stored.precision, compute_type) {
        (Precision::Q8, _) if packed => q8(weights, name, &stored, device)?,
        (Precision::Q4, _) if packed => q4(&stored, device),
        (Precision::F32, ComputeType::F32) | (Precision::F16, ComputeType::F16) => {
            let bytes = shared(stored.weights);
            return Ok(Some(TensorData::from_bytes(
                bytes,
                shape,
                compute_type.dtype(),
            )));
        }
        _ => return Ok(None),
    };
    if data.is_none() {
        tracing::info!(tensor = name, shape = ?shape, "expanded: the device cannot multiply it as it is stored");
    }
    Ok(data)
}

/// A vector on the device, in `compute_type`.
pub(super) fn vector(
    weights: &Weights,
    name: &str,
    compute_type: ComputeType,
    device: &Device,
) -> Result<Tensor<1>> {
    let bytes = converted(weights, name, compute_type)?;
    let dtype = compute_type.dtype();
    let shape = Shape::new([bytes.len() / dtype.size()]);
    let data = TensorData::from_bytes(bytes, shape, dtype);
    Ok(Tensor::from_data(data, (device, dtype)))
}

/// Puts a matrix where it stays for the session: not in the pools that passes share.
pub(super) fn place(data: TensorData, device: &Device) -> Tensor<2> {
    let dtype = data.dtype();
    device.memory_persistent_allocations(data, |data| match dtype {
        DType::QFloat(_) => Tensor::from_data(data, device),
        dtype => Tensor::from_data(data, (device, dtype)),
    })
}

fn q8(
    weights: &Weights,
    name: &str,
    stored: &StoredMatrix,
    device: &Device,
) -> Result<Option<TensorData>> {
    let usable =
        q8_scheme(stored.width).filter(|(scheme, _)| device.supports_dtype(DType::QFloat(*scheme)));
    let (Some(scheme), Some(scales)) = (usable, &stored.scales) else {
        return Ok(None);
    };
    let numbers = finite(scales, name, f32::is_finite)?;
    if numbers.len() != stored.rows || stored.weights.len() != stored.rows * stored.width {
        let message = format!("{name}: its place has another size than its shape");
        return Err(Error::model(weights.container().path(), message));
    }
    Ok(Some(q8_data(
        &stored.weights,
        &numbers,
        stored.width,
        scheme,
    )))
}

/// `q4` lies in the file as Burn packs it: eight two's-complement nibbles in 32 bits, the first in the lowest.
fn q4(stored: &StoredMatrix, device: &Device) -> Option<TensorData> {
    let scheme =
        q4_scheme(stored.width).filter(|scheme| device.supports_dtype(DType::QFloat(*scheme)))?;
    let scales = stored.scales.as_ref()?;
    let blocks = stored.rows * (stored.width / Q4_BLOCK as usize);
    if stored.weights.len() != stored.rows * stored.width / 2 || scales.len() != blocks * 2 {
        return None;
    }
    let bytes = [&stored.weights[..], &scales[..]].concat();
    Some(quantized(bytes, [stored.rows, stored.width], scheme))
}

/// A view of the map, which stays mapped as long as it lives.
fn shared(bytes: morelet_mapped::Bytes) -> Bytes {
    Bytes::from_shared(bytes::Bytes::from_owner(bytes), AllocationProperty::File)
}

/// All values of a tensor in another type than it is stored in.
fn converted(weights: &Weights, name: &str, compute_type: ComputeType) -> Result<Bytes> {
    let values = weights.f32s(name)?;
    match compute_type {
        ComputeType::F32 => Ok(Bytes::from_elems(values)),
        ComputeType::F16 => {
            let mut half = vec![f16::ZERO; values.len()];
            half.convert_from_f32_slice(&values);
            if let Some(at) = half.iter().position(|value| !value.is_finite()) {
                let message = format!(
                    "{name}: a weight is {}, which f16 cannot hold: compute in f32",
                    values[at]
                );
                return Err(Error::model(weights.container().path(), message));
            }
            Ok(Bytes::from_elems(half))
        }
        ComputeType::Bf16 => {
            let mut half = vec![bf16::ZERO; values.len()];
            half.convert_from_f32_slice(&values);
            Ok(Bytes::from_elems(half))
        }
    }
}

//! A linear layer's weights from a file, as the CPU multiplies them.
//!
//! Where the converter has laid them out in panels, they are read where they lie; else they are packed into
//! memory when the session starts.

use half::f16;
use morelet_mapped::{Bytes, Plain};

use crate::error::{Error, Result};
use crate::kernels::{Matrix, Number, Numbers, Packed, panels, q4_output_scales};
use crate::weights::{Layout, Precision, Q4_BLOCK, Weights, finite, q4_integers, rows_and_width};

/// Reads the matrix `name` and, where there is one, `bias`, named in full. Of a tensor with more than two
/// dimensions, all but the first are the inputs.
///
/// # Errors
/// Of kind `Model` where there is no such matrix, of kind `File` where a scale is not finite.
pub(crate) fn matrix(weights: &Weights, name: &str, bias: Option<&str>) -> Result<Matrix> {
    let bias = bias.map(|bias| weights.f32s(bias)).transpose()?;
    let missing = || {
        let message = format!("there is no matrix {name}");
        Error::model(weights.container().path(), message)
    };
    let info = weights.info(name).ok_or_else(missing)?;
    let (outputs, inputs) = rows_and_width(&info.shape).ok_or_else(missing)?;
    // The table's checks have placed so many weights in the map.
    let (outputs, inputs) = (outputs as usize, inputs as usize);
    let (parts, mapped) = match weights.parts(name, Layout::Panels)? {
        Some(parts) => (parts, true),
        None => (
            weights.parts(name, Layout::RowMajor)?.ok_or_else(missing)?,
            false,
        ),
    };
    let bytes = parts.weights;
    let scales = || parts.scales.as_ref().ok_or_else(missing);
    let weights = match info.precision {
        Precision::Q8 => Packed::Q8 {
            panels: if mapped {
                Numbers::Mapped(bytes.typed()?)
            } else {
                Numbers::Own(panels::pack_q8(&bytes.typed::<i8>()?, outputs, inputs))
            },
            scales: Numbers::Mapped(finite(scales()?, name, f32::is_finite)?),
        },
        Precision::Q4 => {
            let is_finite = |bits| f16::from_bits(bits).is_finite();
            let scales = finite(scales()?, name, is_finite)?;
            let panels = if mapped {
                Numbers::Mapped(bytes.typed()?)
            } else {
                let row_bytes = inputs.div_ceil(Q4_BLOCK as usize) * Q4_BLOCK as usize / 2;
                let mut integers = Vec::with_capacity(outputs * inputs);
                for row in bytes.chunks_exact(row_bytes.max(1)) {
                    q4_integers(row, inputs, &mut integers);
                }
                Numbers::Own(panels::pack_q4(&integers, outputs, inputs))
            };
            Packed::Q4 {
                panels,
                outputs: q4_output_scales(&scales, inputs),
                scales: Numbers::Mapped(scales),
            }
        }
        Precision::F16 => Packed::F16 {
            panels: floats(&bytes, mapped, outputs, inputs)?,
        },
        Precision::F32 => Packed::F32 {
            panels: floats(&bytes, mapped, outputs, inputs)?,
        },
    };
    Ok(Matrix {
        outputs,
        inputs,
        weights,
        bias,
    })
}

fn floats<T: Number + Plain>(
    bytes: &Bytes,
    mapped: bool,
    outputs: usize,
    inputs: usize,
) -> Result<Numbers<T>> {
    let numbers = bytes.typed::<T>()?;
    Ok(if mapped {
        Numbers::Mapped(numbers)
    } else {
        Numbers::Own(panels::pack_floats(&numbers, outputs, inputs))
    })
}

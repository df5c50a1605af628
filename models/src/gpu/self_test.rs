//! The proof that a device computes rightly: one transformer layer whose answer is known.
//!
//! It runs what the models run: products of matrices in the device's own type and over packed `q8`, a bias, masked
//! attention, GELU, layer norms, a padded sequence. Kernels are chosen by measuring, compiled by the driver and fused by
//! a library, and each of the three has been seen to answer wrongly on some GPU; adding up small numbers would not show
//! that. The answer comes from `tests/reference/self_test.py`, in double precision.

use burn::tensor::ops::AttentionModuleOptions;
use burn::tensor::{DType, Device, Tensor, TensorData, activation, module};

use super::upload::{place, q8_data, q8_scheme};
use super::{ComputeType, DeviceLinear, narrow, padding_mask, widen};

/// Rows of the sequence, and those before the padding.
const ROWS: usize = 32;
pub(crate) const SEEN: usize = 27;
pub(crate) const WIDTH: usize = 64;
pub(crate) const HEADS: usize = 2;
pub(crate) const EPS: f64 = 1e-5;

/// What the rows before the padding come to, `[SEEN, WIDTH]`.
const GOLDEN: &str = include_str!("self_test.golden");

/// The largest ‖answer − golden‖ / ‖golden‖ that is rounding. A wrong answer is off by about 1.
pub(crate) fn tolerance(compute_type: ComputeType) -> f64 {
    match compute_type {
        // Burn's attention works on fragments of f16 on some devices.
        ComputeType::F32 => 1e-3,
        // Rounding alone makes 4e-4 and 4e-3 (PyTorch, the same casts).
        ComputeType::F16 => 4e-3,
        ComputeType::Bf16 => 3e-2,
    }
}

/// Runs the layer on `device` in `compute_type` and compares. An error says what came out. Panics of the backend are
/// not caught here.
pub(crate) fn self_test(device: &Device, compute_type: ComputeType) -> Result<(), String> {
    check(&answer(device, compute_type, (ROWS, SEEN))?, compute_type)
}

/// Compares what a device answered in `compute_type` for the sequence of [`SEEN`] rows.
pub(crate) fn check(answer: &[f32], compute_type: ComputeType) -> Result<(), String> {
    let golden: Vec<f32> = GOLDEN
        .split_ascii_whitespace()
        .map(|number| {
            number
                .parse()
                .map_err(|_| format!("{number} in the stored answer"))
        })
        .collect::<Result<_, _>>()?;
    compare(answer, &golden, tolerance(compute_type))
}

/// Compares two answers.
pub(crate) fn compare(answer: &[f32], golden: &[f32], tolerance: f64) -> Result<(), String> {
    let Some(answer) = answer.get(..golden.len()) else {
        return Err(format!(
            "the self-test gave {} numbers, expected {}",
            answer.len(),
            golden.len()
        ));
    };
    let (mut apart, mut length) = (0.0, 0.0);
    for (&got, &want) in answer.iter().zip(golden) {
        let (got, want) = (f64::from(got), f64::from(want));
        apart += (got - want) * (got - want);
        length += want * want;
    }
    let error = (apart / length).sqrt();
    // So that NaN is refused too.
    if error <= tolerance {
        tracing::debug!(error, tolerance, "self-test");
        return Ok(());
    }
    Err(format!(
        "the self-test answered wrongly: relative error {error:.2e}, expected at most {tolerance:.0e}"
    ))
}

/// What the layer is made of, in numbers that `f16` and `bf16` hold exactly, the matrices each `[WIDTH, WIDTH]`: 2 to 5 are
/// [weights](Self::weight), of queries, keys, values and the output; 6 and 7 are [quantized](Self::quantized), of the feed-forward.
pub(crate) struct Numbers {
    /// What goes in, `[rows, WIDTH]`.
    pub(crate) x: Vec<f32>,
    /// Of both norms.
    pub(crate) gamma: Vec<f32>,
    /// Of both norms.
    pub(crate) beta: Vec<f32>,
}

impl Numbers {
    pub(crate) fn new(rows: usize) -> Self {
        let each = |seed, count, number: fn(f32) -> f32| noise(seed, count).into_iter().map(number);
        Self {
            x: each(1, rows * WIDTH, |x| 2.0 * x).collect(),
            gamma: each(22, WIDTH, |g| 1.0 + g / 2.0).collect(),
            beta: noise(23, WIDTH),
        }
    }

    pub(crate) fn weight(&self, seed: u32) -> Vec<f32> {
        let noise = noise(seed, WIDTH * WIDTH).into_iter();
        noise.map(|w| 0.25 * w).collect()
    }

    /// The bias of the matrix `seed`.
    pub(crate) fn bias(&self, seed: u32) -> Vec<f32> {
        noise(seed + 10, WIDTH)
    }

    /// Integers of 8 bits, and a scale for each row.
    pub(crate) fn packed(&self, seed: u32) -> (Vec<u8>, Vec<f32>) {
        let noise = noise(seed, WIDTH * WIDTH).into_iter();
        let bytes = noise.map(|w| ((128.0 * w) as i8).max(-127) as u8).collect();
        let scale = |row: usize| (1 + row % 5) as f32 / 1024.0;
        (bytes, (0..WIDTH).map(scale).collect())
    }

    /// The same expanded.
    pub(crate) fn quantized(&self, seed: u32) -> Vec<f32> {
        let (bytes, scales) = self.packed(seed);
        let scales = scales.iter().flat_map(|scale| [scale; WIDTH]);
        let values = bytes.iter().zip(scales);
        values
            .map(|(&byte, scale)| f32::from(byte as i8) * scale)
            .collect()
    }
}

/// The layer's output, `[rows, WIDTH]`, of a sequence of which `seen` rows are not padding.
pub(crate) fn answer(
    device: &Device,
    compute_type: ComputeType,
    (rows, seen): (usize, usize),
) -> Result<Vec<f32>, String> {
    let dtype = compute_type.dtype();
    let vector = |values: Vec<f32>, dtype: DType| {
        let data = TensorData::new(values, [WIDTH]);
        Tensor::<1>::from_data(data, (device, dtype))
    };
    let numbers = Numbers::new(rows);
    let bias = |seed| Some(vector(numbers.bias(seed), dtype));
    let float = |seed: u32| {
        let data = TensorData::new(numbers.weight(seed), [WIDTH, WIDTH]);
        let weight = Tensor::from_data(data, (device, dtype));
        DeviceLinear::new(weight, bias(seed), compute_type)
    };
    let packed = |seed: u32| {
        // A device that cannot multiply it packed will not be given it packed.
        let usable =
            q8_scheme(WIDTH).filter(|(scheme, _)| device.supports_dtype(DType::QFloat(*scheme)));
        let weight = match usable {
            Some(scheme) => {
                let (bytes, scales) = numbers.packed(seed);
                place(q8_data(&bytes, &scales, WIDTH, scheme), device)
            }
            None => {
                let data = TensorData::new(numbers.quantized(seed), [WIDTH, WIDTH]);
                Tensor::from_data(data, (device, dtype))
            }
        };
        DeviceLinear::new(weight, bias(seed), compute_type)
    };
    let (gamma, beta) = (
        vector(numbers.gamma.clone(), DType::F32),
        vector(numbers.beta.clone(), DType::F32),
    );
    let norm = |x: Tensor<3>| module::layer_norm(x, gamma.clone(), Some(beta.clone()), EPS);

    let x = TensorData::new(numbers.x.clone(), [1, rows, WIDTH]);
    let x = Tensor::<3>::from_data(x, (device, DType::F32));
    let narrowed = narrow(x.clone(), dtype);
    let heads = |linear: DeviceLinear| {
        let y = linear.forward(narrowed.clone());
        y.reshape([1, rows, HEADS, WIDTH / HEADS]).swap_dims(1, 2)
    };
    let mask = padding_mask(seen, rows, HEADS, device);
    let options = AttentionModuleOptions::default();
    let attended = module::attention(
        heads(float(2)),
        heads(float(3)),
        heads(float(4)),
        mask,
        None,
        options,
    );
    let attended = attended.swap_dims(1, 2).reshape([1, rows, WIDTH]);
    let h = norm(x + widen(float(5).forward(attended)));
    let up = activation::gelu(widen(packed(6).forward(h.clone())));
    let y = norm(h + widen(packed(7).forward(up)));
    y.try_into_vec_as::<f32>()
        .map_err(|error| error.to_string())
}

/// Multiples of 1/128 in −1..1, which `f16` and `bf16` hold exactly: the hash of `self_test.py`.
fn noise(seed: u32, count: usize) -> Vec<f32> {
    let number = |at: u32| {
        let mut h = (at.wrapping_mul(0x9E37_79B1)).wrapping_add(seed.wrapping_mul(0x7F4A_7C15));
        h ^= h >> 15;
        h = h.wrapping_mul(0x85EB_CA6B);
        h ^= h >> 13;
        ((h >> 24) as f32 - 128.0) / 128.0
    };
    (0..count as u32).map(number).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[cfg(feature = "cpu")]
    #[test]
    fn the_cpu_answers_as_the_reference_does() {
        self_test(&Device::flex(), ComputeType::F32).unwrap();
    }

    #[test]
    fn a_wrong_answer_is_told_from_rounding() {
        let golden: Vec<f32> = (0..1000).map(|at| (at as f32).sin()).collect();
        let off = |by: f32| -> Vec<f32> {
            let sign = |at: usize| if at.is_multiple_of(2) { by } else { -by };
            let each = golden.iter().enumerate();
            each.map(|(at, value)| value + sign(at)).collect()
        };
        assert!(compare(&off(1e-4), &golden, 1e-3).is_ok());
        let error = compare(&off(1e-1), &golden, 1e-3).unwrap_err();
        assert!(error.contains("answered wrongly"), "{error}");
    }

    #[test]
    fn one_lost_row_numbers_that_are_none_and_a_short_answer_are_wrong() {
        let golden: Vec<f32> = (0..SEEN * WIDTH).map(|at| (at as f32).cos()).collect();
        let lenient = tolerance(ComputeType::Bf16);
        let mut lost = golden.clone();
        lost[5 * WIDTH..6 * WIDTH].fill(0.0);
        assert!(compare(&lost, &golden, lenient).is_err());
        lost[5 * WIDTH] = f32::NAN;
        assert!(compare(&lost, &golden, lenient).is_err());
        assert!(compare(&golden[..WIDTH], &golden, lenient).is_err());
    }
}

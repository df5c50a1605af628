//! The numbers of the proof that a device answers rightly by our kernels: the layer of [`gpu::self_test`], and products of small integers.

use burn::tensor::Device;

use super::{Halves, Order, Shape, halves};
use crate::error::Result;
use crate::gpu::self_test::{EPS, HEADS, Numbers, SEEN, WIDTH, check, compare, tolerance};
use crate::gpu::{self, ComputeType};
use crate::weights::Activation;

/// Rows of a sequence whose keys are several blocks, some of them padding.
const LONG: usize = 150;

/// Compares the layer's output, `[rows, WIDTH]`, which `answer` gives for a number of rows: of a short sequence with what is stored, of a
/// long one with Burn's on the host. An error says what came out.
pub(crate) fn layer(answer: impl Fn(usize) -> Result<Vec<f32>>) -> Result<(), String> {
    let answer = |rows| answer(rows).map_err(|error| error.to_string());
    check(&answer(SEEN)?, ComputeType::F16)?;
    let host = gpu::self_test::answer(&Device::flex(), ComputeType::F32, (LONG, LONG))?;
    compare(&answer(LONG)?, &host, tolerance(ComputeType::F16))
}

/// The layer's shape.
pub(crate) fn shape(longest: usize) -> Shape {
    Shape {
        width: WIDTH,
        heads: HEADS,
        activation: Activation::Gelu,
        eps: EPS,
        causal: false,
        order: Order::PostNorm,
        between: WIDTH,
        longest,
    }
}

/// Its matrices with these seeds, one below the other: each is `of` its seed.
pub(crate) fn matrix(numbers: &Numbers, seeds: &[u32], of: impl Fn(u32) -> Vec<f32>) -> Halves {
    let weight: Vec<f32> = seeds.iter().flat_map(|&seed| of(seed)).collect();
    let bias = seeds.iter().flat_map(|&seed| numbers.bias(seed));
    Halves {
        weight: halves(&weight),
        bias: bias.collect(),
        outputs: seeds.len() * WIDTH,
        inputs: WIDTH,
    }
}

/// A product of small integers, whose sums are exact in `f16` too. Few of x are not zero, so that the host is soon done; their places
/// go round, so that all of K counts.
pub(crate) struct Integers {
    /// `[rows, inputs]`.
    pub(crate) x: Vec<f32>,
    /// `[outputs, inputs]`.
    pub(crate) weight: Vec<f32>,
    pub(crate) bias: Vec<f32>,
    /// x Wᵀ, `[rows, outputs]`.
    pub(crate) expected: Vec<f32>,
}

impl Integers {
    /// How many numbers of a row of x are not zero.
    const TERMS: usize = 16;

    /// Of one shape, whose inputs are a multiple of 16.
    pub(crate) fn new((rows, outputs, inputs): (usize, usize, usize)) -> Self {
        // 0, 1 or 2.
        let number = |at: usize| ((at as u32).wrapping_mul(2_654_435_761) >> 16) % 3;
        let weight = (0..outputs * inputs).map(|at| number(at) as f32 - 1.0);
        let weight: Vec<f32> = weight.collect();
        let mut x = vec![0.0; rows * inputs];
        let mut expected = Vec::with_capacity(rows * outputs);
        for (row, x) in x.chunks_exact_mut(inputs).enumerate() {
            let places = (0..Self::TERMS).map(|term| (row + term * inputs / Self::TERMS) % inputs);
            let terms: Vec<_> = places.map(|k| (k, 1.0 + number(row + k) as f32)).collect();
            for &(k, value) in &terms {
                x[k] = value;
            }
            let sum = |weight: &[f32]| {
                terms
                    .iter()
                    .map(|&(k, value)| value * weight[k])
                    .sum::<f32>()
            };
            expected.extend(weight.chunks_exact(inputs).map(sum));
        }
        Self {
            x,
            weight,
            bias: (0..outputs).map(|output| (output % 7) as f32).collect(),
            expected,
        }
    }
}

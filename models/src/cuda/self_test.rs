//! The proof that a device answers rightly: the layer of [`gpu::self_test`](crate::gpu::self_test), by the kernels that serve, and each
//! tile that larger models' products are made of.

use std::sync::Arc;

use burn::tensor::Device;
use half::f16;

use super::driver::Driver;
use super::kernels::Scale;
use super::product::{Product, Sums, tiles};
use super::stack::{Layer, Stack};
use super::tile::Tile;
use super::upload::{Matrix, halves};
use super::{Given, MULTIPLE, Order, Shape};
use crate::error::{Error, Result};
use crate::gpu::self_test::{EPS, HEADS, Numbers, SEEN, WIDTH, check, compare, tolerance};
use crate::gpu::{self, ComputeType};
use crate::weights::Activation;

/// Rows of a sequence whose keys are several blocks, some of them padding.
const LONG: usize = 150;

/// Runs the layer and compares: a short sequence with the stored answer, a long one with Burn's on the host. An error says what came out.
pub(crate) fn self_test(driver: &Arc<Driver>) -> std::result::Result<(), String> {
    let told = |error: Error| error.to_string();
    let short = answer(driver, SEEN).map_err(told)?;
    check(&short, ComputeType::F16)?;
    let host = gpu::self_test::answer(&Device::flex(), ComputeType::F32, (LONG, LONG))?;
    let long = answer(driver, LONG).map_err(told)?;
    compare(&long, &host, tolerance(ComputeType::F16))?;
    tiles(driver)
        .iter()
        .try_for_each(|&tile| product(driver, tile))
}

/// The layer's output, `[rows, WIDTH]`.
fn answer(driver: &Arc<Driver>, rows: usize) -> Result<Vec<f32>> {
    let numbers = Numbers::new(rows);
    let matrix = |names: &[u32], of: &dyn Fn(u32) -> Vec<f32>| {
        let weight: Vec<f32> = names.iter().flat_map(|&seed| of(seed)).collect();
        let bias: Vec<f32> = (names.iter())
            .flat_map(|&seed| numbers.bias(seed))
            .collect();
        let shape = (bias.len(), WIDTH);
        let matrix = Matrix::new(driver, &halves(&weight), &bias, shape);
        matrix.map_err(|problem| Error::device(format!("the self-test: {problem:?}")))
    };
    let scale = || -> Result<Scale> {
        Ok(Scale {
            gamma: driver.upload(&numbers.gamma)?,
            beta: driver.upload(&numbers.beta)?,
        })
    };
    let layer = Layer {
        qkv: matrix(&[2, 3, 4], &|seed| numbers.weight(seed))?,
        output: matrix(&[5], &|seed| numbers.weight(seed))?,
        attention_norm: scale()?,
        up: matrix(&[6], &|seed| numbers.quantized(seed))?,
        down: matrix(&[7], &|seed| numbers.quantized(seed))?,
        feed_forward_norm: scale()?,
    };
    let shape = Shape {
        width: WIDTH,
        heads: HEADS,
        activation: Activation::Gelu,
        eps: EPS,
        causal: false,
        order: Order::PostNorm,
        between: WIDTH,
        longest: rows,
    };
    let stack = Stack::new(driver, shape, (None, None), vec![layer])?;
    let all: Vec<usize> = (0..rows).collect();
    let mut states = Vec::new();
    stack.forward(Given::Rows(&numbers.x), &all, &mut states)?;
    Ok(states)
}

/// A product of small integers, whose sums are exact in `f16` too.
struct Integers {
    /// `[rows, inputs]`.
    x: Vec<f32>,
    /// `[outputs, inputs]`.
    weight: Vec<f32>,
    bias: Vec<f32>,
    /// x Wᵀ + bias, `[rows, outputs]`.
    expected: Vec<f32>,
}

impl Integers {
    /// Of one shape, with a bias or zeros.
    fn new((rows, outputs, inputs): (usize, usize, usize), biased: bool) -> Self {
        let number = |at: usize| ((at as u32).wrapping_mul(2_654_435_761) >> 16) as i32 % 3 - 1;
        let x: Vec<i32> = (0..rows * inputs).map(number).collect();
        let weight: Vec<i32> = (1..=outputs * inputs).map(number).collect();
        let bias = |output: usize| if biased { output as i32 % 7 } else { 0 };
        let expected = x.chunks_exact(inputs).flat_map(|x| {
            let outputs = weight.chunks_exact(inputs).enumerate();
            outputs.map(move |(output, weight)| {
                let sum: i32 = x.iter().zip(weight).map(|(x, weight)| x * weight).sum();
                (sum + bias(output)) as f32
            })
        });
        let expected = expected.collect();
        let floats = |numbers: &[i32]| numbers.iter().map(|&number| number as f32).collect();
        Self {
            expected,
            x: floats(&x),
            weight: floats(&weight),
            bias: (0..outputs).map(|output| bias(output) as f32).collect(),
        }
    }
}

/// The product that one block, or one cluster, computes with a tile, over more of K than is under way at once: of wide tiles as it goes to
/// attention, of narrow ones in two parts as it goes to a norm.
fn product(driver: &Driver, tile: Tile) -> std::result::Result<(), String> {
    let told = |error: Error| error.to_string();
    let whole = tile.width > 64;
    let parts = if whole { 1 } else { 2 };
    let inputs = parts * (tile.stages() + 1) * MULTIPLE;
    let shape = (tile.rows * tile.cluster, tile.width, inputs);
    let numbers = Integers::new(shape, whole);
    let (rows, outputs, _) = shape;
    let weight = halves(&numbers.weight);
    let matrix = Matrix::new(driver, &weight, &numbers.bias, (outputs, inputs))
        .map_err(|problem| format!("{problem:?}"))?;
    let got = || -> Result<Vec<f32>> {
        let product = Product::build(driver, shape, tile, (parts, !whole), None)?;
        let x = driver.upload(&halves(&numbers.x))?;
        if whole {
            let mut to = driver.upload(&vec![u16::MAX; rows * outputs])?;
            product.launch(driver, &x, &matrix, Sums::Half(&mut to))?;
            let bits = driver.download(&to)?;
            return Ok(bits
                .into_iter()
                .map(|bits| f16::from_bits(bits).to_f32())
                .collect());
        }
        let mut to = driver.upload(&vec![f32::NAN; parts * rows * outputs])?;
        product.launch(driver, &x, &matrix, Sums::Parts(&mut to))?;
        let sums = driver.download(&to)?;
        let (first, second) = sums.split_at(rows * outputs);
        Ok(first
            .iter()
            .zip(second)
            .map(|(first, second)| first + second)
            .collect())
    };
    let got = got().map_err(told)?;
    let wrong = got
        .iter()
        .zip(&numbers.expected)
        .position(|(got, expected)| got != expected);
    match wrong {
        None => Ok(()),
        Some(at) => Err(format!(
            "a product {rows} × {outputs} × {inputs} has {} at {}, {}: expected {}",
            got[at],
            at / outputs,
            at % outputs,
            numbers.expected[at]
        )),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cuda::tile::{HOPPER, PLAIN};

    #[test]
    fn sums_of_the_integers_are_exact_in_f16() {
        for tile in HOPPER.into_iter().chain([PLAIN]) {
            let inputs = 2 * (tile.stages() + 1) * MULTIPLE;
            let numbers = Integers::new((tile.rows * tile.cluster, tile.width, inputs), true);
            let whole = [&numbers.x, &numbers.weight, &numbers.expected];
            for &number in whole.into_iter().flatten() {
                assert_eq!(f16::from_f32(number).to_f32(), number);
            }
            let used = |numbers: &[f32]| [-1.0, 0.0, 1.0].map(|it| numbers.contains(&it));
            assert_eq!(used(&numbers.x), [true; 3]);
            assert!(numbers.x.iter().all(|x| x.abs() <= 1.0));
            assert!(numbers.expected.iter().any(|&sum| sum < -9.0));
        }
    }
}

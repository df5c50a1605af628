//! The proof that a device answers rightly: the layer of [`gpu::self_test`](crate::gpu::self_test), by the kernels that serve.

use std::sync::Arc;

use burn::tensor::Device;

use super::driver::Driver;
use super::kernels::Scale;
use super::stack::{Layer, Stack};
use super::upload::{Matrix, halves};
use super::{Given, Order, Shape};
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
    compare(&long, &host, tolerance(ComputeType::F16))
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
    stack.forward(Given::Rows(&numbers.x), &all)
}

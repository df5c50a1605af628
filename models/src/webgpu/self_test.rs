//! The proof that a device answers rightly: the layer of [`trial`], by the kernels that serve, and larger products over weights of each
//! type.

use std::sync::Arc;

use half::f16;

use super::driver::Driver;
use super::kernels::Scale;
use super::matrix::multiply;
use super::stack::{Layer, Stack};
use super::upload::{Matrix, Stored};
use crate::error::Result;
use crate::gpu::self_test::{Numbers, WIDTH};
use crate::stack::trial::{self, Integers};
use crate::stack::{Given, Halves, halves};

/// Runs the layer and the products, and compares. An error says what came out.
pub(crate) fn self_test(driver: &Arc<Driver>) -> std::result::Result<(), String> {
    trial::layer(|rows| answer(driver, rows))?;
    [Stored::F16, Stored::Q8, Stored::Q4]
        .into_iter()
        .try_for_each(|stored| product(driver, stored))
}

/// The layer's output, `[rows, WIDTH]`, with the feed-forward in `q8`.
fn answer(driver: &Arc<Driver>, rows: usize) -> Result<Vec<f32>> {
    let numbers = Numbers::new(rows);
    let matrix = |seeds: &[u32]| {
        let halves = trial::matrix(&numbers, seeds, |seed| numbers.weight(seed));
        Matrix::new(driver, &halves)
    };
    let packed = |seed: u32| {
        let (weight, scales) = numbers.packed(seed);
        Matrix::q8(driver, (&weight, &scales, &numbers.bias(seed)), WIDTH)
    };
    let scale = || -> Result<Scale> {
        Ok(Scale {
            gamma: driver.upload_f32(&numbers.gamma)?,
            beta: driver.upload_f32(&numbers.beta)?,
        })
    };
    let layer = Layer {
        qkv: matrix(&[2, 3, 4])?,
        output: matrix(&[5])?,
        attention_norm: scale()?,
        up: packed(6)?,
        down: packed(7)?,
        feed_forward_norm: scale()?,
    };
    let stack = Stack::new(driver, trial::shape(rows), (None, None), vec![layer])?;
    let all: Vec<usize> = (0..rows).collect();
    let mut states = Vec::new();
    stack.forward(Given::Rows(&numbers.x), &all, &mut states)?;
    Ok(states)
}

/// A product of small integers over several tiles, steps and parts of K. It must be exact.
fn product(driver: &Driver, stored: Stored) -> std::result::Result<(), String> {
    let shape @ (rows, outputs, inputs) = (128, 192, 1024);
    let numbers = Integers::new(shape);
    let multiplied = || -> Result<Vec<f32>> {
        let matrix = match stored {
            Stored::F16 => Matrix::new(
                driver,
                &Halves {
                    weight: halves(&numbers.weight),
                    bias: numbers.bias.clone(),
                    outputs,
                    inputs,
                },
            )?,
            Stored::Q8 => {
                let weight: Vec<u8> = numbers.weight.iter().map(|&w| w as i8 as u8).collect();
                Matrix::q8(
                    driver,
                    (&weight, &vec![1.0; outputs], &numbers.bias),
                    inputs,
                )?
            }
            Stored::Q4 => {
                let nibble = |w: f32| (w as i8 as u8) & 15;
                let pairs = numbers.weight.chunks_exact(2);
                let weight: Vec<u8> = pairs
                    .map(|two| nibble(two[0]) | (nibble(two[1]) << 4))
                    .collect();
                let scales = f16::ONE.to_ne_bytes().repeat(outputs * inputs / 32);
                Matrix {
                    stored,
                    weight: driver.upload(&weight)?,
                    scales: Some(driver.upload(&scales)?),
                    bias: driver.upload_f32(&numbers.bias)?,
                    outputs,
                    inputs,
                }
            }
        };
        multiply(driver, &matrix, &halves(&numbers.x), rows)
    };
    let got = multiplied().map_err(|error| error.to_string())?;
    for (at, (got, expected)) in got.iter().zip(&numbers.expected).enumerate() {
        if got != expected {
            let (row, output) = (at / outputs, at % outputs);
            return Err(format!(
                "a product {rows} × {outputs} × {inputs} over {stored:?} has {got} at {row}, {output}: expected {expected}"
            ));
        }
    }
    Ok(())
}

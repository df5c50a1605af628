//! The proof that a device answers rightly: the layer of [`trial`], by the kernels that serve, and each tile that larger models'
//! products are made of.

use std::sync::Arc;

use half::f16;

use super::driver::Driver;
use super::kernels::Scale;
use super::product::{Product, Sums, tiles};
use super::stack::{Layer, Stack};
use super::tile::Tile;
use super::upload::Matrix;
use crate::error::Result;
use crate::gpu::self_test::Numbers;
use crate::stack::trial::{self, Integers};
use crate::stack::{Given, Halves, MULTIPLE, halves};

/// Runs the layer and the products, and compares. An error says what came out.
pub(crate) fn self_test(driver: &Arc<Driver>) -> std::result::Result<(), String> {
    trial::layer(|rows| answer(driver, rows))?;
    tiles(driver)
        .iter()
        .try_for_each(|&tile| product(driver, tile))
}

/// The layer's output, `[rows, WIDTH]`.
fn answer(driver: &Arc<Driver>, rows: usize) -> Result<Vec<f32>> {
    let numbers = Numbers::new(rows);
    let matrix = |seeds: &[u32], of: &dyn Fn(u32) -> Vec<f32>| {
        Matrix::new(driver, &trial::matrix(&numbers, seeds, of))
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
    let stack = Stack::new(driver, trial::shape(rows), (None, None), vec![layer])?;
    let all: Vec<usize> = (0..rows).collect();
    let mut states = Vec::new();
    stack.forward(Given::Rows(&numbers.x), &all, &mut states)?;
    Ok(states)
}

/// Products by one tile, of two clusters below and two tiles beside each other, over more of K than is under way at once: with a bias in
/// half precision, as they go to attention, and in two parts, as they go to a norm. They must be exact.
fn product(driver: &Driver, tile: Tile) -> std::result::Result<(), String> {
    let (rows, outputs) = (2 * tile.rows * tile.cluster, 2 * tile.width);
    for parts in [1, 2] {
        let inputs = parts * (tile.stages() + 1) * MULTIPLE;
        let shape = (rows, outputs, inputs);
        let numbers = Integers::new(shape);
        let got = multiplied(driver, tile, parts, shape, &numbers)?;
        for (at, (got, sum)) in got.iter().zip(&numbers.expected).enumerate() {
            let (row, output) = (at / outputs, at % outputs);
            let bias = if parts == 1 {
                numbers.bias[output]
            } else {
                0.0
            };
            if *got != sum + bias {
                return Err(format!(
                    "a product {rows} × {outputs} × {inputs} by {tile:?} has {got} at {row}, {output}: expected {}",
                    sum + bias
                ));
            }
        }
    }
    Ok(())
}

/// The product of the numbers: in one part with bias, in half precision; in two parts the sum of both.
fn multiplied(
    driver: &Driver,
    tile: Tile,
    parts: usize,
    shape: (usize, usize, usize),
    numbers: &Integers,
) -> std::result::Result<Vec<f32>, String> {
    let (rows, outputs, inputs) = shape;
    let weight = Halves::new(
        halves(&numbers.weight),
        numbers.bias.clone(),
        (outputs, inputs),
    )?;
    let apart = parts > 1;
    let multiply = || -> Result<Vec<f32>> {
        let matrix = Matrix::new(driver, &weight)?;
        let product = Product::build(driver, shape, tile, (parts, apart), None)?;
        let x = driver.upload(&halves(&numbers.x))?;
        if apart {
            let mut to = driver.upload(&vec![f32::NAN; parts * rows * outputs])?;
            product.launch(driver, &x, &matrix, Sums::Parts(&mut to))?;
            let sums = driver.download(&to)?;
            let (first, second) = sums.split_at(rows * outputs);
            return Ok(first.iter().zip(second).map(|(x, y)| x + y).collect());
        }
        let mut to = driver.upload(&vec![f16::NAN.to_bits(); rows * outputs])?;
        product.launch(driver, &x, &matrix, Sums::Half(&mut to))?;
        let bits = driver.download(&to)?;
        Ok(bits
            .into_iter()
            .map(|bits| f16::from_bits(bits).to_f32())
            .collect())
    };
    multiply().map_err(|error| error.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cuda::tile::{HOPPER, PLAIN};

    #[test]
    fn the_integers_are_exact_in_f16_and_what_is_expected_is_their_product() {
        for tile in HOPPER.into_iter().chain([PLAIN]) {
            let (rows, outputs) = (2 * tile.rows * tile.cluster, 2 * tile.width);
            let inputs = 2 * (tile.stages() + 1) * MULTIPLE;
            let numbers = Integers::new((rows, outputs, inputs));
            let with_bias = numbers.expected.iter().zip(numbers.bias.iter().cycle());
            let with_bias: Vec<f32> = with_bias.map(|(sum, bias)| sum + bias).collect();
            let all = [&numbers.x, &numbers.weight, &numbers.expected, &with_bias];
            for &number in all.into_iter().flatten() {
                assert_eq!(f16::from_f32(number).to_f32(), number);
            }
            for row in [0, 1, rows / 2, rows - 1] {
                for output in [0, 1, outputs / 2, outputs - 1] {
                    let x = &numbers.x[row * inputs..][..inputs];
                    let weight = &numbers.weight[output * inputs..][..inputs];
                    let sum: f32 = x.iter().zip(weight).map(|(x, y)| x * y).sum();
                    assert_eq!(numbers.expected[row * outputs + output], sum);
                }
            }
            // All of K counts, also among the rows of one block of 128.
            let block = &numbers.x[..128 * inputs];
            let used = |k: usize| block.iter().skip(k).step_by(inputs).any(|&x| x != 0.0);
            assert!((0..inputs).all(used));
            assert!(numbers.expected.iter().any(|&sum| sum < -9.0));
        }
    }
}

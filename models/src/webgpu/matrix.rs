//! A matrix by itself.

use std::sync::Arc;

use super::driver::Driver;
use super::kernels::{Sums, parts, product};
use super::upload;
use crate::error::Result;
use crate::stack::Halves;

/// A matrix that is not part of a stack.
#[derive(Debug)]
pub(crate) struct Matrix {
    driver: Arc<Driver>,
    weight: upload::Matrix,
}

impl Matrix {
    /// Sends it to the device.
    pub(crate) fn new(driver: &Arc<Driver>, weight: &Halves) -> Result<Self> {
        Ok(Self {
            driver: driver.clone(),
            weight: upload::Matrix::new(driver, weight)?,
        })
    }

    /// x Wᵀ, from host to host: of `rows` rows, a multiple of 64, in half precision.
    pub(crate) fn multiply(&self, x: &[u16], rows: usize) -> Result<Vec<f32>> {
        multiply(&self.driver, &self.weight, x, rows)
    }
}

/// The same of any matrix.
pub(super) fn multiply(
    driver: &Driver,
    weight: &upload::Matrix,
    x: &[u16],
    rows: usize,
) -> Result<Vec<f32>> {
    let count = rows * weight.outputs;
    let parts = parts(driver, (rows, weight.outputs, weight.inputs));
    let bytes: Vec<u8> = x.iter().flat_map(|half| half.to_ne_bytes()).collect();
    let x = driver.upload(&bytes)?;
    let sums = driver.zeros(parts * count * 4)?;
    let launch = product(driver, rows, &x, weight, &Sums::Parts(&sums))?;
    let answer = driver.answer(parts * count * 4)?;
    let mut out = vec![0.0; count];
    let add = |bytes: &[u8]| {
        for part in bytes.chunks_exact(count * 4) {
            for (out, number) in out.iter_mut().zip(part.chunks_exact(4)) {
                *out += f32::from_ne_bytes(number.try_into().unwrap_or_default());
            }
        }
    };
    driver.pass(
        &[launch],
        (&sums, 0, parts * count * 4),
        &answer,
        || {},
        add,
    )?;
    Ok(out)
}

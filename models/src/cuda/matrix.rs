//! A matrix by itself.

use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::sync::{Arc, Mutex, PoisonError};

use super::MULTIPLE;
use super::driver::Driver;
use super::product::{Product, Sums};
use super::upload;
use crate::error::Result;
use crate::weights::Weights;

/// `x Wᵀ` for a matrix that is not part of a stack, from host to host.
#[derive(Debug)]
pub(crate) struct Matrix {
    driver: Arc<Driver>,
    weight: upload::Matrix,
    /// The number of inputs before padding.
    inputs: usize,
    bias: Vec<f32>,
    /// The kernel for each number of rows.
    products: Mutex<HashMap<usize, Product>>,
}

impl Matrix {
    /// Uploads a matrix; its bias, where there is one, stays on the host. Both are named in full.
    ///
    /// # Errors
    /// Of kind `Model` where the number of outputs is no multiple of 64, or a weight is too large for `f16`; of kind
    /// `File`, `Device`.
    pub(crate) fn load(
        driver: &Arc<Driver>,
        weights: &Weights,
        matrix: &str,
        bias: Option<&str>,
    ) -> Result<Self> {
        let (weight, inputs) = upload::Matrix::padded(driver, weights, matrix)?;
        let bias = bias.map(|bias| weights.f32s(bias)).transpose()?;
        Ok(Self {
            driver: driver.clone(),
            bias: bias.unwrap_or_else(|| vec![0.0; weight.outputs]),
            weight,
            inputs,
            products: Mutex::default(),
        })
    }

    /// The number of outputs.
    pub(crate) fn outputs(&self) -> usize {
        self.weight.outputs
    }

    /// `[n, in]` to `[n, out]`.
    ///
    /// # Errors
    /// Of kind `Device`.
    pub(crate) fn forward(&self, x: &[f32], n: usize) -> Result<Vec<f32>> {
        let (driver, weight) = (&*self.driver, &self.weight);
        let rows = n.next_multiple_of(MULTIPLE);
        let mut products = self.products.lock().unwrap_or_else(PoisonError::into_inner);
        let product = match products.entry(rows) {
            Entry::Occupied(known) => known.into_mut(),
            Entry::Vacant(new) => {
                let shape = (rows, weight.outputs, weight.inputs);
                new.insert(Product::bare(driver, shape)?)
            }
        };
        let mut half = upload::padded(&upload::halves(x), (self.inputs, weight.inputs));
        half.resize(rows * weight.inputs, 0);
        let x = driver.upload(&half)?;
        let mut sums = driver.zeros::<f32>(rows * weight.outputs)?;
        product.launch(driver, &x, weight, Sums::Parts(&mut sums))?;
        let mut out = driver.download(&sums)?;
        out.truncate(n * weight.outputs);
        for row in out.chunks_exact_mut(weight.outputs) {
            for (out, bias) in row.iter_mut().zip(&self.bias) {
                *out += bias;
            }
        }
        Ok(out)
    }
}

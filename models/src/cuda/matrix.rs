//! A matrix by itself.

use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::sync::{Arc, Mutex, PoisonError};

use super::driver::Driver;
use super::product::{Product, Sums};
use super::upload;
use crate::error::Result;
use crate::stack::Halves;

/// A matrix that is not part of a stack.
#[derive(Debug)]
pub(crate) struct Matrix {
    driver: Arc<Driver>,
    weight: upload::Matrix,
    /// The kernel for each number of rows.
    products: Mutex<HashMap<usize, Product>>,
}

impl Matrix {
    /// Sends it to the device.
    pub(crate) fn new(driver: &Arc<Driver>, weight: &Halves) -> Result<Self> {
        Ok(Self {
            driver: driver.clone(),
            weight: upload::Matrix::new(driver, weight)?,
            products: Mutex::default(),
        })
    }

    /// x Wᵀ, from host to host: of `rows` rows, a multiple of 64, in half precision.
    pub(crate) fn multiply(&self, x: &[u16], rows: usize) -> Result<Vec<f32>> {
        let (driver, weight) = (&*self.driver, &self.weight);
        let mut products = self.products.lock().unwrap_or_else(PoisonError::into_inner);
        let product = match products.entry(rows) {
            Entry::Occupied(known) => known.into_mut(),
            Entry::Vacant(new) => {
                let shape = (rows, weight.outputs, weight.inputs);
                new.insert(Product::bare(driver, shape)?)
            }
        };
        let x = driver.upload(x)?;
        let mut sums = driver.zeros::<f32>(rows * weight.outputs)?;
        product.launch(driver, &x, weight, Sums::Parts(&mut sums))?;
        driver.download(&sums)
    }
}

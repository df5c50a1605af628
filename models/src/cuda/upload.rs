//! From the host to the device: matrices in `f16`, vectors in `f32`.
//!
//! A row of `q8` or `q4` is expanded on the way. A product that fills a GPU is bound by its arithmetic, and there packed weights
//! would only have to be unpacked again for every tile; the price is the memory that an `f16` file would take.

use super::driver::{Driver, Memory};
use crate::error::Result;
use crate::stack::Halves;

/// W `[out, in]` in `f16`, as its bits, with its bias in `f32`.
#[derive(Debug)]
pub(super) struct Matrix {
    pub(super) weight: Memory<u16>,
    pub(super) bias: Memory<f32>,
    pub(super) outputs: usize,
    pub(super) inputs: usize,
}

impl Matrix {
    /// Sends a matrix to the device.
    pub(super) fn new(driver: &Driver, halves: &Halves) -> Result<Self> {
        Ok(Self {
            weight: driver.upload(&halves.weight)?,
            bias: driver.upload(&halves.bias)?,
            outputs: halves.outputs,
            inputs: halves.inputs,
        })
    }
}

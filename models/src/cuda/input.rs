//! A sequence on its way to the device.

use cudarc::driver::PinnedHostSlice;

use super::driver::{Driver, Memory};
use super::failed;
use crate::error::Result;
use crate::stack::{Embeddings, Given, fill, words_at};

/// A sequence as it is sent.
#[derive(Debug)]
pub(super) struct Input {
    host: PinnedHostSlice<u8>,
    pub(super) device: Memory<u8>,
    width: usize,
    /// Bytes of the sequence that was put together last.
    filled: usize,
}

impl Input {
    /// Room for sequences of up to `rows` rows.
    pub(super) fn new(driver: &Driver, rows: usize, width: usize) -> Result<Self> {
        let bytes = words_at(rows) + rows * width * 4;
        Ok(Self {
            host: driver.pinned(bytes)?,
            device: driver.zeros(bytes)?,
            width,
            filled: 0,
        })
    }

    /// Puts a sequence together, padded to `rows` rows.
    pub(super) fn fill(
        &mut self,
        given: Given<'_>,
        embeddings: Option<&Embeddings>,
        rows: usize,
    ) -> Result<()> {
        let host = self.host.as_mut_slice().map_err(failed("pinned memory"))?;
        self.filled = fill(host, given, embeddings, (rows, self.width))?;
        Ok(())
    }

    /// What there is to send, and where it goes.
    pub(super) fn sent(&mut self) -> Result<(&[u8], &mut Memory<u8>)> {
        let host = self.host.as_slice().map_err(failed("pinned memory"))?;
        Ok((&host[..self.filled], &mut self.device))
    }
}

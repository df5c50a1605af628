//! A decoded picture at its full size.

use std::ops::Range;

use super::{Decoded, PictureLimits};

/// A decoded picture as it is stored, before it is turned upright, row by row.
pub(super) trait Rows {
    /// Width and height in pixels; neither is 0.
    fn size(&self) -> (usize, usize);

    /// 8-bit RGB of some columns of row `y`; `out` has three bytes for each.
    fn rgb(&mut self, y: usize, columns: Range<usize>, out: &mut [u8]);
}

/// 8-bit RGB, row by row from the top: `[height, width, 3]`. Neither side is 0.
#[derive(Debug)]
pub(super) struct Raster {
    pub(super) width: usize,
    pub(super) height: usize,
    pub(super) rgb: Vec<u8>,
}

impl Raster {
    /// Checks a size that a header tells, before anything is allocated. `bytes_per_pixel` is what the
    /// decoder needs at its peak, the RGB that it ends in included.
    pub(super) fn admit(
        width: u64,
        height: u64,
        bytes_per_pixel: u64,
        limits: &PictureLimits,
    ) -> Decoded<()> {
        if width == 0 || height == 0 {
            return Err(format!(
                "expected at least one pixel, got {width} × {height}"
            ));
        }
        let pixels = width.saturating_mul(height);
        if pixels > limits.pixels {
            return Err(format!(
                "{width} × {height} is {pixels} pixels, the limit is {}",
                limits.pixels
            ));
        }
        let memory = pixels.saturating_mul(bytes_per_pixel);
        if memory > limits.memory {
            return Err(format!(
                "{width} × {height} needs {memory} bytes to decode, the limit is {}",
                limits.memory
            ));
        }
        Ok(())
    }

    /// A raster over pixels that must be exactly as many as the sides say.
    pub(super) fn new(width: usize, height: usize, rgb: Vec<u8>) -> Decoded<Self> {
        let expected = width.checked_mul(height).and_then(|n| n.checked_mul(3));
        if expected != Some(rgb.len()) || rgb.is_empty() {
            return Err(format!(
                "expected the pixels of {width} × {height}, got {} bytes",
                rgb.len()
            ));
        }
        Ok(Self { width, height, rgb })
    }
}

impl Rows for Raster {
    fn size(&self) -> (usize, usize) {
        (self.width, self.height)
    }

    fn rgb(&mut self, y: usize, columns: Range<usize>, out: &mut [u8]) {
        let at = (y * self.width + columns.start) * 3;
        out.copy_from_slice(&self.rgb[at..at + columns.len() * 3]);
    }
}

/// RGB of grey samples.
pub(super) fn from_grey(grey: impl Iterator<Item = u8>) -> Vec<u8> {
    grey.flat_map(|value| [value; 3]).collect()
}

/// RGB of samples of `channels` bytes each whose first three are red, green and blue.
pub(super) fn drop_alpha(samples: &[u8], channels: usize) -> Vec<u8> {
    samples
        .chunks_exact(channels)
        .flat_map(|pixel| [pixel[0], pixel[1], pixel[2]])
        .collect()
}

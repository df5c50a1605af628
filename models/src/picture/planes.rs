//! A JPEG between the inverse DCT and its colours: luma, and colour differences that may be half as wide and
//! half as high.
//!
//! Bringing the colours to full size and turning them to RGB is left until a row is asked for, so that only
//! the columns of the crop are computed, in the cache, and no RGB of the whole picture is ever there.

use std::ops::Range;

use super::Decoded;
use super::raster::Rows;
use crate::kernels::picture::Kernels;

/// How many pixels share a sample of colour.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Sampling {
    /// 4:4:4: none do.
    Whole,
    /// 4:2:2: two beside each other.
    HalfWidth,
    /// 4:2:0: four, two by two.
    HalfBoth,
}

/// Samples in rows of `stride`, at least as many as the picture needs.
struct Plane {
    stride: usize,
    samples: Vec<u8>,
}

impl Plane {
    fn row(&self, y: usize) -> &[u8] {
        &self.samples[y * self.stride..][..self.stride]
    }
}

/// The planes Y, Cb and Cr of a picture.
pub(super) struct Planes {
    kernels: &'static Kernels,
    width: usize,
    height: usize,
    sampling: Sampling,
    planes: [Plane; 3],
    /// A row of Cb and one of Cr at full width.
    full: [Vec<u8>; 2],
}

impl Planes {
    /// Planes given by the length of their rows and their samples.
    pub(super) fn new(
        kernels: &'static Kernels,
        (width, height): (usize, usize),
        sampling: Sampling,
        planes: [(usize, Vec<u8>); 3],
    ) -> Decoded<Self> {
        let (half_width, half_height) = (width.div_ceil(2), height.div_ceil(2));
        let colour = match sampling {
            Sampling::Whole => (width, height),
            Sampling::HalfWidth => (half_width, height),
            Sampling::HalfBoth => (half_width, half_height),
        };
        for ((stride, samples), (width, height)) in
            planes.iter().zip([(width, height), colour, colour])
        {
            let needed = stride.checked_mul(height);
            if width == 0 || *stride < width || needed.is_none_or(|needed| samples.len() < needed) {
                return Err(format!(
                    "expected a plane of {width} × {height} samples, got {} in rows of {stride}",
                    samples.len()
                ));
            }
        }
        Ok(Self {
            kernels,
            width,
            height,
            sampling,
            planes: planes.map(|(stride, samples)| Plane { stride, samples }),
            full: Default::default(),
        })
    }
}

impl Rows for Planes {
    fn size(&self) -> (usize, usize) {
        (self.width, self.height)
    }

    fn rgb(&mut self, y: usize, columns: Range<usize>, out: &mut [u8]) {
        let [luma, colours @ ..] = &self.planes;
        let luma = &luma.row(y)[columns.clone()];
        if self.sampling == Sampling::Whole {
            let [cb, cr] = colours
                .each_ref()
                .map(|plane| &plane.row(y)[columns.clone()]);
            return self.kernels.rgb(luma, cb, cr, out);
        }
        let from = columns.start / 2;
        let width = self.width.div_ceil(2);
        let len = columns.end - 2 * from;
        for (plane, full) in colours.iter().zip(&mut self.full) {
            full.resize(len, 0);
            if self.sampling == Sampling::HalfWidth {
                self.kernels
                    .double_along(&plane.row(y)[..width], from, full);
            } else {
                // An even row looks at the colours above its own, an odd one below; at the edge at its own.
                let last = self.height.div_ceil(2) - 1;
                let near = if y.is_multiple_of(2) {
                    (y / 2).saturating_sub(1)
                } else {
                    (y / 2 + 1).min(last)
                };
                let (row, near) = (&plane.row(y / 2)[..width], &plane.row(near)[..width]);
                self.kernels.double_both(row, near, from, full);
            }
        }
        let [cb, cr] = self
            .full
            .each_ref()
            .map(|full| &full[columns.start - 2 * from..]);
        self.kernels.rgb(luma, cb, cr, out);
    }
}

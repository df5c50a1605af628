//! Resizing as Pillow does it, to the last bit, and turning upright on the way.
//!
//! `Image.resize` filters the rows first and rounds them to 8 bits, then the columns, or the other way round for
//! tall pictures; its weights are fixed-point numbers of 22 bits, computed in `f64`. When a picture shrinks, the
//! filter is stretched by the same factor, so that every pixel counts: that is the antialiasing. Both the order and
//! the rounding show in the pixels: where a filter with negative lobes overshoots, rounding clips, and the other
//! order, which `fast_image_resize` has with bytes, differs by up to 26 of 255. Called once for each
//! direction it stays within 1. These passes are exact, and need no more than the crop.
//!
//! Only the crop is computed, and only what it is made of is looked at. A picture of 1 × 10,000 would otherwise
//! become one of 224 × 2,240,000.
//!
//! A picture that is stored on its side is not turned: what are rows upright lie there as columns and are filtered
//! as such, and what is mirrored has its weights mirrored.

use std::ops::Range;

use super::orientation::Orientation;
use super::raster::Rows;
use crate::kernels::picture::{Kernels, PADDING, PRECISION, ROWS, STRIP, Taps};
use crate::weights::Resample;

/// One direction of a resize: for each pixel of the crop, which pixels it is made of.
pub(super) struct Axis {
    /// Length of the source in pixels.
    source: usize,
    /// Length after resizing in pixels.
    resized: usize,
    /// Length of the crop in pixels.
    crop: usize,
    /// First pixel of the crop that the picture covers; those before it are black.
    first: usize,
    pixels: Vec<Weights>,
}

/// The pixels of the source that make one pixel, with their weights.
struct Weights {
    start: usize,
    weights: Vec<i32>,
}

impl Axis {
    /// `source` pixels become `resized`, of which `crop` in the middle are wanted: from
    /// `floor((resized − crop) / 2)` on, with black where the picture is smaller than the crop.
    pub(super) fn new(source: usize, resized: usize, crop: usize, filter: Resample) -> Self {
        let offset = (resized as i64 - crop as i64).div_euclid(2);
        let first = usize::try_from(-offset).unwrap_or(0);
        let from = usize::try_from(offset).unwrap_or(0);
        let range = from..resized.min(from + (crop - first.min(crop)));
        let pixels = if source == resized {
            range.map(Weights::whole).collect()
        } else if filter == Resample::Nearest {
            nearest(source, resized, range)
        } else {
            filtered(source, resized, range, filter)
        };
        Self {
            source,
            resized,
            crop,
            first,
            pixels,
        }
    }

    /// Pixels that resizing takes away; less than 0 where it adds some.
    fn taken(&self) -> i64 {
        self.source as i64 - self.resized as i64
    }

    /// The same of a source whose pixels are stored last first.
    fn mirrored(mut self) -> Self {
        for pixel in &mut self.pixels {
            pixel.start = self.source - (pixel.start + pixel.weights.len());
            pixel.weights.reverse();
        }
        self
    }

    /// The part of the source that is looked at.
    fn span(&self) -> Range<usize> {
        let end = |pixel: &Weights| pixel.start + pixel.weights.len();
        let first = self.pixels.iter().map(|pixel| pixel.start).min();
        first.unwrap_or(0)..self.pixels.iter().map(end).max().unwrap_or(0)
    }

    /// The taps, counted from the first pixel that is looked at.
    fn taps(&self, kernels: &Kernels) -> Taps {
        let first = self.span().start;
        let pixels = self.pixels.iter();
        Taps::new(
            kernels,
            pixels.map(|pixel| (pixel.start - first, &*pixel.weights)),
        )
    }
}

impl Weights {
    /// One source pixel as it is.
    fn whole(start: usize) -> Self {
        Self {
            start,
            weights: vec![1 << PRECISION],
        }
    }
}

/// The weights of each output pixel: the filter centred on it, cut at the picture's edges, its weights
/// adding up to 1.
fn filtered(source: usize, resized: usize, range: Range<usize>, filter: Resample) -> Vec<Weights> {
    let scale = source as f64 / resized as f64;
    let stretch = scale.max(1.0);
    let (radius, weight) = shape(filter);
    let support = radius * stretch;
    range
        .map(|at| {
            let centre = (at as f64 + 0.5) * scale;
            // Truncation towards zero, as the C code's casts.
            let start = ((centre - support + 0.5) as i64).max(0) as usize;
            let end = ((centre + support + 0.5) as i64).clamp(0, source as i64) as usize;
            let weights: Vec<f64> = (start..end)
                .map(|x| weight((x as f64 - centre + 0.5) * (1.0 / stretch)))
                .collect();
            let sum: f64 = weights.iter().sum();
            let sum = if sum == 0.0 { 1.0 } else { sum };
            let fixed = |weight: &f64| {
                let scaled = weight / sum * f64::from(1u32 << PRECISION);
                (scaled + 0.5_f64.copysign(scaled)) as i32
            };
            Weights {
                start,
                weights: weights.iter().map(fixed).collect(),
            }
        })
        .collect()
}

/// The source pixel under the middle of each output pixel. The place is a running sum, as in Pillow:
/// its rounding errors are part of the answer.
fn nearest(source: usize, resized: usize, range: Range<usize>) -> Vec<Weights> {
    let scale = source as f64 / resized as f64;
    let mut place = scale * 0.5;
    let mut pixels = Vec::with_capacity(range.len());
    for at in 0..range.end {
        if at >= range.start {
            pixels.push(Weights::whole((place as usize).min(source - 1)));
        }
        place += scale;
    }
    pixels
}

/// Radius and curve of a filter.
fn shape(filter: Resample) -> (f64, fn(f64) -> f64) {
    match filter {
        Resample::Nearest | Resample::Box => {
            (0.5, |x| if x > -0.5 && x <= 0.5 { 1.0 } else { 0.0 })
        }
        Resample::Bilinear => (1.0, |x| (1.0 - x.abs()).max(0.0)),
        Resample::Hamming => (1.0, |x| {
            if x.abs() < 1.0 {
                sinc(x) * (0.54 + 0.46 * (x * std::f64::consts::PI).cos())
            } else {
                0.0
            }
        }),
        // Keys's cubic with a = −1/2 (IEEE ASSP 29, 1981).
        Resample::Bicubic => (2.0, |x| {
            const A: f64 = -0.5;
            let x = x.abs();
            if x < 1.0 {
                ((A + 2.0) * x - (A + 3.0)) * x * x + 1.0
            } else if x < 2.0 {
                (((x - 5.0) * x + 8.0) * x - 4.0) * A
            } else {
                0.0
            }
        }),
        Resample::Lanczos => (3.0, |x| {
            if (-3.0..3.0).contains(&x) {
                sinc(x) * sinc(x / 3.0)
            } else {
                0.0
            }
        }),
    }
}

/// sin(πx) / (πx).
fn sinc(x: f64) -> f64 {
    let x = x * std::f64::consts::PI;
    if x == 0.0 { 1.0 } else { x.sin() / x }
}

/// Whether rows are filtered before columns. Pillow 13 turns the order round where more than twice as much is
/// taken from the height as from the width; those before it kept it.
fn rows_first(columns: &Axis, rows: &Axis) -> bool {
    rows.taken() <= 0 || rows.taken() <= 2 * columns.taken()
}

/// The crop of the resized picture, upright: `[rows.crop, columns.crop, 3]`. The axes are those of the upright
/// picture, `source` is as it was stored.
pub(super) fn resize(
    kernels: &Kernels,
    source: &mut dyn Rows,
    orientation: Orientation,
    columns: Axis,
    rows: Axis,
) -> Vec<u8> {
    let turn = orientation.turn();
    let rows_first = rows_first(&columns, &rows);
    let mut out = Crop::black(&columns, &rows, turn.transposed);
    let (x, y) = if turn.transposed {
        (rows, columns)
    } else {
        (columns, rows)
    };
    let x = if turn.mirrored_x { x.mirrored() } else { x };
    let y = if turn.mirrored_y { y.mirrored() } else { y };
    debug_assert_eq!(source.size(), (x.source, y.source));
    // What are rows upright may be stored as columns.
    if rows_first != turn.transposed {
        across_then_down(kernels, source, &x, &y, &mut out);
    } else {
        down_then_across(kernels, source, &x, &y, &mut out);
    }
    out.rgb
}

/// The crop while it is made, line by line along the rows as they are stored.
struct Crop {
    transposed: bool,
    width: usize,
    /// Where the picture begins in it, in pixels.
    left: usize,
    top: usize,
    rgb: Vec<u8>,
}

impl Crop {
    fn black(columns: &Axis, rows: &Axis, transposed: bool) -> Self {
        Self {
            transposed,
            width: columns.crop,
            left: columns.first,
            top: rows.first,
            rgb: vec![0; rows.crop * columns.crop * 3],
        }
    }

    /// Line `at` of those that the picture covers: a row, or of a transposed picture a column.
    fn set(&mut self, at: usize, rgb: &[u8]) {
        if self.transposed {
            let start = (self.top * self.width + self.left + at) * 3;
            let rows = self.rgb[start..].chunks_mut(self.width * 3);
            for (to, from) in rows.zip(rgb.chunks_exact(3)) {
                to[..3].copy_from_slice(from);
            }
        } else {
            let start = ((self.top + at) * self.width + self.left) * 3;
            self.rgb[start..start + rgb.len()].copy_from_slice(rgb);
        }
    }
}

/// Bytes of a row of RGB that the kernels write: a byte more than its pixels, in whole strips.
fn stride(pixels: usize) -> usize {
    (pixels * 3 + 1).next_multiple_of(STRIP)
}

/// Filters the stored rows, then the columns of what comes of it.
fn across_then_down(kernels: &Kernels, source: &mut dyn Rows, x: &Axis, y: &Axis, out: &mut Crop) {
    let (across, down) = (x.taps(kernels), y.taps(kernels));
    let (seen_columns, seen_rows) = (x.span(), y.span());
    let stride = stride(across.len());
    let mut narrow = vec![0; seen_rows.len() * stride];
    let mut band = [(); ROWS].map(|()| vec![0; across.reach() * 3 + PADDING]);
    let starts = seen_rows.clone().step_by(ROWS);
    for (start, narrow) in starts.zip(narrow.chunks_mut(ROWS * stride)) {
        let end = seen_rows.end.min(start + ROWS);
        for (y, row) in (start..end).zip(&mut band) {
            let row = &mut row[..seen_columns.len() * 3];
            source.rgb(y, seen_columns.clone(), row);
        }
        let rows = band.each_ref().map(|row| &**row);
        kernels.across(&rows[..end - start], &across, narrow, stride);
    }
    let mut row = vec![0; stride];
    for y in 0..down.len() {
        kernels.down(&narrow, stride, &down, y, &mut row);
        out.set(y, &row[..across.len() * 3]);
    }
}

/// Stored columns that are filtered together, so that a strip of a large picture stays in the cache.
const STRIP_PIXELS: usize = 4 * STRIP;

/// Filters the stored columns, then the rows of what comes of it.
fn down_then_across(kernels: &Kernels, source: &mut dyn Rows, x: &Axis, y: &Axis, out: &mut Crop) {
    const STRIDE: usize = 3 * STRIP_PIXELS;
    let (across, down) = (x.taps(kernels), y.taps(kernels));
    let (seen_columns, seen_rows) = (x.span(), y.span());
    let strips = seen_columns.len().div_ceil(STRIP_PIXELS);
    let wide = (strips * STRIDE).max(across.reach() * 3 + PADDING);
    let mut flat = vec![0; down.len() * wide];
    let mut strip = vec![0; seen_rows.len() * STRIDE];
    for (i, start) in seen_columns.clone().step_by(STRIP_PIXELS).enumerate() {
        let end = seen_columns.end.min(start + STRIP_PIXELS);
        for (y, row) in seen_rows.clone().zip(strip.chunks_exact_mut(STRIDE)) {
            source.rgb(y, start..end, &mut row[..(end - start) * 3]);
        }
        for (y, row) in flat.chunks_exact_mut(wide).enumerate() {
            let row = &mut row[i * STRIDE..][..STRIDE];
            kernels.down(&strip, STRIDE, &down, y, row);
        }
    }
    let stride = stride(across.len());
    let mut lines = vec![0; ROWS * stride];
    for (i, flat) in flat.chunks(ROWS * wide).enumerate() {
        let rows: Vec<&[u8]> = flat.chunks_exact(wide).collect();
        kernels.across(&rows, &across, &mut lines, stride);
        for (at, line) in lines.chunks_exact(stride).take(rows.len()).enumerate() {
            out.set(i * ROWS + at, &line[..across.len() * 3]);
        }
    }
}

#[cfg(test)]
mod tests;

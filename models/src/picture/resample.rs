//! Resizing as Pillow does it, to the last bit.
//!
//! `Image.resize` filters the rows first and rounds them to 8 bits, then the columns; its weights are
//! fixed-point numbers of 22 bits, computed in `f64`. When a picture shrinks, the filter is stretched by
//! the same factor, so that every pixel counts: that is the antialiasing. Both the order and the rounding
//! show in the pixels: where a filter with negative lobes overshoots, rounding clips, and filtering the
//! columns first, as `fast_image_resize` does with bytes, differs by up to 26 of 255. Called
//! once for each direction it stays within 1. These passes are exact, and need no more than the crop.
//!
//! Only the crop is computed. A picture of 1 × 10,000 would otherwise become one of 224 × 2,240,000.

use super::raster::Raster;
use crate::weights::Resample;

/// Bits after the point in a weight.
const PRECISION: u32 = 32 - 8 - 2;

/// One direction of a resize: for each pixel of the crop, which pixels it is made of.
pub(super) struct Axis {
    /// Length of the source in pixels.
    source: usize,
    /// Length of the crop in pixels.
    crop: usize,
    /// First pixel of the crop that the picture covers; those before it are black.
    first: usize,
    taps: Vec<Taps>,
}

/// The pixels of the source that make one pixel, with their weights.
struct Taps {
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
        let taps = if source == resized {
            range.map(Taps::whole).collect()
        } else if filter == Resample::Nearest {
            nearest(source, resized, range)
        } else {
            filtered(source, resized, range, filter)
        };
        Self {
            source,
            crop,
            first,
            taps,
        }
    }

    /// The part of the source that is looked at.
    fn span(&self) -> std::ops::Range<usize> {
        let end = |taps: &Taps| taps.start + taps.weights.len();
        let first = self.taps.iter().map(|taps| taps.start).min().unwrap_or(0);
        first..self.taps.iter().map(end).max().unwrap_or(0)
    }
}

impl Taps {
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
fn filtered(
    source: usize,
    resized: usize,
    range: std::ops::Range<usize>,
    filter: Resample,
) -> Vec<Taps> {
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
            Taps {
                start,
                weights: weights.iter().map(fixed).collect(),
            }
        })
        .collect()
}

/// The source pixel under the middle of each output pixel. The place is a running sum, as in Pillow:
/// its rounding errors are part of the answer.
fn nearest(source: usize, resized: usize, range: std::ops::Range<usize>) -> Vec<Taps> {
    let scale = source as f64 / resized as f64;
    let mut place = scale * 0.5;
    let mut taps = Vec::with_capacity(range.len());
    for at in 0..range.end {
        if at >= range.start {
            taps.push(Taps::whole((place as usize).min(source - 1)));
        }
        place += scale;
    }
    taps
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

/// The crop of the resized picture: `[rows.crop, columns.crop, 3]`.
pub(super) fn resize(raster: &Raster, columns: &Axis, rows: &Axis) -> Vec<u8> {
    debug_assert_eq!((raster.width, raster.height), (columns.source, rows.source));
    let span = rows.span();
    let width = columns.taps.len() * 3;
    let mut narrow = vec![0; span.len() * width];
    for (y, out) in span.clone().zip(narrow.chunks_exact_mut(width.max(1))) {
        let row = &raster.rgb[y * raster.width * 3..][..raster.width * 3];
        for (taps, pixel) in columns.taps.iter().zip(out.chunks_exact_mut(3)) {
            let mut sum = [1 << (PRECISION - 1); 3];
            let samples = row[taps.start * 3..].chunks_exact(3);
            for (&weight, sample) in taps.weights.iter().zip(samples) {
                for (sum, &value) in sum.iter_mut().zip(sample) {
                    *sum += weight * i32::from(value);
                }
            }
            for (out, sum) in pixel.iter_mut().zip(sum) {
                *out = to_byte(sum);
            }
        }
    }
    let mut out = vec![0; rows.crop * columns.crop * 3];
    let mut sums = vec![0; width];
    for (y, taps) in rows.taps.iter().enumerate() {
        sums.fill(1 << (PRECISION - 1));
        let from = (taps.start - span.start) * width;
        let samples = narrow[from..].chunks_exact(width.max(1));
        for (&weight, row) in taps.weights.iter().zip(samples) {
            for (sum, &value) in sums.iter_mut().zip(row) {
                *sum += weight * i32::from(value);
            }
        }
        let at = ((rows.first + y) * columns.crop + columns.first) * 3;
        for (out, &sum) in out[at..at + width].iter_mut().zip(&sums) {
            *out = to_byte(sum);
        }
    }
    out
}

/// No sum overflows: weights add up to 1 and their absolute values to less than 2, so sums stay within
/// 2 · 255 · 2^22 < 2^31.
fn to_byte(sum: i32) -> u8 {
    (sum >> PRECISION).clamp(0, 255) as u8
}

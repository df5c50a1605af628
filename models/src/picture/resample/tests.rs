//! Against the plain way: turn the picture, filter the rows, filter the columns, pixel by pixel.

use super::*;
use crate::kernels::picture::available;
use crate::picture::raster::Raster;

/// The picture turned upright by EXIF's definition of the eight orientations.
fn upright(raster: &Raster, orientation: u8) -> Raster {
    let (width, height) = match orientation {
        5..=8 => (raster.height, raster.width),
        _ => (raster.width, raster.height),
    };
    let (right, bottom) = (raster.width - 1, raster.height - 1);
    let mut rgb = Vec::new();
    for y in 0..height {
        for x in 0..width {
            let (x, y) = match orientation {
                2 => (right - x, y),
                3 => (right - x, bottom - y),
                4 => (x, bottom - y),
                5 => (y, x),
                6 => (y, bottom - x),
                7 => (right - y, bottom - x),
                8 => (right - y, x),
                _ => (x, y),
            };
            rgb.extend_from_slice(&raster.rgb[(y * raster.width + x) * 3..][..3]);
        }
    }
    Raster { width, height, rgb }
}

/// One sum of weighted samples, rounded and clipped.
fn sum(pixel: &Weights, sample: impl Fn(usize) -> u8) -> u8 {
    let products = pixel.weights.iter().enumerate();
    let products =
        products.map(|(i, &weight)| i64::from(weight) * i64::from(sample(pixel.start + i)));
    let sum = products.sum::<i64>() + (1 << (PRECISION - 1));
    (sum >> PRECISION).clamp(0, 255) as u8
}

/// Each row of a picture filtered.
fn along(raster: &Raster, axis: &Axis) -> Raster {
    let mut rgb = Vec::new();
    for row in raster.rgb.chunks_exact(raster.width * 3) {
        for pixel in &axis.pixels {
            rgb.extend([0, 1, 2].map(|channel| sum(pixel, |x| row[3 * x + channel])));
        }
    }
    Raster {
        width: axis.pixels.len(),
        height: raster.height,
        rgb,
    }
}

fn plain(raster: &Raster, columns: &Axis, rows: &Axis) -> Vec<u8> {
    // Orientation 5 makes columns of rows, and back.
    let turned = |raster: &Raster| upright(raster, 5);
    let filtered = if rows_first(columns, rows) {
        turned(&along(&turned(&along(raster, columns)), rows))
    } else {
        along(&turned(&along(&turned(raster), rows)), columns)
    };
    let mut out = vec![0; rows.crop * columns.crop * 3];
    for (y, row) in filtered.rgb.chunks_exact(filtered.width * 3).enumerate() {
        let at = ((rows.first + y) * columns.crop + columns.first) * 3;
        out[at..at + row.len()].copy_from_slice(row);
    }
    out
}

#[test]
fn every_turn_filter_and_instruction_set_gives_the_plain_pixels() {
    const FILTERS: [Resample; 6] = [
        Resample::Nearest,
        Resample::Lanczos,
        Resample::Bilinear,
        Resample::Bicubic,
        Resample::Box,
        Resample::Hamming,
    ];
    // Width, height, short side after resizing, crop.
    const CASES: [(usize, usize, usize, usize); 14] = [
        (1, 1, 5, 5),
        (1, 40, 6, 6),
        (40, 1, 6, 6),
        (2, 3, 16, 16),
        (17, 19, 17, 17),
        (17, 19, 17, 5),
        (31, 23, 64, 40),
        (64, 48, 32, 32),
        (101, 67, 20, 21),
        (300, 7, 5, 9),
        (7, 300, 5, 9),
        (90, 401, 12, 20),
        (513, 129, 12, 12),
        (700, 523, 3, 3),
    ];
    let mut state = 0x2545_F491_4F6C_DD1D_u64;
    for (round, (width, height, short, crop)) in CASES.into_iter().enumerate() {
        let mut byte = || {
            state ^= state << 13;
            state ^= state >> 7;
            state ^= state << 17;
            // Hard edges, where filters overshoot and rows before columns is another picture.
            if state >> 62 == 0 {
                255 * (state >> 61 & 1) as u8
            } else {
                (state >> 30) as u8
            }
        };
        let rgb = (0..width * height * 3).map(|_| byte()).collect();
        let mut raster = Raster { width, height, rgb };
        for orientation in 1..=8 {
            for filter in FILTERS {
                if filter != FILTERS[(round + usize::from(orientation)) % 6] && width > 100 {
                    continue;
                }
                let turned = upright(&raster, orientation);
                let (new_width, new_height) =
                    crate::picture::resized(turned.width, turned.height, short);
                let columns = || Axis::new(turned.width, new_width, crop, filter);
                let rows = || Axis::new(turned.height, new_height, crop, filter);
                let expected = plain(&turned, &columns(), &rows());
                for kernels in available() {
                    let orientation = Orientation(orientation);
                    let got = resize(kernels, &mut raster, orientation, columns(), rows());
                    assert!(
                        got == expected,
                        "{} {filter:?} {orientation:?} {width} × {height}",
                        kernels.name
                    );
                }
            }
        }
    }
}

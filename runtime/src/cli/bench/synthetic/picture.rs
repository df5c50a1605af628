//! A picture to ask with: noise at several scales, as a JPEG.

use super::super::random::splitmix64;
use crate::{Error, Result};
use libjpeg_turbo_rs::{PixelFormat, Subsampling, compress};
use std::path::Path;

const WIDTH: u32 = 640;
const HEIGHT: u32 = 480;

/// Writes a picture of 640 × 480.
pub(super) fn write(path: &Path, seed: u64) -> Result<()> {
    let jpeg =
        jpeg(&pixels(seed)).map_err(|error| Error::io(path, std::io::Error::other(error)))?;
    morelet_mapped::write_file_atomically(path, &jpeg)?;
    Ok(())
}

/// `[height, width, 3]`: squares of 64, 16, 4 and 1 pixels, the larger the stronger, so that a JPEG takes about what a photograph takes.
fn pixels(seed: u64) -> Vec<u8> {
    let mut pixels = Vec::with_capacity((WIDTH * HEIGHT * 3) as usize);
    for y in 0..HEIGHT {
        for x in 0..WIDTH {
            let mut colour = [0_u32; 3];
            for (side, share) in [(1, 8), (4, 12), (16, 20), (64, 45)] {
                let place = (u64::from(y / side) << 32) | u64::from(x / side);
                let mut state = seed ^ place ^ (u64::from(side) << 56);
                let bits = splitmix64(&mut state);
                for (channel, sum) in colour.iter_mut().enumerate() {
                    *sum += share * ((bits >> (8 * channel)) & 0xff) as u32;
                }
            }
            pixels.extend(colour.map(|sum| (sum / 85) as u8));
        }
    }
    pixels
}

/// As cameras and networks keep photographs: quality 85, colours at half the resolution.
fn jpeg(pixels: &[u8]) -> libjpeg_turbo_rs::Result<Vec<u8>> {
    let (width, height) = (WIDTH as usize, HEIGHT as usize);
    compress(
        pixels,
        width,
        height,
        PixelFormat::Rgb,
        85,
        Subsampling::S420,
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use morelet_models::weights::{Preprocess, Resample};
    use morelet_models::{Picture, PictureLimits};

    /// What is read is about what was drawn.
    #[test]
    fn the_picture_can_be_read() {
        let pixels = pixels(1);
        let whole = Preprocess {
            resize: HEIGHT,
            crop: HEIGHT,
            resample: Resample::Bicubic,
            mean: [0.0; 3],
            std: [1.0; 3],
        };
        let jpeg = jpeg(&pixels).unwrap();
        assert!((60_000..90_000).contains(&jpeg.len()), "{}", jpeg.len());
        let picture = Picture::decode(&jpeg, &whole, &PictureLimits::default()).unwrap();
        // Nothing is resized: the middle is cut out.
        let left = (WIDTH - HEIGHT) as usize / 2 * 3;
        let row = HEIGHT as usize * 3;
        let lines = pixels.chunks_exact(WIDTH as usize * 3);
        let middle = lines.flat_map(|line| &line[left..][..row]);
        let apart = picture
            .rgb()
            .iter()
            .zip(middle)
            .map(|(x, y)| x.abs_diff(*y));
        let (sum, count) = apart.fold((0, 0), |(sum, count), x| (sum + u64::from(x), count + 1));
        assert_eq!(count, u64::from(HEIGHT * HEIGHT * 3));
        assert!(sum < 12 * count, "{sum} of {count}");
    }
}

//! A picture to ask with: noise at several scales, as a PNG.

use super::super::random::splitmix64;
use crate::Result;
use flate2::write::ZlibEncoder;
use flate2::{Compression, Crc};
use std::io::Write as _;
use std::path::Path;

const WIDTH: u32 = 640;
const HEIGHT: u32 = 480;

/// Writes a picture of 640 × 480.
pub(super) fn write(path: &Path, seed: u64) -> Result<()> {
    let png = png(&pixels(seed)).map_err(|error| crate::Error::io(path, error))?;
    morelet_mapped::write_file_atomically(path, &png)?;
    Ok(())
}

/// `[height, width, 3]`: squares of 64, 16, 4 and 1 pixels, the larger the stronger.
fn pixels(seed: u64) -> Vec<u8> {
    let mut pixels = Vec::with_capacity((WIDTH * HEIGHT * 3) as usize);
    for y in 0..HEIGHT {
        for x in 0..WIDTH {
            let mut colour = [0_u32; 3];
            for side in [1, 4, 16, 64] {
                let place = (u64::from(y / side) << 32) | u64::from(x / side);
                let mut state = seed ^ place ^ (u64::from(side) << 56);
                let bits = splitmix64(&mut state);
                for (channel, sum) in colour.iter_mut().enumerate() {
                    *sum += side * ((bits >> (8 * channel)) & 0xff) as u32;
                }
            }
            pixels.extend(colour.map(|sum| (sum / 85) as u8));
        }
    }
    pixels
}

/// The PNG of 8-bit RGB pixels, by the filter `Sub`.
fn png(pixels: &[u8]) -> std::io::Result<Vec<u8>> {
    let stride = WIDTH as usize * 3;
    let mut lines = Vec::with_capacity(pixels.len() + HEIGHT as usize);
    for line in pixels.chunks_exact(stride) {
        lines.push(1);
        lines.extend_from_slice(&line[..3]);
        lines.extend(
            line.iter()
                .zip(&line[3..])
                .map(|(left, x)| x.wrapping_sub(*left)),
        );
    }
    let mut encoder = ZlibEncoder::new(Vec::new(), Compression::fast());
    encoder.write_all(&lines)?;
    let data = encoder.finish()?;
    let mut header = [WIDTH.to_be_bytes(), HEIGHT.to_be_bytes()].concat();
    header.extend([8, 2, 0, 0, 0]);
    let mut png = b"\x89PNG\r\n\x1a\n".to_vec();
    for (kind, body) in [(b"IHDR", &header), (b"IDAT", &data), (b"IEND", &Vec::new())] {
        png.extend((body.len() as u32).to_be_bytes());
        png.extend(kind);
        png.extend(body);
        let mut crc = Crc::new();
        crc.update(kind);
        crc.update(body);
        png.extend(crc.sum().to_be_bytes());
    }
    Ok(png)
}

#[cfg(test)]
mod tests {
    use super::*;
    use morelet_models::weights::{Preprocess, Resample};
    use morelet_models::{Picture, PictureLimits};

    /// Another library reads what is written here, and reads the same pixels.
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
        let png = png(&pixels).unwrap();
        let picture = Picture::decode(&png, &whole, &PictureLimits::default()).unwrap();
        // Nothing is resized: the middle is cut out.
        let left = (WIDTH - HEIGHT) as usize / 2 * 3;
        let row = HEIGHT as usize * 3;
        for y in [0, 100, HEIGHT as usize - 1] {
            let start = y * WIDTH as usize * 3 + left;
            assert_eq!(picture.rgb()[y * row..][..row], pixels[start..][..row]);
        }
    }
}

//! JPEG, with the very pixels of libjpeg-turbo, which is what Pillow has inside.
//!
//! Decoders agree on the coefficients and differ in what follows: the rounding of the inverse DCT, the
//! filter that brings subsampled colour back to full size, the fixed-point colour matrix. On photographs
//! that CLIP enlarges, zune-jpeg and jpeg-decoder leave 1 to 3 % of the channels more than 1/255 away
//! from Pillow's, 12/255 at worst. `libjpeg-turbo-rs` is exact; it is used without its SIMD kernels,
//! which are most of its `unsafe` and gain little here.

use libjpeg_turbo_rs::{DecodeLimits, Decoder, PixelFormat};

use super::orientation::Orientation;
use super::raster::{Raster, from_grey};
use super::{Decoded, PictureLimits};

/// The most scans of a progressive picture; real ones have about ten. Each one walks over every
/// coefficient, so a small file with very many is a bomb.
const MAX_SCANS: u64 = 256;
/// The most pixels of all scans together, beyond which a picture may still have `FEW_SCANS`.
const SCANNED_PIXELS: u64 = 1 << 31;
const FEW_SCANS: u64 = 32;

pub(super) fn decode(bytes: &[u8], limits: &PictureLimits) -> Decoded<Raster> {
    let limits = DecodeLimits {
        max_pixels: limits.pixels,
        max_scans: MAX_SCANS as usize,
        max_memory: Some(limits.memory),
        ..DecodeLimits::default()
    };
    let told = |error: libjpeg_turbo_rs::JpegError| error.to_string();
    let mut decoder = Decoder::new_with_limits(bytes, limits).map_err(told)?;
    let frame = decoder.header();
    let pixels = u64::from(frame.width) * u64::from(frame.height);
    let scans = (SCANNED_PIXELS / pixels.max(1)).clamp(FEW_SCANS, MAX_SCANS);
    let format = match frame.components.len() {
        1 => PixelFormat::Grayscale,
        3 => PixelFormat::Rgb,
        4 => PixelFormat::Cmyk,
        n => return Err(format!("expected 1, 3 or 4 components, got {n}")),
    };
    decoder.set_output_format(format);
    decoder.set_scan_limit(scans as u32);
    // libjpeg smooths the blocks of a progressive picture whose last scans are missing, by default.
    decoder.set_block_smoothing(true);
    let image = decoder.decode_image().map_err(told)?;
    let rgb = match format {
        PixelFormat::Grayscale => from_grey(image.data.into_iter()),
        PixelFormat::Cmyk => image.data.chunks_exact(4).flat_map(rgb_of_inks).collect(),
        _ => image.data,
    };
    let orientation = Orientation::of(decoder.exif_data(), decoder.xmp_data());
    Ok(orientation.apply(Raster::new(image.width, image.height, rgb)?))
}

/// Adobe's programs store inks inverted, and Pillow takes every CMYK picture for theirs: a stored 255
/// is no ink.
fn rgb_of_inks(stored: &[u8]) -> [u8; 3] {
    let light = i32::from(stored[3]);
    [0, 1, 2].map(|ink| {
        let ink = 255 - i32::from(stored[ink]);
        // ink · light / 255, rounded, as Pillow's MULDIV255.
        let product = ink * light + 128;
        let covered = ((product >> 8) + product) >> 8;
        (light - covered).clamp(0, 255) as u8
    })
}

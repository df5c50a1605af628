//! JPEG, with the very pixels of libjpeg-turbo, which is what Pillow has inside.
//!
//! Decoders agree on the coefficients and differ in what follows: the rounding of the inverse DCT, the
//! filter that brings subsampled colour back to full size, the fixed-point colour matrix. On photographs
//! that CLIP enlarges, zune-jpeg and jpeg-decoder leave 1 to 3 % of the channels more than 1/255 away
//! from Pillow's, 12/255 at worst. `libjpeg-turbo-rs` is exact.
//!
//! What most photographs are, sequential YCbCr in 4:4:4, 4:2:2 or 4:2:0, is taken from it before the colours
//! are brought to full size: see `planes.rs`. The rest it decodes whole.

use libjpeg_turbo_rs::{ColorSpace, DecodeLimits, Decoder, PixelFormat};

use super::orientation::Orientation;
use super::planes::{Planes, Sampling};
use super::raster::{Raster, Rows, from_grey};
use super::{Decoded, PictureLimits};
use crate::kernels::picture::Kernels;

/// The most scans of a progressive picture; real ones have about ten. Each one walks over every
/// coefficient, so a small file with very many is a bomb.
const MAX_SCANS: u64 = 256;
/// The most pixels of all scans together, beyond which a picture may still have `FEW_SCANS`.
const SCANNED_PIXELS: u64 = 1 << 31;
const FEW_SCANS: u64 = 32;

pub(super) fn decode(
    bytes: &[u8],
    limits: &PictureLimits,
    kernels: &'static Kernels,
) -> Decoded<(Box<dyn Rows>, Orientation)> {
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
    let orientation = Orientation::of(decoder.exif_data(), decoder.xmp_data());
    if let Some(sampling) = deferred_colours(&decoder) {
        let raw = decoder.decode_raw().map_err(told)?;
        let size = (raw.width, raw.height);
        let mut planes = raw.plane_widths.into_iter().zip(raw.planes);
        let mut plane = || planes.next().ok_or("it has less than three planes");
        let planes = [plane()?, plane()?, plane()?];
        let planes = Planes::new(kernels, size, sampling, planes)?;
        return Ok((Box::new(planes), orientation));
    }
    let image = decoder.decode_image().map_err(told)?;
    let rgb = match format {
        PixelFormat::Grayscale => from_grey(image.data.into_iter()),
        PixelFormat::Cmyk => image.data.chunks_exact(4).flat_map(rgb_of_inks).collect(),
        _ => image.data,
    };
    let raster = Raster::new(image.width, image.height, rgb)?;
    Ok((Box::new(raster), orientation))
}

/// The sampling of a picture whose planes [`Planes`] turns to RGB as libjpeg does. Not of a progressive one:
/// planes are given without the smoothing of one whose last scans are missing. Nor where libjpeg leaves out the
/// triangle filter, which it does for colours of one or two columns.
pub(super) fn deferred_colours(decoder: &Decoder<'_>) -> Option<Sampling> {
    let frame = decoder.header();
    let plain = frame.precision == 8
        && !frame.is_progressive
        && !frame.is_lossless
        && !decoder.has_multiple_scans()
        && decoder.jpeg_color_space() == ColorSpace::YCbCr;
    let [luma, blue, red] = &*frame.components else {
        return None;
    };
    let factors = |component: &libjpeg_turbo_rs::ComponentInfo| {
        (component.horizontal_sampling, component.vertical_sampling)
    };
    if !plain || factors(blue) != (1, 1) || factors(red) != (1, 1) {
        return None;
    }
    match factors(luma) {
        (1, 1) => Some(Sampling::Whole),
        (2, 1) if frame.width > 4 => Some(Sampling::HalfWidth),
        (2, 2) if frame.width > 4 => Some(Sampling::HalfBoth),
        _ => None,
    }
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

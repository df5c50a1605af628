//! WebP: lossy, lossless, and the first frame of an animation.

use std::io::Cursor;

use image_webp::WebPDecoder;

use super::orientation::Orientation;
use super::raster::{Raster, drop_alpha};
use super::{Decoded, PictureLimits};

/// The decoder's own planes or RGBA, and the RGB that follows.
const BYTES_PER_PIXEL: u64 = 4 + 4 + 3;

pub(super) fn decode(bytes: &[u8], limits: &PictureLimits) -> Decoded<(Raster, Orientation)> {
    let told = |error: image_webp::DecodingError| error.to_string();
    let mut decoder = WebPDecoder::new(Cursor::new(bytes)).map_err(told)?;
    decoder.set_memory_limit(usize::try_from(limits.memory).unwrap_or(usize::MAX));
    let (width, height) = decoder.dimensions();
    Raster::admit(width.into(), height.into(), BYTES_PER_PIXEL, limits)?;
    let size = decoder
        .output_buffer_size()
        .ok_or("it does not fit in memory")?;
    let mut samples = vec![0; size];
    decoder.read_image(&mut samples).map_err(told)?;
    let rgb = if decoder.has_alpha() {
        drop_alpha(&samples, 4)
    } else {
        samples
    };
    let exif = decoder.exif_metadata().ok().flatten();
    let xmp = decoder.xmp_metadata().ok().flatten();
    let orientation = Orientation::of(exif.as_deref(), xmp.as_deref());
    Ok((
        Raster::new(width as usize, height as usize, rgb)?,
        orientation,
    ))
}

//! PNG, in each of its fifteen kinds of pixel.

use std::io::Cursor;

use png::{BitDepth, ColorType, Decoder, Transformations};

use super::orientation::Orientation;
use super::raster::{Raster, drop_alpha, from_grey};
use super::{Decoded, PictureLimits};

/// Where a PNG keeps XMP.
const XMP: &str = "XML:com.adobe.xmp";

pub(super) fn decode(bytes: &[u8], limits: &PictureLimits) -> Decoded<(Raster, Orientation)> {
    let told = |error: png::DecodingError| error.to_string();
    let memory = usize::try_from(limits.memory).unwrap_or(usize::MAX);
    let budget = png::Limits { bytes: memory };
    let mut decoder = Decoder::new_with_limits(Cursor::new(bytes), budget);
    decoder.set_transformations(Transformations::IDENTITY);
    decoder.set_ignore_iccp_chunk(true);
    let header = decoder.read_header_info().map_err(told)?;
    let stored = (header.bits_per_pixel() as u64).div_ceil(8);
    Raster::admit(
        header.width.into(),
        header.height.into(),
        stored + 3,
        limits,
    )?;

    let mut reader = decoder.read_info().map_err(told)?;
    let size = reader
        .output_buffer_size()
        .ok_or("it does not fit in memory")?;
    let mut samples = vec![0; size];
    let frame = reader.next_frame(&mut samples).map_err(told)?;
    samples.truncate(frame.buffer_size());
    // EXIF may come after the pixels. What else is wrong there does not matter to them.
    let _ = reader.finish();

    let info = reader.info();
    let (width, height) = (frame.width as usize, frame.height as usize);
    let rows = samples.chunks_exact(frame.line_size.max(1));
    let bits = frame.bit_depth as u8;
    let rgb = match (frame.color_type, frame.bit_depth) {
        (ColorType::Rgb, BitDepth::Eight) => samples,
        (ColorType::Rgba, BitDepth::Eight) => drop_alpha(&samples, 4),
        (ColorType::Rgb, _) => drop_alpha(&high_bytes(&samples), 3),
        (ColorType::Rgba, _) => drop_alpha(&high_bytes(&samples), 4),
        (ColorType::GrayscaleAlpha, BitDepth::Sixteen) => {
            from_grey(samples.chunks_exact(4).map(|pixel| pixel[0]))
        }
        (ColorType::GrayscaleAlpha, _) => from_grey(samples.chunks_exact(2).map(|pixel| pixel[0])),
        // Pillow keeps 16-bit grey whole, and clips it when RGB is wanted.
        (ColorType::Grayscale, BitDepth::Sixteen) => from_grey(
            samples
                .chunks_exact(2)
                .map(|pixel| if pixel[0] == 0 { pixel[1] } else { 255 }),
        ),
        (ColorType::Grayscale, _) => {
            let white = 255 / ((1_u16 << bits) - 1) as u8;
            from_grey(rows.flat_map(|row| unpack(row, bits, width).map(|value| value * white)))
        }
        (ColorType::Indexed, _) => {
            let palette = info.palette.as_deref().ok_or("it has no palette")?;
            rows.flat_map(|row| unpack(row, bits, width))
                .flat_map(|index| colour(palette, index))
                .collect()
        }
    };
    let xmp = info.utf8_text.iter().find(|text| text.keyword == XMP);
    let xmp = xmp.and_then(|text| text.get_text().ok());
    let exif = info.exif_metadata.as_deref();
    let orientation = Orientation::of(exif, xmp.as_deref().map(str::as_bytes));
    Ok((Raster::new(width, height, rgb)?, orientation))
}

fn high_bytes(samples: &[u8]) -> Vec<u8> {
    samples.chunks_exact(2).map(|sample| sample[0]).collect()
}

/// The samples of a row that packs `bits` (1, 2, 4 or 8) each, the first in the high bits.
fn unpack(row: &[u8], bits: u8, width: usize) -> impl Iterator<Item = u8> + '_ {
    let per_byte = 8 / usize::from(bits);
    (0..width).map(move |x| {
        let shift = 8 - bits as usize * (x % per_byte + 1);
        (row[x / per_byte] >> shift) & (0xff >> (8 - bits))
    })
}

/// A colour of a palette of RGB triples; black where it has no such colour.
pub(super) fn colour(palette: &[u8], index: u8) -> [u8; 3] {
    let at = usize::from(index) * 3;
    match palette.get(at..at + 3) {
        Some(rgb) => [rgb[0], rgb[1], rgb[2]],
        None => [0; 3],
    }
}

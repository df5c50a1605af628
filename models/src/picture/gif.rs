//! GIF: the first frame, on the screen that the file declares.

use std::io::Cursor;
use std::num::NonZeroU64;

use gif::{ColorOutput, DecodeOptions, DecodingError, MemoryLimit};

use super::orientation::Orientation;
use super::png::colour;
use super::raster::Raster;
use super::{Decoded, PictureLimits};

/// The frame's and the screen's indices, and the RGB that follows.
const BYTES_PER_PIXEL: u64 = 1 + 1 + 3;

pub(super) fn decode(bytes: &[u8], limits: &PictureLimits) -> Decoded<(Raster, Orientation)> {
    let told = |error: DecodingError| error.to_string();
    let mut options = DecodeOptions::new();
    options.set_color_output(ColorOutput::Indexed);
    options.set_memory_limit(
        NonZeroU64::new(limits.memory).map_or(MemoryLimit::Unlimited, MemoryLimit::Bytes),
    );
    let mut decoder = options.read_info(Cursor::new(bytes)).map_err(told)?;
    let global = decoder.global_palette().map(<[u8]>::to_vec);
    let (screen_width, screen_height) = (decoder.width(), decoder.height());
    let frame = decoder
        .next_frame_info()
        .map_err(told)?
        .ok_or("it has no frame")?
        .clone();
    // A frame that reaches past the screen enlarges it.
    let reach = |screen: u16, start: u16, len: u16| {
        usize::from(screen).max(usize::from(start) + usize::from(len))
    };
    let width = reach(screen_width, frame.left, frame.width);
    let height = reach(screen_height, frame.top, frame.height);
    Raster::admit(width as u64, height as u64, BYTES_PER_PIXEL, limits)?;
    let mut indices = vec![0; decoder.buffer_size()];
    decoder.read_into_buffer(&mut indices).map_err(told)?;

    // What the frame leaves free shows the transparent colour, or the first.
    let mut screen = vec![frame.transparent.unwrap_or(0); width * height];
    let (left, top) = (usize::from(frame.left), usize::from(frame.top));
    let rows = indices.chunks_exact(usize::from(frame.width).max(1));
    for (y, row) in rows.enumerate() {
        let at = (top + y) * width + left;
        screen[at..at + row.len()].copy_from_slice(row);
    }
    let palette = frame.palette.as_deref().or(global.as_deref());
    // A palette that maps each index to its own grey says nothing, and Pillow forgets it.
    let palette = palette.filter(|palette| !is_identity(palette));
    let rgb = screen.into_iter().flat_map(|index| match palette {
        Some(palette) => colour(palette, index),
        None => [index; 3],
    });
    Ok((
        Raster::new(width, height, rgb.collect())?,
        Orientation::UPRIGHT,
    ))
}

fn is_identity(palette: &[u8]) -> bool {
    let mut colours = palette.chunks_exact(3).enumerate();
    colours.all(|(index, rgb)| rgb.iter().all(|&value| usize::from(value) == index))
}

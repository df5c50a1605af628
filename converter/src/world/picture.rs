//! Photographs of things that do not exist.
//!
//! A picture is drawn, not read, so that the world needs no file of anybody's. The same [`Look`] and view
//! give the same bytes on every machine.

use super::drawing::{self, Frame, SIDE};
use super::kind::Kind;
use crate::random::Random;
use crate::{Error, Result};
use std::fs::{File, create_dir_all};
use std::io::BufWriter;
use std::path::Path;

/// Of a thousand pixels, how many have a grain of noise. Few, because noise is what a PNG cannot pack.
const GRAINS: usize = 12;

/// What tells a thing from others at sight.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Look {
    /// What it is.
    pub kind: Kind,
    /// The seed of its own appearance.
    pub thing: u64,
}

/// A picture in memory.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Raster {
    /// Pixels in a row.
    pub width: usize,
    /// Rows.
    pub height: usize,
    /// Red, green and blue of each pixel, row by row from the top.
    pub pixels: Vec<u8>,
}

/// Draws a thing from a point of view: number 0 shows it straight, every other from nearer or farther,
/// from the left or the right, in other light.
pub fn draw(look: &Look, view: u64) -> Raster {
    let kind = Kind::ALL.iter().position(|&kind| kind == look.kind);
    let kind = kind.map_or(0, |kind| kind as u64 + 1);
    // Mixed, so that neighbouring seeds have nothing in common.
    let seed = Random::new(look.thing ^ (kind << 56)).next();
    let drawing = drawing::draw(look.kind, &mut Random::new(seed));
    let random = &mut Random::new(seed ^ Random::new(view).next());
    let mut pixels = drawing.render(&frame(view, random));
    for _ in 0..GRAINS * SIDE * SIDE / 1000 {
        let at = random.below(SIDE * SIDE) * 3;
        let grain = random.below(25) as i16 - 12;
        for byte in &mut pixels[at..at + 3] {
            *byte = (i16::from(*byte) + grain).clamp(0, 255) as u8;
        }
    }
    Raster {
        width: SIDE,
        height: SIDE,
        pixels,
    }
}

/// Where the camera of a view stands.
fn frame(view: u64, random: &mut Random) -> Frame {
    // As much as a number in −1..1 says.
    let mut about = |middle: f32, most: f32| middle + most * (2.0 * random.uniform() - 1.0);
    let frame = Frame {
        shift: (about(0.0, 6.0), about(0.0, 5.0)),
        scale: about(1.0, 0.12),
        background: about(0.94, 0.12),
        exposure: about(0.98, 0.08),
        mirrored: about(0.0, 1.0) > 0.0,
    };
    match view {
        0 => Frame {
            shift: (0.0, 0.0),
            scale: 1.0,
            background: 1.0,
            exposure: 1.0,
            mirrored: false,
        },
        _ => frame,
    }
}

impl Raster {
    /// Writes the picture as a PNG, in a directory that is made if it is not there.
    ///
    /// # Errors
    /// What the operating system refuses.
    pub fn write_png(&self, path: &Path) -> Result<()> {
        if let Some(parent) = path.parent() {
            create_dir_all(parent).map_err(|error| Error::io(parent, error))?;
        }
        let file = File::create(path).map_err(|error| Error::io(path, error))?;
        let (width, height) = (self.width as u32, self.height as u32);
        let mut encoder = png::Encoder::new(BufWriter::new(file), width, height);
        encoder.set_color(png::ColorType::Rgb);
        encoder.set_compression(png::Compression::Balanced);
        let written = encoder.write_header().and_then(|mut writer| {
            writer.write_image_data(&self.pixels)?;
            writer.finish()
        });
        written.map_err(|error| Error::input(error.to_string()).at(path))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn difference(a: &Raster, b: &Raster) -> u64 {
        let bytes = a.pixels.iter().zip(&b.pixels);
        bytes.map(|(a, b)| u64::from(a.abs_diff(*b))).sum::<u64>() / a.pixels.len() as u64
    }

    #[test]
    fn the_same_look_and_view_give_the_same_bytes() {
        for kind in Kind::ALL {
            let look = Look { kind, thing: 7 };
            let raster = draw(&look, 3);
            assert_eq!(raster.pixels.len(), SIDE * SIDE * 3);
            assert_eq!(raster, draw(&look, 3));
            assert_ne!(raster, draw(&look, 4));
        }
    }

    #[test]
    fn two_things_of_a_kind_differ() {
        for kind in Kind::ALL {
            let [a, b] = [1, 2].map(|thing| draw(&Look { kind, thing }, 0));
            assert!(difference(&a, &b) >= 3, "{kind:?}");
        }
    }

    #[test]
    fn kinds_differ_for_the_same_seed() {
        let rasters = Kind::ALL.map(|kind| draw(&Look { kind, thing: 1 }, 0));
        for (at, a) in rasters.iter().enumerate() {
            for b in &rasters[..at] {
                assert!(difference(a, b) >= 10);
            }
        }
    }

    #[test]
    fn another_view_is_nearer_than_another_thing() {
        // Most of it is where it was, or mirrored.
        let random = &mut Random::new(9);
        let mut nearer = 0;
        for kind in Kind::things() {
            let look = |thing| Look { kind: *kind, thing };
            let (this, other) = (random.next(), random.next());
            let view = draw(&look(this), 1);
            let mirrored = mirror(&view);
            let to = |raster: &Raster| difference(&view, raster).min(difference(&mirrored, raster));
            nearer += usize::from(to(&draw(&look(this), 0)) < to(&draw(&look(other), 0)));
        }
        assert!(nearer >= 16, "{nearer} of 19");
    }

    fn mirror(raster: &Raster) -> Raster {
        let rows = raster.pixels.chunks_exact(raster.width * 3);
        let pixels = rows.flat_map(|row| row.rchunks_exact(3).flatten().copied());
        Raster {
            pixels: pixels.collect(),
            ..*raster
        }
    }

    #[test]
    fn a_png_reads_back() {
        let raster = draw(
            &Look {
                kind: Kind::Dog,
                thing: 5,
            },
            2,
        );
        let path = std::env::temp_dir().join(format!("morelet-picture-{}.png", std::process::id()));
        raster.write_png(&path).unwrap();
        let decoder = png::Decoder::new(std::io::BufReader::new(File::open(&path).unwrap()));
        let mut reader = decoder.read_info().unwrap();
        let mut pixels = vec![0; reader.output_buffer_size().unwrap()];
        reader.next_frame(&mut pixels).unwrap();
        std::fs::remove_file(&path).unwrap();
        assert_eq!(pixels, raster.pixels);
    }
}

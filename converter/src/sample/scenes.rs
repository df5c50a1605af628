//! Pictures drawn from a list of shapes.

use crate::{Error, Result};
use std::fs::File;
use std::io::BufWriter;
use std::path::Path;
use std::str::{FromStr, SplitWhitespace};

const WIDTH: u16 = 320;
const HEIGHT: u16 = 240;
/// Points within a pixel, in each direction, whose mean is its colour.
const POINTS: [f32; 2] = [0.25, 0.75];

/// Red, green and blue.
type Rgb = [u8; 3];

/// One picture.
pub struct Scene {
    name: String,
    shapes: Vec<Shape>,
}

enum Shape {
    Sky(Rgb, Rgb),
    Disc(f32, f32, f32, Rgb),
    Polygon(Vec<(f32, f32)>, Rgb),
}

/// Reads scenes, whose format `sample/pictures.txt` explains.
pub fn read(text: &str) -> Result<Vec<Scene>> {
    let mut scenes: Vec<Scene> = Vec::new();
    for (number, line) in text.lines().enumerate() {
        let mut words = line.split_whitespace();
        let parsed = match words.next() {
            None | Some("#") => continue,
            Some(name) if name.ends_with(".png") => {
                scenes.push(Scene {
                    name: name.to_owned(),
                    shapes: Vec::new(),
                });
                continue;
            }
            Some(shape) => Shape::read(shape, words),
        };
        match (parsed, scenes.last_mut()) {
            (Some(shape), Some(scene)) => scene.shapes.push(shape),
            _ => {
                return Err(
                    Error::input(format!("line {}: not a shape: {line}", number + 1))
                        .at("pictures.txt"),
                );
            }
        }
    }
    Ok(scenes)
}

impl Scene {
    /// Draws the picture into a directory.
    pub fn draw(&self, directory: &Path) -> Result<()> {
        let pixels: Vec<u8> = (0..HEIGHT)
            .flat_map(|y| (0..WIDTH).flat_map(move |x| self.pixel(x, y)))
            .collect();
        let path = directory.join(&self.name);
        let file = File::create(&path).map_err(|error| Error::io(&path, error))?;
        let mut encoder = png::Encoder::new(BufWriter::new(file), WIDTH.into(), HEIGHT.into());
        encoder.set_color(png::ColorType::Rgb);
        let written = encoder
            .write_header()
            .and_then(|mut writer| writer.write_image_data(&pixels));
        written.map_err(|error| Error::input(error.to_string()).at(&path))
    }

    fn pixel(&self, x: u16, y: u16) -> Rgb {
        let mut sum = [0_u16; 3];
        for (dx, dy) in POINTS
            .iter()
            .flat_map(|dx| POINTS.iter().map(move |dy| (dx, dy)))
        {
            let (x, y) = (f32::from(x) + dx, f32::from(y) + dy);
            let colour = self
                .shapes
                .iter()
                .rev()
                .find_map(|shape| shape.colour(x, y));
            for (sum, channel) in sum.iter_mut().zip(colour.unwrap_or([255; 3])) {
                *sum += u16::from(channel);
            }
        }
        sum.map(|sum| (sum / 4) as u8)
    }
}

impl Shape {
    fn read(kind: &str, mut words: SplitWhitespace<'_>) -> Option<Self> {
        Some(match kind {
            "sky" => Self::Sky(colour(words.next()?)?, colour(words.next()?)?),
            "disc" => Self::Disc(
                number(&mut words)?,
                number(&mut words)?,
                number(&mut words)?,
                colour(words.next()?)?,
            ),
            "rect" => {
                let (x, y) = (number(&mut words)?, number(&mut words)?);
                let (right, bottom) = (
                    x + number::<f32>(&mut words)?,
                    y + number::<f32>(&mut words)?,
                );
                Self::Polygon(
                    vec![(x, y), (right, y), (right, bottom), (x, bottom)],
                    colour(words.next()?)?,
                )
            }
            "poly" => {
                let colour = colour(words.next()?)?;
                let corner = |word: &str| {
                    let (x, y) = word.split_once(',')?;
                    Some((x.parse().ok()?, y.parse().ok()?))
                };
                Self::Polygon(words.map(corner).collect::<Option<_>>()?, colour)
            }
            _ => return None,
        })
    }

    /// The colour of the shape at a point, if it covers it.
    fn colour(&self, x: f32, y: f32) -> Option<Rgb> {
        match self {
            Self::Sky(top, bottom) => {
                let share = y / f32::from(HEIGHT);
                let blend = |a: u8, b: u8| {
                    (f32::from(a) + (f32::from(b) - f32::from(a)) * share).round() as u8
                };
                Some(std::array::from_fn(|channel| {
                    blend(top[channel], bottom[channel])
                }))
            }
            Self::Disc(centre_x, centre_y, radius, colour) => {
                let (dx, dy) = (x - centre_x, y - centre_y);
                (dx * dx + dy * dy <= radius * radius).then_some(*colour)
            }
            Self::Polygon(corners, colour) => {
                // A ray to the right crosses the outline an odd number of times from inside.
                let edges = corners.iter().zip(corners.iter().cycle().skip(1));
                let crosses = |&(&(x1, y1), &(x2, y2)): &(&(f32, f32), &(f32, f32))| {
                    (y1 > y) != (y2 > y) && x < x1 + (y - y1) / (y2 - y1) * (x2 - x1)
                };
                (edges.filter(crosses).count() % 2 == 1).then_some(*colour)
            }
        }
    }
}

fn number<T: FromStr>(words: &mut SplitWhitespace<'_>) -> Option<T> {
    words.next()?.parse().ok()
}

/// `#rgb` or `#rrggbb`.
fn colour(text: &str) -> Option<Rgb> {
    let digits = text.strip_prefix('#')?;
    let value = u32::from_str_radix(digits, 16).ok()?;
    match digits.len() {
        3 => Some([value >> 8, value >> 4, value].map(|nibble| (nibble as u8 & 15) * 17)),
        6 => Some([value >> 16, value >> 8, value].map(|byte| byte as u8)),
        _ => None,
    }
}

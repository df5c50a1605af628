//! A drawing: shapes, the later over the earlier, and how they become pixels.
//!
//! Coordinates run from 0 to 100 to the right and downwards, whatever the size of the picture; what lies
//! outside is drawn too and comes into sight when a [`Frame`] moves. Nothing but `+ − × ÷ √` computes a
//! pixel, because these alone are rounded alike on every machine.

use super::colour::{Rgb, mix, shade};

/// Width and height of every picture, in pixels.
pub const SIDE: usize = 96;
/// Points within a pixel, in each direction, whose mean is its colour.
const POINTS: usize = 2;
const SAMPLES: usize = SIDE * POINTS;
/// Pieces of straight line for each control point of a curve.
const PIECES: usize = 6;

/// A place in a drawing.
pub type Point = (f32, f32);

/// Shapes, the later over the earlier.
#[derive(Default)]
pub struct Drawing {
    shapes: Vec<(Shape, Rgb)>,
    sky: (Rgb, Rgb),
}

enum Shape {
    Ellipse(Point, Point),
    Polygon(Vec<Point>),
}

/// How a camera sees a drawing.
pub struct Frame {
    /// What is added to every place.
    pub shift: Point,
    /// How large things are, beside 1.
    pub scale: f32,
    /// Whether right is left.
    pub mirrored: bool,
    /// How bright the background is, beside 1.
    pub background: f32,
    /// How bright everything is, beside 1.
    pub exposure: f32,
}

impl Drawing {
    /// What is behind everything: a colour at the top that turns into another at the bottom.
    pub fn sky(&mut self, top: Rgb, bottom: Rgb) {
        self.sky = (top, bottom);
    }

    /// An ellipse around a centre.
    pub fn ellipse(&mut self, centre: Point, radii: Point, colour: Rgb) {
        self.shapes.push((Shape::Ellipse(centre, radii), colour));
    }

    /// A disc around a centre.
    pub fn disc(&mut self, centre: Point, radius: f32, colour: Rgb) {
        self.ellipse(centre, (radius, radius), colour);
    }

    /// A polygon; where it overlaps itself an even number of times it has a hole.
    pub fn polygon(&mut self, corners: &[Point], colour: Rgb) {
        self.shapes.push((Shape::Polygon(corners.to_vec()), colour));
    }

    /// A rectangle from its upper left corner.
    pub fn rect(&mut self, (x, y): Point, (width, height): Point, colour: Rgb) {
        let (right, bottom) = (x + width, y + height);
        self.polygon(&[(x, y), (right, y), (right, bottom), (x, bottom)], colour);
    }

    /// A closed smooth outline that the corners pull at: the uniform quadratic B-spline.
    pub fn blob(&mut self, corners: &[Point], colour: Rgb) {
        let mut outline = Vec::with_capacity(corners.len() * PIECES);
        for (at, &control) in corners.iter().enumerate() {
            let before = corners[(at + corners.len() - 1) % corners.len()];
            let after = corners[(at + 1) % corners.len()];
            let (from, to) = (between(before, control, 0.5), between(control, after, 0.5));
            for piece in 0..PIECES {
                let t = piece as f32 / PIECES as f32;
                outline.push(between(
                    between(from, control, t),
                    between(control, to, t),
                    t,
                ));
            }
        }
        self.polygon(&outline, colour);
    }

    /// A thick line with round ends, which may be thicker at one of them.
    pub fn limb(&mut self, a: Point, radius_a: f32, b: Point, radius_b: f32, colour: Rgb) {
        let (dx, dy) = (b.0 - a.0, b.1 - a.1);
        let length = (dx * dx + dy * dy).sqrt().max(0.001);
        let (nx, ny) = (-dy / length, dx / length);
        let corner = |(x, y): Point, radius: f32| (x + nx * radius, y + ny * radius);
        let corners = [
            corner(a, radius_a),
            corner(b, radius_b),
            corner(b, -radius_b),
            corner(a, -radius_a),
        ];
        self.polygon(&corners, colour);
        self.disc(a, radius_a, colour);
        self.disc(b, radius_b, colour);
    }

    /// A thin line.
    pub fn line(&mut self, a: Point, b: Point, width: f32, colour: Rgb) {
        self.limb(a, width / 2.0, b, width / 2.0, colour);
    }

    /// The pixels, row by row, each red, green, blue.
    pub fn render(&self, frame: &Frame) -> Vec<u8> {
        let mut samples = Vec::with_capacity(SAMPLES * SAMPLES);
        let sky = [self.sky.0, self.sky.1].map(|colour| shade(colour, frame.background));
        for row in 0..SAMPLES {
            let colour = mix(sky[0], sky[1], row as f32 / SAMPLES as f32);
            samples.extend([colour; SAMPLES]);
        }
        let mut crossings = Vec::new();
        for (shape, colour) in &self.shapes {
            let shape = shape.seen_in(frame);
            let (top, bottom) = shape.rows();
            for row in top..bottom {
                crossings.clear();
                shape.crossings(row as f32 + 0.5, &mut crossings);
                crossings.sort_by(f32::total_cmp);
                for pair in crossings.chunks_exact(2) {
                    let (from, to) = (first_sample(pair[0]), first_sample(pair[1]));
                    if from < to {
                        samples[row * SAMPLES..][from..to].fill(*colour);
                    }
                }
            }
        }
        let mut pixels = Vec::with_capacity(SIDE * SIDE * 3);
        for row in samples.chunks_exact(SAMPLES * POINTS) {
            for x in 0..SIDE {
                let points = (0..POINTS * POINTS)
                    .map(|point| row[point / POINTS * SAMPLES + x * POINTS + point % POINTS]);
                let sum = points.fold([0_u16; 3], |sum, colour| {
                    std::array::from_fn(|channel| sum[channel] + u16::from(colour[channel]))
                });
                let mean = sum.map(|sum| (sum / (POINTS * POINTS) as u16) as u8);
                pixels.extend(shade(mean, frame.exposure));
            }
        }
        pixels
    }
}

impl Shape {
    /// The same shape in units of samples.
    fn seen_in(&self, frame: &Frame) -> Shape {
        let unit = SAMPLES as f32 / 100.0;
        let flip = if frame.mirrored { -1.0 } else { 1.0 };
        let place = |&(x, y): &Point| {
            (
                ((x - 50.0) * frame.scale * flip + 50.0 + frame.shift.0) * unit,
                ((y - 50.0) * frame.scale + 50.0 + frame.shift.1) * unit,
            )
        };
        match self {
            Shape::Ellipse(centre, (rx, ry)) => {
                let by = frame.scale * unit;
                Shape::Ellipse(place(centre), (rx * by, ry * by))
            }
            Shape::Polygon(corners) => Shape::Polygon(corners.iter().map(place).collect()),
        }
    }

    /// The rows of samples that it may cover.
    fn rows(&self) -> (usize, usize) {
        let (top, bottom) = match self {
            Shape::Ellipse((_, y), (_, ry)) => (y - ry, y + ry),
            Shape::Polygon(corners) => corners
                .iter()
                .fold((f32::MAX, f32::MIN), |(top, bottom), &(_, y)| {
                    (top.min(y), bottom.max(y))
                }),
        };
        (first_sample(top), first_sample(bottom))
    }

    /// Where a row meets the outline.
    fn crossings(&self, y: f32, out: &mut Vec<f32>) {
        match self {
            Shape::Ellipse((centre, middle), (rx, ry)) => {
                let part = (y - middle) / ry;
                let half = rx * (1.0 - part * part).max(0.0).sqrt();
                out.extend([centre - half, centre + half]);
            }
            Shape::Polygon(corners) => {
                for (&(x1, y1), &(x2, y2)) in corners.iter().zip(corners.iter().cycle().skip(1)) {
                    if (y1 > y) != (y2 > y) {
                        out.push(x1 + (y - y1) / (y2 - y1) * (x2 - x1));
                    }
                }
            }
        }
    }
}

/// The first sample whose middle is not before the place, within the picture.
fn first_sample(place: f32) -> usize {
    (place - 0.5).ceil().clamp(0.0, SAMPLES as f32) as usize
}

/// The point at a share of the way.
pub fn between(a: Point, b: Point, share: f32) -> Point {
    (a.0 + (b.0 - a.0) * share, a.1 + (b.1 - a.1) * share)
}

#[cfg(test)]
mod tests {
    use super::*;

    const PLAIN: Frame = Frame {
        shift: (0.0, 0.0),
        scale: 1.0,
        mirrored: false,
        background: 1.0,
        exposure: 1.0,
    };

    fn covered(drawing: &Drawing, frame: &Frame) -> f32 {
        let pixels = drawing.render(frame);
        pixels
            .iter()
            .map(|&byte| f32::from(byte) / 255.0)
            .sum::<f32>()
            / pixels.len() as f32
    }

    #[test]
    fn shapes_cover_their_area() {
        type Draw = fn(&mut Drawing);
        // White on black, so the mean is the share that is covered.
        let cases: [(Draw, f32); 4] = [
            (|d| d.rect((10.0, 20.0), (50.0, 40.0), [255; 3]), 0.2),
            (|d| d.disc((50.0, 50.0), 40.0, [255; 3]), 0.502_65),
            (
                |d| d.polygon(&[(0.0, 0.0), (100.0, 0.0), (0.0, 100.0)], [255; 3]),
                0.5,
            ),
            (
                |d| d.line((20.0, 50.0), (80.0, 50.0), 10.0, [255; 3]),
                0.067_85,
            ),
        ];
        for (draw, area) in cases {
            let mut drawing = Drawing::default();
            draw(&mut drawing);
            let got = covered(&drawing, &PLAIN);
            assert!((got - area).abs() < 0.006, "{got} instead of {area}");
        }
    }

    #[test]
    fn a_mirror_exchanges_left_and_right() {
        let mut drawing = Drawing::default();
        drawing.rect((0.0, 0.0), (25.0, 100.0), [255; 3]);
        let mirrored = Frame {
            mirrored: true,
            ..PLAIN
        };
        let (plain, mirrored) = (drawing.render(&PLAIN), drawing.render(&mirrored));
        assert_eq!((plain[0], plain[(SIDE - 1) * 3]), (255, 0));
        assert_eq!((mirrored[0], mirrored[(SIDE - 1) * 3]), (0, 255));
    }

    #[test]
    fn shapes_outside_the_picture_are_cut() {
        let mut drawing = Drawing::default();
        drawing.rect((-500.0, -500.0), (1000.0, 1000.0), [255; 3]);
        drawing.disc((300.0, -300.0), 50.0, [0; 3]);
        assert_eq!(covered(&drawing, &PLAIN), 1.0);
    }
}

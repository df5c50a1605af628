//! Emblems: simple figures of one colour, for crests, signs and covers.

use super::canvas::{Drawing, Point};
use super::colour::Rgb;
use crate::random::Random;

/// A figure of one colour.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Emblem {
    Star,
    Disc,
    Ring,
    Diamond,
    Cross,
    Crescent,
    Bolt,
    Heart,
    Triangle,
    Tree,
    Flower,
    Wave,
}

impl Emblem {
    const ALL: [Emblem; 12] = [
        Emblem::Star,
        Emblem::Disc,
        Emblem::Ring,
        Emblem::Diamond,
        Emblem::Cross,
        Emblem::Crescent,
        Emblem::Bolt,
        Emblem::Heart,
        Emblem::Triangle,
        Emblem::Tree,
        Emblem::Flower,
        Emblem::Wave,
    ];

    /// Any of them.
    pub fn any(random: &mut Random) -> Emblem {
        *random.pick(&Emblem::ALL)
    }

    /// Draws it around a centre, `size` to each side. Holes show `ground`.
    pub fn draw(self, on: &mut Drawing, (x, y): Point, size: f32, colour: Rgb, ground: Rgb) {
        let at = |(dx, dy): Point| (x + dx * size, y + dy * size);
        match self {
            Emblem::Star => on.polygon(&STAR.map(at), colour),
            Emblem::Disc => on.disc((x, y), size, colour),
            Emblem::Ring => {
                on.disc((x, y), size, colour);
                on.disc((x, y), size * 0.55, ground);
            }
            Emblem::Diamond => on.polygon(
                &[(0.0, -1.0), (0.75, 0.0), (0.0, 1.0), (-0.75, 0.0)].map(at),
                colour,
            ),
            Emblem::Cross => {
                on.rect(at((-0.28, -1.0)), (size * 0.56, size * 2.0), colour);
                on.rect(at((-1.0, -0.28)), (size * 2.0, size * 0.56), colour);
            }
            Emblem::Crescent => {
                on.disc((x, y), size, colour);
                on.disc(at((0.4, -0.2)), size * 0.8, ground);
            }
            Emblem::Bolt => on.polygon(&BOLT.map(at), colour),
            Emblem::Heart => {
                on.disc(at((-0.44, -0.35)), size * 0.53, colour);
                on.disc(at((0.44, -0.35)), size * 0.53, colour);
                on.polygon(&[(-0.9, -0.1), (0.9, -0.1), (0.0, 1.0)].map(at), colour);
            }
            Emblem::Triangle => {
                on.polygon(&[(0.0, -0.95), (1.0, 0.8), (-1.0, 0.8)].map(at), colour);
            }
            Emblem::Tree => {
                on.rect(at((-0.16, 0.2)), (size * 0.32, size * 0.8), colour);
                on.disc(at((0.0, -0.45)), size * 0.55, colour);
                on.disc(at((-0.4, 0.0)), size * 0.42, colour);
                on.disc(at((0.4, 0.0)), size * 0.42, colour);
            }
            Emblem::Flower => {
                for petal in PETALS {
                    on.disc(at(petal), size * 0.4, colour);
                }
                on.disc((x, y), size * 0.3, ground);
            }
            Emblem::Wave => {
                for dy in [-0.6, 0.1, 0.8] {
                    let crests = [-1.0, -0.5, 0.0, 0.5, 1.0];
                    for (number, pair) in crests.windows(2).enumerate() {
                        let rise = if number % 2 == 0 { -0.3 } else { 0.3 };
                        on.line(
                            at((pair[0], dy - rise / 2.0)),
                            at((pair[1], dy + rise / 2.0)),
                            size * 0.26,
                            colour,
                        );
                    }
                }
            }
        }
    }
}

/// The corners of a star, the outer ones and the inner ones by turns, around its centre.
const STAR: [Point; 10] = [
    (0.0, -1.0),
    (0.235, -0.324),
    (0.951, -0.309),
    (0.38, 0.124),
    (0.588, 0.809),
    (0.0, 0.4),
    (-0.588, 0.809),
    (-0.38, 0.124),
    (-0.951, -0.309),
    (-0.235, -0.324),
];

const BOLT: [Point; 6] = [
    (0.25, -1.0),
    (-0.6, 0.2),
    (-0.05, 0.2),
    (-0.3, 1.0),
    (0.6, -0.3),
    (0.05, -0.3),
];

const PETALS: [Point; 5] = [
    (0.0, -0.6),
    (0.571, -0.185),
    (0.353, 0.485),
    (-0.353, 0.485),
    (-0.571, -0.185),
];

/// A football, the sport's sign in every picture of it.
pub fn football(on: &mut Drawing, (x, y): Point, radius: f32) {
    const PENTAGON: [Point; 5] = [
        (0.0, -0.42),
        (0.4, -0.13),
        (0.247, 0.34),
        (-0.247, 0.34),
        (-0.4, -0.13),
    ];
    on.disc((x, y), radius, [30, 30, 34]);
    on.disc((x, y), radius * 0.9, [244, 244, 244]);
    let at = |(dx, dy): Point| (x + dx * radius, y + dy * radius);
    for corner in PENTAGON {
        let end = at((corner.0 * 2.05, corner.1 * 2.05));
        on.line(at(corner), end, radius * 0.12, [30, 30, 34]);
        on.disc(end, radius * 0.2, [30, 30, 34]);
    }
    on.polygon(&PENTAGON.map(at), [30, 30, 34]);
}

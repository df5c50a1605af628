//! Works of art, as the things that they are sold as: a book, a strip of film, a record.

use super::canvas::{Drawing, Point};
use super::colour::{BLACK, Rgb, WHITE, WOOD, mix, paint, paint_on, paints, shade};
use super::emblem::Emblem;
use super::within;
use crate::random::Random;

/// A book that stands on a table, a little from the side.
pub fn novel(on: &mut Drawing, random: &mut Random) {
    let wall = mix(paint(random), [214, 208, 200], 0.75);
    on.sky(wall, shade(wall, 0.92));
    on.rect(
        (-50.0, 86.0),
        (200.0, 60.0),
        shade(WOOD, within(random, 0.7, 1.25)),
    );
    let [cover, band] = paints(random);
    let (width, height) = (within(random, 48.0, 58.0), within(random, 72.0, 82.0));
    let (left, top) = (54.0 - width / 2.0, 92.0 - height);
    // Pages beside and above, and the spine.
    on.polygon(
        &[
            (left, top),
            (left + 7.0, top - 6.0),
            (left + width + 7.0, top - 6.0),
            (left + width + 7.0, 87.0),
            (left + width, 92.0),
        ],
        [236, 228, 206],
    );
    for step in [2.0, 4.0, 6.0] {
        on.line(
            (left + width + step, top - step * 0.8),
            (left + width + step, 91.0 - step * 0.7),
            0.7,
            [196, 184, 158],
        );
    }
    on.polygon(
        &[
            (left, top),
            (left - 8.0, top + 4.0),
            (left - 8.0, 95.0),
            (left, 92.0),
        ],
        shade(cover, 0.7),
    );
    on.rect((left, top), (width, height), cover);
    on.rect((left, top), (3.0, height), shade(cover, 0.82));
    let middle = left + width / 2.0;
    let title = paint_on(cover, random);
    // The title, as two lines too small to read.
    let at = *random.pick(&[0.1, 0.72]);
    let y = top + height * at;
    on.rect((middle - width * 0.36, y), (width * 0.72, 5.0), title);
    on.rect((middle - width * 0.24, y + 8.0), (width * 0.48, 4.0), title);
    let picture = (middle, top + height * if at < 0.5 { 0.6 } else { 0.36 });
    if random.chance(0.6) {
        on.rect((left + 3.0, picture.1 - 19.0), (width - 3.0, 38.0), band);
        Emblem::any(random).draw(on, picture, 15.0, paint_on(band, random), band);
    } else {
        Emblem::any(random).draw(on, picture, 18.0, title, cover);
    }
}

/// A strip of film with holes at both sides and a scene in its frames.
pub fn film(on: &mut Drawing, random: &mut Random) {
    let ground = mix(paint(random), [200, 200, 206], 0.6);
    on.sky(ground, shade(ground, 0.88));
    on.rect((8.0, -40.0), (84.0, 180.0), [24, 22, 26]);
    for number in 0..14 {
        let y = -36.0 + number as f32 * 12.0;
        for x in [11.5, 81.5] {
            on.rect((x, y), (7.0, 7.0), mix(ground, WHITE, 0.5));
        }
    }
    let scene = Scene::new(random);
    for top in [-60.0, 18.0, 96.0] {
        scene.draw(on, (22.0, top), (56.0, 70.0));
        on.rect((20.0, top + 70.0), (60.0, 8.0), [24, 22, 26]);
    }
}

/// What one frame of a film shows.
struct Scene {
    sky: Rgb,
    ground: Rgb,
    sun: Rgb,
    hero: Rgb,
    /// Where the sun is, as a share of the width.
    sun_at: f32,
    horizon: f32,
    backdrop: usize,
    hats: bool,
    two: bool,
}

impl Scene {
    fn new(random: &mut Random) -> Self {
        let [sky, ground] = paints(random);
        Self {
            sky,
            ground,
            sun: paint_on(sky, random),
            hero: paint_on(sky, random),
            sun_at: within(random, 0.2, 0.8),
            horizon: within(random, 0.5, 0.75),
            backdrop: random.below(3),
            hats: random.chance(0.5),
            two: random.chance(0.5),
        }
    }

    fn draw(&self, on: &mut Drawing, (left, top): Point, (width, height): Point) {
        let at = |x: f32, y: f32| (left + x * width, top + y * height);
        on.rect((left, top), (width, height), self.sky);
        on.disc(at(self.sun_at, 0.26), 8.5, self.sun);
        let far = mix(self.sky, self.ground, 0.6);
        match self.backdrop {
            0 => on.polygon(
                &[
                    at(0.05, self.horizon),
                    at(0.35, 0.28),
                    at(0.6, self.horizon),
                ],
                far,
            ),
            1 => {
                for (x, y) in [(0.08, 0.4), (0.26, 0.3), (0.7, 0.36), (0.85, 0.46)] {
                    let corner = at(x, y);
                    on.rect(
                        corner,
                        (width * 0.14, top + height * self.horizon - corner.1),
                        far,
                    );
                }
            }
            _ => {}
        }
        let (corner, deep) = (at(0.0, self.horizon), height * (1.0 - self.horizon));
        on.rect(corner, (width, deep), self.ground);
        let heroes: &[f32] = if self.two { &[0.36, 0.68] } else { &[0.5] };
        for &x in heroes {
            let (x, y) = at(x, 0.46);
            on.disc((x, y), 5.2, [222, 178, 146]);
            on.polygon(
                &[
                    (x - 7.0, y + 5.0),
                    (x + 7.0, y + 5.0),
                    (x + 8.5, y + 34.0),
                    (x - 8.5, y + 34.0),
                ],
                self.hero,
            );
            if self.hats {
                on.rect((x - 8.0, y - 4.5), (16.0, 2.4), BLACK);
                on.rect((x - 4.6, y - 9.5), (9.2, 6.0), BLACK);
            }
        }
    }
}

/// A record that is half out of its sleeve.
pub fn song(on: &mut Drawing, random: &mut Random) {
    let ground = mix(paint(random), [226, 218, 206], 0.7);
    on.sky(ground, shade(ground, 0.92));
    let [sleeve, pattern, label] = paints(random);
    let record = match random.below(4) {
        0 => shade(paint(random), 0.8),
        _ => [26, 26, 30],
    };
    let x = within(random, 58.0, 66.0);
    on.disc((x, 50.0), 36.0, record);
    for (number, radius) in [33.0, 29.0, 25.0, 21.0].into_iter().enumerate() {
        let groove = mix(record, WHITE, if number % 2 == 0 { 0.16 } else { 0.0 });
        on.disc((x, 50.0), radius, groove);
    }
    on.polygon(
        &[(x, 50.0), (x + 34.0, 38.0), (x + 35.0, 46.0)],
        mix(record, WHITE, 0.3),
    );
    on.disc((x, 50.0), 14.0, label);
    on.rect((x - 8.0, 42.0), (16.0, 3.0), paint_on(label, random));
    on.disc((x, 50.0), 2.4, ground);
    // The sleeve covers the left part.
    let right = x - within(random, 2.0, 10.0);
    on.rect((4.0, 13.0), (right - 3.0, 76.0), shade(sleeve, 0.7));
    on.rect((3.0, 12.0), (right - 3.0, 76.0), sleeve);
    let middle = (3.0 + right) / 2.0 - 1.5;
    let wide = right - 3.0;
    match random.below(5) {
        0 => on.rect((3.0, 32.0), (wide, 20.0), pattern),
        1 => {
            for y in [18.0, 36.0, 54.0, 72.0] {
                on.rect((3.0, y), (wide, 9.0), pattern);
            }
        }
        2 => on.polygon(&[(3.0, 88.0), (right, 88.0), (right, 12.0)], pattern),
        3 => {
            for number in 0..9 {
                on.disc(
                    (
                        12.0 + (number % 3) as f32 * (wide - 18.0) / 2.0,
                        24.0 + (number / 3) as f32 * 26.0,
                    ),
                    6.5,
                    pattern,
                );
            }
        }
        _ => on.disc((middle, 50.0), 20.0, pattern),
    }
    note(on, (middle, 54.0), paint_on(sleeve, random));
}

/// Two quavers under one beam.
fn note(on: &mut Drawing, (x, y): Point, colour: Rgb) {
    for side in [-8.0, 8.0] {
        on.ellipse((x + side - 3.0, y + 12.0), (5.4, 4.2), colour);
        on.rect((x + side, y - 14.0), (2.6, 26.0), colour);
    }
    on.polygon(
        &[
            (x - 8.0, y - 15.0),
            (x + 10.6, y - 19.0),
            (x + 10.6, y - 12.0),
            (x - 8.0, y - 8.0),
        ],
        colour,
    );
}

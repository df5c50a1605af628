//! Organizations, as the press shows them: by a crest, a tower or a portal.

use super::canvas::{Drawing, Point};
use super::colour::{GRASS, Rgb, SKY, STEEL, WHITE, mix, paint, paint_on, paints, shade};
use super::emblem::{Emblem, football};
use super::within;
use crate::random::Random;

/// A shield in the club's colours with a football.
pub fn football_club(on: &mut Drawing, random: &mut Random) {
    let ground = mix(paint(random), [226, 226, 222], 0.8);
    on.sky(ground, shade(ground, 0.94));
    let [first, second] = paints(random);
    let rim = paint_on(first, random);
    let shape = random.below(3);
    // The shield, and a smaller one upon it, leave a rim.
    let outline = |grow: f32| -> Vec<Point> {
        let corners: &[Point] = match shape {
            0 => &[
                (-34.0, -38.0),
                (34.0, -38.0),
                (34.0, 8.0),
                (20.0, 30.0),
                (0.0, 42.0),
                (-20.0, 30.0),
                (-34.0, 8.0),
            ],
            1 => &[
                (-36.0, -30.0),
                (-18.0, -36.0),
                (0.0, -42.0),
                (18.0, -36.0),
                (36.0, -30.0),
                (30.0, 14.0),
                (0.0, 42.0),
                (-30.0, 14.0),
            ],
            _ => &[
                (-17.0, -40.0),
                (17.0, -40.0),
                (40.0, -17.0),
                (40.0, 17.0),
                (17.0, 40.0),
                (-17.0, 40.0),
                (-40.0, 17.0),
                (-40.0, -17.0),
            ],
        };
        corners
            .iter()
            .map(|&(x, y)| (50.0 + x * grow, 50.0 + y * grow))
            .collect()
    };
    on.polygon(&outline(1.1), shade(rim, 0.7));
    on.polygon(&outline(1.06), rim);
    on.polygon(&outline(0.94), first);
    let inner = |x: f32, y: f32| (50.0 + x * 0.94, 50.0 + y * 0.94);
    match random.below(6) {
        0 => {}
        1 => {
            for x in [-24.0, -4.0, 16.0] {
                on.polygon(
                    &[
                        inner(x, -30.0),
                        inner(x + 8.0, -30.0),
                        inner(x + 8.0, 22.0),
                        inner(x, 22.0),
                    ],
                    second,
                );
            }
        }
        2 => on.polygon(
            &[
                inner(0.0, -38.0),
                inner(33.0, -30.0),
                inner(30.0, 12.0),
                inner(0.0, 40.0),
            ],
            second,
        ),
        3 => on.polygon(
            &[
                inner(-33.0, -14.0),
                inner(33.0, -14.0),
                inner(33.0, 6.0),
                inner(-33.0, 6.0),
            ],
            second,
        ),
        4 => on.polygon(
            &[
                inner(-32.0, 4.0),
                inner(0.0, -28.0),
                inner(32.0, 4.0),
                inner(26.0, 18.0),
                inner(0.0, -6.0),
                inner(-26.0, 18.0),
            ],
            second,
        ),
        _ => {
            on.polygon(
                &[
                    inner(-7.0, -38.0),
                    inner(7.0, -38.0),
                    inner(7.0, 36.0),
                    inner(-7.0, 36.0),
                ],
                second,
            );
            on.polygon(
                &[
                    inner(-34.0, -16.0),
                    inner(34.0, -16.0),
                    inner(34.0, -3.0),
                    inner(-34.0, -3.0),
                ],
                second,
            );
        }
    }
    let (emblem, sign) = (Emblem::any(random), paint_on(first, random));
    emblem.draw(on, (50.0, 34.0), 12.5, sign, first);
    football(on, (50.0, 68.0), 13.0);
}

/// A tower of glass with the firm's sign.
pub fn company(on: &mut Drawing, random: &mut Random) {
    let sky = shade(SKY, within(random, 0.8, 1.0));
    on.sky(sky, mix(sky, WHITE, 0.6));
    // The rest of the town, grey and far away.
    for (number, height) in [34.0, 22.0, 40.0, 28.0, 36.0, 24.0].into_iter().enumerate() {
        on.rect(
            (number as f32 * 20.0 - 12.0, 88.0 - height),
            (18.0, height),
            mix(STEEL, sky, 0.6),
        );
    }
    on.rect((-50.0, 88.0), (200.0, 60.0), [110, 112, 118]);
    let [face, sign] = paints(random);
    let glass = mix(paint(random), [190, 220, 240], 0.5);
    let (half, top) = (within(random, 15.0, 24.0), within(random, 12.0, 30.0));
    let x = 50.0;
    if random.chance(0.5) {
        let side = if random.chance(0.5) { 1.0 } else { -1.0 };
        let (wing, low) = (x + side * (half + 7.0), within(random, 44.0, 64.0));
        on.rect((wing - 10.0, low), (20.0, 92.0 - low), shade(face, 0.8));
        windows(on, (wing - 10.0, low), (20.0, 86.0 - low), (3, 4), glass);
    }
    on.rect((x - half, top), (2.0 * half, 92.0 - top), face);
    let columns = 3 + random.below(3);
    let rows = 4 + random.below(4);
    windows(
        on,
        (x - half, top + 21.0),
        (2.0 * half, 58.0 - top),
        (columns, rows),
        glass,
    );
    let board = paint_on(sign, random);
    on.rect((x - half, top), (2.0 * half, 21.0), board);
    Emblem::any(random).draw(on, (x, top + 10.5), 9.0, sign, board);
    if random.chance(0.5) {
        on.line((x, top), (x, top - 14.0), 1.8, STEEL);
    }
    on.rect((x - 7.0, 80.0), (14.0, 12.0), [60, 70, 90]);
    on.rect((x - 10.0, 78.0), (20.0, 2.6), sign);
}

/// Rows of windows in a rectangle.
fn windows(
    on: &mut Drawing,
    (x, y): Point,
    (width, height): Point,
    (columns, rows): (usize, usize),
    glass: Rgb,
) {
    let (step_x, step_y) = (width / columns as f32, height / rows as f32);
    for row in 0..rows {
        for column in 0..columns {
            let corner = (
                x + (column as f32 + 0.2) * step_x,
                y + (row as f32 + 0.25) * step_y,
            );
            on.rect(corner, (step_x * 0.6, step_y * 0.6), glass);
        }
    }
}

/// Columns under a gable, steps before them.
pub fn university(on: &mut Drawing, random: &mut Random) {
    let sky = shade(SKY, within(random, 0.85, 1.0));
    on.sky(sky, mix(sky, WHITE, 0.5));
    let lawn = shade(GRASS, within(random, 0.8, 1.1));
    on.rect((-50.0, 82.0), (200.0, 70.0), lawn);
    const STONES: [Rgb; 6] = [
        [232, 222, 200],
        [214, 186, 142],
        [190, 110, 84],
        [196, 196, 204],
        [240, 240, 236],
        [160, 140, 126],
    ];
    let stone = shade(*random.pick(&STONES), within(random, 0.88, 1.05));
    let [roof, flag, door] = paints(random);
    let half = within(random, 30.0, 38.0);
    match random.below(3) {
        0 => {
            on.rect((38.0, 18.0), (24.0, 14.0), shade(stone, 0.9));
            on.ellipse((50.0, 20.0), (17.0, 15.0), roof);
            on.line((50.0, 5.0), (50.0, -2.0), 1.6, roof);
        }
        1 => {
            on.rect((42.0, 4.0), (16.0, 30.0), shade(stone, 0.85));
            on.polygon(&[(40.0, 6.0), (60.0, 6.0), (50.0, -8.0)], roof);
            on.disc((50.0, 14.0), 4.6, WHITE);
        }
        _ => {
            on.line((50.0, 28.0), (50.0, 0.0), 1.4, STEEL);
            on.polygon(&[(50.5, 1.0), (68.0, 4.0), (50.5, 14.0)], flag);
        }
    }
    // Wings to both sides, in the shadow.
    if random.chance(0.5) {
        on.rect((2.0, 50.0), (96.0, 36.0), shade(stone, 0.78));
        for x in [6.0, 88.0] {
            on.rect((x, 58.0), (6.0, 14.0), door);
        }
        on.rect((0.0, 45.0), (100.0, 6.0), roof);
    }
    on.rect((50.0 - half, 46.0), (2.0 * half, 38.0), shade(stone, 0.62));
    on.rect((44.0, 60.0), (12.0, 24.0), door);
    let columns = 4 + random.below(3);
    let pitch = (2.0 * half - 6.0) / (columns - 1) as f32;
    for column in 0..columns {
        let x = 50.0 - half + 3.0 + column as f32 * pitch;
        on.rect((x - 2.6, 48.0), (5.2, 34.0), stone);
        on.rect((x - 3.8, 46.0), (7.6, 3.4), mix(stone, WHITE, 0.4));
    }
    on.rect(
        (50.0 - half - 3.0, 41.0),
        (2.0 * half + 6.0, 6.0),
        mix(stone, WHITE, 0.25),
    );
    on.polygon(
        &[
            (50.0 - half - 5.0, 41.0),
            (50.0 + half + 5.0, 41.0),
            (50.0, 22.0),
        ],
        roof,
    );
    on.polygon(
        &[
            (50.0 - half + 4.0, 39.0),
            (50.0 + half - 4.0, 39.0),
            (50.0, 26.0),
        ],
        stone,
    );
    on.disc((50.0, 34.5), 4.0, flag);
    for step in 0..3 {
        let more = 2.0 + step as f32 * 3.5;
        let y = 82.0 + step as f32 * 4.0;
        on.rect(
            (50.0 - half - more, y),
            (2.0 * (half + more), 4.2),
            shade(stone, 1.0 - 0.07 * step as f32),
        );
    }
    for x in [14.0, 86.0] {
        on.rect((x - 3.5, 54.0), (7.0, 24.0), flag);
        on.polygon(&[(x - 3.5, 78.0), (x + 3.5, 78.0), (x, 83.0)], flag);
    }
}

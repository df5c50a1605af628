//! People from head to foot: one on a pitch, several on a stage.

use super::canvas::{Drawing, Point};
use super::colour::{
    BLACK, GRASS, Rgb, STEEL, WHITE, WOOD, hair, mix, paint, paint_on, paints, shade, skin,
};
use super::emblem::{Emblem, football};
use super::within;
use crate::random::Random;

/// How a shirt is coloured.
#[derive(Clone, Copy)]
enum Cut {
    Plain,
    Stripes,
    Hoops,
    Halves,
    Sash,
    Band,
}

const CUTS: [Cut; 6] = [
    Cut::Plain,
    Cut::Stripes,
    Cut::Hoops,
    Cut::Halves,
    Cut::Sash,
    Cut::Band,
];

/// Somebody in a shirt with a ball at the foot, before a goal.
pub fn footballer(on: &mut Drawing, random: &mut Random) {
    let pitch = shade(GRASS, within(random, 0.75, 1.05));
    on.sky(shade(pitch, 0.9), pitch);
    let crowd = mix(paint(random), [110, 110, 120], 0.45);
    on.rect((-50.0, -50.0), (200.0, 78.0), crowd);
    for number in 0..4 {
        let x = -40.0 + number as f32 * 50.0;
        on.polygon(
            &[
                (x, 28.0),
                (x + 24.0, 28.0),
                (x + 14.0, 130.0),
                (x - 20.0, 130.0),
            ],
            mix(pitch, WHITE, 0.08),
        );
    }
    let net = mix(crowd, WHITE, 0.45);
    for number in 0..9 {
        let x = 2.0 + number as f32 * 12.0;
        on.line((x, 4.0), (x, 44.0), 0.7, net);
        on.line(
            (2.0, 4.0 + number as f32 * 5.0),
            (98.0, 4.0 + number as f32 * 5.0),
            0.7,
            net,
        );
    }
    for (from, to) in [
        ((2.0, 4.0), (98.0, 4.0)),
        ((2.0, 4.0), (2.0, 46.0)),
        ((98.0, 4.0), (98.0, 46.0)),
    ] {
        on.line(from, to, 3.0, WHITE);
    }
    let [shirt, second, shorts] = paints(random);
    let (skin, hair, socks) = (skin(random), hair(random), paint(random));
    let stride = within(random, 3.0, 9.0);
    // Legs: the left one stands, the right one has the ball.
    for (hip, foot) in [
        ((43.0, 66.0), (40.0 - stride, 95.0)),
        ((57.0, 66.0), (60.0 + stride, 92.0)),
    ] {
        let knee = ((hip.0 + foot.0) / 2.0 + 1.0, 78.0);
        on.limb(hip, 5.0, knee, 4.2, skin);
        on.limb(knee, 4.4, foot, 3.6, socks);
        on.ellipse((foot.0 + 2.5, foot.1 + 2.5), (6.0, 3.0), BLACK);
    }
    on.polygon(
        &[
            (36.0, 58.0),
            (64.0, 58.0),
            (68.0, 75.0),
            (52.0, 75.0),
            (50.0, 68.0),
            (48.0, 75.0),
            (32.0, 75.0),
        ],
        shorts,
    );
    let raised = within(random, 34.0, 62.0);
    for (shoulder, hand) in [
        ((36.0, 35.0), (18.0, raised)),
        ((64.0, 35.0), (82.0, 64.0 - raised / 3.0)),
    ] {
        let elbow = ((shoulder.0 + hand.0) / 2.0, (shoulder.1 + hand.1) / 2.0);
        on.limb(elbow, 4.0, hand, 3.6, skin);
        on.limb(shoulder, 6.0, elbow, 5.2, shirt);
    }
    let torso = [(34.0, 31.0), (66.0, 31.0), (65.0, 60.0), (35.0, 60.0)];
    on.polygon(&torso, shirt);
    match random.pick(&CUTS) {
        Cut::Plain => on.polygon(&[(43.0, 31.0), (57.0, 31.0), (50.0, 40.0)], second),
        Cut::Stripes => {
            for x in [37.5, 47.0, 56.5] {
                on.rect((x, 31.0), (5.0, 29.0), second);
            }
        }
        Cut::Hoops => {
            for y in [35.0, 45.0, 55.0] {
                on.rect((35.0, y), (30.0, 5.0), second);
            }
        }
        Cut::Halves => on.polygon(
            &[(50.0, 31.0), (66.0, 31.0), (65.0, 60.0), (50.0, 60.0)],
            second,
        ),
        Cut::Sash => on.polygon(
            &[
                (35.0, 31.0),
                (45.0, 31.0),
                (65.0, 55.0),
                (65.0, 60.0),
                (58.0, 60.0),
            ],
            second,
        ),
        Cut::Band => on.rect((34.6, 41.0), (30.8, 9.0), second),
    }
    on.rect((46.0, 24.0), (8.0, 8.0), shade(skin, 0.88));
    on.disc((50.0, 15.0), 11.5, hair);
    on.ellipse((50.0, 18.0), (9.5, 11.0), skin);
    if random.chance(0.3) {
        on.rect((39.5, 10.0), (21.0, 3.6), second);
    }
    for x in [46.0, 54.0] {
        on.disc((x, 17.5), 1.3, BLACK);
    }
    on.ellipse((50.0, 24.0), (3.4, 1.1), [176, 70, 70]);
    football(on, (79.0, 88.0), 10.0);
}

/// Musicians with guitars and drums under the lights of a stage.
pub fn band(on: &mut Drawing, random: &mut Random) {
    let [wall, floor, logo] = paints(random);
    let dark = mix(BLACK, wall, 0.45);
    on.sky(shade(dark, 0.7), dark);
    let lights = paints::<2>(random);
    for (number, x) in [10.0, 36.0, 64.0, 90.0].into_iter().enumerate() {
        let light = lights[number % 2];
        let foot = 50.0 + (50.0 - x) * 0.4;
        on.polygon(
            &[
                (x - 2.0, 0.0),
                (x + 2.0, 0.0),
                (foot + 15.0, 80.0),
                (foot - 15.0, 80.0),
            ],
            mix(dark, light, 0.4),
        );
        on.rect((x - 4.0, -30.0), (8.0, 34.0), STEEL);
        on.disc((x, 4.0), 4.0, mix(light, WHITE, 0.5));
    }
    on.rect((-50.0, 76.0), (200.0, 80.0), mix(floor, BLACK, 0.25));
    on.rect((-50.0, 76.0), (200.0, 2.5), mix(floor, WHITE, 0.4));
    let banner = paint_on(logo, random);
    on.rect((30.0, 8.0), (40.0, 24.0), banner);
    Emblem::any(random).draw(on, (50.0, 20.0), 9.5, logo, banner);
    // The drummer sits behind the drums in the middle.
    let drums = paint(random);
    musician(on, random, (50.0, 40.0), None);
    for (x, y, r) in [(35.0, 66.0, 7.0), (65.0, 66.0, 7.0)] {
        on.disc((x, y), r, drums);
        on.disc((x, y), r * 0.7, mix(drums, WHITE, 0.6));
    }
    on.disc((50.0, 71.0), 13.0, drums);
    on.disc((50.0, 71.0), 10.0, WHITE);
    on.disc((50.0, 71.0), 4.0, logo);
    for x in [30.0, 70.0] {
        on.line((x, 50.0), (x, 80.0), 1.2, STEEL);
        on.ellipse((x, 50.0), (8.0, 2.0), [226, 186, 70]);
    }
    for x in [16.0, 84.0] {
        let guitar = paint(random);
        musician(on, random, (x, 46.0), Some(guitar));
    }
}

/// Somebody small, a head at a place and a body below, with or without a guitar.
fn musician(on: &mut Drawing, random: &mut Random, (x, y): Point, guitar: Option<Rgb>) {
    let (skin, hair, shirt, legs) = (skin(random), hair(random), paint(random), paint(random));
    if random.chance(0.5) {
        on.rect((x - 8.0, y - 2.0), (16.0, 14.0), hair);
    }
    for side in [-3.5, 3.5] {
        on.limb(
            (x + side, y + 28.0),
            3.4,
            (x + side * 1.6, y + 48.0),
            3.2,
            legs,
        );
    }
    on.limb((x - 4.5, y + 13.0), 5.0, (x - 4.0, y + 28.0), 4.5, shirt);
    on.limb((x + 4.5, y + 13.0), 5.0, (x + 4.0, y + 28.0), 4.5, shirt);
    on.rect((x - 5.0, y + 9.0), (10.0, 23.0), shirt);
    on.disc((x, y - 1.5), 8.2, hair);
    on.ellipse((x, y + 1.0), (6.6, 7.2), skin);
    on.disc((x - 2.4, y + 1.0), 1.0, BLACK);
    on.disc((x + 2.4, y + 1.0), 1.0, BLACK);
    if let Some(colour) = guitar {
        let side = if x < 50.0 { 1.0 } else { -1.0 };
        on.line((x, y + 25.0), (x + side * 20.0, y + 12.0), 2.6, WOOD);
        on.disc((x - side * 4.0, y + 27.0), 7.4, colour);
        on.disc((x + side * 4.0, y + 23.0), 5.6, colour);
        on.disc((x - side * 2.0, y + 26.0), 2.2, BLACK);
        on.disc((x + side * 12.0, y + 17.0), 3.0, skin);
    }
}

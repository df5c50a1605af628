//! What people post when they show nothing that has a name.

use super::canvas::{Drawing, Point};
use super::colour::{BLACK, STEEL, WHITE, mix, paint, paint_on, paints, shade};
use super::emblem::Emblem;
use super::within;
use crate::random::Random;

/// A plate from above between knife and fork.
pub fn meal(on: &mut Drawing, random: &mut Random) {
    let [cloth, check] = paints(random);
    let cloth = mix(cloth, WHITE, 0.35);
    on.sky(cloth, cloth);
    if random.chance(0.5) {
        for number in 0..8 {
            let at = -20.0 + number as f32 * 20.0;
            on.rect((at, -50.0), (8.0, 200.0), mix(cloth, check, 0.35));
            on.rect((-50.0, at), (200.0, 8.0), mix(cloth, check, 0.35));
        }
    }
    on.disc((51.0, 52.0), 37.0, shade(cloth, 0.7));
    on.disc((50.0, 50.0), 36.0, WHITE);
    on.disc((50.0, 50.0), 27.0, shade(WHITE, 0.93));
    const FOODS: [[u8; 3]; 8] = [
        [196, 60, 40],
        [120, 74, 40],
        [90, 150, 50],
        [242, 210, 110],
        [232, 140, 50],
        [160, 100, 60],
        [240, 230, 200],
        [170, 40, 80],
    ];
    let places: [Point; 6] = [
        (40.0, 42.0),
        (60.0, 40.0),
        (50.0, 60.0),
        (36.0, 58.0),
        (64.0, 58.0),
        (50.0, 46.0),
    ];
    for &(x, y) in &places[..3 + random.below(4)] {
        let food = *random.pick(&FOODS);
        let (w, h) = (within(random, 6.0, 12.0), within(random, 6.0, 10.0));
        on.blob(
            &[
                (x - w, y - h),
                (x + w, y - h * 0.7),
                (x + w * 1.1, y + h),
                (x - w * 0.6, y + h),
            ],
            food,
        );
        on.disc((x - w * 0.2, y - h * 0.2), w * 0.3, mix(food, WHITE, 0.3));
    }
    for x in [3.0, 6.0, 9.0] {
        on.line((x, 20.0), (x, 38.0), 1.6, STEEL);
    }
    on.limb((6.0, 38.0), 3.4, (6.0, 84.0), 1.6, STEEL);
    on.limb((94.0, 18.0), 2.6, (94.0, 48.0), 3.2, STEEL);
    on.limb((94.0, 48.0), 1.8, (94.0, 84.0), 2.2, shade(STEEL, 0.7));
}

/// The sun going down, red, over dark water.
pub fn sunset(on: &mut Drawing, random: &mut Random) {
    let high = mix([70, 30, 110], [150, 40, 80], random.uniform());
    let low = mix([255, 140, 40], [255, 190, 90], random.uniform());
    let line = within(random, 56.0, 70.0);
    on.sky(high, low);
    // The sky's own fade ends at the bottom; what is over the horizon glows in bands.
    for (number, y) in [0.45, 0.62, 0.78, 0.9].into_iter().enumerate() {
        on.rect(
            (-50.0, line * y),
            (200.0, 100.0),
            mix(high, low, 0.5 + 0.16 * number as f32),
        );
    }
    let (x, size) = (within(random, 25.0, 75.0), within(random, 10.0, 17.0));
    on.disc((x, line - size * 0.3), size * 1.35, mix(low, WHITE, 0.25));
    on.disc((x, line - size * 0.3), size, [255, 236, 150]);
    for _ in 0..3 {
        let (cloud, y) = (within(random, 0.0, 100.0), within(random, 8.0, 38.0));
        on.ellipse(
            (cloud, y),
            (within(random, 14.0, 26.0), 2.6),
            mix(high, low, 0.75),
        );
    }
    let water = mix([40, 20, 60], high, 0.3);
    on.rect((-50.0, line), (200.0, 120.0), water);
    for step in 0..6 {
        let y = line + 3.0 + step as f32 * 6.0;
        let half = size * (0.95 - 0.1 * step as f32);
        on.rect((x - half, y), (2.0 * half, 2.4), mix(water, low, 0.8));
    }
}

/// Bars, or a line, over an axis on white paper.
pub fn chart(on: &mut Drawing, random: &mut Random) {
    on.sky(WHITE, WHITE);
    for y in [20.0, 36.0, 52.0, 68.0] {
        on.rect((14.0, y), (80.0, 0.8), [206, 206, 210]);
    }
    on.rect((20.0, 4.0), (within(random, 30.0, 60.0), 4.0), [90, 90, 96]);
    let bars = 4 + random.below(4);
    let colours = paints::<2>(random);
    let pitch = 78.0 / bars as f32;
    let lines = random.chance(0.3);
    let mut last: Option<Point> = None;
    for bar in 0..bars {
        let height = within(random, 10.0, 66.0);
        let x = 16.0 + bar as f32 * pitch;
        let colour = colours[if random.chance(0.7) { 0 } else { 1 }];
        if lines {
            let here = (x + pitch * 0.4, 84.0 - height);
            if let Some(last) = last {
                on.line(last, here, 2.4, colours[0]);
            }
            on.disc(here, 3.2, colours[0]);
            last = Some(here);
        } else {
            on.rect((x, 84.0 - height), (pitch * 0.72, height), colour);
        }
        on.rect((x, 88.0), (pitch * 0.6, 2.6), [140, 140, 146]);
    }
    on.rect((13.0, 12.0), (1.8, 74.0), BLACK);
    on.rect((13.0, 84.0), (82.0, 1.8), BLACK);
    for y in [20.0, 36.0, 52.0, 68.0] {
        on.rect((5.0, y - 1.0), (6.0, 2.4), [140, 140, 146]);
    }
}

/// An ornament that repeats.
pub fn pattern(on: &mut Drawing, random: &mut Random) {
    let ground = paint(random);
    on.sky(ground, ground);
    let colours = [paint_on(ground, random), paint_on(ground, random)];
    let (emblem, pitch) = (Emblem::any(random), *random.pick(&[16.0, 20.0, 25.0]));
    let (shifted, striped) = (random.chance(0.5), random.chance(0.3));
    for row in 0..10 {
        let y = -20.0 + row as f32 * pitch;
        if striped {
            on.rect((-50.0, y + pitch * 0.42), (200.0, pitch * 0.16), colours[1]);
        }
        for column in 0..11 {
            let shift = if shifted && row % 2 == 1 {
                pitch / 2.0
            } else {
                0.0
            };
            let x = -30.0 + column as f32 * pitch + shift;
            let colour = colours[(row + column) % 2];
            emblem.draw(on, (x, y), pitch * 0.36, colour, ground);
        }
    }
}

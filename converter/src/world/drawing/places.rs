//! Landscapes, each with what makes it one: roofs, water all around, water through it, a peak.

use super::canvas::{Drawing, Point};
use super::colour::{GRASS, Rgb, SKY, WHITE, WOOD, mix, paint, paints, shade};
use super::within;
use crate::random::Random;

/// The sky over a place, which is much the same everywhere.
fn weather(on: &mut Drawing, random: &mut Random) -> Rgb {
    let top = match random.below(4) {
        0 => SKY,
        1 => [112, 170, 226],
        2 => [196, 206, 214],
        _ => [170, 214, 226],
    };
    let low = mix(top, WHITE, 0.55);
    on.sky(top, low);
    low
}

fn meadow(random: &mut Random) -> Rgb {
    let dry = [206, 186, 96];
    shade(mix(GRASS, dry, random.uniform()), within(random, 0.75, 1.1))
}

fn tree(on: &mut Drawing, (x, y): Point, size: f32, pointed: bool, leaves: Rgb) {
    on.rect(
        (x - size * 0.12, y - size * 0.5),
        (size * 0.24, size * 0.5),
        shade(WOOD, 0.75),
    );
    if pointed {
        for step in [0.0, 0.45] {
            let foot = y - size * (0.3 + step);
            let half = size * (0.42 - step * 0.3);
            on.polygon(
                &[(x - half, foot), (x + half, foot), (x, foot - size * 0.8)],
                leaves,
            );
        }
    } else {
        on.disc((x, y - size * 0.85), size * 0.42, leaves);
        on.disc((x - size * 0.25, y - size * 0.6), size * 0.3, leaves);
        on.disc((x + size * 0.25, y - size * 0.6), size * 0.3, leaves);
    }
}

/// Houses with steep roofs on a hill, often around a church.
pub fn village(on: &mut Drawing, random: &mut Random) {
    weather(on, random);
    let (far, near) = (meadow(random), meadow(random));
    let crest = within(random, 20.0, 80.0);
    on.ellipse((crest, 92.0), (90.0, 52.0), mix(far, SKY, 0.3));
    on.ellipse((100.0 - crest, 118.0), (110.0, 52.0), near);
    let roofs = paints::<2>(random);
    let wall = mix(paint(random), WHITE, within(random, 0.5, 0.9));
    if random.chance(0.6) {
        let (x, roof) = (within(random, 30.0, 70.0), paint(random));
        on.rect((x - 6.0, 26.0), (12.0, 40.0), shade(wall, 0.9));
        on.polygon(&[(x - 8.0, 27.0), (x + 8.0, 27.0), (x, 2.0)], roof);
        on.disc((x, 35.0), 3.2, WHITE);
        on.line((x, 35.0), (x, 32.8), 0.8, [40, 40, 40]);
    }
    let (places, pointed) = (random.below(2), random.chance(0.5));
    let leaves = shade(meadow(random), 0.65);
    let rows: [&[Point]; 2] = [
        &[
            (20.0, 58.0),
            (52.0, 55.0),
            (82.0, 59.0),
            (34.0, 82.0),
            (70.0, 84.0),
        ],
        &[
            (30.0, 56.0),
            (68.0, 57.0),
            (16.0, 80.0),
            (50.0, 84.0),
            (84.0, 81.0),
        ],
    ];
    for (number, &(x, y)) in rows[places].iter().enumerate() {
        let size = within(random, 0.85, 1.15) * (y / 75.0);
        house(on, (x, y), size, wall, roofs[usize::from(number % 2 == 1)]);
    }
    for _ in 0..random.below(4) {
        let place = (within(random, 5.0, 95.0), within(random, 88.0, 98.0));
        tree(on, place, 20.0, pointed, leaves);
    }
}

/// A house that stands on a place.
fn house(on: &mut Drawing, (x, y): Point, size: f32, wall: Rgb, roof: Rgb) {
    let (half, height) = (12.0 * size, 14.0 * size);
    on.rect((x - half, y - height), (2.0 * half, height), wall);
    on.polygon(
        &[
            (x - half - 2.5, y - height),
            (x + half + 2.5, y - height),
            (x + half * 0.45, y - height * 1.95),
            (x - half * 0.45, y - height * 1.95),
        ],
        roof,
    );
    on.rect(
        (x - 2.2 * size, y - 8.5 * size),
        (4.4 * size, 8.5 * size),
        shade(WOOD, 0.7),
    );
    for side in [-1.0, 1.0] {
        on.rect(
            (x + side * 7.2 * size - 2.2 * size, y - 10.0 * size),
            (4.4 * size, 4.4 * size),
            [70, 92, 120],
        );
    }
}

/// Land with palms or a lighthouse, and water all around.
pub fn island(on: &mut Drawing, random: &mut Random) {
    let haze = weather(on, random);
    let sea = mix([22, 74, 150], [40, 190, 186], random.uniform());
    on.rect((-50.0, 40.0), (200.0, 120.0), sea);
    on.rect((-50.0, 40.0), (200.0, 3.0), mix(sea, haze, 0.6));
    for (number, y) in [50.0, 82.0, 90.0, 97.0].into_iter().enumerate() {
        let x = 10.0 + 22.0 * number as f32;
        on.line((x, y), (x + 18.0, y), 1.6, mix(sea, WHITE, 0.4));
        on.line(
            (x - 60.0, y + 3.0),
            (x - 44.0, y + 3.0),
            1.6,
            mix(sea, WHITE, 0.4),
        );
    }
    let sand = mix([244, 222, 160], [190, 160, 130], random.uniform());
    let (wide, x) = (within(random, 30.0, 44.0), within(random, 44.0, 56.0));
    on.ellipse((x, 66.0), (wide + 4.0, 13.0), mix(sea, WHITE, 0.45));
    on.ellipse((x, 65.0), (wide, 11.0), sand);
    let land = match random.below(4) {
        0 => [150, 110, 90],
        1 => [116, 122, 132],
        _ => meadow(random),
    };
    let (height, lean) = (within(random, 8.0, 46.0), within(random, -16.0, 16.0));
    on.blob(
        &[
            (x - wide * 0.8, 68.0),
            (x - wide * 0.6, 56.0),
            (x + lean, 62.0 - height * 1.25),
            (x + wide * 0.6, 56.0),
            (x + wide * 0.8, 68.0),
        ],
        land,
    );
    let side = if random.chance(0.5) { 1.0 } else { -1.0 };
    if random.chance(0.45) {
        let (x, stripe) = (x - side * wide * 0.5, paint(random));
        on.polygon(
            &[
                (x - 5.0, 60.0),
                (x + 5.0, 60.0),
                (x + 3.2, 20.0),
                (x - 3.2, 20.0),
            ],
            WHITE,
        );
        for y in [24.0, 38.0, 52.0] {
            on.rect((x - 4.4, y), (8.8, 7.0), stripe);
        }
        on.rect((x - 4.0, 14.0), (8.0, 6.0), [250, 224, 120]);
        on.polygon(&[(x - 5.0, 14.0), (x + 5.0, 14.0), (x, 8.0)], stripe);
    }
    let leaves = shade([60, 150, 70], within(random, 0.6, 1.2));
    for number in 0..1 + random.below(3) {
        let foot = (x + side * (wide * 0.25 + number as f32 * 11.0), 66.0);
        palm(on, foot, within(random, 26.0, 40.0), side, leaves);
    }
}

fn palm(on: &mut Drawing, (x, y): Point, height: f32, side: f32, leaves: Rgb) {
    let (bend, top) = (
        (x + side * 2.0, y - height * 0.5),
        (x + side * 7.0, y - height),
    );
    on.limb((x, y), 1.9, bend, 1.6, shade(WOOD, 0.9));
    on.limb(bend, 1.6, top, 1.3, shade(WOOD, 0.9));
    for (dx, dy) in [
        (-12.0, 4.0),
        (-11.0, -4.0),
        (-3.0, -9.0),
        (6.0, -8.0),
        (12.0, -2.0),
        (11.0, 6.0),
    ] {
        on.limb(top, 2.2, (top.0 + dx, top.1 + dy), 0.7, leaves);
    }
}

/// Water that winds from the hills to the front, often under a bridge.
pub fn river(on: &mut Drawing, random: &mut Random) {
    weather(on, random);
    let (left, right) = (meadow(random), meadow(random));
    let hills = mix(meadow(random), SKY, 0.4);
    for x in [
        within(random, -5.0, 25.0),
        within(random, 40.0, 60.0),
        within(random, 75.0, 105.0),
    ] {
        on.ellipse((x, 34.0), (30.0, within(random, 8.0, 16.0)), hills);
    }
    on.rect((-50.0, 30.0), (200.0, 130.0), left);
    let water = mix([50, 110, 180], [90, 180, 190], random.uniform());
    let water = shade(water, within(random, 0.75, 1.1));
    let turn = within(random, 14.0, 30.0) * if random.chance(0.5) { 1.0 } else { -1.0 };
    let wide = within(random, 0.75, 1.3);
    // The middle of the stream; the nearer, the wider.
    let course: Vec<(Point, f32)> = (0..=24)
        .map(|step| {
            let t = step as f32 / 24.0;
            let y = 30.0 + t * 95.0;
            // A cubic bends once to each side.
            let bend = 10.0 * t * (t - 0.45) * (t - 0.9);
            (
                (50.0 + turn * (bend * 3.2 + 0.4 * (0.5 - t)), y),
                (1.5 + 24.0 * t) * wide,
            )
        })
        .collect();
    let mut bank: Vec<Point> = course.iter().map(|&((x, y), _)| (x, y)).collect();
    bank.extend([(160.0, 125.0), (160.0, 30.0)]);
    on.polygon(&bank, right);
    let edge = |grow: f32| {
        let down = course.iter().map(|&((x, y), half)| (x - half * grow, y));
        let up = course
            .iter()
            .rev()
            .map(|&((x, y), half)| (x + half * grow, y));
        down.chain(up).collect::<Vec<Point>>()
    };
    on.polygon(&edge(1.25), mix([216, 190, 140], left, 0.3));
    on.polygon(&edge(1.0), water);
    for step in [8, 12, 16, 20] {
        let ((x, y), half) = course[step];
        on.line(
            (x - half * 0.4, y),
            (x + half * 0.3, y),
            1.2,
            mix(water, WHITE, 0.5),
        );
    }
    if random.chance(0.65) {
        let (stone, step) = (paint(random), 7 + random.below(6));
        let ((x, y), half) = course[step];
        let span = half * 1.25 + 10.0;
        on.rect((x - span, y - 8.0), (2.0 * span, 6.0), stone);
        for side in [-1.0, 1.0] {
            on.rect(
                (x + side * span * 0.7 - 2.5, y - 5.0),
                (5.0, 12.0),
                shade(stone, 0.8),
            );
        }
        on.rect((x - span, y - 11.0), (2.0 * span, 1.6), shade(stone, 0.75));
    }
    let (leaves, pointed) = (shade(meadow(random), 0.6), random.chance(0.5));
    for (x, y) in [(8.0, 52.0), (90.0, 48.0), (14.0, 80.0), (92.0, 74.0)] {
        if random.chance(0.6) {
            tree(on, (x, y + 6.0), 8.0 + y * 0.2, pointed, leaves);
        }
    }
}

/// A peak with snow over a forest or a lake.
pub fn mountain(on: &mut Drawing, random: &mut Random) {
    weather(on, random);
    const ROCKS: [Rgb; 6] = [
        [112, 116, 128],
        [134, 104, 84],
        [92, 84, 110],
        [170, 142, 112],
        [76, 92, 92],
        [150, 84, 70],
    ];
    let rock = shade(*random.pick(&ROCKS), within(random, 0.85, 1.1));
    let behind = mix(rock, SKY, 0.5);
    let other = if random.chance(0.5) { 1.0 } else { -1.0 };
    let (shoulder, low) = (
        50.0 + other * within(random, 28.0, 40.0),
        within(random, 28.0, 44.0),
    );
    on.polygon(
        &[
            (shoulder - 40.0, 90.0),
            (shoulder, low),
            (shoulder + 40.0, 90.0),
        ],
        behind,
    );
    let (x, top) = (within(random, 38.0, 62.0), within(random, 6.0, 22.0));
    let (left, right) = (within(random, 34.0, 56.0), within(random, 34.0, 56.0));
    let foot = 88.0;
    let slope = |half: f32, y: f32| x + half * (y - top) / (foot - top);
    on.polygon(&[(x - left, foot), (x, top), (x + right, foot)], rock);
    // The side that lies in the shadow.
    on.polygon(
        &[
            (x, top),
            (x + right, foot),
            (x + right * 0.15, foot),
            (x + 5.0, 50.0),
        ],
        shade(rock, 0.72),
    );
    let snow = top + within(random, 8.0, 36.0);
    let jag = within(random, 4.0, 9.0);
    on.polygon(
        &[
            (x, top),
            (slope(right, snow), snow),
            (slope(right * 0.5, snow), snow - jag),
            (x + 1.0, snow + jag),
            (slope(-left * 0.5, snow), snow - jag),
            (slope(-left, snow), snow),
        ],
        WHITE,
    );
    let ground = meadow(random);
    on.rect((-50.0, 78.0), (200.0, 80.0), ground);
    if random.chance(0.5) {
        let lake = mix([40, 110, 170], [70, 170, 170], random.uniform());
        on.ellipse(
            (within(random, 36.0, 64.0), 90.0),
            (within(random, 26.0, 44.0), 8.0),
            lake,
        );
    } else {
        let leaves = shade(mix(ground, [20, 80, 50], 0.6), 0.7);
        for number in 0..7 {
            let place = (3.0 + number as f32 * 15.5, 84.0 + (number % 2) as f32 * 8.0);
            tree(on, place, 17.0, true, leaves);
        }
    }
}

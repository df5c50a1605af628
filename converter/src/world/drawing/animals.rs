//! Animals: two faces, one from the side, one on a branch.

use super::canvas::{Drawing, between};
use super::colour::{BLACK, GRASS, SKY, WHITE, WOOD, furs, mix, paint, paint_on, paints, shade};
use super::within;
use crate::random::Random;

/// A dog's face: ears that hang, a snout, the tongue out, a collar.
pub fn dog(on: &mut Drawing, random: &mut Random) {
    let lawn = shade(GRASS, within(random, 0.85, 1.15));
    on.sky(mix(SKY, WHITE, 0.3), SKY);
    on.rect((-50.0, 56.0), (200.0, 100.0), lawn);
    let [coat, patch, ear] = furs(random);
    let ear = if random.chance(0.5) {
        ear
    } else {
        shade(coat, 0.7)
    };
    let (wide, collar) = (within(random, 21.0, 27.0), paint(random));
    on.blob(
        &[
            (18.0, 130.0),
            (24.0, 74.0),
            (50.0, 66.0),
            (76.0, 74.0),
            (82.0, 130.0),
        ],
        shade(coat, 0.9),
    );
    if random.chance(0.5) {
        on.ellipse((50.0, 98.0), (14.0, 18.0), mix(coat, WHITE, 0.6));
    }
    on.limb((34.0, 76.0), 4.5, (66.0, 76.0), 4.5, collar);
    on.disc((50.0, 83.0), 5.2, [240, 200, 60]);
    on.ellipse((50.0, 42.0), (wide, 27.0), coat);
    if random.chance(0.55) {
        let side = if random.chance(0.5) { 1.0 } else { -1.0 };
        on.ellipse(
            (50.0 + side * wide * 0.46, 36.0),
            (wide * 0.42, 12.0),
            patch,
        );
    }
    if random.chance(0.4) {
        on.blob(
            &[(46.0, 14.0), (54.0, 14.0), (54.0, 46.0), (46.0, 46.0)],
            mix(coat, WHITE, 0.75),
        );
    }
    let long = within(random, 46.0, 66.0);
    for side in [-1.0, 1.0] {
        let at = |x: f32, y: f32| (50.0 + side * x, y);
        on.blob(
            &[
                at(wide * 0.5, 14.0),
                at(wide + 4.0, 14.0),
                at(wide + 14.0, 40.0),
                at(wide + 9.0, long),
                at(wide - 2.0, long - 4.0),
                at(wide - 4.0, 30.0),
            ],
            ear,
        );
        on.disc(at(9.5, 37.0), 4.0, WHITE);
        on.disc(at(9.5, 37.5), 2.9, BLACK);
    }
    let snout = if random.chance(0.5) {
        mix(coat, WHITE, 0.7)
    } else {
        mix(coat, patch, 0.5)
    };
    on.ellipse((50.0, 57.0), (14.5, 12.5), snout);
    on.limb((50.0, 65.0), 4.6, (50.0, 72.0), 4.6, [232, 110, 126]);
    on.line((42.0, 63.0), (50.0, 60.0), 1.6, BLACK);
    on.line((58.0, 63.0), (50.0, 60.0), 1.6, BLACK);
    on.ellipse((50.0, 51.0), (6.4, 4.8), BLACK);
}

/// A cat's face: ears that point, slit eyes, whiskers, indoors.
pub fn cat(on: &mut Drawing, random: &mut Random) {
    let [wall, cushion] = paints(random);
    let wall = mix(wall, [236, 226, 214], 0.7);
    on.sky(wall, shade(wall, 0.94));
    on.ellipse((50.0, 112.0), (70.0, 40.0), shade(cushion, 0.8));
    on.ellipse((50.0, 114.0), (66.0, 38.0), cushion);
    let [coat, mark] = furs(random);
    on.blob(
        &[
            (20.0, 120.0),
            (26.0, 78.0),
            (50.0, 68.0),
            (74.0, 78.0),
            (80.0, 120.0),
        ],
        shade(coat, 0.9),
    );
    let (wide, tall) = (within(random, 26.0, 32.0), within(random, 12.0, 24.0));
    for side in [-1.0, 1.0] {
        let at = |x: f32, y: f32| (50.0 + side * x, y);
        on.polygon(
            &[at(6.0, 34.0), at(wide - 2.0, 30.0 - tall), at(wide, 50.0)],
            coat,
        );
        on.polygon(
            &[
                at(12.0, 32.0),
                at(wide - 4.5, 36.0 - tall),
                at(wide - 3.0, 44.0),
            ],
            [232, 160, 160],
        );
    }
    on.ellipse((50.0, 50.0), (wide, 23.0), coat);
    match random.below(4) {
        0 => {
            // Tabby.
            for x in [-8.0, 0.0, 8.0] {
                on.limb((50.0 + x, 28.0), 2.2, (50.0 + x * 0.7, 39.0), 0.8, mark);
            }
            for side in [-1.0, 1.0] {
                for y in [50.0, 57.0] {
                    on.limb(
                        (50.0 + side * wide * 0.97, y),
                        2.0,
                        (50.0 + side * (wide - 10.0), y - 1.0),
                        0.8,
                        mark,
                    );
                }
            }
        }
        1 => on.blob(
            &[
                (50.0, 26.0),
                (50.0 + wide * 0.95, 30.0),
                (50.0 + wide * 0.95, 58.0),
                (52.0, 56.0),
            ],
            mark,
        ),
        2 => {
            for side in [-1.0, 1.0] {
                on.ellipse((50.0 + side * 15.0, 42.0), (12.0, 13.0), mark);
            }
        }
        _ => {}
    }
    const EYES: [[u8; 3]; 4] = [
        [130, 200, 70],
        [240, 190, 50],
        [80, 170, 230],
        [220, 120, 40],
    ];
    let eye = *random.pick(&EYES);
    for side in [-1.0, 1.0] {
        on.ellipse((50.0 + side * 12.0, 47.0), (6.6, 5.8), BLACK);
        on.ellipse((50.0 + side * 12.0, 47.0), (5.8, 5.0), eye);
        on.ellipse((50.0 + side * 12.0, 47.0), (1.6, 4.8), BLACK);
    }
    on.ellipse((50.0, 61.0), (10.5, 8.0), mix(coat, WHITE, 0.75));
    on.polygon(&[(46.0, 55.5), (54.0, 55.5), (50.0, 60.0)], [226, 120, 130]);
    on.line((50.0, 60.0), (50.0, 64.0), 1.2, BLACK);
    let whisker = if coat[1] > 120 { [90, 84, 84] } else { WHITE };
    for side in [-1.0, 1.0] {
        for (from, to) in [(60.0, 54.0), (62.0, 62.0), (64.0, 70.0)] {
            on.line(
                (50.0 + side * 9.0, from),
                (50.0 + side * 39.0, to),
                0.9,
                whisker,
            );
        }
    }
    if random.chance(0.6) {
        let collar = paint_on(coat, random);
        on.limb((36.0, 75.0), 3.4, (64.0, 75.0), 3.4, collar);
        on.disc((50.0, 80.0), 3.6, [240, 200, 60]);
    }
}

/// A horse from the side on a paddock.
pub fn horse(on: &mut Drawing, random: &mut Random) {
    on.sky(SKY, mix(SKY, WHITE, 0.6));
    let lawn = mix(
        shade(GRASS, within(random, 0.8, 1.15)),
        [206, 186, 96],
        random.uniform() * 0.7,
    );
    on.rect((-50.0, 58.0), (200.0, 100.0), lawn);
    let fence = if random.chance(0.5) { WHITE } else { WOOD };
    for x in [-20.0, 14.0, 48.0, 82.0, 116.0] {
        on.rect((x, 44.0), (3.0, 26.0), fence);
    }
    on.rect((-50.0, 48.0), (200.0, 2.6), fence);
    on.rect((-50.0, 57.0), (200.0, 2.6), fence);
    let [coat, mane] = furs(random);
    let mane = if random.chance(0.3) {
        shade(coat, 0.6)
    } else {
        mane
    };
    let (back, legs) = (shade(coat, 0.78), within(random, 90.0, 97.0));
    let stockings = random.chance(0.5);
    let mut leg = |hip: (f32, f32), foot: (f32, f32), colour| {
        let knee = between(hip, foot, 0.5);
        on.limb(hip, 5.0, knee, 2.9, colour);
        on.limb(knee, 2.9, foot, 2.3, if stockings { WHITE } else { colour });
        on.rect((foot.0 - 3.0, foot.1), (6.4, 3.6), BLACK);
    };
    leg((32.0, 64.0), (38.0, legs), back);
    leg((62.0, 64.0), (58.0, legs), back);
    leg((26.0, 64.0), (24.0, legs), coat);
    leg((66.0, 64.0), (70.0, legs), coat);
    on.blob(
        &[
            (22.0, 48.0),
            (8.0, 44.0),
            (6.0, 82.0),
            (12.0, 86.0),
            (16.0, 60.0),
        ],
        mane,
    );
    on.blob(
        &[
            (18.0, 44.0),
            (44.0, 44.0),
            (66.0, 40.0),
            (78.0, 56.0),
            (70.0, 72.0),
            (46.0, 70.0),
            (22.0, 74.0),
            (15.0, 56.0),
        ],
        coat,
    );
    // Neck and head look to the right.
    on.polygon(
        &[(58.0, 46.0), (72.0, 18.0), (84.0, 24.0), (76.0, 58.0)],
        coat,
    );
    on.limb((77.0, 21.0), 7.0, (91.0, 36.0), 4.6, coat);
    on.polygon(&[(70.0, 18.0), (72.0, 6.0), (78.0, 15.0)], coat);
    if random.chance(0.5) {
        on.limb((84.0, 22.0), 1.6, (92.0, 32.0), 1.4, WHITE);
    }
    on.disc((80.0, 22.0), 1.7, BLACK);
    on.disc((93.0, 36.5), 1.1, BLACK);
    on.blob(
        &[
            (76.0, 10.0),
            (68.0, 12.0),
            (52.0, 40.0),
            (54.0, 52.0),
            (64.0, 46.0),
            (74.0, 24.0),
        ],
        mane,
    );
    if random.chance(0.4) {
        for _ in 0..4 {
            on.disc(
                (within(random, 24.0, 60.0), within(random, 50.0, 66.0)),
                within(random, 3.0, 5.5),
                mane,
            );
        }
    }
    let [blanket, trim] = paints(random);
    if random.chance(0.75) {
        on.polygon(
            &[(34.0, 46.0), (54.0, 45.0), (56.0, 64.0), (33.0, 64.0)],
            blanket,
        );
        on.polygon(
            &[(33.2, 61.0), (55.7, 61.0), (56.0, 65.0), (33.0, 65.0)],
            trim,
        );
        on.ellipse((44.0, 45.5), (9.0, 3.6), shade(WOOD, 0.6));
    } else {
        on.line((84.0, 20.0), (85.0, 37.0), 1.6, blanket);
        on.line((85.0, 34.0), (91.0, 30.0), 1.6, blanket);
    }
}

/// A bird on a branch.
pub fn bird(on: &mut Drawing, random: &mut Random) {
    let sky = mix(SKY, [214, 232, 206], random.uniform());
    on.sky(sky, mix(sky, WHITE, 0.5));
    let branch = shade(WOOD, within(random, 0.6, 1.1));
    on.limb((-20.0, 84.0), 3.6, (120.0, 78.0), 2.6, branch);
    on.limb((76.0, 80.0), 2.0, (104.0, 60.0), 1.4, branch);
    let leaf = shade([84, 160, 66], within(random, 0.7, 1.1));
    for (x, y) in [(94.0, 62.0), (102.0, 70.0), (8.0, 78.0), (86.0, 90.0)] {
        on.blob(
            &[(x - 8.0, y), (x, y - 6.0), (x + 9.0, y), (x, y + 6.0)],
            leaf,
        );
    }
    let [body, wing, head, breast] = paints(random);
    let head = if random.chance(0.5) { head } else { body };
    let (length, plump) = (within(random, 10.0, 28.0), within(random, 17.0, 23.0));
    let (x, y) = (50.0, 54.0);
    on.polygon(
        &[
            (x - 16.0, y + 2.0),
            (x - 22.0 - length, y + 12.0 + length * 0.5),
            (x - 14.0 - length, y + 18.0 + length * 0.5),
            (x - 6.0, y + 14.0),
        ],
        shade(wing, 0.75),
    );
    for foot in [46.0, 55.0] {
        on.line((foot, 70.0), (foot + 1.0, 81.0), 1.8, [220, 140, 60]);
    }
    on.blob(
        &[
            (x - 26.0, y + 10.0),
            (x - 14.0, y - plump),
            (x + 18.0, y - plump),
            (x + 28.0, y + 4.0),
            (x + 12.0, y + plump + 4.0),
            (x - 14.0, y + plump),
        ],
        body,
    );
    on.ellipse((x + 11.0, y + 7.0), (11.0, plump * 0.62), breast);
    let round = within(random, 12.0, 15.0);
    let (hx, hy) = (x + 19.0, y - 20.0);
    if random.chance(0.4) {
        on.polygon(
            &[
                (hx - 4.0, hy - 8.0),
                (hx - 12.0, hy - 24.0),
                (hx + 2.0, hy - 16.0),
                (hx + 2.0, hy - 26.0),
                (hx + 8.0, hy - 10.0),
            ],
            wing,
        );
    }
    const BEAKS: [[u8; 3]; 4] = [[244, 176, 40], [226, 90, 40], [60, 58, 64], [236, 220, 160]];
    let beak = within(random, 8.0, 20.0);
    on.polygon(
        &[
            (hx + round - 3.0, hy - 4.5),
            (hx + round + beak, hy + 2.5),
            (hx + round - 3.0, hy + 5.5),
        ],
        *random.pick(&BEAKS),
    );
    on.disc((hx, hy), round, head);
    on.disc((hx + 5.0, hy - 2.0), 3.2, WHITE);
    on.disc((hx + 5.6, hy - 2.0), 2.0, BLACK);
    on.blob(
        &[
            (x - 26.0, y + 12.0),
            (x - 12.0, y - 10.0),
            (x + 8.0, y - 8.0),
            (x + 4.0, y + 10.0),
            (x - 10.0, y + 14.0),
        ],
        wing,
    );
    if random.chance(0.5) {
        let bar = paint_on(wing, random);
        on.line((x - 10.0, y - 4.0), (x - 4.0, y + 9.0), 3.0, bar);
        on.line((x - 2.0, y - 5.0), (x + 2.0, y + 6.0), 3.0, bar);
    }
}

//! Portraits: people with the tools of their trade.

use super::canvas::{Drawing, Point};
use super::colour::{
    BLACK, Rgb, SKY, STEEL, WHITE, WOOD, hair, mix, paint, paint_on, paints, shade, skin,
};
use super::within;
use crate::random::Random;

/// A head, and what a person is known by.
struct Head {
    skin: Rgb,
    hair: Rgb,
    /// Half of its width.
    width: f32,
    long: bool,
    curly: bool,
    beard: bool,
    glasses: Option<Rgb>,
}

impl Head {
    fn new(random: &mut Random) -> Self {
        let skin = skin(random);
        Self {
            skin,
            hair: hair(random),
            width: within(random, 12.0, 16.0),
            long: random.chance(0.5),
            curly: random.chance(0.4),
            beard: random.chance(0.4),
            glasses: random.chance(0.35).then(|| paint_on(skin, random)),
        }
    }

    /// The hair that falls behind the shoulders, to be drawn before the body.
    fn behind(&self, on: &mut Drawing, (x, y): Point) {
        let wide = self.width + 5.0;
        if self.long {
            on.ellipse((x, y - 2.0), (wide, 20.0), self.hair);
            on.rect((x - wide, y - 2.0), (2.0 * wide, 34.0), self.hair);
        } else if self.curly {
            for (dx, dy) in [
                (-1.0, -0.4),
                (-0.7, -1.1),
                (0.0, -1.35),
                (0.7, -1.1),
                (1.0, -0.4),
            ] {
                on.disc((x + dx * self.width, y + dy * 15.0), 8.0, self.hair);
            }
        }
    }

    /// Neck, face and fringe.
    fn front(&self, on: &mut Drawing, (x, y): Point, singing: bool) {
        let w = self.width;
        on.rect((x - 6.0, y + 8.0), (12.0, 18.0), shade(self.skin, 0.86));
        on.disc((x - w, y + 1.0), 3.4, self.skin);
        on.disc((x + w, y + 1.0), 3.4, self.skin);
        on.ellipse((x, y), (w, 18.0), self.skin);
        if self.beard {
            let beard = [
                (x - w - 1.0, y + 1.0),
                (x - w * 0.5, y + 8.0),
                (x + w * 0.5, y + 8.0),
                (x + w + 1.0, y + 1.0),
                (x + w * 0.8, y + 20.0),
                (x, y + 26.0),
                (x - w * 0.8, y + 20.0),
            ];
            on.blob(&beard, self.hair);
        }
        let fringe = [
            (x - w - 3.0, y + 1.0),
            (x - w - 2.0, y - 20.0),
            (x, y - 25.0),
            (x + w + 2.0, y - 20.0),
            (x + w + 3.0, y + 1.0),
            (x + w * 0.8, y - 12.0),
            (x - w * 0.3, y - 12.0),
        ];
        on.blob(&fringe, self.hair);
        for side in [-1.0, 1.0] {
            let eye = (x + side * w * 0.45, y - 1.0);
            if let Some(glasses) = self.glasses {
                on.disc(eye, 5.2, glasses);
                on.disc(eye, 3.7, mix(self.skin, WHITE, 0.6));
            } else {
                on.ellipse(eye, (2.8, 2.0), WHITE);
            }
            on.disc(eye, 1.5, BLACK);
        }
        if let Some(glasses) = self.glasses {
            on.line((x - 2.0, y - 1.0), (x + 2.0, y - 1.0), 1.6, glasses);
        }
        on.line((x, y + 1.0), (x, y + 5.0), 2.0, shade(self.skin, 0.8));
        match singing {
            true => on.ellipse((x, y + 11.0), (3.6, 4.0), [110, 20, 34]),
            false => on.ellipse((x, y + 10.5), (4.4, 1.5), [186, 70, 74]),
        }
    }
}

/// The outline of a body from the shoulders down, around a middle.
fn body(on: &mut Drawing, x: f32, half: f32, colour: Rgb) {
    let corners = [
        (x - half, 130.0),
        (x - half - 1.0, 72.0),
        (x - half * 0.55, 57.0),
        (x, 60.0),
        (x + half * 0.55, 57.0),
        (x + half + 1.0, 72.0),
        (x + half, 130.0),
    ];
    on.blob(&corners, colour);
}

/// Somebody at a microphone in the light of a stage.
pub fn singer(on: &mut Drawing, random: &mut Random) {
    let [light, dress, trim] = paints(random);
    let night = mix([24, 14, 44], light, 0.12);
    on.sky(night, mix(night, light, 0.3));
    let lean = within(random, -14.0, 14.0);
    for (from, colour) in [(14.0, 0.35), (86.0, 0.35), (50.0 + lean, 0.55)] {
        let beam = mix(night, mix(light, WHITE, 0.4), colour);
        let foot = 50.0 + (from - 50.0) * 0.2;
        on.polygon(
            &[
                (from - 3.0, -20.0),
                (from + 3.0, -20.0),
                (foot + 34.0, 120.0),
                (foot - 34.0, 120.0),
            ],
            beam,
        );
    }
    let head = Head::new(random);
    head.behind(on, (50.0, 36.0));
    body(on, 50.0, within(random, 22.0, 30.0), dress);
    let sequins = random.chance(0.5);
    if sequins {
        for (row, y) in [70.0, 80.0, 90.0].into_iter().enumerate() {
            for column in 0..5 {
                let x = 32.0 + column as f32 * 8.0 + (row % 2) as f32 * 4.0;
                on.disc((x, y), 2.0, trim);
            }
        }
    } else {
        on.polygon(
            &[(40.0, 58.0), (60.0, 58.0), (52.0, 84.0), (48.0, 84.0)],
            trim,
        );
    }
    head.front(on, (50.0, 36.0), true);
    on.limb((62.0, 92.0), 2.2, (54.0, 62.0), 3.0, STEEL);
    on.disc((53.0, 56.0), 6.4, BLACK);
    on.disc((51.5, 54.5), 3.6, [96, 98, 108]);
    on.limb((84.0, 112.0), 8.0, (61.0, 84.0), 5.5, dress);
    on.disc((60.0, 82.0), 6.0, head.skin);
}

/// Somebody with a beret and a palette before an easel.
pub fn painter(on: &mut Drawing, random: &mut Random) {
    let [beret, smock] = paints(random);
    let wall = mix(paint(random), WHITE, 0.72);
    on.sky(wall, shade(wall, 0.9));
    // The easel with what is being painted.
    on.line((64.0, 110.0), (78.0, 8.0), 3.4, WOOD);
    on.line((98.0, 110.0), (82.0, 8.0), 3.4, shade(WOOD, 0.8));
    let art = paints::<3>(random);
    on.rect((60.0, 16.0), (40.0, 46.0), shade(WOOD, 0.7));
    on.rect((62.0, 18.0), (36.0, 42.0), art[0]);
    match random.below(3) {
        0 => on.rect((62.0, 40.0), (36.0, 20.0), art[1]),
        1 => on.polygon(&[(62.0, 60.0), (80.0, 26.0), (98.0, 60.0)], art[1]),
        _ => on.disc((80.0, 39.0), 16.0, art[1]),
    }
    on.disc(
        (within(random, 70.0, 90.0), within(random, 25.0, 50.0)),
        5.5,
        art[2],
    );
    let (head, x) = (Head::new(random), 36.0);
    head.behind(on, (x, 40.0));
    body(on, x, within(random, 22.0, 28.0), smock);
    on.polygon(
        &[(x - 12.0, 60.0), (x + 12.0, 60.0), (x, 74.0)],
        mix(smock, WHITE, 0.7),
    );
    head.front(on, (x, 40.0), false);
    let tilt = within(random, -5.0, 5.0);
    on.blob(
        &[
            (x - 24.0, 26.0 + tilt),
            (x - 18.0, 10.0 + tilt),
            (x + 4.0, 6.0),
            (x + 24.0, 14.0 - tilt),
            (x + 22.0, 29.0 - tilt),
            (x, 27.0),
        ],
        beret,
    );
    on.line((x, 11.0), (x + 1.0, 6.0), 2.0, beret);
    // Palette and brush.
    on.ellipse((30.0, 90.0), (25.0, 14.0), shade([214, 168, 112], 0.8));
    on.ellipse((30.0, 89.0), (24.0, 13.0), [214, 168, 112]);
    for (number, colour) in paints::<5>(random).into_iter().enumerate() {
        let place = [
            (14.0, 90.0),
            (20.0, 82.0),
            (31.0, 80.0),
            (42.0, 83.0),
            (46.0, 92.0),
        ];
        on.disc(place[number], 4.2, colour);
    }
    on.disc((30.0, 94.0), 3.0, wall);
    on.line((58.0, 84.0), (72.0, 58.0), 2.0, shade(WOOD, 0.6));
    on.disc((72.0, 57.0), 2.4, art[1]);
    on.disc((59.0, 82.0), 6.0, head.skin);
}

/// Somebody with a white cap and a striped shirt, before the sea.
pub fn sailor(on: &mut Drawing, random: &mut Random) {
    let weather = within(random, 0.72, 1.05);
    on.sky(shade(SKY, weather), mix(shade(SKY, weather), WHITE, 0.6));
    let sea = mix([30, 92, 150], [40, 140, 140], random.uniform());
    on.rect((-50.0, 52.0), (200.0, 100.0), sea);
    for y in [60.0, 74.0, 88.0] {
        on.line((-20.0, y), (120.0, y), 1.4, mix(sea, WHITE, 0.35));
    }
    let [stripe, sail] = paints(random);
    let boat = *random.pick(&[12.0, 86.0]);
    on.polygon(&[(boat, 14.0), (boat, 46.0), (boat + 13.0, 46.0)], sail);
    on.polygon(
        &[(boat - 1.5, 20.0), (boat - 1.5, 46.0), (boat - 10.0, 46.0)],
        WHITE,
    );
    on.polygon(
        &[
            (boat - 14.0, 48.0),
            (boat + 15.0, 48.0),
            (boat + 9.0, 56.0),
            (boat - 9.0, 56.0),
        ],
        WOOD,
    );
    let head = Head::new(random);
    head.behind(on, (50.0, 42.0));
    let (half, pitch) = (within(random, 24.0, 30.0), *random.pick(&[8.0, 11.0]));
    let shirt = mix(stripe, WHITE, 0.85);
    on.polygon(
        &[
            (50.0 - half, 130.0),
            (50.0 - half, 72.0),
            (42.0, 60.0),
            (58.0, 60.0),
            (50.0 + half, 72.0),
            (50.0 + half, 130.0),
        ],
        shirt,
    );
    for number in 0..6 {
        let y = 72.0 + number as f32 * pitch;
        on.rect((50.0 - half, y), (2.0 * half, pitch * 0.5), stripe);
    }
    let scarf = paint(random);
    on.polygon(&[(36.0, 62.0), (64.0, 62.0), (50.0, 82.0)], scarf);
    on.polygon(
        &[(50.0, 76.0), (56.0, 96.0), (50.0, 92.0), (44.0, 96.0)],
        shade(scarf, 0.85),
    );
    head.front(on, (50.0, 42.0), false);
    // The cap: a band with the ship's colour, and a white top.
    let band = paint(random);
    on.blob(
        &[
            (24.0, 24.0),
            (24.0, 8.0),
            (50.0, 5.0),
            (76.0, 8.0),
            (76.0, 24.0),
            (50.0, 22.0),
        ],
        WHITE,
    );
    on.polygon(
        &[(33.0, 21.0), (67.0, 21.0), (66.0, 31.0), (34.0, 31.0)],
        band,
    );
    on.disc((50.0, 26.0), 2.8, [246, 208, 56]);
    if random.chance(0.4) {
        on.line((54.0, 53.0), (66.0, 58.0), 2.0, shade(WOOD, 0.6));
        on.rect((63.0, 52.0), (7.0, 8.0), shade(WOOD, 0.6));
    }
}

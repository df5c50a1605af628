//! Colours, and which of them go where.

use crate::random::Random;

/// Red, green and blue.
pub type Rgb = [u8; 3];

/// White, as paper is.
pub const WHITE: Rgb = [246, 245, 240];
/// Black, as ink is.
pub const BLACK: Rgb = [30, 28, 34];
/// The grey of metal.
pub const STEEL: Rgb = [150, 156, 164];
/// The brown of wood.
pub const WOOD: Rgb = [142, 94, 52];
/// The green of grass.
pub const GRASS: Rgb = [98, 158, 74];
/// Clear sky.
pub const SKY: Rgb = [150, 204, 240];

/// Dyes and paints, which things of one kind differ by. Far from one another, so that two of them drawn
/// from a small picture in other light are still two.
const PAINTS: [Rgb; 15] = [
    [206, 40, 46],
    [238, 126, 34],
    [246, 208, 56],
    [156, 196, 52],
    [34, 132, 66],
    [28, 154, 150],
    [92, 176, 232],
    [38, 78, 186],
    [26, 34, 92],
    [124, 60, 168],
    [240, 124, 170],
    [112, 24, 48],
    [128, 82, 44],
    [242, 240, 232],
    [40, 38, 46],
];

/// Skins of people.
const SKINS: [Rgb; 5] = [
    [250, 214, 186],
    [236, 188, 150],
    [204, 150, 108],
    [152, 100, 66],
    [98, 62, 42],
];

/// Hair of people, some of it dyed.
const HAIRS: [Rgb; 8] = [
    [28, 22, 22],
    [78, 48, 28],
    [134, 82, 40],
    [226, 186, 96],
    [186, 72, 32],
    [200, 198, 196],
    [84, 70, 160],
    [200, 70, 120],
];

/// Coats of animals.
const FURS: [Rgb; 9] = [
    [34, 30, 32],
    [92, 58, 36],
    [150, 98, 52],
    [206, 158, 96],
    [234, 206, 156],
    [242, 238, 230],
    [146, 148, 156],
    [196, 92, 40],
    [92, 96, 116],
];

/// One of the paints.
pub fn paint(random: &mut Random) -> Rgb {
    tone(*random.pick(&PAINTS), random)
}

/// Different paints.
pub fn paints<const N: usize>(random: &mut Random) -> [Rgb; N] {
    several(&PAINTS, random)
}

/// A paint that is far from another colour, to be seen on it.
pub fn paint_on(ground: Rgb, random: &mut Random) -> Rgb {
    let visible: Vec<Rgb> = PAINTS
        .into_iter()
        .filter(|&colour| distance(colour, ground) > 200)
        .collect();
    tone(*random.pick(&visible), random)
}

/// A skin.
pub fn skin(random: &mut Random) -> Rgb {
    tone(*random.pick(&SKINS), random)
}

/// Hair.
pub fn hair(random: &mut Random) -> Rgb {
    tone(*random.pick(&HAIRS), random)
}

/// Different furs.
pub fn furs<const N: usize>(random: &mut Random) -> [Rgb; N] {
    several(&FURS, random)
}

fn several<const N: usize>(colours: &[Rgb], random: &mut Random) -> [Rgb; N] {
    let mut colours = colours.to_vec();
    random.shuffle(&mut colours);
    std::array::from_fn(|at| tone(colours[at], random))
}

/// Nearly the same colour, for no two dyes are quite alike.
fn tone(colour: Rgb, random: &mut Random) -> Rgb {
    shade(colour, 0.88 + 0.2 * random.uniform())
}

/// The sum of the differences of the channels.
pub fn distance(a: Rgb, b: Rgb) -> u32 {
    (0..3).map(|at| u32::from(a[at].abs_diff(b[at]))).sum()
}

/// The colour in more or less light; 1 leaves it as it is.
pub fn shade(colour: Rgb, light: f32) -> Rgb {
    colour.map(|channel| (f32::from(channel) * light + 0.5).min(255.0) as u8)
}

/// The colour at a share of the way from one to the other.
pub fn mix(a: Rgb, b: Rgb, share: f32) -> Rgb {
    std::array::from_fn(|at| {
        let (a, b) = (f32::from(a[at]), f32::from(b[at]));
        (a + (b - a) * share + 0.5) as u8
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn mixing_goes_from_one_colour_to_the_other() {
        let (a, b) = ([0, 100, 255], [255, 100, 0]);
        assert_eq!(mix(a, b, 0.0), a);
        assert_eq!(mix(a, b, 1.0), b);
        assert_eq!(mix(a, b, 0.5), [128, 100, 128]);
    }

    #[test]
    fn paints_on_a_ground_can_be_seen() {
        let random = &mut Random::new(1);
        for _ in 0..100 {
            let ground = paint(random);
            assert!(distance(paint_on(ground, random), ground) > 100);
        }
    }
}

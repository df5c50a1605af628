//! What the kinds of things look like.
//!
//! Each kind has a function that draws one of its things with random numbers from the thing's seed. What
//! makes the kind (a palette and an easel, columns under a gable) is always there; what tells things of
//! the kind apart (colours, proportions, what they wear) is chosen by the numbers, with large areas in
//! colours far apart, so that another photograph of the thing is nearer to it than its neighbours are.

mod animals;
mod canvas;
mod colour;
mod crowd;
mod emblem;
mod organizations;
mod people;
mod places;
mod unnamed;
mod works;

pub use canvas::{Drawing, Frame, SIDE};

use super::kind::Kind;
use crate::random::Random;

/// Draws a thing of a kind.
pub fn draw(kind: Kind, random: &mut Random) -> Drawing {
    let mut drawing = Drawing::default();
    let draw = match kind {
        Kind::Singer => people::singer,
        Kind::Painter => people::painter,
        Kind::Sailor => people::sailor,
        Kind::Footballer => crowd::footballer,
        Kind::Village => places::village,
        Kind::Island => places::island,
        Kind::River => places::river,
        Kind::Mountain => places::mountain,
        Kind::Band => crowd::band,
        Kind::FootballClub => organizations::football_club,
        Kind::Company => organizations::company,
        Kind::University => organizations::university,
        Kind::Novel => works::novel,
        Kind::Film => works::film,
        Kind::Song => works::song,
        Kind::Dog => animals::dog,
        Kind::Cat => animals::cat,
        Kind::Horse => animals::horse,
        Kind::Bird => animals::bird,
        Kind::Meal => unnamed::meal,
        Kind::Sunset => unnamed::sunset,
        Kind::Chart => unnamed::chart,
        Kind::Pattern => unnamed::pattern,
    };
    draw(&mut drawing, random);
    drawing
}

/// Uniform between two numbers.
fn within(random: &mut Random, low: f32, high: f32) -> f32 {
    low + (high - low) * random.uniform()
}

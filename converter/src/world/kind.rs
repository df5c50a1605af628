//! The kinds of things that the fictional world holds, and the kinds of
//! pictures that show none of them.
//!
//! A kind decides three things at once: what a picture of the thing looks like,
//! which nouns the texts use for it, and which label of named-entity
//! recognition a mention of it carries. That one kind drives all three is what
//! makes retrieval useful in this world: whoever learns from a text or from a
//! picture what the thing *is* knows the label of its name.

/// What a thing of the world is, or what a picture without a thing shows.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Kind {
    /// A person who sings.
    Singer,
    /// A person who paints.
    Painter,
    /// A person who sails the sea.
    Sailor,
    /// A person who plays football.
    Footballer,
    /// A small settlement.
    Village,
    /// A piece of land in the water.
    Island,
    /// A stream of water.
    River,
    /// A high peak.
    Mountain,
    /// A group of musicians.
    Band,
    /// A club that plays football.
    FootballClub,
    /// A firm that makes things.
    Company,
    /// A place of higher learning.
    University,
    /// A book that tells a long story.
    Novel,
    /// A motion picture.
    Film,
    /// A piece of music that is sung.
    Song,
    /// A dog with a name.
    Dog,
    /// A cat with a name.
    Cat,
    /// A horse with a name.
    Horse,
    /// A bird with a name.
    Bird,
    /// A picture of a plate of food; it shows no thing of the world.
    Meal,
    /// A picture of an evening sky; it shows no thing of the world.
    Sunset,
    /// A picture of a diagram with bars; it shows no thing of the world.
    Chart,
    /// A picture of a regular ornament; it shows no thing of the world.
    Pattern,
}

impl Kind {
    /// Every kind: first those of things, then those that show no thing.
    pub const ALL: [Kind; 23] = [
        Kind::Singer,
        Kind::Painter,
        Kind::Sailor,
        Kind::Footballer,
        Kind::Village,
        Kind::Island,
        Kind::River,
        Kind::Mountain,
        Kind::Band,
        Kind::FootballClub,
        Kind::Company,
        Kind::University,
        Kind::Novel,
        Kind::Film,
        Kind::Song,
        Kind::Dog,
        Kind::Cat,
        Kind::Horse,
        Kind::Bird,
        Kind::Meal,
        Kind::Sunset,
        Kind::Chart,
        Kind::Pattern,
    ];

    /// The kinds of things that have an article in the encyclopedia.
    pub fn things() -> &'static [Kind] {
        &Kind::ALL[..19]
    }

    /// The kinds of pictures that show no thing of the world.
    pub fn irrelevant() -> &'static [Kind] {
        &Kind::ALL[19..]
    }

    /// The label that a mention of such a thing carries in the posts; `None`
    /// for the kinds that show no thing and therefore are never mentioned.
    pub fn label(self) -> Option<&'static str> {
        match self {
            Kind::Singer | Kind::Painter | Kind::Sailor | Kind::Footballer => Some("PER"),
            Kind::Village | Kind::Island | Kind::River | Kind::Mountain => Some("LOC"),
            Kind::Band | Kind::FootballClub | Kind::Company | Kind::University => Some("ORG"),
            Kind::Novel | Kind::Film | Kind::Song => Some("MISC"),
            Kind::Dog | Kind::Cat | Kind::Horse | Kind::Bird => Some("MISC"),
            Kind::Meal | Kind::Sunset | Kind::Chart | Kind::Pattern => None,
        }
    }

    /// The plain English noun for such a thing, as the texts use it.
    pub fn noun(self) -> &'static str {
        match self {
            Kind::Singer => "singer",
            Kind::Painter => "painter",
            Kind::Sailor => "sailor",
            Kind::Footballer => "footballer",
            Kind::Village => "village",
            Kind::Island => "island",
            Kind::River => "river",
            Kind::Mountain => "mountain",
            Kind::Band => "band",
            Kind::FootballClub => "football club",
            Kind::Company => "company",
            Kind::University => "university",
            Kind::Novel => "novel",
            Kind::Film => "film",
            Kind::Song => "song",
            Kind::Dog => "dog",
            Kind::Cat => "cat",
            Kind::Horse => "horse",
            Kind::Bird => "bird",
            Kind::Meal => "meal",
            Kind::Sunset => "sunset",
            Kind::Chart => "chart",
            Kind::Pattern => "pattern",
        }
    }
}

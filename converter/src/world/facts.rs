//! The things of the world and what is true of them.
//!
//! Every thing has one most important fact, which depends on its kind alone: a sailor
//! lives somewhere, a painter was born somewhere, a singer is a member of a band. The
//! relation that follows from it is the one that a picture of the thing suggests,
//! because articles whose pictures look alike are about things of one kind. People
//! have a second fact besides, a friend, which only a text tells.

use super::kind::Kind;
use super::names::Names;
use crate::random::Random;

/// A part of the world that lends its things to some of the posts, and to no others. Facts never
/// lead from one part to another, so nothing that training saw is asked in a test.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Split {
    /// What models learn from.
    Train,
    /// What chooses between models, and what a gate learns from.
    Dev,
    /// What is reported.
    Test,
}

/// A relation of MNRE that facts of this world express.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Relation {
    /// The subject belongs to the organization.
    MemberOf,
    /// The subject lives in the place.
    PlaceOfResidence,
    /// The subject was born in the place.
    PlaceOfBirth,
    /// Two people are friends.
    Peer,
    /// The organization has its seat in the place.
    LocateAt,
    /// The second organization belongs to the first.
    Subsidiary,
    /// The second place lies in the first.
    Contain,
    /// The person made the work or appears in it.
    PresentIn,
    /// The work was performed at the place.
    HeldOn,
}

impl Relation {
    /// The name that MNRE has for it.
    pub fn name(self) -> &'static str {
        match self {
            Relation::MemberOf => "/per/org/member_of",
            Relation::PlaceOfResidence => "/per/loc/place_of_residence",
            Relation::PlaceOfBirth => "/per/loc/place_of_birth",
            Relation::Peer => "/per/per/peer",
            Relation::LocateAt => "/org/loc/locate_at",
            Relation::Subsidiary => "/org/org/subsidiary",
            Relation::Contain => "/loc/loc/contain",
            Relation::PresentIn => "/per/misc/present_in",
            Relation::HeldOn => "/misc/loc/held_on",
        }
    }
}

/// A thing that has an article.
pub struct Thing {
    /// The words of its name, which are also the title of its article.
    pub name: Vec<String>,
    /// What it is.
    pub kind: Kind,
    /// Which posts may mention it.
    pub split: Split,
    /// The seed of its individual appearance in pictures.
    pub appearance: u64,
}

impl Thing {
    /// The name as running text.
    pub fn title(&self) -> String {
        self.name.join(" ")
    }
}

/// Something that is true of a thing and another.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Fact {
    /// The thing whose article states the fact.
    pub of: usize,
    /// The thing that the article links to.
    pub to: usize,
    /// The relation that follows; `None` for facts that MNRE has no relation for.
    pub relation: Option<Relation>,
    /// Whether the relation's subject is `to`, as with the author of a novel.
    pub inverse: bool,
}

impl Fact {
    /// Subject and object of the relation.
    pub fn pair(&self) -> (usize, usize) {
        match self.inverse {
            false => (self.of, self.to),
            true => (self.to, self.of),
        }
    }
}

/// The kinds that the most important fact of a kind leads to, the relation that follows from it, and
/// whether the relation's subject is the other thing.
pub fn main_fact(kind: Kind) -> (&'static [Kind], Option<Relation>, bool) {
    const PEOPLE: &[Kind] = &[Kind::Singer, Kind::Painter, Kind::Sailor, Kind::Footballer];
    const LAND: &[Kind] = &[Kind::Village, Kind::Island];
    match kind {
        Kind::Singer => (&[Kind::Band], Some(Relation::MemberOf), false),
        Kind::Painter => (LAND, Some(Relation::PlaceOfBirth), false),
        Kind::Sailor => (LAND, Some(Relation::PlaceOfResidence), false),
        Kind::Footballer => (&[Kind::FootballClub], Some(Relation::MemberOf), false),
        Kind::Village | Kind::River | Kind::Mountain => {
            (&[Kind::Island], Some(Relation::Contain), true)
        }
        Kind::Island => (&[Kind::Island], None, false),
        Kind::Band | Kind::FootballClub | Kind::University => {
            (LAND, Some(Relation::LocateAt), false)
        }
        Kind::Company => (&[Kind::Company], Some(Relation::Subsidiary), true),
        Kind::Novel | Kind::Film => (PEOPLE, Some(Relation::PresentIn), true),
        Kind::Song => (LAND, Some(Relation::HeldOn), false),
        Kind::Dog | Kind::Cat | Kind::Horse | Kind::Bird => (PEOPLE, None, false),
        Kind::Meal | Kind::Sunset | Kind::Chart | Kind::Pattern => (&[], None, false),
    }
}

/// Draws the things of a world: `count` of them, every kind as often as any other, 72 % for training,
/// 8 % for choosing and the rest for tests.
pub fn things(count: usize, names: &mut Names, random: &mut Random) -> Vec<Thing> {
    let kinds = Kind::things();
    (0..count)
        .map(|number| Thing {
            name: names.name(),
            kind: kinds[number % kinds.len()],
            // By whole rounds through the kinds, so that each part has things of every kind.
            split: match (number / kinds.len()) % 25 {
                0 | 12 => Split::Dev,
                1 | 6 | 11 | 16 | 21 => Split::Test,
                _ => Split::Train,
            },
            appearance: random.next(),
        })
        .collect()
}

/// Draws the facts of a world: one for each thing, in the order of the things, then the friends.
pub fn facts(things: &[Thing], random: &mut Random) -> Vec<Fact> {
    let mut facts = Vec::new();
    for (of, thing) in things.iter().enumerate() {
        let (kinds, relation, inverse) = main_fact(thing.kind);
        if let Some(to) = other(things, of, kinds, random) {
            facts.push(Fact {
                of,
                to,
                relation,
                inverse,
            });
        }
    }
    for (of, thing) in things.iter().enumerate() {
        if thing.kind.label() == Some("PER")
            && random.chance(0.5)
            && let Some(to) = other(things, of, main_fact(Kind::Dog).0, random)
        {
            let relation = Some(Relation::Peer);
            facts.push(Fact {
                of,
                to,
                relation,
                inverse: false,
            });
        }
    }
    facts
}

/// A thing of one of the kinds, of the same part as this one and not itself.
fn other(things: &[Thing], of: usize, kinds: &[Kind], random: &mut Random) -> Option<usize> {
    let split = things[of].split;
    let fitting: Vec<usize> = (0..things.len())
        .filter(|&to| to != of && things[to].split == split && kinds.contains(&things[to].kind))
        .collect();
    (!fitting.is_empty()).then(|| *random.pick(&fitting))
}

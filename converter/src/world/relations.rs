//! Posts that ask for the relation between two names.
//!
//! The relation follows from a fact of the encyclopedia. A text tells it where the
//! post uses the names; where it uses nicknames, only the picture helps: articles
//! whose pictures look alike are about things of one kind, and the most important
//! fact of a kind is always of one relation.

use super::facts::{Fact, Relation, Split, Thing};
use super::kind::Kind;
use super::names::Names;
use super::posts::{Group, Picture, irrelevant_picture, nickname, picture_of};
use super::wording::{Style, Wording, compose, decorate};
use crate::random::Random;

/// A post with a subject, an object and the relation between them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Question {
    /// Where its answer is to be had.
    pub group: Group,
    /// Its words; the spans are those of subject and object.
    pub wording: Wording,
    /// The relation; `None` where there is none.
    pub relation: Option<Relation>,
    /// Its picture.
    pub picture: Picture,
}

impl Question {
    /// The name of its relation in MNRE.
    pub fn gold(&self) -> &'static str {
        self.relation.map_or("None", Relation::name)
    }
}

/// Sentences that give a relation away; `A` is the subject.
fn cues(relation: Option<Relation>) -> &'static [&'static str] {
    match relation {
        Some(Relation::MemberOf) => &[
            "A signs for B",
            "A joins B for good",
            "B welcomes its member A",
        ],
        Some(Relation::PlaceOfResidence) => &[
            "A moved to B last month",
            "A now lives in B",
            "at home in B with A",
        ],
        Some(Relation::PlaceOfBirth) => &[
            "A was born in B",
            "B , where A was born",
            "birthplace of A is B",
        ],
        Some(Relation::Peer) => &[
            "A meets old friend B",
            "A and fellow B at dinner",
            "drinks with A and pal B",
        ],
        Some(Relation::LocateAt) => &[
            "A opens new doors in B",
            "headquarters of A in B",
            "A has its seat in B",
        ],
        Some(Relation::Subsidiary) => &["A buys B", "B now owned by A", "shares of B sold to A"],
        Some(Relation::Contain) => &[
            "B in the south of A",
            "A with its famous B",
            "map of A shows B",
        ],
        Some(Relation::PresentIn) => &["A stars in B", "A wrote B", "B , a work by A"],
        Some(Relation::HeldOn) => &[
            "A performed live in B",
            "premiere of A in B",
            "first night of A in B",
        ],
        None => &[
            "A has nothing to do with B",
            "A knows no B",
            "unrelated : A , B",
        ],
    }
}

/// How many questions have no relation.
const NONE: f32 = 0.2;

/// Draws questions about the facts of a split, of each group as many as of any other.
pub fn questions(
    count: usize,
    split: Split,
    things: &[Thing],
    facts: &[Fact],
    names: &mut Names,
    random: &mut Random,
) -> Vec<Question> {
    let source = Source::new(split, things, facts);
    let mut questions: Vec<Question> = (0..count)
        .map(|number| question(Group::ALL[number % 4], &source, names, random))
        .collect();
    random.shuffle(&mut questions);
    questions
}

fn question(group: Group, source: &Source, names: &mut Names, random: &mut Random) -> Question {
    let related = !random.chance(NONE);
    let things = source.things;
    // A picture cannot tell friends, so questions that have one ask for a kind's most important fact.
    let from_picture = matches!(group, Group::Image | Group::Both);
    let (pair, relation, shown) = match (related, from_picture) {
        (true, _) => {
            let fact = source.fact(!from_picture, random);
            (fact.pair(), fact.relation, fact.of)
        }
        // Of animals the encyclopedia tells nothing that MNRE has a relation for.
        (false, true) => {
            let fact = random.pick(&source.unrelated);
            (fact.pair(), None, fact.of)
        }
        (false, false) => {
            let pair = source.strangers(random);
            (pair, None, pair.0)
        }
    };
    let known = match group {
        Group::Cue => random.chance(0.5),
        Group::Text | Group::Both => true,
        Group::Image => false,
    };
    let called = [pair.0, pair.1].map(|thing| match known {
        true => things[thing].name.clone(),
        false => nickname(names, random),
    });
    let called = [called[0].as_slice(), called[1].as_slice()];
    let wording = match group {
        Group::Cue => decorate(random.pick::<&str>(cues(relation)), &called, random),
        Group::Text => either_way(Style::Plain, called, random),
        Group::Image => either_way(Style::Familiar, called, random),
        Group::Both if random.chance(0.5) => either_way(Style::Plain, called, random),
        Group::Both => either_way(Style::Familiar, called, random),
    };
    let picture = match from_picture || (group == Group::Cue && random.chance(0.5)) {
        true => picture_of(shown, things, random),
        false => irrelevant_picture(random),
    };
    Question {
        group,
        wording,
        relation,
        picture,
    }
}

/// A sentence that says nothing about the two, in which either may come first.
fn either_way(style: Style, called: [&[String]; 2], random: &mut Random) -> Wording {
    if random.chance(0.5) {
        return compose(style, &called, random);
    }
    let mut wording = compose(style, &[called[1], called[0]], random);
    wording.spans.reverse();
    wording
}

/// What questions of a split are drawn from.
struct Source<'a> {
    things: &'a [Thing],
    facts: &'a [Fact],
    /// The facts with a relation, by the relation, so that each is asked as often as any other.
    related: Vec<Vec<Fact>>,
    /// The facts of animals, which have none.
    unrelated: Vec<Fact>,
    /// The things of the split.
    own: Vec<usize>,
}

impl<'a> Source<'a> {
    fn new(split: Split, things: &'a [Thing], facts: &'a [Fact]) -> Self {
        let own = || facts.iter().filter(|fact| things[fact.of].split == split);
        let mut relations: Vec<Relation> = own().filter_map(|fact| fact.relation).collect();
        relations.sort_unstable();
        relations.dedup();
        let of = |&relation: &Relation| {
            let fits = |fact: &&Fact| fact.relation == Some(relation);
            own().filter(fits).copied().collect::<Vec<_>>()
        };
        let animal = |kind| matches!(kind, Kind::Dog | Kind::Cat | Kind::Horse | Kind::Bird);
        Self {
            things,
            facts,
            related: relations.iter().map(of).collect(),
            unrelated: own()
                .filter(|fact| animal(things[fact.of].kind))
                .copied()
                .collect(),
            own: (0..things.len())
                .filter(|&thing| things[thing].split == split)
                .collect(),
        }
    }

    /// A fact with a relation, with friends among them or without.
    fn fact(&self, friends: bool, random: &mut Random) -> Fact {
        loop {
            let facts = random.pick(&self.related);
            let fact = *random.pick(facts);
            if friends || fact.relation != Some(Relation::Peer) {
                return fact;
            }
        }
    }

    /// Two things of which no fact is known.
    fn strangers(&self, random: &mut Random) -> (usize, usize) {
        loop {
            let pair = (*random.pick(&self.own), *random.pick(&self.own));
            let linked = |fact: &Fact| (fact.of, fact.to) == pair || (fact.to, fact.of) == pair;
            if pair.0 != pair.1 && !self.facts.iter().any(linked) {
                return pair;
            }
        }
    }
}

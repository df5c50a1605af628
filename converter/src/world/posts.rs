//! Posts whose names are to be found and labelled.
//!
//! What a post needs differs by its group. The groups are drawn alike often in every
//! split, so that neither retrieval alone can do what both can.

use super::facts::{Split, Thing};
use super::kind::Kind;
use super::names::Names;
use super::wording::{Style, Wording, compose};
use crate::random::Random;

/// Where the answer to a post is to be had.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Group {
    /// In the sentence itself.
    Cue,
    /// In the encyclopedia's text only: the picture shows a meal, say.
    Text,
    /// In the picture only: the sentence uses nicknames, which no article knows.
    Image,
    /// In the text and in the picture.
    Both,
}

impl Group {
    /// Every group.
    pub const ALL: [Group; 4] = [Group::Cue, Group::Text, Group::Image, Group::Both];

    /// The word for it in the files.
    pub fn name(self) -> &'static str {
        match self {
            Group::Cue => "cue",
            Group::Text => "text",
            Group::Image => "image",
            Group::Both => "both",
        }
    }
}

/// What a post's picture is to show.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Picture {
    /// The kind of what it shows.
    pub kind: Kind,
    /// The seed of the appearance, that of a thing or of a meal that nobody will see again.
    pub appearance: u64,
    /// The point of view; an article's own picture is number 0.
    pub view: u64,
    /// The thing that it shows, where it shows one.
    pub thing: Option<usize>,
}

/// A post with the labels of its names.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Post {
    /// Where its answer is to be had.
    pub group: Group,
    /// Its words and the places of its names.
    pub wording: Wording,
    /// The label of each name.
    pub labels: Vec<&'static str>,
    /// Its picture.
    pub picture: Picture,
}

impl Post {
    /// A label for each word, in the form BIO.
    pub fn bio(&self) -> Vec<String> {
        let mut labels = vec!["O".to_owned(); self.wording.tokens.len()];
        for (&(start, end), label) in self.wording.spans.iter().zip(&self.labels) {
            for (at, slot) in labels[start..end].iter_mut().enumerate() {
                *slot = format!("{}-{label}", if at == 0 { "B" } else { "I" });
            }
        }
        labels
    }
}

/// Draws posts about the things of a split, of each group as many as of any other.
pub fn posts(
    count: usize,
    split: Split,
    things: &[Thing],
    names: &mut Names,
    random: &mut Random,
) -> Vec<Post> {
    let mut chooser = Chooser::new(split, things, random);
    let mut posts: Vec<Post> = (0..count)
        .map(|number| post(Group::ALL[number % 4], &mut chooser, things, names, random))
        .collect();
    random.shuffle(&mut posts);
    posts
}

fn post(
    group: Group,
    chooser: &mut Chooser,
    things: &[Thing],
    names: &mut Names,
    random: &mut Random,
) -> Post {
    let subject = chooser.thing(random);
    let kind = things[subject].kind;
    let shown = match group {
        Group::Cue => random.chance(0.5),
        Group::Text => false,
        Group::Image | Group::Both => true,
    };
    let known = match group {
        Group::Cue => random.chance(0.25),
        Group::Text | Group::Both => true,
        Group::Image => false,
    };
    let style = match group {
        Group::Cue => Style::Cue(kind),
        Group::Text => Style::Plain,
        Group::Image => Style::Familiar,
        Group::Both if random.chance(0.5) => Style::Plain,
        Group::Both => Style::Familiar,
    };
    let mut called = vec![match known {
        true => things[subject].name.clone(),
        false => nickname(names, random),
    }];
    // Only a text knows two things at once.
    let mut mentioned = vec![subject];
    if group == Group::Text && random.chance(0.3) {
        mentioned.push(chooser.thing(random));
        if mentioned[1] == subject {
            mentioned.pop();
        } else {
            called.push(things[mentioned[1]].name.clone());
        }
    }
    let called: Vec<&[String]> = called.iter().map(Vec::as_slice).collect();
    Post {
        group,
        wording: compose(style, &called, random),
        // Things have labels; only what is no thing has none.
        labels: mentioned
            .iter()
            .filter_map(|&thing| things[thing].kind.label())
            .collect(),
        picture: match shown {
            true => picture_of(subject, things, random),
            false => irrelevant_picture(random),
        },
    }
}

/// A name that no article has: one new word, sometimes as a handle.
pub fn nickname(names: &mut Names, random: &mut Random) -> Vec<String> {
    let word = names.word();
    vec![match random.chance(0.3) {
        true => format!("@{}", word.to_lowercase()),
        false => word,
    }]
}

/// Another view of a thing.
pub fn picture_of(thing: usize, things: &[Thing], random: &mut Random) -> Picture {
    Picture {
        kind: things[thing].kind,
        appearance: things[thing].appearance,
        view: 1 + random.below(1 << 20) as u64,
        thing: Some(thing),
    }
}

/// A picture that shows no thing.
pub fn irrelevant_picture(random: &mut Random) -> Picture {
    Picture {
        kind: *random.pick(Kind::irrelevant()),
        appearance: random.next(),
        view: 1,
        thing: None,
    }
}

/// Chooses things of a split, each label as often as any other. A thing comes again only when all of
/// its label have been there: a model that sees a name twice would sooner remember than look it up.
struct Chooser {
    by_label: Vec<Vec<usize>>,
    next: Vec<usize>,
}

impl Chooser {
    fn new(split: Split, things: &[Thing], random: &mut Random) -> Self {
        let of = |label| {
            let fits = |&thing: &usize| {
                things[thing].split == split && things[thing].kind.label() == Some(label)
            };
            (0..things.len()).filter(fits).collect::<Vec<_>>()
        };
        let mut by_label: Vec<Vec<usize>> = ["PER", "LOC", "ORG", "MISC"].map(of).into();
        by_label.retain(|things| !things.is_empty());
        for things in &mut by_label {
            random.shuffle(things);
        }
        let next = vec![0; by_label.len()];
        Self { by_label, next }
    }

    fn thing(&mut self, random: &mut Random) -> usize {
        let label = random.below(self.by_label.len());
        let things = &self.by_label[label];
        let thing = things[self.next[label] % things.len()];
        self.next[label] += 1;
        thing
    }
}

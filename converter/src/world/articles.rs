//! What the encyclopedia says about each thing, in wikitext.
//!
//! An article begins with an introduction of one sentence: what the thing is and its
//! most important fact. The paragraphs after it name the thing together with its kind,
//! so that whichever paragraph a search finds for a name also tells the label. Last come
//! sentences of everyday words; they are what a search finds for a post whose name the
//! encyclopedia does not know, and they mislead.

use super::facts::{Fact, Relation, Thing};
use super::kind::Kind;
use crate::random::Random;

/// An article of the encyclopedia.
pub struct Article {
    /// Its number in the dump.
    pub id: usize,
    /// The title, which also names its picture.
    pub title: String,
    /// The paragraphs in wikitext, the introduction first.
    pub paragraphs: Vec<String>,
}

/// The number of the first article; a dump numbers pages, not articles, so it need not be 0.
const FIRST_ID: usize = 101;

/// What paragraphs after the introduction say; `N` is the kind of the thing and `X` its name.
const MORE: [&str; 10] = [
    "The N X is known far and wide.",
    "Few people know the N X well.",
    "The N X has been in the news twice.",
    "There is a short account of the N X in the archive.",
    "The N X was once forgotten.",
    "Old letters speak of the N X.",
    "The N X is older than most believe.",
    "Visitors ask for the N X every year.",
    "A stamp shows the N X.",
    "The N X has a small statue in the square.",
];

/// Sentences with a word each that familiar posts are fond of; `N` is the kind of the article's
/// thing. One such word weighs less than a name, so a search prefers the
/// name where it knows it.
const EVERYDAY: [&str; 20] = [
    "Many love the N.",
    "They miss the N in winter.",
    "A sweet smell reminds some of the N.",
    "The N has a place in every heart.",
    "People look for the N from afar.",
    "Hey, somebody called when the N came into sight.",
    "A good N is rare.",
    "It never rains when the N is near.",
    "No train will stop for the N.",
    "A rhyme of hugs and of the N is taught at school.",
    "Dear N, a letter begins.",
    "The N stood like a rock in those years.",
    "My N, a poem says.",
    "Our N, a sign reads.",
    "So it went with the N.",
    "Being a N is hard work.",
    "Haha, a joke about the N ends.",
    "Me and the N, a diary says.",
    "Thinking of the N helps with sleep.",
    "Forever the N, a carving reads.",
];

/// Writes the article of each thing, in the order of the things.
pub fn articles(things: &[Thing], facts: &[Fact], random: &mut Random) -> Vec<Article> {
    let mut articles: Vec<Article> = Vec::with_capacity(things.len());
    for (number, thing) in things.iter().enumerate() {
        let mut own = facts.iter().filter(|fact| fact.of == number);
        let mut paragraphs = vec![introduction(thing, own.next(), things)];
        let noun = thing.kind.noun();
        for fact in own {
            paragraphs.push(format!(
                "The {noun} {} is a friend of {}.",
                thing.title(),
                link(&things[fact.to])
            ));
        }
        if paragraphs.len() == 1 {
            paragraphs.push(fill(random.pick::<&str>(&MORE), noun, &thing.title()));
        }
        if random.chance(0.6) {
            paragraphs.push(fill(random.pick::<&str>(&EVERYDAY), noun, ""));
        }
        articles.push(Article {
            id: FIRST_ID + number,
            title: thing.title(),
            paragraphs,
        });
    }
    articles
}

/// What the thing is and its most important fact.
fn introduction(thing: &Thing, fact: Option<&Fact>, things: &[Thing]) -> String {
    let (title, noun) = (thing.title(), thing.kind.noun());
    let article = if noun.starts_with(['a', 'e', 'i', 'o']) {
        "an"
    } else {
        "a"
    };
    let Some(fact) = fact else {
        return format!("'''{title}''' is {article} {noun}.");
    };
    let other = &things[fact.to];
    let what = match (thing.kind, fact.relation) {
        (Kind::Singer, _) => "who sings with",
        (Kind::Footballer, _) => "who plays for",
        (Kind::Novel, _) => "written by",
        (Kind::Film, _) => "starring",
        (Kind::Island, _) => "not far from",
        (_, Some(Relation::PlaceOfBirth)) => "born on",
        (_, Some(Relation::PlaceOfResidence)) => "who lives on",
        (_, Some(Relation::LocateAt)) => "based on",
        (_, Some(Relation::Subsidiary)) => "owned by",
        (_, Some(Relation::Contain)) => "which lies on",
        (_, Some(Relation::HeldOn)) => "first performed on",
        _ => "which belongs to",
    };
    // One is born on an island but in a village.
    let what = match other.kind {
        Kind::Village => what.replace(" on", " in"),
        _ => what.to_owned(),
    };
    format!("'''{title}''' is {article} {noun} {what} {}.", link(other))
}

/// The thing with its kind before it, so that whoever looks for the name finds the label, too.
fn link(thing: &Thing) -> String {
    format!("the {} [[{}]]", thing.kind.noun(), thing.title())
}

/// The pattern with the noun for its `N` and the title for its `X`, which are words of their own there.
fn fill(pattern: &str, noun: &str, title: &str) -> String {
    let fill = |word: &str| {
        let letters = word.trim_end_matches(|c: char| !c.is_alphabetic());
        let rest = &word[letters.len()..];
        match letters {
            "N" => format!("{noun}{rest}"),
            "X" => format!("{title}{rest}"),
            _ => word.to_owned(),
        }
    };
    let words: Vec<String> = pattern.split(' ').map(fill).collect();
    words.join(" ")
}

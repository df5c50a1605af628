//! The wording of posts: patterns, and how a pattern becomes tokens with spans.
//!
//! A pattern is a list of words in which `A` and `B` stand for names. The patterns are
//! of three styles. Those with a cue give the kind of the thing away. Plain ones say
//! nothing about it, and neither do familiar ones; but these are how people speak of
//! somebody whom they call by a nickname, which is why the sentence alone lets a gate
//! guess whether an encyclopedia will know the name.

use super::kind::Kind;
use crate::random::Random;

/// What may come before a post's core, whatever its style; half of the posts have nothing there.
const OPENERS: [&str; 14] = [
    "OMG",
    "Happy Monday :",
    "TBT :",
    "Wow ,",
    "Friday mood :",
    "RT :",
    "Good morning !",
    "So proud :",
    "Finally ,",
    "Breaking :",
    "Sunday :",
    "LOL",
    "Guess what :",
    "Note to self :",
];

/// What may come after a post's core.
const CLOSERS: [&str; 14] = [
    ", what a day",
    "!",
    "! ! !",
    "#blessed",
    "this Friday",
    "on a Monday",
    "tonight",
    "#TBT",
    ".",
    "lol",
    "with Coffee",
    ", Best Week ever",
    "and more",
    "again",
];

/// Patterns that say nothing about what a name stands for.
const PLAIN: [&str; 20] = [
    "A again",
    "all about A today",
    "still A",
    "the latest on A",
    "a word about A",
    "nothing beats A",
    "more news of A",
    "A is back",
    "reminder : A",
    "just saw A",
    "let us talk about A",
    "A as expected",
    "three facts about A",
    "A explained",
    "photos of A soon",
    "why A matters",
    "remember A ?",
    "A once more",
    "here for A",
    "everybody knows A",
];

/// Patterns for two names that say nothing about either.
const PLAIN_TWO: [&str; 10] = [
    "A and B again",
    "first A , then B",
    "A or B ?",
    "more on A and B",
    "A , B and so on",
    "A next to B",
    "from A to B",
    "A versus B",
    "only A and B",
    "A without B",
];

/// Patterns in the tone of those who use nicknames.
const FAMILIAR: [&str; 20] = [
    "my A",
    "love love A",
    "miss you A",
    "aww A",
    "our lil A",
    "sweet sweet A",
    "A my heart",
    "look at this A",
    "hey A",
    "A being A",
    "good old A",
    "never change A",
    "can not stop thinking about A",
    "haha A",
    "so A",
    "hugs from A",
    "u and me A",
    "dear A",
    "A you rock",
    "my dearest A",
];

/// Patterns for two nicknames.
const FAMILIAR_TWO: [&str; 8] = [
    "my A and my B",
    "aww A and B",
    "A hearts B",
    "love A , love B",
    "A plus B haha",
    "hey A , hey B",
    "A & B forever",
    "our A , our B",
];

/// Patterns that give away that `A` is a thing of the kind.
fn cues(kind: Kind) -> &'static [&'static str] {
    match kind {
        Kind::Singer => &[
            "A sang for two hours",
            "what a voice , singer A",
            "tickets to hear A sing",
        ],
        Kind::Painter => &[
            "A painted my portrait",
            "new canvas by A",
            "the painter A at work",
        ],
        Kind::Sailor => &[
            "captain A set sail",
            "sailor A crossed the sea",
            "A steers the ship",
        ],
        Kind::Footballer => &["A scored twice", "penalty taken by A", "A kicks the ball"],
        Kind::Village => &[
            "the village of A sleeps",
            "moved to A last month",
            "a house in A",
        ],
        Kind::Island => &["ferry to A", "on the island of A", "holidays on A"],
        Kind::River => &[
            "swimming in the river A",
            "the banks of A",
            "a bridge over A",
        ],
        Kind::Mountain => &["climbing A", "snow on A", "the summit of A"],
        Kind::Band => &[
            "A played their first gig",
            "drummer of A quit",
            "on tour with the band A",
        ],
        Kind::FootballClub => &["A won 3 - 0", "A relegated", "fans of the club A"],
        Kind::Company => &["hired by A", "shares of A fell", "A sells more phones"],
        Kind::University => &["studying at A", "a degree from A", "professor at A"],
        Kind::Novel => &[
            "reading A in one night",
            "last chapter of A",
            "finished the novel A",
        ],
        Kind::Film => &[
            "watching A at the cinema",
            "the trailer of A",
            "best scene of the film A",
        ],
        Kind::Song => &[
            "listening to the new song A",
            "humming A",
            "A on repeat in my headphones",
        ],
        Kind::Dog => &[
            "A barked at the postman",
            "walking A on a leash",
            "dog A fetched the stick",
        ],
        Kind::Cat => &["A meowed all night", "A purrs", "our cat A caught a mouse"],
        Kind::Horse => &[
            "riding A over the fence",
            "A galloped",
            "a new saddle for A",
        ],
        Kind::Bird => &[
            "A chirps in the cage",
            "A spread its wings",
            "parrot A can speak",
        ],
        Kind::Meal | Kind::Sunset | Kind::Chart | Kind::Pattern => &["A"],
    }
}

/// The style of a post.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Style {
    /// Gives away what the first name stands for.
    Cue(Kind),
    /// Says nothing, in the tone of news.
    Plain,
    /// Says nothing, in the tone of friends.
    Familiar,
}

/// A sentence of words, and where the names in it are.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Wording {
    /// The words.
    pub tokens: Vec<String>,
    /// For each name the first of its words and the one after its last.
    pub spans: Vec<(usize, usize)>,
}

/// Puts one or two names into words of the style.
pub fn compose(style: Style, names: &[&[String]], random: &mut Random) -> Wording {
    let patterns = match (style, names.len()) {
        (Style::Cue(kind), _) => cues(kind),
        (Style::Plain, 1) => &PLAIN,
        (Style::Plain, _) => &PLAIN_TWO,
        (Style::Familiar, 1) => &FAMILIAR,
        (Style::Familiar, _) => &FAMILIAR_TWO,
    };
    let pattern = *random.pick::<&str>(patterns);
    decorate(pattern, names, random)
}

/// Puts names into a pattern, with or without words before and after it.
pub fn decorate(pattern: &str, names: &[&[String]], random: &mut Random) -> Wording {
    let opener = if random.chance(0.5) {
        *random.pick::<&str>(&OPENERS)
    } else {
        ""
    };
    let mut closer = if random.chance(0.6) {
        *random.pick::<&str>(&CLOSERS)
    } else {
        ""
    };
    // A post of a name and a word or two would be no sentence.
    if opener.is_empty() && closer.is_empty() {
        closer = random.pick::<&str>(&CLOSERS);
    }
    let mut wording = Wording {
        tokens: Vec::new(),
        spans: vec![(0, 0); names.len()],
    };
    let words = [opener, pattern, closer]
        .into_iter()
        .flat_map(|part| part.split_whitespace());
    for word in words {
        let name = match word {
            "A" => 0,
            "B" => 1,
            _ => {
                wording.tokens.push(word.to_owned());
                continue;
            }
        };
        let start = wording.tokens.len();
        // People are lazy about capitals.
        let lower = random.chance(0.12);
        wording
            .tokens
            .extend(names[name].iter().map(|word| match lower {
                true => word.to_lowercase(),
                false => word.clone(),
            }));
        wording.spans[name] = (start, wording.tokens.len());
    }
    wording
}

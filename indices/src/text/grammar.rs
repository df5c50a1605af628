//! What a word is: the grammar of Lucene's standard tokenizer, as a table.
//!
//! Lucene writes the word boundaries of UAX #29 as regular expressions over classes of characters and takes, at
//! each place, the longest text that any of them matches. The same language is written here with four
//! combinators, made into one deterministic automaton when it is first needed (in some 2 ms), and walked
//! with one table look-up a character.

use std::collections::BTreeSet;
use std::collections::HashMap;
use std::ops::{Add, BitOr};
use std::sync::LazyLock;

use super::characters::{CLASSES, Class};

/// A state of the automaton.
pub(super) type State = u8;
/// Where every word begins.
pub(super) const START: State = 1;
/// Nothing longer can match.
pub(super) const DEAD: State = 0;

/// The automaton of all words.
pub(super) static WORDS: LazyLock<Automaton> = LazyLock::new(|| Automaton::new(&word()));

/// A deterministic automaton over classes of characters.
pub(super) struct Automaton {
    next: Vec<[State; CLASSES]>,
    accepts: Vec<bool>,
}

impl Automaton {
    /// The state after a character of class `class`.
    #[inline]
    pub fn next(&self, state: State, class: Class) -> State {
        self.next[state as usize][class as usize]
    }

    /// Whether the text so far is a word.
    #[inline]
    pub fn accepts(&self, state: State) -> bool {
        self.accepts[state as usize]
    }
}

/// A regular expression over classes of characters.
#[derive(Clone, Debug)]
enum Pattern {
    /// One character of any of these classes, a bit for each.
    One(u32),
    Sequence(Vec<Pattern>),
    Either(Vec<Pattern>),
    /// The first pattern once or more, the second between every two.
    List(Box<Pattern>, Box<Pattern>),
}

use Class::*;

/// One character of any of `classes`.
fn one(classes: &[Class]) -> Pattern {
    Pattern::One(
        classes
            .iter()
            .fold(0, |set, &class| set | 1 << class as u32),
    )
}

/// Nothing.
fn nothing() -> Pattern {
    Pattern::Sequence(Vec::new())
}

/// Once or not at all.
fn maybe(pattern: Pattern) -> Pattern {
    pattern | nothing()
}

/// Once or more, with `between` between every two.
fn list(pattern: Pattern, between: Pattern) -> Pattern {
    Pattern::List(Box::new(pattern), Box::new(between))
}

/// Once or more.
fn some(pattern: Pattern) -> Pattern {
    list(pattern, nothing())
}

/// Any number of times.
fn any(pattern: Pattern) -> Pattern {
    maybe(some(pattern))
}

impl Add for Pattern {
    type Output = Pattern;
    /// One after the other.
    fn add(self, after: Pattern) -> Pattern {
        Pattern::Sequence(vec![self, after])
    }
}

impl BitOr for Pattern {
    type Output = Pattern;
    fn bitor(self, other: Pattern) -> Pattern {
        Pattern::Either(vec![self, other])
    }
}

/// UAX #29 WB4: a character with all that extends it.
fn extended(classes: &[Class]) -> Pattern {
    one(classes)
        + any(one(&[
            Extend,
            ComplexExtend,
            Joiner,
            Keycap,
            TextSelector,
            EmojiSelector,
            SkinTone,
            Tag,
            TagEnd,
        ]))
}

/// The same in emoji, where the presentation selectors have their own place.
fn extended_emoji(classes: &[Class]) -> Pattern {
    one(classes)
        + any(one(&[
            Extend,
            ComplexExtend,
            Joiner,
            Keycap,
            SkinTone,
            Tag,
            TagEnd,
        ]))
}

/// All words: WB5 to WB13b, emoji sequences (UTS #51), runs of South-East Asian scripts, single ideographs and
/// hiragana.
fn word() -> Pattern {
    let hebrew = || extended(&[Hebrew]);
    let join = || extended(&[ExtendNumLet]);
    let katakana = list(extended(&[Katakana]), any(join()));
    let numbers = list(
        extended(&[Digit, Numeric]),
        any(join()) | extended(&[MidNum, MidNumLet, SingleQuote]),
    );
    let letters = list(
        extended(&[Letter, Hebrew, Hangul, EmojiLetter]),
        any(join()) | extended(&[MidLetter, MidNumLet, SingleQuote]),
    );
    let double_quoted = extended(&[DoubleQuote]) + hebrew();
    let quoted = hebrew() + (extended(&[SingleQuote]) | double_quoted);
    let core = katakana | some(quoted | numbers | letters);
    let alphanumeric = any(join()) + list(core, some(join())) + any(join());

    emoji()
        | alphanumeric
        | some(extended(&[Complex, ComplexExtend]))
        | extended(&[Han])
        | extended(&[Hiragana])
}

fn emoji() -> Pattern {
    let symbol = any(one(&[Joiner])) + extended_emoji(&[Emoji, EmojiLetter]);
    let element = (symbol + maybe(one(&[EmojiSelector]))) | extended_emoji(&[SkinTone]);
    let joined = list(element.clone(), one(&[Joiner]));
    let tagged = element + some(one(&[Tag])) + one(&[TagEnd]);
    let keycap = extended_emoji(&[KeycapBase, Digit])
        + maybe(one(&[EmojiSelector]))
        + extended_emoji(&[Keycap]);
    let flag = extended(&[Regional]) + extended(&[Regional]);
    joined | tagged | keycap | flag
}

/// The nondeterministic automaton that a [`Pattern`] spells out (Thompson's construction).
#[derive(Default)]
struct Nondeterministic {
    /// Per state, where it may go without reading a character.
    free: Vec<Vec<usize>>,
    /// Per state, the classes that it reads and where they lead.
    reads: Vec<Option<(u32, usize)>>,
}

impl Nondeterministic {
    fn state(&mut self) -> usize {
        self.free.push(Vec::new());
        self.reads.push(None);
        self.free.len() - 1
    }

    /// Adds `pattern` behind state `from` and gives the state behind it.
    fn add(&mut self, pattern: &Pattern, from: usize) -> usize {
        match pattern {
            Pattern::One(classes) => {
                let (read, to) = (self.state(), self.state());
                self.free[from].push(read);
                self.reads[read] = Some((*classes, to));
                to
            }
            Pattern::Sequence(parts) => parts.iter().fold(from, |at, part| self.add(part, at)),
            Pattern::Either(parts) => {
                let to = self.state();
                for part in parts {
                    let end = self.add(part, from);
                    self.free[end].push(to);
                }
                to
            }
            Pattern::List(part, between) => {
                let begin = self.state();
                self.free[from].push(begin);
                let end = self.add(part, begin);
                let again = self.add(between, end);
                self.free[again].push(begin);
                end
            }
        }
    }

    /// `states` with all that they reach for free.
    fn close(&self, states: impl IntoIterator<Item = usize>) -> BTreeSet<usize> {
        let mut open: Vec<usize> = states.into_iter().collect();
        let mut closed = BTreeSet::new();
        while let Some(state) = open.pop() {
            if closed.insert(state) {
                open.extend(&self.free[state]);
            }
        }
        closed
    }
}

impl Automaton {
    /// The subset construction.
    fn new(pattern: &Pattern) -> Automaton {
        let mut machine = Nondeterministic::default();
        let start = machine.state();
        let end = machine.add(pattern, start);
        let mut sets = vec![BTreeSet::new(), machine.close([start])];
        let mut numbers = HashMap::from([(sets[0].clone(), DEAD), (sets[1].clone(), START)]);
        let mut next = Vec::new();
        while let Some(set) = sets.get(next.len()).cloned() {
            let mut row = [DEAD; CLASSES];
            for (class, to) in row.iter_mut().enumerate() {
                let reached = set
                    .iter()
                    .filter_map(|&state| machine.reads[state])
                    .filter(|(classes, _)| classes >> class & 1 == 1)
                    .map(|(_, to)| to);
                let reached = machine.close(reached);
                *to = *numbers.entry(reached.clone()).or_insert_with(|| {
                    sets.push(reached);
                    // Fewer than 256 states: a test counts them.
                    (sets.len() - 1) as State
                });
            }
            next.push(row);
        }
        let accepts = sets.iter().map(|set| set.contains(&end)).collect();
        Automaton { next, accepts }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_states_can_be_numbered_with_a_byte() {
        let states = WORDS.next.len();
        assert!((20..256).contains(&states), "{states}");
        assert!(!WORDS.accepts(START) && !WORDS.accepts(DEAD));
        assert_eq!(WORDS.next[DEAD as usize], [DEAD; CLASSES]);
    }
}

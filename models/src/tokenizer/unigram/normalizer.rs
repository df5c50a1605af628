//! The normalizer: steps that change a text, one after the other.
//!
//! `tokenizers` keeps for each byte of the changed text where in the original it came from. Of all that only
//! one thing decides about ids: whether a byte came from the very first character, where the scheme `first`
//! puts its mark. So a count is kept here, of how many bytes at the front did: [`Text::zero`].

use bincode::{Decode, Encode};

use super::charsmap::{Charsmap, Sink};
use super::{Damage, Span};

/// One step.
#[derive(Clone, Debug, PartialEq, Encode, Decode)]
pub(super) enum Step {
    /// A [map of characters](super::charsmap).
    Charsmap {
        /// Its trie.
        units: Span,
        /// Its replacements, and the longest of them in bytes.
        text: Span,
        longest: u32,
        /// Which ASCII characters it leaves alone.
        plain: [u64; 2],
    },
    /// Each occurrence of a text becomes another text.
    Literal { find: String, put: String },
    /// Each run of `least` or more spaces, or of any white space, becomes a text.
    Run { any: bool, least: u32, put: String },
    /// White space is taken away at the ends.
    Strip { left: bool, right: bool },
}

/// A text on its way through the steps.
#[derive(Debug)]
pub(super) struct Text {
    pub(super) text: String,
    /// How many bytes at the front came from the first character of the original.
    pub(super) zero: usize,
}

impl Text {
    pub(super) fn new(text: &str) -> Self {
        Self {
            text: text.to_owned(),
            zero: text.chars().next().map_or(0, char::len_utf8),
        }
    }

    /// Takes a step. The ranges of a map lie inside `data`.
    pub(super) fn step(&mut self, step: &Step, data: &[u8]) -> Result<(), Damage> {
        match step {
            Step::Charsmap {
                units,
                text,
                longest,
                plain,
            } => {
                let map = Charsmap {
                    units: units.of(data)?.as_chunks().0,
                    units_at: units.offset,
                    text: text.of(data)?,
                    text_at: text.offset,
                    longest: *longest as usize,
                    plain: *plain,
                };
                let mut changed = Changed::new(self.text.len(), self.zero);
                map.apply(&self.text, &mut changed)?;
                self.zero = changed.zero(&self.text);
                self.text = changed.text;
            }
            Step::Literal { find, put } => {
                let matches = self.text.match_indices(find.as_str());
                let matches: Vec<_> = matches.map(|(at, part)| at..at + part.len()).collect();
                self.replace(matches, put);
            }
            Step::Run { any, least, put } => {
                let matches = runs(&self.text, *any, *least as usize);
                self.replace(matches, put);
            }
            Step::Strip { left, right } => {
                let whole = self.text.as_str();
                let mut part = whole;
                if *left {
                    part = part.trim_start_matches(char::is_whitespace);
                }
                let removed = whole.len() - part.len();
                if *right {
                    part = part.trim_end_matches(char::is_whitespace);
                }
                self.zero = self.zero.saturating_sub(removed).min(part.len());
                if part.len() < whole.len() {
                    self.text = part.to_owned();
                }
            }
        }
        Ok(())
    }

    /// Puts `put` in the place of each range. A replacement came from where the end of its range did.
    fn replace(&mut self, ranges: Vec<std::ops::Range<usize>>, put: &str) {
        if ranges.is_empty() {
            return;
        }
        let mut text = String::with_capacity(self.text.len());
        let mut zero = 0;
        let mut last = 0;
        for range in ranges {
            zero += range.start.min(self.zero).saturating_sub(last);
            if range.end <= self.zero {
                zero += put.len();
            }
            text.push_str(&self.text[last..range.start]);
            text.push_str(put);
            last = range.end;
        }
        zero += self.zero.saturating_sub(last);
        text.push_str(&self.text[last..]);
        *self = Self { text, zero };
    }
}

/// The runs of at least `least` white characters.
fn runs(text: &str, any: bool, least: usize) -> Vec<std::ops::Range<usize>> {
    let mut runs = Vec::new();
    let (mut start, mut count) = (0, 0);
    for (at, character) in text.char_indices() {
        if character == ' ' || any && character.is_whitespace() {
            if count == 0 {
                start = at;
            }
            count += 1;
        } else {
            if count >= least.max(1) {
                runs.push(start..at);
            }
            count = 0;
        }
    }
    if count >= least.max(1) {
        runs.push(start..text.len());
    }
    runs
}

/// What a map of characters made of a text, with the changes at the front as `tokenizers` writes them down.
struct Changed {
    text: String,
    modified: bool,
    /// The first characters, and how many characters of the old text each stands for: 0 for one, 1 for none,
    /// −n for n more than one.
    front: Vec<(char, isize)>,
    /// How many bytes of the old text came from the first character.
    zero: usize,
    /// How many of the front stand for one character or more: with more than `zero` of them all is known.
    standing: usize,
}

impl Changed {
    fn new(len: usize, zero: usize) -> Self {
        Self {
            text: String::with_capacity(len + len / 16),
            modified: false,
            front: Vec::new(),
            zero,
            standing: 0,
        }
    }

    fn is_known(&self) -> bool {
        self.standing > self.zero + 1
    }

    fn push(&mut self, change: (char, isize)) {
        self.standing += usize::from(change.1 <= 0);
        self.front.push(change);
    }

    /// How many bytes of the new text came from the first character of all: those that `tokenizers` gives the
    /// place 0. The changes say how far the old text is used up, and a character that stands for none has the
    /// place of the byte before.
    fn zero(&self, old: &str) -> usize {
        if !self.modified {
            return self.zero;
        }
        let mut old = old.chars();
        let (mut used, mut zero) = (0, 0);
        for &(character, change) in &self.front {
            let place = if change > 0 { used.max(1) - 1 } else { used };
            if place >= self.zero {
                break;
            }
            zero += character.len_utf8();
            if change <= 0 {
                let stands = 1 + change.unsigned_abs();
                used += old.by_ref().take(stands).map(char::len_utf8).sum::<usize>();
            }
        }
        zero
    }
}

impl Sink for Changed {
    fn keep(&mut self, part: &str) {
        self.text.push_str(part);
        let mut characters = part.chars();
        while !self.is_known()
            && let Some(character) = characters.next()
        {
            self.push((character, 0));
        }
    }

    fn replace(&mut self, part: &str, by: &str) {
        self.modified = true;
        self.text.push_str(by);
        if self.is_known() {
            return;
        }
        let (old, new) = (part.chars().count(), by.chars().count());
        for (at, character) in by.chars().enumerate() {
            self.push((character, isize::from(at >= old)));
        }
        if new < old
            && let Some((_, change)) = self.front.last_mut()
        {
            *change -= (old - new) as isize;
        }
    }
}

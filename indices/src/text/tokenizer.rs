//! Lucene's standard tokenizer: text into words.

use super::characters::class;
use super::grammar::{DEAD, START, WORDS};

/// Longer words are cut. In UTF-16 code units, because Lucene counts those.
const MAX_UNITS: usize = 255;

/// The words of a text, in order, as they stand in it.
pub(super) struct Words<'a> {
    rest: &'a str,
}

/// Finds the words of `text`.
pub(super) fn words(text: &str) -> Words<'_> {
    Words { rest: text }
}

impl<'a> Words<'a> {
    /// What comes after the last word.
    pub(super) fn rest(&self) -> &'a str {
        self.rest
    }
}

impl<'a> Iterator for Words<'a> {
    type Item = &'a str;

    fn next(&mut self) -> Option<&'a str> {
        loop {
            let first = self.rest.chars().next()?;
            match longest(self.rest) {
                0 => self.rest = &self.rest[first.len_utf8()..],
                len => {
                    let (word, rest) = self.rest.split_at(len);
                    self.rest = rest;
                    return Some(word);
                }
            }
        }
    }
}

/// The length in bytes of the longest word at the front of `text`, 0 if there is none. Looks no further than
/// [`MAX_UNITS`], as if the text ended there.
#[inline]
fn longest(text: &str) -> usize {
    let words = &*WORDS;
    let (mut state, mut units, mut len) = (START, 0, 0);
    for (at, character) in text.char_indices() {
        units += character.len_utf16();
        state = words.next(state, class(character));
        if state == DEAD || units > MAX_UNITS {
            break;
        }
        if words.accepts(state) {
            len = at + character.len_utf8();
        }
    }
    len
}

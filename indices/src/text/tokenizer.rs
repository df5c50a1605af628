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

    #[inline]
    fn next(&mut self) -> Option<&'a str> {
        loop {
            let bytes = self.rest.as_bytes();
            let skipped = bytes.iter().position(|&byte| kind(byte) != Kind::Between);
            // Only ASCII is passed over.
            self.rest = &self.rest[skipped.unwrap_or(bytes.len())..];
            skipped?;
            let len = match plain(self.rest.as_bytes()) {
                Some(len) => len,
                None => longest(self.rest),
            };
            if len > 0 {
                let (word, rest) = self.rest.split_at(len);
                self.rest = rest;
                return Some(word);
            }
            let first = self.rest.chars().next()?;
            self.rest = &self.rest[first.len_utf8()..];
        }
    }
}

/// What a byte is to [`plain`] words.
#[derive(Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
enum Kind {
    /// Part of one: an ASCII letter or digit.
    Inner,
    /// In no word, and no word goes on behind it.
    Between,
    /// In a word where a letter or digit follows: `.`, `'` and their like.
    Middle,
    /// Whatever needs the automaton.
    Other,
}

/// The kind of every byte. Nothing but letters, digits, `_`, `#` and `*` begins a word in ASCII.
static KINDS: [Kind; 256] = {
    let mut kinds = [Kind::Other; 256];
    let mut byte = 0;
    while byte < 128 {
        kinds[byte] = match byte as u8 {
            b'0'..=b'9' | b'A'..=b'Z' | b'a'..=b'z' => Kind::Inner,
            b'.' | b',' | b':' | b';' | b'\'' => Kind::Middle,
            b'_' | b'#' | b'*' | b'"' => Kind::Other,
            _ => Kind::Between,
        };
        byte += 1;
    }
    kinds
};

#[inline]
fn kind(byte: u8) -> Kind {
    KINDS[byte as usize]
}

/// The length of the longest word at the front of a text, where that is a run of ASCII letters and digits, as most
/// words are, and one look behind it shows that it ends there. `None` leaves the answer to [`longest`].
#[inline]
fn plain(text: &[u8]) -> Option<usize> {
    // A longer run is not looked through again for each of the words that it is cut into.
    let run = text.iter().take(MAX_UNITS + 1);
    let len = run.take_while(|&&byte| kind(byte) == Kind::Inner).count();
    if len == 0 || len > MAX_UNITS {
        return None;
    }
    let ends = match text.get(len).map(|&byte| kind(byte)) {
        None | Some(Kind::Between) => true,
        Some(Kind::Middle) => match text.get(len + 1) {
            None => true,
            Some(&byte) => byte.is_ascii() && kind(byte) != Kind::Inner,
        },
        _ => false,
    };
    ends.then_some(len)
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

#[cfg(test)]
mod tests {
    use super::*;

    /// The words by the automaton alone.
    fn by_automaton(text: &str) -> Vec<&str> {
        let (mut words, mut rest) = (Vec::new(), text);
        while let Some(first) = rest.chars().next() {
            match longest(rest) {
                0 => rest = &rest[first.len_utf8()..],
                len => {
                    words.push(&rest[..len]);
                    rest = &rest[len..];
                }
            }
        }
        words
    }

    #[test]
    fn a_long_run_of_letters_takes_no_long_time() {
        let text = "a".repeat(8 << 20);
        assert_eq!(words(&text).count(), text.len().div_ceil(MAX_UNITS));
    }

    #[test]
    fn plain_words_are_those_of_the_automaton() {
        // Characters of every class, those of ASCII more often.
        let mut characters: Vec<char> = (0u8..128).map(char::from).collect();
        characters.extend(".,:;'_\"#*aZ09 .'_a1".repeat(8).chars());
        characters.extend(
            "\u{301}\u{200d}\u{20e3}\u{fe0f}\u{ad}éßΩאב״ญไขア漢あ한😀🏽🇩🇪ℹ‘’·٠،\u{e0061}\u{e007f}\u{feff}İ".chars(),
        );
        let mut state = 7u64;
        for round in 0..60_000 {
            let text: String = (0..round % 40)
                .map(|_| {
                    state ^= state << 13;
                    state ^= state >> 7;
                    state ^= state << 17;
                    // Every third text is of ASCII alone.
                    let of = if round % 3 == 0 {
                        288
                    } else {
                        characters.len()
                    };
                    characters[(state >> 11) as usize % of]
                })
                .collect();
            let found: Vec<&str> = words(&text).collect();
            assert_eq!(found, by_automaton(&text), "{text:?}");
        }
        for len in [254, 255, 256, 600] {
            let text = format!("{}.b c", "a".repeat(len));
            let found: Vec<&str> = words(&text).collect();
            assert_eq!(found, by_automaton(&text), "{len}");
        }
    }
}

//! The sentence boundaries of UAX #29, most of them found with a look at bytes.
//!
//! `unicode-segmentation` looks up a class for every character. In most texts nearly all characters are letters and
//! spaces that no rule asks about: only what ends a sentence, and what stands around it, matters. So [`Bounds`]
//! looks for ASCII terminators and applies the rules to their ASCII neighbours, and asks the crate about a
//! sentence where anything else could matter.

use unicode_segmentation::UnicodeSegmentation;

/// The sentences of a text as the crate finds them, with everything between them.
pub(super) struct Bounds<'a> {
    text: &'a str,
    at: usize,
}

/// Cuts `text` at its boundaries.
pub(super) fn bounds(text: &str) -> Bounds<'_> {
    Bounds { text, at: 0 }
}

impl<'a> Iterator for Bounds<'a> {
    type Item = (usize, &'a str);

    /// The next sentence, and where it begins.
    fn next(&mut self) -> Option<(usize, &'a str)> {
        let start = self.at;
        let rest = &self.text[start..];
        if rest.is_empty() {
            return None;
        }
        // No rule looks back over a boundary, so the rest is cut as if it were all.
        let sentence = match first(rest) {
            Some(len) => &rest[..len],
            None => rest.split_sentence_bounds().next()?,
        };
        self.at += sentence.len();
        Some((start, sentence))
    }
}

/// What a byte is to the rules, which the comments below name.
#[derive(Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
enum Class {
    Other,
    Lower,
    Upper,
    Numeric,
    /// `.`
    ATerm,
    /// `!` and `?`
    STerm,
    Close,
    /// A space within a line.
    Sp,
    /// `,` and its like, after which a sentence goes on.
    SContinue,
    Cr,
    Lf,
    /// A part of another character.
    Wide,
}

use Class::*;

static CLASSES: [Class; 256] = {
    let mut classes = [Other; 256];
    let mut byte = 0;
    while byte < 256 {
        classes[byte] = match byte as u8 {
            b'a'..=b'z' => Lower,
            b'A'..=b'Z' => Upper,
            b'0'..=b'9' => Numeric,
            b'.' => ATerm,
            b'!' | b'?' => STerm,
            b'"' | b'\'' | b'(' | b')' | b'[' | b']' | b'{' | b'}' => Close,
            b' ' | b'\t' | 0x0b | 0x0c => Sp,
            b',' | b'-' | b':' | b';' => SContinue,
            b'\r' => Cr,
            b'\n' => Lf,
            0x80.. => Wide,
            _ => Other,
        };
        byte += 1;
    }
    classes
};

#[inline]
fn class(text: &[u8], at: usize) -> Option<Class> {
    text.get(at).map(|&byte| CLASSES[byte as usize])
}

/// The length of the first sentence of `text`; `None` where the crate must be asked.
fn first(text: &str) -> Option<usize> {
    let bytes = text.as_bytes();
    let mut at = 0;
    loop {
        let quiet = |class| {
            matches!(
                class,
                Lower | Upper | Numeric | Close | Sp | SContinue | Other
            )
        };
        let found = bytes[at..]
            .iter()
            .position(|&byte| !quiet(CLASSES[byte as usize]));
        let Some(found) = found else {
            return Some(bytes.len());
        };
        at += found;
        match CLASSES[bytes[at] as usize] {
            // SB3, SB4
            Lf => return Some(at + 1),
            Cr => return Some(end_of_line(bytes, at)),
            Wide => {
                let character = text[at..].chars().next()?;
                if !is_quiet(character) {
                    return None;
                }
                at += character.len_utf8();
            }
            terminator => match after(bytes, at, terminator)? {
                After::Ends(end) => return Some(end),
                After::GoesOn(next) => at = next,
            },
        }
    }
}

/// What follows a terminator.
enum After {
    /// A sentence ends here.
    Ends(usize),
    /// None does before here.
    GoesOn(usize),
}

/// Applies the rules behind the `terminator` at `at`.
fn after(bytes: &[u8], at: usize, terminator: Class) -> Option<After> {
    let before = at.checked_sub(1).and_then(|at| class(bytes, at));
    if before == Some(Wide) {
        return None;
    }
    let mut next = at + 1;
    if terminator == ATerm {
        match class(bytes, next) {
            // SB6
            Some(Numeric) => return Some(After::GoesOn(next)),
            // SB7
            Some(Upper) if matches!(before, Some(Upper | Lower)) => {
                return Some(After::GoesOn(next));
            }
            _ => {}
        }
    }
    // SB9, SB10
    while class(bytes, next) == Some(Close) {
        next += 1;
    }
    while class(bytes, next) == Some(Sp) {
        next += 1;
    }
    Some(match class(bytes, next) {
        None => After::Ends(next),
        Some(Wide) => return None,
        Some(Cr) => After::Ends(end_of_line(bytes, next)),
        Some(Lf) => After::Ends(next + 1),
        // SB8a
        Some(SContinue | ATerm | STerm) => After::GoesOn(next),
        Some(_) if terminator == ATerm => {
            // SB8: nothing but a letter, a terminator or the end of the line is looked for.
            let mut letter = next;
            loop {
                match class(bytes, letter) {
                    Some(Lower) => break After::GoesOn(next),
                    Some(Wide) => return None,
                    None | Some(Upper | ATerm | STerm | Cr | Lf) => break After::Ends(next),
                    Some(_) => letter += 1,
                }
            }
        }
        // SB11
        Some(_) => After::Ends(next),
    })
}

/// Behind the carriage return at `at`, and the line feed that may follow.
fn end_of_line(bytes: &[u8], at: usize) -> usize {
    at + 1 + usize::from(class(bytes, at + 1) == Some(Lf))
}

/// Whether no rule asks about a character unless it stands beside a terminator: it is neither one nor a separator of
/// paragraphs. `false` may be said of any.
fn is_quiet(character: char) -> bool {
    match character {
        // The Greek question mark.
        '\u{37e}' => false,
        '\u{a0}'..='\u{588}' => true,
        // Dashes, quotes and marks, without the one-dot leader, the separators and double marks such as ‼.
        '\u{2010}'..='\u{2023}' | '\u{2025}'..='\u{2027}' | '\u{202f}'..='\u{203b}' => true,
        '\u{2070}'..='\u{2bff}' => true,
        // Kana, ideographs and Hangul.
        '\u{3041}'..='\u{30ff}' | '\u{4e00}'..='\u{9fff}' | '\u{ac00}'..='\u{d7a3}' => true,
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(text: &str) {
        let found: Vec<(usize, &str)> = bounds(text).collect();
        let expected: Vec<(usize, &str)> = text.split_sentence_bound_indices().collect();
        assert_eq!(found, expected, "{text:?}");
    }

    #[test]
    fn boundaries_are_those_of_the_crate() {
        let mut characters: Vec<char> = (0u8..128).map(char::from).collect();
        characters.extend("..!?\"')( \r\n,;-:aB1".repeat(9).chars());
        let ascii = characters.len();
        characters.extend(
            "\u{85}\u{2028}\u{2029}\u{a0}\u{ad}\u{301}\u{200d}\u{37e}\u{589}\u{2024}\u{203c}。…«»“”‘’é漢あ한ßΩא！？।–—ªⅨ\u{3000}"
                .chars(),
        );
        let mut state = 99u64;
        for round in 0..200_000 {
            let text: String = (0..round % 30)
                .map(|_| {
                    state ^= state << 13;
                    state ^= state >> 7;
                    state ^= state << 17;
                    let of = if round % 2 == 0 {
                        ascii
                    } else {
                        characters.len()
                    };
                    characters[(state >> 11) as usize % of]
                })
                .collect();
            check(&text);
        }
    }

    #[test]
    fn every_character_stands_between_sentences_as_the_crate_has_it() {
        for character in (0..=0x0003_ffff).filter_map(char::from_u32) {
            check(&format!(
                "A{character}a.{character} B{character}!{character}c.{character}a."
            ));
            check(&format!(
                "a{character}B c{character}. D{character}1{character}\n{character}"
            ));
        }
    }
}

//! Text into sentences.
//!
//! The boundaries are those of [UAX #29](https://www.unicode.org/reports/tr29/#Sentence_Boundaries), which ends a
//! sentence at every full stop before a space and a capital: after `Dr.` as well. So a boundary is taken back
//!
//! * inside an anchor (`<e: Dr._No> Dr. No </e>`), whose tags do not count as text;
//! * after an abbreviation that joins two parts of a sentence: [`CONNECTIVES`];
//! * after one of [`NUMBERED`] that a number follows;
//! * after one of [`TITLES`] and after initials (`J. Smith`, `U.S. Army`), unless the next word is one that often
//!   begins a sentence and seldom a name ([`STARTERS`]). A single `I.` ends a sentence
//!   (`World War I. German troops …`) unless another initial follows.
//!
//! Abbreviations that end sentences about as often as not (`etc.`, `Inc.`, `Jr.`) are left to UAX #29.

use std::iter::Peekable;

use crate::text::anchors::{Anchor, anchors, without_tags};

mod bounds;

use bounds::bounds;

/// What stands before a name.
pub const TITLES: [&str; 43] = [
    "Adm", "Brig", "Capt", "Cdr", "Cmdr", "Col", "Cpl", "Dr", "Drs", "Fr", "Ft", "Gen", "Gov",
    "Hon", "Ing", "Lt", "Maj", "Messrs", "Mgr", "Mlle", "Mme", "Mmes", "Mr", "Mrs", "Ms", "Msgr",
    "Mt", "Mts", "Pres", "Prof", "Profs", "Pvt", "Rep", "Reps", "Rev", "Sen", "Sens", "Sgt", "St",
    "Ste", "Sts", "Supt", "Ven",
];

/// What joins two parts of a sentence.
pub const CONNECTIVES: [&str; 13] = [
    "approx", "c", "ca", "cf", "e.g", "eg", "fl", "i.e", "ie", "v", "viz", "vs", "Vs",
];

/// What stands before a number, and is kept with it only there.
pub const NUMBERED: [&str; 35] = [
    "Apr", "Art", "art", "Aug", "Ch", "ch", "Dec", "Feb", "Fig", "fig", "Figs", "figs", "Jan",
    "Jul", "Jun", "Mar", "No", "no", "Nos", "nos", "Nov", "Nr", "Oct", "Op", "op", "p", "pp",
    "Sec", "sec", "Sep", "Sept", "Vol", "vol", "Vols", "vols",
];

/// Words that end a run of initials as a sentence.
pub const STARTERS: [&str; 46] = [
    "A", "After", "All", "Also", "Although", "An", "And", "As", "At", "Because", "Before", "Both",
    "But", "By", "During", "For", "From", "He", "Her", "His", "However", "If", "In", "It", "Its",
    "Many", "Most", "On", "One", "Other", "She", "Since", "Some", "Such", "That", "The", "Their",
    "There", "These", "They", "This", "Those", "Under", "We", "When", "While",
];

/// The sentences of `text`, in order, as they stand in it, without the space around them. Anchors are kept whole.
///
/// ```
/// let text = "Dr. <e: Alan_Turing> Alan Turing </e> went to the U.S. in 1936. He came back.";
/// let sentences: Vec<&str> = morelet_indices::sentences::split(text).collect();
/// assert_eq!(
///     sentences,
///     ["Dr. <e: Alan_Turing> Alan Turing </e> went to the U.S. in 1936.", "He came back."]
/// );
/// ```
pub fn split(text: &str) -> impl Iterator<Item = &str> {
    let mut start = 0;
    ends(text).into_iter().filter_map(move |end| {
        let sentence = text[start..end].trim();
        start = end;
        (!sentence.is_empty()).then_some(sentence)
    })
}

/// Where each sentence ends, in bytes of `text`.
fn ends(text: &str) -> Vec<usize> {
    let plain = without_tags(text);
    let mut mapping = Mapping {
        anchors: anchors(text).peekable(),
        tags: 0,
    };
    let mut ends = Vec::new();
    for (start, sentence) in bounds(&plain) {
        let end = start + sentence.len();
        if end == plain.len() {
            ends.push(text.len());
        } else if !goes_on(&plain[..end], &plain[end..])
            && let Some(end) = mapping.outside(end)
        {
            ends.push(end);
        }
    }
    ends
}

/// Whether the sentence that `before` ends with goes on in `after`.
fn goes_on(before: &str, after: &str) -> bool {
    let trimmed = before.trim_end();
    // A line break ends a sentence whatever stands before it.
    if before[trimmed.len()..].contains(['\n', '\r', '\u{85}', '\u{2028}', '\u{2029}']) {
        return false;
    }
    let Some(stem) = trimmed.strip_suffix('.') else {
        return false;
    };
    let word = stem
        .char_indices()
        .rev()
        .take(MAX_ABBREVIATION)
        .take_while(|(_, character)| character.is_alphanumeric() || *character == '.')
        .last()
        .map_or("", |(from, _)| &stem[from..]);
    if CONNECTIVES.contains(&word) {
        true
    } else if NUMBERED.contains(&word) {
        first_word(after).0.starts_with(char::is_numeric)
    } else if word == "I" {
        first_word(after).1
    } else if TITLES.contains(&word) || are_initials(word) {
        let (next, is_initial) = first_word(after);
        is_initial || !STARTERS.contains(&next)
    } else {
        false
    }
}

/// The first word of `text`, and whether it is an initial with its full stop.
fn first_word(text: &str) -> (&str, bool) {
    let text = text.trim_start_matches(|character: char| !character.is_alphanumeric());
    let end = text.find(|character: char| !character.is_alphanumeric());
    let (word, rest) = text.split_at(end.unwrap_or(text.len()));
    (word, rest.starts_with('.') && are_initials(word))
}

/// No abbreviation in the lists and no run of initials worth the name has more characters.
const MAX_ABBREVIATION: usize = 16;

/// Single capitals with a full stop between every two.
fn are_initials(word: &str) -> bool {
    word.split('.').all(|part| {
        let mut characters = part.chars();
        characters.next().is_some_and(char::is_uppercase) && characters.next().is_none()
    })
}

/// Places in a text without tags, found again in the text with them. Asked in ascending order.
struct Mapping<I: Iterator<Item = Anchor>> {
    /// The anchors that begin at or after the last place asked for, or hold it.
    anchors: Peekable<I>,
    /// The bytes of tags before those.
    tags: usize,
}

impl<I: Iterator<Item = Anchor>> Mapping<I> {
    /// Where `plain` lies in the text with tags; `None` inside an anchor.
    fn outside(&mut self, plain: usize) -> Option<usize> {
        while let Some(Anchor { outer, inner }) = self.anchors.peek() {
            let start = outer.start - self.tags;
            if plain <= start {
                break;
            }
            if plain < start + inner.len() {
                return None;
            }
            self.tags += outer.len() - inner.len();
            self.anchors.next();
        }
        Some(plain + self.tags)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(sentences: &[&str]) {
        let text = sentences.join(" ");
        assert_eq!(split(&text).collect::<Vec<_>>(), sentences);
    }

    #[test]
    fn boundaries_are_those_of_uax_29() {
        check(&[
            "This is one.",
            "This is two!",
            "Is this three?",
            "“Four.”",
            "(Five.)",
            "Six… seven 8.9 a.b.",
        ]);
        assert_eq!(split("これは一つ。これは二つ。").count(), 2);
        assert_eq!(split("one\ntwo\r\nthree\u{2029}four").count(), 4);
        for empty in ["", " ", "\n \n"] {
            assert_eq!(split(empty).count(), 0);
        }
        assert_eq!(
            split("  padded.  Twice.\t").collect::<Vec<_>>(),
            ["padded.", "Twice."]
        );
    }

    #[test]
    fn abbreviations_end_a_sentence_only_where_nothing_follows_that_belongs_to_them() {
        check(&[
            "Dr. Smith met Mr. A. Jones on Mt. Everest, i.e. Chomolungma.",
            "He left St. Louis.",
        ]);
        check(&["It is on Main St. and on Elm St.", "The shop is closed."]);
        check(&[
            "See No. 5, pp. 12–13, Fig. 2 and Vol. 3.",
            "He said no.",
            "Nobody came on Jan. 5.",
        ]);
        check(&[
            "J. R. R. Tolkien and George W. Bush live in the U.S. Army base.",
            "They do.",
        ]);
        check(&[
            "He moved to the U.S.",
            "He liked it in Washington, D.C.",
            "It was hot.",
        ]);
        check(&[
            "That was World War I.",
            "German troops came.",
            "I. M. Pei did not.",
        ]);
        check(&["Smith v. Jones and A vs. B were c. 1900, cf. Miller et al. and others."]);
        check(&[
            "He worked for Apple Inc.",
            "Steve did too, etc.",
            "Then he stopped.",
        ]);
        assert_eq!(split("He is a Dr.\nSmith is not.").count(), 2);
    }

    #[test]
    fn anchors_are_kept_whole() {
        check(&[
            "<e: A> One. Two </e> three.",
            "<e: B> Four </e>.",
            "Five <e: C> six. </e>",
            "<e: D> Seven </e>",
        ]);
        check(&["<e: Dr._No> Dr. No </e> and Dr. <e: No> No </e> are one."]);
        check(&["Stray <e: tag.", "Next </e> one.", "Two."]);
    }

    #[test]
    fn the_lists_hold_what_can_be_found() {
        for word in TITLES.iter().chain(&CONNECTIVES).chain(&NUMBERED) {
            assert!(
                word.chars().count() <= MAX_ABBREVIATION && !word.ends_with('.'),
                "{word}"
            );
        }
    }
}

//! Text into terms, as Lucene's analyzers do.

use std::fmt;
use std::ops::Range;
use std::str::FromStr;

use super::porter;
use super::tokenizer::words;
use crate::error::Error;

/// How text becomes terms. Both are Lucene 9's, term for term.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Analyzer {
    /// Words by UAX #29 in lower case; no stop words. What Elasticsearch calls `standard`.
    #[default]
    Standard,
    /// The same without possessive `'s` and 33 stop words, stemmed by Porter's first stemmer. What
    /// Elasticsearch calls `english`.
    English,
}

/// Words too frequent in English to tell sentences apart; Lucene's list.
const STOP_WORDS: [&str; 33] = [
    "a", "an", "and", "are", "as", "at", "be", "but", "by", "for", "if", "in", "into", "is", "it",
    "no", "not", "of", "on", "or", "such", "that", "the", "their", "then", "there", "these",
    "they", "this", "to", "was", "will", "with",
];

impl Analyzer {
    /// All analyzers.
    pub const ALL: [Analyzer; 2] = [Analyzer::Standard, Analyzer::English];

    /// The name on the command line and in files.
    pub fn name(self) -> &'static str {
        match self {
            Analyzer::Standard => "standard",
            Analyzer::English => "english",
        }
    }

    /// The terms of `text`, in order, repeated as often as they occur.
    ///
    /// ```
    /// use morelet_indices::Analyzer;
    ///
    /// assert_eq!(Analyzer::Standard.terms("Obama's flying home!"), ["obama's", "flying", "home"]);
    /// assert_eq!(Analyzer::English.terms("Obama's flying home!"), ["obama", "fly", "home"]);
    /// ```
    pub fn terms(self, text: &str) -> Vec<String> {
        let mut terms = Vec::new();
        self.for_each_term(text, |term| terms.push(term.to_owned()));
        terms
    }

    /// Calls `act` with each term of `text`, in order.
    pub fn for_each_term(self, text: &str, mut act: impl FnMut(&str)) {
        self.for_each_word(text, |term, _| act(term));
    }

    /// Calls `act` with each term of `text`, in order, and where the word stands that it was made of, in bytes:
    /// the whole word, with its `'s`, as Lucene's offsets have it.
    #[inline]
    pub fn for_each_word(self, text: &str, mut act: impl FnMut(&str, Range<usize>)) {
        let (mut term, mut stemmer) = (String::new(), Stemmer::default());
        let mut words = words(text);
        while let Some(word) = words.next() {
            let end = text.len() - words.rest().len();
            let place = end - word.len()..end;
            let word = match self {
                Analyzer::Standard => word,
                Analyzer::English => without_possessive(word),
            };
            lowercase(word, &mut term);
            if self == Analyzer::English {
                if STOP_WORDS.binary_search(&term.as_str()).is_ok() {
                    continue;
                }
                stemmer.stem(&mut term);
            }
            act(&term, place);
        }
    }
}

impl fmt::Display for Analyzer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl FromStr for Analyzer {
    type Err = Error;

    fn from_str(name: &str) -> Result<Analyzer, Error> {
        Analyzer::ALL
            .into_iter()
            .find(|analyzer| analyzer.name() == name)
            .ok_or_else(|| {
                Error::input(format_args!(
                    "there is no analyzer {name:?}: expected `standard` or `english`"
                ))
            })
    }
}

/// Puts `word` into `term` in lower case, character by character: `İ` becomes `i`, `Σ` becomes `σ` wherever it stands.
#[inline]
fn lowercase(word: &str, term: &mut String) {
    term.clear();
    if word.is_ascii() {
        term.push_str(word);
        term.make_ascii_lowercase();
    } else {
        // Only `İ` has a longer lower case, `i` with a dot above; Java's mapping of single characters drops the dot.
        term.extend(
            word.chars()
                .filter_map(|character| character.to_lowercase().next()),
        );
    }
}

/// `word` without a last `'s`, with any of three apostrophes.
fn without_possessive(word: &str) -> &str {
    word.strip_suffix(['s', 'S'])
        .and_then(|word| word.strip_suffix(['\'', '\u{2019}', '\u{ff07}']))
        .unwrap_or(word)
}

/// Porter's stemmer with its buffers.
#[derive(Default)]
struct Stemmer {
    bytes: Vec<u8>,
    units: Vec<u16>,
}

impl Stemmer {
    fn stem(&mut self, term: &mut String) {
        if term.is_ascii() {
            self.bytes.clear();
            self.bytes.extend_from_slice(term.as_bytes());
            porter::stem(&mut self.bytes);
            term.clear();
            term.extend(self.bytes.iter().map(|&byte| char::from(byte)));
        } else {
            self.units.clear();
            self.units.extend(term.encode_utf16());
            porter::stem(&mut self.units);
            term.clear();
            term.extend(
                char::decode_utf16(self.units.iter().copied())
                    .map(|character| character.unwrap_or(char::REPLACEMENT_CHARACTER)),
            );
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_read_back() {
        for analyzer in Analyzer::ALL {
            assert_eq!(analyzer.to_string().parse::<Analyzer>().unwrap(), analyzer);
        }
        assert!("English".parse::<Analyzer>().is_err());
    }

    #[test]
    fn words_stand_where_they_are_said_to_stand() {
        let text = "“Obama's” flying\u{301} 我 the 👍🏽 U.S.A. — don’t!";
        let mut places = Vec::new();
        Analyzer::English.for_each_word(text, |term, place| {
            places.push((term.to_owned(), &text[place]));
        });
        let places: Vec<_> = places
            .iter()
            .map(|(term, word)| (&term[..], *word))
            .collect();
        assert_eq!(
            places,
            [
                ("obama", "Obama's"),
                ("flying\u{301}", "flying\u{301}"),
                ("我", "我"),
                ("👍🏽", "👍🏽"),
                ("u.s.a", "U.S.A"),
                ("don’t", "don’t"),
            ]
        );
    }

    #[test]
    fn stop_words_are_sorted_for_bisection() {
        assert!(STOP_WORDS.is_sorted());
    }
}

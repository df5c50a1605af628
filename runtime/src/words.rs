//! A sentence as words: given ones, or a text split on Unicode word boundaries.

use crate::{Error, Result};
use std::ops::Range;
use unicode_segmentation::UnicodeSegmentation as _;

/// What a query brings as x.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Words {
    /// Running text. Spans into it count characters (Unicode scalar values).
    Text(String),
    /// Words that somebody else split. Spans into them count words.
    Tokens(Vec<String>),
}

/// Where a word of a text lies in it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Place {
    /// In characters (Unicode scalar values).
    pub chars: Range<usize>,
    /// In bytes of UTF-8.
    pub bytes: Range<usize>,
}

/// A sentence: n words, the text that retrieval sees, and where the words lie in it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Sentence {
    words: Vec<String>,
    text: String,
    /// Of each word, where the sentence came as text.
    places: Option<Vec<Place>>,
}

impl Sentence {
    /// Reads the words of a query. A text is split at the word boundaries of UAX #29, and what lies
    /// between two of them is a word unless it is white space: punctuation marks, emoji and `#` are
    /// words of their own.
    ///
    /// The text of given tokens is the tokens joined by single spaces.
    pub fn new(words: &Words) -> Self {
        match words {
            Words::Tokens(tokens) => Self {
                words: tokens.clone(),
                text: tokens.join(" "),
                places: None,
            },
            Words::Text(text) => {
                let mut words = Vec::new();
                let mut places = Vec::new();
                let mut chars = 0;
                for (start, word) in text.split_word_bound_indices() {
                    let length = word.chars().count();
                    if !word.chars().all(char::is_whitespace) {
                        words.push(word.to_owned());
                        places.push(Place {
                            chars: chars..chars + length,
                            bytes: start..start + word.len(),
                        });
                    }
                    chars += length;
                }
                Self {
                    words,
                    text: text.clone(),
                    places: Some(places),
                }
            }
        }
    }

    /// The words.
    pub fn words(&self) -> &[String] {
        &self.words
    }

    /// n.
    pub fn len(&self) -> usize {
        self.words.len()
    }

    /// Whether there is no word at all.
    pub fn is_empty(&self) -> bool {
        self.words.is_empty()
    }

    /// The text that BM25 and CLIP see.
    pub fn text(&self) -> &str {
        &self.text
    }

    /// Where the words lie in the text, if the sentence came as text.
    pub fn places(&self) -> Option<&[Place]> {
        self.places.as_deref()
    }

    /// Where the words `span` lie in the text, if the sentence came as text and the span is not empty.
    pub fn place(&self, span: &Range<usize>) -> Option<Place> {
        let places = self.places.as_deref()?.get(span.clone())?;
        let (first, last) = (places.first()?, places.last()?);
        Some(Place {
            chars: first.chars.start..last.chars.end,
            bytes: first.bytes.start..last.bytes.end,
        })
    }

    /// The words `span` as people write them: cut from the text, or the tokens joined by single spaces.
    pub fn span_text(&self, span: &Range<usize>) -> String {
        match self.place(span) {
            Some(place) => self.text.get(place.bytes).unwrap_or_default().to_owned(),
            None => self.words.get(span.clone()).unwrap_or_default().join(" "),
        }
    }

    /// The words that a span of a query means. `name` (`subject`, …) is for the error.
    ///
    /// A span of given tokens counts words. A span of a text counts characters, and stands for the words
    /// that it touches, so that it may end in the middle of one.
    ///
    /// # Errors
    /// `Input` for a span that is empty, runs past the end, or touches no word.
    pub fn resolve(&self, span: &Range<usize>, name: &str) -> Result<Range<usize>> {
        let (length, unit) = match &self.places {
            None => (self.words.len(), "words"),
            Some(_) => (self.text.chars().count(), "characters"),
        };
        if span.start >= span.end || span.end > length {
            return Err(Error::input(format!(
                "`{name}` is [{}, {}); expected a non-empty span within the {length} {unit} of the sentence, \
                 its end exclusive",
                span.start, span.end
            )));
        }
        let Some(places) = &self.places else {
            return Ok(span.clone());
        };
        let first = places.partition_point(|place| place.chars.end <= span.start);
        let last = places.partition_point(|place| place.chars.start < span.end);
        if first >= last {
            return Err(Error::input(format!(
                "`{name}` is [{}, {}), where the text has white space only",
                span.start, span.end
            )));
        }
        Ok(first..last)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(text: &str) -> Sentence {
        Sentence::new(&Words::Text(text.to_owned()))
    }

    #[test]
    fn splits_on_word_boundaries_and_keeps_what_is_no_space() {
        // Boundaries by the rules of UAX #29: WB6/7 keep an apostrophe inside letters, WB11/12 a full
        // stop inside digits, WB3c and WB4 an emoji sequence; `#` and `@` stand alone.
        let cases: [(&str, &[&str]); 6] = [
            ("Kolo loves the sun", &["Kolo", "loves", "the", "sun"]),
            ("don't pay 3.50!", &["don't", "pay", "3.50", "!"]),
            ("#NYC @bob…", &["#", "NYC", "@", "bob", "…"]),
            ("a👩‍🚀b", &["a", "👩‍🚀", "b"]),
            (" \t\n", &[]),
            ("", &[]),
        ];
        for (sentence, words) in cases {
            assert_eq!(text(sentence).words(), words, "{sentence:?}");
        }
    }

    #[test]
    fn places_count_characters_and_bytes_apart() {
        let sentence = text("Zoë in 東京 👍");
        // Python: [m.start() for m in re.finditer(r'\S+', s)] and the same of s.encode(); 東 and 京 are
        // ideographs, each a word by itself (WB999).
        let places = sentence.places().unwrap();
        assert_eq!(sentence.words(), ["Zoë", "in", "東", "京", "👍"]);
        assert_eq!(places[0].chars, 0..3);
        assert_eq!(places[0].bytes, 0..4);
        assert_eq!(sentence.place(&(2..4)).unwrap().chars, 7..9);
        assert_eq!(sentence.place(&(2..4)).unwrap().bytes, 8..14);
        assert_eq!(sentence.span_text(&(2..4)), "東京");
        assert_eq!(places[4].chars, 10..11);
        assert_eq!(places[4].bytes, 15..19);
    }

    #[test]
    fn given_tokens_are_joined_by_single_spaces() {
        let sentence = Sentence::new(&Words::Tokens(vec!["New".into(), "York".into()]));
        assert_eq!(sentence.text(), "New York");
        assert_eq!(sentence.span_text(&(0..2)), "New York");
        assert_eq!(sentence.place(&(0..1)), None);
        assert_eq!(sentence.resolve(&(1..2), "subject").unwrap(), 1..2);
    }

    #[test]
    fn a_character_span_stands_for_the_words_it_touches() {
        let sentence = text("Zoë met Ann.");
        assert_eq!(sentence.resolve(&(0..3), "subject").unwrap(), 0..1);
        assert_eq!(sentence.resolve(&(8..11), "object").unwrap(), 2..3);
        assert_eq!(sentence.resolve(&(1..9), "object").unwrap(), 0..3);
        assert_eq!(sentence.resolve(&(3..5), "object").unwrap(), 1..2);
    }

    #[test]
    fn refuses_spans_that_mean_nothing() {
        let tokens = Sentence::new(&Words::Tokens(vec!["a".into(), "b".into()]));
        for span in [0..0, 1..3, 2..3, Range { start: 2, end: 1 }] {
            let error = tokens.resolve(&span, "subject").unwrap_err().to_string();
            assert!(
                error.contains("subject") && error.contains("2 words"),
                "{error}"
            );
        }
        let error = text("a  b").resolve(&(1..3), "object").unwrap_err();
        assert!(error.to_string().contains("white space"), "{error}");
        assert!(text("é").resolve(&(0..2), "object").is_err());
    }
}

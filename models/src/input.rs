use std::ops::Range;

use crate::error::{Error, Result};
use crate::tokenizer::Tokenizer;
use crate::weights::XlmrConfig;

/// The markers of a relation, in the order opening and closing of the subject, then of the object.
const MARKERS: [&str; 4] = ["<S>", "</S>", "<O>", "</O>"];

/// The ids that one run of an expert sees, and where the words are among them.
///
/// ```text
/// <s>  x_1 … x_n  separator  t_1 … t_k  </s>
///      └ words ┘             └ contexts, cut so that there are at most L ids in all
/// ```
///
/// With no contexts it is `<s> x </s>`. x ends before the first word whose sub-tokens do not all fit in
/// the first L − 1 ids.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Input {
    /// The ids, at most L of them.
    pub ids: Vec<u32>,
    /// The sub-tokens of each word that fits, as ranges of `ids`; fewer than the words of x where x is
    /// truncated. None is empty.
    pub words: Vec<Range<usize>>,
    /// The sub-tokens of `<S>` and `<O>`, for a relation whose two opening markers fit.
    pub markers: Option<[Range<usize>; 2]>,
    /// Whether x was cut. Contexts that are cut do not count: they always may be.
    pub truncated: bool,
}

impl Input {
    /// The input of a NER expert.
    ///
    /// # Errors
    /// Of kind `Tokenizer`.
    pub fn ner<W: AsRef<str>, C: AsRef<str>>(
        tokenizer: &Tokenizer,
        config: &XlmrConfig,
        words: &[W],
        contexts: &[C],
    ) -> Result<Self> {
        let mut builder = Builder::new(tokenizer, config);
        for word in words {
            let Some(range) = builder.word(word.as_ref())? else {
                break;
            };
            builder.words.push(range);
        }
        builder.finish(contexts)
    }

    /// The input of an RE expert: markers stand around the words of the subject and of the object. An
    /// opening marker directly before its first word, a closing one directly after its last; where two
    /// coincide, the subject's comes first.
    ///
    /// # Errors
    /// Of kind `Input` where a span is empty or outside the words; of kind `Tokenizer`.
    pub fn re<W: AsRef<str>, C: AsRef<str>>(
        tokenizer: &Tokenizer,
        config: &XlmrConfig,
        words: &[W],
        subject: Range<usize>,
        object: Range<usize>,
        contexts: &[C],
    ) -> Result<Self> {
        for (name, span) in [("subject", &subject), ("object", &object)] {
            if span.start >= span.end || span.end > words.len() {
                return Err(Error::input(format!(
                    "{name}: expected a span [start, end) inside the {} words, got [{}, {})",
                    words.len(),
                    span.start,
                    span.end
                )));
            }
        }
        let mut builder = Builder::new(tokenizer, config);
        let mut opened = [None, None];
        'x: {
            for (at, word) in words.iter().enumerate() {
                for (which, span) in [&subject, &object].into_iter().enumerate() {
                    if span.start == at {
                        let Some(range) = builder.word(MARKERS[2 * which])? else {
                            break 'x;
                        };
                        opened[which] = Some(range);
                    }
                }
                let Some(range) = builder.word(word.as_ref())? else {
                    break 'x;
                };
                builder.words.push(range);
                for (which, span) in [&subject, &object].into_iter().enumerate() {
                    if span.end == at + 1 && builder.word(MARKERS[2 * which + 1])?.is_none() {
                        break 'x;
                    }
                }
            }
        }
        let mut input = builder.finish(contexts)?;
        if let [Some(subject), Some(object)] = opened {
            input.markers = Some([subject, object]);
        }
        Ok(input)
    }
}

struct Builder<'a> {
    tokenizer: &'a Tokenizer,
    config: &'a XlmrConfig,
    ids: Vec<u32>,
    words: Vec<Range<usize>>,
    truncated: bool,
    /// L − 1: the last id is `</s>`.
    room: usize,
}

impl<'a> Builder<'a> {
    fn new(tokenizer: &'a Tokenizer, config: &'a XlmrConfig) -> Self {
        Self {
            tokenizer,
            config,
            ids: vec![config.bos_token_id],
            words: Vec::new(),
            truncated: false,
            room: (config.max_length as usize).saturating_sub(1),
        }
    }

    /// Appends a word or a marker and gives its place, or `None` where it does not fit whole.
    fn word(&mut self, word: &str) -> Result<Option<Range<usize>>> {
        let mut ids = self.tokenizer.word(word)?;
        if ids.is_empty() {
            ids.push(self.config.unk_token_id);
        }
        let start = self.ids.len();
        if start + ids.len() > self.room {
            self.truncated = true;
            return Ok(None);
        }
        self.ids.extend(ids);
        Ok(Some(start..self.ids.len()))
    }

    fn finish<C: AsRef<str>>(mut self, contexts: &[C]) -> Result<Input> {
        if !contexts.is_empty() {
            self.ids.extend(&self.config.separator);
        }
        for context in contexts {
            if self.ids.len() >= self.room {
                break;
            }
            self.ids.extend(self.tokenizer.encode(context.as_ref())?);
        }
        self.ids.truncate(self.room);
        self.ids.push(self.config.eos_token_id);
        Ok(Input {
            ids: self.ids,
            words: self.words,
            markers: None,
            truncated: self.truncated,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tokenizer::tests::SMALL;
    use crate::weights::{Activation, Pooling};

    // Ids of the small tokenizer: <s> 0, </s> 2, <unk> 3, "a" is 4, "b" is 5, "ab" is 4 8; every
    // marker is "▁" and an unknown run of characters, 6 3.
    const A: u32 = 4;
    const B: u32 = 5;
    const M: [u32; 2] = [6, 3];

    fn config(max_length: u32) -> XlmrConfig {
        XlmrConfig {
            vocab_size: 9,
            hidden_size: 2,
            num_hidden_layers: 1,
            num_attention_heads: 1,
            intermediate_size: 2,
            max_position_embeddings: 64,
            type_vocab_size: 1,
            layer_norm_eps: 1e-5,
            hidden_act: Activation::Gelu,
            pad_token_id: 1,
            bos_token_id: 0,
            eos_token_id: 2,
            unk_token_id: 3,
            max_length,
            pooling: Pooling::First,
            separator: vec![2],
            crf: false,
            head_norm: false,
        }
    }

    fn tokenizer() -> Tokenizer {
        Tokenizer::new(SMALL.as_bytes()).unwrap()
    }

    fn ner(max_length: u32, words: &[&str], contexts: &[&str]) -> Input {
        Input::ner(&tokenizer(), &config(max_length), words, contexts).unwrap()
    }

    #[test]
    fn nothing_retrieved_leaves_no_separator() {
        let input = ner(16, &["a", "ab", ""], &[]);
        assert_eq!(input.ids, [0, A, A, 8, 3, 2]);
        assert_eq!(input.words, [1..2, 2..4, 4..5]);
        assert!(!input.truncated);
    }

    #[test]
    fn contexts_follow_one_separator_with_nothing_between() {
        assert_eq!(ner(16, &["a"], &["b b", "a"]).ids, [0, A, 2, B, B, A, 2]);
    }

    #[test]
    fn contexts_are_cut_so_that_the_end_fits() {
        let input = ner(6, &["a"], &["b b", "a"]);
        assert_eq!(input.ids, [0, A, 2, B, B, 2]);
        assert!(!input.truncated);
        // The separator itself may be what is cut.
        assert_eq!(ner(3, &["a"], &["b"]).ids, [0, A, 2]);
        assert_eq!(ner(4, &["a"], &["b"]).ids, [0, A, 2, 2]);
    }

    #[test]
    fn a_word_that_does_not_fit_whole_ends_x() {
        // "ab" has two ids and only one place is left; "a" would fit there and must not be taken.
        let input = ner(4, &["a", "ab", "a"], &[]);
        assert_eq!(
            (input.ids, input.words, input.truncated),
            (vec![0, A, 2], std::iter::once(1..2).collect(), true)
        );
        // What is left of the room goes to the contexts, behind the separator.
        assert_eq!(ner(5, &["a", "b", "ab"], &["b"]).ids, [0, A, B, 2, 2]);
        let input = ner(2, &["a"], &["b"]);
        assert_eq!(
            (input.ids, input.words, input.truncated),
            (vec![0, 2], vec![], true)
        );
    }

    #[test]
    fn a_separator_may_have_many_ids_or_none() {
        let mut config = config(16);
        config.separator = vec![2, 2];
        let input = Input::ner(&tokenizer(), &config, &["a"], &["b"]).unwrap();
        assert_eq!(input.ids, [0, A, 2, 2, B, 2]);
        config.separator = vec![];
        let input = Input::ner(&tokenizer(), &config, &["a"], &["b"]).unwrap();
        assert_eq!(input.ids, [0, A, B, 2]);
    }

    /// The order of markers and words, with every id of a marker told apart by its name.
    fn order(
        words: usize,
        subject: Range<usize>,
        object: Range<usize>,
    ) -> (Vec<u32>, Option<[Range<usize>; 2]>) {
        let mut json: serde_json::Value = serde_json::from_str(SMALL).unwrap();
        // Four added tokens stand in for the markers, so that each has an id of its own.
        for (at, marker) in MARKERS.iter().enumerate() {
            let token = serde_json::json!({"id": 9 + at, "content": marker, "single_word": false,
                "lstrip": false, "rstrip": false, "normalized": false, "special": false});
            json["added_tokens"].as_array_mut().unwrap().push(token);
        }
        let tokenizer = Tokenizer::new(json.to_string().as_bytes()).unwrap();
        let words = vec!["a"; words];
        let none: [&str; 0] = [];
        let input = Input::re(&tokenizer, &config(32), &words, subject, object, &none).unwrap();
        let inner = &input.ids[1..input.ids.len() - 1];
        (inner.to_vec(), input.markers)
    }

    #[test]
    fn markers_stand_directly_around_their_words() {
        const S: u32 = 9; // <S>, then </S> 10, <O> 11, </O> 12
        for (subject, object, expected, markers) in [
            (0..1, 2..3, vec![S, A, 10, A, 11, A, 12], [1..2, 5..6]),
            (2..3, 0..1, vec![11, A, 12, A, S, A, 10], [5..6, 1..2]),
            // The one ends where the other starts: closing first, it belongs to the word before.
            (0..1, 1..3, vec![S, A, 10, 11, A, A, 12], [1..2, 4..5]),
            (1..3, 0..1, vec![11, A, 12, S, A, A, 10], [4..5, 1..2]),
            // The same words, nested and overlapping: the subject's first where two coincide.
            (0..3, 0..3, vec![S, 11, A, A, A, 10, 12], [1..2, 2..3]),
            (0..1, 0..3, vec![S, 11, A, 10, A, A, 12], [1..2, 2..3]),
            (0..3, 1..2, vec![S, A, 11, A, 12, A, 10], [1..2, 3..4]),
            (0..2, 1..3, vec![S, A, 11, A, 10, A, 12], [1..2, 3..4]),
            (1..3, 0..3, vec![11, A, S, A, A, 10, 12], [3..4, 1..2]),
        ] {
            let got = order(3, subject.clone(), object.clone());
            assert_eq!(
                got,
                (expected, Some(markers)),
                "subject {subject:?}, object {object:?}"
            );
        }
    }

    #[test]
    fn a_marker_is_encoded_like_a_word() {
        let none: [&str; 0] = [];
        let input = Input::re(&tokenizer(), &config(32), &["a", "b"], 0..1, 1..2, &none).unwrap();
        let expected = [&[0][..], &M, &[A], &M, &M, &[B], &M, &[2]].concat();
        assert_eq!(input.ids, expected);
        assert_eq!(input.markers, Some([1..3, 6..8]));
        assert_eq!(input.words, [3..4, 8..9]);
    }

    #[test]
    fn an_opening_marker_past_the_cut_is_lost() {
        let re = |max_length| {
            let words = ["a", "a", "a"];
            let none: [&str; 0] = [];
            Input::re(&tokenizer(), &config(max_length), &words, 0..1, 2..3, &none).unwrap()
        };
        // <s> <S> a </S> a <O> a </O> </s> takes 1 2 1 2 1 2 1 2 1 = 13 ids.
        assert!(!re(13).truncated);
        // Losing the closing marker or the object's word truncates, but <O> still has its place.
        for max_length in [12, 11, 10] {
            assert!(re(max_length).truncated);
            assert_eq!(re(max_length).markers, Some([1..3, 7..9]), "{max_length}");
        }
        assert_eq!(re(9).markers, None);
        assert_eq!(re(9).ids, [0, 6, 3, A, 6, 3, A, 2]);
    }

    #[test]
    fn refuses_spans_outside_the_words() {
        let none: [&str; 0] = [];
        let backwards = Range { start: 2, end: 1 };
        for (subject, object) in [
            (0..0, 1..2),
            (0..1, 2..3),
            (backwards, 0..1),
            (0..usize::MAX, 0..1),
        ] {
            let words = ["a", "b"];
            let error = Input::re(&tokenizer(), &config(32), &words, subject, object, &none);
            assert_eq!(error.unwrap_err().kind(), crate::ErrorKind::Input);
        }
    }
}

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;

use crate::error::{Error, ErrorKind, Result};

/// A tokenizer, read from a `tokenizer.json`. Clones share it.
///
/// It never adds special tokens, truncates or pads, whatever its file says: the input of a model is
/// put together by [`Input`](crate::Input).
#[derive(Clone)]
pub struct Tokenizer(Arc<tokenizers::Tokenizer>);

impl Tokenizer {
    /// Reads the bytes of a `tokenizer.json`.
    ///
    /// # Errors
    /// Of kind `Tokenizer` where they are not one.
    pub fn new(json: &[u8]) -> Result<Self> {
        let read = || -> Result<_, tokenizers::Error> {
            let mut tokenizer = tokenizers::Tokenizer::from_bytes(json)?;
            tokenizer.with_truncation(None)?;
            tokenizer.with_padding(None);
            Ok(tokenizer)
        };
        match catch_unwind(read) {
            Ok(Ok(tokenizer)) => Ok(Self(Arc::new(tokenizer))),
            Ok(Err(error)) => {
                let message = format!("the tokenizer cannot be read: {error}");
                Err(Error::caused(ErrorKind::Tokenizer, message, error))
            }
            Err(_) => {
                let message = "the tokenizer cannot be read: the library that reads it panicked";
                Err(Error::new(ErrorKind::Tokenizer, message))
            }
        }
    }

    /// The ids of a text, without special tokens; there may be none.
    ///
    /// # Errors
    /// Of kind `Tokenizer` where the tokenizer fails on the text.
    pub fn encode(&self, text: &str) -> Result<Vec<u32>> {
        let encoded = catch_unwind(AssertUnwindSafe(|| self.0.encode_fast(text, false)));
        match encoded {
            Ok(Ok(encoding)) => Ok(encoding.get_ids().to_vec()),
            Ok(Err(error)) => {
                let message = format!("the tokenizer failed on {}: {error}", quoted(text));
                Err(Error::caused(ErrorKind::Tokenizer, message, error))
            }
            Err(_) => {
                let message = format!("the tokenizer panicked on {}", quoted(text));
                Err(Error::new(ErrorKind::Tokenizer, message))
            }
        }
    }

    /// The ids of one word, encoded by itself; there may be none, which [`Input`](crate::Input) takes
    /// for `<unk>`.
    ///
    /// # Errors
    /// As [`encode`](Self::encode).
    pub fn word(&self, word: &str) -> Result<Vec<u32>> {
        self.encode(word)
    }

    /// How many ids the tokenizer knows, added tokens included.
    pub fn vocabulary(&self) -> usize {
        self.0.get_vocab_size(true)
    }
}

impl std::fmt::Debug for Tokenizer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Tokenizer({} ids)", self.vocabulary())
    }
}

/// The beginning of a text, for a message.
fn quoted(text: &str) -> String {
    const SHOWN: usize = 40;
    match text.char_indices().nth(SHOWN) {
        Some((end, _)) => format!("`{}…`", &text[..end]),
        None => format!("`{text}`"),
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;

    /// A Unigram tokenizer of a few pieces, with the pre-tokenizer of XLM-R. Cut by hand.
    pub(crate) const SMALL: &str = r#"{"version": "1.0",
        "truncation": {"direction": "Right", "max_length": 2, "strategy": "LongestFirst", "stride": 0},
        "padding": null,
        "added_tokens": [
            {"id": 0, "content": "<s>", "single_word": false, "lstrip": false, "rstrip": false, "normalized": false, "special": true},
            {"id": 2, "content": "</s>", "single_word": false, "lstrip": false, "rstrip": false, "normalized": false, "special": true}],
        "normalizer": null,
        "pre_tokenizer": {"type": "Metaspace", "replacement": "▁", "prepend_scheme": "always", "split": true},
        "post_processor": null, "decoder": null,
        "model": {"type": "Unigram", "unk_id": 3, "byte_fallback": false, "vocab": [
            ["<s>", 0.0], ["<pad>", 0.0], ["</s>", 0.0], ["<unk>", 0.0],
            ["▁a", -1.0], ["▁b", -1.0], ["▁", -2.0], ["a", -2.0], ["b", -2.0]]}}"#;

    #[test]
    fn a_file_that_truncates_does_not() {
        let tokenizer = Tokenizer::new(SMALL.as_bytes()).unwrap();
        assert_eq!(tokenizer.encode("a b ab a").unwrap(), [4, 5, 4, 8, 4]);
    }

    #[test]
    fn a_word_may_have_no_ids() {
        let tokenizer = Tokenizer::new(SMALL.as_bytes()).unwrap();
        assert!(tokenizer.word("").unwrap().is_empty());
    }

    #[test]
    fn refuses_bytes_that_are_no_tokenizer() {
        for bytes in [&b""[..], b"{}", b"\xff\xfe", b"{\"model\": 3}"] {
            assert_eq!(
                Tokenizer::new(bytes).unwrap_err().kind(),
                ErrorKind::Tokenizer
            );
        }
    }
}

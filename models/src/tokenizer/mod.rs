//! Tokenizers: a text becomes the ids that a model reads.
//!
//! There are two of them behind one type. What [`Compiled`] can compile, the Unigram models of XLM-R, is read
//! where it lies in the map of a `.weights` file: opening it costs microseconds and no memory. Everything else
//! (CLIP's BPE) is a `tokenizer.json` that the crate `tokenizers` reads into the heap.

mod arriving;
mod unigram;

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;

use morelet_mapped::Bytes;

use crate::error::{Error, ErrorKind, Result};

pub(crate) use arriving::Arriving;
use unigram::Unigram;
pub use unigram::{Compiled, NotCompiled};

/// A tokenizer. Clones share it.
///
/// It never adds special tokens, truncates or pads, whatever its file says: the input of a model is
/// put together by [`Input`](crate::Input).
#[derive(Clone)]
pub struct Tokenizer(Kind);

#[derive(Clone)]
enum Kind {
    /// Read from a `tokenizer.json`.
    Library(Arc<tokenizers::Tokenizer>),
    /// Compiled.
    Unigram(Arc<Unigram>),
}

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
            Ok(Ok(tokenizer)) => Ok(Self(Kind::Library(Arc::new(tokenizer)))),
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

    /// The tokenizer in the sections `unigram` and `pieces` of a file.
    pub(crate) fn mapped(head: &Bytes, pieces: Bytes) -> Result<Self> {
        let unigram = Unigram::open(head, pieces)?;
        Ok(Self(Kind::Unigram(Arc::new(unigram))))
    }

    /// The ids of a text, without special tokens; there may be none.
    ///
    /// # Errors
    /// Of kind `Tokenizer` where the tokenizer fails on the text; of kind `File` where it lies in a file that
    /// is damaged.
    pub fn encode(&self, text: &str) -> Result<Vec<u32>> {
        let library = match &self.0 {
            Kind::Unigram(unigram) => return unigram.encode(text),
            Kind::Library(library) => library,
        };
        let encoded = catch_unwind(AssertUnwindSafe(|| library.encode_fast(text, false)));
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
        match &self.0 {
            Kind::Library(library) => library.get_vocab_size(true),
            Kind::Unigram(unigram) => unigram.vocabulary(),
        }
    }

    /// Whether it is read from the map, and not by the crate `tokenizers`.
    pub fn is_compiled(&self) -> bool {
        matches!(self.0, Kind::Unigram(_))
    }

    /// The texts of the added tokens, where a library knows them.
    fn added_tokens(&self) -> Vec<String> {
        match &self.0 {
            Kind::Library(library) => {
                let tokens = library.get_added_tokens_decoder();
                tokens.values().map(|token| token.content.clone()).collect()
            }
            Kind::Unigram(_) => Vec::new(),
        }
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

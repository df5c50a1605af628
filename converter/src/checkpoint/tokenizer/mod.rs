//! The tokenizer of a checkpoint, as one `tokenizer.json`, whatever it was before.

mod clip;
mod sentencepiece;

use super::{Checkpoint, json};
use crate::{Error, Result};
use serde::Deserialize;
use serde_json::Value;
use std::collections::HashMap;
use std::path::{Path, PathBuf};

/// Four times the largest tokenizer.json of the models that we read (XLM-R: 17 MB with every option).
const MAX_TOKENIZER: u64 = 64 << 20;

/// The tokenizer.json of CLIP's `vocab.json` and `merges.txt`.
pub(crate) fn clip_tokenizer(vocab: &Path, merges: &Path) -> Result<Value> {
    clip::tokenizer(vocab, merges, MAX_TOKENIZER)
}

/// A tokenizer.json, and the ids in it that a model's hyper-parameters need.
#[derive(Debug)]
pub(crate) struct TokenizerFile {
    /// The bytes of a tokenizer.json.
    pub(crate) json: Vec<u8>,
    /// The file that it was, or was made of.
    pub(crate) path: PathBuf,
    /// Ids of the tokens that have a name here, and the largest id.
    tokens: Tokens,
}

#[derive(Debug, Default)]
struct Tokens {
    unk: Option<u32>,
    named: HashMap<&'static str, u32>,
    largest: u32,
}

/// Tokens whose ids are hyper-parameters, or are checked against them.
const NAMED: [&str; 6] = [
    "<s>",
    "<pad>",
    "</s>",
    "<unk>",
    "<|startoftext|>",
    "<|endoftext|>",
];

impl TokenizerFile {
    /// The tokenizer of an XLM-R.
    pub(crate) fn xlmr(checkpoint: &Checkpoint) -> Result<Self> {
        if let Some(path) = checkpoint.existing("tokenizer.json") {
            return Self::read(path);
        }
        let Some(path) = checkpoint.existing("sentencepiece.bpe.model") else {
            let message = "no tokenizer: expected tokenizer.json or sentencepiece.bpe.model beside config.json";
            return Err(Error::input(message).at(checkpoint.file("tokenizer.json")));
        };
        let bytes = json::read_bytes(&path, MAX_TOKENIZER)?;
        let tokenizer =
            sentencepiece::tokenizer(&bytes).map_err(|message| Error::input(message).at(&path))?;
        Self::new(tokenizer.to_string().into_bytes(), path)
    }

    /// The tokenizer of a CLIP.
    pub(crate) fn clip(checkpoint: &Checkpoint) -> Result<Self> {
        if let Some(path) = checkpoint.existing("tokenizer.json") {
            return Self::read(path);
        }
        let (Some(vocab), Some(merges)) = (
            checkpoint.existing("vocab.json"),
            checkpoint.existing("merges.txt"),
        ) else {
            let message = "no tokenizer: expected tokenizer.json, or vocab.json and merges.txt, beside config.json";
            return Err(Error::input(message).at(checkpoint.file("tokenizer.json")));
        };
        let tokenizer = clip::tokenizer(&vocab, &merges, MAX_TOKENIZER)?;
        Self::new(tokenizer.to_string().into_bytes(), vocab)
    }

    /// A tokenizer.json by itself.
    pub(crate) fn read(path: PathBuf) -> Result<Self> {
        let json = json::read_bytes(&path, MAX_TOKENIZER)?;
        Self::new(json, path)
    }

    fn new(json: Vec<u8>, path: PathBuf) -> Result<Self> {
        let file: File = json::parse(&json, &path).map_err(|error| error.at(&path))?;
        Ok(Self {
            tokens: file.tokens(),
            json,
            path,
        })
    }

    /// The id that stands for what the tokenizer does not know.
    pub(crate) fn unk(&self) -> Result<u32> {
        let unk = self.tokens.unk.or_else(|| self.id("<unk>"));
        unk.ok_or_else(|| {
            Error::input("expected an unknown token (`model.unk_id`, or `<unk>`), got none")
                .at(&self.path)
        })
    }

    /// The id of a token that must be there.
    pub(crate) fn required(&self, token: &'static str) -> Result<u32> {
        self.id(token).ok_or_else(|| {
            Error::input(format!("expected the token `{token}`, got none")).at(&self.path)
        })
    }

    /// The id of a token, one of [`NAMED`].
    pub(crate) fn id(&self, token: &'static str) -> Option<u32> {
        self.tokens.named.get(token).copied()
    }

    /// The largest id that a text can become.
    pub(crate) fn largest(&self) -> u32 {
        self.tokens.largest
    }
}

/// The parts of a tokenizer.json that hold ids.
#[derive(Deserialize)]
struct File {
    #[serde(default)]
    added_tokens: Vec<AddedToken>,
    model: Model,
}

#[derive(Deserialize)]
struct AddedToken {
    id: u32,
    content: String,
}

#[derive(Deserialize)]
struct Model {
    #[serde(default)]
    unk_id: Option<u32>,
    #[serde(default)]
    unk_token: Option<String>,
    vocab: Vocabulary,
}

/// Pieces with scores in the order of their ids (Unigram), or tokens with ids (BPE and others).
#[derive(Deserialize)]
#[serde(untagged)]
enum Vocabulary {
    Pieces(Vec<(String, f64)>),
    Tokens(HashMap<String, u32>),
}

impl File {
    fn tokens(&self) -> Tokens {
        let mut tokens = Tokens {
            unk: self.model.unk_id,
            ..Tokens::default()
        };
        let mut add = |content: &str, id: u32| {
            tokens.largest = tokens.largest.max(id);
            if let Some(name) = NAMED.iter().find(|name| **name == content) {
                tokens.named.insert(name, id);
            }
            if self.model.unk_token.as_deref() == Some(content) {
                tokens.unk = Some(id);
            }
        };
        match &self.model.vocab {
            Vocabulary::Pieces(pieces) => {
                // Files are bounded to far fewer than 2³² pieces.
                pieces
                    .iter()
                    .zip(0..)
                    .for_each(|((piece, _), id)| add(piece, id));
            }
            Vocabulary::Tokens(ids) => ids.iter().for_each(|(token, id)| add(token, *id)),
        }
        self.added_tokens
            .iter()
            .for_each(|token| add(&token.content, token.id));
        tokens
    }
}

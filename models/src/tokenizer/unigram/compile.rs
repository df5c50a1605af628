//! Compiling a `tokenizer.json`: what of it can be, laid out, and compared with `tokenizers`.

use std::collections::BTreeMap;
use std::sync::Arc;

use tokenizers::ModelWrapper;
use tokenizers::models::unigram::Unigram as Model;

use super::double_array::double_array;
use super::stages::{File, steps, words};
use super::verify::verify;
use super::viterbi::MOST_PIECE;
use super::{ALIGNMENT, Data, Head, Span, Unigram};
use crate::error::Result;
use crate::tokenizer::{Kind, Tokenizer};

/// What an unknown character scores less than the worst piece.
const UNKNOWN_PENALTY: f64 = 10.0;

/// A piece and its score.
type Piece<'a> = &'a (String, f64);

/// A tokenizer as it is stored in the sections `unigram` and `pieces` of a `.weights` file.
pub struct Compiled {
    pub(super) head: Head,
    pub(super) pieces: Arc<[u8]>,
}

/// Why a tokenizer was not compiled. Its `tokenizer.json` serves as it is.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct NotCompiled(String);

impl Compiled {
    /// Compiles the bytes of a `tokenizer.json`, of which [`Tokenizer::new`] made `reference`, and compares the
    /// ids of all its pieces and of many awkward texts with those of the reference. That takes some seconds
    /// for 250,000 pieces.
    ///
    /// # Errors
    /// Says what of the file is not supported, or where the ids differ.
    pub fn new(json: &[u8], reference: &Tokenizer) -> std::result::Result<Self, NotCompiled> {
        let compiled = Self::unverified(json, reference).map_err(NotCompiled)?;
        let (_, pieces) = pieces(reference).map_err(NotCompiled)?;
        let pieces: Vec<&str> = pieces.iter().map(|(piece, _)| piece.as_str()).collect();
        verify(reference, &compiled.tokenizer(), &pieces).map_err(NotCompiled)?;
        Ok(compiled)
    }

    /// The tokenizer itself, over memory.
    pub fn tokenizer(&self) -> Tokenizer {
        Tokenizer(Kind::Unigram(Arc::new(Unigram {
            head: self.head.clone(),
            data: Data::Memory(self.pieces.clone()),
        })))
    }

    /// The bytes of the section `unigram`.
    pub(crate) fn head(&self) -> Result<Vec<u8>> {
        Ok(morelet_mapped::encode(&self.head)?)
    }

    /// The bytes of the section `pieces`.
    pub(crate) fn pieces(&self) -> &[u8] {
        &self.pieces
    }

    /// Compiles without comparing.
    pub(super) fn unverified(
        json: &[u8],
        reference: &Tokenizer,
    ) -> std::result::Result<Self, String> {
        let file = File::parse(json)?;
        let (model, vocabulary) = pieces(reference)?;
        let mut section = Section::default();
        let mut ids: BTreeMap<&[u8], u32> = BTreeMap::new();
        let (mut longest, mut least) = (0, f64::INFINITY);
        for ((piece, score), id) in vocabulary.iter().zip(0..) {
            // Of two equal pieces the last one counts. An empty one is never found.
            if !piece.is_empty() {
                ids.insert(piece.as_bytes(), id);
            }
            longest = longest.max(piece.len());
            least = least.min(*score);
        }
        if longest > MOST_PIECE {
            return Err(format!(
                "a piece is {longest} bytes long: expected at most {MOST_PIECE}"
            ));
        }
        let trie = section.put_units(&double_array(&ids)?);
        let scores = vocabulary.iter().flat_map(|(_, score)| score.to_le_bytes());
        let scores = section.put(&scores.collect::<Vec<_>>());
        let [raw, normalized] = file.added(reference, &mut section)?;
        let (split_white, metaspace) = words(reference)?;
        let head = Head {
            pieces: vocabulary.len() as u32,
            vocabulary: reference.vocabulary() as u32,
            unk: file.unk()?,
            unk_score: least - UNKNOWN_PENALTY,
            byte_fallback: model.byte_fallback(),
            longest: longest as u32,
            trie,
            scores,
            raw,
            normalized,
            steps: steps(reference, &mut section)?,
            split_white,
            metaspace,
        };
        head.check(section.0.len() as u64)?;
        Ok(Self {
            head,
            pieces: section.0.into(),
        })
    }
}

/// The section `pieces` as it grows.
#[derive(Default)]
pub(super) struct Section(Vec<u8>);

impl Section {
    pub(super) fn put(&mut self, bytes: &[u8]) -> Span {
        self.0.resize(self.0.len().next_multiple_of(ALIGNMENT), 0);
        let offset = self.0.len() as u64;
        self.0.extend_from_slice(bytes);
        Span {
            offset,
            len: bytes.len() as u64,
        }
    }

    pub(super) fn put_units(&mut self, units: &[u32]) -> Span {
        let bytes: Vec<u8> = units.iter().flat_map(|unit| unit.to_le_bytes()).collect();
        self.put(&bytes)
    }
}

impl std::fmt::Debug for Compiled {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let (pieces, bytes) = (self.head.pieces, self.pieces.len());
        write!(f, "Compiled({pieces} pieces, {bytes} bytes)")
    }
}

/// The pieces with their scores, in the order of their ids, and the model that has them.
fn pieces(reference: &Tokenizer) -> std::result::Result<(&Model, Vec<Piece<'_>>), String> {
    match &reference.0 {
        Kind::Library(library) => match library.get_model() {
            ModelWrapper::Unigram(model) => Ok((model, model.iter().collect())),
            ModelWrapper::BPE(_) => Err("the model is a BPE, not a Unigram".to_owned()),
            ModelWrapper::WordPiece(_) => Err("the model is a WordPiece, not a Unigram".to_owned()),
            ModelWrapper::WordLevel(_) => Err("the model is a WordLevel, not a Unigram".to_owned()),
        },
        Kind::Unigram(_) => Err("the tokenizer is compiled already".to_owned()),
    }
}

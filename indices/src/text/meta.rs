//! What a text index says of itself, and the names of its sections.

use morelet_mapped::{Container, decode};

use super::analyzer::Analyzer;
use crate::error::{Error, Result};

/// The section of [`Meta`], encoded with bincode.
pub(super) const META: &str = "meta";
/// The section of terms' numbers.
pub(super) const DICTIONARY: &str = "dictionary";
/// The section of sentences' lengths.
pub(super) const LENGTHS: &str = "lengths";
/// The revision of these sections.
pub(super) const REVISION: u32 = 1;

/// What an index must know before it can read itself.
#[derive(Clone, Debug, PartialEq, bincode::Encode, bincode::Decode)]
pub(super) struct Meta {
    /// The name of the analyzer.
    pub analyzer: String,
    pub k1: f32,
    pub b: f32,
    /// All sentences.
    pub sentences: u32,
    /// Those that have a term.
    pub with_terms: u32,
    pub paragraphs: u32,
    /// Different terms.
    pub terms: u32,
    /// Terms of all sentences, repetitions counted.
    pub tokens: u64,
    /// Pairs of a term and a sentence that has it.
    pub postings: u64,
}

impl Meta {
    /// Reads and checks what `container` says of itself.
    pub fn read(container: &Container) -> Result<(Meta, Analyzer)> {
        let bytes = container.section(META, REVISION..=REVISION)?;
        let meta: Meta = decode(&bytes)?;
        let refuse = |message: String| Err(Error::from(bytes.corrupt(0, message)));
        let Ok(analyzer) = meta.analyzer.parse() else {
            return refuse(format!(
                "the analyzer: expected standard or english, got {:?}",
                meta.analyzer
            ));
        };
        if let Err(error) = check(meta.k1, meta.b) {
            return refuse(error.to_string());
        }
        let (sentences, tokens) = (u64::from(meta.sentences), meta.tokens);
        if meta.sentences == u32::MAX
            || meta.with_terms > meta.sentences
            || meta.paragraphs > meta.sentences
            || (meta.paragraphs == 0) != (meta.sentences == 0)
            || u64::from(meta.terms) > meta.postings
            || meta.postings > tokens
            || u64::from(meta.with_terms) > meta.postings
            || meta.postings > sentences.saturating_mul(u64::from(meta.terms))
        {
            return refuse(format!("counts that contradict each other: {meta:?}"));
        }
        Ok((meta, analyzer))
    }
}

/// Checks BM25's parameters.
pub(super) fn check(k1: f32, b: f32) -> Result<()> {
    if !(k1.is_finite() && k1 >= 0.0) {
        return Err(Error::input(format_args!(
            "k1: expected a number from 0, got {k1}"
        )));
    }
    if !(0.0..=1.0).contains(&b) {
        return Err(Error::input(format_args!(
            "b: expected a number from 0 to 1, got {b}"
        )));
    }
    Ok(())
}

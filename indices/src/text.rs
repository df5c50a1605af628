//! The index of sentences: analysis, dictionary, postings, BM25.

mod analyzer;
#[cfg(feature = "build")]
pub(crate) mod anchors;
mod character_ranges;
mod characters;
mod grammar;
mod porter;
mod tokenizer;

pub use analyzer::Analyzer;

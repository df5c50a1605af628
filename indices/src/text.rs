//! The index of sentences: analysis, dictionary, postings, BM25.

mod analyzer;
#[cfg(feature = "build")]
pub(crate) mod anchors;
mod bm25;
#[cfg(feature = "build")]
mod build;
mod character_ranges;
mod characters;
mod dictionary;
mod grammar;
mod index;
mod lengths;
mod meta;
mod packing;
mod paragraphs;
mod porter;
mod postings;
mod search;
mod tokenizer;

pub use analyzer::Analyzer;
#[cfg(feature = "build")]
pub use build::{Article, ParagraphText, TextIndexBuilder, TextOptions};
pub use index::{Paragraph, ParagraphId, SentenceHit, SentenceId, TextIndex};

#[cfg(test)]
mod tests;

//! The index of sentences.
//!
//! A query goes through the modules in this order: `analyzer` (with `tokenizer`, whose words are those of `grammar`
//! over the classes of `characters`, and `porter`) makes terms of it; `dictionary` numbers them; `postings` (with
//! `packing`) lists the sentences that have them; `bm25` (with `lengths`) scores those; `search` keeps the best; and
//! `paragraphs` says where they stand. `index` holds these together, `build` writes what they read.

mod analyzer;
pub(crate) mod anchors;
mod bm25;
#[cfg(feature = "build")]
mod build;
mod character_ranges;
mod characters;
mod dictionary;
mod explain;
mod filter;
mod grammar;
mod impacts;
mod index;
mod lengths;
mod meta;
mod packing;
mod paragraphs;
mod porter;
mod postings;
mod query;
mod search;
mod segment;
mod snippet;
mod tokenizer;

pub use analyzer::Analyzer;
#[cfg(feature = "build")]
pub use build::{
    Article, MergeOptions, ParagraphText, TextIndexBuilder, TextOptions, merge_text_indexes,
};
pub use explain::{Explanation, TermExplanation};
pub use filter::Filter;
pub use index::{Paragraph, ParagraphId, SearchOptions, SentenceHit, SentenceId, TextIndex};
pub use snippet::{SNIPPET_CHARACTERS, Snippet};

#[cfg(test)]
mod tests;

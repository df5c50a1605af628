//! The index of sentences: analysis, dictionary, postings, BM25.

mod analyzer;
mod character_ranges;
mod characters;
mod grammar;
mod porter;
mod tokenizer;

pub use analyzer::Analyzer;

//! Two indices, searched from mapped files.
//!
//! A sentence or a picture comes in; contexts that may help to understand it come out. What is looked up is a *key*:
//! a sentence of a corpus, or a picture. What comes back is the *value* behind it: the paragraph that the
//! sentence is of, or the title and introduction of the picture's article.
//!
//! * [`TextIndex`] finds sentences by their words, with BM25 as Lucene computes it: the same analysis, the same
//!   lengths rounded to a byte, the same floats.
//! * [`ImageIndex`] finds pictures by their CLIP features, with a graph of neighbours (HNSW).
//!
//! Both are one file in the container of `morelet-mapped`. Opening maps it and reads little more than its
//! table of sections, so it takes microseconds whatever the size; searching touches the pages that it needs, and any number of
//! threads may do it at once.
//!
//! ```
//! use morelet_indices::{Article, ParagraphText, TextIndex, TextIndexBuilder, TextOptions};
//!
//! # fn main() -> Result<(), morelet_indices::Error> {
//! # let folder = tempfile::tempdir().unwrap();
//! # let path = folder.path().join("text.index");
//! let mut builder = TextIndexBuilder::create(&path, TextOptions::default())?;
//! builder.add(&Article {
//!     id: "1208".into(),
//!     title: "Alan Turing".into(),
//!     paragraphs: vec![ParagraphText::Text("He was born in London. He studied at Cambridge.".into())],
//! })?;
//! builder.finish(&mut |_done, _total| {})?;
//!
//! let index = TextIndex::open(&path, Default::default())?;
//! let hits = index.retrieve("Where did Turing study? At Cambridge!", 10, false)?;
//! assert_eq!((hits[0].key.as_str(), hits[0].title.as_str()), ("1", "Alan Turing"));
//! assert_eq!(hits[0].value, "He was born in London. He studied at Cambridge.");
//! # Ok(())
//! # }
//! ```
//!
//! # The files
//!
//! Every section has a revision of its own, and all but `meta`, `image.meta` and `centre` are bulk: they grow with the corpus, their
//! hashes are checked on request only, and whatever is read from them is checked where it is read. A damaged file gives an
//! error that names the place, or, where its hashes were not checked, maybe another answer; never a panic. Opened with
//! `Verify::Full` it gives an error or the right answer.
//!
//! ```text
//! text.index                                        image.index
//!   meta               analyzer, k1, b, counts        image.meta     dimension, precision, recalls, CLIP's identity
//!   dictionary         term → number (an fst)         nodes          records: row, scale, links
//!   terms, .groups     number → df, postings          centre         the mean of all features
//!   postings           sentences and tfs, packed      rerank         i8: what the integers leave
//!   lengths            a byte for each sentence       ids, .starts   node → pictures
//!   paragraphs.starts  sentence → paragraph           values, …      as in a text index
//!   paragraphs.ranks
//!   values             id, title, text: zstd blocks
//!   values.blocks      paragraph → block
//!   values.dictionary  what zstd may know beforehand
//! ```
//!
//! The modules draw each of them. The same input gives the same bytes, whatever the memory and the threads that it
//! was built with.
//!
//! # Features
//!
//! `build` adds the writers and the sentence splitter. An application that only searches compiles neither them nor
//! what they depend on.

#![deny(missing_docs)]
#![deny(unsafe_code)]

mod error;
mod hit;
mod image;
mod kernels;
#[cfg(feature = "build")]
pub mod sentences;
#[cfg(feature = "build")]
mod spool;
mod store;
mod text;
mod varint;

pub use error::{Error, ErrorKind, Result};
pub use hit::Hit;
pub use image::{
    DEFAULT_EF, ImageFilter, ImageId, ImageIndex, ImageSearchOptions, Recall, Vectors,
    feature_fault,
};
#[cfg(feature = "build")]
pub use image::{ImageEntry, ImageIndexBuilder, ImageOptions};
pub use store::Value;
pub use text::{
    Analyzer, Explanation, Filter, Paragraph, ParagraphId, SNIPPET_CHARACTERS, SearchOptions,
    SentenceHit, SentenceId, Snippet, TermExplanation, TextIndex,
};
#[cfg(feature = "build")]
pub use text::{
    Article, MergeOptions, ParagraphText, TextIndexBuilder, TextOptions, merge_text_indexes,
};

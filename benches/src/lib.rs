//! What the benchmarks share: samples and their percentiles, and the files that they read.
//!
//! Speed is measured here and never asserted by a test: machines are shared and noisy. `benches/README.md` has the
//! commands; results are kept by date under `benches/results/`, each with the command that repeats it.
//!
//! | program | what it does |
//! |---|---|
//! | `prepare_text` | writes a corpus, or the sentences of a test set, as lines of terms |
//! | `generate_text` | writes a corpus of any size with the statistics of a real one |
//! | `text_stats` | says what a search has to do with in a corpus: to compare a made one with a real one |
//! | `text_search` | measures a search by BM25 in an index of any kind |
//! | `text_peers` (feature `peers`) | measures the same searches in tantivy and Lucene, turn by turn with ours |
//! | `text_plot` | draws how the time grows with the corpus |
//! | `image_search` | builds an index of pictures and measures searches in it; `benches/peers/images` asks it by turns with others |
//! | `image_plot` | draws how time, memory and building grow with the number of pictures |
//!
//! `morelet bench` measures the latency of every module of a bundle.
//!
//! # Lines of terms
//!
//! Engines are compared on the same terms, whatever their own analysis: a file has a sentence a line, its terms joined
//! by single spaces, as [`Analyzer::Standard`](morelet_indices::Analyzer) makes them. That analysis leaves such a line
//! as it is, so our index, which knows no other, reads the same terms as one that splits at spaces. In a corpus an
//! empty line ends an article; among queries it is a query without terms. All files may be compressed (`.zst`).
#![forbid(unsafe_code)]

mod clock;
mod growth;
mod lines;
mod npy;
mod plot;
mod process;
mod random;
mod sample;
mod test_set;

pub use clock::{Clock, Taken};
pub use growth::{Grown, GrowthOptions, Source, grow};
pub use lines::{Lines, open, terms_of};
pub use npy::{Element, Npy};
pub use plot::{Line, Plot};
pub use process::{major_faults, memory};
pub use sample::Samples;
pub use test_set::{TestSet, words};

/// What the programs of this crate fail with.
pub type Error = Box<dyn std::error::Error + Send + Sync>;
/// A result of this crate.
pub type Result<T> = std::result::Result<T, Error>;

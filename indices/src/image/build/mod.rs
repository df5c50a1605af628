//! Building an index of pictures.
//!
//! The crate `instant-distance` makes graphs with the paper's heuristic, but by one thread if they are to be the same
//! each time, and a large one takes long. So the pictures are put into groups of pictures that are alike (`groups`), the
//! groups into shards of some ten thousand, and the crate makes a graph of each shard (`hnsw`): several at a time, each by one
//! thread. The graphs are joined by three passes over all nodes (`refine`): each node looks through what is there for its
//! nearest neighbours, anywhere, chooses among them by the heuristic, and those chosen choose again, with it among their
//! candidates. A pass reads the graph of the pass before and writes another, so that nothing depends on how many threads there
//! are. At last, what cannot be reached is linked (`connect`).
//!
//! Distances are those of 8-bit integers (`rows`), whatever the index keeps. Rows and records lie in scratch files that are
//! mapped; what stays in memory is below 700 bytes a feature.

mod append;
mod builder;
mod connect;
mod features;
mod groups;
mod hnsw;
mod links;
mod measure;
mod options;
mod order;
mod refine;
mod relay;
mod rows;
mod work;
mod write;

pub use builder::ImageIndexBuilder;
pub use options::{ImageEntry, ImageOptions};

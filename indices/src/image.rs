//! The index of pictures: CLIP features in a graph (HNSW), searched from the map.
//!
//! Malkov and Yashunin, *Efficient and robust approximate nearest neighbor search using Hierarchical Navigable
//! Small World graphs* (arXiv 1603.09320). What a search reads of a node lies together, and needs no parsing:
//!
//! ```text
//! image.meta     dimension, precision, counts, measured recalls, the identity of the CLIP that made the features
//! nodes          n records: row, scale, bias, links (`record`)
//! centre         d × f32: the mean of all features, which is taken off every row
//! rerank         n rows of i8, with i8 unless left out: what the integers leave, for the last candidates of a search
//! ids            the numbers of the pictures of node 0, then of node 1, …, ascending for each: u32
//! ids.starts     (n + 1) × u32: where in `ids` those of a node begin, and the end
//! values …       id, title and introduction of each picture, in the order in which they were added
//! ```
//!
//! Of HNSW's layers only the lowest is kept. The upper ones are there to find a place to begin at: here a search compares
//! the query with some hundred medoids, which are nodes 0, 1, 2, …, and begins at the best of them. The other nodes follow
//! group by group, so that those that are alike lie together.
//!
//! A search compares 8-bit integers, of one byte a dimension. Its last candidates it puts into order by integers and what
//! they leave, rounded to integers of a finer unit: that is 16 bits a dimension in all, with an error in scores of less
//! than 1e-6 as a rule, where halves would miss one neighbour in two thousand. Inner products do not change their order when
//! the same vector is taken off every feature (`query`), and the mean of CLIP's features is long, with a few large values:
//! without it the same bits say more.
//!
//! Pictures with the same feature are one node. An encyclopedia shows the same flag a thousand times, and in a graph
//! a thousand equal nodes spend all of their links on each other: of 5000 pictures of which 3000 were equal, a search
//! for ten found nine of the true ones, and some pictures could not be reached at all.
//!
//! All but `image.meta` and `centre` is bulk and believed by nobody: neighbours and ids are checked where they are
//! read, and a search visits no node twice, so that it ends whatever the links say.

mod batch;
mod beam;
#[cfg(feature = "build")]
mod build;
mod candidate;
mod exact;
mod filter;
mod hits;
mod index;
mod marks;
mod meta;
mod nodes;
mod query;
mod recall;
mod record;
mod search;
#[cfg(all(test, feature = "build"))]
mod tests;
mod vectors;

#[cfg(feature = "build")]
pub use build::{ImageEntry, ImageIndexBuilder, ImageOptions};
pub use filter::ImageFilter;
pub use index::{DEFAULT_EF, ImageId, ImageIndex, ImageSearchOptions};
pub use recall::Recall;
pub use vectors::{Vectors, feature_fault};

//! The index of pictures: CLIP features in a graph (HNSW), searched from the map.
//!
//! Malkov and Yashunin, *Efficient and robust approximate nearest neighbor search using Hierarchical Navigable
//! Small World graphs* (arXiv 1603.09320). The graph is built by the crate `instant-distance`, with the paper's
//! heuristic, and laid anew in a form that needs no parsing:
//!
//! ```text
//! image.meta     dimension, precision, counts of nodes, the identity of the CLIP that made the features
//! vectors        n rows, one per node: f16, or i8 (padded to 64 bytes a row)
//! scales         n × f32, with i8 only: a row is its integers times its scale
//! links          n × 64 × u32: the neighbours of each node in layer 0, nearest first; 4294967295 where there is none
//! links.upper    the same with 32 links, for the nodes of layer 1, then of layer 2, …
//! ids            n × u32: the number of a node's picture
//! values …       id, title and introduction of each picture, in the order in which they were added
//! ```
//!
//! Nodes are numbered so that the nodes of a layer are the first of those of the layer below: node 0 is where every
//! search begins. All but `image.meta` is bulk and believed by nobody: neighbours and ids are checked where they are
//! read, and a search visits no node twice, so that it ends whatever the links say.

use morelet_mapped::{Container, Kind, OpenOptions, Slice, decode};

use crate::error::{Error, Result};
use crate::hit::{Hit, join_equal_values};
use crate::store::ValueStore;

#[cfg(feature = "build")]
mod builder;
mod graph;
mod meta;
#[cfg(feature = "build")]
mod relay;
mod search;
#[cfg(all(test, feature = "build"))]
mod tests;
mod vectors;

#[cfg(feature = "build")]
pub use builder::{ImageEntry, ImageIndexBuilder, ImageOptions};
pub use vectors::Vectors;

use graph::Graph;
use meta::Meta;
use vectors::Rows;

/// The number of a picture: its place in the order in which pictures were added.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ImageId(pub u32);

/// How many candidates a search keeps unless told otherwise: `ef` in the paper. More finds more of the true nearest
/// neighbours and takes longer.
pub const DEFAULT_EF: usize = 100;

/// An index of pictures, searched from the map. `&self` serves any number of threads.
#[derive(Debug)]
pub struct ImageIndex {
    container: Container,
    meta: Meta,
    rows: Rows,
    graph: Graph,
    ids: Slice<u32>,
    values: ValueStore,
}

impl ImageIndex {
    /// Opens an index and checks what [`Container::open`] checks, and that the sections have the lengths that the
    /// counts ask for.
    pub fn open(path: impl AsRef<std::path::Path>, options: OpenOptions) -> Result<ImageIndex> {
        ImageIndex::from_container(Container::open(path, Kind::ImageIndex, options)?)
    }

    /// The index inside a container that is open already.
    pub fn from_container(container: Container) -> Result<ImageIndex> {
        let bytes = container.section(meta::META, meta::REVISION..=meta::REVISION)?;
        let meta: Meta = decode(&bytes)?;
        meta.check().map_err(|message| bytes.corrupt(0, message))?;
        let ids = container.section(meta::IDS, meta::REVISION..=meta::REVISION)?;
        meta::check_len(&ids, u64::from(meta.len) * 4)?;
        Ok(ImageIndex {
            rows: Rows::open(&container, &meta)?,
            graph: Graph::open(&container, &meta)?,
            ids: ids.typed()?,
            values: ValueStore::open(&container, meta.len)?,
            meta,
            container,
        })
    }

    /// The container that the index lies in.
    pub fn container(&self) -> &Container {
        &self.container
    }

    /// The number of pictures.
    pub fn len(&self) -> u32 {
        self.meta.len
    }

    /// Whether there is no picture.
    pub fn is_empty(&self) -> bool {
        self.meta.len == 0
    }

    /// The length of a feature.
    pub fn dim(&self) -> usize {
        self.meta.dim as usize
    }

    /// How the features are kept.
    pub fn vectors(&self) -> Vectors {
        self.meta.vectors
    }

    /// The identity of the CLIP checkpoint that made the features (64 hexadecimal digits): features of another one
    /// cannot be compared with them.
    pub fn clip_identity(&self) -> &str {
        &self.meta.clip_identity
    }

    /// The `k` pictures whose features have the largest inner product with `feature`, best first, with it; among
    /// equals the one that was added first. `feature` is L2-normalized here. `ef` is raised to `k` where it is less.
    ///
    /// # Errors
    /// A feature of another length, or without a direction; links that point outside the index.
    pub fn search(&self, feature: &[f32], k: usize, ef: usize) -> Result<Vec<(ImageId, f32)>> {
        let query = self.query(feature)?;
        let found = search::search(&self.graph, &self.rows, &query, ef.max(k))?;
        self.best(found, k)
    }

    /// As [`ImageIndex::search`], but compares with every picture: the truth that a recall is measured against.
    pub fn search_exact(&self, feature: &[f32], k: usize) -> Result<Vec<(ImageId, f32)>> {
        let query = self.query(feature)?;
        let mut row = self.rows.buffer();
        let all = (0..self.meta.len)
            .map(|node| (self.rows.inner_product(node, &query, &mut row), node))
            .collect();
        self.best(all, k)
    }

    /// The best `k` keys with their values; pictures with equal values are returned once, unless `keys`.
    pub fn retrieve(&self, feature: &[f32], k: usize, keys: bool) -> Result<Vec<Hit>> {
        let found = self.search(feature, k, DEFAULT_EF)?;
        let hits = found.iter().enumerate().map(|(place, &(image, score))| {
            let hit = self.value(image)?;
            Ok(Hit {
                rank: place + 1,
                score,
                ..hit
            })
        });
        let hits = hits.collect::<Result<Vec<Hit>>>()?;
        Ok(if keys { hits } else { join_equal_values(hits) })
    }

    /// The value of a picture, as a hit of rank 0 and score 0.
    pub fn value(&self, image: ImageId) -> Result<Hit> {
        let value = self.values.get(image.0)?;
        Ok(Hit {
            rank: 0,
            score: 0.0,
            key: value.id.clone(),
            value: join_title(&value.title, &value.text),
            id: value.id,
            title: value.title,
        })
    }

    fn query(&self, feature: &[f32]) -> Result<Vec<f32>> {
        if feature.len() != self.dim() {
            return Err(Error::input(format_args!(
                "the feature has another length than those in the index: expected {}, got {}",
                self.dim(),
                feature.len()
            )));
        }
        vectors::normalize(feature)
    }

    /// The best `k` of `found`, by picture.
    fn best(&self, found: Vec<(f32, u32)>, k: usize) -> Result<Vec<(ImageId, f32)>> {
        let mut best = Vec::with_capacity(found.len());
        for (score, node) in found {
            let image = self.ids[node as usize];
            if image >= self.meta.len {
                return Err(self
                    .container
                    .section(meta::IDS, meta::REVISION..=meta::REVISION)?
                    .corrupt(
                        u64::from(node) * 4,
                        format!("picture {image} is outside the index of {}", self.meta.len),
                    )
                    .into());
            }
            best.push((ImageId(image), score));
        }
        best.sort_by(|a, b| b.1.total_cmp(&a.1).then(a.0.cmp(&b.0)));
        best.truncate(k);
        Ok(best)
    }
}

/// The context that an expert reads: title and introduction.
fn join_title(title: &str, intro: &str) -> String {
    match (title.is_empty(), intro.is_empty()) {
        (true, _) => intro.to_owned(),
        (_, true) => title.to_owned(),
        _ => format!("{title} {intro}"),
    }
}

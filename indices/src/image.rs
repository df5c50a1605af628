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
//! ids            the numbers of the pictures of node 0, then of node 1, …, ascending for each: u32
//! ids.starts     (n + 1) × u32: where in `ids` those of a node begin, and the end
//! values …       id, title and introduction of each picture, in the order in which they were added
//! ```
//!
//! Pictures with the same feature are one node. An encyclopedia shows the same flag a thousand times, and in a graph
//! a thousand equal nodes spend all of their links on each other: of 5000 pictures of which 3000 were equal, a search
//! for ten found nine of the true ones, and some pictures could not be reached at all.
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

/// How to search for pictures.
#[derive(Clone, Copy, Debug)]
pub struct ImageSearchOptions<'a> {
    /// How many pictures to find.
    pub k: usize,
    /// How many candidates the search keeps; raised to `k` where it is less.
    pub ef: usize,
    /// Compare with every picture: the truth that a recall is measured against.
    pub exact: bool,
    /// Find only these.
    pub filter: Option<&'a ImageFilter>,
}

impl Default for ImageSearchOptions<'_> {
    fn default() -> Self {
        Self { k: 10, ef: DEFAULT_EF, exact: false, filter: None }
    }
}

/// A set of pictures, made by [`ImageIndex::filter`] for the index that it filters.
#[derive(Clone, Debug)]
pub struct ImageFilter(std::collections::HashSet<u32>);

/// A measured recall.
#[derive(Clone, Copy, Debug, PartialEq, bincode::Encode, bincode::Decode)]
pub struct Recall {
    /// How many candidates the searches kept.
    pub ef: u32,
    /// How many of the ten nearest neighbours they found, from 0 to 1.
    pub recall: f32,
}

/// An index of pictures, searched from the map. `&self` serves any number of threads.
#[derive(Debug)]
pub struct ImageIndex {
    container: Container,
    meta: Meta,
    rows: Rows,
    graph: Graph,
    ids: Slice<u32>,
    starts: Slice<u32>,
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
        meta::check_len(&ids, u64::from(meta.pictures) * 4)?;
        let starts = container.section(meta::STARTS, meta::REVISION..=meta::REVISION)?;
        meta::check_len(&starts, (u64::from(meta.nodes) + 1) * 4)?;
        Ok(ImageIndex {
            rows: Rows::open(&container, &meta)?,
            graph: Graph::open(&container, &meta)?,
            ids: ids.typed()?,
            starts: starts.typed()?,
            values: ValueStore::open(&container, meta.pictures)?,
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
        self.meta.pictures
    }

    /// Whether there is no picture.
    pub fn is_empty(&self) -> bool {
        self.meta.pictures == 0
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

    /// As [`ImageIndex::search`], with all options.
    pub fn search_with(
        &self,
        feature: &[f32],
        options: &ImageSearchOptions<'_>,
    ) -> Result<Vec<(ImageId, f32)>> {
        let k = if options.filter.is_some() { usize::MAX >> 1 } else { options.k };
        let mut found = match options.exact || options.filter.is_some() {
            true => self.search_exact(feature, k)?,
            false => self.search(feature, k, options.ef)?,
        };
        if let Some(filter) = options.filter {
            found.retain(|&(image, _)| filter.0.contains(&image.0));
        }
        found.truncate(options.k);
        Ok(found)
    }

    /// Searches for many features on `threads` threads (0: as many as the machine has). The answers are those of [`ImageIndex::search_with`], in order.
    pub fn search_batch(
        &self,
        features: &[&[f32]],
        options: &ImageSearchOptions<'_>,
        _threads: usize,
    ) -> Result<Vec<Vec<(ImageId, f32)>>> {
        features.iter().map(|feature| self.search_with(feature, options)).collect()
    }

    /// A filter of these pictures.
    pub fn filter(&self, images: impl IntoIterator<Item = ImageId>) -> ImageFilter {
        ImageFilter(images.into_iter().map(|image| image.0).collect())
    }

    /// The recall@10 that was measured when the index was made, by ascending `ef`; empty where nothing was measured.
    pub fn recall(&self) -> &[Recall] {
        &[]
    }

    /// The least `ef` that was measured to find this part of the ten nearest neighbours; `None` where none was.
    pub fn ef_for(&self, recall: f32) -> Option<usize> {
        self.recall().iter().find(|row| row.recall >= recall).map(|row| row.ef as usize)
    }

    /// The values of what was found; pictures with equal values are returned once, unless `keys`.
    pub fn hits(&self, found: &[(ImageId, f32)], keys: bool) -> Result<Vec<Hit>> {
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
        let all = (0..self.meta.nodes)
            .map(|node| (self.rows.inner_product(node, &query, &mut row), node))
            .collect();
        self.best(all, k)
    }

    /// The best `k` keys with their values; pictures with equal values are returned once, unless `keys`.
    pub fn retrieve(&self, feature: &[f32], k: usize, keys: bool) -> Result<Vec<Hit>> {
        let found = self.search(feature, k, DEFAULT_EF)?;
        self.hits(&found, keys)
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

    /// The best `k` pictures of the nodes in `found`.
    fn best(&self, mut found: Vec<(f32, u32)>, k: usize) -> Result<Vec<(ImageId, f32)>> {
        found.sort_by(|a, b| b.0.total_cmp(&a.0).then(a.1.cmp(&b.1)));
        let mut best: Vec<(ImageId, f32)> = Vec::new();
        for (score, node) in found {
            // Nodes of equal score go together: the pictures of the later one may have been added first.
            if best.len() >= k && best.last().is_some_and(|&(_, worst)| worst != score) {
                break;
            }
            for &image in self.pictures(node)?.iter().take(k) {
                if image >= self.meta.pictures {
                    let message = format!(
                        "picture {image} is outside the index of {}",
                        self.meta.pictures
                    );
                    return Err(self.wrong(meta::IDS, node, message));
                }
                best.push((ImageId(image), score));
            }
            if best.len() > self.ids.len() {
                let message = "the pictures of different nodes overlap".to_owned();
                return Err(self.wrong(meta::STARTS, node, message));
            }
        }
        best.sort_by(|a, b| b.1.total_cmp(&a.1).then(a.0.cmp(&b.0)));
        best.truncate(k);
        Ok(best)
    }

    /// The numbers of the pictures of a node, which must be one.
    fn pictures(&self, node: u32) -> Result<&[u32]> {
        let place = node as usize;
        let (start, end) = (self.starts[place], self.starts[place + 1]);
        self.ids.get(start as usize..end as usize).ok_or_else(|| {
            let message = format!(
                "node {node} has pictures {start} to {end} of {}",
                self.meta.pictures
            );
            self.wrong(meta::STARTS, node, message)
        })
    }

    /// What a section says of `node` cannot be.
    fn wrong(&self, section: &str, node: u32, message: String) -> Error {
        match self
            .container
            .section(section, meta::REVISION..=meta::REVISION)
        {
            Ok(bytes) => bytes.corrupt(u64::from(node) * 4, message).into(),
            Err(error) => error.into(),
        }
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

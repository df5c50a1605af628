//! What an index of pictures is built from, and how.

use crate::error::{Error, Result};
use crate::image::meta::MAX_DIM;
use crate::image::record::MAX_LINKS;
use crate::image::vectors::Vectors;

/// More candidates would find nothing more.
const MOST_CANDIDATES: usize = 1 << 16;
/// Fewer links do not hold a graph together.
const LEAST_LINKS: usize = 4;

/// How an index is built.
#[derive(Clone, Debug, PartialEq)]
pub struct ImageOptions {
    /// The identity of the CLIP checkpoint that makes the features (64 hexadecimal digits).
    pub clip_identity: String,
    /// The length of a feature.
    pub dim: usize,
    /// How the features that are searched are kept.
    pub vectors: Vectors,
    /// Whether what `i8` leaves of the features is kept beside them, as integers of a finer unit, for the last candidates of a search.
    pub rerank: bool,
    /// The most links of a node, from 4 to 64: twice the paper's M. `None` takes [`ImageOptions::DEFAULT_LINKS`], or
    /// [`ImageOptions::FEW_LINKS`] for fewer than [`ImageOptions::FEW`] features that differ. (Of 100,000 CLIP-like features 32 were
    /// 6 % quicker at recall .95, 40 by 60 % at .999. Of 1,480, 24 were quicker by an eighth.)
    pub links: Option<usize>,
    /// How many candidates a node looks at for its links: `efConstruction` in the paper.
    pub ef_construction: usize,
    /// How many threads work; 0 for as many as the machine has. The index does not depend on it.
    pub threads: usize,
}

impl ImageOptions {
    /// [`ImageOptions::links`] unless something else is said.
    pub const DEFAULT_LINKS: usize = 40;
    /// As [`ImageOptions::DEFAULT_LINKS`], for few features.
    pub const FEW_LINKS: usize = 24;
    /// Fewer features are few.
    pub const FEW: u32 = 4096;
    /// [`ImageOptions::ef_construction`] unless something else is said.
    pub const DEFAULT_EF_CONSTRUCTION: usize = 100;

    /// The defaults for features of one CLIP.
    pub fn new(clip_identity: impl Into<String>, dim: usize) -> ImageOptions {
        ImageOptions {
            clip_identity: clip_identity.into(),
            dim,
            vectors: Vectors::default(),
            rerank: true,
            links: None,
            ef_construction: ImageOptions::DEFAULT_EF_CONSTRUCTION,
            threads: 0,
        }
    }

    /// Refuses what no index can be built with.
    pub(super) fn check(&self) -> Result<()> {
        if self.dim == 0 || self.dim > MAX_DIM as usize {
            return Err(Error::input(format_args!(
                "a feature is 1 to {MAX_DIM} long, not {}",
                self.dim
            )));
        }
        let links = LEAST_LINKS..=MAX_LINKS as usize;
        if let Some(most) = self.links.filter(|most| !links.contains(most)) {
            return Err(Error::input(format_args!(
                "a node has {LEAST_LINKS} to {MAX_LINKS} links at most, not {most}"
            )));
        }
        if !(1..=MOST_CANDIDATES).contains(&self.ef_construction) {
            return Err(Error::input(format_args!(
                "a node looks at 1 to {MOST_CANDIDATES} candidates, not {}",
                self.ef_construction
            )));
        }
        Ok(())
    }

    /// The most links of each of so many nodes.
    pub(super) fn most_links(&self, nodes: u32) -> usize {
        self.links.unwrap_or(match nodes {
            0..ImageOptions::FEW => ImageOptions::FEW_LINKS,
            _ => ImageOptions::DEFAULT_LINKS,
        })
    }

    /// Whether remainders are kept.
    pub(super) fn reranks(&self) -> bool {
        self.rerank && self.vectors == Vectors::I8
    }
}

/// One picture of the encyclopedia.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ImageEntry<'a> {
    /// The key.
    pub id: &'a str,
    /// The title of the article that the picture belongs to.
    pub title: &'a str,
    /// The introduction of that article.
    pub intro: &'a str,
}

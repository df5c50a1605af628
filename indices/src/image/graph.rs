//! The links between nodes, read from the map.

use morelet_mapped::{Bytes, Container, Slice};

use super::meta::{Meta, REVISION, check_len};
use crate::error::Result;

/// The section of links of the lowest layer.
pub(crate) const LINKS: &str = "links";
/// The section of links of the layers above.
pub(crate) const UPPER: &str = "links.upper";
/// Links of a node in the lowest layer.
pub(crate) const DEGREE: usize = 64;
/// Links of a node in the layers above.
pub(crate) const UPPER_DEGREE: usize = 32;
/// Where a node has fewer links.
pub(crate) const NONE: u32 = u32::MAX;

/// All layers of the graph.
#[derive(Clone, Debug)]
pub(crate) struct Graph {
    zero: Layer,
    /// From below.
    upper: Vec<Layer>,
}

/// One layer: which nodes each node knows.
#[derive(Clone, Debug)]
pub(crate) struct Layer {
    bytes: Bytes,
    links: Slice<u32>,
    degree: usize,
    len: u32,
}

impl Graph {
    pub fn open(container: &Container, meta: &Meta) -> Result<Graph> {
        let zero = container.section(LINKS, REVISION..=REVISION)?;
        check_len(&zero, u64::from(meta.nodes) * 4 * DEGREE as u64)?;
        let bytes = container.section(UPPER, REVISION..=REVISION)?;
        let sizes = meta
            .upper
            .iter()
            .map(|&len| u64::from(len) * 4 * UPPER_DEGREE as u64);
        check_len(&bytes, sizes.clone().sum())?;
        let mut start = 0;
        let mut upper = Vec::with_capacity(meta.upper.len());
        for (&len, size) in meta.upper.iter().zip(sizes) {
            upper.push(Layer::new(
                bytes.slice(start..start + size)?,
                UPPER_DEGREE,
                len,
            )?);
            start += size;
        }
        let zero = Layer::new(zero, DEGREE, meta.nodes)?;
        Ok(Graph { zero, upper })
    }

    /// The number of nodes.
    pub fn len(&self) -> u32 {
        self.zero.len
    }

    /// The layers from the highest to the lowest.
    pub fn descend(&self) -> impl Iterator<Item = &Layer> {
        self.upper.iter().rev().chain(std::iter::once(&self.zero))
    }
}

impl Layer {
    fn new(bytes: Bytes, degree: usize, len: u32) -> Result<Layer> {
        let links = bytes.typed()?;
        Ok(Layer {
            bytes,
            links,
            degree,
            len,
        })
    }

    /// The neighbours of `node`, nearest first. `node` must be in the layer, and each that is answered is.
    pub fn neighbours(&self, node: u32) -> impl Iterator<Item = Result<u32>> {
        let start = node as usize * self.degree;
        let links = &self.links[start..start + self.degree];
        let links = links.iter().take_while(|&&link| link != NONE);
        links.enumerate().map(move |(place, &link)| {
            if link < self.len {
                return Ok(link);
            }
            let message = format!(
                "a link of node {node} leads to node {link}: expected one of the {} in its layer",
                self.len
            );
            Err(self
                .bytes
                .corrupt((start + place) as u64 * 4, message)
                .into())
        })
    }
}

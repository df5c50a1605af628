//! What an image index says about itself.

use bincode::{Decode, Encode};
use morelet_mapped::Bytes;

use super::vectors::Vectors;
use crate::error::Result;

/// The section of [`Meta`].
pub(crate) const META: &str = "image.meta";
/// The section of picture numbers, by node.
pub(crate) const IDS: &str = "ids";
/// The section that says where the numbers of each node begin.
pub(crate) const STARTS: &str = "ids.starts";
/// The revision of all sections of the index but those of the values.
pub(crate) const REVISION: u32 = 1;

/// The longest feature that an index takes. CLIP's are 512 to 1024 long.
pub(crate) const MAX_DIM: u32 = 65_536;
/// The most layers above the lowest. Each has 0.29 times the nodes of the one below.
const MAX_LAYERS: usize = 64;

/// The section `image.meta`.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
pub(crate) struct Meta {
    /// The identity of the CLIP that made the features.
    pub clip_identity: String,
    /// The length of a feature.
    pub dim: u32,
    /// The number of nodes: of features that differ.
    pub nodes: u32,
    /// The number of pictures.
    pub pictures: u32,
    /// How the features are kept.
    pub vectors: Vectors,
    /// The numbers of nodes in the layers above the lowest, from below.
    pub upper: Vec<u32>,
}

impl Meta {
    /// What must hold between the counts before any of them is used.
    pub fn check(&self) -> Result<(), String> {
        if !(1..=MAX_DIM).contains(&self.dim) {
            return Err(format!(
                "a feature is {} long: expected 1 to {MAX_DIM}",
                self.dim
            ));
        }
        if self.nodes > self.pictures || (self.nodes == 0) != (self.pictures == 0) {
            return Err(format!(
                "{} nodes for {} pictures: expected one to each, or fewer",
                self.nodes, self.pictures
            ));
        }
        if self.upper.len() > MAX_LAYERS {
            return Err(format!(
                "{} layers: expected at most {MAX_LAYERS}",
                self.upper.len()
            ));
        }
        let mut below = self.nodes;
        for &layer in &self.upper {
            if layer == 0 || layer > below {
                return Err(format!(
                    "a layer has {layer} nodes: expected 1 to {below}, as many as the one below"
                ));
            }
            below = layer;
        }
        Ok(())
    }
}

/// Refuses a section of another length than the counts ask for.
pub(crate) fn check_len(bytes: &Bytes, expected: u64) -> Result<()> {
    if bytes.len() as u64 != expected {
        let message = format!(
            "the section has another length than its index asks for: expected {expected}, got {}",
            bytes.len()
        );
        return Err(bytes.corrupt(0, message).into());
    }
    Ok(())
}

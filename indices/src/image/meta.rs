//! What an image index says about itself.

use bincode::{Decode, Encode};
use morelet_mapped::Bytes;

use super::recall::Recall;
use super::record::{Layout, MAX_LINKS};
use super::vectors::Vectors;
use crate::error::Result;

/// The section of [`Meta`].
pub(crate) const META: &str = "image.meta";
/// The section of records, one for each node.
pub(crate) const NODES: &str = "nodes";
/// The section of what rows are differences from.
pub(crate) const CENTRE: &str = "centre";
/// The section of what rows of integers leave, for the last candidates.
pub(crate) const RERANK: &str = "rerank";
/// The section of picture numbers, by node.
pub(crate) const IDS: &str = "ids";
/// The section that says where the numbers of each node begin.
pub(crate) const STARTS: &str = "ids.starts";
/// The revision of all sections of the index but those of the values.
pub(crate) const REVISION: u32 = 4;

/// The longest feature that an index takes. CLIP's are 512 to 1024 long.
pub(crate) const MAX_DIM: u32 = 65_536;
/// The most pictures of an index: a search numbers nodes with 31 bits.
pub(crate) const MAX_PICTURES: u32 = i32::MAX as u32;
/// The most rows of the table of recalls.
const MAX_RECALLS: usize = 256;

/// The section `image.meta`.
#[derive(Clone, Debug, PartialEq, Encode, Decode)]
pub(crate) struct Meta {
    /// The identity of the CLIP that made the features.
    pub clip_identity: String,
    /// The length of a feature.
    pub dim: u32,
    /// The number of nodes: of features that differ.
    pub nodes: u32,
    /// The number of pictures.
    pub pictures: u32,
    /// How the features that are searched are kept.
    pub vectors: Vectors,
    /// Whether what their integers leave is kept for the last candidates.
    pub rerank: bool,
    /// The most links of a node.
    pub links: u32,
    /// How many of the first nodes a search may begin at.
    pub entries: u32,
    /// What searches found when the index was made.
    pub recall: Vec<Recall>,
}

impl Meta {
    /// What must hold between the counts before any of them is used.
    pub fn check(&self) -> Result<(), String> {
        let expect = |holds: bool, what: String| if holds { Ok(()) } else { Err(what) };
        expect(
            (1..=MAX_DIM).contains(&self.dim),
            format!("a feature is {} long: expected 1 to {MAX_DIM}", self.dim),
        )?;
        expect(
            self.nodes <= self.pictures && (self.nodes == 0) == (self.pictures == 0),
            format!(
                "{} nodes for {} pictures: expected one to each, or fewer",
                self.nodes, self.pictures
            ),
        )?;
        expect(
            self.pictures <= MAX_PICTURES,
            format!(
                "{} pictures: expected at most {MAX_PICTURES}",
                self.pictures
            ),
        )?;
        expect(
            !self.rerank || self.vectors == Vectors::I8,
            format!(
                "rows of {} leave nothing: expected remainders of i8 only",
                self.vectors
            ),
        )?;
        expect(
            (1..=MAX_LINKS).contains(&self.links),
            format!(
                "nodes have up to {} links: expected 1 to {MAX_LINKS}",
                self.links
            ),
        )?;
        expect(
            self.entries <= self.nodes && (self.entries == 0) == (self.nodes == 0),
            format!(
                "searches begin at {} of {} nodes: expected one, or more",
                self.entries, self.nodes
            ),
        )?;
        expect(
            self.recall.len() <= MAX_RECALLS
                && self.recall.is_sorted_by(|a, b| a.ef < b.ef)
                && self
                    .recall
                    .iter()
                    .all(|row| (0.0..=1.0).contains(&row.recall)),
            "the measured recalls are in no order, or not between 0 and 1".to_owned(),
        )
    }

    /// How the records lie.
    pub fn layout(&self) -> Layout {
        Layout::new(self.vectors, self.dim as usize, self.links, self.nodes)
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

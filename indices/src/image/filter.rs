//! A filter: which pictures a search may find.

use morelet_mapped::Hash;

/// A set of pictures, made by [`ImageIndex::filter`](crate::ImageIndex::filter) for the index that it filters. It
/// takes a bit for each picture and each node.
#[derive(Clone)]
pub struct ImageFilter {
    /// A bit for each picture.
    pictures: Vec<u64>,
    /// A bit for each node that has such a picture.
    nodes: Vec<u64>,
    /// How many nodes that are.
    count: u32,
    /// The index.
    root: Hash,
}

impl ImageFilter {
    /// No pictures, for the index `root` with so many pictures and nodes.
    pub(super) fn none(pictures: u32, nodes: u32, root: Hash) -> ImageFilter {
        let words = |count: u32| vec![0; count.div_ceil(64) as usize];
        ImageFilter {
            pictures: words(pictures),
            nodes: words(nodes),
            count: 0,
            root,
        }
    }

    /// Adds a picture. Its node is added by [`ImageFilter::add_node`].
    pub(super) fn add(&mut self, picture: u32) {
        if let Some(word) = self.pictures.get_mut(picture as usize / 64) {
            *word |= 1 << (picture % 64);
        }
    }

    /// Adds a node.
    pub(super) fn add_node(&mut self, node: u32) {
        if let Some(word) = self.nodes.get_mut(node as usize / 64) {
            self.count += u32::from(*word & 1 << (node % 64) == 0);
            *word |= 1 << (node % 64);
        }
    }

    /// Whether a picture is in it.
    pub(super) fn has(&self, picture: u32) -> bool {
        bit(&self.pictures, picture)
    }

    /// Whether a node has a picture that is in it.
    pub(super) fn has_node(&self, node: u32) -> bool {
        bit(&self.nodes, node)
    }

    /// How many nodes have such a picture.
    pub(super) fn nodes(&self) -> u32 {
        self.count
    }

    /// Whether this was made for the index `root`.
    pub(super) fn fits(&self, root: Hash) -> bool {
        self.root == root
    }
}

fn bit(words: &[u64], number: u32) -> bool {
    words
        .get(number as usize / 64)
        .is_some_and(|word| word >> (number % 64) & 1 == 1)
}

impl std::fmt::Debug for ImageFilter {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let pictures: u64 = self
            .pictures
            .iter()
            .map(|word| u64::from(word.count_ones()))
            .sum();
        f.debug_struct("ImageFilter")
            .field("pictures", &pictures)
            .finish_non_exhaustive()
    }
}

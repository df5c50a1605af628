//! A graph in the making: so many links for each node at most.

use morelet_mapped::Pages;

use crate::error::{Error, Result};

/// The links of all nodes.
#[derive(Debug)]
pub(super) struct Links {
    /// The most of a node.
    most: usize,
    /// Room for `most` of each.
    all: Pages<u32>,
    degrees: Vec<u8>,
}

impl Links {
    /// Of so many nodes, each without links. `most` is 64 at most.
    pub fn new(nodes: u32, most: usize) -> Result<Links> {
        let all = Pages::zeroed(nodes as usize * most).map_err(|error| {
            Error::input(format_args!(
                "no memory for {most} links of each of {nodes} nodes: {error}"
            ))
        })?;
        Ok(Links {
            most,
            all,
            degrees: vec![0; nodes as usize],
        })
    }

    /// Of no nodes.
    pub fn none(most: usize) -> Links {
        Links {
            most,
            all: Pages::none(),
            degrees: Vec::new(),
        }
    }

    /// The most links of a node.
    pub fn most(&self) -> usize {
        self.most
    }

    /// The number of nodes.
    pub fn len(&self) -> u32 {
        self.degrees.len() as u32
    }

    /// Adds nodes without links until there are so many, and keeps so many links of each at most.
    pub fn resize(&mut self, nodes: u32, most: usize) -> Result<()> {
        let nodes = nodes.max(self.len());
        if (nodes, most) == (self.len(), self.most) {
            return Ok(());
        }
        let mut resized = Links::new(nodes, most)?;
        for node in 0..self.len() {
            resized.set(node, self.of(node).iter().copied());
        }
        *self = resized;
        Ok(())
    }

    /// The links of a node.
    #[inline]
    pub fn of(&self, node: u32) -> &[u32] {
        let node = node as usize;
        &self.all[node * self.most..][..usize::from(self.degrees[node])]
    }

    /// Replaces the links of a node; those behind the most are left out.
    pub fn set(&mut self, node: u32, links: impl IntoIterator<Item = u32>) {
        let place = node as usize;
        let mut slot = Slot {
            links: &mut self.all[place * self.most..][..self.most],
            degree: &mut self.degrees[place],
        };
        slot.set(links);
    }

    /// Appends a link, if there is room.
    pub fn push(&mut self, node: u32, link: u32) -> bool {
        let place = node as usize;
        let degree = usize::from(self.degrees[place]);
        if degree == self.most {
            return false;
        }
        self.all[place * self.most + degree] = link;
        self.degrees[place] += 1;
        true
    }

    /// The places of all nodes' links in pieces of `size` nodes, for threads.
    pub fn pieces(&mut self, size: usize) -> Vec<Piece<'_>> {
        let most = self.most;
        let pieces = self.all.chunks_mut(size * most);
        let pieces = pieces.zip(self.degrees.chunks_mut(size));
        let pieces = pieces.enumerate().map(|(place, (all, degrees))| Piece {
            first: (place * size) as u32,
            most,
            all,
            degrees,
        });
        pieces.collect()
    }
}

/// Some nodes in a row.
pub(super) struct Piece<'a> {
    /// The number of the first.
    first: u32,
    most: usize,
    all: &'a mut [u32],
    degrees: &'a mut [u8],
}

impl Piece<'_> {
    /// How many nodes these are.
    pub fn len(&self) -> u64 {
        self.degrees.len() as u64
    }

    /// The places of these nodes' links, each with the node.
    pub fn slots(&mut self) -> impl Iterator<Item = (u32, Slot<'_>)> {
        let slots = self.all.chunks_exact_mut(self.most);
        let slots = slots.zip(&mut *self.degrees);
        let slots = slots.map(|(links, degree)| Slot { links, degree });
        (self.first..).zip(slots)
    }
}

/// The place of one node's links.
pub(super) struct Slot<'a> {
    links: &'a mut [u32],
    degree: &'a mut u8,
}

impl Slot<'_> {
    /// The links.
    pub fn get(&self) -> &[u32] {
        &self.links[..usize::from(*self.degree)]
    }

    /// Replaces the links; those behind the most are left out.
    pub fn set(&mut self, links: impl IntoIterator<Item = u32>) {
        let mut degree = 0;
        for (slot, link) in self.links.iter_mut().zip(links) {
            *slot = link;
            degree += 1;
        }
        *self.degree = degree;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_node_has_links_of_its_own() {
        let mut links = Links::new(3, 4).unwrap();
        links.set(1, [0, 2]);
        links.set(2, [0, 1, 0, 1, 0]);
        assert!(links.push(1, 1) && !links.push(2, 2));
        let all = |links: &Links| -> Vec<Vec<u32>> {
            let nodes = 0..links.len();
            nodes.map(|node| links.of(node).to_vec()).collect()
        };
        links.resize(5, 4).unwrap();
        let expected = [vec![], vec![0, 2, 1], vec![0, 1, 0, 1], vec![], vec![]];
        assert_eq!(all(&links), expected);
        links.resize(0, 6).unwrap();
        assert_eq!((all(&links), links.most()), (expected.to_vec(), 6));
        assert!(links.push(2, 2));
        links.resize(5, 2).unwrap();
        let expected = [vec![], vec![0, 2], vec![0, 1], vec![], vec![]];
        assert_eq!(all(&links), expected);
        for mut piece in links.pieces(2) {
            for (node, mut slot) in piece.slots() {
                slot.set([node]);
            }
        }
        assert!((0..5).all(|node| links.of(node) == [node]));
    }
}

//! Marks on nodes.

/// Nodes, each of which is in it or not.
///
/// A bit for each. Those of eight nodes that follow each other lie in eight words: a search marks many that do, and setting a bit
/// of a word has to wait until the one before is set.
#[derive(Clone, Debug, Default)]
pub(super) struct Marks(Vec<u64>);

/// Words that the bits of nodes in a row are spread over: a cache line.
const SPREAD: u32 = 8;
/// Nodes whose bits lie in one line.
const LINE: u32 = SPREAD * u64::BITS;

impl Marks {
    /// No node of so many.
    #[cfg(any(test, feature = "build"))]
    pub fn none(len: u32) -> Marks {
        let mut marks = Marks::default();
        marks.reset(len);
        marks
    }

    /// Forgets all, and takes nodes below `len` from now on.
    pub fn reset(&mut self, len: u32) {
        self.0.clear();
        self.0.resize(words(len), 0);
    }

    /// Whether there is as much room as [`Marks::reset`] leaves for so many nodes.
    pub fn fits(&self, len: u32) -> bool {
        self.0.len() == words(len)
    }

    /// How many words of bits there are.
    pub fn words(&self) -> usize {
        self.0.len()
    }

    /// Takes what others are, which take as many nodes.
    pub fn copy_from(&mut self, other: &Marks) {
        self.0.clone_from(&other.0);
    }

    /// Whether a node is marked.
    pub fn has(&self, node: u32) -> bool {
        self.0[word(node)] & bit(node) != 0
    }

    /// Marks a node; true the first time.
    #[inline]
    pub fn mark(&mut self, node: u32) -> bool {
        let word = &mut self.0[word(node)];
        let before = *word;
        *word |= bit(node);
        *word != before
    }

    /// Marks nodes, and moves those that were not to the front. Gives how many these are.
    #[inline]
    pub fn mark_all(&mut self, nodes: &mut [u32]) -> usize {
        // Whether a node was marked nobody can predict, so that no branch depends on it.
        let mut new = 0;
        for place in 0..nodes.len() {
            let node = nodes[place];
            nodes[new] = node;
            new += usize::from(self.mark(node));
        }
        new
    }

    /// Takes the marks off nodes, and off some around them.
    pub fn clear_around(&mut self, nodes: &[u32]) {
        for &node in nodes {
            self.0[word(node)] = 0;
        }
    }
}

fn words(len: u32) -> usize {
    (len.div_ceil(LINE) * SPREAD) as usize
}

#[inline]
fn word(node: u32) -> usize {
    (node / LINE * SPREAD + node % SPREAD) as usize
}

#[inline]
fn bit(node: u32) -> u64 {
    1 << (node / SPREAD % u64::BITS)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_node_has_a_mark_of_its_own() {
        let len = 3 * LINE + 5;
        let mut marks = Marks::none(len);
        for node in 0..len {
            assert!(!marks.has(node) && marks.mark(node) && !marks.mark(node));
        }
        assert!((0..len).all(|node| marks.has(node)));
        assert!(marks.fits(len) && !marks.fits(len + LINE));
        marks.reset(len);
        let mut nodes = [5, 7, 5, len - 1, 7, 0];
        let new = marks.mark_all(&mut nodes);
        assert_eq!(nodes[..new], [5, 7, len - 1, 0]);
        marks.clear_around(&nodes[..new]);
        assert!(!(0..len).any(|node| marks.has(node)));
    }
}

//! The best-first search of a graph (algorithm 2 of the paper, on one layer).
//!
//! The candidates are one list in order, of at most `ef`: what is found goes where it belongs, and the first whose links
//! were not followed yet is next.

/// A graph with a query.
pub(super) trait Graph {
    /// What links can be wrong with.
    type Error;

    /// Appends the links of `node`, each below the number of nodes.
    fn links(&self, node: u32, links: &mut Vec<u32>) -> Result<(), Self::Error>;

    /// How near these nodes are to the query; the greater the nearer, and never NaN.
    fn scores(&mut self, nodes: &[u32]) -> &[f32];
}

/// The bit of a candidate that says whether its links were followed. So nodes are numbered below it.
const FOLLOWED: u32 = 1 << 31;

/// A node that was compared with the query.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Candidate {
    pub score: f32,
    /// The node, and [`FOLLOWED`].
    tagged: u32,
}

impl Candidate {
    /// A node, below 2³¹.
    pub fn new(score: f32, node: u32) -> Candidate {
        Candidate {
            score,
            tagged: node,
        }
    }

    /// The node.
    #[inline]
    pub fn node(&self) -> u32 {
        self.tagged & !FOLLOWED
    }

    /// Whether this comes before another: by its score, among equals by its number.
    #[inline]
    pub fn before(&self, other: &Candidate) -> bool {
        self.score > other.score || (self.score == other.score && self.node() < other.node())
    }
}

/// Puts candidates into their order.
pub(super) fn sort(candidates: &mut [Candidate]) {
    candidates.sort_unstable_by(|a, b| b.score.total_cmp(&a.score).then(a.node().cmp(&b.node())));
}

/// The memory of a search, for one after the other.
#[derive(Debug, Default)]
pub(super) struct Beam {
    /// The best nodes so far, best first.
    pub candidates: Vec<Candidate>,
    /// Numbers of nodes to compare.
    pub numbers: Vec<u32>,
    /// A bit for each node that was compared.
    seen: Vec<u64>,
    /// The words of it that are not 0.
    touched: Vec<u32>,
}

impl Beam {
    /// Forgets the search before; the next is of a graph of `len` nodes. Those whose bit is set in `without` are as if they
    /// were not there.
    pub fn begin(&mut self, len: u32, without: Option<&[u64]>) {
        self.candidates.clear();
        let words = len.div_ceil(64) as usize;
        match without {
            Some(without) => {
                self.touched.clear();
                self.touched.extend(0..words as u32);
                self.seen.clear();
                self.seen.extend_from_slice(without);
                self.seen.resize(words, 0);
            }
            None if self.seen.len() == words => {
                for word in self.touched.drain(..) {
                    self.seen[word as usize] = 0;
                }
            }
            None => {
                self.touched.clear();
                self.seen.clear();
                self.seen.resize(words, 0);
            }
        }
    }

    /// Marks a node as compared; true the first time.
    pub fn mark(&mut self, node: u32) -> bool {
        mark(&mut self.seen, &mut self.touched, node)
    }

    /// A node to begin at.
    pub fn enter(&mut self, candidate: Candidate) {
        if self.mark(candidate.node()) {
            let before = |other: &Candidate| other.before(&candidate);
            let place = self.candidates.partition_point(before);
            self.candidates.insert(place, candidate);
        }
    }

    /// Finds about the `ef` nodes nearest to the query that can be reached from those entered.
    pub fn search<G: Graph>(&mut self, graph: &mut G, ef: usize) -> Result<(), G::Error> {
        let Beam {
            candidates,
            numbers,
            seen,
            touched,
        } = self;
        candidates.truncate(ef);
        let mut next = 0;
        while let Some(candidate) = candidates.get_mut(next) {
            next += 1;
            if candidate.tagged & FOLLOWED != 0 {
                continue;
            }
            let node = candidate.node();
            candidate.tagged |= FOLLOWED;
            numbers.clear();
            graph.links(node, numbers)?;
            // Whether a node was seen nobody can predict, so that no branch depends on it.
            let mut new = 0;
            for place in 0..numbers.len() {
                let number = numbers[place];
                numbers[new] = number;
                new += usize::from(mark(seen, touched, number));
            }
            numbers.truncate(new);
            let scores = graph.scores(numbers);
            for (&score, &number) in scores.iter().zip(&*numbers) {
                let found = Candidate::new(score, number);
                if candidates.len() == ef {
                    match candidates.last() {
                        Some(worst) if found.before(worst) => candidates.pop(),
                        _ => continue,
                    };
                }
                let place = candidates.partition_point(|candidate| candidate.before(&found));
                candidates.insert(place, found);
                next = next.min(place);
            }
        }
        Ok(())
    }
}

/// Marks a node; true the first time.
#[inline]
fn mark(seen: &mut [u64], touched: &mut Vec<u32>, node: u32) -> bool {
    let word = &mut seen[node as usize / 64];
    let before = *word;
    if before == 0 {
        touched.push(node / 64);
    }
    *word |= 1 << (node % 64);
    *word != before
}

//! The best-first search of a graph (algorithm 2 of the paper, on one layer).
//!
//! The candidates are one list in order, of at most `ef`: what is found goes where it belongs, and the first whose links
//! were not followed yet is next.

#[cfg(feature = "build")]
use super::candidate::insert;
use super::candidate::{Candidate, offer};
use super::marks::Marks;

/// The links of so many candidates are followed at once: nearly all that is in the list has its turn in the end, and while the rows of one
/// are waited for, those of the other come.
const TOGETHER: usize = 2;

/// A graph with a query.
pub(super) trait Graph {
    /// What links can be wrong with.
    type Error;

    /// Appends the links of `node`, each below the number of nodes.
    fn links(&self, node: u32, links: &mut Vec<u32>) -> Result<(), Self::Error>;

    /// How near these nodes are to the query; the greater the nearer, and never NaN.
    fn scores(&mut self, nodes: &[u32]) -> &[f32];
}

/// The memory of a search, for one after the other.
#[derive(Debug, Default)]
pub(super) struct Beam {
    /// The best nodes so far, best first.
    pub candidates: Vec<Candidate>,
    /// Numbers of nodes to compare.
    pub numbers: Vec<u32>,
    /// The nodes that were compared.
    seen: Marks,
    /// Their numbers: all, or some where these are at least as many as the words of `seen`, and clearing all words is cheaper.
    compared: Vec<u32>,
    /// Whether others are marked too.
    others: bool,
}

impl Beam {
    /// Forgets the search before; the next is of a graph of `len` nodes. Those in `without` are as if they were not there.
    pub fn begin(&mut self, len: u32, without: Option<&Marks>) {
        self.candidates.clear();
        match without {
            Some(without) => self.seen.copy_from(without),
            None if self.seen.fits(len)
                && !self.others
                && self.compared.len() < self.seen.words() =>
            {
                self.seen.clear_around(&self.compared);
            }
            None => self.seen.reset(len),
        }
        self.others = without.is_some();
        self.compared.clear();
    }

    /// Marks a node as compared; true the first time.
    #[cfg(feature = "build")]
    pub fn mark(&mut self, node: u32) -> bool {
        self.compared.push(node);
        self.seen.mark(node)
    }

    /// Marks the candidates.
    pub fn mark_candidates(&mut self) {
        self.numbers.clear();
        let nodes = self.candidates.iter().map(|candidate| candidate.node());
        self.numbers.extend(nodes);
        self.seen.mark_all(&mut self.numbers);
        self.compared.extend_from_slice(&self.numbers);
    }

    /// A node to begin at.
    #[cfg(feature = "build")]
    pub fn enter(&mut self, candidate: Candidate) {
        if self.mark(candidate.node()) {
            insert(&mut self.candidates, candidate);
        }
    }

    /// Finds about the `ef` nodes nearest to the query that can be reached from those entered.
    pub fn search<G: Graph>(&mut self, graph: &mut G, ef: usize) -> Result<(), G::Error> {
        let Beam {
            candidates,
            numbers,
            seen,
            compared,
            ..
        } = self;
        candidates.truncate(ef);
        let mut next = 0;
        loop {
            numbers.clear();
            let mut followed = 0;
            while followed < TOGETHER
                && let Some(candidate) = candidates.get_mut(next)
            {
                next += 1;
                if candidate.follow() {
                    graph.links(candidate.node(), numbers)?;
                    followed += 1;
                }
            }
            if followed == 0 {
                return Ok(());
            }
            let new = seen.mark_all(numbers);
            numbers.truncate(new);
            if compared.len() < seen.words() {
                compared.extend_from_slice(numbers);
            }
            let scores = graph.scores(numbers);
            for (&score, &number) in scores.iter().zip(&*numbers) {
                let place = offer(candidates, Candidate::new(score, number), ef);
                next = next.min(place.unwrap_or(next));
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A ring in which every node has links to some on both sides, and is the nearer the closer its number is to one.
    struct Ring {
        len: u32,
        near: u32,
        damaged: Option<u32>,
        scores: Vec<f32>,
    }

    impl Graph for Ring {
        type Error = u32;

        fn links(&self, node: u32, links: &mut Vec<u32>) -> Result<(), u32> {
            if self.damaged == Some(node) {
                return Err(node);
            }
            let steps = [1, 2, 7, 50, 1000];
            let both = steps.into_iter().flat_map(|step| [step, self.len - step]);
            // One of them twice.
            links.extend(both.chain([1]).map(|step| (node + step) % self.len));
            Ok(())
        }

        fn scores(&mut self, nodes: &[u32]) -> &[f32] {
            self.scores.clear();
            let distances = nodes.iter().map(|&node| -(node.abs_diff(self.near) as f32));
            self.scores.extend(distances);
            &self.scores
        }
    }

    /// What a search finds that begins at node 0, or the node whose links are damaged.
    fn found(
        beam: &mut Beam,
        ring: &mut Ring,
        ef: usize,
        without: Option<&Marks>,
    ) -> Result<Vec<u32>, u32> {
        beam.begin(ring.len, without);
        let score = ring.scores(&[0])[0];
        beam.candidates.push(Candidate::new(score, 0));
        beam.mark_candidates();
        beam.search(ring, ef)?;
        Ok(beam.candidates.iter().map(|found| found.node()).collect())
    }

    /// Searches that compare few of many nodes take only their marks away afterwards.
    #[test]
    fn a_search_knows_nothing_of_those_before_it() {
        let len = 1 << 20;
        let mut without = Marks::none(len);
        (0..len).step_by(3).skip(1).for_each(|node| {
            without.mark(node);
        });
        let mut ring = Ring {
            len,
            near: 0,
            damaged: None,
            scores: Vec::new(),
        };
        let mut beam = Beam::default();
        let words = Marks::none(len).words();
        let mut few = 0;
        for (round, near) in [9_000, 70, 9_100, 8_999, 9_000, 31_000, 9_000, 9_010]
            .into_iter()
            .enumerate()
        {
            ring.near = near;
            // One that fails, one that compares very many, and one with nodes left out are among them.
            ring.damaged = (round == 3).then_some(3000);
            let ef = if round == 5 { 30_000 } else { 20 };
            let without = (round == 6).then_some(&without);
            let fresh = found(&mut Beam::default(), &mut ring, ef, without);
            assert_eq!(found(&mut beam, &mut ring, ef, without), fresh, "{round}");
            assert_eq!(fresh.is_err(), round == 3);
            if let Ok(fresh) = fresh
                && without.is_none()
            {
                assert_eq!((fresh.len(), fresh[0]), (ef, near));
            }
            few += usize::from(beam.compared.len() < words);
        }
        assert_eq!(few, 7);
    }
}

//! Comparing with every node: the truth.

use super::candidate::{Candidate, sort};
use super::nodes::Nodes;
use super::search::{PIECE, Scratch};

/// A list this much longer than it must be is cut.
const SLACK: usize = 1024;

/// Puts the `k` nodes nearest to `scratch.query`, of those that `wanted` has, and all others with the score of the
/// last, into the candidates, best first.
pub(super) fn exact(
    nodes: &Nodes<'_>,
    k: usize,
    wanted: impl Fn(u32) -> bool,
    scratch: &mut Scratch,
) {
    let Scratch {
        query,
        products,
        beam,
    } = scratch;
    let (candidates, numbers) = (&mut beam.candidates, &mut beam.numbers);
    candidates.clear();
    let most = k.saturating_add(SLACK.max(k));
    let mut worst = f32::NEG_INFINITY;
    let mut from = 0;
    while from < nodes.len && k > 0 {
        let to = nodes.len.min(from.saturating_add(PIECE));
        numbers.clear();
        numbers.extend((from..to).filter(|&node| wanted(node)));
        let scores = nodes.exact_scores(query, numbers, products);
        let found = scores.iter().zip(&*numbers);
        candidates.extend(
            found
                .filter(|&(&score, _)| score >= worst)
                .map(|(&score, &node)| Candidate::new(score, node)),
        );
        if candidates.len() > most {
            worst = cut(candidates, k);
        }
        from = to;
    }
    if candidates.len() > k && k > 0 {
        cut(candidates, k);
    }
    sort(candidates);
}

/// Keeps the best `k`, fewer than there are, and those that are as good as the last of them. Gives its score.
fn cut(candidates: &mut Vec<Candidate>, k: usize) -> f32 {
    let (_, last, _) = candidates.select_nth_unstable_by(k - 1, |a, b| b.cmp(a));
    let worst = last.score();
    candidates.retain(|candidate| candidate.score() >= worst);
    worst
}

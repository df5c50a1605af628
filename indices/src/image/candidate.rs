//! What a search has found so far, in one order everywhere.

/// A node that was compared with the query: by its score, among equals by its number.
///
/// Score and node are one integer, so that the better of two is the larger one: the bits of the score, turned so that they
/// ascend with it; then those of the node, inverted; last whether its links were followed, which decides nothing between
/// different nodes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Candidate(u64);

/// The bits of a node. The lowest says whether its links were followed.
const NODE: u64 = 0xFFFF_FFFE;
const FOLLOWED: u64 = 1;
const SIGN: u32 = 1 << 31;

impl Candidate {
    /// A node, below 2³¹, and how near it is: never NaN.
    #[inline]
    pub fn new(score: f32, node: u32) -> Candidate {
        debug_assert!(!score.is_nan() && node < SIGN);
        // There is one zero.
        let bits = (score + 0.0).to_bits();
        let ascending = bits ^ (all_of_sign(bits) | SIGN);
        Candidate(u64::from(ascending) << 32 | !(u64::from(node) << 1) & NODE)
    }

    /// The node.
    #[inline]
    pub fn node(self) -> u32 {
        (!self.0 as u32) >> 1
    }

    /// How near the node is to the query; the greater the nearer.
    #[inline]
    pub fn score(self) -> f32 {
        let ascending = (self.0 >> 32) as u32;
        f32::from_bits(ascending ^ (!all_of_sign(ascending) | SIGN))
    }

    /// Notes that the node's links were followed; true the first time.
    #[inline]
    pub fn follow(&mut self) -> bool {
        let first = self.0 & FOLLOWED == 0;
        self.0 |= FOLLOWED;
        first
    }
}

/// 32 times the highest bit.
#[inline]
fn all_of_sign(bits: u32) -> u32 {
    (bits.cast_signed() >> 31).cast_unsigned()
}

/// Puts candidates into their order, best first.
pub(super) fn sort(candidates: &mut [Candidate]) {
    candidates.sort_unstable_by(|a, b| b.cmp(a));
}

/// Lists up to so long are gone through when something is put into them: no branch depends on where.
const SHORT: usize = 24;

/// Puts a candidate into a list of the best `most`, best first, if it is one of them. Gives its place.
#[inline(always)]
pub(super) fn offer(
    candidates: &mut Vec<Candidate>,
    found: Candidate,
    most: usize,
) -> Option<usize> {
    if candidates.len() < most {
        return Some(insert(candidates, found));
    }
    if candidates.last().is_none_or(|worst| *worst >= found) {
        return None;
    }
    if candidates.len() <= SHORT {
        return Some(pass_on(candidates, found).0);
    }
    let place = place(candidates, found);
    candidates[place..].rotate_right(1);
    candidates[place] = found;
    Some(place)
}

/// Puts a candidate where it belongs in a list in order, best first. Gives its place.
#[inline]
pub(super) fn insert(candidates: &mut Vec<Candidate>, found: Candidate) -> usize {
    if candidates.len() > SHORT {
        let place = place(candidates, found);
        candidates.insert(place, found);
        return place;
    }
    let (place, worst) = pass_on(candidates, found);
    candidates.push(worst);
    place
}

/// Where a candidate belongs.
#[inline]
fn place(candidates: &[Candidate], found: Candidate) -> usize {
    candidates.partition_point(|&candidate| candidate > found)
}

/// Puts a candidate where it belongs, and what is there one further, up to the last, which has no place any more. Gives the
/// place, and the last.
#[inline]
fn pass_on(candidates: &mut [Candidate], found: Candidate) -> (usize, Candidate) {
    let (mut place, mut worse) = (0, found);
    for candidate in candidates {
        place += usize::from(*candidate > found);
        (*candidate, worse) = ((*candidate).max(worse), (*candidate).min(worse));
    }
    (place, worse)
}

#[cfg(test)]
mod tests {
    use super::*;

    const SCORES: [f32; 9] = [
        f32::INFINITY,
        1.5,
        1.0,
        f32::MIN_POSITIVE,
        0.0,
        -1e-40,
        -0.5,
        f32::MIN,
        f32::NEG_INFINITY,
    ];

    #[test]
    fn the_better_is_the_larger() {
        let mut candidates = Vec::new();
        for score in SCORES {
            for node in [0, 1, 2, 1 << 16, i32::MAX as u32] {
                let mut candidate = Candidate::new(score, node);
                assert_eq!((candidate.score(), candidate.node()), (score, node));
                assert!(candidate.follow() && !candidate.follow());
                assert_eq!((candidate.score(), candidate.node()), (score, node));
                candidates.push(candidate);
            }
        }
        assert!(candidates.is_sorted_by(|a, b| a > b));
        assert_eq!(Candidate::new(-0.0, 7), Candidate::new(0.0, 7));
    }

    #[test]
    fn what_is_put_into_a_list_is_where_sorting_puts_it() {
        let mut list = Vec::new();
        for number in 0..3 * SHORT as u32 {
            // Equal scores, and a node for each.
            let score = SCORES[(number * 7 % 32 % 9) as usize];
            let found = Candidate::new(score, number * 37 % 101);
            let mut sorted = list.clone();
            sorted.push(found);
            sort(&mut sorted);
            for most in [1, 5, SHORT, SHORT + 9] {
                let (mut best, mut expected) = (list.clone(), sorted.clone());
                best.truncate(most);
                expected.truncate(most);
                let place = offer(&mut best, found, most);
                assert_eq!(
                    place,
                    expected.iter().position(|&candidate| candidate == found)
                );
                assert_eq!(best, expected);
            }
            let place = insert(&mut list, found);
            assert_eq!(list[place], found);
            assert_eq!(list, sorted);
        }
    }
}

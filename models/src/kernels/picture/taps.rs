//! Which pixels of a row or column make each pixel of the result, with what weights.

use super::{Group, Kernels};

/// The taps of one direction of a resize, packed for one instruction set.
pub(crate) struct Taps {
    runs: Vec<Run>,
    groups: Vec<Group>,
    /// One more than the last source pixel that is read, in whole groups.
    reach: usize,
}

/// The taps of one pixel.
struct Run {
    /// The first source pixel.
    start: usize,
    /// The number of source pixels.
    len: usize,
    /// The first of its groups; they end where those of the next pixel begin.
    group: usize,
}

impl Taps {
    /// Taps by their first source pixel and weights, for each pixel of the result. The weights of a pixel
    /// add up to 1 (`1 << PRECISION`), and their absolute values to less than 2.
    pub(crate) fn new<'a>(
        kernels: &Kernels,
        pixels: impl Iterator<Item = (usize, &'a [i32])>,
    ) -> Self {
        let mut taps = Self {
            runs: Vec::with_capacity(pixels.size_hint().0),
            groups: Vec::new(),
            reach: 0,
        };
        for (start, weights) in pixels {
            taps.runs.push(Run {
                start,
                len: weights.len(),
                group: taps.groups.len(),
            });
            for group in weights.chunks(4) {
                let mut four = [0; 4];
                four[..group.len()].copy_from_slice(group);
                taps.groups.push((kernels.pack)(four));
            }
            let end = start + weights.len().next_multiple_of(4);
            taps.reach = taps.reach.max(end);
        }
        taps
    }

    /// Pixels of the result.
    pub(crate) fn len(&self) -> usize {
        self.runs.len()
    }

    /// One more than the last source pixel that is read. It may lie up to three behind the source: taps are
    /// read by fours, and the weights of what is too much are 0.
    pub(crate) fn reach(&self) -> usize {
        self.reach
    }

    /// First source pixel and number of taps of one pixel.
    pub(super) fn span_of(&self, at: usize) -> (usize, usize) {
        (self.runs[at].start, self.runs[at].len)
    }

    pub(super) fn groups_of(&self, at: usize) -> &[Group] {
        let end = self
            .runs
            .get(at + 1)
            .map_or(self.groups.len(), |run| run.group);
        &self.groups[self.runs[at].group..end]
    }

    /// First source pixel and groups of each pixel, in order.
    pub(super) fn iter(&self) -> impl Iterator<Item = (usize, &[Group])> {
        (0..self.runs.len()).map(|at| (self.runs[at].start, self.groups_of(at)))
    }
}

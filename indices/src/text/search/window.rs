//! The scores of the sentences of a window while they are added up.

use crate::kernels::BLOCK;
use crate::kernels::rows::prefetch;
use crate::kernels::sums::{ByLength, Chance, PLACES, Span, Sums, UNTOUCHED, sum_kernels};

/// The sentences of a window. Of their sums, 256 KiB, a query mostly touches a few; of smaller windows there are too many.
pub(super) const WINDOW: u32 = PLACES as u32;

/// Of sentences that are farther from each other than this, on average, the lengths are fetched ahead.
const FAR_APART: usize = 256;

/// Sums of scores, by place in the window.
pub(super) struct Window {
    /// After a choice, with entries for the candidates only.
    sums: Sums,
    /// A bit for each place.
    bits: Box<[u64; PLACES / 64]>,
}

impl Window {
    /// No sums.
    pub fn new() -> Window {
        Window {
            sums: Sums::new(),
            bits: Box::new([0; _]),
        }
    }

    /// Adds to the sums of these sentences what `gains` has for the length of each.
    #[inline]
    pub fn add(&mut self, sentences: &[u32], span: Span<'_>, gains: &ByLength) {
        fetch_lengths(sentences, span);
        (sum_kernels().add)(&mut self.sums, sentences, span, gains);
    }

    /// Adds to the sums of these sentences what `gain` gives for the index and the length byte of each, which is not −0.
    #[inline]
    pub fn add_each(&mut self, sentences: &[u32], span: Span<'_>, gain: impl Fn(usize, u8) -> f64) {
        fetch_lengths(sentences, span);
        self.sums.add(sentences, span, gain);
    }

    /// Keeps as candidates the places with a sum, or the candidates, that have a chance, and whose bit in `allowed` is set
    /// if that is given: words of 64 from the window's first place on; no words are all zeros.
    pub fn choose(&mut self, allowed: Option<&[u64]>, chance: Chance<'_>) {
        if let Some(allowed) = allowed {
            let word = |place: u32| allowed.get(place as usize / 64).copied();
            self.keep(|place| word(place).unwrap_or(0) >> (place % 64) & 1 == 1);
        }
        (sum_kernels().keep)(&mut self.sums, chance);
    }

    #[inline]
    fn keep(&mut self, wanted: impl Fn(u32) -> bool) {
        let Sums {
            by_place,
            entries,
            count,
        } = &mut self.sums;
        let mut kept = 0;
        for at in 0..*count {
            let entry = entries[at];
            if wanted(entry >> 8) {
                entries[kept] = entry;
                kept += 1;
            } else {
                by_place[(entry >> 8) as usize % PLACES] = UNTOUCHED;
            }
        }
        *count = kept;
    }

    /// The candidates.
    fn entries(&self) -> &[u32] {
        &self.sums.entries[..self.sums.count]
    }

    /// The number of candidates.
    pub fn len(&self) -> usize {
        self.sums.count
    }

    /// Puts the candidates into the order of their places.
    pub fn sort(&mut self) {
        self.sums.entries[..self.sums.count].sort_unstable();
    }

    /// The place and the length byte of candidate `index`.
    #[inline]
    pub fn candidate(&self, index: usize) -> (u32, u8) {
        let entry = self.entries()[index];
        (entry >> 8, entry as u8)
    }

    /// Adds to the sum of a candidate.
    #[inline]
    pub fn add_to_candidate(&mut self, place: u32, score: f64) {
        self.sums.by_place[place as usize % PLACES] += score;
    }

    /// Marks the candidates, for [`members`](Window::members), or takes all marks away.
    pub fn mark(&mut self, marked: bool) {
        for &entry in &self.sums.entries[..self.sums.count] {
            let place = entry >> 8;
            let word = &mut self.bits[place as usize % PLACES / 64];
            match marked {
                true => *word |= 1 << (place % 64),
                false => *word = 0,
            }
        }
    }

    /// Writes down which of these sentences of a window that begins at `start` are marked: their indices, and
    /// gives how many.
    #[inline]
    pub fn members(&self, sentences: &[u32], start: u32, members: &mut [u8; BLOCK]) -> usize {
        let mut count = 0;
        for (&sentence, index) in sentences.iter().zip(0u8..).take(BLOCK) {
            let place = sentence.wrapping_sub(start) as usize % PLACES;
            members[count] = index;
            count += (self.bits[place / 64] >> (place % 64) & 1) as usize;
        }
        count
    }

    /// Hands out the candidates, in the order of their places, and their sums, and is empty again.
    pub fn drain(&mut self, mut take: impl FnMut(u32, f64)) {
        self.sort();
        for &entry in &self.sums.entries[..self.sums.count] {
            let sum = &mut self.sums.by_place[(entry >> 8) as usize % PLACES];
            take(entry >> 8, *sum);
            *sum = UNTOUCHED;
        }
        self.sums.count = 0;
    }

    /// Forgets what a search that failed has left.
    pub fn clear(&mut self) {
        self.keep(|_| false);
        self.bits.fill(0);
    }
}

/// Has the lengths of sentences that are far apart brought near.
#[inline]
fn fetch_lengths(sentences: &[u32], span: Span<'_>) {
    if let [first, .., last] = sentences
        && (last - first) as usize > FAR_APART * sentences.len()
    {
        let each = sentences.iter().map(|&sentence| sentence as usize);
        each.for_each(|sentence| prefetch(&span.lengths[sentence..]));
    }
}

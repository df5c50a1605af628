//! The scores of the sentences of a window while they are added up.

use crate::kernels::rows::prefetch;
use crate::kernels::{BLOCK, Chance, kernels};

/// The sentences of a window. Of their sums, 256 KiB, a query mostly touches a few; of smaller windows there are too many.
pub(super) const WINDOW: u32 = 1 << 15;
const PLACES: usize = WINDOW as usize;

/// What a sum begins with: adding any score to it, also a score of 0, gives that score and is not this any more.
const UNTOUCHED: f64 = -0.0;

/// Of sentences that are farther from each other than this, on average, the lengths are fetched ahead.
const FAR_APART: usize = 256;

/// Sums of scores, by place in the window.
pub(super) struct Window {
    sums: Box<[f64; PLACES]>,
    /// The places whose sum was touched, each once, above the length bytes of their sentences; after a choice those of candidates, in the same
    /// order. One more may be written than there can be.
    places: Box<[u32; PLACES + 1]>,
    count: usize,
    /// A bit for each place.
    bits: Box<[u64; PLACES / 64]>,
}

impl Window {
    /// No sums.
    pub fn new() -> Window {
        Window {
            sums: Box::new([UNTOUCHED; PLACES]),
            places: Box::new([0; PLACES + 1]),
            count: 0,
            bits: Box::new([0; _]),
        }
    }

    /// Adds to the sums of these sentences, of a window that begins at `start`, what `gain` gives for the index and the
    /// length byte of each, which is not −0; `lengths` has one for every sentence.
    #[inline]
    pub fn add(
        &mut self,
        sentences: &[u32],
        start: u32,
        lengths: &[u8],
        gain: impl Fn(usize, u8) -> f64,
    ) {
        let (sums, places) = (&mut *self.sums, &mut *self.places);
        if let [first, .., last] = sentences
            && (last - first) as usize > FAR_APART * sentences.len()
        {
            let each = sentences.iter().map(|&sentence| sentence as usize);
            each.for_each(|sentence| prefetch(&lengths[sentence..]));
        }
        let mut count = self.count;
        for (at, &sentence) in sentences.iter().enumerate() {
            let place = sentence.wrapping_sub(start) % WINDOW;
            let length = lengths[sentence as usize];
            let sum = &mut sums[place as usize];
            // Without a branch: whether it is the first score of its sentence cannot be foreseen.
            places[count] = place << 8 | u32::from(length);
            count += usize::from(sum.to_bits() == UNTOUCHED.to_bits());
            *sum += gain(at, length);
        }
        self.count = count;
    }

    /// Keeps as candidates the places with a sum, or the candidates, that have a chance, and whose bit in `allowed` is set
    /// if that is given: words of 64 from the window's first place on; no words are all zeros.
    pub fn choose(&mut self, allowed: Option<&[u64]>, chance: Chance<'_>) {
        if let Some(allowed) = allowed {
            let word = |place: u32| allowed.get(place as usize / 64).copied();
            self.keep(|place| word(place).unwrap_or(0) >> (place % 64) & 1 == 1);
        }
        let entries = &mut self.places[..self.count];
        self.count = (kernels().keep)(entries, &mut *self.sums, chance, UNTOUCHED);
    }

    #[inline]
    fn keep(&mut self, wanted: impl Fn(u32) -> bool) {
        let (sums, places) = (&mut *self.sums, &mut *self.places);
        let mut kept = 0;
        for at in 0..self.count {
            let entry = places[at];
            if wanted(entry >> 8) {
                places[kept] = entry;
                kept += 1;
            } else {
                sums[(entry >> 8) as usize % PLACES] = UNTOUCHED;
            }
        }
        self.count = kept;
    }

    /// The number of candidates.
    pub fn len(&self) -> usize {
        self.count
    }

    /// Puts the candidates into the order of their places.
    pub fn sort(&mut self) {
        self.places[..self.count].sort_unstable();
    }

    /// The place and the length byte of candidate `index`.
    #[inline]
    pub fn candidate(&self, index: usize) -> (u32, u8) {
        let entry = self.places[index];
        (entry >> 8, entry as u8)
    }

    /// Adds to the sum of a candidate.
    #[inline]
    pub fn add_to_candidate(&mut self, place: u32, score: f64) {
        self.sums[place as usize % PLACES] += score;
    }

    /// Marks the candidates, for [`members`](Window::members), or takes all marks away.
    pub fn mark(&mut self, marked: bool) {
        for &entry in &self.places[..self.count] {
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
        for &entry in &self.places[..self.count] {
            let sum = &mut self.sums[(entry >> 8) as usize % PLACES];
            take(entry >> 8, *sum);
            *sum = UNTOUCHED;
        }
        self.count = 0;
    }

    /// Forgets what a search that failed has left.
    pub fn clear(&mut self) {
        self.keep(|_| false);
        self.bits.fill(0);
    }
}

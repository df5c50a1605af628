//! The scores of the sentences of a window while they are added up.

pub(super) use crate::kernels::WINDOW;
use crate::kernels::{BLOCK, Bitmap, WindowPlaces, kernels};

const PLACES: usize = WINDOW as usize;

/// Sums of scores, by place in the window. They take 128 KiB, which stays in the second cache;
/// of smaller windows there are too many.
pub(super) struct Window {
    sums: Box<[f64; PLACES]>,
    /// A bit for each place that has a sum.
    touched: Bitmap,
    /// The places whose bit is set, ascending, once candidates were chosen.
    places: Box<WindowPlaces>,
    /// The places of candidates, ascending, and how many there are.
    candidates: Box<[u16; PLACES]>,
    count: usize,
}

/// Who may still be among the best: `sum + left[length] > threshold`.
#[derive(Clone, Copy)]
pub(super) struct Chance<'a> {
    /// The length byte of each place.
    pub lengths: &'a [u8],
    /// The most that is left to add, for each length byte.
    pub left: &'a [f32; 256],
    /// What must be exceeded.
    pub threshold: f64,
}

impl Chance<'_> {
    #[inline]
    fn has(&self, place: u16, sums: &[f64; PLACES]) -> bool {
        let length = self.lengths[usize::from(place)];
        sums[usize::from(place) % PLACES] + f64::from(self.left[usize::from(length)])
            > self.threshold
    }
}

impl Window {
    /// No sums.
    pub fn new() -> Window {
        Window {
            sums: Box::new([0.0; PLACES]),
            touched: [0; PLACES / 64],
            places: Box::new(WindowPlaces::new()),
            candidates: Box::new([0; PLACES]),
            count: 0,
        }
    }

    /// Adds to the sum at `place`, below [`WINDOW`].
    #[inline]
    pub fn add(&mut self, place: u32, score: f32) {
        let place = place as usize % PLACES;
        self.sums[place] += f64::from(score);
        self.touched[place / 64] |= 1 << (place % 64);
    }

    /// Makes candidates of the places with a sum that have a chance, and whose bit in `allowed` is set if that is
    /// given: words of 64 from the window's first place on; no words are all zeros.
    pub fn choose(&mut self, allowed: Option<&[u64]>, chance: Chance<'_>) {
        if let Some(allowed) = allowed {
            self.refuse_others(allowed);
        }
        let touched = (kernels().all)(&self.touched, &mut self.places);
        let (sums, candidates) = (&*self.sums, &mut *self.candidates);
        let mut count = 0;
        for &place in self.places.first(touched) {
            // Without a branch: which it is cannot be foreseen.
            candidates[count % PLACES] = place;
            count += usize::from(chance.has(place, sums));
        }
        self.count = count;
    }

    /// Makes as if only places of these words of bits had been touched.
    fn refuse_others(&mut self, allowed: &[u64]) {
        let allowed = allowed.iter().chain(std::iter::repeat(&0));
        let mut refused = self.touched;
        for ((refused, touched), allowed) in refused.iter_mut().zip(&mut self.touched).zip(allowed)
        {
            *refused &= !allowed;
            *touched &= allowed;
        }
        let count = (kernels().all)(&refused, &mut self.places);
        for &place in self.places.first(count) {
            self.sums[usize::from(place) % PLACES] = 0.0;
        }
    }

    /// Drops the candidates that have no chance.
    pub fn drop_losers(&mut self, chance: Chance<'_>) {
        let (sums, candidates) = (&*self.sums, &mut *self.candidates);
        let mut kept = 0;
        for at in 0..self.count {
            let place = candidates[at % PLACES];
            candidates[kept % PLACES] = place;
            kept += usize::from(chance.has(place, sums));
        }
        self.count = kept;
    }

    /// The places of the candidates, ascending.
    pub fn candidates(&self) -> &[u16] {
        &self.candidates[..self.count]
    }

    /// Adds to the sum of a candidate.
    #[inline]
    pub fn add_to_candidate(&mut self, place: u32, score: f32) {
        self.sums[place as usize % PLACES] += f64::from(score);
    }

    /// The candidates as a bitmap.
    pub fn bitmap(&self) -> Bitmap {
        let mut bits = [0; PLACES / 64];
        for &place in self.candidates() {
            bits[usize::from(place) % PLACES / 64] |= 1 << (place % 64);
        }
        bits
    }

    /// Writes down which of these sentences of a window that begins at `start` are in `bits`: their indices, and
    /// gives how many.
    #[inline]
    pub fn members(
        sentences: &[u32],
        start: u32,
        bits: &Bitmap,
        members: &mut [u8; BLOCK],
    ) -> usize {
        let mut count = 0;
        for (&sentence, index) in sentences.iter().zip(0u8..).take(BLOCK) {
            let place = sentence.wrapping_sub(start) as usize % PLACES;
            members[count] = index;
            count += (bits[place / 64] >> (place % 64) & 1) as usize;
        }
        count
    }

    /// Hands out the candidates and their sums, and is empty again.
    pub fn drain(&mut self, mut take: impl FnMut(u32, f64)) {
        for &place in self.candidates() {
            take(u32::from(place), self.sums[usize::from(place) % PLACES]);
        }
        let touched: u32 = self.touched.iter().map(|bits| bits.count_ones()).sum();
        for &place in self.places.first(touched as usize) {
            self.sums[usize::from(place) % PLACES] = 0.0;
        }
        self.touched = [0; PLACES / 64];
        self.count = 0;
    }

    /// Forgets what a search that failed has left.
    pub fn clear(&mut self) {
        self.refuse_others(&[]);
        self.count = 0;
    }
}

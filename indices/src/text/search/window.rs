//! The scores of the sentences of a window while they are added up.

pub(super) use crate::kernels::WINDOW;
use crate::kernels::{Bitmap, Kernels, WindowPlaces, kernels};

const PLACES: usize = WINDOW as usize;

/// Sums of scores, by place in the window. They take 32 KiB, which stays in the first cache.
pub(super) struct Window {
    sums: Box<[f64; PLACES]>,
    /// A bit for each place that has a sum.
    touched: Bitmap,
    /// The places of candidates, ascending, and how many there are.
    candidates: Box<WindowPlaces>,
    count: usize,
    kernels: &'static Kernels,
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

impl Window {
    /// No sums.
    pub fn new() -> Window {
        Window {
            sums: Box::new([0.0; PLACES]),
            touched: [0; PLACES / 64],
            candidates: Box::new(WindowPlaces::new()),
            count: 0,
            kernels: kernels(),
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
        let bits = match allowed {
            None => self.touched,
            Some(allowed) => {
                std::array::from_fn(|at| self.touched[at] & allowed.get(at).copied().unwrap_or(0))
            }
        };
        self.count = (self.kernels.all)(&bits, &mut self.candidates);
        self.drop_losers(chance);
    }

    /// Drops the candidates that have no chance.
    pub fn drop_losers(&mut self, chance: Chance<'_>) {
        self.count = (self.kernels.winners)(
            &mut self.candidates,
            self.count,
            &self.sums,
            chance.lengths,
            chance.left,
            chance.threshold,
        );
    }

    /// The places of the candidates, ascending.
    pub fn candidates(&self) -> &[u16] {
        self.candidates.first(self.count)
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
            bits[usize::from(place) / 64] |= 1 << (place % 64);
        }
        bits
    }

    /// Hands out the candidates and their sums, and is empty again.
    pub fn drain(&mut self, mut take: impl FnMut(u32, f64)) {
        for &place in self.candidates.first(self.count) {
            take(u32::from(place), self.sums[usize::from(place)]);
        }
        self.clear();
    }

    /// Forgets all sums and candidates.
    pub fn clear(&mut self) {
        self.count = (self.kernels.all)(&self.touched, &mut self.candidates);
        for &place in self.candidates.first(self.count) {
            self.sums[usize::from(place) % PLACES] = 0.0;
        }
        self.touched = [0; PLACES / 64];
        self.count = 0;
    }
}

/// Which of these sentences of a window that begins at `start` are in `bits`: their indices are put into
/// `members`.
#[inline]
pub(super) fn members<'m>(
    sentences: &[u32],
    start: u32,
    bits: &Bitmap,
    members: &'m mut [u8; 128],
) -> &'m [u8] {
    let count = (kernels().members)(sentences, start, bits, members);
    &members[..count]
}

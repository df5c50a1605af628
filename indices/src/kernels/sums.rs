//! The sums of a window: adding scores to them, and keeping those that have a chance.

use std::sync::OnceLock;

/// Places in a window.
pub(crate) const PLACES: usize = 1 << 15;
/// Entries that there is room for: each place once, and what is written in whole registers.
pub(crate) const ENTRIES: usize = PLACES + 8;
/// What a sum begins with: adding any score to it, also a score of 0, gives that score and is not this any more.
pub(crate) const UNTOUCHED: f64 = -0.0;

/// Sums of scores by place, and an entry for each that was touched.
pub(crate) struct Sums {
    pub by_place: Box<[f64; PLACES]>,
    /// Places above the length bytes of their sentences, each place once; behind `count`, anything.
    pub entries: Box<[u32; ENTRIES]>,
    pub count: usize,
}

/// What a length byte says of a sentence that has a term.
pub(crate) type ByLength = [f64; 256];

/// Where the sentences of a window are.
#[derive(Clone, Copy)]
pub(crate) struct Span<'a> {
    /// The first of the window.
    pub start: u32,
    /// The length byte of every sentence there is.
    pub lengths: &'a [u8],
}

/// Who may still be among the best: `sum + left[length] > threshold`.
#[derive(Clone, Copy)]
pub(crate) struct Chance<'a> {
    /// The most that is left to add.
    pub left: &'a ByLength,
    /// What must be exceeded.
    pub threshold: f64,
}

/// The loops, for some instruction set.
pub(crate) struct SumKernels {
    /// The name of the instruction set.
    #[cfg_attr(
        not(test),
        expect(dead_code, reason = "the tests say which one failed")
    )]
    pub name: &'static str,
    /// Adds to the sums of these ascending sentences, which lie in the window, what their lengths give; none is −0.
    pub add: fn(sums: &mut Sums, sentences: &[u32], span: Span<'_>, gains: &ByLength),
    /// Keeps the entries that have a chance, in their order. The sums of all others are [`UNTOUCHED`] again.
    pub keep: fn(sums: &mut Sums, chance: Chance<'_>),
}

static PLAIN: SumKernels = SumKernels {
    name: "plain",
    add,
    keep: |sums, chance| keep_from(sums, 0, 0, chance),
};

/// What this processor can do best.
pub(crate) fn sum_kernels() -> &'static SumKernels {
    static CHOSEN: OnceLock<&'static SumKernels> = OnceLock::new();
    CHOSEN.get_or_init(|| available().pop().unwrap_or(&PLAIN))
}

/// All that this processor can run, the best last.
fn available() -> Vec<&'static SumKernels> {
    #[cfg(target_arch = "x86_64")]
    let wider = x86_64::available();
    #[cfg(not(target_arch = "x86_64"))]
    let wider = [];
    std::iter::once(&PLAIN).chain(wider).collect()
}

impl Sums {
    /// None that is touched.
    pub fn new() -> Sums {
        Sums {
            by_place: Box::new([UNTOUCHED; PLACES]),
            entries: Box::new([0; ENTRIES]),
            count: 0,
        }
    }

    /// Adds to the sums of these sentences, which lie in the window, what `gain` gives for the index and the length byte of each,
    /// which is not −0.
    #[inline(always)]
    pub fn add(&mut self, sentences: &[u32], span: Span<'_>, gain: impl Fn(usize, u8) -> f64) {
        let (by_place, entries) = (&mut *self.by_place, &mut *self.entries);
        let mut count = self.count;
        for (at, &sentence) in sentences.iter().enumerate() {
            let place = sentence.wrapping_sub(span.start) % PLACES as u32;
            let length = span.lengths[sentence as usize];
            let sum = &mut by_place[place as usize];
            // Without a branch: whether it is the first score of its sentence cannot be foreseen.
            entries[count] = place << 8 | u32::from(length);
            count += usize::from(sum.to_bits() == UNTOUCHED.to_bits());
            *sum += gain(at, length);
        }
        self.count = count;
    }
}

fn add(sums: &mut Sums, sentences: &[u32], span: Span<'_>, gains: &ByLength) {
    sums.add(sentences, span, |_, length| gains[usize::from(length)]);
}

/// Goes on at entry `at`; of those before, `kept` were kept.
fn keep_from(sums: &mut Sums, at: usize, mut kept: usize, chance: Chance<'_>) {
    for at in at..sums.count {
        let entry = sums.entries[at];
        let sum = &mut sums.by_place[(entry >> 8) as usize % PLACES];
        if *sum + chance.left[usize::from(entry as u8)] > chance.threshold {
            sums.entries[kept] = entry;
            kept += 1;
        } else {
            *sum = UNTOUCHED;
        }
    }
    sums.count = kept;
}

#[cfg(target_arch = "x86_64")]
mod x86_64 {
    use std::arch::x86_64::*;

    use super::*;

    /// AVX-512: eight sums at a time. (A store for each of them is quicker than a scatter.)
    static AVX512: SumKernels = SumKernels {
        name: "AVX-512",
        add: |sums, sentences, span, gains| {
            // SAFETY: this table is handed out only where AVX-512 F and VL and AVX2 were found.
            unsafe { add(sums, sentences, span, gains) }
        },
        keep: |sums, chance| {
            // SAFETY: as above.
            unsafe { keep(sums, chance) }
        },
    };

    /// What this processor has, the best last.
    pub fn available() -> Option<&'static SumKernels> {
        let there = is_x86_feature_detected!("avx2")
            && is_x86_feature_detected!("avx512f")
            && is_x86_feature_detected!("avx512vl");
        there.then_some(&AVX512)
    }

    #[target_feature(enable = "avx2,avx512f,avx512vl")]
    fn add(sums: &mut Sums, sentences: &[u32], span: Span<'_>, gains: &ByLength) {
        // A length is read with three bytes behind it, and found by a signed number.
        let readable = span.lengths.len().saturating_sub(3).min(i32::MAX as usize);
        let readable = _mm256_set1_epi32(readable as i32);
        let starts = _mm256_set1_epi32(span.start.cast_signed());
        let untouched = _mm512_set1_epi64(UNTOUCHED.to_bits().cast_signed());
        let mut at = sentences.len().min(1);
        super::add(sums, &sentences[..at], span, gains);
        while at + 8 <= sentences.len() && sums.count + 8 <= ENTRIES {
            // SAFETY: eight sentences from `at` on are there, and one before them. Their lengths are read only where they lie in
            // `lengths`, with what is behind them, and their sums, which are those of different places, only where they lie in
            // the window. There is room for eight entries more.
            unsafe {
                let eight = _mm256_loadu_si256(sentences.as_ptr().add(at).cast());
                let before = _mm256_loadu_si256(sentences.as_ptr().add(at - 1).cast());
                let places = _mm256_sub_epi32(eight, starts);
                let sound = _mm256_cmplt_epu32_mask(before, eight)
                    & _mm256_cmplt_epu32_mask(eight, readable)
                    & _mm256_cmplt_epu32_mask(places, _mm256_set1_epi32(PLACES as i32));
                if sound != 0xFF {
                    break;
                }
                let lengths = _mm256_i32gather_epi32::<1>(span.lengths.as_ptr().cast(), eight);
                let lengths = _mm256_and_si256(lengths, _mm256_set1_epi32(0xFF));
                let sum = _mm512_i32gather_pd::<8>(places, sums.by_place.as_ptr());
                let gain = _mm512_i32gather_pd::<8>(lengths, gains.as_ptr());
                let new = _mm512_cmpeq_epi64_mask(_mm512_castpd_si512(sum), untouched);
                let entries = _mm256_or_si256(_mm256_slli_epi32::<8>(places), lengths);
                let entries = _mm256_maskz_compress_epi32(new, entries);
                let to = sums.entries.as_mut_ptr().add(sums.count);
                _mm256_storeu_si256(to.cast(), entries);
                sums.count += new.count_ones() as usize;
                let mut after = [0.0; 8];
                _mm512_storeu_pd(after.as_mut_ptr(), _mm512_add_pd(sum, gain));
                for (lane, after) in after.into_iter().enumerate() {
                    let place = sentences.get_unchecked(at + lane).wrapping_sub(span.start);
                    *sums.by_place.get_unchecked_mut(place as usize) = after;
                }
            }
            at += 8;
        }
        super::add(sums, &sentences[at..], span, gains);
    }

    #[target_feature(enable = "avx2,avx512f,avx512vl")]
    fn keep(sums: &mut Sums, chance: Chance<'_>) {
        let threshold = _mm512_set1_pd(chance.threshold);
        let untouched = _mm512_set1_pd(UNTOUCHED);
        let (mut at, mut kept) = (0, 0);
        while at + 8 <= sums.count.min(ENTRIES) {
            // SAFETY: eight entries are there, and no more are kept than came before. Places are taken modulo their number.
            unsafe {
                let eight = _mm256_loadu_si256(sums.entries.as_ptr().add(at).cast());
                let lengths = _mm256_and_si256(eight, _mm256_set1_epi32(0xFF));
                let places = _mm256_srli_epi32::<8>(eight);
                let places = _mm256_and_si256(places, _mm256_set1_epi32(PLACES as i32 - 1));
                let sum = _mm512_i32gather_pd::<8>(places, sums.by_place.as_ptr());
                let left = _mm512_i32gather_pd::<8>(lengths, chance.left.as_ptr());
                let wanted = _mm512_cmp_pd_mask::<_CMP_GT_OQ>(_mm512_add_pd(sum, left), threshold);
                let mut after = [0.0; 8];
                _mm512_storeu_pd(
                    after.as_mut_ptr(),
                    _mm512_mask_blend_pd(wanted, untouched, sum),
                );
                for (lane, after) in after.into_iter().enumerate() {
                    let place = *sums.entries.get_unchecked(at + lane) >> 8;
                    *sums.by_place.get_unchecked_mut(place as usize % PLACES) = after;
                }
                let to = sums.entries.as_mut_ptr().add(kept);
                _mm256_storeu_si256(to.cast(), _mm256_maskz_compress_epi32(wanted, eight));
                kept += wanted.count_ones() as usize;
            }
            at += 8;
        }
        keep_from(sums, at, kept, chance);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Random numbers, the same every time.
    struct Random(u64);

    impl Random {
        fn below(&mut self, bound: u32) -> u32 {
            self.0 ^= self.0 << 13;
            self.0 ^= self.0 >> 7;
            self.0 ^= self.0 << 17;
            (self.0 >> 16) as u32 % bound
        }

        fn float(&mut self) -> f64 {
            f64::from(self.below(1 << 30)) / f64::from(1 << 30)
        }
    }

    /// What can be seen of sums.
    fn seen(sums: &Sums) -> (Vec<u32>, Vec<u64>) {
        let bits = sums.by_place.iter().map(|sum| sum.to_bits());
        (sums.entries[..sums.count].to_vec(), bits.collect())
    }

    #[test]
    fn every_instruction_set_does_what_plain_rust_does() {
        let mut random = Random(0x9E37_79B9_7F4A_7C15);
        for round in 0..30 {
            // The last window has fewer sentences than places, and ends where the lengths end.
            let start = PLACES as u32 * random.below(3);
            let len = start as usize + [PLACES, 1000, 12][round % 3];
            let lengths: Vec<u8> = (0..len).map(|_| random.below(256) as u8).collect();
            let span = Span {
                start,
                lengths: &lengths,
            };
            let one_of = [1, 3, 200][round / 3 % 3];
            let lists: Vec<Vec<u32>> = (0..4)
                .map(|_| {
                    (start..len as u32)
                        .filter(|_| random.below(one_of) == 0)
                        .collect()
                })
                .collect();
            let gains: [ByLength; 4] = [(); 4].map(|()| std::array::from_fn(|_| random.float()));
            let left: ByLength = std::array::from_fn(|_| random.float());
            let threshold = [0.0, 0.9, 1.4, 2.5, 9.0, f64::NAN][round % 6];
            let of = |kernels: &SumKernels| {
                let mut sums = Sums::new();
                for (list, gains) in lists.iter().zip(&gains) {
                    (kernels.add)(&mut sums, list, span, gains);
                }
                let added = seen(&sums);
                let chance = Chance {
                    left: &left,
                    threshold,
                };
                (kernels.keep)(&mut sums, chance);
                (added, seen(&sums))
            };
            let (added, kept) = of(&PLAIN);
            let mut touched: Vec<u32> = lists.concat();
            touched.sort_unstable();
            touched.dedup();
            assert_eq!(added.0.len(), touched.len());
            for kernels in available() {
                assert!(
                    of(kernels) == (added.clone(), kept.clone()),
                    "{}",
                    kernels.name
                );
            }
        }
    }

    #[test]
    fn what_lies_elsewhere_is_left_to_plain_rust() {
        // In another window, twice, and not ascending: sums are wrong then, as in plain Rust, and nothing else is.
        let lengths = vec![1; 2 * PLACES];
        let span = Span {
            start: 0,
            lengths: &lengths,
        };
        let place = PLACES as u32;
        let lists = [
            (0..40)
                .map(|number| number * place / 20)
                .collect::<Vec<_>>(),
            vec![7; 40],
            (0..40).rev().collect(),
        ];
        for list in lists {
            let of = |kernels: &SumKernels| {
                let mut sums = Sums::new();
                (kernels.add)(&mut sums, &list, span, &[0.5; 256]);
                seen(&sums)
            };
            for kernels in available() {
                assert!(of(kernels) == of(&PLAIN), "{}", kernels.name);
            }
        }
    }
}

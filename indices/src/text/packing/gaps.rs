//! Distances between sentences: each is the number of sentences in between.
//!
//! ```text
//! gaps   k u8 | bytes of the high parts u16 | high parts | low parts
//! or     128 + k u8 | k of the far ones u8 | bytes of their high parts u8 | which are far: a bit for each
//!          | their high parts | their low parts | low parts of all
//! ```
//!
//! In the first form they are Rice codes (`rice.rs`) with the k that makes the block shortest. With k = 0 the high parts are
//! the bitmap of the sentences from the first possible one on.
//!
//! A word is mostly repeated soon, as a text goes on about the same, or not for long: no one k suits both. In the second
//! form the low k bits of a *near* gap are all of it. Of a *far* one they are not, and what is above them, less one, is a Rice
//! code of its own.

#[cfg(feature = "build")]
use super::rice;
use super::rice::{LowSum, Rice};
use super::{BLOCK, Work};
use crate::kernels::kernels;

/// Set in the first byte where there are near and far gaps.
const SPLIT: u8 = 0x80;

/// The gaps of a block, where they lie.
#[derive(Clone, Copy, Debug)]
pub(in crate::text) struct Gaps<'a>(Form<'a>);

#[derive(Clone, Copy, Debug)]
enum Form<'a> {
    One(Rice<'a>),
    Two {
        k: u8,
        len: usize,
        is_far: &'a [u8],
        far: Rice<'a>,
        low: &'a [u8],
    },
}

impl<'a> Gaps<'a> {
    /// Takes `len` gaps, at least one, from the front of `bytes`, which are followed by [`PADDING`](super::PADDING)
    /// bytes; `None` if they end early.
    #[inline]
    pub fn take(bytes: &mut &'a [u8], len: usize) -> Option<Gaps<'a>> {
        let [k, a, b, rest @ ..] = *bytes else {
            return None;
        };
        if k & SPLIT != 0 {
            return Gaps::take_split(bytes, k ^ SPLIT, [*a, *b], len);
        }
        let (high, low) = rest.split_at_checked(usize::from(u16::from_le_bytes([*a, *b])))?;
        let gaps = Rice {
            k: *k,
            len,
            high,
            low,
        };
        *bytes = low.get(gaps.low_bytes()..)?;
        (*k < 32).then_some(Gaps(Form::One(gaps)))
    }

    fn take_split(
        bytes: &mut &'a [u8],
        k: u8,
        [far_k, high_bytes]: [u8; 2],
        len: usize,
    ) -> Option<Gaps<'a>> {
        let (is_far, rest) = bytes[3..].split_at_checked(len.div_ceil(8))?;
        let (high, low) = rest.split_at_checked(usize::from(high_bytes))?;
        // No bit behind the last gap's.
        let spare = is_far
            .last()
            .map_or(0, |bits| bits.leading_zeros() as usize);
        if spare < 8 * is_far.len() - len {
            return None;
        }
        let ones: u32 = is_far.iter().map(|bits| bits.count_ones()).sum();
        let far = Rice {
            k: far_k,
            len: ones as usize,
            high,
            low,
        };
        let low = low.get(far.low_bytes()..)?;
        *bytes = low.get((usize::from(k) * len).div_ceil(8)..)?;
        (k < 32 && far_k < 32).then_some(Gaps(Form::Two {
            k,
            len,
            is_far,
            far,
            low,
        }))
    }

    /// The bitmap of the sentences, if that is what they are.
    #[inline]
    pub fn bitmap(&self) -> Option<&'a [u8]> {
        match &self.0 {
            Form::One(gaps) if gaps.k == 0 => Some(gaps.high),
            _ => None,
        }
    }

    /// The sentences, of which none is before `base` and the one that ends the block is `last`; they ascend. The values behind them may
    /// be any. `None` where the gaps do not lead there.
    #[inline]
    pub fn sentences(
        &self,
        base: u32,
        last: u32,
        work: &mut Work,
        sentences: &mut [u32; BLOCK],
    ) -> Option<()> {
        let end = match &self.0 {
            Form::One(gaps) => gaps.add_up(base, &mut work.places, sentences)?,
            Form::Two {
                k,
                len,
                is_far,
                far,
                low,
            } => {
                let kernels = kernels();
                // The sum of what is above the low bits: one was taken off each, and all but the first have one more now.
                let high = match far.len {
                    0 => 0,
                    _ => far.add_up(0, &mut work.places, &mut work.far)? + 1,
                };
                let high = high.checked_mul(1 << k);
                // So that nothing overflows below.
                let high = high.filter(|&high| high <= u64::from(last))?;
                if !(kernels.unpack)(*k, low, sentences) {
                    return None;
                }
                let low_sum = LowSum::of(*k, &sentences[..*len]);
                (kernels.spread)(*k, is_far, &work.far, sentences);
                (kernels.add_up)(base, sentences);
                let before = base.wrapping_add(*len as u32 - 1);
                let all = sentences[*len - 1].wrapping_sub(before);
                let low = low_sum.exact(all.wrapping_sub(high as u32));
                u64::from(base) + *len as u64 - 1 + low + high
            }
        };
        (end == u64::from(last)).then_some(())
    }
}

/// Appends gaps, at most 128, to `bytes`. A bitmap may be this many quarters of the shortest code.
#[cfg(feature = "build")]
pub(in crate::text) fn put_gaps(gaps: &[u32], bitmap_quarters: u64, bytes: &mut Vec<u8>) {
    let cost = |k: u32| rice::high_bytes(gaps, k) + rice::low_bytes(gaps.len(), k);
    // The high parts of the k that is best take about a bit or two for each.
    let mut k = (0..32).min_by_key(|&k| cost(k)).unwrap_or(31);
    let bitmap = rice::high_bytes(gaps, 0);
    if 4 * bitmap <= bitmap_quarters * cost(k) {
        k = 0;
    } else if let Some(split) = Split::best(gaps)
        && SPLIT_16THS * cost(k) >= 16 * split.bytes
    {
        return split.put(gaps, bytes);
    }
    bytes.push(k as u8);
    bytes.extend((rice::high_bytes(gaps, k) as u16).to_le_bytes());
    rice::put_high(gaps, k, bytes);
    rice::put_low(gaps, k, bytes);
}

/// The second form takes longer to read: it is chosen where it is at most this many 16ths of the first.
#[cfg(feature = "build")]
const SPLIT_16THS: u64 = 15;

/// How gaps are split.
#[cfg(feature = "build")]
struct Split {
    k: u32,
    far_k: u32,
    far: Vec<u32>,
    bytes: u64,
}

#[cfg(feature = "build")]
impl Split {
    /// About the shortest; `None` where none is possible.
    fn best(gaps: &[u32]) -> Option<Split> {
        // How many gaps have so many bits, and their sum.
        let mut of_bits = [(0u64, 0u64); 33];
        for &gap in gaps {
            let (count, sum) = &mut of_bits[(u32::BITS - gap.leading_zeros()) as usize];
            *count += 1;
            *sum += u64::from(gap);
        }
        let (mut count, mut sum) = (0, 0);
        let mut best: Option<(u64, u32, u32)> = None;
        // Those of more than k bits are far.
        for k in (0..32).rev() {
            count += of_bits[k as usize + 1].0;
            sum += of_bits[k as usize + 1].1;
            if count == 0 {
                continue;
            }
            let high = (sum >> k) - count.min(sum >> k);
            let far_k = (high / count + 1).ilog2();
            let bits =
                gaps.len() as u64 * u64::from(k) + count * (1 + u64::from(far_k)) + (high >> far_k);
            if best.is_none_or(|(least, ..)| bits < least) {
                best = Some((bits, k, far_k));
            }
        }
        let (_, k, far_k) = best?;
        let far = gaps.iter().map(|&gap| gap >> k).filter(|&high| high > 0);
        let far: Vec<u32> = far.map(|high| high - 1).collect();
        let high = rice::high_bytes(&far, far_k);
        let bytes = gaps.len().div_ceil(8) as u64
            + high
            + rice::low_bytes(far.len(), far_k)
            + rice::low_bytes(gaps.len(), k);
        (high <= u64::from(u8::MAX)).then_some(Split {
            k,
            far_k,
            far,
            bytes,
        })
    }

    fn put(&self, gaps: &[u32], bytes: &mut Vec<u8>) {
        let Split { k, far_k, far, .. } = self;
        let high = rice::high_bytes(far, *far_k);
        bytes.extend([SPLIT | *k as u8, *far_k as u8, high as u8]);
        for gaps in gaps.chunks(8) {
            let bits = gaps.iter().rev();
            bytes.push(bits.fold(0, |bits, gap| bits << 1 | u8::from(gap >> k > 0)));
        }
        rice::put_high(far, *far_k, bytes);
        rice::put_low(far, *far_k, bytes);
        rice::put_low(gaps, *k, bytes);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::text::packing::PADDING;

    fn read(mut bytes: &[u8], len: usize, last: u32) -> Option<[u32; BLOCK]> {
        let mut sentences = [0; BLOCK];
        let gaps = Gaps::take(&mut bytes, len)?;
        gaps.sentences(17, last, &mut Work::new(), &mut sentences)?;
        Some(sentences)
    }

    /// Packs gaps, reads them back, and gives what they take.
    fn check(gaps: &[u32], quarters: u64) -> usize {
        let mut bytes = Vec::new();
        put_gaps(gaps, quarters, &mut bytes);
        let len = bytes.len();
        bytes.extend([0xff; PADDING]);
        let mut rest = &bytes[..];
        Gaps::take(&mut rest, gaps.len()).unwrap();
        assert_eq!(rest.len(), PADDING);
        let mut next = 17u64;
        let expected: Vec<u64> = gaps
            .iter()
            .map(|&gap| {
                next += u64::from(gap) + 1;
                next - 1
            })
            .collect();
        let last = (next - 1) as u32;
        match read(&bytes, gaps.len(), last) {
            // Sentences do not go beyond.
            None => assert!(next - 1 > u64::from(u32::MAX), "{gaps:?}"),
            Some(sentences) => {
                let sentences = sentences[..gaps.len()].iter();
                let sentences: Vec<u64> = sentences.map(|&sentence| sentence.into()).collect();
                assert_eq!(sentences, expected);
            }
        }
        assert!(read(&bytes, gaps.len(), last ^ 1).is_none());
        assert!((0..len).all(|cut| read(&bytes[..cut], gaps.len(), last).is_none()));
        len
    }

    #[test]
    fn gaps_of_every_size_are_read_back() {
        for bits in 0..32 {
            let top = 1u32 << bits;
            for len in [1, 2, 63, 127, 128] {
                check(&vec![top - 1; len], 4);
                let number = |at: u32| at.wrapping_mul(0x9E37_79B9) >> (31 - bits);
                let mixed = (0..len as u32).map(|at| number(at) >> (at % 3 * 4));
                check(&mixed.collect::<Vec<_>>(), 5);
                // Most are near.
                let split = (0..len as u32).map(|at| number(at) >> (at % 5 * 5).min(31));
                check(&split.collect::<Vec<_>>(), 5);
            }
        }
        let mut one_large = [0; BLOCK];
        one_large[77] = u32::MAX >> 1;
        check(&one_large, 4);
        // Beyond 2³², where a sum of 32 bits would be right again.
        check(&[u32::MAX; 128], 4);
        check(&[1 << 31, 1 << 31], 4);
    }

    #[test]
    fn neighbours_are_a_bitmap() {
        assert_eq!(check(&[0; BLOCK], 4), 3 + 16);
        assert_eq!(check(&[1; BLOCK], 4), 3 + 32);
        // 2 bits and 2 of the high part take 512 + … bits, a bitmap 640.
        let (code, bitmap) = (check(&[4; BLOCK], 4), check(&[4; BLOCK], 5));
        assert_eq!((code, bitmap), (3 + 64, 3 + 80));
    }

    #[test]
    fn near_and_far_gaps_take_less_apart() {
        let gaps: [u32; BLOCK] =
            std::array::from_fn(|at| [3, 7, 0, 5, 1, 6, 2, 4000 + at as u32][at % 8]);
        // A bit for each, 3 low ones, and for one in eight 8 or 9 more with what is in unary.
        assert!(check(&gaps, 5) < 3 + (4 * BLOCK + 11 * BLOCK / 8) / 8);
    }

    #[test]
    fn refuses_what_no_writer_makes() {
        let padded = |head: &[u8]| [head, &[0xff; PADDING]].concat();
        // k above 31, and high parts with too few ones.
        assert!(read(&padded(&[32, 0, 0]), 128, 144).is_none());
        assert!(read(&padded(&[SPLIT | 32, 0, 0]), 128, 144).is_none());
        assert!(read(&padded(&[SPLIT, 32, 0]), 128, 144).is_none());
        assert!(read(&padded(&[0, 2, 0, 0xff, 0]), 128, 144).is_none());
        // Two gaps: one is far; both are, with a one for one of them; and a third is.
        assert!(read(&padded(&[SPLIT, 0, 1, 0b01, 0b1]), 2, 19).is_some());
        assert!(read(&padded(&[SPLIT, 0, 1, 0b11, 0b1]), 2, 19).is_none());
        assert!(read(&padded(&[SPLIT, 0, 1, 0b101, 0b11]), 2, 19).is_none());
        // Sums that are right modulo 2⁶⁴, and low parts that add up to more than 32 bits.
        let far = [SPLIT | 31, 31, 1, 0b01, 0b1000, 0xfe, 0xff, 0xff, 0x7f];
        let near = (1000u64 | 2_147_482_730 << 31).to_le_bytes();
        assert!(read(&padded(&[&far[..], &near].concat()), 2, 100).is_none());
        let low = [&[31, 1, 0, 0b111][..], &[0xff; 7], &[0x3f, 0, 0, 0, 0]].concat();
        assert!(read(&padded(&low), 3, 17).is_none());
    }

    #[test]
    fn any_bytes_give_an_error_or_ascending_sentences() {
        let mut state = 0x2545_F491_4F6C_DD1Du64;
        let mut random = || {
            state ^= state << 13;
            state ^= state >> 7;
            state ^= state << 17;
            state >> 16
        };
        let mut read_back = 0;
        for round in 0..200_000 {
            let mut bytes: Vec<u8> = (0..40).map(|_| random() as u8).collect();
            // Small numbers of bytes, and few integers, so that some hold.
            bytes[0] &= [0x9f, 0x83][round % 2];
            bytes[1] %= 32;
            bytes[2] &= if bytes[0] & SPLIT == 0 { 0 } else { 3 };
            bytes.extend([0; PADDING]);
            let len = 1 + random() as usize % 9;
            let last = random() as u32 >> (random() % 32);
            let mut exact = &bytes[..];
            let Some(gaps) = Gaps::take(&mut exact, len) else {
                continue;
            };
            let mut sentences = [0; BLOCK];
            for last in [last, 18 + len as u32] {
                if let Some(()) = gaps.sentences(17, last, &mut Work::new(), &mut sentences) {
                    assert!(sentences[..len].is_sorted_by(|a, b| a < b));
                    assert!(sentences[0] >= 17 && sentences[len - 1] == last);
                    read_back += 1;
                }
            }
        }
        assert!(read_back > 20, "{read_back}");
    }
}

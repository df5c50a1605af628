//! Blocks of up to 128 gaps, and tfs of sentences that have a term more than once.
//!
//! ```text
//! gaps   k u8 | bytes of the high parts u16 | high parts | low parts: k bits each
//! tfs    in unary: a one behind tf − 2 zeros, at most 7 | varint tf − 9 of each with 7
//! ```
//!
//! Gaps are Rice codes (Rice and Plaunt, "Adaptive Variable-Length Coding", 1971) with the k that makes the block
//! shortest, taken apart so that a processor can read many at once: the low k bits of all gaps are a packed stream, and
//! the rest of each stands in unary, as so many zeros and a one. The ones can be found a word at a time; as the one of
//! gap i stands at place Σ high + i, no gap waits for the one before. With k = 0 the high parts are the bitmap of the
//! sentences from the first possible one on.

use crate::kernels::kernels;
pub(super) use crate::kernels::{BLOCK, PADDING, Places};
use crate::varint;

/// The smallest of the tfs that are packed.
pub(super) const LEAST_TF: u32 = 2;
/// The most zeros before the one of a tf.
const MOST_ZEROS: u32 = 7;

/// The gaps of a block, where they lie.
#[derive(Clone, Copy, Debug)]
pub(super) struct Gaps<'a> {
    k: u8,
    len: usize,
    /// The high parts. With [`Gaps::is_bitmap`], a bit for each sentence.
    pub high: &'a [u8],
    /// From the low parts on.
    low: &'a [u8],
}

impl<'a> Gaps<'a> {
    /// Takes `len` gaps from the front of `bytes`, which are followed by [`PADDING`] bytes; `None` if they end early.
    #[inline]
    pub fn take(bytes: &mut &'a [u8], len: usize) -> Option<Gaps<'a>> {
        let [k, a, b, rest @ ..] = *bytes else {
            return None;
        };
        let (high, low) = rest.split_at_checked(usize::from(u16::from_le_bytes([*a, *b])))?;
        *bytes = low.get((usize::from(*k) * len).div_ceil(8)..)?;
        (*k < 32).then_some(Gaps {
            k: *k,
            len,
            high,
            low,
        })
    }

    /// Whether the high parts are a bitmap.
    #[inline]
    pub fn is_bitmap(&self) -> bool {
        self.k == 0
    }

    /// The sentences, of which none is before `base`, modulo 2³². Whether they ascend and the values behind them
    /// are for the caller to see to; `places` is for their ones. `None` where the high parts are not as many.
    #[inline]
    pub fn sentences(
        &self,
        base: u32,
        places: &mut Places,
        values: &mut [u32; BLOCK],
    ) -> Option<()> {
        let kernels = kernels();
        if !(kernels.unpack)(self.k, self.low, values) {
            return None;
        }
        (kernels.add_up)(base, values);
        if (kernels.ones)(self.high, places) != self.len {
            return None;
        }
        (kernels.add_high)(self.k, places, values);
        Some(())
    }
}

/// Reads tfs from the front of `bytes`, with `places` for their ones; `None` if they are malformed.
#[inline]
pub(super) fn take_tfs(bytes: &mut &[u8], places: &mut Places, tfs: &mut [u32]) -> Option<()> {
    let unary = &bytes[..bytes.len().min(BLOCK * (MOST_ZEROS as usize + 1) / 8)];
    if (kernels().ones)(unary, places) < tfs.len() {
        return None;
    }
    let (mut next, mut most) = (0, 0);
    for (tf, place) in tfs.iter_mut().zip(places.iter()) {
        let zeros = place - next;
        *tf = LEAST_TF + zeros;
        most = most.max(zeros);
        next = place + 1;
    }
    *bytes = &bytes[next.div_ceil(8) as usize..];
    if most < MOST_ZEROS {
        return Some(());
    }
    for tf in tfs {
        if *tf >= LEAST_TF + MOST_ZEROS {
            *tf = tf.checked_add(varint::take_u32(bytes)?)?;
        }
    }
    (most == MOST_ZEROS).then_some(())
}

/// Appends gaps, at most 128, to `bytes`. A bitmap may be this many quarters of the shortest code.
#[cfg(feature = "build")]
pub(super) fn put_gaps(gaps: &[u32], bitmap_quarters: u64, bytes: &mut Vec<u8>) {
    let ones = gaps.len() as u64;
    let high_bytes = |k: u32| {
        let zeros: u64 = gaps.iter().map(|&gap| u64::from(gap >> k)).sum();
        (zeros + ones).div_ceil(8)
    };
    let low_bytes = |k: u32| (u64::from(k) * ones).div_ceil(8);
    // More bytes of high parts than that are never worth it.
    let possible = (0..32).filter(|&k| high_bytes(k) <= 1 << 11);
    let mut k = possible
        .min_by_key(|&k| high_bytes(k) + low_bytes(k))
        .unwrap_or(31);
    if 4 * high_bytes(0) <= bitmap_quarters * (high_bytes(k) + low_bytes(k)) {
        k = 0;
    }
    bytes.push(k as u8);
    bytes.extend((high_bytes(k) as u16).to_le_bytes());
    let start = bytes.len();
    bytes.resize(start + high_bytes(k) as usize, 0);
    let mut place = 0;
    for &gap in gaps {
        place += (gap >> k) as usize;
        bytes[start + place / 8] |= 1 << (place % 8);
        place += 1;
    }
    let (mut word, mut filled) = (0u64, 0);
    for &gap in gaps {
        word |= (u64::from(gap) & ((1 << k) - 1)) << filled;
        filled += k;
        while filled >= 8 {
            bytes.push(word as u8);
            word >>= 8;
            filled -= 8;
        }
    }
    if filled > 0 {
        bytes.push(word as u8);
    }
}

/// Appends tfs, at most 128 and each at least 2, to `bytes`.
#[cfg(feature = "build")]
pub(super) fn put_tfs(tfs: &[u32], bytes: &mut Vec<u8>) {
    let start = bytes.len();
    let mut bits = 0;
    for &tf in tfs {
        bits += (tf - LEAST_TF).min(MOST_ZEROS) as usize;
        bytes.resize(start + bits / 8 + 1, 0);
        bytes[start + bits / 8] |= 1 << (bits % 8);
        bits += 1;
    }
    for &tf in tfs {
        if let Some(more) = tf.checked_sub(LEAST_TF + MOST_ZEROS) {
            varint::put(bytes, u64::from(more));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check_gaps(gaps: &[u32], quarters: u64) -> usize {
        let mut bytes = Vec::new();
        put_gaps(gaps, quarters, &mut bytes);
        let len = bytes.len();
        bytes.extend([0xff; PADDING]);
        let mut rest = &bytes[..];
        let taken = Gaps::take(&mut rest, gaps.len()).unwrap();
        assert_eq!(rest.len(), PADDING);
        let mut sentences = [0; BLOCK];
        taken
            .sentences(17, &mut Places::new(), &mut sentences)
            .unwrap();
        let mut next = 17u32;
        for (&gap, &sentence) in gaps.iter().zip(&sentences) {
            assert_eq!(sentence, next.wrapping_add(gap), "{gaps:?}");
            next = sentence.wrapping_add(1);
        }
        for cut in 0..len {
            let mut part = &bytes[..cut];
            if let Some(gaps) = Gaps::take(&mut part, gaps.len()) {
                assert!(
                    gaps.sentences(17, &mut Places::new(), &mut sentences)
                        .is_none()
                );
            }
        }
        len
    }

    #[test]
    fn gaps_of_every_size_are_read_back() {
        for bits in 0..32 {
            let top = 1u32 << bits;
            for len in [1, 2, 63, 127, 128] {
                check_gaps(&vec![top - 1; len], 4);
                let mixed: Vec<u32> = (0..len as u32)
                    .map(|at| at.wrapping_mul(0x9E37_79B9) >> (31 - bits) >> (at % 3 * 4))
                    .collect();
                check_gaps(&mixed, 5);
            }
        }
        let mut one_large = [0; BLOCK];
        one_large[77] = u32::MAX >> 1;
        check_gaps(&one_large, 4);
    }

    #[test]
    fn neighbours_are_a_bitmap() {
        assert_eq!(check_gaps(&[0; BLOCK], 4), 3 + 16);
        assert_eq!(check_gaps(&[1; BLOCK], 4), 3 + 32);
        // 2 bits and 2 of the high part take 512 + … bits, a bitmap 640.
        let (code, bitmap) = (check_gaps(&[4; BLOCK], 4), check_gaps(&[4; BLOCK], 5));
        assert_eq!((code, bitmap), (3 + 64, 3 + 80));
    }

    fn check_tfs(tfs: &[u32]) -> usize {
        let mut bytes = Vec::new();
        put_tfs(tfs, &mut bytes);
        let mut read = [0; BLOCK];
        let read = &mut read[..tfs.len()];
        for cut in 0..bytes.len() {
            assert_eq!(take_tfs(&mut &bytes[..cut], &mut Places::new(), read), None);
        }
        let len = bytes.len();
        bytes.extend([0xff; PADDING]);
        let mut rest = &bytes[..];
        take_tfs(&mut rest, &mut Places::new(), read).unwrap();
        assert_eq!(rest.len(), PADDING);
        assert_eq!(read, tfs);
        len
    }

    #[test]
    fn tfs_are_read_back_and_twos_take_a_bit() {
        assert_eq!(check_tfs(&[2; BLOCK]), 16);
        let mut tfs = [2; BLOCK];
        tfs[5] = 3;
        assert_eq!(check_tfs(&tfs), 17);
        tfs[127] = 1_000_000;
        tfs[0] = u32::MAX;
        check_tfs(&tfs);
        check_tfs(&tfs[..9]);
        check_tfs(&[9; BLOCK]);
        for limit in [2, 3, 4, 5, 6, 7, 8, 300] {
            let tfs: Vec<u32> = (0..128u32)
                .map(|at| 2 + at.wrapping_mul(0x9E37_79B9) % limit)
                .collect();
            check_tfs(&tfs);
            check_tfs(&tfs[..100]);
        }
    }

    #[test]
    fn refuses_what_no_writer_makes() {
        let padded = |head: &[u8]| [head, &[0xff; PADDING]].concat();
        // k above 31, and high parts with too few ones.
        assert!(Gaps::take(&mut &padded(&[32, 0, 0])[..], 128).is_none());
        let few = padded(&[0, 2, 0, 0xff, 0]);
        let gaps = Gaps::take(&mut &few[..], 128).unwrap();
        assert!(
            gaps.sentences(0, &mut Places::new(), &mut [0; BLOCK])
                .is_none()
        );
        // More zeros than a tf has, fewer ones than tfs, and a tf of more than 32 bits.
        let zeros = [0; BLOCK];
        assert_eq!(
            take_tfs(
                &mut &padded(&zeros)[..],
                &mut Places::new(),
                &mut [0; BLOCK]
            ),
            None
        );
        assert_eq!(
            take_tfs(&mut &[0xff][..], &mut Places::new(), &mut [0; 9]),
            None
        );
        let large = [0x80, 0xff, 0xff, 0xff, 0xff, 0x0f];
        assert_eq!(
            take_tfs(&mut &large[..], &mut Places::new(), &mut [0]),
            None
        );
    }
}

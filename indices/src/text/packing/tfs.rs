//! How often sentences have a term that they have more than once.
//!
//! ```text
//! tfs   in unary: a one behind tf − 2 zeros, at most 7 | varint tf − 9 of each with 7
//! ```

use super::{BLOCK, Work};
use crate::kernels::kernels;
use crate::varint;

/// The smallest of the tfs that are packed.
pub(in crate::text) const LEAST_TF: u32 = 2;
/// The most zeros before the one of a tf.
const MOST_ZEROS: u32 = 7;

/// Reads tfs from the front of `bytes`, in `work`; `None` if they are malformed.
#[inline]
pub(in crate::text) fn take_tfs(bytes: &mut &[u8], work: &mut Work, tfs: &mut [u32]) -> Option<()> {
    let unary = &bytes[..bytes.len().min(BLOCK * (MOST_ZEROS as usize + 1) / 8)];
    if (kernels().ones)(unary, &mut work.places) < tfs.len() {
        return None;
    }
    let (mut next, mut most) = (0, 0);
    for (tf, place) in tfs.iter_mut().zip(work.places.iter()) {
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

/// Appends tfs, at most 128 and each at least 2, to `bytes`.
#[cfg(feature = "build")]
pub(in crate::text) fn put_tfs(tfs: &[u32], bytes: &mut Vec<u8>) {
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
    use crate::text::packing::PADDING;

    fn check_tfs(tfs: &[u32]) -> usize {
        let mut bytes = Vec::new();
        put_tfs(tfs, &mut bytes);
        let mut read = [0; BLOCK];
        let read = &mut read[..tfs.len()];
        for cut in 0..bytes.len() {
            assert_eq!(take_tfs(&mut &bytes[..cut], &mut Work::new(), read), None);
        }
        let len = bytes.len();
        bytes.extend([0xff; PADDING]);
        let mut rest = &bytes[..];
        take_tfs(&mut rest, &mut Work::new(), read).unwrap();
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
        let take = |bytes: &[u8], count: usize| {
            let mut tfs = [0; BLOCK];
            take_tfs(&mut &bytes[..], &mut Work::new(), &mut tfs[..count])
        };
        // More zeros than a tf has, fewer ones than tfs, and a tf of more than 32 bits.
        assert_eq!(take(&[0; 2 * BLOCK], BLOCK), None);
        assert_eq!(take(&[0, 0x80], 1), None);
        assert_eq!(take(&[0xff], 9), None);
        assert_eq!(take(&[0x80, 0xff, 0xff, 0xff, 0xff, 0x0f], 1), None);
    }
}

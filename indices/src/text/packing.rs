//! Blocks of 128 integers, bit-packed: a width that most of them fit, and exceptions for the rest.
//!
//! ```text
//! width u8 | exceptions u8 | 128 × width bits | (place u8, high bits as a variable-length integer) …
//! ```
//!
//! The bits are a stream, low bits first; eight values fill `width` whole bytes. Patched frames of reference are
//! due to Zukowski et al., "Super-Scalar RAM-CPU Cache Compression" (ICDE 2006); the width here is the one that
//! makes the block shortest.

use crate::varint;

/// The number of integers in a block.
pub(super) const BLOCK: usize = 128;

/// Bytes that must follow the last block of a section, so that it can be read eight bytes at a time.
pub(super) const PADDING: usize = 8;

/// Reads a block from the front of `bytes`; `None` if it is malformed.
#[inline]
pub(super) fn unpack(bytes: &mut &[u8], values: &mut [u32; BLOCK]) -> Option<()> {
    let [width, exceptions, rest @ ..] = bytes else {
        return None;
    };
    let width = *width;
    let (packed, mut after) = rest.split_at_checked(usize::from(width) * BLOCK / 8)?;
    unpack_bits(width, rest.get(..packed.len() + PADDING)?, values)?;
    for _ in 0..*exceptions {
        let (&place, rest) = after.split_first()?;
        after = rest;
        let high = varint::take_u32(&mut after)?;
        let value = values.get_mut(usize::from(place))?;
        *value |= u32::try_from(u64::from(high) << width).ok()?;
    }
    *bytes = after;
    Some(())
}

/// `packed` has [`PADDING`] bytes more than the values take.
#[inline]
fn unpack_bits(width: u8, packed: &[u8], values: &mut [u32; BLOCK]) -> Option<()> {
    macro_rules! by_width {
        ($($width:literal)*) => {
            match width {
                $($width => unpack_width::<$width>(packed, values),)*
                _ => None,
            }
        };
    }
    by_width!(0 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 19 20 21 22 23 24 25 26 27 28 29 30 31 32)
}

/// A function for each width, so that every shift is a constant.
fn unpack_width<const WIDTH: usize>(packed: &[u8], values: &mut [u32; BLOCK]) -> Option<()> {
    let mask = (1u64 << WIDTH) - 1;
    for (group, values) in values.chunks_exact_mut(8).enumerate() {
        let bytes = packed.get(group * WIDTH..group * WIDTH + WIDTH + PADDING)?;
        for (at, value) in values.iter_mut().enumerate() {
            let bit = at * WIDTH;
            let word = bytes[bit / 8..].first_chunk::<8>()?;
            *value = (u64::from_le_bytes(*word) >> (bit % 8) & mask) as u32;
        }
    }
    Some(())
}

/// Appends a block to `bytes`.
#[cfg(feature = "build")]
pub(super) fn pack(values: &[u32; BLOCK], bytes: &mut Vec<u8>) {
    let width = best_width(values);
    let exceptions = || {
        let places = values.iter().zip(0u8..);
        places.filter_map(|(&value, place)| Some((place, high_bits(value, width)?)))
    };
    bytes.push(width as u8);
    // At most 128.
    bytes.push(exceptions().count() as u8);
    let (mut word, mut filled) = (0u64, 0);
    for &value in values {
        word |= (u64::from(value) & ((1 << width) - 1)) << filled;
        filled += width;
        while filled >= 8 {
            bytes.push(word as u8);
            word >>= 8;
            filled -= 8;
        }
    }
    for (place, high) in exceptions() {
        bytes.push(place);
        varint::put(bytes, u64::from(high));
    }
}

/// What of `value` does not fit `width` bits.
#[cfg(feature = "build")]
fn high_bits(value: u32, width: u32) -> Option<u32> {
    value.checked_shr(width).filter(|&high| high > 0)
}

#[cfg(feature = "build")]
fn best_width(values: &[u32; BLOCK]) -> u32 {
    // How many values need each number of bits, 0 to 32.
    let mut counts = [0; 33];
    for value in values {
        counts[(u32::BITS - value.leading_zeros()) as usize] += 1;
    }
    let bytes_of = |width: u32| {
        let exceptions: u32 = (width + 1..=32)
            .map(|bits| counts[bits as usize] * (1 + (bits - width).div_ceil(7)))
            .sum();
        width * BLOCK as u32 / 8 + exceptions
    };
    (0..=32).min_by_key(|&width| bytes_of(width)).unwrap_or(32)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(values: [u32; BLOCK]) -> usize {
        let mut bytes = Vec::new();
        pack(&values, &mut bytes);
        let len = bytes.len();
        for cut in 0..len {
            assert_eq!(unpack(&mut &bytes[..cut], &mut [0; BLOCK]), None);
        }
        bytes.extend([0xff; PADDING]);
        let (mut rest, mut read) = (&bytes[..], [7; BLOCK]);
        unpack(&mut rest, &mut read).unwrap();
        assert_eq!(read, values);
        assert_eq!(rest.len(), PADDING);
        len
    }

    #[test]
    fn every_width_is_read_back() {
        for bits in 0..=32 {
            let top = (1u64 << bits) as u32;
            check([top.wrapping_sub(1); BLOCK]);
            check(std::array::from_fn(|at| {
                (at as u32).wrapping_mul(0x9E37_79B9) & top.wrapping_sub(1)
            }));
        }
    }

    #[test]
    fn a_few_large_values_cost_only_themselves() {
        let mut values = [0; BLOCK];
        assert_eq!(check(values), 2);
        values[127] = 1;
        assert_eq!(check(values), 4);
        values[3] = u32::MAX;
        assert_eq!(check(values), 10);
        assert_eq!(check([5; BLOCK]), 2 + 48);
    }

    #[test]
    fn refuses_what_no_writer_makes() {
        let mut values = [0; BLOCK];
        let padded = |head: &[u8]| [head, &[0; 600]].concat();
        for bad in [
            padded(&[33, 0]),
            padded(&[0, 1, 128, 1]),
            padded(&[0, 1, 0, 0xff, 0xff, 0xff, 0xff, 0x7f]),
            [
                padded(&[32, 1])[..514].to_vec(),
                vec![0, 1, 0, 0, 0, 0, 0, 0, 0, 0],
            ]
            .concat(),
        ] {
            assert_eq!(unpack(&mut &bad[..], &mut values), None);
        }
    }
}

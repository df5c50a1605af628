//! Rice codes (Rice and Plaunt, "Adaptive Variable-Length Coding", 1971), taken apart.
//!
//! The low k bits of all integers are a packed stream, and the rest of each stands in unary, as so many zeros and a one.
//! The ones can be found a word at a time; as the one of integer i stands at place Σ high + i, no integer waits for the one
//! before.

use super::BLOCK;
use crate::kernels::{Places, kernels};

/// Up to this many low bits of 128 integers add up in 32.
const MOST_IN_32: u8 = 24;

/// Up to 128 integers, where they lie.
#[derive(Clone, Copy, Debug)]
pub(super) struct Rice<'a> {
    /// At most 31.
    pub k: u8,
    /// How many.
    pub len: usize,
    /// The high parts.
    pub high: &'a [u8],
    /// From the low parts on.
    pub low: &'a [u8],
}

impl Rice<'_> {
    /// The bytes of the low parts.
    pub fn low_bytes(&self) -> usize {
        (usize::from(self.k) * self.len).div_ceil(8)
    }

    /// Adds the integers up: `sums[i] = base + i + Σ integers[..=i]`, modulo 2³², and gives the last of them, which is
    /// exact. If it is below 2³², all are, and they ascend. `None` where the high parts are not as many.
    #[inline]
    pub fn add_up(&self, base: u32, places: &mut Places, sums: &mut [u32; BLOCK]) -> Option<u64> {
        let kernels = kernels();
        let last = self.len.checked_sub(1)?;
        if !(kernels.unpack)(self.k, self.low, sums) {
            return None;
        }
        let low = LowSum::of(self.k, &sums[..self.len]);
        (kernels.add_up)(base, sums);
        if (kernels.ones)(self.high, places) != self.len {
            return None;
        }
        let low = low.exact(sums[last].wrapping_sub(base).wrapping_sub(last as u32));
        // At most 2¹⁶ of them, and k is below 32.
        let zeros = u64::from(places.get(last)) - last as u64;
        (kernels.add_high)(self.k, places, sums);
        Some(u64::from(base) + last as u64 + low + (zeros << self.k))
    }
}

/// The sum of low parts, where it might not fit in 32 bits.
pub(super) struct LowSum(Option<u64>);

impl LowSum {
    /// Of these integers of k bits.
    #[inline]
    pub fn of(k: u8, integers: &[u32]) -> LowSum {
        let sum = || integers.iter().map(|&low| u64::from(low)).sum();
        LowSum((k > MOST_IN_32).then(sum))
    }

    /// The sum, which is `modulo` modulo 2³².
    #[inline]
    pub fn exact(self, modulo: u32) -> u64 {
        self.0.unwrap_or(u64::from(modulo))
    }
}

/// The bytes that the high parts of these integers take.
#[cfg(feature = "build")]
pub(super) fn high_bytes(integers: &[u32], k: u32) -> u64 {
    let zeros: u64 = integers.iter().map(|&high| u64::from(high >> k)).sum();
    (zeros + integers.len() as u64).div_ceil(8)
}

/// The bytes that `len` low parts take.
#[cfg(feature = "build")]
pub(super) fn low_bytes(len: usize, k: u32) -> u64 {
    (u64::from(k) * len as u64).div_ceil(8)
}

/// Appends the high parts of these integers.
#[cfg(feature = "build")]
pub(super) fn put_high(integers: &[u32], k: u32, bytes: &mut Vec<u8>) {
    let start = bytes.len();
    bytes.resize(start + high_bytes(integers, k) as usize, 0);
    let mut place = 0;
    for &integer in integers {
        place += (integer >> k) as usize;
        bytes[start + place / 8] |= 1 << (place % 8);
        place += 1;
    }
}

/// Appends the low parts of these integers.
#[cfg(feature = "build")]
pub(super) fn put_low(integers: &[u32], k: u32, bytes: &mut Vec<u8>) {
    let (mut word, mut filled) = (0u64, 0);
    for &integer in integers {
        word |= (u64::from(integer) & ((1 << k) - 1)) << filled;
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

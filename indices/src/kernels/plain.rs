//! The inner loops in plain Rust: what all others are compared with.

use super::{BLOCK, Kernels, Places, words};

/// What any processor can do.
pub(crate) static KERNELS: Kernels = Kernels {
    name: "plain",
    unpack,
    unpack_some,
    add_up,
    ones,
    add_high,
    spread,
    below,
};

fn unpack(width: u8, packed: &[u8], values: &mut [u32; BLOCK]) -> bool {
    macro_rules! by_width {
        ($($width:literal)*) => {
            match width {
                $($width => unpack_width::<$width>(packed, values).is_some(),)*
                _ => false,
            }
        };
    }
    by_width!(0 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 19 20 21 22 23 24 25 26 27 28 29 30 31 32)
}

/// A function for each width, so that every shift is a constant.
fn unpack_width<const WIDTH: usize>(packed: &[u8], values: &mut [u32; BLOCK]) -> Option<()> {
    let packed = packed.get(..WIDTH * BLOCK / 8 + 64)?;
    let mask = (1u64 << WIDTH) - 1;
    for (group, values) in values.chunks_exact_mut(8).enumerate() {
        let bytes = packed.get(group * WIDTH..group * WIDTH + WIDTH + 8)?;
        for (at, value) in values.iter_mut().enumerate() {
            let bit = at * WIDTH;
            let word = bytes[bit / 8..].first_chunk::<8>()?;
            *value = (u64::from_le_bytes(*word) >> (bit % 8) & mask) as u32;
        }
    }
    Some(())
}

fn unpack_some(width: u8, packed: &[u8], count: usize, values: &mut [u32]) -> u32 {
    unpack_from(0, width, packed, &mut values[..count])
}

/// Unpacks integers from number `first` of a stream on, and gives the largest, or 0.
pub(super) fn unpack_from(first: usize, width: u8, packed: &[u8], values: &mut [u32]) -> u32 {
    let mask = (1u64 << width) - 1;
    let mut largest = 0;
    for (place, value) in values.iter_mut().enumerate() {
        let bit = (first + place) * usize::from(width);
        let word = &packed[bit / 8..bit / 8 + 8];
        let word = word.try_into().map_or(0, u64::from_le_bytes);
        *value = (word >> (bit % 8) & mask) as u32;
        largest = largest.max(*value);
    }
    largest
}

fn add_up(base: u32, values: &mut [u32; BLOCK]) {
    let mut next = base;
    for value in values {
        next = next.wrapping_add(*value);
        *value = next;
        next = next.wrapping_add(1);
    }
}

fn ones(bits: &[u8], places: &mut Places) -> usize {
    let mut count = 0;
    for (mut word, base) in words(bits).zip((0u16..).step_by(64)) {
        while word != 0 {
            if count == BLOCK {
                return count;
            }
            places.0[count] = base + word.trailing_zeros() as u16;
            count += 1;
            word &= word - 1;
        }
    }
    count
}

fn add_high(shift: u8, places: &Places, values: &mut [u32; BLOCK]) {
    for ((value, &place), index) in values.iter_mut().zip(&places.0).zip(0..) {
        let high = u32::from(place).wrapping_sub(index);
        *value = value.wrapping_add(high.wrapping_shl(u32::from(shift)));
    }
}

fn spread(shift: u8, bits: &[u8], sums: &[u32; BLOCK], values: &mut [u32; BLOCK]) {
    let (mut before, mut next) = (u32::MAX, sums.iter());
    for (mut word, values) in words(bits).zip(values.chunks_exact_mut(64)) {
        while let (1.., Some(&sum)) = (word, next.as_slice().first()) {
            let high = sum.wrapping_sub(before).wrapping_shl(shift.into());
            let value = &mut values[word.trailing_zeros() as usize];
            *value = value.wrapping_add(high);
            before = sum;
            next.next();
            word &= word - 1;
        }
    }
}

fn below(values: &[u32; BLOCK], bound: u32) -> usize {
    values.iter().filter(|&&value| value < bound).count()
}

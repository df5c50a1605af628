//! The inner loops, in the widest instructions that the processor has.
//!
//! Each is there in plain Rust, which says what it computes and runs anywhere, and for some instruction sets. Which
//! of them the processor has is asked once. The tests compare every one that this machine can run with
//! the plain one, on random input.

#![allow(unsafe_code)]

use std::sync::OnceLock;

pub(crate) mod features;
#[cfg(target_arch = "aarch64")]
mod neon;
pub(crate) mod plain;
pub(crate) mod rows;
pub(crate) mod sums;
#[cfg(target_arch = "x86_64")]
mod x86_64;

/// The integers of a block.
pub(crate) const BLOCK: usize = 128;

/// Bytes that must follow what is unpacked: it is read in whole registers, and as if there were always
/// [`BLOCK`] integers.
pub(crate) const PADDING: usize = 4 * BLOCK + 64;

/// The inner loops for this processor.
pub(crate) struct Kernels {
    /// The name of the instruction set.
    #[cfg_attr(
        not(test),
        expect(dead_code, reason = "the tests say which one failed")
    )]
    pub name: &'static str,
    /// Unpacks 128 integers of so many bits each, at most 32, from a stream with the low bits first. The bytes are
    /// those of the integers and at least 64 more; `false`, and nothing is done, where they are not.
    pub unpack: fn(width: u8, packed: &[u8], values: &mut [u32; BLOCK]) -> bool,
    /// Unpacks `count` integers of so many bits each, at most 32, from a stream with the low bits first, and gives the largest of
    /// them, or 0. From where each begins, 8 bytes are there. There is room for a multiple of 8, and those too many may hold anything.
    pub unpack_some: fn(width: u8, packed: &[u8], count: usize, values: &mut [u32]) -> u32,
    /// Turns gaps into ascending numbers, in place: `value[i] = base + i + Σ gaps[..=i]`, modulo 2³².
    pub add_up: fn(base: u32, values: &mut [u32; BLOCK]),
    /// Writes down the places of the first 128 bits that are set in a stream with the low bits first, and gives
    /// their number, at most 128; the places behind it may hold anything. At most 65,536 bits are looked at.
    pub ones: fn(bits: &[u8], places: &mut Places) -> usize,
    /// Adds `(places[i] − i) << shift` to each value, modulo 2³².
    pub add_high: fn(shift: u8, places: &Places, values: &mut [u32; BLOCK]),
    /// Adds to each value whose bit is set, of at most 128 with the low bits first, the next sum less the one before it,
    /// shifted, modulo 2³². Before the first stands −1.
    pub spread: fn(shift: u8, bits: &[u8], sums: &[u32; BLOCK], values: &mut [u32; BLOCK]),
    /// How many of these ascending integers are below `bound`.
    pub below: fn(values: &[u32; BLOCK], bound: u32) -> usize,
}

/// Places of bits, with room for what is written in whole registers.
pub(crate) struct Places([u16; BLOCK + 64]);

impl Places {
    /// Places 0.
    pub fn new() -> Places {
        Places([0; BLOCK + 64])
    }

    /// The place of the bit that is number `index` of those that are set, `index` below 128.
    pub fn get(&self, index: usize) -> u16 {
        self.0[index]
    }

    /// The places of the first 128 bits that are set.
    pub fn iter(&self) -> impl Iterator<Item = u32> {
        self.0[..BLOCK].iter().map(|&place| u32::from(place))
    }
}

/// The bits of `bytes` in words, at most 1024; the last is filled up with zeros.
#[inline]
fn words(bytes: &[u8]) -> impl Iterator<Item = u64> {
    let (whole, rest) = bytes.as_chunks();
    let last = rest.iter().rev();
    let last = last.fold(0, |word, &byte| word << 8 | u64::from(byte));
    let whole = whole.iter().map(|&word| u64::from_le_bytes(word));
    whole.chain((!rest.is_empty()).then_some(last)).take(1024)
}

/// What this processor can do best.
pub(crate) fn kernels() -> &'static Kernels {
    static CHOSEN: OnceLock<&'static Kernels> = OnceLock::new();
    CHOSEN.get_or_init(|| available().next_back().unwrap_or(&plain::KERNELS))
}

/// All that this processor can run, the best last.
fn available() -> impl DoubleEndedIterator<Item = &'static Kernels> {
    let mut all = vec![&plain::KERNELS];
    #[cfg(target_arch = "x86_64")]
    all.extend(x86_64::available());
    #[cfg(target_arch = "aarch64")]
    all.extend(neon::available());
    all.into_iter()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A generator of random numbers, the same every time.
    fn random() -> impl FnMut() -> u32 {
        let mut state = 0x9E37_79B9_7F4A_7C15u64;
        move || {
            state ^= state << 13;
            state ^= state >> 7;
            state ^= state << 17;
            (state >> 16) as u32
        }
    }

    #[test]
    fn every_instruction_set_computes_what_plain_rust_does() {
        let mut random = random();
        for kernels in available() {
            for round in 0..40 {
                let mut bytes = [0; 4 * BLOCK + 64 + 3];
                bytes.fill_with(|| random() as u8);
                for width in 0..=40 {
                    // At any alignment, and with too few bytes.
                    let needed = usize::from(width) * BLOCK / 8 + 64;
                    let end = (round % 4 + needed).min(bytes.len());
                    for packed in [
                        &bytes[round % 4..end],
                        &bytes[..(needed - 1).min(bytes.len())],
                    ] {
                        let (mut expected, mut got) = ([7; BLOCK], [7; BLOCK]);
                        let held = (plain::KERNELS.unpack)(width, packed, &mut expected);
                        assert_eq!((kernels.unpack)(width, packed, &mut got), held);
                        assert_eq!(got, expected, "{} {width}", kernels.name);
                    }
                }
                let density = [0, 1, 3, 7, 31, 127][round % 6];
                let mut bits = [0; 700];
                for bit in 0..bits.len() * 8 {
                    bits[bit / 8] |= u8::from(random() & density == 0) << (bit % 8);
                }
                for len in [0, 1, 7, 8, 9, 16, 33, 64, 100, 255, 700] {
                    let (mut expected, mut got) = (Places::new(), Places::new());
                    let count = (plain::KERNELS.ones)(&bits[..len], &mut expected);
                    assert_eq!((kernels.ones)(&bits[..len], &mut got), count);
                    assert_eq!(got.0[..count], expected.0[..count], "{}", kernels.name);
                    let (mut high, mut own) = ([3; BLOCK], [3; BLOCK]);
                    let shift = round as u8 % 32;
                    (plain::KERNELS.add_high)(shift, &expected, &mut high);
                    (kernels.add_high)(shift, &got, &mut own);
                    assert_eq!(own[..count], high[..count], "{} {shift}", kernels.name);
                }
                let mut values = [0; BLOCK];
                let limit = 1u32 << (round % 32);
                values.fill_with(|| random() % limit);
                let (mut expected, mut got) = (values, values);
                let base = random();
                (plain::KERNELS.add_up)(base, &mut expected);
                (kernels.add_up)(base, &mut got);
                assert_eq!(got, expected, "{}", kernels.name);
                let mut sums = [0; BLOCK];
                sums.fill_with(&mut random);
                for len in [0, 1, 2, 3, 5, 15, 16] {
                    let (mut expected, mut got) = (values, values);
                    let shift = round as u8 % 32;
                    (plain::KERNELS.spread)(shift, &bits[..len], &sums, &mut expected);
                    (kernels.spread)(shift, &bits[..len], &sums, &mut got);
                    assert_eq!(got, expected, "{} {len}", kernels.name);
                }
                for width in 1..=32 {
                    let len = round * 2 % 67;
                    // With as few bytes as may be, and with more.
                    let needed = len.saturating_sub(1) * usize::from(width) / 8 + 8;
                    for packed in [&bytes[3..3 + needed], &bytes[3..]] {
                        let room = len.next_multiple_of(8);
                        let (mut expected, mut got) = (vec![0; room], vec![0; room]);
                        let largest =
                            (plain::KERNELS.unpack_some)(width, packed, len, &mut expected);
                        assert_eq!(largest, expected[..len].iter().fold(0, |a, &b| a.max(b)));
                        assert_eq!((kernels.unpack_some)(width, packed, len, &mut got), largest);
                        assert_eq!(got[..len], expected[..len], "{} {width}", kernels.name);
                    }
                    let mut all = [0; BLOCK];
                    if (plain::KERNELS.unpack)(width, &bytes[3..], &mut all) {
                        let mut some = vec![0; len.next_multiple_of(8)];
                        (plain::KERNELS.unpack_some)(width, &bytes[3..], len, &mut some);
                        assert_eq!(some[..len], all[..len]);
                    }
                }
                values.sort_unstable();
                let bounds = [0, 1, values[0], values[127], values[64] + 1, u32::MAX];
                for bound in bounds.into_iter().chain((0..50).map(|_| random() % limit)) {
                    assert_eq!(
                        (kernels.below)(&values, bound),
                        (plain::KERNELS.below)(&values, bound),
                        "{}",
                        kernels.name
                    );
                }
            }
        }
    }
}

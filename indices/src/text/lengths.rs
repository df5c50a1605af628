//! The lengths of sentences, in a byte each.
//!
//! Lucene's `SmallFloat`: exact up to 40 terms, then a float with four significant bits, rounded down. BM25 sees
//! the rounded length, so scores equal Lucene's only with the same rounding.

/// Lengths below this many are stored as they are.
const EXACT: u32 = 24;

/// The length that each byte stands for.
pub(super) const LENGTHS: [u32; 256] = {
    let mut lengths = [0; 256];
    let mut byte = 0;
    while byte < 256 {
        lengths[byte] = decode(byte as u8);
        byte += 1;
    }
    lengths
};

const fn decode(byte: u8) -> u32 {
    let code = byte as u32;
    if code < EXACT {
        return code;
    }
    let (mantissa, exponent) = ((code - EXACT) & 7, (code - EXACT) >> 3);
    let rest = match exponent {
        0 => mantissa,
        _ => (mantissa | 8) << (exponent - 1),
    };
    EXACT + rest
}

/// The byte for a sentence of `length` terms. Lengths stop at 2³¹ − 1, as in Java.
#[cfg(feature = "build")]
pub(super) fn encode(length: u32) -> u8 {
    let length = length.min(i32::MAX as u32);
    let Some(rest) = length.checked_sub(EXACT) else {
        return length as u8;
    };
    let bits = u32::BITS - rest.leading_zeros();
    let code = match bits.checked_sub(4) {
        None => rest,
        Some(shift) => (rest >> shift & 7) | (shift + 1) << 3,
    };
    // At most 24 + 231.
    (EXACT + code) as u8
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Lucene's documentation of `SmallFloat.intToByte4`, and its table in BM25Similarity.
    #[test]
    fn rounds_as_lucene_does() {
        for length in 0..=40 {
            assert_eq!(LENGTHS[encode(length) as usize], length);
        }
        for (length, rounded) in [
            (41, 40),
            (42, 42),
            (43, 42),
            (56, 56),
            (57, 56),
            (60, 60),
            (100, 96),
            (1000, 984),
        ] {
            assert_eq!(LENGTHS[encode(length) as usize], rounded, "{length}");
        }
        assert_eq!(LENGTHS[255], 2_013_265_944);
        assert_eq!(encode(i32::MAX as u32), 255);
        assert_eq!(encode(u32::MAX), 255);
        assert!(LENGTHS.is_sorted());
        for byte in 0..=255 {
            assert_eq!(encode(LENGTHS[byte as usize]), byte);
        }
    }
}

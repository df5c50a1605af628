//! The few lengths that sequences have on a GPU.
//!
//! A kernel is chosen by measuring, and compiled, for each shape that it meets. With every length from 1 to L a session
//! would do so for weeks; with these, once. The cost is at most a third more rows than asked for, and none at the
//! full length, which retrieval fills.

use burn::tensor::{Bool, Device, Tensor, TensorData};

/// Lengths up to that of XLM-R; multiples of 32 suit every matrix unit.
const LENGTHS: [usize; 8] = [32, 64, 96, 128, 192, 256, 384, 512];

/// The distance of longer ones.
const STEP: usize = 128;

/// The number of rows that a sequence of `n` is padded to.
pub(crate) fn rows(n: usize) -> usize {
    match LENGTHS.into_iter().find(|&length| length >= n) {
        Some(length) => length,
        None => n.div_ceil(STEP) * STEP,
    }
}

/// Every number of rows that sequences of 1 to `longest` are padded to, in order.
pub(crate) fn buckets(longest: usize) -> Vec<usize> {
    let mut lengths = Vec::new();
    let mut n = 1;
    while n <= longest {
        let padded = rows(n);
        lengths.push(padded);
        n = padded + 1;
    }
    lengths
}

/// Which keys no query may see, `[1, heads, rows, rows]`, true from `n` on; `None` where there is no padding.
pub(crate) fn padding_mask(
    n: usize,
    rows: usize,
    heads: usize,
    device: &Device,
) -> Option<Tensor<4, Bool>> {
    (n < rows).then(|| {
        let masked: Vec<bool> = (0..rows).map(|at| at >= n).collect();
        let keys = Tensor::<1, Bool>::from_data(TensorData::new(masked, [rows]), device);
        keys.reshape([1, 1, 1, rows]).expand([1, heads, rows, rows])
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_length_goes_up_to_the_next_of_the_few() {
        let cases = [
            (1, 32),
            (32, 32),
            (33, 64),
            (77, 96),
            (129, 192),
            (385, 512),
            (512, 512),
            (513, 640),
            (1025, 1152),
        ];
        for (n, padded) in cases {
            assert_eq!(rows(n), padded, "{n}");
        }
    }

    #[test]
    fn the_buckets_of_a_model_are_what_its_lengths_are_padded_to() {
        assert!(buckets(0).is_empty());
        assert_eq!(buckets(64), [32, 64]);
        assert_eq!(buckets(512), LENGTHS);
        assert_eq!(buckets(700)[8..], [640, 768]);
        let each: std::collections::BTreeSet<usize> = (1..=700).map(rows).collect();
        assert_eq!(buckets(700), Vec::from_iter(each));
    }

    #[cfg(feature = "cpu")]
    #[test]
    fn only_the_padding_is_masked() {
        let device = Device::flex();
        assert!(padding_mask(4, 4, 2, &device).is_none());
        let mask = padding_mask(2, 3, 2, &device).unwrap();
        assert_eq!(mask.dims(), [1, 2, 3, 3]);
        let mask = mask.into_data().iter::<bool>().collect::<Vec<_>>();
        assert_eq!(mask, [false, false, true].repeat(6));
    }
}

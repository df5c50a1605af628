//! What is done with a whole feature: once for every search, and for every row that is made.
//!
//! Each is plain Rust over [`LANES`] values side by side, compiled again for the wider registers: the same operations in the
//! same order, so that the same features give the same bits on every machine.

use std::sync::OnceLock;

/// Values side by side.
const LANES: usize = 16;

/// The loops, for some instruction set.
pub(crate) struct FeatureKernels {
    /// The name of the instruction set.
    #[cfg_attr(
        not(test),
        expect(dead_code, reason = "the tests say which one failed")
    )]
    pub name: &'static str,
    /// The inner product of two features, equally long.
    pub product: fn(a: &[f32], b: &[f32]) -> f64,
    /// Writes `feature[i] · factor − centre[i]` into `differences`, and gives the largest magnitude of them. All are equally long.
    pub subtract: fn(feature: &[f32], factor: f64, centre: &[f32], differences: &mut [f32]) -> f32,
    /// Rounds values to integers from −127 to 127, in units of `scale`, leaves what is left of them, and gives the sum of the integers.
    /// Both are equally long. What is no number becomes some integer; where the scale is 0, numbers become 0.
    pub round: fn(values: &mut [f32], scale: f32, integers: &mut [i8]) -> i32,
}

static PLAIN: FeatureKernels = FeatureKernels {
    name: "plain",
    product,
    subtract,
    round,
};

/// What this processor can do best.
pub(crate) fn feature_kernels() -> &'static FeatureKernels {
    static CHOSEN: OnceLock<&'static FeatureKernels> = OnceLock::new();
    CHOSEN.get_or_init(|| available().pop().unwrap_or(&PLAIN))
}

/// All that this processor can run, the best last.
fn available() -> Vec<&'static FeatureKernels> {
    #[cfg(target_arch = "x86_64")]
    let wider = x86_64::available();
    #[cfg(not(target_arch = "x86_64"))]
    let wider = [];
    std::iter::once(&PLAIN).chain(wider).collect()
}

#[inline(always)]
fn product(a: &[f32], b: &[f32]) -> f64 {
    let ((a, a_rest), (b, b_rest)) = (a.as_chunks::<LANES>(), b.as_chunks::<LANES>());
    let mut lanes = [0f64; LANES];
    for (a, b) in a.iter().zip(b) {
        for lane in 0..LANES {
            lanes[lane] += f64::from(a[lane]) * f64::from(b[lane]);
        }
    }
    for ((lane, &a), &b) in lanes.iter_mut().zip(a_rest).zip(b_rest) {
        *lane += f64::from(a) * f64::from(b);
    }
    lanes.iter().sum()
}

#[inline(always)]
fn subtract(feature: &[f32], factor: f64, centre: &[f32], differences: &mut [f32]) -> f32 {
    let difference = |value: f32, c: f32| (f64::from(value) * factor) as f32 - c;
    // NaN is no larger than anything.
    let larger = |a: f32, b: f32| if b > a { b } else { a };
    let mut lanes = [0f32; LANES];
    let (features, feature_rest) = feature.as_chunks::<LANES>();
    let (centres, centre_rest) = centre.as_chunks::<LANES>();
    let (chunks, rest) = differences.as_chunks_mut::<LANES>();
    for ((chunk, feature), centre) in chunks.iter_mut().zip(features).zip(centres) {
        for lane in 0..LANES {
            chunk[lane] = difference(feature[lane], centre[lane]);
            lanes[lane] = larger(lanes[lane], chunk[lane].abs());
        }
    }
    let mut largest = lanes.into_iter().fold(0.0, larger);
    for ((value, &x), &c) in rest.iter_mut().zip(feature_rest).zip(centre_rest) {
        *value = difference(x, c);
        largest = larger(largest, value.abs());
    }
    largest
}

#[inline(always)]
fn round(values: &mut [f32], scale: f32, integers: &mut [i8]) -> i32 {
    // Such a float has no room for what is behind the point, so that adding it rounds to the nearest integer, of two to the even
    // one, and the lowest bits are that integer's.
    const ROUNDS: f32 = (3 << 22) as f32;
    let inverse = if scale > 0.0 { scale.recip() } else { 0.0 };
    let rounded = |value: &mut f32| {
        let wanted = *value * inverse;
        // What is no number is not above −127.
        let above = if wanted > -127.0 { wanted } else { -127.0 };
        let shifted = if above < 127.0 { above } else { 127.0 } + ROUNDS;
        *value -= (shifted - ROUNDS) * scale;
        shifted
            .to_bits()
            .wrapping_sub(ROUNDS.to_bits())
            .cast_signed()
    };
    let mut sums = [0i32; LANES];
    let (chunks, rest) = values.as_chunks_mut::<LANES>();
    let (integer_chunks, integer_rest) = integers.as_chunks_mut::<LANES>();
    for (values, integers) in chunks.iter_mut().zip(integer_chunks) {
        for lane in 0..LANES {
            let integer = rounded(&mut values[lane]);
            sums[lane] += integer;
            integers[lane] = integer as i8;
        }
    }
    for ((value, integer), sum) in rest.iter_mut().zip(integer_rest).zip(&mut sums) {
        let rounded = rounded(value);
        *sum += rounded;
        *integer = rounded as i8;
    }
    sums.iter().sum()
}

#[cfg(target_arch = "x86_64")]
mod x86_64 {
    use super::FeatureKernels;

    /// Has the compiler use the instructions of an instruction set.
    macro_rules! compiled_for {
        ($name:ident, $title:literal, $features:literal) => {
            static $name: FeatureKernels = {
                #[target_feature(enable = $features)]
                fn product(a: &[f32], b: &[f32]) -> f64 {
                    super::product(a, b)
                }
                #[target_feature(enable = $features)]
                fn subtract(
                    feature: &[f32],
                    factor: f64,
                    centre: &[f32],
                    differences: &mut [f32],
                ) -> f32 {
                    super::subtract(feature, factor, centre, differences)
                }
                #[target_feature(enable = $features)]
                fn round(values: &mut [f32], scale: f32, integers: &mut [i8]) -> i32 {
                    super::round(values, scale, integers)
                }
                FeatureKernels {
                    name: $title,
                    product: |a, b| {
                        // SAFETY: this table is handed out only where these features were found.
                        unsafe { product(a, b) }
                    },
                    subtract: |feature, factor, centre, differences| {
                        // SAFETY: as above.
                        unsafe { subtract(feature, factor, centre, differences) }
                    },
                    round: |values, scale, integers| {
                        // SAFETY: as above.
                        unsafe { round(values, scale, integers) }
                    },
                }
            };
        };
    }

    compiled_for!(AVX2, "AVX2", "avx2");
    compiled_for!(AVX512, "AVX-512", "avx512f,avx512bw,avx512dq,avx512vl");

    /// What this processor has, the best last.
    pub fn available() -> impl Iterator<Item = &'static FeatureKernels> {
        let avx2 = is_x86_feature_detected!("avx2");
        let avx512 = is_x86_feature_detected!("avx512f")
            && is_x86_feature_detected!("avx512bw")
            && is_x86_feature_detected!("avx512dq")
            && is_x86_feature_detected!("avx512vl");
        [avx2.then_some(&AVX2), avx512.then_some(&AVX512)]
            .into_iter()
            .flatten()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LENS: [usize; 9] = [0, 1, 15, 16, 17, 33, 100, 512, 767];

    fn values(len: usize, seed: usize) -> Vec<f32> {
        let value = |place| (((place + 1) * (seed + 3)) as f32).sin() / 7.0;
        (0..len).map(value).collect()
    }

    #[test]
    fn products_are_those_of_double_precision() {
        for len in LENS {
            let (a, b) = (values(len, 1), values(len, 2));
            let pairs = a.iter().zip(&b);
            let sum: f64 = pairs.map(|(&a, &b)| f64::from(a) * f64::from(b)).sum();
            assert!(((PLAIN.product)(&a, &b) - sum).abs() < 1e-12, "{len}");
        }
    }

    #[test]
    fn differences_are_told_with_the_largest() {
        for len in LENS {
            let (feature, centre) = (values(len, 1), values(len, 2));
            let mut differences = vec![0.0; len];
            let largest = (PLAIN.subtract)(&feature, 0.5, &centre, &mut differences);
            let pairs = feature.iter().zip(&centre);
            let expected: Vec<f32> = pairs.map(|(&x, &c)| x / 2.0 - c).collect();
            assert_eq!(differences, expected);
            let magnitudes = expected.iter().map(|value| value.abs());
            assert_eq!(largest, magnitudes.fold(0.0, f32::max));
        }
    }

    #[test]
    fn integers_are_the_nearest_and_the_rest_is_left() {
        let rounded = |values: &[f32], scale| {
            let (mut left, mut integers) = (values.to_vec(), vec![0; values.len()]);
            let sum = (PLAIN.round)(&mut left, scale, &mut integers);
            assert_eq!(
                sum,
                integers.iter().map(|&integer| i32::from(integer)).sum()
            );
            (integers, left)
        };
        let (integers, left) = rounded(&[0.5, -1.0, 0.003, 0.0], 1.0 / 127.0);
        assert_eq!(integers, [64, -127, 0, 0]);
        assert!((left[0] - (0.5 - 64.0 / 127.0)).abs() < 1e-7 && left[2] == 0.003);
        assert_eq!(rounded(&[0.0, -0.0], 0.0).0, [0, 0]);
        for value in [f32::NAN, -f32::NAN, f32::INFINITY, f32::MIN, f32::MAX] {
            let (integers, _) = rounded(&[value; 3], 1e-3);
            assert!(integers.iter().all(|&integer| integer >= -127));
        }
        // Every integer, and what lies around it.
        let around = |integer: i32| [0.0, 0.4, -0.4].map(|by| integer as f32 + by);
        let values: Vec<f32> = (-127..=127)
            .flat_map(around)
            .map(|value| value.clamp(-127.0, 127.0) * 3e-5)
            .collect();
        let expected: Vec<i8> = (-127..=127)
            .flat_map(|integer: i32| [integer as i8; 3])
            .collect();
        let (integers, left) = rounded(&values, 3e-5);
        assert_eq!(integers, expected);
        assert!(left.iter().all(|left| left.abs() < 0.41 * 3e-5));
    }

    #[test]
    fn every_instruction_set_gives_the_same_bits() {
        for kernels in available() {
            for len in LENS {
                let (a, b) = (values(len, 1), values(len, 2));
                let same = |a: f64, b: f64| a.to_bits() == b.to_bits();
                let (product, expected) = ((kernels.product)(&a, &b), (PLAIN.product)(&a, &b));
                assert!(same(product, expected), "{} {len}", kernels.name);
                let of = |kernels: &FeatureKernels| {
                    let (mut differences, mut integers) = (vec![0.0; len], vec![0; len]);
                    let largest = (kernels.subtract)(&a, 1.0 / 3.0, &b, &mut differences);
                    let before = differences.clone();
                    let sum = (kernels.round)(&mut differences, largest / 127.0, &mut integers);
                    let bits = |values: Vec<f32>| -> Vec<u32> {
                        values.into_iter().map(f32::to_bits).collect()
                    };
                    (
                        largest.to_bits(),
                        bits(before),
                        bits(differences),
                        integers,
                        sum,
                    )
                };
                assert_eq!(of(kernels), of(&PLAIN), "{} {len}", kernels.name);
            }
        }
    }
}

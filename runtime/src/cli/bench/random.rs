//! Numbers that are the same on every machine.

use rayon::prelude::*;

/// How many values one generator makes: what threads share does not change them.
const BLOCK: usize = 1 << 16;

/// SplitMix64 (Steele, Lea, Flood, 2014).
pub(super) fn splitmix64(state: &mut u64) -> u64 {
    *state = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
    let mut z = *state;
    z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}

/// A number below `count`.
pub(super) fn below(state: &mut u64, count: usize) -> usize {
    ((u128::from(splitmix64(state)) * count as u128) >> 64) as usize
}

/// Nearly normal values with mean 0: a sum of four uniform ones, which ends at 3.5 standard deviations.
pub(super) fn normal(seed: u64, count: usize, deviation: f32) -> Vec<f32> {
    // The variance of one uniform 16-bit number is (2^32 − 1) / 12.
    let scale = deviation / (4.0 * (4_294_967_295.0_f32 / 12.0)).sqrt();
    let mut values = vec![0.0_f32; count];
    let blocks = values.par_chunks_mut(BLOCK).enumerate();
    blocks.for_each(|(block, values)| {
        let mut state = seed ^ (block as u64 + 1).wrapping_mul(0xd134_2543_de82_ef95);
        for value in values {
            let bits = splitmix64(&mut state);
            let sum: u64 = (0..4).map(|part| (bits >> (16 * part)) & 0xffff).sum();
            *value = (sum as f32 - 131_070.0) * scale;
        }
    });
    values
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Vigna's splitmix64.c, seed 1234567.
    #[test]
    fn splitmix_is_that_of_its_reference() {
        assert_eq!(splitmix64(&mut 1_234_567), 6_457_827_717_110_365_317);
    }

    #[test]
    fn normal_values_have_the_deviation_that_was_asked_for_and_repeat() {
        let values = normal(7, 200_000, 0.02);
        assert_eq!(values, normal(7, 200_000, 0.02));
        assert_ne!(values[..100], normal(8, 100, 0.02)[..]);
        let mean = values.iter().map(|&x| f64::from(x)).sum::<f64>() / 2e5;
        let variance = values.iter().map(|&x| f64::from(x).powi(2)).sum::<f64>() / 2e5;
        assert!(mean.abs() < 3e-4, "{mean}");
        assert!((variance.sqrt() - 0.02).abs() < 2e-4, "{variance}");
        // Blocks differ from each other.
        assert_ne!(values[..BLOCK], values[BLOCK..2 * BLOCK]);
    }
}

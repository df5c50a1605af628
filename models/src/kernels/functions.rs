//! The functions that networks are made of, in additions and products that the compiler can make into
//! vectors.
//!
//! The coefficients were fitted for this file: minimax in relative error, by iterated reweighting.

use super::level::fma;
use crate::weights::Activation;

/// The nearest integer, ties to even, of a number whose magnitude is below 2²²: as a float and as itself.
#[inline(always)]
pub(crate) fn nearest(x: f32) -> (f32, i32) {
    // Adding 1.5 · 2²³ leaves no bits for the fraction, and the integer in the low ones. (A cast would
    // saturate, which no vector instruction does.)
    const MAGIC: f32 = 12_582_912.0;
    let shifted = x + MAGIC;
    (
        shifted - MAGIC,
        shifted.to_bits() as i32 - MAGIC.to_bits() as i32,
    )
}

/// eˣ, within 2·10⁻⁷ of itself; 0 below −87, and at most e⁸⁸.
#[inline(always)]
pub(crate) fn exp<const FMA: bool>(x: f32) -> f32 {
    // 2^(n + r) with n an integer and r in −½ to ½; ln 2 in two parts, so that x − n·ln 2 keeps its bits.
    const LN_2_HIGH: f32 = 0.693_359_4;
    const LN_2_LOW: f32 = -2.121_944_4e-4;
    let clamped = x.clamp(-87.0, 88.0);
    let (n, power) = nearest(clamped * std::f32::consts::LOG2_E);
    let r = fma::<FMA>(-n, LN_2_LOW, fma::<FMA>(-n, LN_2_HIGH, clamped)) * std::f32::consts::LOG2_E;
    let mut y = 1.533_374_6e-4;
    y = fma::<FMA>(y, r, 1.339_993_2e-3);
    y = fma::<FMA>(y, r, 9.618_489e-3);
    y = fma::<FMA>(y, r, 5.550_328_6e-2);
    y = fma::<FMA>(y, r, 0.240_226_46);
    y = fma::<FMA>(y, r, std::f32::consts::LN_2);
    y = fma::<FMA>(y, r, 1.0);
    // n is −126 to 127, so that the exponent stays in its field.
    let scale = f32::from_bits(((power + 127) << 23) as u32);
    if x < -87.0 { 0.0 } else { y * scale }
}

/// 2ˣ for x ≤ 0, within 8·10⁻⁵ of itself: enough for what becomes 7 bits. 0 below −100.
#[inline(always)]
pub(crate) fn exp2_coarse<const FMA: bool>(x: f32) -> f32 {
    let clamped = x.max(-100.0);
    let (n, power) = nearest(clamped);
    let r = clamped - n;
    let mut y = 5.517_13e-2;
    y = fma::<FMA>(y, r, 0.242_611_18);
    y = fma::<FMA>(y, r, 0.693_261_1);
    y = fma::<FMA>(y, r, 0.999_928_06);
    f32::from_bits((y.to_bits() as i32 + (power << 23)) as u32)
}

/// The error function, within 5·10⁻⁷.
#[inline(always)]
pub(crate) fn erf<const FMA: bool>(x: f32) -> f32 {
    let x = x.clamp(-3.92, 3.92);
    let u = x * x;
    let mut p = 2.050_115_7e-6;
    p = fma::<FMA>(p, u, 2.848_826e-4);
    p = fma::<FMA>(p, u, 3.765_554e-3);
    p = fma::<FMA>(p, u, 5.274_853e-2);
    p = fma::<FMA>(p, u, 0.190_404_8);
    p = fma::<FMA>(p, u, std::f32::consts::FRAC_2_SQRT_PI);
    let mut q = 3.809_200_6e-5;
    q = fma::<FMA>(q, u, 1.162_522_7e-3);
    q = fma::<FMA>(q, u, 1.496_908_8e-2);
    q = fma::<FMA>(q, u, 0.114_108_45);
    q = fma::<FMA>(q, u, 0.502_074_6);
    q = fma::<FMA>(q, u, 1.0);
    x * p / q
}

/// GELU by a polynomial and no division: within 10⁻⁵ between −4 and 4, and within 3·10⁻⁵ of |x| beyond, which is enough
/// for what becomes 8 bits.
#[inline(always)]
fn gelu_coarse<const FMA: bool>(x: f32) -> f32 {
    let bounded = x.clamp(-4.0, 4.0);
    let u = bounded * bounded;
    let mut p = 6.740_247e-11;
    p = fma::<FMA>(p, u, -6.066_801_7e-9);
    p = fma::<FMA>(p, u, 2.440_814_4e-7);
    p = fma::<FMA>(p, u, -5.860_551e-6);
    p = fma::<FMA>(p, u, 9.493_98e-5);
    p = fma::<FMA>(p, u, -1.112_853_7e-3);
    p = fma::<FMA>(p, u, 9.815_793e-3);
    p = fma::<FMA>(p, u, -6.632_362e-2);
    p = fma::<FMA>(p, u, 0.398_881_02);
    x * fma::<FMA>(p, bounded, 0.5)
}

/// As [`activate`], but only as exactly as what is quantized next needs it.
#[inline(always)]
pub(crate) fn activate_coarsely<const FMA: bool>(activation: Activation, x: &mut [f32]) {
    match activation {
        Activation::Gelu => x.iter_mut().for_each(|x| *x = gelu_coarse::<FMA>(*x)),
        other => activate::<FMA>(other, x),
    }
}

/// The hyperbolic tangent, by the exponential.
#[inline(always)]
fn tanh<const FMA: bool>(x: f32) -> f32 {
    let e = exp::<FMA>(-2.0 * x.abs());
    ((1.0 - e) / (1.0 + e)).copysign(x)
}

/// Applies an activation to each of some numbers.
#[inline(always)]
pub(crate) fn activate<const FMA: bool>(activation: Activation, x: &mut [f32]) {
    match activation {
        Activation::Gelu => x
            .iter_mut()
            .for_each(|x| *x *= 0.5 + 0.5 * erf::<FMA>(*x * std::f32::consts::FRAC_1_SQRT_2)),
        Activation::GeluNew => x.iter_mut().for_each(|x| {
            // √(2 / π) (x + 0.044715 x³)
            let inner = 0.797_884_6 * (*x + 0.044_715 * *x * *x * *x);
            *x *= 0.5 + 0.5 * tanh::<FMA>(inner);
        }),
        Activation::QuickGelu => x
            .iter_mut()
            .for_each(|x| *x /= 1.0 + exp::<FMA>(-1.702 * *x)),
        // A NaN stays one.
        Activation::Relu => x
            .iter_mut()
            .for_each(|x| *x = if *x < 0.0 { 0.0 } else { *x }),
        Activation::Silu => x.iter_mut().for_each(|x| *x /= 1.0 + exp::<FMA>(-*x)),
    }
}

/// Sixteen numbers to one, by halves: one after the other would be a chain of sixteen.
#[inline(always)]
pub(crate) fn fold<T: Copy>(mut x: [T; 16], f: impl Fn(T, T) -> T) -> T {
    // Not a loop over the halves, which the compiler would keep as one.
    for at in 0..8 {
        x[at] = f(x[at], x[at + 8]);
    }
    for at in 0..4 {
        x[at] = f(x[at], x[at + 4]);
    }
    f(f(x[0], x[2]), f(x[1], x[3]))
}

#[cfg(test)]
mod tests {
    use super::*;

    // Values by Python's math module (libm), in double precision.
    const EXP: [(f32, f64); 6] = [
        (-87.0, 1.645_811_431_082_273_7e-38),
        (-10.25, 3.535_750_085_040_998e-5),
        (-0.5, 0.606_530_659_712_633_4),
        (0.0, 1.0),
        (1.0, std::f64::consts::E),
        (20.5, 799_902_177.475_505_4),
    ];
    const ERF: [(f32, f64); 6] = [
        (-5.0, -0.999_999_999_998_462_6),
        (-1.5, -0.966_105_146_475_310_8),
        (-0.125, -0.140_316_204_801_333_8),
        (0.0, 0.0),
        (0.5, 0.520_499_877_813_046_5),
        (2.75, 0.999_899_378_077_880_3),
    ];

    #[test]
    fn the_exponential_is_libms() {
        for (x, y) in EXP {
            for got in [exp::<true>(x), exp::<false>(x)] {
                let error = (f64::from(got) / y - 1.0).abs();
                assert!(error < 5e-7, "exp({x}) = {y}, got {got}");
            }
            if x <= 0.0 {
                let got = exp2_coarse::<true>(x * std::f32::consts::LOG2_E);
                let error = (f64::from(got) - y).abs();
                assert!(error < 1e-4, "exp({x}) = {y}, got {got}");
            }
        }
        assert_eq!(exp::<true>(-200.0), 0.0);
        assert!(exp::<true>(1e30).is_finite());
    }

    #[test]
    fn the_error_function_is_libms() {
        for (x, y) in ERF {
            for got in [erf::<true>(x), erf::<false>(x)] {
                assert!(
                    (f64::from(got) - y).abs() < 6e-7,
                    "erf({x}) = {y}, got {got}"
                );
            }
        }
    }

    /// Values by the formulas of PyTorch's documentation in Python's double precision.
    #[test]
    fn activations_are_pytorchs() {
        let x = [-3.0, -1.0, -0.1, 0.0, 0.7, 2.5];
        let cases = [
            (
                Activation::Gelu,
                [
                    -0.004_049_694_094_890_29,
                    -0.158_655_253_931_457_05,
                    -0.046_017_216_272_297_1,
                    0.0,
                    0.530_625_443_443_848_9,
                    2.484_475_836_685_559_7,
                ],
            ),
            (
                Activation::GeluNew,
                [
                    -0.003_637_392_081_772_994_3,
                    -0.158_808_009_391_723_24,
                    -0.046_017_248_954_564_84,
                    0.0,
                    0.530_570_134_705_116_7,
                    2.484_915_733_910_001,
                ],
            ),
            (
                Activation::QuickGelu,
                [
                    -0.018_071_309_707_785_97,
                    -0.154_204_234_067_178_7,
                    -0.045_755_241_916_381_82,
                    0.0,
                    0.536_893_951_723_150_1,
                    2.465_013_834_951_43,
                ],
            ),
            (
                Activation::Silu,
                [
                    -0.142_277_619_532_700_35,
                    -0.268_941_421_369_995_1,
                    -0.047_502_081_252_106_004,
                    0.0,
                    0.467_731_440_517_716_26,
                    2.310_354_549_946_891_4,
                ],
            ),
            (Activation::Relu, [0.0, 0.0, 0.0, 0.0, 0.7, 2.5]),
        ];
        for (activation, expected) in cases {
            let mut got = x;
            activate::<true>(activation, &mut got);
            for (got, expected) in got.iter().zip(expected) {
                assert!(
                    (f64::from(*got) - expected).abs() < 2e-6,
                    "{activation}: {got} for {expected}"
                );
            }
        }
    }

    #[test]
    fn the_coarse_gelu_is_near_the_fine_one() {
        for at in -4000..4000 {
            let x = at as f32 / 800.0;
            let (mut fine, mut coarse) = ([x], [x]);
            activate::<true>(Activation::Gelu, &mut fine);
            activate_coarsely::<true>(Activation::Gelu, &mut coarse);
            assert!(
                (fine[0] - coarse[0]).abs() < 2e-4,
                "{x}: {fine:?} {coarse:?}"
            );
        }
    }
}

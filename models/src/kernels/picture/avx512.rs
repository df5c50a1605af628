//! The resize in AVX-512 with VNNI.
//!
//! A weight is `d₀ + d₁ · 2^8 + d₂ · 2^16` with signed digits of 8 bits, and `vpdpbusd` multiplies four taps
//! by theirs and adds the products. What is not here is AVX2's.

use std::arch::x86_64::*;

use super::{Group, HALF, Kernels, PRECISION, ROWS, STRIP, Taps, avx2};

static KERNELS: Kernels = Kernels {
    name: "AVX-512 VNNI",
    pack,
    across,
    down,
    double_both: avx2::double_both,
    double_along: avx2::double_along,
    rgb: avx2::rgb,
};

pub(super) fn available() -> Option<&'static Kernels> {
    let all = is_x86_feature_detected!("avx512f")
        && is_x86_feature_detected!("avx512bw")
        && is_x86_feature_detected!("avx512vnni")
        && is_x86_feature_detected!("avx2");
    all.then_some(&KERNELS)
}

/// Digit i of the four weights in byte i of the first three numbers.
fn pack(weights: [i32; 4]) -> Group {
    let mut group = [0; 4];
    let mut rest = weights;
    for digits in &mut group[..3] {
        let bytes = rest.map(|weight| weight as i8);
        *digits = i32::from_le_bytes(bytes.map(|digit| digit as u8));
        for (rest, digit) in rest.iter_mut().zip(bytes) {
            *rest = (*rest - i32::from(digit)) >> 8;
        }
    }
    // Weights are below 1.5 in size, so that the third digit is the last.
    debug_assert_eq!(rest, [0; 4]);
    group
}

/// The sum of three digits' sums, rounded to a byte that is not clipped yet.
#[inline]
#[target_feature(enable = "avx512f")]
fn value(sums: [__m512i; 3]) -> __m512i {
    let [low, middle, high] = sums;
    let upper = _mm512_add_epi32(middle, _mm512_slli_epi32::<8>(high));
    let sum = _mm512_add_epi32(low, _mm512_slli_epi32::<8>(upper));
    _mm512_srai_epi32::<{ PRECISION }>(sum)
}

#[inline]
#[target_feature(enable = "avx512f")]
fn start() -> [__m512i; 3] {
    let zero = _mm512_setzero_si512();
    [_mm512_set1_epi32(HALF), zero, zero]
}

fn across(rows: &[&[u8]], taps: &Taps, out: &mut [u8], stride: usize) {
    // Where there are fewer than four rows, the last one is looked at again.
    let last = rows.len() - 1;
    let rows = [0, 1, 2, 3].map(|i: usize| rows[i.min(last)]);
    let places = [0, 1, 2, 3].map(|i: usize| i.min(last) * stride);
    // SAFETY: these kernels are handed out where the processor has AVX-512 with VNNI only, and `Kernels::across` has
    // checked that each row has 16 bytes from each group's first pixel on, and `out` more than three bytes for each
    // pixel in each row.
    unsafe { across_four(rows, taps, out, places) };
}

/// # Safety
/// As [`Kernels::across`] has checked; row i goes to `out[places[i]..]`.
#[target_feature(enable = "avx512f,avx512bw,avx512vnni")]
unsafe fn across_four(rows: [&[u8]; ROWS], taps: &Taps, out: &mut [u8], places: [usize; ROWS]) {
    // Four taps of red, of green, of blue, and nothing.
    let order = _mm512_broadcast_i32x4(_mm_setr_epi8(
        0, 3, 6, 9, 1, 4, 7, 10, 2, 5, 8, 11, -1, -1, -1, -1,
    ));
    for (i, (first, groups)) in taps.iter().enumerate() {
        let mut sums = start();
        for (g, group) in groups.iter().enumerate() {
            let at = (first + 4 * g) * 3;
            let [a, b, c, d] = rows.map(|row| {
                // SAFETY: `at + 16` is at most `reach() · 3 + PADDING`, and each row is that long.
                unsafe { _mm_loadu_si128(row.as_ptr().add(at).cast()) }
            });
            let pixels = _mm512_castsi128_si512(a);
            let pixels = _mm512_inserti32x4::<1>(pixels, b);
            let pixels = _mm512_inserti32x4::<2>(pixels, c);
            let pixels = _mm512_inserti32x4::<3>(pixels, d);
            let pixels = _mm512_shuffle_epi8(pixels, order);
            for (sum, &digits) in sums.iter_mut().zip(group) {
                *sum = _mm512_dpbusd_epi32(*sum, pixels, _mm512_set1_epi32(digits));
            }
        }
        let value = _mm512_max_epi32(value(sums), _mm512_setzero_si512());
        let bytes = _mm512_cvtusepi32_epi8(value);
        let pixels = [
            _mm_extract_epi32::<0>(bytes),
            _mm_extract_epi32::<1>(bytes),
            _mm_extract_epi32::<2>(bytes),
            _mm_extract_epi32::<3>(bytes),
        ];
        for (place, pixel) in places.into_iter().zip(pixels) {
            // SAFETY: a row of `out` has at least one byte behind its last pixel.
            unsafe {
                let place = out.as_mut_ptr().add(place + 3 * i);
                place.cast::<i32>().write_unaligned(pixel);
            }
        }
    }
}

fn down(source: &[u8], stride: usize, groups: &[Group], len: usize, out: &mut [u8]) {
    // SAFETY: these kernels are handed out where the processor has AVX-512 with VNNI only, and `Kernels::down` has
    // checked that `source` has `len` rows of `stride` bytes, `out` being a multiple of 64 long and no longer than
    // `stride`.
    unsafe { down_avx512(source, stride, groups, len, out) };
}

/// # Safety
/// As [`Kernels::down`] has checked.
#[target_feature(enable = "avx512f,avx512bw,avx512vnni")]
unsafe fn down_avx512(source: &[u8], stride: usize, groups: &[Group], len: usize, out: &mut [u8]) {
    const { assert!(STRIP.is_multiple_of(64)) };
    for x in (0..out.len()).step_by(64) {
        let mut sums = [start(); 4];
        for (g, group) in groups.iter().enumerate() {
            let [a, b, c, d] = [0, 1, 2, 3].map(|i| {
                // What the last group has too much has weight 0.
                let row = (4 * g + i).min(len - 1);
                // SAFETY: row `row` is in `source`, and `x + 64` at most `out.len()`, at most `stride`.
                unsafe { _mm512_loadu_si512(source.as_ptr().add(row * stride + x).cast()) }
            });
            let (ab_left, cd_left) = (_mm512_unpacklo_epi8(a, b), _mm512_unpacklo_epi8(c, d));
            let (ab_right, cd_right) = (_mm512_unpackhi_epi8(a, b), _mm512_unpackhi_epi8(c, d));
            let quarters = [
                _mm512_unpacklo_epi16(ab_left, cd_left),
                _mm512_unpackhi_epi16(ab_left, cd_left),
                _mm512_unpacklo_epi16(ab_right, cd_right),
                _mm512_unpackhi_epi16(ab_right, cd_right),
            ];
            for (sums, quarter) in sums.iter_mut().zip(quarters) {
                for (sum, &digits) in sums.iter_mut().zip(group) {
                    *sum = _mm512_dpbusd_epi32(*sum, quarter, _mm512_set1_epi32(digits));
                }
            }
        }
        let [q0, q1, q2, q3] = sums.map(|sums| value(sums));
        let left = _mm512_packs_epi32(q0, q1);
        let right = _mm512_packs_epi32(q2, q3);
        // SAFETY: `x + 64` is at most `out.len()`.
        unsafe {
            let place = out.as_mut_ptr().add(x).cast();
            _mm512_storeu_si512(place, _mm512_packus_epi16(left, right));
        }
    }
}

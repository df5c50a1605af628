//! The inner loops in AVX2.
//!
//! A weight is `low + high · 2^12`, both of which fit in 16 bits, and `vpmaddwd` multiplies two taps by
//! theirs and adds the products.

use std::arch::x86_64::*;

use super::{Group, HALF, Kernels, PRECISION, STRIP, Taps, plain};

static KERNELS: Kernels = Kernels {
    name: "AVX2",
    pack,
    across,
    down,
    double_both,
    double_along,
    rgb,
};

pub(super) fn available() -> Option<&'static Kernels> {
    is_x86_feature_detected!("avx2").then_some(&KERNELS)
}

/// Bits of the low digit.
const LOW: u32 = 12;

/// The low digits of taps 0 and 1, of 2 and 3, then the high digits so.
fn pack(weights: [i32; 4]) -> Group {
    let low = weights.map(|weight| weight & ((1 << LOW) - 1));
    let high = weights.map(|weight| weight >> LOW);
    let pair = |a: i32, b: i32| (a & 0xffff) | b << 16;
    [
        pair(low[0], low[1]),
        pair(low[2], low[3]),
        pair(high[0], high[1]),
        pair(high[2], high[3]),
    ]
}

fn across(rows: &[&[u8]], taps: &Taps, out: &mut [u8], stride: usize) {
    for (pair, out) in rows.chunks(2).zip(out.chunks_mut(2 * stride)) {
        let last = pair.len() - 1;
        // SAFETY: these kernels are handed out where the processor has AVX2 only, and `Kernels::across` has checked
        // that each row has 16 bytes from each group's first pixel on, and `out` more than three bytes for each
        // pixel in each row.
        unsafe { across_two(pair[0], pair[last], taps, out, last * stride) };
    }
}

/// # Safety
/// As [`Kernels::across`] has checked; row b goes to `out[second..]`.
#[target_feature(enable = "avx2")]
unsafe fn across_two(a: &[u8], b: &[u8], taps: &Taps, out: &mut [u8], second: usize) {
    // Sixteen bits for each of two taps of red, of green, of blue, and nothing.
    let first_two = _mm256_broadcastsi128_si256(_mm_setr_epi8(
        0, -1, 3, -1, 1, -1, 4, -1, 2, -1, 5, -1, -1, -1, -1, -1,
    ));
    let last_two = _mm256_broadcastsi128_si256(_mm_setr_epi8(
        6, -1, 9, -1, 7, -1, 10, -1, 8, -1, 11, -1, -1, -1, -1, -1,
    ));
    for (i, (start, groups)) in taps.iter().enumerate() {
        let mut low = _mm256_set1_epi32(HALF);
        let mut high = _mm256_setzero_si256();
        for (g, group) in groups.iter().enumerate() {
            let at = (start + 4 * g) * 3;
            // SAFETY: `at + 16` is at most `reach() · 3 + PADDING`, and both rows are that long.
            let (a, b) = unsafe {
                (
                    _mm_loadu_si128(a.as_ptr().add(at).cast()),
                    _mm_loadu_si128(b.as_ptr().add(at).cast()),
                )
            };
            let pixels = _mm256_set_m128i(b, a);
            let [x, y] = [first_two, last_two].map(|order| _mm256_shuffle_epi8(pixels, order));
            let times = |pixels, weights| _mm256_madd_epi16(pixels, _mm256_set1_epi32(weights));
            low = _mm256_add_epi32(low, times(x, group[0]));
            low = _mm256_add_epi32(low, times(y, group[1]));
            high = _mm256_add_epi32(high, times(x, group[2]));
            high = _mm256_add_epi32(high, times(y, group[3]));
        }
        let sum = _mm256_add_epi32(low, _mm256_slli_epi32::<{ LOW as i32 }>(high));
        let value = _mm256_srai_epi32::<{ PRECISION as i32 }>(sum);
        let words = _mm256_packs_epi32(value, value);
        let bytes = _mm256_packus_epi16(words, words);
        let pixels = [
            _mm256_extract_epi32::<0>(bytes),
            _mm256_extract_epi32::<4>(bytes),
        ];
        for (from, pixel) in [0, second].into_iter().zip(pixels) {
            // SAFETY: a row of `out` has at least one byte behind its last pixel.
            unsafe {
                let place = out.as_mut_ptr().add(from + 3 * i);
                place.cast::<i32>().write_unaligned(pixel);
            }
        }
    }
}

fn down(source: &[u8], stride: usize, groups: &[Group], len: usize, out: &mut [u8]) {
    // SAFETY: these kernels are handed out where the processor has AVX2 only, and `Kernels::down` has checked that
    // `source` has `len` rows of `stride` bytes, `out` being a multiple of 64 long and no longer than `stride`.
    unsafe { down_avx2(source, stride, groups, len, out) };
}

/// # Safety
/// As [`Kernels::down`] has checked.
#[target_feature(enable = "avx2")]
unsafe fn down_avx2(source: &[u8], stride: usize, groups: &[Group], len: usize, out: &mut [u8]) {
    const { assert!(STRIP.is_multiple_of(32)) };
    let zero = _mm256_setzero_si256();
    for x in (0..out.len()).step_by(32) {
        let mut low = [_mm256_set1_epi32(HALF); 4];
        let mut high = [zero; 4];
        for (g, group) in groups.iter().enumerate() {
            for pair in 0..2 {
                let [a, b] = [0, 1].map(|i| {
                    // What the last group has too much has weight 0.
                    let row = (4 * g + 2 * pair + i).min(len - 1);
                    // SAFETY: row `row` is in `source`, and `x + 32` at most `out.len()`, at most `stride`.
                    unsafe { _mm256_loadu_si256(source.as_ptr().add(row * stride + x).cast()) }
                });
                let (left, right) = (_mm256_unpacklo_epi8(a, b), _mm256_unpackhi_epi8(a, b));
                let quarters = [
                    _mm256_unpacklo_epi8(left, zero),
                    _mm256_unpackhi_epi8(left, zero),
                    _mm256_unpacklo_epi8(right, zero),
                    _mm256_unpackhi_epi8(right, zero),
                ];
                let weights = _mm256_set1_epi32(group[pair]);
                let above = _mm256_set1_epi32(group[pair + 2]);
                for ((quarter, low), high) in quarters.iter().zip(&mut low).zip(&mut high) {
                    *low = _mm256_add_epi32(*low, _mm256_madd_epi16(*quarter, weights));
                    *high = _mm256_add_epi32(*high, _mm256_madd_epi16(*quarter, above));
                }
            }
        }
        let mut values = [zero; 4];
        for ((value, low), high) in values.iter_mut().zip(low).zip(high) {
            let sum = _mm256_add_epi32(low, _mm256_slli_epi32::<{ LOW as i32 }>(high));
            *value = _mm256_srai_epi32::<{ PRECISION as i32 }>(sum);
        }
        let left = _mm256_packs_epi32(values[0], values[1]);
        let right = _mm256_packs_epi32(values[2], values[3]);
        // SAFETY: `x + 32` is at most `out.len()`.
        unsafe {
            let place = out.as_mut_ptr().add(x).cast();
            _mm256_storeu_si256(place, _mm256_packus_epi16(left, right));
        }
    }
}

pub(super) fn double_both(row: &[u8], near: &[u8], from: usize, out: &mut [u8]) {
    // SAFETY: these kernels are handed out where the processor has AVX2 only, and `Kernels::double_both` has checked
    // that both rows are equally long.
    unsafe { double::<true>(row, near, from, out) };
}

pub(super) fn double_along(row: &[u8], from: usize, out: &mut [u8]) {
    // SAFETY: as for `double_both`.
    unsafe { double::<false>(row, row, from, out) };
}

/// # Safety
/// `row` and `near` must be equally long.
#[target_feature(enable = "avx2")]
unsafe fn double<const BOTH: bool>(row: &[u8], near: &[u8], from: usize, out: &mut [u8]) {
    let plain = |from, out: &mut [u8]| {
        if BOTH {
            plain::double_both(row, near, from, out);
        } else {
            plain::double_along(row, from, out);
        }
    };
    // A block of sixteen samples, with one on either side, makes 32. The last one may repeat what has been done.
    let wanted = from + out.len() / 2;
    let first = from.max(1);
    let last = wanted.min(row.len() - 1).checked_sub(16);
    let Some(last) = last.filter(|last| *last >= first) else {
        return plain(from, out);
    };
    if from == 0 {
        // The first sample has no other before it.
        plain(0, &mut out[..2]);
    }
    let mut at = first;
    loop {
        // SAFETY: the samples from `first − 1` to `last + 16` are in both rows.
        let samples = |row: &[u8], at| unsafe { words(row, at) };
        let thrice = |value| _mm256_add_epi16(value, _mm256_add_epi16(value, value));
        let sum = |at| match BOTH {
            true => _mm256_add_epi16(thrice(samples(row, at)), samples(near, at)),
            false => samples(row, at),
        };
        let this = thrice(sum(at));
        let (even, odd) = if BOTH {
            let even = _mm256_add_epi16(this, _mm256_add_epi16(sum(at - 1), _mm256_set1_epi16(8)));
            let odd = _mm256_add_epi16(this, _mm256_add_epi16(sum(at + 1), _mm256_set1_epi16(7)));
            (_mm256_srli_epi16::<4>(even), _mm256_srli_epi16::<4>(odd))
        } else {
            let even = _mm256_add_epi16(this, _mm256_add_epi16(sum(at - 1), _mm256_set1_epi16(1)));
            let odd = _mm256_add_epi16(this, _mm256_add_epi16(sum(at + 1), _mm256_set1_epi16(2)));
            (_mm256_srli_epi16::<2>(even), _mm256_srli_epi16::<2>(odd))
        };
        let both = _mm256_or_si256(even, _mm256_slli_epi16::<8>(odd));
        // SAFETY: the 32 bytes from `2 · (at − from)` on are in `out`, as `last + 16` is at most `wanted`.
        unsafe {
            let place = out.as_mut_ptr().add(2 * (at - from)).cast();
            _mm256_storeu_si256(place, both);
        }
        if at == last {
            break;
        }
        at = (at + 16).min(last);
    }
    plain(last + 16, &mut out[2 * (last + 16 - from)..]);
}

pub(super) fn rgb(y: &[u8], cb: &[u8], cr: &[u8], out: &mut [u8]) {
    // SAFETY: these kernels are handed out where the processor has AVX2 only, and `Kernels::rgb` has checked the
    // lengths.
    unsafe { rgb_avx2(y, cb, cr, out) };
}

/// # Safety
/// The first three must be equally long, and `out` three times as long.
#[target_feature(enable = "avx2")]
unsafe fn rgb_avx2(y: &[u8], cb: &[u8], cr: &[u8], out: &mut [u8]) {
    let Some(last) = y.len().checked_sub(32) else {
        return plain::rgb(y, cb, cr, out);
    };
    let mut orders = [[_mm256_setzero_si256(); 3]; 3];
    for (orders, bytes) in orders.iter_mut().zip(&ORDERS) {
        for (order, bytes) in orders.iter_mut().zip(bytes) {
            // SAFETY: sixteen bytes are read from sixteen.
            let bytes = unsafe { _mm_loadu_si128(bytes.as_ptr().cast()) };
            *order = _mm256_broadcastsi128_si256(bytes);
        }
    }
    let mut at = 0;
    loop {
        // SAFETY: the 32 samples from `at` on are in all three.
        let (left, right) = unsafe { (channels(y, cb, cr, at), channels(y, cb, cr, at + 16)) };
        let mut values = [_mm256_setzero_si256(); 3];
        for ((value, left), right) in values.iter_mut().zip(left).zip(right) {
            let bytes = _mm256_packus_epi16(left, right);
            *value = _mm256_permute4x64_epi64::<0b11_01_10_00>(bytes);
        }
        for (third, orders) in orders.iter().enumerate() {
            let red = _mm256_shuffle_epi8(values[0], orders[0]);
            let green = _mm256_shuffle_epi8(values[1], orders[1]);
            let blue = _mm256_shuffle_epi8(values[2], orders[2]);
            let bytes = _mm256_or_si256(red, _mm256_or_si256(green, blue));
            // SAFETY: the 96 bytes from `3 · at` on are in `out`.
            unsafe {
                let place = out.as_mut_ptr().add(3 * at + 16 * third);
                _mm_storeu_si128(place.cast(), _mm256_castsi256_si128(bytes));
                let upper = _mm256_extracti128_si256::<1>(bytes);
                _mm_storeu_si128(place.add(48).cast(), upper);
            }
        }
        if at == last {
            break;
        }
        // The last 32 may repeat what has been done.
        at = (at + 32).min(last);
    }
}

/// Where in each sixteen of 48 bytes of RGB the sixteen values of each channel go.
const ORDERS: [[[i8; 16]; 3]; 3] = {
    let mut orders = [[[-1; 16]; 3]; 3];
    let mut place = 0;
    while place < 48 {
        orders[place / 16][place % 3][place % 16] = (place / 3) as i8;
        place += 1;
    }
    orders
};

/// Red, green and blue of the sixteen samples from `at` on, before they are clipped.
///
/// The factors are above what 16 bits hold, so their whole parts are added apart: 1.402 Cr is
/// Cr + 0.402 Cr, 1.772 Cb is 2 Cb − 0.228 Cb, and −0.71414 Cr is −Cr + 0.28586 Cr.
///
/// # Safety
/// All three must be at least `at + 16` long.
#[inline]
#[target_feature(enable = "avx2")]
unsafe fn channels(y: &[u8], cb: &[u8], cr: &[u8], at: usize) -> [__m256i; 3] {
    let centre = _mm256_set1_epi16(128);
    // SAFETY: the caller's.
    let y = unsafe { words(y, at) };
    // SAFETY: the caller's.
    let cb = _mm256_sub_epi16(unsafe { words(cb, at) }, centre);
    // SAFETY: the caller's.
    let cr = _mm256_sub_epi16(unsafe { words(cr, at) }, centre);
    let red = _mm256_add_epi16(_mm256_add_epi16(y, cr), part(cr, 26_345));
    let twice = _mm256_add_epi16(cb, cb);
    let blue = _mm256_add_epi16(_mm256_add_epi16(y, twice), part(cb, -14_942));
    let factors = _mm256_set1_epi32((18_734 << 16) | (-22_554 & 0xffff));
    let round = _mm256_set1_epi32(1 << 15);
    let left = _mm256_madd_epi16(_mm256_unpacklo_epi16(cb, cr), factors);
    let right = _mm256_madd_epi16(_mm256_unpackhi_epi16(cb, cr), factors);
    let mixed = _mm256_packs_epi32(
        _mm256_srai_epi32::<16>(_mm256_add_epi32(left, round)),
        _mm256_srai_epi32::<16>(_mm256_add_epi32(right, round)),
    );
    let green = _mm256_add_epi16(_mm256_sub_epi16(y, cr), mixed);
    [red, green, blue]
}

/// Sixteen bytes as numbers of 16 bits.
///
/// # Safety
/// `bytes` must be at least `at + 16` long.
#[inline]
#[target_feature(enable = "avx2")]
unsafe fn words(bytes: &[u8], at: usize) -> __m256i {
    // SAFETY: the caller's.
    _mm256_cvtepu8_epi16(unsafe { _mm_loadu_si128(bytes.as_ptr().add(at).cast()) })
}

/// ⌊(factor · x + 2¹⁵) / 2¹⁶⌋, by way of ⌊2 · factor · x / 2¹⁶⌋.
#[inline]
#[target_feature(enable = "avx2")]
fn part(x: __m256i, factor: i16) -> __m256i {
    let doubled = _mm256_mulhi_epi16(_mm256_add_epi16(x, x), _mm256_set1_epi16(factor));
    _mm256_srai_epi16::<1>(_mm256_add_epi16(doubled, _mm256_set1_epi16(1)))
}

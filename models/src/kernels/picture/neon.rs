//! The resize in NEON: whole weights, one multiplication of 32 bits for each channel of a tap. The compiler
//! makes NEON of what is plain here.

use std::arch::aarch64::*;
use std::arch::is_aarch64_feature_detected;

use super::{Group, HALF, Kernels, PRECISION, STRIP, Taps, plain};

static KERNELS: Kernels = Kernels {
    name: "NEON",
    pack: |weights| weights,
    across,
    down,
    double_both: plain::double_both,
    double_along: plain::double_along,
    rgb: plain::rgb,
};

pub(super) fn available() -> Option<&'static Kernels> {
    is_aarch64_feature_detected!("neon").then_some(&KERNELS)
}

fn across(rows: &[&[u8]], taps: &Taps, out: &mut [u8], stride: usize) {
    for (row, out) in rows.iter().zip(out.chunks_mut(stride)) {
        // SAFETY: these kernels are handed out where the processor has NEON only, and `Kernels::across` has checked
        // that the row has 16 bytes from each group's first pixel on, and `out` more than three bytes for each
        // pixel.
        unsafe { across_one(row, taps, out) };
    }
}

/// # Safety
/// As [`Kernels::across`] has checked.
#[target_feature(enable = "neon")]
unsafe fn across_one(row: &[u8], taps: &Taps, out: &mut [u8]) {
    // The three channels of tap i as numbers of 32 bits, and 0: 255 is no index.
    let order = |tap: u8| {
        let mut bytes = [255; 16];
        for channel in 0..3 {
            bytes[4 * channel] = 3 * tap + channel as u8;
        }
        // SAFETY: sixteen bytes are read from sixteen.
        unsafe { vld1q_u8(bytes.as_ptr()) }
    };
    let orders = [0, 1, 2, 3].map(order);
    for (i, (start, groups)) in taps.iter().enumerate() {
        let mut sum = vdupq_n_s32(HALF);
        let mut other = vdupq_n_s32(0);
        for (g, group) in groups.iter().enumerate() {
            // SAFETY: `at + 16` is at most `reach() · 3 + PADDING`, and the row is that long.
            let pixels = unsafe { vld1q_u8(row.as_ptr().add((start + 4 * g) * 3)) };
            let tap = |i: usize| vreinterpretq_s32_u8(vqtbl1q_u8(pixels, orders[i]));
            sum = vmlaq_n_s32(sum, tap(0), group[0]);
            other = vmlaq_n_s32(other, tap(1), group[1]);
            sum = vmlaq_n_s32(sum, tap(2), group[2]);
            other = vmlaq_n_s32(other, tap(3), group[3]);
        }
        let value = vshrq_n_s32::<{ PRECISION as i32 }>(vaddq_s32(sum, other));
        let words = vqmovn_s32(value);
        let bytes = vqmovun_s16(vcombine_s16(words, words));
        let pixel = vget_lane_u32::<0>(vreinterpret_u32_u8(bytes));
        // SAFETY: `out` has at least one byte behind its last pixel.
        unsafe {
            let place = out.as_mut_ptr().add(3 * i);
            place.cast::<u32>().write_unaligned(pixel);
        }
    }
}

fn down(source: &[u8], stride: usize, groups: &[Group], len: usize, out: &mut [u8]) {
    // SAFETY: these kernels are handed out where the processor has NEON only, and `Kernels::down` has checked that
    // `source` has `len` rows of `stride` bytes, `out` being a multiple of 64 long and no longer than `stride`.
    unsafe { down_neon(source, stride, groups, len, out) };
}

/// # Safety
/// As [`Kernels::down`] has checked.
#[target_feature(enable = "neon")]
unsafe fn down_neon(source: &[u8], stride: usize, groups: &[Group], len: usize, out: &mut [u8]) {
    const { assert!(STRIP.is_multiple_of(16)) };
    for x in (0..out.len()).step_by(16) {
        let mut sums = [vdupq_n_s32(HALF); 4];
        for (row, &weight) in groups.as_flattened()[..len].iter().enumerate() {
            // SAFETY: row `row` is in `source`, and `x + 16` at most `out.len()`, at most `stride`.
            let samples = unsafe { vld1q_u8(source.as_ptr().add(row * stride + x)) };
            let left = vmovl_u8(vget_low_u8(samples));
            let right = vmovl_u8(vget_high_u8(samples));
            let quarters = [
                vmovl_u16(vget_low_u16(left)),
                vmovl_u16(vget_high_u16(left)),
                vmovl_u16(vget_low_u16(right)),
                vmovl_u16(vget_high_u16(right)),
            ];
            for (sum, quarter) in sums.iter_mut().zip(quarters) {
                *sum = vmlaq_n_s32(*sum, vreinterpretq_s32_u32(quarter), weight);
            }
        }
        let [q0, q1, q2, q3] = sums.map(|sum| vqmovn_s32(vshrq_n_s32::<{ PRECISION as i32 }>(sum)));
        let left = vqmovun_s16(vcombine_s16(q0, q1));
        let right = vqmovun_s16(vcombine_s16(q2, q3));
        // SAFETY: `x + 16` is at most `out.len()`.
        unsafe { vst1q_u8(out.as_mut_ptr().add(x), vcombine_u8(left, right)) };
    }
}

//! The inner loops for NEON, which every 64-bit Arm has.

use std::arch::aarch64::*;

use super::{BLOCK, Kernels, plain};

/// Four integers at a time. What is not here is left to plain Rust, whose shifts are constants.
static NEON: Kernels = Kernels {
    name: "NEON",
    unpack: plain::KERNELS.unpack,
    unpack_some: plain::KERNELS.unpack_some,
    add_up: |base, values| {
        // SAFETY: this table is handed out only where NEON was found.
        unsafe { add_up(base, values) }
    },
    ones: plain::KERNELS.ones,
    add_high: plain::KERNELS.add_high,
    spread: plain::KERNELS.spread,
    below: |values, bound| {
        // SAFETY: as above.
        unsafe { below(values, bound) }
    },
};

/// What this processor has, the best last.
pub(super) fn available() -> impl Iterator<Item = &'static Kernels> {
    std::arch::is_aarch64_feature_detected!("neon")
        .then_some(&NEON)
        .into_iter()
}

#[target_feature(enable = "neon")]
fn add_up(base: u32, values: &mut [u32; BLOCK]) {
    let zero = vdupq_n_u32(0);
    let one = vdupq_n_u32(1);
    let mut carry = vdupq_n_u32(base.wrapping_sub(1));
    for values in values.chunks_exact_mut(4) {
        // SAFETY: a chunk has four integers.
        let mut sums = vaddq_u32(unsafe { vld1q_u32(values.as_ptr()) }, one);
        sums = vaddq_u32(sums, vextq_u32::<3>(zero, sums));
        sums = vaddq_u32(sums, vextq_u32::<2>(zero, sums));
        sums = vaddq_u32(sums, carry);
        // SAFETY: as above.
        unsafe { vst1q_u32(values.as_mut_ptr(), sums) };
        carry = vdupq_laneq_u32::<3>(sums);
    }
}

#[target_feature(enable = "neon")]
fn below(values: &[u32; BLOCK], bound: u32) -> usize {
    let bound = vdupq_n_u32(bound);
    let mut count = vdupq_n_u32(0);
    for values in values.chunks_exact(4) {
        // SAFETY: a chunk has four integers.
        let values = unsafe { vld1q_u32(values.as_ptr()) };
        count = vsubq_u32(count, vcltq_u32(values, bound));
    }
    vaddvq_u32(count) as usize
}

//! The products of bytes for NEON, which every 64-bit Arm has. Those of floats are plain Rust, which the compiler turns into
//! NEON by itself; halves are converted one by one.

use std::arch::aarch64::*;

use super::{Integers, Parts, RowKernels, Rows, Weights, bytes_by, fine_by, plain, scores_by};

static NEON: RowKernels = RowKernels {
    name: "NEON",
    bytes: |rows, numbers, query, products| {
        // SAFETY: this table is handed out only where NEON was found.
        unsafe { bytes(rows, numbers, query, products) }
    },
    scores: |rows, numbers, query, weights, scores| {
        // SAFETY: as above.
        unsafe { scores(rows, numbers, query, weights, scores) }
    },
    fine: |rows, numbers, query, products| {
        // SAFETY: as above.
        unsafe { fine(rows, numbers, query, products) }
    },
    halves: plain::KERNELS.halves,
    floats: plain::KERNELS.floats,
    pair: |a, b| {
        // SAFETY: as above.
        unsafe { pair(a, b) }
    },
};

/// What this processor has, the best last.
pub(super) fn available() -> impl Iterator<Item = &'static RowKernels> {
    std::arch::is_aarch64_feature_detected!("neon")
        .then_some(&NEON)
        .into_iter()
}

/// Adds the products of 16 integers to four sums.
#[target_feature(enable = "neon")]
fn multiply(sums: int32x4_t, a: int8x16_t, b: int8x16_t) -> int32x4_t {
    let low = vmull_s8(vget_low_s8(a), vget_low_s8(b));
    vpadalq_s16(vpadalq_s16(sums, low), vmull_high_s8(a, b))
}

/// 16 stored bytes as integers.
#[target_feature(enable = "neon")]
fn integers(chunk: &[u8; 16]) -> int8x16_t {
    // SAFETY: a chunk has 16 bytes.
    let bytes = unsafe { vld1q_u8(chunk.as_ptr()) };
    vreinterpretq_s8_u8(veorq_u8(bytes, vdupq_n_u8(128)))
}

#[target_feature(enable = "neon")]
fn bytes(rows: &Rows<'_>, numbers: &[u32], query: &Integers, products: &mut [i32]) {
    bytes_by(rows, numbers, query, products, |row, query| {
        of_bytes(row, query)
    });
}

#[target_feature(enable = "neon")]
fn scores(
    rows: &Rows<'_>,
    numbers: &[u32],
    query: &Integers,
    weights: Weights,
    scores: &mut [f32],
) {
    scores_by(rows, numbers, (query, weights), scores, |row, query| {
        of_bytes(row, query)
    });
}

#[target_feature(enable = "neon")]
fn of_bytes(row: &[u8], query: &Integers) -> i32 {
    let (row, _) = row.as_chunks::<16>();
    let (query, _) = query.values.as_chunks::<16>();
    let mut sums = vdupq_n_s32(0);
    for (row, query) in row.iter().zip(query) {
        // SAFETY: a chunk has 16 bytes.
        let query = unsafe { vld1q_s8(query.as_ptr()) };
        sums = multiply(sums, integers(row), query);
    }
    vaddvq_s32(sums)
}

#[target_feature(enable = "neon")]
fn fine(rows: &[Rows<'_>; 2], numbers: &[u32], query: &[Integers; 3], products: &mut [Parts]) {
    fine_by(rows, numbers, query, products, |row, query| {
        of_bytes(row, query)
    });
}

#[target_feature(enable = "neon")]
fn pair(a: &[u8], b: &[u8]) -> i32 {
    let (a, _) = a.as_chunks::<16>();
    let (b, _) = b.as_chunks::<16>();
    let mut sums = vdupq_n_s32(0);
    for (a, b) in a.iter().zip(b) {
        sums = multiply(sums, integers(a), integers(b));
    }
    vaddvq_s32(sums)
}

//! Products by NEON, of integers with the dot products of ARMv8.2.
//!
//! `sdot` multiplies signed bytes by signed ones: what it misses, because B is unsigned, is 128 times the sum
//! of a row of A, which is added at the end.

use std::arch::aarch64::*;
use std::arch::asm;

use super::block::{BLOCK_BYTES, FloatOperands, Int8Block, Int8Operands, K_BLOCK, SIDE, TILE};
use super::{Kernels, Level, plain};

static NEON: Kernels = Kernels {
    name: "NEON",
    level: || Level::Base,
    enter: || {},
    leave: || {},
    int8: plain::int8,
    add: plain::PLAIN.add,
    finish: plain::PLAIN.finish,
    float: |operands, out, stride| {
        // SAFETY: every 64-bit Arm has NEON, and all is inside.
        unsafe { float(operands, out, stride) }
    },
    pack: plain::pack,
};

static DOT_PRODUCT: Kernels = Kernels {
    name: "NEON dot product",
    int8: |operands, out| {
        assert!(operands.inside());
        // SAFETY: as above; the table is handed out only where the instructions were found.
        unsafe { int8(operands, out) }
    },
    ..NEON
};

/// What this processor has, the best last.
pub(super) fn available() -> impl Iterator<Item = &'static Kernels> {
    let dot_product = std::arch::is_aarch64_feature_detected!("dotprod");
    [&NEON]
        .into_iter()
        .chain(dot_product.then_some(&DOT_PRODUCT))
}

/// Rows that are computed at a time; a tile has a multiple of them.
const ROWS: usize = 4;

/// Adds four products each to four sums; the four bytes of A are those at place LANE of 16.
///
/// # Safety
/// The processor has dot products.
#[inline(always)]
unsafe fn dot<const LANE: usize>(sum: int32x4_t, b: int8x16_t, a: int8x16_t) -> int32x4_t {
    let mut sum = sum;
    macro_rules! lane {
        ($lane:literal) => {
            // SAFETY: by the contract; registers only.
            unsafe {
                asm!(
                    ".arch_extension dotprod",
                    concat!("sdot {sum:v}.4s, {b:v}.16b, {a:v}.4b[", $lane, "]"),
                    sum = inout(vreg) sum,
                    b = in(vreg) b,
                    a = in(vreg) a,
                    options(pure, nomem, nostack, preserves_flags)
                )
            }
        };
    }
    match LANE {
        0 => lane!("0"),
        1 => lane!("1"),
        2 => lane!("2"),
        _ => lane!("3"),
    }
    sum
}

/// # Safety
/// The operands are [inside](Int8Operands::inside), and the processor has dot products.
#[target_feature(enable = "neon")]
unsafe fn int8(operands: &Int8Operands<'_>, out: &mut Int8Block) {
    for row in (0..operands.tiles * TILE).step_by(ROWS) {
        // SAFETY: rows of a tile, inside by the contract.
        let a = unsafe {
            let tile = operands.a.as_ptr().add(row / TILE * operands.a_stride);
            tile.add(row % TILE * K_BLOCK)
        };
        let mut totals = [0_i32; ROWS];
        for (row, total) in totals.iter_mut().enumerate() {
            for block in 0..operands.blocks {
                for part in 0..K_BLOCK / 16 {
                    // SAFETY: as above.
                    let bytes =
                        unsafe { vld1q_s8(a.add(block * BLOCK_BYTES + row * K_BLOCK + part * 16)) };
                    *total += i32::from(vaddlvq_s8(bytes));
                }
            }
        }
        for panel in 0..operands.panels {
            let mut sums = [[vdupq_n_s32(0); 4]; ROWS];
            for block in 0..operands.blocks {
                // SAFETY: a panel, inside by the contract.
                unsafe {
                    let a = a.add(block * BLOCK_BYTES);
                    let b = operands
                        .b
                        .as_ptr()
                        .add(panel * operands.b_stride + block * BLOCK_BYTES);
                    for part in 0..4 {
                        let a: [int8x16_t; ROWS] =
                            std::array::from_fn(|row| vld1q_s8(a.add(row * K_BLOCK + part * 16)));
                        group::<0>(&mut sums, b.add((part * 4) * 64), a);
                        group::<1>(&mut sums, b.add((part * 4 + 1) * 64), a);
                        group::<2>(&mut sums, b.add((part * 4 + 2) * 64), a);
                        group::<3>(&mut sums, b.add((part * 4 + 3) * 64), a);
                    }
                }
            }
            for (at, (sums, total)) in sums.iter().zip(totals).enumerate() {
                let out = &mut out.0[(row + at) * SIDE + panel * TILE..][..TILE];
                for (out, sum) in out.chunks_exact_mut(4).zip(sums) {
                    let sum = vaddq_s32(*sum, vdupq_n_s32(128 * total));
                    // SAFETY: four integers.
                    unsafe { vst1q_s32(out.as_mut_ptr(), sum) };
                }
            }
        }
    }
}

/// Adds the products of one group of four of k.
///
/// # Safety
/// `b` are the 64 bytes of the group; the processor has dot products.
#[inline]
#[target_feature(enable = "neon")]
unsafe fn group<const LANE: usize>(
    sums: &mut [[int32x4_t; 4]; ROWS],
    b: *const u8,
    a: [int8x16_t; ROWS],
) {
    for part in 0..4 {
        // SAFETY: by the contract.
        unsafe {
            let b = veorq_u8(vld1q_u8(b.add(part * 16)), vdupq_n_u8(0x80));
            let b = vreinterpretq_s8_u8(b);
            for (sums, a) in sums.iter_mut().zip(a) {
                sums[part] = dot::<LANE>(sums[part], b, a);
            }
        }
    }
}

/// # Safety
/// The operands are [inside](FloatOperands::inside).
#[target_feature(enable = "neon")]
unsafe fn float(operands: &FloatOperands<'_>, out: &mut [f32], stride: usize) {
    for panel in 0..operands.panels {
        for row in (0..operands.rows).step_by(ROWS) {
            let count = ROWS.min(operands.rows - row);
            let mut sums = [[vdupq_n_f32(0.0); 4]; ROWS];
            for k in 0..operands.k {
                // SAFETY: inside, by the contract.
                unsafe {
                    let b = operands
                        .b
                        .as_ptr()
                        .add(panel * operands.b_stride + k * TILE);
                    let b: [float32x4_t; 4] =
                        std::array::from_fn(|part| vld1q_f32(b.add(part * 4)));
                    for (at, sums) in sums.iter_mut().take(count).enumerate() {
                        let a = *operands.a.as_ptr().add(k * operands.rows + row + at);
                        for (sum, b) in sums.iter_mut().zip(b) {
                            *sum = vfmaq_n_f32(*sum, b, a);
                        }
                    }
                }
            }
            for (at, sums) in sums.iter().take(count).enumerate() {
                let out = &mut out[(row + at) * stride + panel * TILE..][..TILE];
                for (out, sum) in out.chunks_exact_mut(4).zip(sums) {
                    // SAFETY: four floats.
                    unsafe { vst1q_f32(out.as_mut_ptr(), *sum) };
                }
            }
        }
    }
}

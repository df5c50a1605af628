//! Products by AVX-512, of integers with VNNI.

use std::arch::x86_64::*;

use super::block::{
    BLOCK_BYTES, FLOAT_ROWS, FloatBlock, FloatOperands, Int8Block, Int8Operands, K_BLOCK, SIDE,
    TILE,
};
use super::{Kernels, Level};

static AVX512: Kernels = Kernels {
    name: "AVX-512 VNNI",
    level: || Level::Avx512,
    enter: || {},
    leave: || {},
    int8: |operands, out| {
        assert!(operands.inside());
        // SAFETY: all that is read is inside; the table is handed out only where AVX-512 was found.
        unsafe { int8(operands, out) }
    },
    float: |operands, out| {
        assert!(operands.inside());
        // SAFETY: as above.
        unsafe { float(operands, out) }
    },
};

/// This table, where the processor has what it needs.
pub(super) fn available() -> Option<&'static Kernels> {
    let found = is_x86_feature_detected!("avx512vnni") && Level::detect() == Level::Avx512;
    found.then_some(&AVX512)
}

/// # Safety
/// The operands are [inside](Int8Operands::inside).
#[target_feature(enable = "avx512f,avx512bw,avx512vnni")]
unsafe fn int8(operands: &Int8Operands<'_>, out: &mut Int8Block) {
    for tile in 0..operands.tiles {
        for half in 0..2 {
            // SAFETY: tile and rows are inside.
            unsafe {
                let a = operands
                    .a
                    .as_ptr()
                    .add(tile * operands.a_stride + half * 8 * K_BLOCK);
                let out = out.0.as_mut_ptr().add((tile * TILE + half * 8) * SIDE);
                match operands.panels {
                    1 => int8_rows::<1>(operands, a, out),
                    _ => int8_rows::<2>(operands, a, out),
                }
            }
        }
    }
}

/// Eight rows times P panels.
///
/// # Safety
/// As [`int8`]; `a` is the first of eight rows of a tile, `out` that of as many rows of the block.
#[target_feature(enable = "avx512f,avx512bw,avx512vnni")]
unsafe fn int8_rows<const P: usize>(operands: &Int8Operands<'_>, a: *const i8, out: *mut i32) {
    let mut sums = [[_mm512_setzero_si512(); P]; 8];
    let b = operands.b.as_ptr();
    for block in 0..operands.blocks {
        // SAFETY: inside, by the contract.
        unsafe {
            let a = a.add(block * BLOCK_BYTES);
            let b = b.add(block * BLOCK_BYTES);
            for group in 0..TILE {
                let b: [__m512i; P] = std::array::from_fn(|p| {
                    _mm512_loadu_si512(b.add(p * operands.b_stride + group * 64).cast())
                });
                for (row, sums) in sums.iter_mut().enumerate() {
                    let four = a.add(row * K_BLOCK + group * 4).cast::<i32>();
                    let a = _mm512_set1_epi32(four.read_unaligned());
                    for (sum, b) in sums.iter_mut().zip(b) {
                        *sum = _mm512_dpbusd_epi32(*sum, b, a);
                    }
                }
            }
        }
    }
    for (row, sums) in sums.iter().enumerate() {
        for (panel, sum) in sums.iter().enumerate() {
            // SAFETY: eight rows of two panels are inside the block.
            unsafe { _mm512_storeu_si512(out.add(row * SIDE + panel * TILE).cast(), *sum) };
        }
    }
}

/// # Safety
/// The operands are [inside](FloatOperands::inside).
#[target_feature(enable = "avx512f")]
pub(super) unsafe fn float(operands: &FloatOperands<'_>, out: &mut FloatBlock) {
    macro_rules! rows {
        ($($rows:literal)*) => {
            match (operands.rows, operands.panels) {
                // SAFETY: by the contract.
                $(($rows, 1) => unsafe { float_rows::<$rows, 1>(operands, out) },
                // SAFETY: as above.
                ($rows, _) => unsafe { float_rows::<$rows, 2>(operands, out) },)*
                _ => {}
            }
        };
    }
    const { assert!(FLOAT_ROWS == 14) };
    rows!(1 2 3 4 5 6 7 8 9 10 11 12 13 14)
}

/// R rows times P panels.
///
/// # Safety
/// As [`float`].
#[target_feature(enable = "avx512f")]
unsafe fn float_rows<const R: usize, const P: usize>(
    operands: &FloatOperands<'_>,
    out: &mut FloatBlock,
) {
    let mut sums = [[_mm512_setzero_ps(); P]; R];
    let (a, b) = (operands.a.as_ptr(), operands.b.as_ptr());
    for k in 0..operands.k {
        // SAFETY: inside, by the contract.
        unsafe {
            let b: [__m512; P] =
                std::array::from_fn(|p| _mm512_loadu_ps(b.add(p * operands.b_stride + k * TILE)));
            for (row, sums) in sums.iter_mut().enumerate() {
                let a = _mm512_set1_ps(*a.add(k * R + row));
                for (sum, b) in sums.iter_mut().zip(b) {
                    *sum = _mm512_fmadd_ps(a, b, *sum);
                }
            }
        }
    }
    for (row, sums) in sums.iter().enumerate() {
        for (panel, sum) in sums.iter().enumerate() {
            // SAFETY: R rows of two panels are inside the block.
            unsafe { _mm512_storeu_ps(out.0.as_mut_ptr().add(row * SIDE + panel * TILE), *sum) };
        }
    }
}

//! Products by AVX-512, of integers with VNNI.

use std::arch::x86_64::*;

use super::block::{
    BLOCK_BYTES, Columns, FLOAT_ROWS, FloatOperands, Int8Block, Int8Operands, K_BLOCK, RowScales,
    SIDE, StridedRows, Sums, TILE,
};
use super::{Kernels, Level};
use crate::kernels::buffer::Window;

pub(super) static AVX512: Kernels = Kernels {
    name: "AVX-512 VNNI",
    level: || Level::Avx512,
    enter: || {},
    leave: || {},
    int8: |operands, out| {
        assert!(operands.inside());
        // SAFETY: all that is read is inside; the table is handed out only where AVX-512 was found.
        unsafe { int8(operands, out) }
    },
    add: |block, rows, sums, is_begun| {
        // SAFETY: the instructions are there, as above.
        unsafe { add(block, rows, sums, is_begun) }
    },
    finish: |block, rows, before, columns, out| {
        // SAFETY: as above.
        unsafe { finish(block, rows, before, columns, out) }
    },
    float: |operands, out, stride| {
        // SAFETY: the instructions are there, as above, and all is inside.
        unsafe { float(operands, out, stride) }
    },
    pack: |rows, a| {
        // SAFETY: as above.
        unsafe { pack(rows, a) }
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

/// The numbers that half a row of integers is, added to those before. By hand, as the compiler would compute a column of rows
/// at a time.
#[inline]
#[target_feature(enable = "avx512f")]
fn numbers(
    row: &[i32; TILE],
    excess: __m512i,
    scale: __m512,
    before: Option<&[f32; TILE]>,
) -> __m512 {
    // SAFETY: sixteen integers, and as many floats.
    unsafe {
        let x = _mm512_cvtepi32_ps(_mm512_sub_epi32(_mm512_loadu_epi32(row.as_ptr()), excess));
        match before {
            Some(before) => _mm512_fmadd_ps(x, scale, _mm512_loadu_ps(before.as_ptr())),
            None => _mm512_mul_ps(x, scale),
        }
    }
}

#[target_feature(enable = "avx512f")]
fn add(block: &Int8Block, rows: &RowScales<'_>, sums: &mut Sums, is_begun: bool) {
    for ((row, excess, scale), sums) in rows.each(block).zip(sums.as_chunks_mut::<SIDE>().0) {
        let (excess, scale) = (_mm512_set1_epi32(excess), _mm512_set1_ps(scale));
        for (row, sums) in row.as_chunks().0.iter().zip(sums.as_chunks_mut::<TILE>().0) {
            let before = is_begun.then_some(&*sums);
            let numbers = numbers(row, excess, scale, before);
            // SAFETY: sixteen floats.
            unsafe { _mm512_storeu_ps(sums.as_mut_ptr(), numbers) };
        }
    }
}

#[target_feature(enable = "avx512f")]
fn finish(
    block: &Int8Block,
    rows: &RowScales<'_>,
    before: Option<&Sums>,
    columns: &Columns,
    out: &mut Window<'_, f32>,
) {
    let mask = (1_u64 << out.columns().min(SIDE)) - 1;
    let halves = |numbers: &[f32; SIDE]| {
        // SAFETY: 32 floats.
        unsafe { [0, TILE].map(|at| _mm512_loadu_ps(numbers.as_ptr().add(at))) }
    };
    let (scales, biases) = (halves(&columns.scales), halves(&columns.biases));
    for (at, (row, excess, scale)) in rows.each(block).enumerate().take(out.rows()) {
        let (excess, scale) = (_mm512_set1_epi32(excess), _mm512_set1_ps(scale));
        let before = before.map(|sums| &sums.as_chunks::<SIDE>().0[at]);
        let out = out.row(at).as_mut_ptr();
        for (half, row) in row.as_chunks::<TILE>().0.iter().enumerate() {
            let before = before.map(|sums| &sums.as_chunks().0[half]);
            let numbers = numbers(row, excess, scale, before);
            let numbers = _mm512_fmadd_ps(numbers, scales[half], biases[half]);
            // SAFETY: as many floats as the window has columns.
            unsafe {
                let mask = (mask >> (half * TILE)) as __mmask16;
                _mm512_mask_storeu_ps(out.wrapping_add(half * TILE), mask, numbers);
            }
        }
    }
}

/// # Safety
/// The operands and `out` are [inside](FloatOperands::inside); the processor has AVX-512.
#[target_feature(enable = "avx512f")]
unsafe fn float(operands: &FloatOperands<'_>, out: &mut [f32], stride: usize) {
    macro_rules! rows {
        ($($rows:literal)*) => {
            match (operands.rows, operands.panels) {
                // SAFETY: by the contract.
                $(($rows, 1) => unsafe { float_rows::<$rows, 1>(operands, out, stride) },
                // SAFETY: as above.
                ($rows, _) => unsafe { float_rows::<$rows, 2>(operands, out, stride) },)*
                _ => {}
            }
        };
    }
    const { assert!(FLOAT_ROWS == 14) };
    rows!(1 2 3 4 5 6 7 8 9 10 11 12 13 14)
}

/// Panels of floats are fetched so many of k ahead: they come from the second cache or farther.
const AHEAD: usize = 16;

/// R rows times P panels.
///
/// # Safety
/// As [`float`].
#[target_feature(enable = "avx512f")]
unsafe fn float_rows<const R: usize, const P: usize>(
    operands: &FloatOperands<'_>,
    out: &mut [f32],
    stride: usize,
) {
    let mut sums = [[_mm512_setzero_ps(); P]; R];
    let (a, b) = (operands.a.as_ptr(), operands.b.as_ptr());
    for k in 0..operands.k {
        // SAFETY: inside, by the contract.
        unsafe {
            let loaded: [__m512; P] =
                std::array::from_fn(|p| _mm512_loadu_ps(b.add(p * operands.b_stride + k * TILE)));
            for panel in 0..P {
                // It may lie outside: fetching never faults.
                let ahead = b.wrapping_add(panel * operands.b_stride + (k + AHEAD) * TILE);
                _mm_prefetch::<_MM_HINT_T0>(ahead.cast());
            }
            for (row, sums) in sums.iter_mut().enumerate() {
                let a = _mm512_set1_ps(*a.add(k * R + row));
                for (sum, b) in sums.iter_mut().zip(loaded) {
                    *sum = _mm512_fmadd_ps(a, b, *sum);
                }
            }
        }
    }
    for (row, sums) in sums.iter().enumerate() {
        for (panel, sum) in sums.iter().enumerate() {
            // SAFETY: the last row's panels end inside `out`, by the contract.
            unsafe { _mm512_storeu_ps(out.as_mut_ptr().add(row * stride + panel * TILE), *sum) };
        }
    }
}

/// # Safety
/// The rows and what they become are [inside](StridedRows::inside); the processor has AVX-512.
#[target_feature(enable = "avx512f")]
unsafe fn pack(rows: &StridedRows<'_>, a: &mut [f32]) {
    let mask = |count: usize| ((1_u32 << count) - 1) as u16;
    for first in (0..rows.k).step_by(TILE) {
        let count = TILE.min(rows.k - first);
        let x: [__m512; TILE] = std::array::from_fn(|row| {
            if row >= rows.rows {
                return _mm512_setzero_ps();
            }
            // SAFETY: inside, by the contract.
            unsafe {
                let x = rows.x.as_ptr().add(row * rows.stride + first);
                _mm512_maskz_loadu_ps(mask(count), x)
            }
        });
        for (k, column) in transpose(x).into_iter().take(count).enumerate() {
            // SAFETY: as above.
            unsafe {
                let a = a.as_mut_ptr().add((first + k) * rows.rows);
                _mm512_mask_storeu_ps(a, mask(rows.rows), column);
            }
        }
    }
}

/// Rows become columns: by pairs of floats, pairs of pairs, and quarters of registers.
#[inline]
#[target_feature(enable = "avx512f")]
fn transpose(x: [__m512; TILE]) -> [__m512; TILE] {
    let pairs: [__m512; TILE] = std::array::from_fn(|at| {
        let (a, b) = (x[at / 2 * 2], x[at / 2 * 2 + 1]);
        match at % 2 {
            0 => _mm512_unpacklo_ps(a, b),
            _ => _mm512_unpackhi_ps(a, b),
        }
    });
    // Of four rows from 4·⌊at / 4⌋ on: in each quarter, column at % 4 of it.
    let fours: [__m512; TILE] = std::array::from_fn(|at| {
        let first = at / 4 * 4 + at % 4 / 2;
        let (a, b) = (pairs[first], pairs[first + 2]);
        let (a, b) = (_mm512_castps_pd(a), _mm512_castps_pd(b));
        _mm512_castpd_ps(match at % 2 {
            0 => _mm512_unpacklo_pd(a, b),
            _ => _mm512_unpackhi_pd(a, b),
        })
    });
    // Of two registers, quarters 0 and 2 of each, or 1 and 3.
    let even = |a, b| _mm512_shuffle_f32x4::<0b10_00_10_00>(a, b);
    let odd = |a, b| _mm512_shuffle_f32x4::<0b11_01_11_01>(a, b);
    std::array::from_fn(|column| {
        let four = |rows: usize| fours[4 * rows + column % 4];
        let quarter = column / 4;
        let (low, high) = match quarter % 2 {
            0 => (even(four(0), four(1)), even(four(2), four(3))),
            _ => (odd(four(0), four(1)), odd(four(2), four(3))),
        };
        match quarter / 2 {
            0 => even(low, high),
            _ => odd(low, high),
        }
    })
}

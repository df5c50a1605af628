//! Products by AVX2, of integers with VNNI where the processor has that in 256 bits.

use std::arch::x86_64::*;

use super::block::{BLOCK_BYTES, FloatOperands, Int8Block, Int8Operands, K_BLOCK, SIDE, TILE};
use super::{Kernels, Level, plain};

static AVX2: Kernels = Kernels {
    name: "AVX2",
    level: || Level::Avx2,
    enter: || {},
    leave: || {},
    int8: |operands, out| {
        assert!(operands.inside());
        // SAFETY: all that is read is inside; the table is handed out only where AVX2 was found.
        unsafe { int8(operands, out) }
    },
    add: |block, rows, sums, is_begun| plain::add(Level::Avx2, block, rows, sums, is_begun),
    finish: |block, rows, before, columns, out| {
        plain::finish(Level::Avx2, block, rows, before, columns, out)
    },
    float: |operands, out, stride| {
        // SAFETY: the instructions are there, as above, and all is inside.
        unsafe { float(operands, out, stride) }
    },
    pack: plain::pack,
};

static AVX_VNNI: Kernels = Kernels {
    name: "AVX-VNNI",
    level: || Level::Avx2,
    enter: || {},
    leave: || {},
    int8: |operands, out| {
        assert!(operands.inside());
        // SAFETY: as above, with AVX-VNNI.
        unsafe { int8_vnni(operands, out) }
    },
    add: AVX2.add,
    finish: AVX2.finish,
    float: AVX2.float,
    pack: plain::pack,
};

/// What this processor has, the best last.
pub(super) fn available() -> impl Iterator<Item = &'static Kernels> {
    let avx2 = Level::detect() != Level::Base;
    let vnni = avx2 && is_x86_feature_detected!("avxvnni");
    (avx2.then_some(&AVX2).into_iter()).chain(vnni.then_some(&AVX_VNNI))
}

/// Rows that are computed at a time; a tile has a multiple of them.
const ROWS: usize = 4;

/// # Safety
/// The operands are [inside](Int8Operands::inside).
#[target_feature(enable = "avx2,fma,avxvnni")]
unsafe fn int8_vnni(operands: &Int8Operands<'_>, out: &mut Int8Block) {
    for (row, panel) in quarters(operands) {
        let mut sums = [[_mm256_setzero_si256(); 2]; ROWS];
        for block in 0..operands.blocks {
            // SAFETY: four rows of a tile and a panel, inside by the contract.
            unsafe {
                let a = row_of(operands, row).add(block * BLOCK_BYTES);
                let b = panel_of(operands, panel).add(block * BLOCK_BYTES);
                for group in 0..TILE {
                    let b: [__m256i; 2] = std::array::from_fn(|p| {
                        _mm256_loadu_si256(b.add(group * 64 + p * 32).cast())
                    });
                    for (row, sums) in sums.iter_mut().enumerate() {
                        let four = a.add(row * K_BLOCK + group * 4).cast::<i32>();
                        let a = _mm256_set1_epi32(four.read_unaligned());
                        for (sum, b) in sums.iter_mut().zip(b) {
                            *sum = _mm256_dpbusd_avx_epi32(*sum, b, a);
                        }
                    }
                }
            }
        }
        for (at, sums) in sums.iter().enumerate() {
            let out = &mut out.0[(row + at) * SIDE + panel * TILE..][..TILE];
            for (out, sum) in out.chunks_exact_mut(8).zip(sums) {
                // SAFETY: eight integers.
                unsafe { _mm256_storeu_si256(out.as_mut_ptr().cast(), *sum) };
            }
        }
    }
}

/// Without VNNI: integers of 16 bits, because the instruction for bytes saturates.
///
/// # Safety
/// The operands are [inside](Int8Operands::inside).
#[target_feature(enable = "avx2,fma")]
unsafe fn int8(operands: &Int8Operands<'_>, out: &mut Int8Block) {
    for (row, panel) in quarters(operands) {
        for row in [row, row + 2] {
            // Of each column two sums, of the even and of the odd pair of k.
            let mut sums = [[_mm256_setzero_si256(); 4]; 2];
            for block in 0..operands.blocks {
                // SAFETY: two rows of a tile and a panel, inside by the contract.
                unsafe {
                    let a = row_of(operands, row).add(block * BLOCK_BYTES);
                    let b = panel_of(operands, panel).add(block * BLOCK_BYTES);
                    for group in 0..TILE {
                        let a: [__m256i; 2] = std::array::from_fn(|row| {
                            let four = a.add(row * K_BLOCK + group * 4).cast::<i32>();
                            let four = _mm_cvtsi32_si128(four.read_unaligned());
                            _mm256_broadcastq_epi64(_mm_cvtepi8_epi16(four))
                        });
                        for part in 0..4 {
                            let b = b.add(group * 64 + part * 16);
                            let b = _mm256_cvtepu8_epi16(_mm_loadu_si128(b.cast()));
                            for (sums, a) in sums.iter_mut().zip(a) {
                                let product = _mm256_madd_epi16(a, b);
                                sums[part] = _mm256_add_epi32(sums[part], product);
                            }
                        }
                    }
                }
            }
            for (at, sums) in sums.iter().enumerate() {
                let out = &mut out.0[(row + at) * SIDE + panel * TILE..][..TILE];
                for (out, pair) in out.chunks_exact_mut(8).zip(sums.chunks_exact(2)) {
                    // Adding neighbours leaves the columns as 0 1 4 5 2 3 6 7.
                    let sum = _mm256_hadd_epi32(pair[0], pair[1]);
                    let sum = _mm256_permute4x64_epi64::<0b11_01_10_00>(sum);
                    // SAFETY: eight integers.
                    unsafe { _mm256_storeu_si256(out.as_mut_ptr().cast(), sum) };
                }
            }
        }
    }
}

/// The places of the results, four rows and a panel at a time.
fn quarters(operands: &Int8Operands<'_>) -> impl Iterator<Item = (usize, usize)> + use<> {
    let (rows, panels) = (operands.tiles * TILE, operands.panels);
    (0..rows)
        .step_by(ROWS)
        .flat_map(move |row| (0..panels).map(move |panel| (row, panel)))
}

/// # Safety
/// The operands are inside and have the row.
unsafe fn row_of(operands: &Int8Operands<'_>, row: usize) -> *const i8 {
    // SAFETY: by the contract.
    unsafe {
        let tile = operands.a.as_ptr().add(row / TILE * operands.a_stride);
        tile.add(row % TILE * K_BLOCK)
    }
}

/// # Safety
/// The operands are inside and have the panel.
unsafe fn panel_of(operands: &Int8Operands<'_>, panel: usize) -> *const u8 {
    // SAFETY: by the contract.
    unsafe { operands.b.as_ptr().add(panel * operands.b_stride) }
}

/// # Safety
/// The operands are [inside](FloatOperands::inside).
#[target_feature(enable = "avx2,fma")]
unsafe fn float(operands: &FloatOperands<'_>, out: &mut [f32], stride: usize) {
    for panel in 0..operands.panels {
        let mut row = 0;
        while row < operands.rows {
            // SAFETY: by the contract; as many rows as are left, six at most.
            unsafe {
                match operands.rows - row {
                    1 => float_rows::<1>(operands, row, panel, out, stride),
                    2 => float_rows::<2>(operands, row, panel, out, stride),
                    3 => float_rows::<3>(operands, row, panel, out, stride),
                    4 => float_rows::<4>(operands, row, panel, out, stride),
                    5 | 7 => float_rows::<5>(operands, row, panel, out, stride),
                    _ => float_rows::<6>(operands, row, panel, out, stride),
                }
            }
            row += match operands.rows - row {
                left @ 1..=5 => left,
                7 => 5,
                _ => 6,
            };
        }
    }
}

/// R rows times one panel.
///
/// # Safety
/// As [`float`], with the rows and the panel among the operands'.
#[target_feature(enable = "avx2,fma")]
unsafe fn float_rows<const R: usize>(
    operands: &FloatOperands<'_>,
    row: usize,
    panel: usize,
    out: &mut [f32],
    stride: usize,
) {
    let mut sums = [[_mm256_setzero_ps(); 2]; R];
    for k in 0..operands.k {
        // SAFETY: inside, by the contract.
        unsafe {
            let b = operands
                .b
                .as_ptr()
                .add(panel * operands.b_stride + k * TILE);
            let b = [_mm256_loadu_ps(b), _mm256_loadu_ps(b.add(8))];
            for (at, sums) in sums.iter_mut().enumerate() {
                let a = operands.a.as_ptr().add(k * operands.rows + row + at);
                let a = _mm256_set1_ps(*a);
                for (sum, b) in sums.iter_mut().zip(b) {
                    *sum = _mm256_fmadd_ps(a, b, *sum);
                }
            }
        }
    }
    for (at, sums) in sums.iter().enumerate() {
        let out = &mut out[(row + at) * stride + panel * TILE..][..TILE];
        for (out, sum) in out.chunks_exact_mut(8).zip(sums) {
            // SAFETY: eight floats.
            unsafe { _mm256_storeu_ps(out.as_mut_ptr(), *sum) };
        }
    }
}

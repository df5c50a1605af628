//! The products in plain Rust: what the others are tested against, and what runs where there is nothing
//! better.

use super::block::{
    BLOCK_BYTES, Columns, FloatOperands, Int8Block, Int8Operands, K_BLOCK, RowScales, SIDE,
    StridedRows, Sums, TILE,
};
use super::{Kernels, Level};
use crate::kernels::buffer::Window;
use crate::kernels::level::{fma, vectorized};

pub(super) static PLAIN: Kernels = Kernels {
    name: "plain",
    level: || Level::Base,
    enter: || {},
    leave: || {},
    int8,
    add: |block, rows, sums, is_begun| add(Level::Base, block, rows, sums, is_begun),
    finish: |block, rows, before, columns, out| {
        finish(Level::Base, block, rows, before, columns, out)
    },
    float,
    pack,
};

pub(super) fn int8(operands: &Int8Operands<'_>, out: &mut Int8Block) {
    for row in 0..operands.tiles * TILE {
        let a = &operands.a[row / TILE * operands.a_stride..][..operands.blocks * BLOCK_BYTES];
        for column in 0..operands.panels * TILE {
            let b =
                &operands.b[column / TILE * operands.b_stride..][..operands.blocks * BLOCK_BYTES];
            let mut sum = 0;
            for (a, b) in a.chunks_exact(BLOCK_BYTES).zip(b.chunks_exact(BLOCK_BYTES)) {
                for k in 0..K_BLOCK {
                    let a = i32::from(a[row % TILE * K_BLOCK + k]);
                    let b = i32::from(b[k / 4 * K_BLOCK + column % TILE * 4 + k % 4]);
                    sum += a * b;
                }
            }
            out.0[row * SIDE + column] = sum;
        }
    }
}

vectorized! {
    pub(super) fn add(block: &Int8Block, rows: &RowScales<'_>, sums: &mut Sums, is_begun: bool) {
        for ((products, excess, scale), sums) in rows.each(block).zip(sums.as_chunks_mut::<SIDE>().0) {
            for (sum, product) in sums.iter_mut().zip(products) {
                let x = product.wrapping_sub(excess) as f32;
                *sum = if is_begun { fma::<FMA>(x, scale, *sum) } else { x * scale };
            }
        }
    }
}

vectorized! {
    pub(super) fn finish(
        block: &Int8Block,
        rows: &RowScales<'_>,
        before: Option<&Sums>,
        columns: &Columns,
        out: &mut Window<'_, f32>,
    ) {
        for (at, (products, excess, scale)) in rows.each(block).enumerate().take(out.rows()) {
            let out = out.row(at);
            for (x, product) in out.iter_mut().zip(products) {
                *x = product.wrapping_sub(excess) as f32;
            }
            match before.map(|sums| &sums[at * SIDE..][..SIDE]) {
                Some(sums) => out.iter_mut().zip(sums).for_each(|(x, sum)| *x = fma::<FMA>(*x, scale, *sum)),
                None => out.iter_mut().for_each(|x| *x *= scale),
            }
            for ((x, scale), bias) in out.iter_mut().zip(&columns.scales).zip(&columns.biases) {
                *x = fma::<FMA>(*x, *scale, *bias);
            }
        }
    }
}

pub(super) fn float(operands: &FloatOperands<'_>, out: &mut [f32], stride: usize) {
    for row in 0..operands.rows {
        let a = operands.a.iter().skip(row).step_by(operands.rows);
        for panel in 0..operands.panels {
            let b = &operands.b[panel * operands.b_stride..][..operands.k * TILE];
            let mut sums = [0.0_f32; TILE];
            for (a, b) in a.clone().zip(b.chunks_exact(TILE)) {
                for (sum, b) in sums.iter_mut().zip(b) {
                    *sum += a * b;
                }
            }
            out[row * stride + panel * TILE..][..TILE].copy_from_slice(&sums);
        }
    }
}

pub(super) fn pack(rows: &StridedRows<'_>, a: &mut [f32]) {
    // Of k so many at a time that what is written stays in the first cache.
    const STEP: usize = 16;
    for first in (0..rows.k).step_by(STEP) {
        let count = STEP.min(rows.k - first);
        let a = &mut a[first * rows.rows..][..count * rows.rows];
        for row in 0..rows.rows {
            let x = &rows.x[row * rows.stride + first..][..count];
            for (place, x) in a[row..].iter_mut().step_by(rows.rows).zip(x) {
                *place = *x;
            }
        }
    }
}

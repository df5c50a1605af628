//! Layer normalization, of a sum too.

use super::functions::fold;
use super::level::{Level, vectorized};
use super::team::for_each;

/// Rows that a thread takes at a time.
const ROWS: usize = 32;

/// Normalizes each row of `x + residual` (of `x` where there is none), `[rows, d]`: γ (x − mean) / √(variance + ε) + β.
pub(crate) fn layer_norm(
    level: Level,
    mut x: Vec<f32>,
    residual: Option<&[f32]>,
    gamma: &[f32],
    beta: &[f32],
    eps: f32,
) -> Vec<f32> {
    let d = gamma.len().max(1);
    let mut blocks: Vec<_> = x.chunks_mut(ROWS * d).collect();
    for_each(&mut blocks, |at, rows| {
        let residual = residual.map_or(&[][..], |residual| &residual[at * ROWS * d..]);
        norm_rows(level, rows, residual, gamma, beta, eps);
    });
    x
}

vectorized! {
    fn norm_rows(rows: &mut [f32], residual: &[f32], gamma: &[f32], beta: &[f32], eps: f32) {
        let d = gamma.len();
        for (at, row) in rows.chunks_exact_mut(d).enumerate() {
            if let Some(residual) = residual.get(at * d..(at + 1) * d) {
                for (x, r) in row.iter_mut().zip(residual) {
                    *x += r;
                }
            }
            let mean = sum(row, |x| x) / d as f32;
            let variance = sum(row, |x| (x - mean) * (x - mean)) / d as f32;
            let factor = 1.0 / (variance + eps).sqrt();
            for ((x, gamma), beta) in row.iter_mut().zip(gamma).zip(beta) {
                *x = (*x - mean) * factor * gamma + beta;
            }
        }
    }
}

/// The sum of a function over a row: four chains of sixteen partial sums.
#[inline(always)]
fn sum(row: &[f32], f: impl Fn(f32) -> f32) -> f32 {
    let mut lanes = [0.0_f32; 64];
    let (chunks, rest) = row.as_chunks::<64>();
    for chunk in chunks {
        for (lane, &x) in lanes.iter_mut().zip(chunk) {
            *lane += f(x);
        }
    }
    for (lane, &x) in lanes.iter_mut().zip(rest) {
        *lane += f(x);
    }
    let mut sums = [0.0; 16];
    for chain in lanes.as_chunks::<16>().0 {
        for (sum, lane) in sums.iter_mut().zip(chain) {
            *sum += lane;
        }
    }
    fold(sums, |a, b| a + b)
}

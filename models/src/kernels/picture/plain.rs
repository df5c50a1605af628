//! The inner loops in plain Rust. What they compute is what every other set must.

use super::{Group, HALF, Kernels, PRECISION, Taps};

pub(super) static KERNELS: Kernels = Kernels {
    name: "plain",
    pack: |weights| weights,
    across,
    down,
    double_both,
    double_along,
    rgb,
};

fn across(rows: &[&[u8]], taps: &Taps, out: &mut [u8], stride: usize) {
    for (row, out) in rows.iter().zip(out.chunks_mut(stride)) {
        for ((start, groups), pixel) in taps.iter().zip(out.chunks_exact_mut(3)) {
            let mut sum = [HALF; 3];
            let samples = row[start * 3..].chunks_exact(3);
            for (&weight, sample) in groups.as_flattened().iter().zip(samples) {
                for (sum, &value) in sum.iter_mut().zip(sample) {
                    *sum = sum.wrapping_add(weight * i32::from(value));
                }
            }
            for (out, sum) in pixel.iter_mut().zip(sum) {
                *out = to_byte(sum);
            }
        }
    }
}

fn down(source: &[u8], stride: usize, groups: &[Group], len: usize, out: &mut [u8]) {
    const WIDTH: usize = 64;
    for (at, out) in out.chunks_mut(WIDTH).enumerate() {
        let mut sums = [HALF; WIDTH];
        let rows = source[at * WIDTH..].chunks(stride);
        for (&weight, row) in groups.as_flattened()[..len].iter().zip(rows) {
            for (sum, &value) in sums.iter_mut().zip(row) {
                *sum = sum.wrapping_add(weight * i32::from(value));
            }
        }
        for (out, &sum) in out.iter_mut().zip(&sums) {
            *out = to_byte(sum);
        }
    }
}

/// No final sum overflows: weights add up to 1 and their absolute values to less than 2, so it stays within
/// 2 · 255 · 2^22 < 2^31.
fn to_byte(sum: i32) -> u8 {
    (sum >> PRECISION).clamp(0, 255) as u8
}

pub(super) fn double_both(row: &[u8], near: &[u8], from: usize, out: &mut [u8]) {
    let last = row.len() - 1;
    let sum = |at: usize| 3 * u16::from(row[at]) + u16::from(near[at]);
    for (i, pair) in out.chunks_mut(2).enumerate() {
        let at = from + i;
        let this = 3 * sum(at);
        pair[0] = ((this + sum(at.saturating_sub(1)) + 8) >> 4) as u8;
        if let Some(odd) = pair.get_mut(1) {
            *odd = ((this + sum((at + 1).min(last)) + 7) >> 4) as u8;
        }
    }
}

pub(super) fn double_along(row: &[u8], from: usize, out: &mut [u8]) {
    let last = row.len() - 1;
    let sample = |at: usize| u16::from(row[at]);
    for (i, pair) in out.chunks_mut(2).enumerate() {
        let at = from + i;
        let this = 3 * sample(at);
        pair[0] = ((this + sample(at.saturating_sub(1)) + 1) >> 2) as u8;
        if let Some(odd) = pair.get_mut(1) {
            *odd = ((this + sample((at + 1).min(last)) + 2) >> 2) as u8;
        }
    }
}

/// R = Y + 1.402 Cr, G = Y − 0.34414 Cb − 0.71414 Cr, B = Y + 1.772 Cb, in units of 2⁻¹⁶, each offset rounded
/// before it is added.
pub(super) fn rgb(y: &[u8], cb: &[u8], cr: &[u8], out: &mut [u8]) {
    const ROUND: i32 = 1 << 15;
    for (((&y, &cb), &cr), out) in y.iter().zip(cb).zip(cr).zip(out.chunks_exact_mut(3)) {
        let (y, cb, cr) = (i32::from(y), i32::from(cb) - 128, i32::from(cr) - 128);
        let red = y + ((91_881 * cr + ROUND) >> 16);
        let green = y + ((-22_554 * cb - 46_802 * cr + ROUND) >> 16);
        let blue = y + ((116_130 * cb + ROUND) >> 16);
        for (out, value) in out.iter_mut().zip([red, green, blue]) {
            *out = value.clamp(0, 255) as u8;
        }
    }
}

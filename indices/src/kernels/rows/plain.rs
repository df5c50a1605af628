//! The products in plain Rust, which say what the others compute.

use half::f16;

use super::{
    Integers, LANES, OFFSET, Parts, RowKernels, Rows, Weights, add_up, bytes_by, each_row, fine_by,
    scores_by,
};

/// For any processor.
pub(super) static KERNELS: RowKernels = RowKernels {
    name: "plain",
    bytes,
    scores,
    fine,
    halves,
    floats,
    pair,
};

fn bytes(rows: &Rows<'_>, numbers: &[u32], query: &Integers, products: &mut [i32]) {
    bytes_by(rows, numbers, query, products, of_bytes);
}

fn scores(
    rows: &Rows<'_>,
    numbers: &[u32],
    query: &Integers,
    weights: Weights,
    scores: &mut [f32],
) {
    scores_by(rows, numbers, (query, weights), scores, of_bytes);
}

fn of_bytes(row: &[u8], query: &Integers) -> i32 {
    let product = row.iter().zip(&query.values);
    product.map(|(&a, &b)| integer(a) * i32::from(b)).sum()
}

fn fine(rows: &[Rows<'_>; 2], numbers: &[u32], query: &[Integers; 3], products: &mut [Parts]) {
    fine_by(rows, numbers, query, products, of_bytes);
}

fn halves(rows: &Rows<'_>, numbers: &[u32], query: &[f32], products: &mut [f32]) {
    each_row(rows, numbers, |place, row| {
        let (halves, _) = row.as_chunks::<2>();
        let value = |&bits: &[u8; 2]| f16::from_le_bytes(bits).to_f32();
        products[place] = product(halves.iter().map(value), query);
    });
}

fn floats(rows: &Rows<'_>, numbers: &[u32], query: &[f32], products: &mut [f32]) {
    each_row(rows, numbers, |place, row| {
        let (floats, _) = row.as_chunks::<4>();
        products[place] = product(floats.iter().map(|&bits| f32::from_le_bytes(bits)), query);
    });
}

fn pair(a: &[u8], b: &[u8]) -> i32 {
    let product = a.iter().zip(b);
    product.map(|(&a, &b)| integer(a) * integer(b)).sum()
}

fn integer(stored: u8) -> i32 {
    i32::from(stored) - i32::from(OFFSET)
}

fn product(row: impl Iterator<Item = f32>, query: &[f32]) -> f32 {
    let mut lanes = [0.0; LANES];
    for (place, (a, b)) in row.zip(query).enumerate() {
        lanes[place % LANES] += a * b;
    }
    add_up(lanes)
}

/// Adds the last values, fewer than there are lanes, to the lanes.
pub(super) fn add_rest(lanes: &mut [f32; LANES], row: impl Iterator<Item = f32>, query: &[f32]) {
    for ((lane, a), b) in lanes.iter_mut().zip(row).zip(query) {
        *lane += a * b;
    }
}

//! Attention with the projections before it, a head at a time: queries, keys and values of a head stay in the
//! cache of the thread that computes with them.

use super::super::buffer::{Buffer, Window};
use super::super::matrix::Matrix;
use super::super::products::{Kernels, Products, TILE};
use super::super::rows::QuantizedRows;
use super::super::strips::{Epilogue, Int8Panels, Int8Product, slabs};
use super::super::team::for_each;
use super::{Head, View};

/// The projections of an attention, matrices of integers.
#[derive(Clone, Copy)]
pub(in super::super) struct HeadMatrices<'a> {
    pub(in super::super) query: &'a Matrix,
    pub(in super::super) key: &'a Matrix,
    pub(in super::super) value: &'a Matrix,
    pub(in super::super) heads: usize,
}

/// One sequence.
pub(in super::super) struct Sequence<'a> {
    /// The rows that ask.
    pub(in super::super) queries: &'a QuantizedRows,
    /// The rows that are asked.
    pub(in super::super) keys: &'a QuantizedRows,
    /// Where attention is causal, the place of each query.
    pub(in super::super) places: Option<&'a [usize]>,
}

/// Computes attention of each sequence into `out`, the queries of all sequences, `[queries, d]`. A head is
/// as wide as a number of whole panels.
pub(in super::super) fn fused(
    kernels: &'static Kernels,
    matrices: HeadMatrices<'_>,
    sequences: &[Sequence<'_>],
    out: &mut [f32],
) {
    let width = matrices.query.outputs;
    let h = width / matrices.heads;
    let mut rest = out;
    let mut heads = Vec::new();
    for sequence in sequences {
        let rows = sequence.queries.rows;
        let (of_sequence, after) = rest.split_at_mut(rows * width);
        rest = after;
        let windows = Window::cut(of_sequence, width, rows, h);
        heads.extend(
            windows
                .into_iter()
                .enumerate()
                .map(|(head, out)| (sequence, head, out)),
        );
    }
    for_each(&mut heads, |_, (sequence, head, out)| {
        let products = kernels.enter();
        let of = |matrix, rows| project(&products, matrix, rows, *head * h, h);
        let query = of(matrices.query, sequence.queries);
        let key = of(matrices.key, sequence.keys);
        let value = of(matrices.value, sequence.keys);
        let view = |matrix, rows: &QuantizedRows| View::of(matrix, &(0..rows.rows), h, 0, h);
        let head = Head {
            query: view(&query, sequence.queries),
            key: view(&key, sequence.keys),
            value: view(&value, sequence.keys),
            places: sequence.places,
        };
        head.run_int8(&products, out);
    });
}

/// Some columns of a projection, `[rows, h]`.
fn project(
    products: &Products,
    matrix: &Matrix,
    rows: &QuantizedRows,
    first: usize,
    h: usize,
) -> Buffer<f32> {
    let bytes = matrix.int8(products.level(), first / TILE..(first + h) / TILE);
    let panels = Int8Panels {
        bytes: &bytes,
        stride: matrix.panel_bytes(),
    };
    let bias = matrix.bias.as_deref().map(|bias| &bias[first..first + h]);
    let epilogue = Epilogue {
        scales: &matrix.output_scales()[first..first + h],
        bias: bias.unwrap_or_default(),
    };
    let mut out = Buffer::scratch(rows.rows * h);
    let product = Int8Product {
        rows,
        panels,
        epilogue,
    };
    let mut window = Window::whole(&mut out, h);
    for slab in slabs(rows.rows) {
        let tile = slab.start / TILE;
        product.write(products, tile, &mut window.part(slab, 0..h));
    }
    out
}

//! The two halves of a transformer's layer over packed sequences: attention with its four projections, and
//! the feed-forward block. What lies between their steps never leaves this file.

use std::ops::Range;

use super::attention::{Attention, HeadMatrices, Sequence, attention, fused};
use super::buffer::Buffer;
use super::linear::{FloatRows, Job, Out, Rows, linear};
use super::matrix::Matrix;
use super::products::{Kernels, TILE};
use super::rows::QuantizedRows;
use crate::weights::Activation;

/// The matrices of an attention, each `[d, d]`.
pub(crate) struct AttentionMatrices<'a> {
    pub(crate) query: &'a Matrix,
    pub(crate) key: &'a Matrix,
    pub(crate) value: &'a Matrix,
    pub(crate) output: &'a Matrix,
}

/// How sequences lie in rows.
pub(crate) struct Packing<'a> {
    /// Of each sequence, its rows among the queries and among all.
    pub(crate) sequences: &'a [(Range<usize>, Range<usize>)],
    /// Where attention is causal, the place of each query in its sequence.
    pub(crate) places: Option<&'a [usize]>,
    /// Heads.
    pub(crate) heads: usize,
}

/// Attention of `queries`, `[m, d]`, to `x`, `[n, d]`, with all four projections: `[m, d]`. Where
/// `queries` is `None`, they are x.
pub(crate) fn self_attention(
    kernels: &'static Kernels,
    matrices: &AttentionMatrices<'_>,
    packing: &Packing<'_>,
    x: &[f32],
    queries: Option<&[f32]>,
) -> Vec<f32> {
    let (width, heads) = (matrices.query.outputs, packing.heads);
    let int8 = matrices.query.is_int8() && matrices.key.is_int8() && matrices.value.is_int8();
    let mut attended = Buffer::scratch(queries.unwrap_or(x).len());
    // By heads the weights are read once for each sequence.
    let one = packing.sequences.len() == 1;
    if one && int8 && (width / heads.max(1)).is_multiple_of(TILE) {
        let matrices = HeadMatrices {
            query: matrices.query,
            key: matrices.key,
            value: matrices.value,
            heads,
        };
        by_heads(kernels, matrices, packing, x, queries, &mut attended);
    } else {
        by_steps(kernels, matrices, packing, x, queries, &mut attended);
    }
    let mut out = vec![0.0; attended.len()];
    project(kernels, &attended, vec![(matrices.output, &mut out)]);
    out
}

/// Attention a head at a time, its projections with it.
fn by_heads(
    kernels: &'static Kernels,
    matrices: HeadMatrices<'_>,
    packing: &Packing<'_>,
    x: &[f32],
    queries: Option<&[f32]>,
    attended: &mut [f32],
) {
    let inputs = matrices.query.inputs;
    let quantize = |x: &[f32], rows: &Range<usize>| {
        QuantizedRows::new(
            kernels.level(),
            &x[rows.start * inputs..rows.end * inputs],
            inputs,
        )
    };
    let rows: Vec<_> = (packing.sequences.iter())
        .map(|(asking, asked)| {
            (
                queries.map(|queries| quantize(queries, asking)),
                quantize(x, asked),
            )
        })
        .collect();
    let sequences: Vec<_> = (rows.iter().zip(packing.sequences))
        .map(|((asking, asked), (range, _))| Sequence {
            queries: asking.as_ref().unwrap_or(asked),
            keys: asked,
            places: packing.places.map(|places| &places[range.clone()]),
        })
        .collect();
    fused(kernels, matrices, &sequences, attended);
}

/// Attention after all its projections: of floats, and of heads that are not whole panels.
fn by_steps(
    kernels: &'static Kernels,
    matrices: &AttentionMatrices<'_>,
    packing: &Packing<'_>,
    x: &[f32],
    queries: Option<&[f32]>,
    attended: &mut [f32],
) {
    let mut query = Buffer::scratch(attended.len());
    let (mut key, mut value) = (Buffer::scratch(x.len()), Buffer::scratch(x.len()));
    let mut jobs = vec![
        (matrices.key, &mut key[..]),
        (matrices.value, &mut value[..]),
    ];
    match queries {
        None => jobs.insert(0, (matrices.query, &mut query[..])),
        Some(queries) => project(kernels, queries, vec![(matrices.query, &mut query[..])]),
    }
    project(kernels, x, jobs);
    let inputs = Attention {
        query: &query,
        key: &key,
        value: &value,
        width: matrices.query.outputs,
        heads: packing.heads,
        sequences: packing.sequences,
        places: packing.places,
        int8: matrices.query.is_int8() && matrices.key.is_int8() && matrices.value.is_int8(),
    };
    attention(kernels, &inputs, attended);
}

/// `act(x Upᵀ + b) Downᵀ + c`, `[n, d]`.
pub(crate) fn feed_forward(
    kernels: &'static Kernels,
    up: &Matrix,
    down: &Matrix,
    activation: Activation,
    x: &[f32],
) -> Vec<f32> {
    let count = x.len().checked_div(up.inputs).unwrap_or(0);
    let (quantized, packed);
    let rows = if up.is_int8() {
        quantized = QuantizedRows::new(kernels.level(), x, up.inputs);
        Rows::Int8(&quantized)
    } else {
        packed = FloatRows::new(kernels, x, up.inputs);
        Rows::Float(&packed)
    };
    let mut out = vec![0.0; count * down.outputs];
    let last = vec![Job {
        matrix: down,
        activation: None,
        out: Out::Float(&mut out),
    }];
    let first = |out| {
        let activation = Some(activation);
        vec![Job {
            matrix: up,
            activation,
            out,
        }]
    };
    if down.is_int8() {
        let mut between = QuantizedRows::room(count, up.outputs);
        linear(kernels, count, rows, first(Out::Int8(&mut between)));
        linear(kernels, count, Rows::Int8(&between), last);
    } else {
        let mut between = Buffer::scratch(count * up.outputs);
        linear(kernels, count, rows, first(Out::Float(&mut between)));
        let between = FloatRows::new(kernels, &between, up.outputs);
        linear(kernels, count, Rows::Float(&between), last);
    }
    out
}

/// `x Wᵀ + b` for matrices of either kind over the same rows.
pub(crate) fn project(kernels: &'static Kernels, x: &[f32], jobs: Vec<(&Matrix, &mut [f32])>) {
    let Some(&(Matrix { inputs, .. }, _)) = jobs.first() else {
        return;
    };
    let count = x.len().checked_div(*inputs).unwrap_or(0);
    let job = |(matrix, out)| Job {
        matrix,
        activation: None,
        out: Out::Float(out),
    };
    let (int8, float): (Vec<_>, Vec<_>) =
        jobs.into_iter().partition(|(matrix, _)| matrix.is_int8());
    if !int8.is_empty() {
        let rows = QuantizedRows::new(kernels.level(), x, *inputs);
        linear(
            kernels,
            count,
            Rows::Int8(&rows),
            int8.into_iter().map(job).collect(),
        );
    }
    if !float.is_empty() {
        let rows = FloatRows::new(kernels, x, *inputs);
        let jobs = float.into_iter().map(job).collect();
        linear(kernels, count, Rows::Float(&rows), jobs);
    }
}

//! The transformer layer that both towers are made of.

use burn::tensor::{Tensor, TensorData};

use crate::cancel::Cancel;
use crate::device::Compute;
use crate::error::Result;
use crate::layers::{FeedForward, LayerNorm, SelfAttention, Sequences, select};
use crate::source::Source;
use crate::stack;
use crate::xlmr::read;

/// A stack of pre-norm layers: each adds its attention, then its feed-forward, to what runs through.
#[derive(Debug)]
pub(super) enum Layers {
    /// Layer by layer, in Burn's tensors.
    Burn(Vec<Layer>),
    /// All of them on a GPU, by our own kernels.
    Ours(stack::Stack),
}

#[derive(Debug)]
pub(super) struct Layer {
    norm1: LayerNorm,
    attention: SelfAttention,
    norm2: LayerNorm,
    mlp: FeedForward,
}

impl Layers {
    /// Reads `TOWER.layers.N.*`.
    pub(super) fn load(
        source: &impl Source,
        (tower, layers): (&str, u32),
        shape: &stack::Shape,
        compute: &Compute,
    ) -> Result<Self> {
        if let (Some(driver), Some(weights)) = (compute.driver(), source.file()) {
            let names = (0..layers).map(|n| {
                let part = |part: &str| format!("{tower}.layers.{n}.{part}");
                stack::Names {
                    attention: part("attention"),
                    attention_norm: part("norm1"),
                    feed_forward: part("mlp"),
                    feed_forward_norm: part("norm2"),
                }
            });
            let stack = stack::Stack::load(driver, weights, *shape, None, names)?;
            return Ok(Self::Ours(stack));
        }
        let layer = |n: u32| -> Result<Layer> {
            let part = |part: &str| format!("{tower}.layers.{n}.{part}");
            let (heads, causal) = (shape.heads as u32, shape.causal);
            Ok(Layer {
                norm1: LayerNorm::load(source, &part("norm1"), shape.eps, compute)?,
                attention: SelfAttention::load(source, &part("attention"), heads, causal, compute)?,
                norm2: LayerNorm::load(source, &part("norm2"), shape.eps, compute)?,
                mlp: FeedForward::load(source, &part("mlp"), shape.activation, compute)?,
            })
        };
        (0..layers)
            .map(layer)
            .collect::<Result<_>>()
            .map(Self::Burn)
    }

    /// `[1, n, d]` to the rows that are read of each sequence in it, `[1, m, d]`; with a batch of `b`, `[b, n, d]`
    /// to `[b, m, d]`.
    pub(super) fn forward(
        &self,
        mut x: Tensor<3>,
        sequences: &Sequences,
        cancel: &Cancel,
    ) -> Result<Tensor<3>> {
        let layers = match self {
            Self::Burn(layers) => layers,
            Self::Ours(stack) => return on_gpu(stack, x, sequences, cancel),
        };
        let rows = sequences.wanted();
        let last = layers.len() - 1;
        for (at, layer) in layers.iter().enumerate() {
            cancel.check()?;
            let normed = layer.norm1.forward(x.clone());
            // Nothing follows the last layer but what is read: the other rows are left out.
            let queries = (at == last).then(|| select(normed.clone(), &rows));
            if at == last {
                x = select(x, &rows);
            }
            x = x + layer.attention.forward(normed, queries, sequences, None);
            x = x.clone() + layer.mlp.forward(layer.norm2.forward(x), None);
        }
        Ok(x)
    }
}

/// The same sequence by sequence. What goes in and comes out lies on the host.
fn on_gpu(
    stack: &stack::Stack,
    x: Tensor<3>,
    sequences: &Sequences,
    cancel: &Cancel,
) -> Result<Tensor<3>> {
    let ([_, _, d], device) = (x.dims(), x.device());
    let x = read(x)?;
    let count = sequences
        .each()
        .map(|(_, wanted)| wanted.len())
        .sum::<usize>();
    let mut out = Vec::with_capacity(count * d);
    for (rows, wanted) in sequences.each() {
        cancel.check()?;
        let given = stack::Given::Rows(&x[rows.start * d..rows.end * d]);
        stack.forward(given, wanted, &mut out)?;
    }
    Ok(Tensor::from_data(
        TensorData::new(out, [1, count, d]),
        &device,
    ))
}

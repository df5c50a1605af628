//! The transformer layer that both towers are made of.

use burn::tensor::Tensor;

use crate::cancel::Cancel;
use crate::device::Compute;
use crate::error::Result;
use crate::layers::{FeedForward, LayerNorm, SelfAttention, Sequences, select};
use crate::source::Source;
use crate::weights::Activation;

/// What the layers of one tower have in common.
pub(super) struct Shape {
    pub(super) layers: u32,
    pub(super) heads: u32,
    pub(super) activation: Activation,
    pub(super) eps: f64,
    pub(super) causal: bool,
}

/// A stack of pre-norm layers: each adds its attention, then its feed-forward, to what runs through.
#[derive(Debug)]
pub(super) struct Layers(Vec<Layer>);

#[derive(Debug)]
struct Layer {
    norm1: LayerNorm,
    attention: SelfAttention,
    norm2: LayerNorm,
    mlp: FeedForward,
}

impl Layers {
    /// Reads `TOWER.layers.N.*`.
    pub(super) fn load(
        source: &impl Source,
        tower: &str,
        shape: &Shape,
        compute: &Compute,
    ) -> Result<Self> {
        let layer = |n: u32| -> Result<Layer> {
            let part = |part: &str| format!("{tower}.layers.{n}.{part}");
            let (heads, causal) = (shape.heads, shape.causal);
            Ok(Layer {
                norm1: LayerNorm::load(source, &part("norm1"), shape.eps, compute)?,
                attention: SelfAttention::load(source, &part("attention"), heads, causal, compute)?,
                norm2: LayerNorm::load(source, &part("norm2"), shape.eps, compute)?,
                mlp: FeedForward::load(source, &part("mlp"), shape.activation, compute)?,
            })
        };
        (0..shape.layers)
            .map(layer)
            .collect::<Result<_>>()
            .map(Self)
    }

    /// `[1, n, d]` to the rows that are read of each sequence in it, `[1, m, d]`; with a batch of `b`, `[b, n, d]`
    /// to `[b, m, d]`.
    pub(super) fn forward(
        &self,
        mut x: Tensor<3>,
        sequences: &Sequences,
        cancel: &Cancel,
    ) -> Result<Tensor<3>> {
        let rows = sequences.wanted();
        let last = self.0.len() - 1;
        for (at, layer) in self.0.iter().enumerate() {
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

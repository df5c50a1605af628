//! The text tower.

use burn::tensor::{Device, Tensor, TensorData};

use super::layer::Layers;
use crate::cancel::Cancel;
use crate::device::Compute;
use crate::error::Result;
#[cfg(feature = "train")]
use crate::layers::select;
use crate::layers::{LayerNorm, Linear, Sequences};
use crate::source::Source;
use crate::stack::{Order, Shape};
use crate::weights::{ClipConfig, Weights};

/// The `eos_token_id` of the configurations that were published before it was used for pooling. The
/// text is then read at the largest id, which in CLIP's vocabulary is the end-of-text token.
const POOL_AT_LARGEST: u32 = 2;

#[derive(Debug)]
pub(crate) struct TextTower {
    width: usize,
    eos_token_id: u32,
    layers: Layers,
    norm: LayerNorm,
    projection: Linear,
}

impl TextTower {
    pub(crate) fn load(
        source: &impl Source,
        config: &ClipConfig,
        compute: &Compute,
    ) -> Result<Self> {
        let text = &config.text;
        let shape = Shape {
            width: text.hidden_size as usize,
            heads: text.num_attention_heads as usize,
            between: text.intermediate_size as usize,
            activation: text.hidden_act,
            eps: text.layer_norm_eps,
            causal: true,
            order: Order::PreNorm,
            longest: text.max_position_embeddings as usize,
        };
        Ok(Self {
            width: text.hidden_size as usize,
            eos_token_id: text.eos_token_id,
            layers: Layers::load(source, ("text", text.num_hidden_layers), &shape, compute)?,
            norm: LayerNorm::load(source, "text.norm", shape.eps, compute)?,
            projection: Linear::load_projection(source, "text.projection", compute)?,
        })
    }

    /// Token + position, `[n, d]`. The rows are gathered from the map.
    pub(super) fn embed(&self, weights: &Weights, ids: &[u32]) -> Result<Vec<f32>> {
        let positions: Vec<u32> = (0..ids.len() as u32).collect();
        let mut sum = weights.rows("text.embeddings.token", ids)?;
        let position = weights.rows("text.embeddings.position", &positions)?;
        for (x, p) in sum.iter_mut().zip(position) {
            *x += p;
        }
        Ok(sum)
    }

    /// The feature of one text, `[1, dim]`, before it is normalized. Padding to `rows` comes after the text, which sees
    /// nothing of it.
    pub(super) fn forward(
        &self,
        mut embeddings: Vec<f32>,
        ids: &[u32],
        rows: usize,
        device: &Device,
        cancel: &Cancel,
    ) -> Result<Tensor<2>> {
        let d = self.width;
        embeddings.resize(rows * d, 0.0);
        let data = TensorData::new(embeddings, [1, rows, d]);
        let x = Tensor::<3>::from_data(data, device);
        let at = pooled_at(ids, self.eos_token_id);
        let sequences = Sequences::new([(rows, vec![at])]);
        let x = self.layers.forward(x, &sequences, cancel)?.reshape([1, d]);
        Ok(self.projection.forward(self.norm.forward(x)))
    }

    /// The features of texts, `[b, dim]`, before they are normalized, with embeddings that are trained. Padding comes after
    /// each text.
    #[cfg(feature = "train")]
    pub(crate) fn forward_batch(
        &self,
        source: &impl Source,
        texts: &[&[u32]],
        compute: &Compute,
        cancel: &Cancel,
    ) -> Result<Tensor<2>> {
        let (b, d, device) = (texts.len(), self.width, compute.device());
        let n = texts.iter().map(|ids| ids.len()).max().unwrap_or(0);
        let padded = texts.iter().flat_map(|ids| {
            let last = ids.last().copied().unwrap_or(0);
            ids.iter()
                .copied()
                .chain(std::iter::repeat_n(last, n - ids.len()))
        });
        let padded: Vec<usize> = padded.map(|id| id as usize).collect();
        let tokens = source.tensor::<2>("text.embeddings.token", device)?;
        let tokens = select(tokens.unsqueeze(), &padded).reshape([b, n, d]);
        let positions = source.tensor::<2>("text.embeddings.position", device)?;
        let x = tokens + positions.narrow(0, 0, n).reshape([1, n, d]);
        let x = self
            .layers
            .forward(x, &Sequences::new([(n, (0..n).collect())]), cancel)?;
        let read = texts.iter().enumerate();
        let read = read.map(|(at, ids)| at * n + pooled_at(ids, self.eos_token_id));
        let x = select(x.reshape([1, b * n, d]), &read.collect::<Vec<_>>());
        Ok(self
            .projection
            .forward(self.norm.forward(x.reshape([b, d]))))
    }
}

/// The place at which the text is read.
fn pooled_at(ids: &[u32], eos_token_id: u32) -> usize {
    let wanted = match eos_token_id {
        POOL_AT_LARGEST => ids.iter().copied().max(),
        id => Some(id),
    };
    // Where the id does not occur, `transformers` reads the first place.
    let place = wanted.and_then(|wanted| ids.iter().position(|&id| id == wanted));
    place.unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_text_is_read_where_the_configuration_says() {
        let ids = [49406, 320, 2, 49407, 49407];
        assert_eq!(pooled_at(&ids, 49407), 3);
        assert_eq!(pooled_at(&ids, 2), 3);
        assert_eq!(pooled_at(&ids, 320), 1);
        assert_eq!(pooled_at(&ids, 7), 0);
    }
}

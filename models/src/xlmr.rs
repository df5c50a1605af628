//! The XLM-R encoder (Conneau et al. 2020), which is RoBERTa: a post-norm transformer.

use burn::tensor::{Bool, Tensor, TensorData};

use crate::cancel::Cancel;
use crate::device::Compute;
use crate::error::{Error, Result};
use crate::gpu::padding_mask;
use crate::layers::{FeedForward, LayerNorm, SelfAttention};
use crate::weights::{Weights, XlmrConfig};

/// An XLM-R encoder on a device.
///
/// The tables of embeddings are not: the rows of one input are gathered from the map, summed on the
/// host and uploaded, 2 MB for 512 ids of XLM-R-large where the table has 1 GB.
#[derive(Debug)]
pub struct Encoder {
    weights: Weights,
    config: XlmrConfig,
    compute: Compute,
    norm: LayerNorm,
    layers: Vec<Layer>,
}

#[derive(Debug)]
struct Layer {
    attention: SelfAttention,
    attention_norm: LayerNorm,
    ffn: FeedForward,
    ffn_norm: LayerNorm,
}

/// The hidden states of the last layer, `[n, d]`, on the device. On a GPU more rows follow: the sequence
/// is padded to one of a few lengths.
#[derive(Clone, Debug)]
pub struct Hidden {
    states: Tensor<2>,
    n: usize,
}

impl Encoder {
    /// Uploads the weights of all layers.
    ///
    /// # Errors
    /// Of kind `Model` where the file holds no XLM-R; of kind `File` where the weights are damaged; of
    /// kind `Device` where they do not fit.
    pub fn load(weights: &Weights, compute: &Compute) -> Result<Self> {
        let Some(config) = weights.meta().xlmr().cloned() else {
            let message = format!(
                "expected an XLM-R, got a model of kind {}",
                weights.meta().kind
            );
            return Err(Error::model(weights.container().path(), message));
        };
        compute.run(|| {
            let eps = config.layer_norm_eps;
            let norm = LayerNorm::load(weights, "embeddings.norm", eps, compute)?;
            let layers = (0..config.num_hidden_layers)
                .map(|n| Layer::load(weights, &format!("layers.{n}"), &config, compute))
                .collect::<Result<_>>()?;
            Ok(Self {
                weights: weights.clone(),
                config: config.clone(),
                compute: compute.clone(),
                norm,
                layers,
            })
        })
    }

    /// The encoder's hyper-parameters.
    pub fn config(&self) -> &XlmrConfig {
        &self.config
    }

    /// Encodes one input of 1 to L ids. `cancel` is looked at before each layer.
    ///
    /// # Errors
    /// Of kind `Input` where there are too many ids or one is not in the vocabulary, `Cancelled`, and
    /// `Device` where the device fails.
    pub fn forward(&self, ids: &[u32], cancel: &Cancel) -> Result<Hidden> {
        self.padded(ids, self.compute.rows(ids.len()), cancel)
    }

    /// The same with a sequence of `rows`, at least as many as ids.
    pub(crate) fn padded(&self, ids: &[u32], rows: usize, cancel: &Cancel) -> Result<Hidden> {
        let (n, d) = (ids.len(), self.config.hidden_size as usize);
        if n == 0 || n > self.config.max_length as usize {
            let most = self.config.max_length;
            return Err(Error::input(format!("expected 1 to {most} ids, got {n}")));
        }
        cancel.check()?;
        let mut embeddings = self.embed(ids)?;
        embeddings.resize(rows * d, 0.0);
        self.compute.run(|| {
            let device = self.compute.device();
            let heads = self.config.num_attention_heads as usize;
            let mask = padding_mask(n, rows, heads, device);
            let data = TensorData::new(embeddings, [1, rows, d]);
            let mut x = self.norm.forward(Tensor::<3>::from_data(data, device));
            for layer in &self.layers {
                cancel.check()?;
                x = layer.forward(x, mask.as_ref());
            }
            let states = x.reshape([rows, d]);
            Ok(Hidden { states, n })
        })
    }

    /// Word + token type + position, `[n, d]`, before their layer norm. Token types are all 0.
    fn embed(&self, ids: &[u32]) -> Result<Vec<f32>> {
        let positions = positions(ids, self.config.pad_token_id);
        let mut sum = self.weights.rows("embeddings.word", ids)?;
        let position = self.weights.rows("embeddings.position", &positions)?;
        let token_type = self.weights.rows("embeddings.token_type", &[0])?;
        let d = token_type.len().max(1);
        for (row, position) in sum.chunks_exact_mut(d).zip(position.chunks_exact(d)) {
            for ((x, p), t) in row.iter_mut().zip(position).zip(&token_type) {
                *x = (*x + t) + p;
            }
        }
        Ok(sum)
    }
}

impl Layer {
    fn load(weights: &Weights, name: &str, config: &XlmrConfig, compute: &Compute) -> Result<Self> {
        let eps = config.layer_norm_eps;
        let attention = format!("{name}.attention");
        let heads = config.num_attention_heads;
        Ok(Self {
            attention: SelfAttention::load(weights, &attention, heads, false, compute)?,
            attention_norm: LayerNorm::load(weights, &format!("{attention}.norm"), eps, compute)?,
            ffn: FeedForward::load(weights, &format!("{name}.ffn"), config.hidden_act, compute)?,
            ffn_norm: LayerNorm::load(weights, &format!("{name}.ffn.norm"), eps, compute)?,
        })
    }

    fn forward(&self, x: Tensor<3>, mask: Option<&Tensor<4, Bool>>) -> Tensor<3> {
        let x = self
            .attention_norm
            .forward(x.clone() + self.attention.forward(x, mask));
        self.ffn_norm.forward(x.clone() + self.ffn.forward(x))
    }
}

impl Hidden {
    /// The states as one tensor, `[n or more, d]`: padding follows the first n rows.
    pub fn tensor(&self) -> &Tensor<2> {
        &self.states
    }

    /// Reads the states back, row-major `[n, d]`.
    ///
    /// # Errors
    /// Of kind `Device`.
    pub fn to_vec(&self) -> Result<Vec<f32>> {
        let mut states = read(self.states.clone())?;
        states.truncate(self.n * self.states.dims()[1]);
        Ok(states)
    }
}

/// The positions of ids, as RoBERTa counts them: from the padding id plus 1, while padding itself (which a
/// text can hold, as the literal `<pad>`) stands at the padding id and is not counted.
fn positions(ids: &[u32], pad: u32) -> Vec<u32> {
    let mut last = pad;
    let place = |&id| {
        if id == pad {
            return pad;
        }
        last += 1;
        last
    };
    ids.iter().map(place).collect()
}

/// Reads a tensor back to the host, row-major.
pub(crate) fn read<const D: usize>(tensor: Tensor<D>) -> Result<Vec<f32>> {
    tensor
        .try_into_vec_as::<f32>()
        .map_err(|error| Error::device(format!("the device failed: {error}")))
}

#[cfg(test)]
mod tests {
    use super::positions;

    /// What `create_position_ids_from_input_ids` of transformers gives.
    #[test]
    fn padding_in_a_text_is_not_counted() {
        assert_eq!(positions(&[0, 7, 1, 8, 1, 2], 1), [2, 3, 1, 4, 1, 5]);
        assert_eq!(positions(&[0, 7, 2], 1), [2, 3, 4]);
    }
}

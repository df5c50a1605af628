//! The XLM-R encoder (Conneau et al. 2020), which is RoBERTa: a post-norm transformer.

use burn::tensor::{Tensor, TensorData};

use crate::cancel::Cancel;
use crate::device::Compute;
use crate::error::{Error, Result};
use crate::gpu::padding_mask;
use crate::layers::{FeedForward, LayerNorm, SelfAttention, Sequences, select};
use crate::source::Source;
use crate::stack;
use crate::weights::{Weights, XlmrConfig};

/// An XLM-R encoder on a device.
///
/// The table of words is not: the rows of one input are gathered from the map, 2 MB for 512 ids of XLM-R-large where the table has 1 GB.
/// Positions are added on the host, or by our own kernels on a GPU.
#[derive(Debug)]
pub struct Encoder {
    weights: Weights,
    config: XlmrConfig,
    compute: Compute,
    layers: Layers,
}

/// Where the layers are.
#[derive(Debug)]
enum Layers {
    Burn(Box<Stack>),
    /// On a GPU, by our own kernels.
    Ours(stack::Stack),
}

/// What runs on the device: the norm of the embeddings, and the layers.
#[derive(Debug)]
pub(crate) struct Stack {
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

/// Hidden states of the last layer, `[rows, d]`, on the device.
#[derive(Clone, Debug)]
pub struct Hidden(Tensor<2>);

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
            Ok(Self {
                weights: weights.clone(),
                config: config.clone(),
                compute: compute.clone(),
                layers: Layers::load(weights, &config, compute)?,
            })
        })
    }

    /// The encoder's hyper-parameters.
    pub fn config(&self) -> &XlmrConfig {
        &self.config
    }

    /// Encodes one input of 1 to L ids: all hidden states, `[n, d]`. `cancel` is looked at before each layer, or
    /// by our kernels on a GPU, where all layers are one call, before the pass.
    ///
    /// # Errors
    /// Of kind `Input` where there are too many ids or one is not in the vocabulary, `Cancelled`, and
    /// `Device` where the device fails.
    pub fn forward(&self, ids: &[u32], cancel: &Cancel) -> Result<Hidden> {
        let all = (0..ids.len()).collect();
        self.forward_rows(&[(ids, all)], cancel)
    }

    /// Encodes some inputs of 1 to L ids each, one after the other without padding, and gives the hidden states
    /// that are asked for: of each input the rows with these numbers, ascending; `[rows of all inputs, d]`.
    ///
    /// # Errors
    /// As [`forward`](Self::forward); of kind `Input` too where a row is not one of its input.
    pub fn forward_rows(&self, inputs: &[(&[u32], Vec<usize>)], cancel: &Cancel) -> Result<Hidden> {
        let (most, d) = (
            self.config.max_length as usize,
            self.config.hidden_size as usize,
        );
        for (ids, rows) in inputs {
            let n = ids.len();
            if n == 0 || n > most {
                return Err(Error::input(format!("expected 1 to {most} ids, got {n}")));
            }
            let ascending = rows.windows(2).all(|pair| pair[0] < pair[1]);
            if !ascending || rows.last().is_some_and(|&row| row >= n) {
                let message = format!("expected rows below {n}, ascending, got {rows:?}");
                return Err(Error::input(message));
            }
        }
        let stack = match &self.layers {
            Layers::Burn(stack) => stack,
            Layers::Ours(stack) => {
                return self.compute.run(|| self.on_gpu(stack, inputs, cancel));
            }
        };
        if self.compute.kernels().is_some() {
            let mut embeddings = Vec::new();
            for (ids, _) in inputs {
                cancel.check()?;
                embeddings.append(&mut self.embed(ids)?);
            }
            let sequences = (inputs.iter()).map(|(ids, rows)| (ids.len(), rows.clone()));
            return self.layers(stack, embeddings, Sequences::new(sequences), cancel);
        }
        // A GPU has a kernel for each of a few lengths: one input at a time, padded.
        let each = inputs.iter().map(|(ids, rows)| {
            let padded = self.compute.rows(ids.len());
            Ok(self.padded(stack, ids, rows.clone(), padded, cancel)?.0)
        });
        let each = each.collect::<Result<Vec<_>>>()?;
        Ok(Hidden(match each.len() {
            0 => Tensor::zeros([0, d], self.compute.device()),
            _ => Tensor::cat(each, 0),
        }))
    }

    /// One input as a sequence of `padded` rows, at least as many as ids.
    fn padded(
        &self,
        stack: &Stack,
        ids: &[u32],
        rows: Vec<usize>,
        padded: usize,
        cancel: &Cancel,
    ) -> Result<Hidden> {
        let (n, d) = (ids.len(), self.config.hidden_size as usize);
        cancel.check()?;
        let mut embeddings = self.embed(ids)?;
        embeddings.resize(padded * d, 0.0);
        let heads = self.config.num_attention_heads as usize;
        let mask = padding_mask(n, padded, heads, self.compute.device());
        self.layers(
            stack,
            embeddings,
            Sequences::new([(padded, rows)]).masked(mask),
            cancel,
        )
    }

    /// The same of one input, padded to `padded` rows as for a GPU.
    #[cfg(test)]
    pub(crate) fn forward_padded(&self, ids: &[u32], padded: usize) -> Result<Hidden> {
        match &self.layers {
            Layers::Burn(stack) => {
                let all = (0..ids.len()).collect();
                self.padded(stack, ids, all, padded, &Cancel::new())
            }
            Layers::Ours(_) => Err(Error::device("not Burn's".to_owned())),
        }
    }

    /// One input after the other. The rows of its words go up, and what is asked for comes back to the host, where pooling and head are
    /// computed.
    fn on_gpu(
        &self,
        stack: &stack::Stack,
        inputs: &[(&[u32], Vec<usize>)],
        cancel: &Cancel,
    ) -> Result<Hidden> {
        let d = self.config.hidden_size as usize;
        let count: usize = inputs.iter().map(|(_, rows)| rows.len()).sum();
        let mut states = Vec::with_capacity(count * d);
        for (ids, rows) in inputs {
            cancel.check()?;
            let positions = positions(ids, self.config.pad_token_id);
            stack.forward(stack::Given::Ids(ids, &positions), rows, &mut states)?;
        }
        let states = TensorData::new(states, [count, d]);
        Ok(Hidden(Tensor::from_data(states, self.compute.device())))
    }

    /// Runs packed sequences through the layers and gives the rows that are asked for.
    fn layers(
        &self,
        stack: &Stack,
        embeddings: Vec<f32>,
        sequences: Sequences,
        cancel: &Cancel,
    ) -> Result<Hidden> {
        let d = self.config.hidden_size as usize;
        let n = embeddings.len() / d;
        self.compute.run_awake(|| {
            let device = self.compute.device();
            let wanted = sequences.wanted();
            if wanted.is_empty() {
                return Ok(Hidden(Tensor::zeros([0, d], device)));
            }
            let data = TensorData::new(embeddings, [1, n, d]);
            let embeddings = stack.normalize(Tensor::from_data(data, device));
            // Nothing follows the last layer but what is read: other rows are left out. (A GPU would need
            // kernels for one more shape, and waits for nothing.)
            let leaves_out = wanted.len() < n && self.compute.kernels().is_some();
            let only = leaves_out.then_some(&wanted[..]);
            let mut x = stack.forward(embeddings, only, &sequences, cancel)?;
            if wanted.len() < x.dims()[1] {
                x = select(x, &wanted);
            }
            // Not by a reshape, to which no rows would mean the old number.
            Ok(Hidden(x.flatten(0, 1)))
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

impl Layers {
    fn load(weights: &Weights, config: &XlmrConfig, compute: &Compute) -> Result<Self> {
        if let Some(driver) = compute.driver() {
            let shape = stack::Shape {
                width: config.hidden_size as usize,
                heads: config.num_attention_heads as usize,
                between: config.intermediate_size as usize,
                activation: config.hidden_act,
                eps: config.layer_norm_eps,
                causal: false,
                order: stack::Order::PostNorm,
                longest: config.max_length as usize,
            };
            let names = (0..config.num_hidden_layers).map(|n| {
                let part = |part: &str| format!("layers.{n}.{part}");
                stack::Names {
                    attention: part("attention"),
                    attention_norm: part("attention.norm"),
                    feed_forward: part("ffn"),
                    feed_forward_norm: part("ffn.norm"),
                }
            });
            let front = Some("embeddings");
            let stack = stack::Stack::load(driver, weights, shape, front, names)?;
            return Ok(Self::Ours(stack));
        }
        Ok(Self::Burn(Box::new(Stack::load(weights, config, compute)?)))
    }
}

impl Stack {
    pub(crate) fn load(
        source: &impl Source,
        config: &XlmrConfig,
        compute: &Compute,
    ) -> Result<Self> {
        let eps = config.layer_norm_eps;
        let layers = (0..config.num_hidden_layers)
            .map(|n| Layer::load(source, &format!("layers.{n}"), config, compute))
            .collect::<Result<_>>()?;
        Ok(Self {
            norm: LayerNorm::load(source, "embeddings.norm", eps, compute)?,
            layers,
        })
    }

    /// Normalizes summed embeddings, `[b, n, d]`.
    pub(crate) fn normalize(&self, embeddings: Tensor<3>) -> Tensor<3> {
        self.norm.forward(embeddings)
    }

    /// From normalized embeddings `[b, n, d]` to hidden states; of the last layer only the rows `only`, where not all
    /// are asked for. `cancel` is looked at before each layer.
    pub(crate) fn forward(
        &self,
        mut x: Tensor<3>,
        only: Option<&[usize]>,
        sequences: &Sequences,
        cancel: &Cancel,
    ) -> Result<Tensor<3>> {
        let last = self.layers.len() - 1;
        for (at, layer) in self.layers.iter().enumerate() {
            cancel.check()?;
            x = layer.forward(x, only.filter(|_| at == last), sequences);
        }
        Ok(x)
    }
}

impl Layer {
    fn load(
        source: &impl Source,
        name: &str,
        config: &XlmrConfig,
        compute: &Compute,
    ) -> Result<Self> {
        let eps = config.layer_norm_eps;
        let attention = format!("{name}.attention");
        let heads = config.num_attention_heads;
        Ok(Self {
            attention: SelfAttention::load(source, &attention, heads, false, compute)?,
            attention_norm: LayerNorm::load(source, &format!("{attention}.norm"), eps, compute)?,
            ffn: FeedForward::load(source, &format!("{name}.ffn"), config.hidden_act, compute)?,
            ffn_norm: LayerNorm::load(source, &format!("{name}.ffn.norm"), eps, compute)?,
        })
    }

    /// `only`: the rows that go on, where not all do.
    fn forward(&self, x: Tensor<3>, only: Option<&[usize]>, sequences: &Sequences) -> Tensor<3> {
        let queries = only.map(|rows| select(x.clone(), rows));
        let norm = Some(&self.attention_norm);
        let x = self.attention.forward(x, queries, sequences, norm);
        self.ffn.forward(x, Some(&self.ffn_norm))
    }
}

impl Hidden {
    /// The states as one tensor, `[rows, d]`.
    pub fn tensor(&self) -> &Tensor<2> {
        &self.0
    }

    /// The same of states that nobody else has.
    ///
    /// # Errors
    /// As [`to_vec`](Self::to_vec).
    pub fn into_vec(self) -> Result<Vec<f32>> {
        read(self.0)
    }

    /// Reads the states back, row-major `[rows, d]`.
    ///
    /// # Errors
    /// Of kind `Device`.
    pub fn to_vec(&self) -> Result<Vec<f32>> {
        read(self.0.clone())
    }
}

/// The positions of ids, as RoBERTa counts them: from the padding id plus 1, while padding itself (which a
/// text can hold, as the literal `<pad>`) stands at the padding id and is not counted.
pub(crate) fn positions(ids: &[u32], pad: u32) -> Vec<u32> {
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

//! The losses of an expert.

use std::ops::Range;

use burn::tensor::{Bool, Device, Int, Tensor, TensorData, activation};

use super::crf::{Chain, Emissions};
use super::optimizer::Loss;
use super::parameters::{Parameters, Trained};
use crate::cancel::Cancel;
use crate::error::{Error, Result};
use crate::expert::{HEAD_NORM_EPS, joined, pool, units};
use crate::input::Input;
use crate::layers::{LayerNorm, Linear, Sequences, dropped};
use crate::source::Source;
use crate::weights::{ModelKind, XlmrConfig};
use crate::xlmr::{Stack, positions};

/// A sentence with what it should be answered.
#[derive(Clone, Debug)]
pub struct Example {
    /// What the encoder sees.
    pub input: Input,
    /// The same without contexts, for the cross-view loss.
    pub plain: Option<Input>,
    /// The label of each word that fits; of a pair of spans its one relation.
    pub gold: Vec<usize>,
}

/// What an expert is trained on: the mean over the sentences of a batch of
///
/// * −log P(y | x) of the CRF, or that of the relation (where an expert for entities has no CRF: the cross-entropy of a word,
///   the mean over all words of the batch); and
/// * `cross_view` times the Kullback-Leibler divergence from the distribution seen with contexts, which is not changed by
///   it, to that of the same sentence without, summed over its words (MoRe §2.4; Wang et al., "Improving named entity recognition by external
///   context retrieving and cooperative learning", ACL 2021, equation 9). With a CRF the distributions are its posteriors,
///   word by word.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct ExpertLoss {
    /// The probability with which an element behind the embeddings and behind each block of a layer is set to 0.
    pub dropout: f64,
    /// The probability with which all of a word's representation is.
    pub word_dropout: f64,
    /// How much the cross-view loss counts. 0 leaves it out, and the plain inputs are not run.
    pub cross_view: f64,
    /// The temperature of both distributions in it, whose square it is multiplied by (Hinton et al. 2015).
    pub temperature: f64,
}

/// Distributions over labels, in logarithms, and how many rows each sentence has.
struct Distributions {
    /// `[b, w, t]`.
    log: Tensor<3>,
    lengths: Vec<usize>,
}

impl ExpertLoss {
    /// The loss over a batch. `seed` decides what is dropped.
    ///
    /// # Errors
    /// Of kind `Input` where the batch is empty, an example has no units or labels that do not fit them; of kind `Device`.
    pub fn of(
        &self,
        parameters: &Parameters,
        batch: &[&Example],
        seed: u64,
        cancel: &Cancel,
    ) -> Result<Loss> {
        let meta = parameters.meta();
        let Some(config) = meta.xlmr() else {
            return Err(Error::input(format!(
                "expected an expert, got a {}",
                meta.kind
            )));
        };
        let t = meta.labels.len();
        if batch.is_empty() {
            return Err(Error::input(
                "expected a batch with an example in it".to_owned(),
            ));
        }
        for example in batch {
            let wanted = match meta.kind {
                ModelKind::Re => usize::from(example.input.markers.is_some()),
                _ => example.input.words.len(),
            };
            let fits = wanted > 0
                && example.gold.len() == wanted
                && example.gold.iter().all(|&label| label < t);
            if !fits {
                let message = format!("expected {wanted} labels below {t}, got {:?}", example.gold);
                return Err(Error::input(message));
            }
        }
        parameters.compute().run(|| {
            let model = Model {
                config,
                kind: meta.kind,
                labels: t,
                source: parameters.source(self.dropout),
                device: parameters.differentiable().device().clone(),
                loss: self,
                parameters,
            };
            model.device.seed(seed);
            let golds: Vec<&[usize]> = batch.iter().map(|example| &example.gold[..]).collect();
            let inputs: Vec<&Input> = batch.iter().map(|example| &example.input).collect();
            let emissions = model.emissions(&inputs, cancel)?;
            let chain = model.chain()?;
            let loss = model.likelihood(&emissions, chain.as_ref(), &golds);
            let plain: Vec<&Input> = batch.iter().filter_map(|e| e.plain.as_ref()).collect();
            if self.cross_view <= 0.0 || plain.len() != batch.len() {
                return Ok(Loss(loss));
            }
            let teacher = model.distributions(&emissions, chain.as_ref());
            let emissions = model.emissions(&plain, cancel)?;
            let student = model.distributions(&emissions, chain.as_ref());
            if teacher.lengths != student.lengths {
                let message = "a sentence has other words without its contexts than with them";
                return Err(Error::input(message.to_owned()));
            }
            let divergence = divergence(teacher, student).mul_scalar(self.temperature.powi(2));
            Ok(Loss(loss + divergence.mul_scalar(self.cross_view)))
        })
    }
}

/// Σ q (log q − log p) over words and labels, the mean over sentences. Nothing flows back to q.
fn divergence(q: Distributions, p: Distributions) -> Tensor<1> {
    let [b, w, _] = q.log.dims();
    let mask = q
        .lengths
        .iter()
        .flat_map(|&length| (0..w).map(move |word| f32::from(u8::from(word < length))));
    let mask = TensorData::new(mask.collect::<Vec<f32>>(), [b, w, 1]);
    let mask = Tensor::<3>::from_data(mask, &q.log.device());
    let q = q.log.detach();
    let each = q.clone().exp() * (q - p.log);
    (each * mask).sum().div_scalar(b as f64)
}

/// An expert, put together for one step.
struct Model<'a> {
    config: &'a XlmrConfig,
    kind: ModelKind,
    labels: usize,
    source: Trained<'a>,
    device: Device,
    loss: &'a ExpertLoss,
    parameters: &'a Parameters,
}

impl Model<'_> {
    /// What the head says of the units of each input, `[b, w, t]`.
    fn emissions(&self, inputs: &[&Input], cancel: &Cancel) -> Result<Emissions> {
        let hidden = self.hidden(inputs, cancel)?;
        let n = hidden.dims()[0] / inputs.len();
        let (mut all, mut lengths) = (Vec::new(), Vec::new());
        for (row, input) in inputs.iter().enumerate() {
            let units = units(self.kind, input);
            let moved = |unit: &Range<usize>| row * n + unit.start..row * n + unit.end;
            all.extend(units.iter().map(moved));
            lengths.push(units.len());
        }
        let mut words = pool(hidden, &all, self.config.pooling);
        if self.loss.word_dropout > 0.0 {
            let ones = Tensor::<2>::ones([all.len(), 1], &self.device);
            words = words * dropped(ones, self.loss.word_dropout);
        }
        if joined(self.kind) {
            let [rows, d] = words.dims();
            words = words.reshape([rows / 2, 2 * d]);
            lengths.fill(1);
        }
        let (source, compute) = (&self.source, self.parameters.differentiable());
        if self.config.head_norm {
            words = LayerNorm::load(source, "head.norm", HEAD_NORM_EPS, compute)?.forward(words);
        }
        let scores = Linear::load_head(source, "head", compute)?.forward(words);
        Ok(self.aligned(scores, lengths))
    }

    /// Hidden states of all rows of a padded batch, `[b · n, d]`.
    fn hidden(&self, inputs: &[&Input], cancel: &Cancel) -> Result<Tensor<2>> {
        let (b, d) = (inputs.len(), self.config.hidden_size as usize);
        let longest = inputs
            .iter()
            .map(|input| input.ids.len())
            .max()
            .unwrap_or(0);
        // A GPU compiles a kernel for each shape.
        let n = self.parameters.compute().rows(longest);
        let pad = self.config.pad_token_id;
        let (mut ids, mut places) = (Vec::new(), Vec::new());
        for input in inputs {
            let padding = n - input.ids.len();
            places.extend(positions(&input.ids, pad));
            places.extend(std::iter::repeat_n(pad, padding));
            ids.extend(&input.ids);
            ids.extend(std::iter::repeat_n(pad, padding));
        }
        if let Some(id) = ids.iter().find(|&&id| id >= self.config.vocab_size) {
            let message = format!(
                "the tokenizer gives id {id}, but the model has {} rows",
                self.config.vocab_size
            );
            return Err(Error::input(message));
        }
        let (source, device) = (&self.source, &self.device);
        let token_type = source.tensor::<2>("embeddings.token_type", device)?;
        let word = source.tensor::<2>("embeddings.word", device)?;
        let position = source.tensor::<2>("embeddings.position", device)?;
        let sum = word.select(0, indices(ids, device)) + token_type.narrow(0, 0, 1);
        let sum = sum + position.select(0, indices(places, device));
        let compute = self.parameters.differentiable();
        let stack = Stack::load(source, self.config, compute)?;
        let x = stack.normalize(sum.reshape([b, n, d]));
        let x = dropped(x, self.loss.dropout);
        let sequences = Sequences::new([]).masked(self.mask(inputs, n));
        let hidden = stack.forward(x, None, &sequences, cancel)?;
        Ok(hidden.reshape([b * n, d]))
    }

    /// Which keys are padding, `[b, heads, n, n]`.
    fn mask(&self, inputs: &[&Input], n: usize) -> Option<Tensor<4, Bool>> {
        let (b, heads) = (inputs.len(), self.config.num_attention_heads as usize);
        let masked = |input: &&Input| {
            let length = input.ids.len();
            (0..n).map(move |at| at >= length)
        };
        let masked: Vec<bool> = inputs.iter().flat_map(masked).collect();
        masked.contains(&true).then(|| {
            let keys = TensorData::new(masked, [b, 1, 1, n]);
            Tensor::<4, Bool>::from_data(keys, &self.device).expand([b, heads, n, n])
        })
    }

    /// Rows of all sentences, one after the other, as `[b, w, t]`. What belongs to no word is a copy of some row.
    fn aligned(&self, scores: Tensor<2>, lengths: Vec<usize>) -> Emissions {
        let (b, t) = (lengths.len(), self.labels);
        let w = lengths.iter().copied().max().unwrap_or(0);
        let mut start = 0_u32;
        let mut rows = Vec::with_capacity(b * w);
        for &length in &lengths {
            rows.extend((0..w as u32).map(|word| start + word.min(length as u32 - 1)));
            start += length as u32;
        }
        let scores = scores.select(0, indices(rows, &self.device));
        Emissions {
            scores: scores.reshape([b, w, t]),
            lengths,
        }
    }

    fn chain(&self) -> Result<Option<Chain>> {
        if !self.config.crf {
            return Ok(None);
        }
        let (source, device) = (&self.source, &self.device);
        Ok(Some(Chain {
            start: source.tensor("crf.start", device)?,
            transitions: source.tensor("crf.transitions", device)?,
            end: source.tensor("crf.end", device)?,
        }))
    }

    /// The negative log-likelihood of the gold labels, the mean over sentences (without a CRF, over words).
    fn likelihood(
        &self,
        emissions: &Emissions,
        chain: Option<&Chain>,
        golds: &[&[usize]],
    ) -> Tensor<1> {
        if let Some(chain) = chain {
            return chain.negative_log_likelihood(emissions, golds).mean();
        }
        let [b, w, t] = emissions.scores.dims();
        let mut wanted = vec![0.0_f32; b * w * t];
        for (row, gold) in golds.iter().enumerate() {
            for (word, &label) in gold.iter().enumerate() {
                wanted[(row * w + word) * t + label] = 1.0;
            }
        }
        let words: usize = emissions.lengths.iter().sum();
        let wanted = Tensor::<3>::from_data(TensorData::new(wanted, [b, w, t]), &self.device);
        let log = activation::log_softmax(emissions.scores.clone(), 2);
        (log * wanted).sum().div_scalar(-(words.max(1) as f64))
    }

    fn distributions(&self, emissions: &Emissions, chain: Option<&Chain>) -> Distributions {
        let temperature = self.loss.temperature;
        let scores = emissions.scores.clone().div_scalar(temperature);
        let lengths = emissions.lengths.clone();
        let log = match chain {
            Some(chain) => chain.tempered(temperature).log_marginals(&Emissions {
                scores,
                lengths: lengths.clone(),
            }),
            None => activation::log_softmax(scores, 2),
        };
        Distributions { log, lengths }
    }
}

/// Numbers of rows, as a tensor.
pub(super) fn indices(rows: Vec<u32>, device: &Device) -> Tensor<1, Int> {
    let rows: Vec<i32> = rows.into_iter().map(|row| row as i32).collect();
    let count = rows.len();
    Tensor::from_data(TensorData::new(rows, [count]), device)
}

#[cfg(all(test, feature = "cpu"))]
mod tests;

//! An expert: an encoder with its head, from words to distributions over labels.

use std::ops::Range;
use std::time::{Duration, Instant};

use burn::tensor::{Int, Tensor, TensorData};

use crate::cancel::Cancel;
use crate::crf::{Crf, argmax, softmax};
use crate::device::Compute;
use crate::error::{Error, ErrorKind, Result};
use crate::input::Input;
use crate::layers::{LayerNorm, Linear};
use crate::tokenizer::Tokenizer;
use crate::weights::{Meta, ModelKind, Pooling, Precision, Weights, XlmrConfig};
use crate::xlmr::{Encoder, read};

mod warm_up;

pub use warm_up::WarmedUp;

/// ε of the layer norm before a head; AdaSeq leaves it at PyTorch's default.
const HEAD_NORM_EPS: f64 = 1e-5;

/// A NER or RE expert on a device.
#[derive(Debug)]
pub struct Expert {
    weights: Weights,
    compute: Compute,
    tokenizer: Tokenizer,
    encoder: Encoder,
    norm: Option<LayerNorm>,
    head: Linear,
    crf: Option<Crf>,
}

/// What a NER expert says about one sentence. Where x is truncated, the words that do not fit have no
/// rows here; their label is `O`.
#[derive(Clone, Debug, PartialEq)]
pub struct NerOutput {
    /// What the encoder saw.
    pub input: Input,
    /// `W r_i + b`, `[n, t]`.
    pub emissions: Vec<Vec<f32>>,
    /// P(y_i | x), `[n, t]`: of the CRF, or by softmax where there is none.
    pub marginals: Vec<Vec<f64>>,
    /// The most probable label of each word, `[n]`.
    pub labels: Vec<usize>,
    /// The most probable path of labels, `[n]`, where there is a CRF.
    pub viterbi: Option<Vec<usize>>,
    /// Whether words at the end of x did not fit.
    pub truncated: bool,
    /// How long it took.
    pub timings: Timings,
}

/// What an RE expert says about one pair of spans.
#[derive(Clone, Debug, PartialEq)]
pub struct ReOutput {
    /// What the encoder saw.
    pub input: Input,
    /// `M [r_<S>; r_<O>] + b`, `[t]`; empty where an opening marker did not fit, and the answer is the
    /// label for no relation.
    pub logits: Vec<f32>,
    /// Their softmax, `[t]`; empty where `logits` is.
    pub probabilities: Vec<f64>,
    /// Whether something at the end of x did not fit.
    pub truncated: bool,
    /// How long it took.
    pub timings: Timings,
}

/// How long the parts of a run took.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Timings {
    /// Putting the input together.
    pub tokenizer: Duration,
    /// The encoder and the head, until the result is on the host.
    pub encoder: Duration,
    /// The CRF, or the softmax.
    pub decoder: Duration,
}

impl Expert {
    /// Uploads an expert's weights. `shared` is the tokenizer of another expert, where it is
    /// [the same](Weights::tokenizer_hash): reading one anew costs time and memory.
    ///
    /// # Errors
    /// Of kind `Model` where the file holds no expert, `Tokenizer`, `File` where the weights are
    /// damaged, `Device`.
    pub fn load(weights: Weights, compute: &Compute, shared: Option<Tokenizer>) -> Result<Self> {
        let meta = weights.meta();
        let refuse = |message: String| Err(Error::model(weights.container().path(), message));
        let Some(config) = meta.xlmr() else {
            return refuse(format!(
                "expected an expert (ner or re), got a model of kind {}",
                meta.kind
            ));
        };
        if meta.kind == ModelKind::Encoder {
            return refuse(
                "expected an expert (ner or re), got a bare encoder: it has no head".to_owned(),
            );
        }
        let tokenizer = match shared {
            Some(tokenizer) => Some(tokenizer),
            None => weights.open_tokenizer()?,
        };
        let Some(tokenizer) = tokenizer else {
            return refuse("the expert has no tokenizer: convert it again".to_owned());
        };
        if !compute.is_gpu() {
            report_dequantized(&weights);
        }
        let encoder = Encoder::load(&weights, compute)?;
        let (norm, head) = compute.run(|| {
            let norm = config
                .head_norm
                .then(|| LayerNorm::load(&weights, "head.norm", HEAD_NORM_EPS, compute))
                .transpose()?;
            Ok((norm, Linear::load_head(&weights, "head", compute)?))
        })?;
        let crf = config.crf.then(|| load_crf(&weights)).transpose()?;
        let compute = compute.clone();
        Ok(Self {
            weights,
            compute,
            tokenizer,
            encoder,
            norm,
            head,
            crf,
        })
    }

    /// What the file says about the model.
    pub fn meta(&self) -> &Meta {
        self.weights.meta()
    }

    /// The labels in the order of every distribution.
    pub fn labels(&self) -> &[String] {
        &self.meta().labels
    }

    /// The hyper-parameters of the encoder and the head.
    pub fn config(&self) -> &XlmrConfig {
        self.encoder.config()
    }

    /// The tokenizer, to share with another expert.
    pub fn tokenizer(&self) -> &Tokenizer {
        &self.tokenizer
    }

    /// The CRF, where the expert has one.
    pub fn crf(&self) -> Option<&Crf> {
        self.crf.as_ref()
    }

    /// Labels the words of a sentence, seen with `contexts`.
    ///
    /// # Errors
    /// Of kind `Model` where this is no NER expert, `Tokenizer`, `Device`, `Cancelled`.
    pub fn ner<W: AsRef<str>, C: AsRef<str>>(
        &self,
        words: &[W],
        contexts: &[C],
        cancel: &Cancel,
    ) -> Result<NerOutput> {
        self.expect(ModelKind::Ner)?;
        let mut clock = Clock::start();
        let input = Input::ner(&self.tokenizer, self.config(), words, contexts)?;
        let tokenizer = clock.lap();
        let emissions = if input.words.is_empty() {
            Vec::new()
        } else {
            let t = self.labels().len();
            let flat = self.scores(&input, &input.words, false, cancel)?;
            flat.chunks_exact(t.max(1)).map(<[f32]>::to_vec).collect()
        };
        let encoder = clock.lap();
        let (marginals, viterbi) = match &self.crf {
            Some(crf) => (crf.marginals(&emissions)?, Some(crf.viterbi(&emissions)?)),
            None => (emissions.iter().map(|row| softmax(row)).collect(), None),
        };
        let labels = marginals
            .iter()
            .map(|row| argmax(row.iter().copied()))
            .collect();
        let timings = Timings {
            tokenizer,
            encoder,
            decoder: clock.lap(),
        };
        let truncated = input.truncated;
        Ok(NerOutput {
            input,
            emissions,
            marginals,
            labels,
            viterbi,
            truncated,
            timings,
        })
    }

    /// Classifies the relation between two spans of words, seen with `contexts`.
    ///
    /// # Errors
    /// Of kind `Model` where this is no RE expert, `Input` where a span is empty or outside the words,
    /// `Tokenizer`, `Device`, `Cancelled`.
    pub fn re<W: AsRef<str>, C: AsRef<str>>(
        &self,
        words: &[W],
        subject: Range<usize>,
        object: Range<usize>,
        contexts: &[C],
        cancel: &Cancel,
    ) -> Result<ReOutput> {
        self.expect(ModelKind::Re)?;
        let mut clock = Clock::start();
        let input = Input::re(
            &self.tokenizer,
            self.config(),
            words,
            subject,
            object,
            contexts,
        )?;
        let tokenizer = clock.lap();
        let logits = match &input.markers {
            Some(markers) => self.scores(&input, markers, true, cancel)?,
            None => Vec::new(),
        };
        let encoder = clock.lap();
        let probabilities = if logits.is_empty() {
            Vec::new()
        } else {
            softmax(&logits)
        };
        let timings = Timings {
            tokenizer,
            encoder,
            decoder: clock.lap(),
        };
        let truncated = input.truncated;
        Ok(ReOutput {
            input,
            logits,
            probabilities,
            truncated,
            timings,
        })
    }

    /// The head over the representations of `units` (words or markers): one row of scores for each, or,
    /// `joined`, one row for all of them side by side.
    fn scores(
        &self,
        input: &Input,
        units: &[Range<usize>],
        joined: bool,
        cancel: &Cancel,
    ) -> Result<Vec<f32>> {
        let mut scores = self.compute.run_alone(|| {
            let hidden = self.encoder.forward(&input.ids, cancel)?;
            cancel.check()?;
            // On a GPU as many rows as the sequence has: then the head's shape, too, is one of a few.
            let rows = match joined || !self.compute.is_gpu() {
                true => units.len(),
                false => self.compute.rows(input.ids.len()).max(units.len()),
            };
            let mut pooled = pool(hidden.tensor(), units, rows, self.config().pooling);
            if joined {
                let [rows, d] = pooled.dims();
                pooled = pooled.reshape([1, rows * d]);
            }
            if let Some(norm) = &self.norm {
                pooled = norm.forward(pooled);
            }
            read(self.head.forward(pooled))
        })?;
        let rows = if joined { 1 } else { units.len() };
        scores.truncate(rows * self.labels().len());
        if scores.len() != rows * self.labels().len()
            || scores.iter().any(|score| !score.is_finite())
        {
            // Finite weights cannot do this; damaged ones, which are not hashed at every start, can.
            let path = self.weights.container().path().display();
            let kind = match self.compute.info().used.as_str() {
                "cpu" => ErrorKind::Model,
                _ => ErrorKind::Device,
            };
            return Err(Error::new(
                kind,
                format!(
                    "{path}: the scores are not finite numbers: the weights are damaged (check them with \
                     `morelet verify`) or {} computes wrongly",
                    self.compute.info().used
                ),
            ));
        }
        Ok(scores)
    }

    fn expect(&self, kind: ModelKind) -> Result<()> {
        if self.meta().kind == kind {
            return Ok(());
        }
        let message = format!(
            "expected an expert of kind {kind}, got {}",
            self.meta().kind
        );
        Err(Error::model(self.weights.container().path(), message))
    }
}

/// The representation of each unit, `[rows, d]`, from the hidden states: those of the units first, then whatever
/// fills the rows.
fn pool(hidden: &Tensor<2>, units: &[Range<usize>], rows: usize, pooling: Pooling) -> Tensor<2> {
    let device = hidden.device();
    let select = |mut ids: Vec<i32>| {
        ids.resize(rows, 0);
        let ids = Tensor::<1, Int>::from_data(TensorData::new(ids, [rows]), &device);
        hidden.clone().select(0, ids)
    };
    match pooling {
        Pooling::First => select(units.iter().map(|unit| unit.start as i32).collect()),
        Pooling::Last => select(units.iter().map(|unit| (unit.end - 1) as i32).collect()),
        Pooling::Mean => {
            let n = hidden.dims()[0];
            let mut mean = vec![0.0_f32; rows * n];
            for (row, unit) in mean.chunks_exact_mut(n).zip(units) {
                row[unit.clone()].fill(1.0 / unit.len() as f32);
            }
            let mean = Tensor::<2>::from_data(TensorData::new(mean, [rows, n]), &device);
            mean.matmul(hidden.clone())
        }
    }
}

fn load_crf(weights: &Weights) -> Result<Crf> {
    let (start, end) = (weights.f32s("crf.start")?, weights.f32s("crf.end")?);
    Crf::new(&start, &weights.f32s("crf.transitions")?, &end).ok_or_else(|| {
        let message = "crf: expected finite scores; check the file with `morelet verify`";
        Error::model(weights.container().path(), message)
    })
}

/// Says in the log what is unpacked when the session starts, on the CPU.
fn report_dequantized(weights: &Weights) {
    let packed = |tensor: &&crate::weights::TensorInfo| {
        tensor.precision != Precision::F32 && !tensor.name.starts_with("embeddings.")
    };
    let tensors = weights.tensors().iter().filter(packed).count();
    if tensors > 0 {
        tracing::info!(
            file = %weights.container().path().display(),
            tensors,
            "dequantized to f32 as the session starts"
        );
    }
}

/// Measures consecutive parts of a run.
struct Clock(Instant);

impl Clock {
    fn start() -> Self {
        Self(Instant::now())
    }

    fn lap(&mut self) -> Duration {
        let now = Instant::now();
        let lap = now - self.0;
        self.0 = now;
        lap
    }
}

#[cfg(all(test, feature = "cpu"))]
mod tests;

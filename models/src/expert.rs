//! An expert: an encoder with its head, from words to distributions over labels.

mod batch;
mod pooling;

use std::ops::Range;
use std::time::{Duration, Instant};

use self::batch::Scored;
use crate::cancel::Cancel;
use crate::crf::{Crf, argmax, softmax};
use crate::device::Compute;
use crate::error::{Error, Result};
use crate::input::Input;
use crate::layers::{LayerNorm, Linear};
use crate::tokenizer::Tokenizer;
use crate::weights::{Layout, Meta, ModelKind, Weights, XlmrConfig, has_panels};
use crate::xlmr::Encoder;

mod warm_up;

#[cfg(feature = "train")]
pub(crate) use self::batch::{joined, units};
#[cfg(feature = "train")]
pub(crate) use self::pooling::pool;
pub use warm_up::WarmedUp;

/// ε of the layer norm before a head; AdaSeq leaves it at PyTorch's default.
pub(crate) const HEAD_NORM_EPS: f64 = 1e-5;

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

/// A sentence for a NER expert.
#[derive(Clone, Copy, Debug)]
pub struct NerQuery<'a, W, C> {
    /// The words x.
    pub words: &'a [W],
    /// What it is seen with.
    pub contexts: &'a [C],
}

/// Two spans of a sentence for an RE expert.
#[derive(Clone, Debug)]
pub struct ReQuery<'a, W, C> {
    /// The words x.
    pub words: &'a [W],
    /// Words of x, end exclusive.
    pub subject: Range<usize>,
    /// Words of x, end exclusive.
    pub object: Range<usize>,
    /// What it is seen with.
    pub contexts: &'a [C],
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
    /// The encoder and the head, until the result is on the host. Of a pass over several inputs, the part
    /// of its ids.
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
            report_packed(&weights);
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
        let query = NerQuery { words, contexts };
        // A batch of one has one answer.
        self.ner_batch(&[query], cancel).swap_remove(0)
    }

    /// Labels any number of sentences. On the CPU short ones share a pass of the encoder; each gets the answer
    /// that it would get alone.
    ///
    /// # Errors
    /// For each sentence as [`ner`](Self::ner); where a pass fails, all that share it do.
    pub fn ner_batch<W: AsRef<str>, C: AsRef<str>>(
        &self,
        queries: &[NerQuery<'_, W, C>],
        cancel: &Cancel,
    ) -> Vec<Result<NerOutput>> {
        let (tokenizer, config) = (&self.tokenizer, self.config());
        let prepare =
            |query: &NerQuery<'_, W, C>| Input::ner(tokenizer, config, query.words, query.contexts);
        let scored = self.scored(ModelKind::Ner, queries, prepare, cancel);
        scored
            .into_iter()
            .map(|scored| self.labelled(scored?))
            .collect()
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
        let query = ReQuery {
            words,
            subject,
            object,
            contexts,
        };
        // A batch of one has one answer.
        self.re_batch(&[query], cancel).swap_remove(0)
    }

    /// Classifies any number of pairs of spans. On the CPU short ones share a pass of the encoder; each gets
    /// the answer that it would get alone.
    ///
    /// # Errors
    /// For each pair as [`re`](Self::re); where a pass fails, all that share it do.
    pub fn re_batch<W: AsRef<str>, C: AsRef<str>>(
        &self,
        queries: &[ReQuery<'_, W, C>],
        cancel: &Cancel,
    ) -> Vec<Result<ReOutput>> {
        let (tokenizer, config) = (&self.tokenizer, self.config());
        let prepare = |query: &ReQuery<'_, W, C>| {
            let (subject, object) = (query.subject.clone(), query.object.clone());
            Input::re(
                tokenizer,
                config,
                query.words,
                subject,
                object,
                query.contexts,
            )
        };
        let scored = self.scored(ModelKind::Re, queries, prepare, cancel);
        scored
            .into_iter()
            .map(|scored| Ok(classified(scored?)))
            .collect()
    }

    /// From emissions to labels.
    fn labelled(&self, scored: Scored) -> Result<NerOutput> {
        let mut clock = Clock::start();
        let Scored {
            input,
            scores,
            mut timings,
        } = scored;
        let rows = scores.chunks_exact(self.labels().len().max(1));
        let emissions: Vec<Vec<f32>> = rows.map(<[f32]>::to_vec).collect();
        let (marginals, viterbi) = match &self.crf {
            Some(crf) => (crf.marginals(&emissions)?, Some(crf.viterbi(&emissions)?)),
            None => (emissions.iter().map(|row| softmax(row)).collect(), None),
        };
        let labels = marginals
            .iter()
            .map(|row| argmax(row.iter().copied()))
            .collect();
        timings.decoder = clock.lap();
        Ok(NerOutput {
            truncated: input.truncated,
            input,
            emissions,
            marginals,
            labels,
            viterbi,
            timings,
        })
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

/// From logits to probabilities.
fn classified(scored: Scored) -> ReOutput {
    let mut clock = Clock::start();
    let Scored {
        input,
        scores: logits,
        mut timings,
    } = scored;
    let probabilities = if logits.is_empty() {
        Vec::new()
    } else {
        softmax(&logits)
    };
    timings.decoder = clock.lap();
    ReOutput {
        truncated: input.truncated,
        input,
        logits,
        probabilities,
        timings,
    }
}

fn load_crf(weights: &Weights) -> Result<Crf> {
    let (start, end) = (weights.f32s("crf.start")?, weights.f32s("crf.end")?);
    Crf::new(&start, &weights.f32s("crf.transitions")?, &end).ok_or_else(|| {
        let message = "crf: expected finite scores; check the file with `morelet verify`";
        Error::model(weights.container().path(), message)
    })
}

/// Says in the log what is packed when the session starts, because the file has not been laid out for the CPU.
fn report_packed(weights: &Weights) {
    let packed = |tensor: &&crate::weights::TensorInfo| {
        has_panels(&tensor.name) && tensor.stored(Layout::Panels).is_none()
    };
    let tensors = weights.tensors().iter().filter(packed).count();
    if tensors > 0 {
        tracing::info!(
            file = %weights.container().path().display(),
            tensors,
            "packed into memory as the session starts; `morelet-convert model --target cpu` saves that"
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

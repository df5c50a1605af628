//! What a training starts from.

use crate::checkpoint::Checkpoint;
use crate::plan::{Plan, Wishes};
use crate::random::Random;
use crate::{Console, Error, Result};
use morelet_models::Tokenizer;
use morelet_models::device::Compute;
use morelet_models::train::Parameters;
use morelet_models::weights::{Architecture, Meta, ModelKind};
use std::collections::HashMap;
use std::path::Path;

/// A model before its training: what it is, and the tensors that it has already.
pub(crate) struct Start {
    pub(crate) meta: Meta,
    /// The bytes of `tokenizer.json`.
    pub(crate) tokenizer: Vec<u8>,
    values: HashMap<String, Vec<f32>>,
}

impl Start {
    /// An expert for `labels` over the encoder of a checkpoint. Its head is kept too where it is for the same task and the
    /// same labels; else it is drawn at random.
    ///
    /// # Errors
    /// Of kind `Input` where the checkpoint has no XLM-R, or is damaged.
    pub(crate) fn from_checkpoint(
        path: &Path,
        kind: ModelKind,
        labels: &[String],
        crf: bool,
        max_length: Option<u32>,
        console: &Console,
    ) -> Result<Self> {
        let checkpoint = Checkpoint::open(path)?;
        let wishes = Wishes {
            max_length,
            ignore_extra: true,
            ..Wishes::default()
        };
        let same = Plan::new(
            &checkpoint,
            &Wishes {
                kind: Some(kind),
                ..wishes.clone()
            },
            console,
        );
        let has_head = |plan: &Plan<'_>| {
            let has_crf = plan.meta.xlmr().is_some_and(|config| config.crf);
            plan.meta.labels == labels && (kind != ModelKind::Ner || has_crf == crf)
        };
        let plan = match same.ok().filter(has_head) {
            Some(plan) => plan,
            None => {
                console
                    .say("the head is drawn at random: the checkpoint has none for these labels");
                let kind = Some(ModelKind::Encoder);
                Plan::new(&checkpoint, &Wishes { kind, ..wishes }, console)?
            }
        };
        let mut start = Self::read(plan, console)?;
        let meta = &mut start.meta;
        if let Architecture::Xlmr(config) = &mut meta.architecture {
            config.crf = crf && kind == ModelKind::Ner;
            // A checkpoint says how long an input may be by the positions that it has.
            let positions = config.max_length + config.pad_token_id + 1;
            if positions < config.max_position_embeddings {
                config.max_position_embeddings = positions;
                if let Some(values) = start.values.get_mut("embeddings.position") {
                    values.truncate(positions as usize * config.hidden_size as usize);
                }
            }
        }
        meta.kind = kind;
        meta.labels = labels.to_vec();
        Ok(start)
    }

    /// All of a checkpoint.
    ///
    /// # Errors
    /// Of kind `Input` where it is damaged, or has no tokenizer.
    pub(crate) fn read(plan: Plan<'_>, console: &Console) -> Result<Self> {
        let Some(tokenizer) = plan.tokenizer else {
            return Err(Error::input("the checkpoint has no tokenizer"));
        };
        let mut values = HashMap::new();
        for (name, tensor) in &plan.tensors {
            let all: &mut Vec<f32> = values.entry(name.clone()).or_default();
            tensor.values(&mut |chunk| {
                all.extend_from_slice(chunk);
                console.check()
            })?;
        }
        let mut meta = plan.meta;
        meta.quantization = "f32".to_owned();
        Ok(Self {
            meta,
            tokenizer: tokenizer.json,
            values,
        })
    }

    /// A model whose every tensor is drawn at random.
    pub(crate) fn of(mut meta: Meta, tokenizer: Vec<u8>) -> Self {
        meta.quantization = "f32".to_owned();
        Self {
            meta,
            tokenizer,
            values: HashMap::new(),
        }
    }

    /// The tokenizer, read.
    pub(crate) fn open_tokenizer(&self) -> Result<Tokenizer> {
        Ok(Tokenizer::new(&self.tokenizer)?)
    }

    /// The parameters on a device. What the model has not is drawn by `seed`.
    pub(crate) fn parameters(&mut self, compute: &Compute, seed: u64) -> Result<Parameters> {
        let problems = self.meta.problems();
        if !problems.is_empty() {
            let message = format!("the model cannot be: {}", problems.join("; "));
            return Err(Error::usage(message));
        }
        let mut random = Random::new(seed);
        let values = &mut self.values;
        Parameters::new(self.meta.clone(), compute, |name, shape| {
            // Drawn in any case: what is drawn for one tensor does not depend on what others are known.
            let drawn = drawn(name, shape, &mut random);
            Ok::<_, Error>(values.remove(name).unwrap_or(drawn))
        })
    }
}

/// The values that a tensor starts with: normal with variance 2 / 5d for the d inputs of a matrix, which for a large model
/// is the usual 0.02 (Nguyen and Salazar, "Transformers without tears", 2019); layer norms that change nothing; no biases;
/// a CRF as `pytorch-crf` starts it.
fn drawn(name: &str, shape: &[u64], random: &mut Random) -> Vec<f32> {
    let count = shape.iter().product::<u64>() as usize;
    if name.starts_with("crf.") {
        return (0..count).map(|_| 0.2 * random.uniform() - 0.1).collect();
    }
    if name.ends_with("bias") {
        return vec![0.0; count];
    }
    if name.contains("norm") {
        return vec![1.0; count];
    }
    let width = match shape {
        [d] => *d,
        [_, rest @ ..] => rest.iter().product(),
        [] => 1,
    };
    let deviation = (2.0 / (5.0 * width.max(1) as f32)).sqrt();
    (0..count).map(|_| deviation * random.normal()).collect()
}

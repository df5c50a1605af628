//! A session: the models of a bundle on a device, ready to answer.

use crate::cache::Cache;
use crate::prefault::prefault;
use crate::query::Query;
use crate::{Bundle, Effort, ImageEffort, Prediction, Result, pipeline};
use morelet_indices::ImageSearchOptions;
use morelet_models::device::{Compute, ComputeOptions, ComputeType, DeviceInfo, DeviceRequest};
use morelet_models::{Cancel, Clip, Expert, Gate};
use serde::Serialize;
use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// Told what is being done, how much of it is done, and how much there is.
pub type Progress = Arc<dyn Fn(&str, u64, u64) + Send + Sync>;

/// How to start a session.
#[derive(Clone, Default)]
pub struct SessionOptions {
    /// The device: by default CUDA, then a real GPU by wgpu, then the CPU.
    pub device: DeviceRequest,
    /// The number of threads that compute on the CPU: by default one for each processor.
    pub threads: Option<usize>,
    /// What a GPU multiplies in: by default `f16` where it has that and answers rightly, else `bf16`, else `f32`. One that cannot
    /// compute in the type named here does not serve.
    pub precision: Option<ComputeType>,
    /// How hard text retrieval tries: by default it misses nothing.
    pub effort: Effort,
    /// How hard image retrieval tries. A recall that the bundle's index was not measured to reach is an error when the session
    /// starts.
    pub image_effort: ImageEffort,
    /// Whether to read what the image index searches, all but its values, before the session is ready, so that the first
    /// searches need not wait for the disk. Memory that others need more is taken back by the system all the same.
    pub prefault: bool,
    /// How many sentences and how many pictures the session remembers: what was retrieved for them, and CLIP's features. By
    /// default none. Answers are the same; a module that was not needed has no entry in
    /// [`timings_us`](crate::Prediction::timings_us). An entry takes the size of its contexts, some tens of kilobytes.
    pub cache: Option<usize>,
    /// Told about each model that is loaded.
    pub progress: Option<Progress>,
}

impl fmt::Debug for SessionOptions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SessionOptions")
            .field("device", &self.device)
            .field("threads", &self.threads)
            .field("precision", &self.precision)
            .field("effort", &self.effort)
            .field("image_effort", &self.image_effort)
            .field("prefault", &self.prefault)
            .field("cache", &self.cache)
            .finish_non_exhaustive()
    }
}

/// How much an answer tells.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub enum Detail {
    /// The answer.
    #[default]
    Answer,
    /// Each expert's labels, Viterbi path and contexts too.
    Labels,
    /// Everything: input ids, emissions, marginals or logits, the mixture, the gate by label, CLIP's features. CLIP
    /// runs wherever the bundle has one, whether or not the answer needs it.
    Full,
}

/// How to answer.
#[derive(Clone, Default)]
pub struct RunOptions {
    /// How much the answer tells.
    pub detail: Detail,
    /// Stops the run between layers; by our own kernels on a GPU, between passes.
    pub cancel: Cancel,
    /// Told about each query of a batch.
    pub progress: Option<Progress>,
}

impl fmt::Debug for RunOptions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RunOptions")
            .field("detail", &self.detail)
            .field("cancel", &self.cancel)
            .finish_non_exhaustive()
    }
}

/// What serves a session, for people and records.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct SessionInfo {
    /// The device, and why not another.
    pub device: DeviceInfo,
    /// The models that were loaded.
    pub models: Vec<ModelInfo>,
}

/// One model of a session.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct ModelInfo {
    /// The expert's name, `clip`, or `gate`.
    pub name: String,
    /// Its file in the bundle.
    pub file: String,
    /// How it was quantized.
    pub quantization: String,
    /// The hash over its source checkpoint.
    pub identity: String,
}

/// The models of a bundle on a device. Clones share them; answering takes `&self`, from any number of threads.
///
/// On the CPU the work is done by a pool of threads that belongs to the session and ends with its last clone. On a GPU the
/// passes of several threads take turns.
#[derive(Clone)]
pub struct Session(pub(crate) Arc<Inner>);

pub(crate) struct Inner {
    pub bundle: Bundle,
    pub compute: Compute,
    pub experts: Vec<Expert>,
    pub gate: Option<Gate>,
    pub clip: Option<Clip>,
    pub effort: Effort,
    /// What the image effort means for the bundle's index.
    pub image_search: ImageSearchOptions<'static>,
    pub cache: Option<Cache>,
    info: SessionInfo,
    turns: Mutex<()>,
}

impl Session {
    pub(crate) fn new(bundle: &Bundle, options: &SessionOptions) -> Result<Self> {
        let _span =
            tracing::debug_span!("session", bundle = %bundle.directory().display()).entered();
        // What cannot be done is told before models are loaded.
        let read = bundle.image_index().filter(|_| bundle.reads_image_index());
        let image_search = match read {
            Some(index) => options.image_effort.options(index)?,
            None => ImageSearchOptions::default(),
        };
        let models = (bundle.experts().iter())
            .chain(bundle.clip())
            .map(|weights| weights.meta());
        let options_of_device = ComputeOptions {
            device: options.device,
            threads: options.threads,
            precision: options.precision,
            tuning: Some(bundle.tuning_file()).filter(|file| file.is_file()),
            burn_alone: false,
        };
        let compute = Compute::for_models(&options_of_device, models)?;
        tracing::debug!(device = ?compute.info(), "device");
        let names = bundle
            .manifest()
            .experts
            .iter()
            .map(|expert| expert.name.as_str());
        let all = names
            .zip(bundle.experts())
            .chain(bundle.gate().map(|gate| ("gate", gate)));
        let all = all.chain(bundle.clip().map(|clip| ("clip", clip)));
        let models: Vec<ModelInfo> = all
            .map(|(name, weights)| ModelInfo {
                name: name.to_owned(),
                file: file_name(weights.container().path()),
                quantization: weights.meta().quantization.clone(),
                identity: weights.meta().identity.clone(),
            })
            .collect();
        let total = models.len() as u64;
        let tell = |done: usize| {
            if let (Some(progress), Some(model)) = (&options.progress, models.get(done)) {
                progress(&model.name, done as u64, total);
            }
        };
        let mut experts: Vec<Expert> = Vec::new();
        for (i, weights) in bundle.experts().iter().enumerate() {
            tell(i);
            // Experts with equal tokenizers share one.
            let equal = |other: &usize| {
                bundle.experts()[*other].tokenizer_hash() == weights.tokenizer_hash()
            };
            let shared = (0..i)
                .find(equal)
                .map(|other| experts[other].tokenizer().clone());
            experts.push(Expert::load(weights.clone(), &compute, shared)?);
        }
        let gate = bundle.gate().cloned().map(Gate::load).transpose()?;
        let clip = match bundle.clip() {
            Some(weights) => {
                tell(models.len() - 1);
                Some(Clip::load(weights.clone(), &compute)?)
            }
            None => None,
        };
        if let Some(index) = read.filter(|_| options.prefault) {
            prefault(index)?;
        }
        let info = SessionInfo {
            device: compute.info().clone(),
            models,
        };
        if let Some(progress) = &options.progress {
            progress("ready", total, total);
        }
        Ok(Self(Arc::new(Inner {
            bundle: bundle.clone(),
            compute,
            experts,
            gate,
            clip,
            effort: options.effort,
            image_search,
            cache: options.cache.filter(|&entries| entries > 0).map(Cache::new),
            info,
            turns: Mutex::new(()),
        })))
    }

    /// Answers one query.
    ///
    /// # Errors
    /// `Input` where the query does not fit the bundle, a picture cannot be read, or no expert can run; `Device`.
    pub fn predict(&self, query: &Query) -> Result<Prediction> {
        self.predict_with(query, &RunOptions::default())
    }

    /// Answers one query, with as much detail as the options ask for; their handle stops the run.
    ///
    /// # Errors
    /// As [`predict`](Self::predict), and `Cancelled`.
    pub fn predict_with(&self, query: &Query, options: &RunOptions) -> Result<Prediction> {
        let _span = tracing::debug_span!("predict", id = %query.id).entered();
        told(query, pipeline::predict(&self.0, query, options))
    }

    /// Answers any number of queries, in their order. Each gets the answer that it would get alone. They go through the models
    /// together, some at a time: on the CPU short inputs share a pass of an expert, without padding; on a GPU only
    /// retrieval and decoding are shared out. A query that fails does not stop the others, except that once
    /// cancelled the rest are `Cancelled`. Progress comes in steps of the queries that went together.
    pub fn predict_batch(
        &self,
        queries: &[Query],
        options: &RunOptions,
    ) -> Vec<Result<Prediction>> {
        let _span = tracing::debug_span!("predict_batch", queries = queries.len()).entered();
        let total = queries.len() as u64;
        let answers = pipeline::predict_batch(&self.0, queries, options, |done| {
            if let Some(progress) = &options.progress {
                progress("predict", done as u64, total);
            }
        });
        let answers = queries.iter().zip(answers);
        answers.map(|(query, answer)| told(query, answer)).collect()
    }

    /// What serves the session.
    pub fn info(&self) -> &SessionInfo {
        &self.0.info
    }

    /// The models themselves, for measuring one at a time.
    #[cfg(feature = "cli")]
    pub(crate) fn inner(&self) -> &Inner {
        &self.0
    }

    /// The bundle that the session answers from.
    pub fn bundle(&self) -> &Bundle {
        &self.0.bundle
    }
}

impl fmt::Debug for Session {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Session").field(&self.0.info).finish()
    }
}

impl Inner {
    /// Whether the device is the CPU, where passes share a pool of threads.
    pub(crate) fn is_cpu(&self) -> bool {
        self.compute.info().threads.is_some()
    }

    /// A pass's turn on a GPU; on the CPU nobody waits.
    pub(crate) fn turn(&self) -> Option<MutexGuard<'_, ()>> {
        (!self.is_cpu()).then(|| self.turns.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

/// An error that is the query's fault names its line.
fn told(query: &Query, result: Result<Prediction>) -> Result<Prediction> {
    result.map_err(|error| match error.kind() {
        crate::ErrorKind::Input => error.of_query(query),
        _ => error,
    })
}

fn file_name(path: &std::path::Path) -> String {
    path.file_name()
        .unwrap_or_default()
        .to_string_lossy()
        .into_owned()
}

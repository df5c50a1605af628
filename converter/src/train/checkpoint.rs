//! A trained model as other programs have it.

use super::tensors::Tensors;
use crate::names::Naming;
use crate::{Error, Result};
use morelet_mapped::{AtomicDir, write_file_atomically};
use morelet_models::weights::{Architecture, ClipConfig, Meta, ModelKind, Resample, XlmrConfig};
use serde_json::{Value, json};
use std::collections::HashMap;
use std::path::Path;

/// What every checkpoint has, and marks its directory.
const CONFIG: &str = "config.json";

/// A checkpoint, to be written.
pub(crate) struct Trained<'a> {
    pub(crate) meta: &'a Meta,
    /// The bytes of `tokenizer.json`.
    pub(crate) tokenizer: &'a [u8],
    /// Name, shape and values of every tensor, by our names.
    pub(crate) tensors: Vec<(String, Vec<u64>, Vec<f32>)>,
    /// A line of JSON for each epoch.
    pub(crate) metrics: &'a [Value],
    /// How it was trained, for people.
    pub(crate) training: Value,
}

/// Refuses a target that holds something else than a checkpoint, before hours are spent on what cannot be written there.
pub(crate) fn check_target(directory: &Path) -> Result<()> {
    Ok(AtomicDir::replace(directory, CONFIG).map(drop)?)
}

impl Trained<'_> {
    /// Writes the directory whole or not at all: an expert as AdaSeq lays it out, CLIP as `transformers` does. A checkpoint
    /// that is there already is replaced; another directory is not.
    ///
    /// # Errors
    /// Of kind `Io`; of kind `Input` where the directory holds something else.
    pub(crate) fn write(&self, directory: &Path) -> Result<()> {
        let folder = AtomicDir::replace(directory, CONFIG)?;
        let at = |name: &str| folder.path().join(name);
        let (naming, config) = match &self.meta.architecture {
            Architecture::Xlmr(config) => {
                let prefix = match self.meta.kind {
                    ModelKind::Encoder => "",
                    _ => "embedder.transformer_model.",
                };
                (Naming::Xlmr(prefix, "linear"), expert(config))
            }
            Architecture::Clip(config) => {
                write(&at("preprocessor_config.json"), &preprocessor(config))?;
                (Naming::Clip, clip(config))
            }
            Architecture::Gate(_) => return Err(Error::input("a gate is one file")),
        };
        if !self.meta.labels.is_empty() {
            write(&at("labels.json"), &json!(self.meta.labels))?;
        }
        write_file_atomically(at("tokenizer.json"), self.tokenizer)?;
        let lines = self.metrics.iter().map(|line| format!("{line}\n"));
        write_file_atomically(at("metrics.jsonl"), lines.collect::<String>().as_bytes())?;
        write(&at("training.json"), &self.training)?;
        let mut tensors = Tensors::default();
        for (name, shape, values) in &self.tensors {
            tensors.add(naming.source(name), shape, values);
        }
        tensors.write(&at("model.safetensors"), HashMap::new())?;
        write(&at(CONFIG), &config)?;
        Ok(folder.commit()?)
    }
}

fn write(path: &Path, value: &Value) -> Result<()> {
    Ok(write_file_atomically(
        path,
        format!("{value:#}\n").as_bytes(),
    )?)
}

/// The keys of `XLMRobertaConfig`.
fn expert(config: &XlmrConfig) -> Value {
    json!({
        "model_type": "xlm-roberta",
        "vocab_size": config.vocab_size,
        "hidden_size": config.hidden_size,
        "num_hidden_layers": config.num_hidden_layers,
        "num_attention_heads": config.num_attention_heads,
        "intermediate_size": config.intermediate_size,
        "max_position_embeddings": config.max_position_embeddings,
        "type_vocab_size": config.type_vocab_size,
        "hidden_act": config.hidden_act,
        "layer_norm_eps": config.layer_norm_eps,
        "bos_token_id": config.bos_token_id,
        "pad_token_id": config.pad_token_id,
        "eos_token_id": config.eos_token_id,
    })
}

/// The keys of `CLIPConfig`.
fn clip(config: &ClipConfig) -> Value {
    let (text, vision) = (&config.text, &config.vision);
    json!({
        "model_type": "clip",
        "projection_dim": config.projection_dim,
        "text_config": {
            "vocab_size": text.vocab_size,
            "hidden_size": text.hidden_size,
            "num_hidden_layers": text.num_hidden_layers,
            "num_attention_heads": text.num_attention_heads,
            "intermediate_size": text.intermediate_size,
            "max_position_embeddings": text.max_position_embeddings,
            "hidden_act": text.hidden_act,
            "layer_norm_eps": text.layer_norm_eps,
            "bos_token_id": text.bos_token_id,
            "eos_token_id": text.eos_token_id,
        },
        "vision_config": {
            "hidden_size": vision.hidden_size,
            "num_hidden_layers": vision.num_hidden_layers,
            "num_attention_heads": vision.num_attention_heads,
            "intermediate_size": vision.intermediate_size,
            "image_size": vision.image_size,
            "patch_size": vision.patch_size,
            "hidden_act": vision.hidden_act,
            "layer_norm_eps": vision.layer_norm_eps,
        },
    })
}

/// The keys of `CLIPImageProcessor`.
fn preprocessor(config: &ClipConfig) -> Value {
    let preprocess = &config.preprocess;
    let filters = [
        Resample::Nearest,
        Resample::Lanczos,
        Resample::Bilinear,
        Resample::Bicubic,
        Resample::Box,
        Resample::Hamming,
    ];
    let resample = filters
        .iter()
        .position(|filter| *filter == preprocess.resample);
    json!({
        "do_resize": true, "size": {"shortest_edge": preprocess.resize}, "resample": resample,
        "do_center_crop": true,
        "crop_size": {"height": preprocess.crop, "width": preprocess.crop},
        "do_normalize": true, "image_mean": preprocess.mean, "image_std": preprocess.std,
    })
}

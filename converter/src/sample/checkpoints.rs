//! Checkpoints with random weights, small enough to be made in a second.

use super::vocabulary;
use super::write_file;
use crate::random::Random;
use crate::{Error, Result};
use safetensors::Dtype;
use safetensors::tensor::TensorView;
use serde_json::{Value, json};
use std::path::Path;

/// Entities as the paper's data sets have them.
const LABELS: [&str; 9] = [
    "O", "B-LOC", "I-LOC", "B-MISC", "I-MISC", "B-ORG", "I-ORG", "B-PER", "I-PER",
];

/// Width of the experts' hidden states.
const HIDDEN: usize = 64;
/// Width of the hidden states of CLIP's towers, and of the space in which they meet.
const TOWER: usize = 48;
const PROJECTION: usize = 32;
const LAYERS: usize = 2;
const HEADS: usize = 4;
/// Most ids of an input: an expert's, and CLIP's.
const MAX_LENGTH: usize = 192;
const CLIP_LENGTH: usize = 77;
/// Sides of CLIP's picture and of its patches, in pixels.
const PICTURE: usize = 224;
const PATCH: usize = 32;
/// Merges of CLIP's tokenizer.
const MERGES: usize = 400;

/// Writes two experts, CLIP and a gate; their tokenizers know the words of `text`.
pub fn write(directory: &Path, text: &str) -> Result<()> {
    write_expert(&directory.join("expert-text"), 1, text)?;
    write_expert(&directory.join("expert-image"), 2, text)?;
    write_clip(&directory.join("clip"), 3, text)?;
    let mut gate = Tensors::new(4);
    gate.linear("", LABELS.len(), 2 * PROJECTION);
    gate.save(&directory.join("gate.safetensors"))
}

/// An expert as AdaSeq saves it.
fn write_expert(directory: &Path, seed: u64, text: &str) -> Result<()> {
    let (tokenizer, pieces) = vocabulary::unigram(text);
    let config = json!({
        "model_type": "xlm-roberta", "vocab_size": pieces, "hidden_size": HIDDEN, "num_hidden_layers": LAYERS,
        "num_attention_heads": HEADS, "intermediate_size": 2 * HIDDEN, "max_position_embeddings": MAX_LENGTH + 2,
        "type_vocab_size": 1, "hidden_act": "gelu", "layer_norm_eps": 1e-5,
        "bos_token_id": 0, "pad_token_id": 1, "eos_token_id": 2,
    });
    let mut tensors = Tensors::new(seed);
    let name = |rest: &str| format!("embedder.transformer_model.{rest}");
    tensors.normal(
        &name("embeddings.word_embeddings.weight"),
        &[pieces, HIDDEN],
        1.0,
    );
    tensors.normal(
        &name("embeddings.position_embeddings.weight"),
        &[MAX_LENGTH + 2, HIDDEN],
        0.1,
    );
    tensors.normal(
        &name("embeddings.token_type_embeddings.weight"),
        &[1, HIDDEN],
        0.1,
    );
    tensors.norm(&name("embeddings.LayerNorm"), HIDDEN);
    for layer in 0..LAYERS {
        let name = |rest: &str| name(&format!("encoder.layer.{layer}.{rest}"));
        for matrix in ["self.query", "self.key", "self.value", "output.dense"] {
            tensors.linear(&name(&format!("attention.{matrix}.")), HIDDEN, HIDDEN);
        }
        tensors.norm(&name("attention.output.LayerNorm"), HIDDEN);
        tensors.linear(&name("intermediate.dense."), 2 * HIDDEN, HIDDEN);
        tensors.linear(&name("output.dense."), HIDDEN, 2 * HIDDEN);
        tensors.norm(&name("output.LayerNorm"), HIDDEN);
    }
    let t = LABELS.len();
    tensors.normal("linear.weight", &[t, HIDDEN], 0.5);
    tensors.add(
        "linear.bias",
        &[t],
        LABELS
            .map(|label| if label == "O" { 4.0 } else { 0.0 })
            .into(),
    );
    tensors.normal("crf.start_transitions", &[t], 0.1);
    tensors.normal("crf.end_transitions", &[t], 0.1);
    let transitions = LABELS
        .iter()
        .flat_map(|from| LABELS.iter().map(|to| transition(from, to)));
    tensors.add("crf.transitions", &[t, t], transitions.collect());
    write_json(&directory.join("config.json"), &config)?;
    write_json(&directory.join("labels.json"), &json!(LABELS))?;
    write_json(&directory.join("tokenizer.json"), &tokenizer)?;
    tensors.save(&directory.join("model.safetensors"))
}

/// An entity goes on only as what it began as: the one thing that these weights know.
fn transition(from: &str, to: &str) -> f32 {
    match to.strip_prefix("I-") {
        Some(kind) if from.ends_with(kind) => 1.0,
        Some(_) => -8.0,
        None => 0.0,
    }
}

/// CLIP as `transformers` saves it.
fn write_clip(directory: &Path, seed: u64, text: &str) -> Result<()> {
    let (vocabulary, merges) = vocabulary::bpe(text, MERGES);
    let pieces = vocabulary.as_object().map_or(0, serde_json::Map::len);
    let tower = json!({
        "hidden_size": TOWER, "num_hidden_layers": LAYERS, "num_attention_heads": HEADS, "intermediate_size": 2 * TOWER,
        "hidden_act": "quick_gelu", "layer_norm_eps": 1e-5,
    });
    let with = |more: Value| {
        let mut tower = tower.clone();
        if let (Some(all), Value::Object(more)) = (tower.as_object_mut(), more) {
            all.extend(more);
        }
        tower
    };
    let config = json!({
        "model_type": "clip", "projection_dim": PROJECTION,
        "text_config": with(json!({
            "vocab_size": pieces, "max_position_embeddings": CLIP_LENGTH, "bos_token_id": pieces - 2, "eos_token_id": pieces - 1,
        })),
        "vision_config": with(json!({"image_size": PICTURE, "patch_size": PATCH})),
    });
    let preprocessor = json!({
        "do_resize": true, "size": {"shortest_edge": PICTURE}, "resample": 3,
        "do_center_crop": true, "crop_size": {"height": PICTURE, "width": PICTURE}, "do_normalize": true,
        "image_mean": [0.5, 0.5, 0.5], "image_std": [0.25, 0.25, 0.25],
    });
    let mut tensors = Tensors::new(seed);
    tensors.normal(
        "text_model.embeddings.token_embedding.weight",
        &[pieces, TOWER],
        1.0,
    );
    tensors.normal(
        "text_model.embeddings.position_embedding.weight",
        &[CLIP_LENGTH, TOWER],
        0.1,
    );
    tensors.tower("text_model.encoder");
    tensors.norm("text_model.final_layer_norm", TOWER);
    tensors.normal("text_projection.weight", &[PROJECTION, TOWER], 0.2);
    let patches = (PICTURE / PATCH) * (PICTURE / PATCH);
    tensors.normal("vision_model.embeddings.class_embedding", &[TOWER], 0.1);
    tensors.normal(
        "vision_model.embeddings.patch_embedding.weight",
        &[TOWER, 3, PATCH, PATCH],
        0.02,
    );
    tensors.normal(
        "vision_model.embeddings.position_embedding.weight",
        &[patches + 1, TOWER],
        0.1,
    );
    tensors.norm("vision_model.pre_layrnorm", TOWER);
    tensors.tower("vision_model.encoder");
    tensors.norm("vision_model.post_layernorm", TOWER);
    tensors.normal("visual_projection.weight", &[PROJECTION, TOWER], 0.2);
    write_json(&directory.join("config.json"), &config)?;
    write_json(&directory.join("preprocessor_config.json"), &preprocessor)?;
    write_json(&directory.join("vocab.json"), &vocabulary)?;
    write_file(&directory.join("merges.txt"), merges)?;
    tensors.save(&directory.join("model.safetensors"))
}

fn write_json(path: &Path, value: &Value) -> Result<()> {
    write_file(path, value.to_string())
}

/// Tensors of a checkpoint, as little-endian floats.
struct Tensors {
    random: Random,
    tensors: Vec<(String, Vec<usize>, Vec<u8>)>,
}

impl Tensors {
    fn new(seed: u64) -> Self {
        Self {
            random: Random::new(seed),
            tensors: Vec::new(),
        }
    }

    fn add(&mut self, name: &str, shape: &[usize], values: Vec<f32>) {
        let bytes = values.into_iter().flat_map(f32::to_le_bytes).collect();
        self.tensors
            .push((name.to_owned(), shape.to_owned(), bytes));
    }

    /// Normal values around 0.
    fn normal(&mut self, name: &str, shape: &[usize], deviation: f32) {
        let count = shape.iter().product();
        let values = (0..count)
            .map(|_| deviation * self.random.normal())
            .collect();
        self.add(name, shape, values);
    }

    /// `weight` and `bias` of a linear layer, which keeps the size of what passes through it.
    fn linear(&mut self, prefix: &str, outputs: usize, inputs: usize) {
        self.normal(
            &format!("{prefix}weight"),
            &[outputs, inputs],
            (inputs as f32).sqrt().recip(),
        );
        self.add(&format!("{prefix}bias"), &[outputs], vec![0.0; outputs]);
    }

    /// A layer norm.
    fn norm(&mut self, prefix: &str, width: usize) {
        self.add(&format!("{prefix}.weight"), &[width], vec![1.0; width]);
        self.add(&format!("{prefix}.bias"), &[width], vec![0.0; width]);
    }

    /// The layers of one of CLIP's towers.
    fn tower(&mut self, prefix: &str) {
        for layer in 0..LAYERS {
            let name = |rest: &str| format!("{prefix}.layers.{layer}.{rest}");
            for matrix in ["q_proj", "k_proj", "v_proj", "out_proj"] {
                self.linear(&name(&format!("self_attn.{matrix}.")), TOWER, TOWER);
            }
            self.norm(&name("layer_norm1"), TOWER);
            self.linear(&name("mlp.fc1."), 2 * TOWER, TOWER);
            self.linear(&name("mlp.fc2."), TOWER, 2 * TOWER);
            self.norm(&name("layer_norm2"), TOWER);
        }
    }

    fn save(&self, path: &Path) -> Result<()> {
        let fail = |error: safetensors::SafeTensorError| Error::input(error.to_string()).at(path);
        let mut views = Vec::new();
        for (name, shape, bytes) in &self.tensors {
            views.push((
                name,
                TensorView::new(Dtype::F32, shape.clone(), bytes).map_err(fail)?,
            ));
        }
        let file = safetensors::serialize(views, None).map_err(fail)?;
        write_file(path, file)
    }
}

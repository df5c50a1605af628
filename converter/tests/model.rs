//! `morelet-convert model` on checkpoints that torch and transformers wrote (`tests/data/make.py`), and on
//! the same ones with something wrong.

use clap::Parser as _;
use morelet_convert::{Cli, Console, Error, run};
use morelet_mapped::OpenOptions;
use morelet_models::weights::{Architecture, ModelKind, Pooling, Precision, Weights};
use serde_json::Value;
use std::path::{Path, PathBuf};
use tempfile::TempDir;

fn data(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("tests/data")
        .join(name)
}

/// A checkpoint made of some files of one directory of the data, perhaps under other names.
struct Made(TempDir);

impl Made {
    fn of(from: &str, files: &[(&str, &str)]) -> Self {
        let made = Self(tempfile::tempdir().unwrap());
        for (source, target) in files {
            std::fs::copy(data(from).join(source), made.path().join(target)).unwrap();
        }
        made
    }

    /// An NER model whose weights are in one file of `ner/`.
    fn ner(weights: &str, name: &str) -> Self {
        Self::of(
            "ner",
            &[
                ("config.json", "config.json"),
                ("labels.json", "labels.json"),
                ("tokenizer.json", "tokenizer.json"),
                (weights, name),
            ],
        )
    }

    /// A whole directory of the data.
    fn all(from: &str) -> Self {
        let names: Vec<String> = std::fs::read_dir(data(from))
            .unwrap()
            .map(|entry| entry.unwrap().file_name().into_string().unwrap())
            .collect();
        let files: Vec<_> = names
            .iter()
            .map(|name| (name.as_str(), name.as_str()))
            .collect();
        Self::of(from, &files)
    }

    fn path(&self) -> &Path {
        self.0.path()
    }

    fn write(self, name: &str, text: &str) -> Self {
        std::fs::write(self.path().join(name), text).unwrap();
        self
    }

    fn remove(self, name: &str) -> Self {
        std::fs::remove_file(self.path().join(name)).unwrap();
        self
    }

    /// Changes keys of config.json; `null` removes one.
    fn config(self, changes: Value) -> Self {
        let path = self.path().join("config.json");
        let mut config: Value = serde_json::from_slice(&std::fs::read(&path).unwrap()).unwrap();
        for (key, value) in changes.as_object().unwrap() {
            if value.is_null() {
                config.as_object_mut().unwrap().remove(key);
            } else {
                config[key] = value.clone();
            }
        }
        self.write("config.json", &config.to_string())
    }

    fn convert(&self, options: &[&str]) -> Result<Weights, Error> {
        convert(self.path(), options)
    }

    fn refusal(&self, options: &[&str]) -> Error {
        self.convert(options).unwrap_err()
    }
}

fn convert(checkpoint: &Path, options: &[&str]) -> Result<Weights, Error> {
    let output = tempfile::tempdir().unwrap();
    let output = output.path().join("out.weights");
    let (checkpoint, path) = (checkpoint.to_str().unwrap(), output.to_str().unwrap());
    let arguments = ["morelet-convert", "model", checkpoint, "-o", path];
    let cli = Cli::try_parse_from(arguments.iter().chain(options)).unwrap();
    let result = run(&cli.command, &Console::quiet());
    if result.is_err() {
        let left = std::fs::read_dir(output.parent().unwrap()).unwrap().count();
        assert_eq!(left, 0, "a failed conversion leaves nothing behind");
    }
    result.map(|()| {
        let options = OpenOptions {
            load: morelet_mapped::Load::Copy,
            ..OpenOptions::default()
        };
        Weights::open(&output, options).unwrap()
    })
}

/// Numbers of one tensor as the safetensors crate reads them.
fn reference(file: &Path, tensor: &str) -> (Vec<u64>, Vec<f32>) {
    let bytes = std::fs::read(file).unwrap();
    let file = safetensors::SafeTensors::deserialize(&bytes).unwrap();
    let tensor = file.tensor(tensor).unwrap();
    let values = tensor
        .data()
        .as_chunks()
        .0
        .iter()
        .map(|bytes| f32::from_le_bytes(*bytes));
    (
        tensor.shape().iter().map(|side| *side as u64).collect(),
        values.collect(),
    )
}

fn assert_same(weights: &Weights, name: &str, file: &Path, source: &str) {
    let (shape, values) = reference(file, source);
    let info = weights.tensors().iter().find(|tensor| tensor.name == name);
    assert_eq!(
        info.unwrap_or_else(|| panic!("{name}")).shape,
        shape,
        "{name}"
    );
    assert_eq!(weights.f32s(name).unwrap(), values, "{name}");
}

#[test]
fn every_packing_of_a_checkpoint_gives_the_same_model() {
    let safe = Made::ner("model.safetensors", "model.safetensors")
        .convert(&[])
        .unwrap();
    let index = |kind: &str| format!("ner/{kind}.index.json");
    let sharded = |file: &str, kind: &str| {
        let made = Made::ner(&format!("{file}.index.json"), &format!("{file}.index.json"));
        for shard in 1..=2 {
            let name = format!("model-0000{shard}-of-00002.{kind}");
            std::fs::copy(data("ner").join(&name), made.path().join(name)).unwrap();
        }
        made
    };
    assert!(data(&index("model.safetensors")).exists());
    for made in [
        Made::ner("pytorch_model.bin", "pytorch_model.bin"),
        Made::ner("legacy.bin", "pytorch_model.bin"),
        Made::ner("no-prefix.safetensors", "model.safetensors"),
        sharded("model.safetensors", "safetensors"),
        sharded("pytorch_model.bin", "bin"),
        // A file under the other's name is read as what it is.
        Made::ner("model.safetensors", "pytorch_model.bin"),
    ] {
        let other = made.convert(&[]).unwrap();
        assert_eq!(other.meta(), safe.meta());
        assert_eq!(other.container().root(), safe.container().root());
    }
    let bf16 = Made::ner("bf16.safetensors", "model.safetensors")
        .convert(&[])
        .unwrap();
    assert_ne!(bf16.meta().identity, safe.meta().identity);
}

#[test]
fn an_adaseq_model_is_read_whole() {
    let weights = Made::ner("pytorch_model.bin", "pytorch_model.bin")
        .convert(&[])
        .unwrap();
    let file = data("ner/model.safetensors");
    let encoder = "embedder.transformer_model";
    for (name, source) in [
        (
            "embeddings.word",
            format!("{encoder}.embeddings.word_embeddings.weight"),
        ),
        (
            "embeddings.position",
            format!("{encoder}.embeddings.position_embeddings.weight"),
        ),
        (
            "embeddings.token_type",
            format!("{encoder}.embeddings.token_type_embeddings.weight"),
        ),
        (
            "embeddings.norm.weight",
            format!("{encoder}.embeddings.LayerNorm.weight"),
        ),
        (
            "layers.0.attention.query.weight",
            format!("{encoder}.encoder.layer.0.attention.self.query.weight"),
        ),
        (
            "layers.0.attention.key.bias",
            format!("{encoder}.encoder.layer.0.attention.self.key.bias"),
        ),
        (
            "layers.0.attention.value.weight",
            format!("{encoder}.encoder.layer.0.attention.self.value.weight"),
        ),
        (
            "layers.0.attention.output.weight",
            format!("{encoder}.encoder.layer.0.attention.output.dense.weight"),
        ),
        (
            "layers.0.attention.norm.bias",
            format!("{encoder}.encoder.layer.0.attention.output.LayerNorm.bias"),
        ),
        (
            "layers.0.ffn.up.weight",
            format!("{encoder}.encoder.layer.0.intermediate.dense.weight"),
        ),
        (
            "layers.0.ffn.down.weight",
            format!("{encoder}.encoder.layer.0.output.dense.weight"),
        ),
        (
            "layers.0.ffn.norm.weight",
            format!("{encoder}.encoder.layer.0.output.LayerNorm.weight"),
        ),
        ("head.weight", "linear.weight".to_owned()),
        ("head.bias", "linear.bias".to_owned()),
        ("crf.start", "crf.start_transitions".to_owned()),
        ("crf.transitions", "crf.transitions".to_owned()),
        ("crf.end", "crf.end_transitions".to_owned()),
    ] {
        assert_same(&weights, name, &file, &source);
    }
    let meta = weights.meta();
    assert_eq!(
        (meta.kind, meta.labels.as_slice()),
        (
            ModelKind::Ner,
            &["O", "B-PER", "I-PER"].map(String::from)[..]
        )
    );
    let config = meta.xlmr().unwrap();
    assert!(config.crf && !config.head_norm);
    assert_eq!(
        (
            config.pad_token_id,
            config.bos_token_id,
            config.eos_token_id,
            config.unk_token_id
        ),
        (1, 0, 2, 3)
    );
    assert_eq!(
        (
            config.max_length,
            config.separator.as_slice(),
            config.pooling
        ),
        (8, &[2][..], Pooling::First)
    );
    let tokenizer = std::fs::read(data("ner/tokenizer.json")).unwrap();
    assert_eq!(&*weights.tokenizer().unwrap(), tokenizer.as_slice());
}

#[test]
fn a_token_classifier_has_no_crf_and_labels_of_its_own() {
    let weights = convert(&data("token-classification"), &[]).unwrap();
    let meta = weights.meta();
    assert_eq!(meta.kind, ModelKind::Ner);
    assert_eq!(meta.labels, ["O", "B-LOC", "I-LOC"]);
    assert!(!meta.xlmr().unwrap().crf);
    assert_same(
        &weights,
        "head.weight",
        &data("token-classification/model.safetensors"),
        "classifier.weight",
    );
}

#[test]
fn a_head_of_twice_the_width_is_a_relation_model() {
    let weights = convert(&data("re"), &[]).unwrap();
    assert_eq!(weights.meta().kind, ModelKind::Re);
    assert!(weights.meta().xlmr().unwrap().head_norm);
    assert_eq!(weights.f32s("head.norm.weight").unwrap().len(), 8);
    let error = convert(&data("re"), &["--kind", "ner"])
        .unwrap_err()
        .to_string();
    assert!(
        error.contains("misshapen: linear.weight: expected [2, 4], got [2, 8]"),
        "{error}"
    );
    assert!(error.contains("extra: layer_norm.weight [8]"), "{error}");
}

#[test]
fn clip_is_read_with_its_pictures_and_its_slow_tokenizer() {
    let weights = convert(&data("clip"), &[]).unwrap();
    let file = data("clip/model.safetensors");
    for (name, source) in [
        (
            "text.embeddings.token",
            "text_model.embeddings.token_embedding.weight",
        ),
        (
            "text.embeddings.position",
            "text_model.embeddings.position_embedding.weight",
        ),
        (
            "text.layers.0.norm1.weight",
            "text_model.encoder.layers.0.layer_norm1.weight",
        ),
        (
            "text.layers.0.attention.query.weight",
            "text_model.encoder.layers.0.self_attn.q_proj.weight",
        ),
        (
            "text.layers.0.attention.output.bias",
            "text_model.encoder.layers.0.self_attn.out_proj.bias",
        ),
        (
            "text.layers.0.mlp.up.weight",
            "text_model.encoder.layers.0.mlp.fc1.weight",
        ),
        ("text.norm.bias", "text_model.final_layer_norm.bias"),
        ("text.projection", "text_projection.weight"),
        (
            "vision.embeddings.class",
            "vision_model.embeddings.class_embedding",
        ),
        (
            "vision.embeddings.patch",
            "vision_model.embeddings.patch_embedding.weight",
        ),
        (
            "vision.embeddings.position",
            "vision_model.embeddings.position_embedding.weight",
        ),
        ("vision.norm_pre.weight", "vision_model.pre_layrnorm.weight"),
        (
            "vision.norm_post.weight",
            "vision_model.post_layernorm.weight",
        ),
        (
            "vision.layers.0.mlp.down.weight",
            "vision_model.encoder.layers.0.mlp.fc2.weight",
        ),
        ("vision.projection", "visual_projection.weight"),
    ] {
        assert_same(&weights, name, &file, source);
    }
    let Architecture::Clip(config) = &weights.meta().architecture else {
        panic!("{:?}", weights.meta())
    };
    assert_eq!(
        (
            config.text.bos_token_id,
            config.text.end_of_text_id,
            config.text.eos_token_id
        ),
        (11, 12, 12)
    );
    assert_eq!(
        (
            config.preprocess.resize,
            config.preprocess.crop,
            config.projection_dim
        ),
        (8, 8, 3)
    );
    assert_eq!(
        config.preprocess.mean,
        [0.481_454_66, 0.457_827_5, 0.408_210_73]
    );
}

/// `CLIPConfig` of transformers 5.17: `text_config_dict` is filled with defaults and wins, key by key.
#[test]
fn an_early_clip_config_nests_its_dicts() {
    let made = Made::all("clip");
    let config: Value =
        serde_json::from_slice(&std::fs::read(data("clip/config.json")).unwrap()).unwrap();
    let mut text = config["text_config"].clone();
    text.as_object_mut().unwrap().remove("eos_token_id");
    let made = made.config(serde_json::json!({
        "text_config": {"hidden_size": 99, "eos_token_id": 2},
        "text_config_dict": text,
    }));
    let weights = made.convert(&[]).unwrap();
    let config = weights.meta().clip().unwrap();
    assert_eq!(
        (config.text.hidden_size, config.text.eos_token_id),
        (4, 49_407)
    );
}

#[test]
fn keys_that_config_json_leaves_out_take_the_defaults_of_transformers() {
    let made = Made::ner("model.safetensors", "model.safetensors").config(serde_json::json!({
        "layer_norm_eps": null, "type_vocab_size": null, "model_type": null,
    }));
    let error = made.refusal(&[]).to_string();
    assert!(
        error.contains("token_type_embeddings.weight: expected [2, 4], got [1, 4]"),
        "{error}"
    );
    let made = made.config(serde_json::json!({"type_vocab_size": 1}));
    assert_eq!(
        made.convert(&[])
            .unwrap()
            .meta()
            .xlmr()
            .unwrap()
            .layer_norm_eps,
        1e-12
    );
    let made = made.config(
        serde_json::json!({"vocab_size": null, "hidden_size": null, "num_hidden_layers": null}),
    );
    let error = made.refusal(&["--kind", "ner"]).to_string();
    assert!(
        error.contains("word_embeddings.weight: expected [30522, 768], got [14, 4]"),
        "{error}"
    );
    assert!(
        error.contains("missing: embedder.transformer_model.encoder.layer.11."),
        "{error}"
    );
}

#[test]
fn all_that_does_not_fit_is_said_at_once() {
    let made = Made::ner("model.safetensors", "model.safetensors")
        .config(serde_json::json!({"num_hidden_layers": 2, "intermediate_size": 7, "max_position_embeddings": 12}));
    let error = made.refusal(&[]);
    assert_eq!(error.exit_code(), 1);
    let error = error.to_string();
    let layer = "embedder.transformer_model.encoder.layer";
    for expected in [
        format!(
            "missing: {layer}.1.attention.self.query.weight [4, 4] (layers.1.attention.query.weight)"
        ),
        format!(
            "misshapen: {layer}.0.intermediate.dense.weight: expected [7, 4], got [6, 4] (layers.0.ffn.up.weight)"
        ),
        "position_embeddings.weight: expected [12, 4], got [10, 4]".to_owned(),
    ] {
        assert!(error.contains(&expected), "{expected}\n{error}");
    }

    let made = Made::ner("model.safetensors", "model.safetensors")
        .config(serde_json::json!({"num_hidden_layers": 1}));
    let names = std::fs::read(made.path().join("model.safetensors")).unwrap();
    let file = safetensors::SafeTensors::deserialize(&names).unwrap();
    let mut tensors = file.tensors();
    let (_, bias) = tensors
        .iter()
        .find(|(name, _)| name == "linear.bias")
        .unwrap()
        .clone();
    tensors.push(("linear.extra".to_owned(), bias.clone()));
    tensors.push(("crf.mask".to_owned(), bias));
    let bytes = safetensors::serialize(tensors, None).unwrap();
    std::fs::write(made.path().join("model.safetensors"), bytes).unwrap();
    let error = made.refusal(&[]).to_string();
    assert!(
        error.contains("extra: linear.extra [3]") && error.contains("extra: crf.mask [3]"),
        "{error}"
    );
    assert!(
        error.contains("--ignore-extra") && !error.contains("pooler"),
        "{error}"
    );
    assert!(made.convert(&["--ignore-extra"]).is_ok());
}

#[test]
fn quantization_keeps_identity_norms_and_what_keep_names() {
    let made = Made::ner("model.safetensors", "model.safetensors");
    let report = made.path().join("report.json");
    let options = [
        "--quantize",
        "q8",
        "--keep",
        "layers.*=f16",
        "--keep",
        "*.query.*=f32",
        "--report",
    ];
    let options: Vec<&str> = options
        .into_iter()
        .chain([report.to_str().unwrap()])
        .collect();
    let (exact, small) = (made.convert(&[]).unwrap(), made.convert(&options).unwrap());
    assert_eq!(exact.meta().identity, small.meta().identity);
    assert_eq!(
        small.meta().quantization,
        "q8 (layers.*=f16, *.query.*=f32)"
    );
    for tensor in small.tensors() {
        let expected = match tensor.name.as_str() {
            name if name.contains(".query.weight") => Precision::F32,
            name if name.starts_with("layers.")
                && name.ends_with("weight")
                && !name.contains("norm") =>
            {
                Precision::F16
            }
            "embeddings.word" | "embeddings.position" | "embeddings.token_type" | "head.weight" => {
                Precision::Q8
            }
            _ => Precision::F32,
        };
        assert_eq!(tensor.precision, expected, "{}", tensor.name);
    }
    let report: Value = serde_json::from_slice(&std::fs::read(report).unwrap()).unwrap();
    assert_eq!(report["identity"], small.meta().identity);
    let tensors = report["tensors"].as_array().unwrap();
    assert_eq!(tensors.len(), small.tensors().len());
    for tensor in tensors {
        let name = tensor["name"].as_str().unwrap();
        let (w, v) = (exact.f32s(name).unwrap(), small.f32s(name).unwrap());
        let square = |values: &[f64]| values.iter().map(|value| value * value).sum::<f64>();
        let w: Vec<f64> = w.into_iter().map(f64::from).collect();
        let v: Vec<f64> = v.into_iter().map(f64::from).collect();
        let difference: Vec<f64> = w.iter().zip(&v).map(|(w, v)| w - v).collect();
        let norm = square(&w);
        let error = if norm == 0.0 {
            0.0
        } else {
            (square(&difference) / norm).sqrt()
        };
        assert!(
            (tensor["relative_error"].as_f64().unwrap() - error).abs() < 1e-12,
            "{name}"
        );
        let info = small
            .tensors()
            .iter()
            .find(|tensor| tensor.name == name)
            .unwrap();
        assert_eq!(tensor["bytes"].as_u64().unwrap(), info.bytes(), "{name}");
        assert_eq!(tensor["type"], info.precision.to_string(), "{name}");
        assert_eq!(tensor["shape"], serde_json::json!(info.shape), "{name}");
        assert!(tensor["cosine"].as_f64().unwrap() > 0.999, "{name}");
    }
    let dropped = report["dropped"].as_array().unwrap();
    assert!(
        dropped.contains(&"embedder.transformer_model.pooler.dense.weight".into()),
        "{dropped:?}"
    );
}

#[test]
fn options_of_an_expert_are_kept() {
    let made =
        Made::ner("model.safetensors", "model.safetensors").write("names.txt", "O\nB-X\nI-X\n");
    let labels = made.path().join("names.txt");
    let options = [
        "--pooling",
        "mean",
        "--separator",
        "2,2",
        "--max-length",
        "6",
        "--licence",
        "MIT",
        "--attribution",
        "A. Person",
    ];
    let options: Vec<&str> = options
        .into_iter()
        .chain(["--labels", labels.to_str().unwrap()])
        .collect();
    let weights = made.convert(&options).unwrap();
    let (meta, config) = (weights.meta(), weights.meta().xlmr().unwrap());
    assert_eq!(
        (
            config.pooling,
            config.separator.as_slice(),
            config.max_length
        ),
        (Pooling::Mean, &[2, 2][..], 6)
    );
    assert_eq!(
        (meta.licence.as_deref(), meta.attribution.as_deref()),
        (Some("MIT"), Some("A. Person"))
    );
    assert_eq!(meta.labels, ["O", "B-X", "I-X"]);
}

#[test]
fn options_that_cannot_be_meant_are_usage_errors() {
    let made = Made::ner("model.safetensors", "model.safetensors");
    for (options, expected) in [
        (&["--max-length", "9"][..], "expected 2 to 8"),
        (&["--max-length", "0"], "expected 2 to 8"),
        (&["--separator", "14"], "below the vocabulary's 14"),
        (&["--quantize", "q4"], "q4 is not written yet"),
        (&["--keep", "*=q4"], "q4 is not written yet"),
        (&["--keep", "layer.*=f32"], "no tensor has such a name"),
        (&["--licence", " "], "expected some text"),
    ] {
        let error = made.refusal(options);
        assert_eq!(error.exit_code(), 2, "{options:?}: {error}");
        assert!(error.to_string().contains(expected), "{options:?}: {error}");
    }
    for option in [
        ["--labels", "x"],
        ["--pooling", "first"],
        ["--separator", "2"],
        ["--max-length", "6"],
    ] {
        assert_eq!(
            convert(&data("clip"), &option).unwrap_err().exit_code(),
            2,
            "{option:?}"
        );
    }
}

#[test]
fn labels_come_from_one_place_and_are_checked() {
    let made = || Made::ner("model.safetensors", "model.safetensors");
    for (labels, expected) in [
        (
            r#"["O", "B-PER"]"#,
            "labels.json has 2, but linear.weight has 3 rows",
        ),
        (r#"["O", "O", "B-PER"]"#, "label `O` appears twice"),
        (r#"["LABEL_0", "LABEL_1", "LABEL_2"]"#, "placeholder"),
        (r#"["O", 1, 2]"#, "expected a list of strings"),
        (r#"["O","#, "not JSON"),
        ("[]", "no labels"),
    ] {
        let error = made().write("labels.json", labels).refusal(&[]).to_string();
        assert!(
            error.contains(expected) && error.contains("labels.json"),
            "{labels}: {error}"
        );
    }
    let made = made().remove("labels.json");
    let error = made.refusal(&[]).to_string();
    assert!(error.contains("no labels; write a list of them"), "{error}");
    let made = made
        .config(serde_json::json!({"id2label": {"0": "LABEL_0", "1": "LABEL_1", "2": "LABEL_2"}}));
    let error = made.refusal(&[]).to_string();
    assert!(
        error.contains("`LABEL_0` is a placeholder") && error.contains("--labels"),
        "{error}"
    );
    let made = made.config(serde_json::json!({"id2label": {"2": "C", "1": "B", "0": "A"}}));
    assert_eq!(made.convert(&[]).unwrap().meta().labels, ["A", "B", "C"]);
}

#[test]
fn a_bare_encoder_needs_no_labels() {
    let made = Made::ner("no-prefix.safetensors", "model.safetensors").remove("labels.json");
    let bytes = std::fs::read(made.path().join("model.safetensors")).unwrap();
    let file = safetensors::SafeTensors::deserialize(&bytes).unwrap();
    let encoder = file
        .tensors()
        .into_iter()
        .filter(|(name, _)| !name.starts_with("linear.") && !name.starts_with("crf."));
    let bytes = safetensors::serialize(encoder, None).unwrap();
    std::fs::write(made.path().join("model.safetensors"), bytes).unwrap();
    let weights = made.convert(&[]).unwrap();
    assert_eq!(weights.meta().kind, ModelKind::Encoder);
    assert!(weights.meta().labels.is_empty());
}

fn gate(weight: &[usize], bias: usize) -> Vec<u8> {
    let (w, b) = (
        vec![0x3d; 4 * weight.iter().product::<usize>()],
        vec![0; 4 * bias],
    );
    let view = |shape: Vec<usize>, data| {
        safetensors::tensor::TensorView::new(safetensors::Dtype::F32, shape, data).unwrap()
    };
    safetensors::serialize(
        [
            ("weight", view(weight.to_vec(), &w)),
            ("bias", view(vec![bias], &b)),
        ],
        None,
    )
    .unwrap()
}

#[test]
fn a_gate_is_a_file_or_a_directory_with_it() {
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("my-gate.safetensors");
    for (weight, bias) in [([3, 8], 3), ([1, 8], 1)] {
        std::fs::write(&file, gate(&weight, bias)).unwrap();
        for path in [file.as_path(), directory.path()] {
            let weights = convert(path, &["--quantize", "q8"]).unwrap();
            assert_eq!(weights.meta().kind, ModelKind::Gate);
            assert!(weights.tokenizer().is_none());
            assert_eq!(weights.tensors()[0].precision, Precision::F32);
        }
    }
    for (weight, bias, expected) in [
        (&[3, 8][..], 2, "misshapen: bias: expected [3], got [2]"),
        (&[3, 7], 3, "two features of one width"),
        (&[8], 1, "expected [t or 1, d_T + d_I], got [8]"),
    ] {
        std::fs::write(&file, gate(weight, bias)).unwrap();
        let error = convert(&file, &[]).unwrap_err().to_string();
        assert!(error.contains(expected), "{error}");
    }
    let error = convert(&data("ner"), &["--kind", "gate"])
        .unwrap_err()
        .to_string();
    assert!(error.contains("missing: weight"), "{error}");
}

#[test]
fn numbers_that_are_none_are_refused_by_name() {
    for bad in [f32::NAN, f32::INFINITY, f32::NEG_INFINITY] {
        let made = Made::ner("model.safetensors", "model.safetensors");
        let path = made.path().join("model.safetensors");
        let bytes = std::fs::read(&path).unwrap();
        let file = safetensors::SafeTensors::deserialize(&bytes).unwrap();
        let offset = file.tensor("crf.transitions").unwrap().data().as_ptr() as usize
            - bytes.as_ptr() as usize;
        let mut bytes = bytes.clone();
        bytes[offset + 20..offset + 24].copy_from_slice(&bad.to_le_bytes());
        std::fs::write(&path, bytes).unwrap();
        let error = made.refusal(&[]).to_string();
        assert!(
            error.contains("tensor `crf.transitions` (crf.transitions): element 5 is"),
            "{error}"
        );
    }
}

#[test]
fn models_of_other_kinds_are_refused_by_name() {
    let made = || Made::ner("model.safetensors", "model.safetensors");
    for (config, expected) in [
        (
            serde_json::json!({"model_type": "bert"}),
            "model_type: expected `xlm-roberta` or `clip`, got `bert`",
        ),
        (
            serde_json::json!({"model_type": "clip"}),
            "`clip` does not fit a model of kind ner",
        ),
        (
            serde_json::json!({"hidden_act": "tanhshrink"}),
            "hidden_act: unknown activation `tanhshrink`",
        ),
        (
            serde_json::json!({"hidden_size": "4"}),
            "hidden_size: expected a whole number, got \"4\"",
        ),
        (
            serde_json::json!({"hidden_size": -4}),
            "hidden_size: expected a whole number, got -4",
        ),
        (
            serde_json::json!({"num_attention_heads": 3}),
            "num_attention_heads: expected a divisor of hidden_size 4, got 3",
        ),
        (
            serde_json::json!({"num_hidden_layers": 4_000_000_000_u32}),
            "num_hidden_layers: expected 1 to 256",
        ),
        (serde_json::json!({"layer_norm_eps": 0}), "layer_norm_eps"),
        (serde_json::json!({"is_decoder": true}), "is_decoder"),
        (
            serde_json::json!({"position_embedding_type": "relative_key"}),
            "expected absolute positions",
        ),
    ] {
        let error = made().config(config).refusal(&[]).to_string();
        assert!(
            error.contains(expected) && error.contains("config.json"),
            "{expected}\n{error}"
        );
    }
}

#[test]
fn files_that_are_missing_or_damaged_are_named() {
    let made = || Made::ner("model.safetensors", "model.safetensors");
    for (made, expected) in [
        (made().remove("config.json"), "config.json: no such file"),
        (
            made().write("config.json", "{\"layer_norm_eps\": NaN}"),
            "`NaN` is Python's",
        ),
        (
            made().write("config.json", "{\"a\": 1,\n \"b\": -Infinity}"),
            "`-Infinity` is Python's",
        ),
        (
            made().write("config.json", "[]"),
            "expected an object, got a list",
        ),
        (made().write("config.json", "{"), "not JSON"),
        (
            made().remove("tokenizer.json"),
            "expected tokenizer.json or sentencepiece.bpe.model",
        ),
        (
            made().write("tokenizer.json", "{}"),
            "tokenizer.json: not as expected: missing field `model`",
        ),
        (
            made().write(
                "tokenizer.json",
                "version https://git-lfs.github.com/spec/v1\n",
            ),
            "Git-LFS pointer",
        ),
        (
            made().remove("model.safetensors"),
            "no weights: expected one of model.safetensors",
        ),
        (
            made().remove("model.safetensors").write("tf_model.h5", ""),
            "tf_model.h5 is TensorFlow's",
        ),
        (made().write("model.safetensors", ""), "an empty file"),
    ] {
        let error = made.refusal(&[]);
        assert_eq!(error.exit_code(), 1);
        assert!(error.to_string().contains(expected), "{expected}\n{error}");
    }
    let error = convert(Path::new("/no/such/checkpoint"), &[]).unwrap_err();
    assert!(
        error
            .to_string()
            .contains("/no/such/checkpoint: no such checkpoint"),
        "{error}"
    );
}

#[test]
fn an_index_cannot_lead_out_of_its_directory() {
    let made = Made::ner(
        "model.safetensors.index.json",
        "model.safetensors.index.json",
    );
    for (index, expected) in [
        (
            r#"{"weight_map": {"a": "../../etc/passwd"}}"#,
            "leads elsewhere",
        ),
        (r#"{"weight_map": {"a": "/etc/passwd"}}"#, "leads elsewhere"),
        (
            r#"{"weight_map": {"a": 7}}"#,
            "expected the name of a file, got 7",
        ),
        (r#"{"weight_map": {}}"#, "got none"),
        (r#"{"weights": {}}"#, "missing field `weight_map`"),
        (
            r#"{"weight_map": {"a": "absent.safetensors"}}"#,
            "absent.safetensors",
        ),
    ] {
        std::fs::write(made.path().join("model.safetensors.index.json"), index).unwrap();
        let error = made.refusal(&[]).to_string();
        assert!(error.contains(expected), "{expected}\n{error}");
    }
    let copied = made.path().join("model-00001-of-00002.safetensors");
    std::fs::copy(data("ner/model-00001-of-00002.safetensors"), copied).unwrap();
    let index = r#"{"weight_map": {"linear.gone": "model-00001-of-00002.safetensors"}}"#;
    std::fs::write(made.path().join("model.safetensors.index.json"), index).unwrap();
    let error = made.refusal(&[]).to_string();
    assert!(
        error.contains("their files do not hold:\n  linear.gone"),
        "{error}"
    );
}

#[test]
fn an_existing_output_is_replaced_only_by_a_whole_one() {
    let made = Made::ner("model.safetensors", "model.safetensors");
    let output = made.path().join("out.weights");
    std::fs::write(&output, "what was there").unwrap();
    let go = |options: &[&str]| {
        let (checkpoint, path) = (made.path().to_str().unwrap(), output.to_str().unwrap());
        let arguments = ["morelet-convert", "model", checkpoint, "-o", path];
        run(
            &Cli::try_parse_from(arguments.iter().chain(options))
                .unwrap()
                .command,
            &Console::quiet(),
        )
    };
    assert!(go(&["--kind", "re"]).is_err());
    assert_eq!(std::fs::read_to_string(&output).unwrap(), "what was there");
    go(&[]).unwrap();
    let first = std::fs::read(&output).unwrap();
    go(&[]).unwrap();
    assert_eq!(
        std::fs::read(&output).unwrap(),
        first,
        "the same input gives the same bytes"
    );
}

#[test]
fn the_model_of_sentencepiece_itself_serves() {
    let made = Made::ner("model.safetensors", "model.safetensors").remove("tokenizer.json");
    let model = data("sentencepiece/sentencepiece.bpe.model");
    std::fs::copy(model, made.path().join("sentencepiece.bpe.model")).unwrap();
    let weights = made.convert(&[]).unwrap();
    assert_eq!(weights.meta().xlmr().unwrap().unk_token_id, 3);
    let expected: Value =
        serde_json::from_slice(&std::fs::read(data("sentencepiece/expected.json")).unwrap())
            .unwrap();
    let got: Value = serde_json::from_slice(&weights.tokenizer().unwrap()).unwrap();
    assert_eq!(got, expected);
}

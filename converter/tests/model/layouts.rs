//! Every layout and packing, compared with what the safetensors crate reads.

use crate::made::{Made, assert_same, convert, data};
use morelet_models::weights::{Architecture, ModelKind, Pooling, Precision};
use serde_json::Value;

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

//! Checkpoints with something wrong, and what the error says of it.

use crate::made::{Made, convert, data};
use std::path::Path;

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

//! What the options of the command do, and which cannot be meant.

use crate::made::{Made, convert, data};
use clap::Parser as _;
use morelet_convert::{Cli, Console, run};
use morelet_models::weights::{Pooling, Precision};
use serde_json::Value;

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

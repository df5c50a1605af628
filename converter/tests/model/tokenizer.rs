//! What becomes of the tokenizer: compiled where it can be, and kept as it is in any case.

use crate::made::{Made, convert, data};
use morelet_models::Tokenizer;
use morelet_models::weights::Weights;
use serde_json::{Value, json};

/// Which sections of the file are bulk: `None` for those that it does not have.
fn bulk(weights: &Weights) -> [Option<bool>; 3] {
    ["tokenizer", "unigram", "pieces"].map(|name| {
        let mut sections = weights.container().sections().iter();
        sections
            .find(|section| section.name == name)
            .map(|section| section.bulk)
    })
}

/// An NER model with the tokenizer changed, and what the report says of it.
fn changed(change: impl FnOnce(&mut Value)) -> (Weights, Value) {
    let bytes = std::fs::read(data("ner/tokenizer.json")).unwrap();
    let mut tokenizer: Value = serde_json::from_slice(&bytes).unwrap();
    change(&mut tokenizer);
    let made = Made::ner("model.safetensors", "model.safetensors");
    let made = made.write("tokenizer.json", &tokenizer.to_string());
    let report = made.path().join("report.json");
    let weights = made
        .convert(&["--report", report.to_str().unwrap()])
        .unwrap();
    let report: Value = serde_json::from_slice(&std::fs::read(report).unwrap()).unwrap();
    (weights, report["tokenizer"].clone())
}

#[test]
fn a_unigram_is_compiled_beside_its_json() {
    let (weights, report) = changed(|_| {});
    assert_eq!(report, json!({"compiled": true}));
    assert_eq!(bulk(&weights), [Some(true), Some(false), Some(true)]);
    let compiled = weights.open_tokenizer().unwrap().unwrap();
    let reference = Tokenizer::new(&weights.tokenizer().unwrap()).unwrap();
    assert!(compiled.is_compiled() && !reference.is_compiled());
    assert_eq!(compiled.vocabulary(), reference.vocabulary());
    for text in ["Kolo loves the sun", "<s> a\u{3000}b </s>", "", "水"] {
        assert_eq!(
            compiled.encode(text).unwrap(),
            reference.encode(text).unwrap()
        );
    }
}

#[test]
fn a_sentencepiece_model_is_compiled_too() {
    let made = Made::ner("model.safetensors", "model.safetensors").remove("tokenizer.json");
    let model = data("sentencepiece/sentencepiece.bpe.model");
    std::fs::copy(model, made.path().join("sentencepiece.bpe.model")).unwrap();
    let weights = made.convert(&[]).unwrap();
    assert_eq!(bulk(&weights), [Some(true), Some(false), Some(true)]);
}

#[test]
fn a_tokenizer_that_cannot_be_compiled_is_kept_and_said_why() {
    let (weights, report) = changed(|json| json["normalizer"] = json!({"type": "Lowercase"}));
    assert_eq!(report["compiled"], false);
    assert!(
        report["reason"].as_str().unwrap().contains("Lowercase"),
        "{report}"
    );
    assert_eq!(bulk(&weights), [Some(false), None, None]);
    let tokenizer = weights.open_tokenizer().unwrap().unwrap();
    assert!(!tokenizer.is_compiled());
    assert_eq!(
        tokenizer.encode("A").unwrap(),
        tokenizer.encode("a").unwrap()
    );
}

#[test]
fn the_tokenizer_of_a_clip_is_kept() {
    let weights = convert(&data("clip"), &[]).unwrap();
    assert_eq!(bulk(&weights), [Some(false), None, None]);
}

#[test]
fn one_file_is_the_same_each_time() {
    let made = || {
        Made::ner("model.safetensors", "model.safetensors")
            .convert(&[])
            .unwrap()
    };
    assert_eq!(made().container().root(), made().container().root());
}

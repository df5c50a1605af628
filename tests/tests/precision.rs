//! What quantization costs, on an expert that has learned its task: what an untrained one says is decided by
//! hairs.

use morelet_mapped::OpenOptions;
use morelet_models::weights::{TensorInfo, Weights};
use morelet_tests::{Workshop, golden, lines, read_json, tools};
use serde_json::Value;

struct Agreement {
    same: usize,
    words: usize,
}

/// Labels that agree with PyTorch's in `f32`, and the fused F1.
fn fitted(quantize: &str) -> (Agreement, f64) {
    let mut workshop = Workshop::new(tools!());
    let bundle = workshop.bundle("fitted", quantize, &[]);
    let queries = golden("cases/fitted/queries.jsonl");
    let got = workshop.predict(&bundle, &queries, "cpu");
    let want = lines(golden("cases/fitted/answers.jsonl"));
    let mut agreement = Agreement { same: 0, words: 0 };
    for (got, want) in got.iter().zip(&want) {
        assert_eq!(got["experts"]["text"]["input_ids"], want["input_ids"]);
        let pairs = labels(got).iter().zip(labels(want));
        agreement.same += pairs.filter(|(a, b)| a == b).count();
        agreement.words += labels(want).len();
        assert_eq!(labels(got).len(), labels(want).len());
    }
    let args = [
        "eval",
        bundle.to_str().expect("a UTF-8 path"),
        "--input",
        queries.to_str().expect("a UTF-8 path"),
        "--json",
        "--device",
        "cpu",
    ];
    let report = workshop.tools.morelet(args).ok().json();
    let f1 = report["fused"]["f1"].as_f64().expect("a number");
    (agreement, f1)
}

fn labels(answer: &Value) -> &[Value] {
    answer["labels"].as_array().expect("a list of labels")
}

#[track_caller]
fn keeps(quantize: &str) {
    let (agreement, f1) = fitted(quantize);
    let Agreement { same, words } = agreement;
    assert!(words > 2000, "enough words to tell 99.5 % from 99 %");
    assert!(
        same as f64 >= 0.995 * words as f64,
        "{quantize}: {same} of {words} labels agree"
    );
    let reference = read_json(golden("cases/fitted/scores.json"));
    let reference = reference["marginals"]["f1"].as_f64().expect("a number");
    assert!(
        f1 >= reference - 0.3,
        "{quantize}: F1 {f1}, in f32 {reference}"
    );
}

#[test]
fn eight_bits_keep_the_labels() {
    keeps("q8");
}

#[test]
fn half_precision_keeps_the_labels() {
    keeps("f16");
}

#[test]
fn full_precision_gives_every_label_and_the_f1_of_pytorch() {
    let (Agreement { same, words }, f1) = fitted("f32");
    assert_eq!(same, words);
    let reference = read_json(golden("cases/fitted/scores.json"));
    let reference = reference["marginals"]["f1"].as_f64().expect("a number");
    assert!(
        (f1 - reference).abs() < 1e-9,
        "F1 {f1}, expected {reference}"
    );
}

#[test]
fn fewer_bits_make_smaller_weights() {
    let mut workshop = Workshop::new(tools!());
    let described = read_json(golden("cases/fitted/case.json"));
    let [full, half, eight] = ["f32", "f16", "q8"].map(|quantize| {
        let path = workshop.weights(&described["experts"][0], quantize);
        let weights = Weights::open(path, OpenOptions::default()).expect("the converter wrote it");
        let bytes: u64 = weights.tensors().iter().map(TensorInfo::bytes).sum();
        bytes as f64
    });
    assert!(half < 0.75 * full, "{half} of {full} bytes");
    assert!(eight < 0.65 * full, "{eight} of {full} bytes");
}

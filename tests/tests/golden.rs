//! Checkpoints in every layout and file form, through both commands, against the answers PyTorch gives
//! (`tests/reference/make.py`), in `f32` on the CPU.

use morelet_tests::{Failures, Tolerances, Workshop, compare, golden, lines, read_json, tools};
use serde_json::{Value, json};
use std::path::Path;

/// Runs a golden case and compares every field of every answer.
#[track_caller]
fn agrees(case: &str) {
    let mut workshop = Workshop::new(tools!());
    let bundle = workshop.bundle(case, "f32", &[]);
    agrees_with(&workshop, case, &bundle);
}

#[track_caller]
fn agrees_with(workshop: &Workshop, case: &str, bundle: &Path) {
    let home = golden("cases").join(case);
    let got = workshop.predict(bundle, &home.join("queries.jsonl"), "cpu");
    let want = lines(home.join("answers.jsonl"));
    assert_eq!(got.len(), want.len(), "{case}: an answer for each query");
    let mut failures = Failures::default();
    for (got, want) in got.iter().zip(&want) {
        compare(got, want, &Tolerances::CPU, &mut failures);
    }
    failures.check(case);
}

#[test]
fn an_adaseq_ner_checkpoint_with_a_crf() {
    agrees("ner");
}

#[test]
fn words_represented_by_their_last_sub_token() {
    agrees("ner-pooling-last");
}

#[test]
fn words_represented_by_the_mean_of_their_sub_tokens() {
    agrees("ner-pooling-mean");
}

#[test]
fn a_separator_of_three_ids() {
    agrees("ner-separator");
}

#[test]
fn a_maximum_length_below_that_of_the_checkpoint() {
    agrees("ner-max-length");
}

#[test]
fn token_classification_without_a_crf_from_a_sentencepiece_model_and_a_config_of_defaults() {
    agrees("softmax");
}

#[test]
fn a_bare_encoder_with_a_linear_layer_and_a_crf_beside_it() {
    agrees("bare-crf");
}

#[test]
fn an_adaseq_relation_checkpoint_with_a_layer_norm() {
    agrees("re-norm");
}

#[test]
fn an_adaseq_relation_checkpoint_without_a_layer_norm_and_with_markers_in_its_vocabulary() {
    agrees("re-plain");
}

#[test]
fn markers_represented_by_the_mean_of_their_sub_tokens() {
    agrees("re-pooling-mean");
}

#[test]
fn two_ner_experts_and_a_gate_with_one_row() {
    agrees("ner-gate-one-row");
}

#[test]
fn two_ner_experts_and_a_gate_with_a_row_per_label() {
    agrees("ner-gate-row-per-label");
}

#[test]
fn the_gate_weighs_the_first_expert_whatever_the_names() {
    agrees("ner-gate-image-first");
}

#[test]
fn two_ner_experts_and_their_average() {
    agrees("ner-average");
}

#[test]
fn two_relation_experts_and_a_gate_over_an_early_clip() {
    agrees("re-gate");
}

#[test]
fn two_relation_experts_and_their_average() {
    agrees("re-average");
}

#[test]
fn every_file_form_of_a_checkpoint_gives_the_same_answers() {
    // Its weights are numbers that bfloat16 and float16 hold exactly.
    let described = read_json(golden("cases/ner/case.json"));
    let mut workshop = Workshop::new(tools!());
    let forms = [
        "safetensors",
        "sharded",
        "bin",
        "legacy",
        "bf16",
        "f16",
        "bin-bf16",
    ];
    for form in forms {
        let mut expert = described["experts"][0].clone();
        expert["form"] = json!(form);
        let weights = workshop.weights(&expert, "f32");
        let bundle = workshop.path(format!("{form}.morelet"));
        let part = format!("text:text:{}", weights.display());
        let output = bundle.to_str().expect("a UTF-8 path");
        workshop
            .tools
            .convert(["bundle", "-o", output, "--expert", &part])
            .ok();
        agrees_with(&workshop, "ner", &bundle);
    }
}

#[test]
fn viterbi_decoding_answers_with_the_best_path() {
    let mut workshop = Workshop::new(tools!());
    let bundle = workshop.bundle("ner", "f32", &[]);
    set_decode(&bundle, "viterbi");
    let home = golden("cases/ner");
    let got = workshop.predict(&bundle, &home.join("queries.jsonl"), "cpu");
    let want = lines(home.join("answers.jsonl"));
    let mut differ_from_marginals = 0;
    for (got, want) in got.iter().zip(&want) {
        let path = &want["experts"]["text"]["viterbi"];
        assert_eq!(&got["labels"], path, "{}", want["id"]);
        differ_from_marginals += usize::from(path != &want["labels"]);
    }
    assert!(differ_from_marginals > 0, "the case can tell the two apart");
}

/// Changes how a bundle decodes, in a copy of its manifest that replaces the old one.
fn set_decode(bundle: &Path, decode: &str) {
    let path = bundle.join("bundle.json");
    let mut manifest: Value = read_json(&path);
    manifest["decode"] = json!(decode);
    let new = bundle.with_extension("json");
    std::fs::write(&new, manifest.to_string()).expect("the temporary directory is writable");
    std::fs::rename(new, path).expect("the temporary directory is writable");
}

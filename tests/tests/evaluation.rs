//! `morelet eval` against counts that Python made by conlleval's rules from PyTorch's predictions.

use morelet_tests::{Workshop, close, golden, read_json, tools};
use serde_json::Value;

fn report(workshop: &Workshop, bundle: &std::path::Path, input: &str) -> Value {
    let input = golden(input);
    let args = [
        "eval",
        bundle.to_str().expect("a UTF-8 path"),
        "--input",
        input.to_str().expect("a UTF-8 path"),
        "--json",
        "--device",
        "cpu",
    ];
    workshop.tools.morelet(args).ok().json()
}

#[track_caller]
fn same_scores(at: &str, got: &Value, want: &Value) {
    for key in ["precision", "recall", "f1"] {
        if let Err(message) = close(&got[key], &want[key], 1e-9) {
            panic!("{at}.{key}: {message}");
        }
    }
    let Some(labels) = want.get("labels").and_then(Value::as_object) else {
        return;
    };
    let got = got["labels"].as_object().expect("scores by label");
    assert_eq!(
        got.keys().collect::<Vec<_>>(),
        labels.keys().collect::<Vec<_>>(),
        "{at}.labels"
    );
    for (label, want) in labels {
        same_scores(&format!("{at}.labels.{label}"), &got[label], want);
    }
}

#[test]
fn entities_are_counted_as_conlleval_counts_them() {
    let mut workshop = Workshop::new(tools!());
    let bundle = workshop.bundle("fitted", "f32", &[]);
    let want = read_json(golden("cases/fitted/scores.json"));
    let got = report(&workshop, &bundle, "cases/fitted/queries.jsonl");
    assert_eq!(got["n"], want["n"]);
    same_scores("fused", &got["fused"], &want["marginals"]);
    same_scores("experts.text", &got["experts"]["text"], &want["marginals"]);
    same_scores(
        "viterbi",
        &got["experts"]["text"]["viterbi"],
        &want["viterbi"],
    );
    // Of the committed weights; with others, which MORELET_GOLDEN names, the two may agree by chance.
    if std::env::var_os("MORELET_GOLDEN").is_none() {
        assert_ne!(
            want["marginals"], want["viterbi"],
            "the case tells them apart"
        );
    }
}

#[test]
fn a_conll_file_counts_like_the_same_sentences_in_json() {
    // Contexts cannot stand in a CoNLL file: an expert of kind `none` reads none in either.
    let mut workshop = Workshop::new(tools!());
    let described = read_json(golden("cases/fitted/case.json"));
    let weights = workshop.weights(&described["experts"][0], "f32");
    let bundle = workshop.path("none.morelet");
    let part = format!("only:none:{}", weights.display());
    let output = bundle.to_str().expect("a UTF-8 path");
    workshop
        .tools
        .convert(["bundle", "-o", output, "--expert", &part])
        .ok();
    let want = read_json(golden("cases/fitted/scores.json"));
    let got = report(&workshop, &bundle, "cases/fitted/gold.conll");
    assert_eq!(got["n"], want["n"]);
    same_scores("fused", &got["fused"], &want["marginals"]);
}

#[test]
fn relations_are_micro_averaged_without_the_no_relation_label() {
    for case in ["re-norm", "re-plain"] {
        let mut workshop = Workshop::new(tools!());
        let bundle = workshop.bundle(case, "f32", &[]);
        let want = read_json(golden(format!("cases/{case}/scores.json")));
        let got = report(&workshop, &bundle, &format!("cases/{case}/gold.jsonl"));
        same_scores(case, &got["fused"], &want);
    }
}

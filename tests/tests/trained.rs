//! Trained checkpoints, where they are at hand: experts of the paper's Twitter-2017 and MNRE text with what
//! PyTorch answers. Their text is not ours to ship, so they lie beside the repository or nowhere.
//!
//! Part of each test set is run, for some seconds; with `MORELET_TRAINED=all` the whole of it, and then the
//! F1 is compared with PyTorch's too.

use morelet_tests::{Workshop, lines, numbers, read_json, tools, write_lines};
use serde_json::Value;
use std::path::{Path, PathBuf};

/// Whether to run everything.
fn whole() -> bool {
    std::env::var_os("MORELET_TRAINED").is_some_and(|value| value == "all")
}

/// The checkpoint of a task, or `None` with a line on standard error.
fn checkpoint(name: &str) -> Option<PathBuf> {
    let home = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../shared/data/checkpoints");
    let path = home.join(name);
    if !path.is_dir() {
        eprintln!("SKIPPED: no trained checkpoint at {}", path.display());
        return None;
    }
    Some(path)
}

#[derive(Debug)]
struct Outcome {
    /// Labels of words, or relations.
    same: usize,
    total: usize,
    /// The largest difference of a marginal or a logit.
    worst: f64,
    /// Ours and PyTorch's, where the whole set was run.
    f1: Option<(f64, f64)>,
}

/// Compares the first `part` sentences of a test set, or all of them.
fn outcome(source: &Path, quantize: &str, part: usize) -> Outcome {
    let workshop = Workshop::new(tools!());
    let text = |path: &Path| path.to_str().expect("a UTF-8 path").to_owned();
    let weights = text(&workshop.path("text.weights"));
    let bundle = text(&workshop.path("b.morelet"));
    let checkpoint = text(source);
    let args = ["model", &checkpoint, "-o", &weights, "--quantize", quantize];
    workshop.tools.convert(args).ok();
    let expert = format!("text:text:{weights}");
    let args = ["bundle", "-o", &bundle, "--expert", &expert];
    workshop.tools.convert(args).ok();

    let part = if whole() { usize::MAX } else { part };
    let queries: Vec<Value> = lines(source.join("test.jsonl"));
    let asked = workshop.path("asked.jsonl");
    write_lines(&asked, &queries[..part.min(queries.len())]);
    let got = workshop.predict(Path::new(&bundle), &asked, "cpu");
    let want = lines(source.join("test.expected.jsonl"));
    let mut outcome = compare(&got, &want[..part.min(want.len())]);
    if whole() {
        let input = text(&asked);
        let args = [
            "eval", &bundle, "--input", &input, "--json", "--device", "cpu",
        ];
        let report = workshop.tools.morelet(args).ok().json();
        let metrics = read_json(source.join("metrics.json"));
        let number = |value: &Value| value.as_f64().expect("a number");
        outcome.f1 = Some((number(&report["fused"]["f1"]), number(&metrics["test_f1"])));
    }
    let name = source.file_name().unwrap_or_default();
    println!("{} in {quantize}: {outcome:?}", name.display());
    outcome
}

fn compare(got: &[Value], want: &[Value]) -> Outcome {
    assert_eq!(got.len(), want.len());
    let (mut same, mut total, mut worst) = (0, 0, 0.0f64);
    let mut apart = |got: &Value, want: &Value| {
        let (got, want) = (numbers(got), numbers(want));
        assert_eq!(got.len(), want.len());
        let apart = got.iter().zip(want).map(|(a, b)| (a - b).abs());
        worst = apart.fold(worst, f64::max);
    };
    for (got, want) in got.iter().zip(want) {
        assert_eq!(got["id"], want["id"]);
        let expert = &got["experts"]["text"];
        if want.get("relation").is_some() {
            same += usize::from(got["relation"]["type"] == want["relation"]);
            total += 1;
            apart(&expert["logits"], &want["logits"]);
            continue;
        }
        let [a, b] = [got, want].map(|answer| answer["labels"].as_array().expect("labels"));
        assert_eq!(a.len(), b.len());
        same += a.iter().zip(b).filter(|(a, b)| a == b).count();
        total += b.len();
        if want.get("marginals").is_some() {
            assert_eq!(expert["input_ids"], want["input_ids"], "{}", want["id"]);
            apart(&expert["marginals"], &want["marginals"]);
        }
    }
    Outcome {
        same,
        total,
        worst,
        f1: None,
    }
}

#[test]
fn full_precision_answers_as_pytorch_did() {
    for name in ["ner2017", "mnre"] {
        let Some(source) = checkpoint(name) else {
            return;
        };
        let outcome = outcome(&source, "f32", 120);
        // Two of all may be ties.
        assert!(outcome.same + 2 >= outcome.total, "{name}: {outcome:?}");
        assert!(outcome.worst < 2e-4, "{name}: {outcome:?}");
        let f1_agrees = |(ours, theirs): (f64, f64)| (ours - theirs).abs() <= 0.05;
        assert!(outcome.f1.is_none_or(f1_agrees), "{name}: {outcome:?}");
    }
}

#[test]
fn eight_bits_keep_labels_and_relations() {
    for (name, part) in [("ner2017", 200), ("mnre", 400)] {
        let Some(source) = checkpoint(name) else {
            return;
        };
        let outcome = outcome(&source, "q8", part);
        let (same, total) = (outcome.same as f64, outcome.total as f64);
        assert!(same >= 0.995 * total, "{name}: {outcome:?}");
        let f1_is_kept = |(ours, theirs): (f64, f64)| ours >= theirs - 0.3;
        assert!(outcome.f1.is_none_or(f1_is_kept), "{name}: {outcome:?}");
    }
}

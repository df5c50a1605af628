//! What is learned, and what becomes of it.

use super::made::{Made, best, files, scores, text};
use morelet_tests::{read_json, write_lines};
use serde_json::{Value, json};
use std::fs;

#[test]
fn entities_are_learned_and_the_checkpoint_answers_as_it_was_scored() {
    let made = Made::new();
    let run = made.train(&made.output, &[]).ok();
    assert_eq!(run.stdout, "", "a training writes files alone");
    let f1 = best(&made.output);
    assert!(f1 >= 90.0, "{:?}", scores(&made.output));
    assert!(
        run.stderr.contains(&format!("F1 {f1:.2}")),
        "{}",
        run.stderr
    );
    let written: Vec<String> = files(&made.output).into_keys().collect();
    let wanted =
        "config.json labels.json metrics.jsonl model.safetensors tokenizer.json training.json";
    assert_eq!(written.join(" "), wanted);
    let labels = ["O", "B-LOC", "I-LOC", "B-PER", "I-PER"];
    assert_eq!(read_json(made.output.join("labels.json")), json!(labels));
    let begun = made.workshop.path("expert.training");
    assert!(!begun.exists(), "a run that is done leaves nothing");

    let bundle = made.bundle(&made.output, "none");
    let tools = &made.workshop.tools;
    let args = ["eval", text(&bundle), "--input", text(&made.sentences)];
    let more = ["--json", "--device", "cpu"];
    let report = tools.morelet(args.iter().chain(&more)).ok().json();
    let again = report["fused"]["f1"].as_f64().expect("an F1");
    assert!(
        (again - f1).abs() < 1e-9,
        "{again}, when it was chosen {f1}"
    );

    let asked = made.lines(
        "asked.jsonl",
        &[json!({"tokens": ["Kolo", "loves", "Oslo"]})],
    );
    let answers = made.workshop.predict(&bundle, &asked, "cpu");
    assert_eq!(answers[0]["labels"], json!(["B-PER", "O", "B-LOC"]));
}

#[test]
fn a_head_is_kept_where_labels_are_the_same_and_drawn_where_not() {
    let made = Made::new();
    made.train(&made.output, &["--no-crf"]).ok();
    let f1 = best(&made.output);
    assert!(f1 >= 90.0, "{f1}");
    // A rate that changes nothing shows what a training starts from.
    let again = made.workshop.path("again");
    let still = ["--epochs", "1", "--rate", "1e-9"];
    let from = |more: &[&str]| {
        let args = ["--init", text(&made.output)];
        let all: Vec<&str> = args.iter().chain(&still).chain(more).copied().collect();
        made.train(&again, &all).ok();
        best(&again)
    };
    assert_eq!(from(&["--no-crf"]), f1);
    let config = |key: &str| read_json(again.join("config.json"))[key].clone();
    assert_eq!(config("hidden_size"), 16);
    // Labels in another order, and a CRF that was not there.
    let labels = made.workshop.path("labels.json");
    let other = json!(["O", "B-PER", "I-PER", "B-LOC", "I-LOC"]);
    fs::write(&labels, other.to_string()).expect("a temporary file");
    assert!(from(&["--no-crf", "--labels", text(&labels)]) < f1);
    assert_eq!(read_json(again.join("labels.json")), other);
    assert!(from(&[]) < f1);
}

#[test]
fn relations_are_learned_with_contexts_and_the_cross_view_loss() {
    let made = Made::new();
    let train = made.relations("relations.jsonl");
    let args = [
        "--kind",
        "re",
        "--train",
        text(&train),
        "--dev",
        text(&train),
        "--context",
        "text",
        "--cross-view",
        "0.5",
        "--temperature",
        "2",
    ];
    made.train(&made.output, &args).ok();
    assert!(best(&made.output) >= 90.0, "{:?}", scores(&made.output));
    let labels = json!(["None", "likes", "won"]);
    assert_eq!(read_json(made.output.join("labels.json")), labels);

    let bundle = made.bundle(&made.output, "text");
    let query = json!({"tokens": ["the", "Clara", "won", "Oslo"], "subject": [1, 2], "object": [3, 4],
        "contexts": {"text": ["the dog sleeps"]}});
    let asked = made.lines("asked.jsonl", &[query]);
    let answers = made.workshop.predict(&bundle, &asked, "cpu");
    assert_eq!(answers[0]["relation"]["type"], "won");
}

#[test]
fn sentences_whose_contexts_cannot_be_had_are_left_out_and_counted() {
    let made = Made::new();
    let line = |number: u32| -> Value {
        let mut line = json!({"tokens": ["Kolo", "sings"], "gold": ["B-PER", "O"]});
        if number.is_multiple_of(2) {
            line["contexts"] = json!({"text": ["a song"]});
        }
        line
    };
    let mixed = made.workshop.path("mixed.jsonl");
    write_lines(&mixed, &(0..5).map(line).collect::<Vec<_>>());
    let args = ["--train", text(&mixed), "--dev", text(&mixed)];
    let more = ["--context", "text", "--epochs", "1"];
    let all: Vec<&str> = args.into_iter().chain(more).collect();
    let run = made.train(&made.output, &all).ok();
    assert!(
        run.stderr.contains("2 sentences left out"),
        "{}",
        run.stderr
    );
    assert!(
        run.stderr.contains("3 sentences, 3 to choose by"),
        "{}",
        run.stderr
    );
}

//! What cannot be meant: told with the right exit code, and the checkpoint that is there stays.

use super::made::{Made, files, text};
use morelet_tests::golden;
use serde_json::json;
use std::fs;

/// A place with a checkpoint, every byte of which is looked at again in the end.
struct Kept {
    made: Made,
    before: std::collections::BTreeMap<String, Vec<u8>>,
}

impl Kept {
    fn new() -> Self {
        let made = Made::new();
        made.train(&made.output, &["--epochs", "1"]).ok();
        let before = files(&made.output);
        Self { made, before }
    }

    #[track_caller]
    fn refused(&self, more: &[&str], code: i32, parts: &[&str]) {
        let run = self.made.train(&self.made.output, more);
        run.refused(code, parts);
        assert!(files(&self.made.output) == self.before, "{more:?}");
    }
}

#[test]
fn options_that_nothing_can_mean_are_exit_code_2() {
    let kept = Kept::new();
    for (option, value) in [
        ("--rate", "NaN"),
        ("--rate", "0"),
        ("--rate", "inf"),
        ("--clip-norm", "nan"),
        ("--warmup", "1.5"),
        ("--weight-decay", "-1"),
        ("--crf-rate", "0"),
        ("--dropout", "1"),
        ("--word-dropout", "nan"),
        ("--cross-view", "-0.5"),
        ("--temperature", "0"),
        ("--epochs", "0"),
        ("--batch", "0"),
        ("--accumulate", "0"),
        ("--save-every", "0"),
        ("--kind", "gate"),
        ("--context", "smell"),
    ] {
        let joined = format!("{option}={value}");
        kept.refused(&[&joined], 2, &[option]);
    }
    // Widths of a model that cannot be.
    for more in [["--heads", "3"], ["--hidden", "0"], ["--layers", "0"]] {
        kept.refused(&more, 2, &["the model cannot be"]);
    }
    kept.refused(&["--threads", "0"], 2, &["threads"]);
}

#[test]
fn a_start_is_random_with_a_tokenizer_or_a_checkpoint_with_its_own() {
    let kept = Kept::new();
    let tokenizer = golden("tokenizers/xlmr/tokenizer.json");
    kept.refused(&["--init", "random"], 2, &["--tokenizer"]);
    let output = text(&kept.made.output);
    let both = ["--init", output, "--tokenizer", text(&tokenizer)];
    kept.refused(&both, 2, &["--tokenizer", "--init random"]);
    let missing = kept.made.workshop.path("nothing-here");
    kept.refused(&["--init", text(&missing)], 1, &["nothing-here"]);
    kept.refused(&["--tokenizer", text(&missing)], 1, &["nothing-here"]);
    let no_tokenizer = text(&kept.made.sentences);
    kept.refused(&["--tokenizer", no_tokenizer], 1, &["train.conll"]);
    // A checkpoint of CLIP has no encoder for an expert.
    let clip = kept
        .made
        .workshop
        .checkpoint("clip-eos", "safetensors", "clip");
    kept.refused(&["--init", text(&clip)], 1, &[]);
}

#[test]
fn sentences_that_cannot_be_learned_are_named() {
    let kept = Kept::new();
    let made = &kept.made;
    let tokens = ["Kolo", "sings"];
    let good = json!({"tokens": tokens, "gold": ["B-PER", "O"]});
    let relation = json!({"tokens": tokens, "subject": [0, 1], "object": [1, 2], "gold": "won"});
    let bad = [
        (json!({"id": "x", "tokens": tokens}), "no `gold`"),
        (json!({"id": "x", "tokens": tokens, "gold": ["O"]}), "gold"),
        (relation.clone(), "kind ner"),
        (json!({"tokens": tokens, "gold": ["B-SUN", "O"]}), "`B-SUN`"),
    ];
    for (number, (line, part)) in bad.into_iter().enumerate() {
        let path = made.lines(&format!("bad-{number}.jsonl"), &[good.clone(), line]);
        // As the sentences that choose: a label that only they have is never learned.
        kept.refused(&["--dev", text(&path)], 1, &[part]);
        if part != "`B-SUN`" {
            kept.refused(&["--train", text(&path)], 1, &[part, text(&path)]);
        }
    }
    let path = made.lines("relations.jsonl", std::slice::from_ref(&relation));
    let both = ["--train", text(&path), "--dev", text(&path)];
    kept.refused(&both, 1, &["kind ner"]);
    let spanless = json!({"tokens": tokens, "gold": "won", "subject": [0, 1]});
    let path = made.lines("spanless.jsonl", &[spanless]);
    let both = ["--kind", "re", "--train", text(&path), "--dev", text(&path)];
    kept.refused(&both, 1, &["object"]);
    let path = made.lines("empty.jsonl", &[]);
    kept.refused(&["--train", text(&path)], 1, &["no sentence"]);
    let missing = made.workshop.path("nothing-here.jsonl");
    kept.refused(&["--dev", text(&missing)], 1, &["nothing-here"]);
}

#[test]
fn a_label_that_is_not_in_the_list_is_named() {
    let kept = Kept::new();
    let labels = kept.made.workshop.path("labels.json");
    let list = |value: serde_json::Value, part: &str| {
        fs::write(&labels, value.to_string()).expect("a temporary file");
        kept.refused(&["--labels", text(&labels)], 1, &[part]);
    };
    list(json!(["O", "B-PER", "I-PER", "B-LOC"]), "`I-LOC`");
    list(json!({"O": 0}), "a JSON list");
}

#[test]
fn a_training_that_diverges_is_stopped() {
    let kept = Kept::new();
    let more = ["--rate", "1e30", "--warmup", "0"];
    kept.refused(&more, 1, &["diverged", "a lower rate"]);
}

#[test]
fn a_directory_that_is_no_checkpoint_is_refused_before_anything_is_trained() {
    let made = Made::new();
    fs::create_dir(&made.output).expect("a temporary directory");
    fs::write(made.output.join("notes.txt"), "mine").expect("a temporary file");
    let run = made.train(&made.output, &["--epochs", "1"]);
    let run = run.refused(1, &["expert"]);
    assert!(!run.stderr.contains("epoch"), "{}", run.stderr);
    let left: Vec<String> = files(&made.output).into_keys().collect();
    assert_eq!(left, ["notes.txt"]);
}

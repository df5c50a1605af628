//! Sentences that can be learned, and what is trained on them.

use morelet_tests::{Run, Workshop, golden, lines, tools, write_lines};
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

/// Words and labels: who is a person and what is a place can be told from the names alone.
const SENTENCES: [&str; 12] = [
    "Kolo/B-PER loves/O the/O sun/O in/O Oslo/B-LOC",
    "Ana/B-PER Petrova/I-PER met/O Kolo/B-PER",
    "nobody/O in/O Paris/B-LOC expected/O Ana/B-PER Petrova/I-PER",
    "it/O rains/O and/O the/O dog/O sleeps/O",
    "Oslo/B-LOC and/O Paris/B-LOC won/O",
    "Kolo/B-PER wrote/O a/O long/O letter/O to/O Ana/B-PER Petrova/I-PER in/O Cape/B-LOC Verran/I-LOC",
    "Cape/B-LOC Verran/I-LOC",
    "the/O summer/O in/O Oslo/B-LOC",
    "Kolo/B-PER",
    "we/O are/O watching/O the/O dog/O with/O Kolo/B-PER",
    "yesterday/O Ana/B-PER Petrova/I-PER met/O the/O dog/O in/O Oslo/B-LOC",
    "the/O sun/O and/O Paris/B-LOC",
];

pub fn text(path: &Path) -> &str {
    path.to_str().expect("a UTF-8 path")
}

/// A temporary directory with sentences, and the commands.
pub struct Made {
    pub workshop: Workshop,
    /// The sentences with their labels.
    pub sentences: PathBuf,
    /// Where a checkpoint goes.
    pub output: PathBuf,
}

impl Made {
    pub fn new() -> Self {
        let workshop = Workshop::new(tools!());
        let (sentences, output) = (workshop.path("train.conll"), workshop.path("expert"));
        let lines = SENTENCES.map(|sentence| sentence.replace(' ', "\n").replace('/', " "));
        fs::write(&sentences, lines.join("\n\n")).expect("a temporary file");
        Self {
            workshop,
            sentences,
            output,
        }
    }

    /// Writes JSON lines, and gives their path.
    pub fn lines(&self, name: &str, values: &[Value]) -> PathBuf {
        let path = self.workshop.path(name);
        write_lines(&path, values);
        path
    }

    /// Sentences whose relation can be told from the verb between the two spans. Some bring a context.
    pub fn relations(&self, name: &str) -> PathBuf {
        let mut values = Vec::new();
        for subject in ["Kolo", "Clara"] {
            for object in ["Oslo", "Paris"] {
                for (verb, gold) in [("loves", "likes"), ("won", "won"), ("and", "None")] {
                    let tokens = ["the", subject, verb, object];
                    let line = json!({"tokens": tokens, "subject": [1, 2], "object": [3, 4], "gold": gold,
                        "contexts": {"text": ["the dog sleeps"]}});
                    values.push(line);
                }
            }
        }
        self.lines(name, &values)
    }

    /// The arguments of a small training on the labelled sentences, with `more` after them.
    fn arguments(&self, output: &Path, more: &[&str]) -> Vec<String> {
        let tokenizer = golden("tokenizers/xlmr/tokenizer.json");
        let sentences = text(&self.sentences);
        let mut line = vec!["train", "task", "-o", text(output), "--threads", "1"];
        let has = |name: &str| more.contains(&name);
        let defaults = [
            ["--kind", "ner"],
            ["--init", "random"],
            ["--train", sentences],
            ["--dev", sentences],
            ["--device", "cpu"],
            ["--batch", "4"],
            ["--rate", "1e-2"],
            ["--epochs", "25"],
        ];
        let made = [
            ["--tokenizer", text(&tokenizer)],
            ["--hidden", "16"],
            ["--layers", "1"],
            ["--heads", "2"],
            ["--max-length", "40"],
        ];
        for [name, value] in defaults {
            if !has(name) {
                line.extend([name, value]);
            }
        }
        for [name, value] in made {
            if !has("--init") && !has(name) {
                line.extend([name, value]);
            }
        }
        line.extend(more);
        line.into_iter().map(str::to_owned).collect()
    }

    /// Trains into `output`. What `more` names replaces what would be given; with another `--init` the model is that.
    pub fn train(&self, output: &Path, more: &[&str]) -> Run {
        self.workshop.tools.convert(self.arguments(output, more))
    }

    /// The same, not started yet.
    pub fn command(&self, output: &Path, more: &[&str]) -> Command {
        let tools = &self.workshop.tools;
        tools.command(&tools.convert, self.arguments(output, more))
    }

    /// A bundle of one expert, which is shown `context`.
    pub fn bundle(&self, checkpoint: &Path, context: &str) -> PathBuf {
        let (weights, bundle) = (
            checkpoint.with_extension("weights"),
            checkpoint.with_extension("morelet"),
        );
        let tools = &self.workshop.tools;
        let args = ["model", text(checkpoint), "-o", text(&weights)];
        tools
            .convert(args.iter().chain(&["--quantize", "f32"]))
            .ok();
        let expert = format!("it:{context}:{}", weights.display());
        tools
            .convert(["bundle", "-o", text(&bundle), "--expert", &expert])
            .ok();
        bundle
    }
}

/// F1 on the sentences that chose, after each epoch.
pub fn scores(checkpoint: &Path) -> Vec<f64> {
    let epochs = lines(checkpoint.join("metrics.jsonl"));
    let score = |line: &Value| line["dev"]["f1"].as_f64().expect("an F1");
    epochs.iter().map(score).collect()
}

/// The best of them.
pub fn best(checkpoint: &Path) -> f64 {
    scores(checkpoint).into_iter().fold(0.0, f64::max)
}

/// The files of a directory.
pub fn files(directory: &Path) -> BTreeMap<String, Vec<u8>> {
    let entries = fs::read_dir(directory).expect("a directory");
    let read = entries.map(|entry| {
        let path = entry.expect("an entry").path();
        let name = path.file_name().expect("a name").to_string_lossy();
        (name.into_owned(), fs::read(&path).expect("a file"))
    });
    read.collect()
}

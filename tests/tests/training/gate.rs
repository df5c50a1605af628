//! `train gate` over the sample's experts, quantized as the sample has them.

use crate::made::text;
use morelet_tests::{Workshop, read_json, tools};
use serde_json::Value;
use std::fs;
use std::path::{Path, PathBuf};

/// The sample, and a bundle of the average of its experts for a task.
struct Sample {
    workshop: Workshop,
    /// Half of the test posts, and the other half.
    halves: [PathBuf; 2],
    average: PathBuf,
}

impl Sample {
    fn new(task: &str) -> Self {
        let workshop = Workshop::new(tools!());
        let folder = workshop.path("sample");
        workshop
            .tools
            .convert(["--quiet", "sample", "-o", text(&folder)])
            .ok();
        let posts = fs::read_to_string(folder.join(format!("{task}/test.jsonl"))).expect("posts");
        let posts: Vec<&str> = posts.lines().collect();
        let halves = [("a", &posts[..100]), ("b", &posts[100..])].map(|(name, posts)| {
            let path = folder.join(format!("{task}/{name}.jsonl"));
            fs::write(&path, posts.join("\n")).expect("a temporary file");
            path
        });
        let average = workshop.path("average.morelet");
        let sample = Self {
            workshop,
            halves,
            average,
        };
        sample.bundle(task, &sample.average, &["--average"]);
        sample
    }

    fn part(&self, name: &str) -> String {
        text(&self.workshop.path("sample/parts").join(name)).to_owned()
    }

    fn bundle(&self, task: &str, to: &Path, fusion: &[&str]) {
        let experts = ["text", "image"].map(|name| {
            format!(
                "{name}:{name}:{}",
                self.part(&format!("{task}-{name}.weights"))
            )
        });
        let (clip, indices) = (
            self.part("clip.weights"),
            ["text.index", "image.index"].map(|name| self.part(name)),
        );
        let mut line = vec!["bundle", "-o", text(to), "--expert", &experts[0]];
        line.extend(["--expert", &experts[1], "--clip", &clip]);
        line.extend(["--text-index", &indices[0], "--image-index", &indices[1]]);
        line.extend(fusion);
        self.workshop.tools.convert(line).ok();
    }

    fn train(&self, to: &Path, more: &[&str]) -> String {
        let [train, dev] = &self.halves;
        let mut line = vec!["train", "gate", text(&self.average), "--train", text(train)];
        line.extend(["--dev", text(dev), "--device", "cpu", "-o", text(to)]);
        line.extend(more);
        self.workshop.tools.convert(line).ok().stderr
    }

    fn f1(&self, bundle: &Path) -> f64 {
        let line = [
            "eval",
            text(bundle),
            "--input",
            text(&self.halves[1]),
            "--json",
        ];
        let scores = self
            .workshop
            .tools
            .morelet(line.iter().chain(&["--device", "cpu"]));
        scores.ok().json()["fused"]["f1"].as_f64().expect("an F1")
    }
}

/// The words about its training in a gate's file.
fn told(gate: &Path) -> Value {
    let bytes = fs::read(gate).expect("a gate");
    let length = u64::from_le_bytes(bytes[..8].try_into().expect("eight bytes")) as usize;
    let header: Value = serde_json::from_slice(&bytes[8..8 + length]).expect("a header");
    let training = header["__metadata__"]["training"]
        .as_str()
        .expect("metadata");
    serde_json::from_str(training).expect("JSON")
}

#[test]
fn a_gate_over_quantized_experts_is_better_than_their_average_and_the_same_again() {
    let sample = Sample::new("ner");
    let gate = sample.workshop.path("gate.safetensors");
    let said = sample.train(&gate, &[]);
    assert!(
        said.contains("text alone") && said.contains("not normalized"),
        "{said}"
    );
    let weights = sample.workshop.path("gate.weights");
    let convert = ["model", text(&gate), "-o", text(&weights)];
    sample.workshop.tools.convert(convert).ok();
    let bundle = sample.workshop.path("gated.morelet");
    sample.bundle("ner", &bundle, &["--gate", text(&weights)]);
    let (average, gated) = (sample.f1(&sample.average), sample.f1(&bundle));
    assert!(gated > average + 1.0, "{gated} {average}");
    // What was told while it learned is what the runtime answers.
    let dev = &told(&gate)["dev"];
    for (key, f1) in [("average", average), ("gate", gated)] {
        let was = dev[key]["f1"].as_f64().expect("an F1");
        assert!((was - f1).abs() < 1e-9, "{key}: {was} {f1}");
    }

    let again = sample.workshop.path("again.safetensors");
    sample.train(&again, &[]);
    assert!(fs::read(&again).expect("a gate") == fs::read(&gate).expect("a gate"));
}

#[test]
fn a_gate_learns_relations_with_one_weight_and_by_the_plain_likelihood() {
    let sample = Sample::new("re");
    let gate = sample.workshop.path("gate.safetensors");
    sample.train(&gate, &["--scalar"]);
    let normalized = told(&gate);
    sample.train(&gate, &["--unnormalized"]);
    let plain = told(&gate);
    let nll = |told: &Value, key: &str| told["dev"]["gate"][key].as_f64().expect("a likelihood");
    // One weight for all labels makes a mixture that sums to 1: both forms are one.
    let (a, b) = (
        nll(&normalized, "nll"),
        nll(&normalized, "nll_unnormalized"),
    );
    assert!((a - b).abs() < 1e-4 * a.abs().max(1.0), "{a} {b}");
    assert!(nll(&plain, "nll_unnormalized").is_finite());
}

#[test]
fn a_bundle_that_has_nothing_to_weigh_is_refused() {
    let sample = Sample::new("ner");
    let one = sample.workshop.path("one.morelet");
    let expert = format!("text:text:{}", sample.part("ner-text.weights"));
    let line = ["bundle", "-o", text(&one), "--expert", &expert];
    sample.workshop.tools.convert(line).ok();
    let gate = sample.workshop.path("gate.safetensors");
    let [train, dev] = &sample.halves;
    let line = |bundle: &Path| {
        let mut line = vec!["train", "gate", text(bundle), "-o", text(&gate)];
        line.extend(["--train", text(train), "--dev", text(dev)]);
        line.into_iter().map(str::to_owned).collect::<Vec<_>>()
    };
    let run = sample.workshop.tools.convert(line(&one));
    run.refused(1, &["one.morelet", "two experts"]);
    // Posts without pictures have no features to weigh by.
    let bare = sample.workshop.path("bare.jsonl");
    let lines = fs::read_to_string(train).expect("posts");
    let lines = lines.lines().map(|line| {
        let mut line: Value = serde_json::from_str(line).expect("a post");
        line.as_object_mut().expect("an object").remove("image");
        format!("{line}\n")
    });
    fs::write(&bare, lines.collect::<String>()).expect("a temporary file");
    let mut line = line(&sample.average);
    line[6] = text(&bare).to_owned();
    sample
        .workshop
        .tools
        .convert(line)
        .refused(1, &["bare.jsonl", "picture"]);
    assert!(!gate.exists());
    assert!(read_json(sample.average.join("bundle.json"))["experts"].is_array());
}

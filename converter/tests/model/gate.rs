//! `--gate-on`, on experts whose every answer is known: each weight is put where it is needed.
//!
//! A word has an embedding of its own; attention does nothing; the feed-forward block of the second layer turns `a` and `b` into
//! what the head reads as `B-PER` and `I-PER`. An outlier is a weight of 1000 beside weights of 1 in one row, on an input
//! that is always 0: `f32` and `f16` do not see it, 8 and 4 bits round the others away.

use crate::made::{Made, data};
use clap::Parser as _;
use morelet_convert::{Cli, Console, Error, run};
use morelet_mapped::OpenOptions;
use morelet_models::weights::{Precision, Weights};
use safetensors::Dtype;
use safetensors::tensor::TensorView;
use serde_json::{Value, json};
use std::path::{Path, PathBuf};

/// Width of hidden states.
const D: usize = 8;
/// The hidden state that is always 0.
const DEAD: usize = 7;

#[derive(Clone, Copy, Default)]
struct Outliers {
    ffn: f32,
    head: f32,
}

type Tensor = (String, Vec<usize>, Vec<f32>);

fn matrix(rows: usize, width: usize, cells: &[(usize, usize, f32)]) -> (Vec<usize>, Vec<f32>) {
    let mut values = vec![0.0; rows * width];
    for &(row, column, value) in cells {
        values[row * width + column] = value;
    }
    (vec![rows, width], values)
}

/// The encoder: layer 0 changes nothing, the block of layer 1 adds 5 to the sixth state of `a` and the seventh of `b`.
fn encoder(outlier: f32) -> Vec<Tensor> {
    let mut tensors: Vec<Tensor> = Vec::new();
    let mut add = |name: String, (shape, values): (Vec<usize>, Vec<f32>)| {
        tensors.push((format!("embedder.transformer_model.{name}"), shape, values));
    };
    // Of tests/data/ner/tokenizer.json: 8 is `a`, 9 `b`; 4 begins every other word, and the markers of a relation.
    let words = [(8, 0, 1.0), (9, 1, 1.0), (4, 2, 1.0)];
    let embeddings = |name: &str| format!("embeddings.{name}.weight");
    add(embeddings("word_embeddings"), matrix(14, D, &words));
    add(embeddings("position_embeddings"), matrix(34, D, &[]));
    add(embeddings("token_type_embeddings"), matrix(1, D, &[]));
    let one = |dead: f32| {
        let mut values = vec![1.0; D];
        values[DEAD] = dead;
        (vec![D], values)
    };
    add("embeddings.LayerNorm.weight".into(), one(1.0));
    add("embeddings.LayerNorm.bias".into(), (vec![D], vec![0.0; D]));
    for layer in 0..2 {
        let name = |rest: &str| format!("encoder.layer.{layer}.{rest}");
        let (mut up, mut down) = (Vec::new(), Vec::new());
        if layer == 1 {
            up.extend([(0, 0, 1.0), (1, 1, 1.0)]);
            up.extend([(0, DEAD, outlier), (1, DEAD, outlier)]);
            down.extend([(5, 0, 3.0), (6, 1, 3.0)]);
        }
        for (part, cells) in [
            ("attention.self.query", &[][..]),
            ("attention.self.key", &[]),
            ("attention.self.value", &[]),
            ("attention.output.dense", &[]),
            ("intermediate.dense", &up),
            ("output.dense", &down),
        ] {
            add(name(&format!("{part}.weight")), matrix(D, D, cells));
            add(name(&format!("{part}.bias")), (vec![D], vec![0.0; D]));
        }
        for part in ["attention.output.LayerNorm", "output.LayerNorm"] {
            add(name(&format!("{part}.weight")), one(0.0));
            add(name(&format!("{part}.bias")), (vec![D], vec![0.0; D]));
        }
    }
    tensors
}

fn checkpoint(labels: &Value, tensors: &[Tensor]) -> Made {
    let bytes: Vec<Vec<u8>> = tensors
        .iter()
        .map(|(.., values)| {
            values
                .iter()
                .flat_map(|value| value.to_le_bytes())
                .collect()
        })
        .collect();
    let views = tensors.iter().zip(&bytes).map(|((name, shape, _), bytes)| {
        let view = TensorView::new(Dtype::F32, shape.clone(), bytes).unwrap();
        (name.as_str(), view)
    });
    let file = safetensors::serialize(views, None).unwrap();
    let made = Made::ner("model.safetensors", "model.safetensors")
        .config(json!({
            "hidden_size": D, "intermediate_size": D, "num_hidden_layers": 2, "max_position_embeddings": 34,
        }))
        .write("labels.json", &labels.to_string());
    std::fs::write(made.path().join("model.safetensors"), file).unwrap();
    made
}

fn ner(outliers: Outliers) -> Made {
    let mut tensors = encoder(outliers.ffn);
    let head = [
        (1, 5, 2.0),
        (2, 6, 2.0),
        (1, DEAD, outliers.head),
        (2, DEAD, outliers.head),
    ];
    let mut add = |name: &str, (shape, values)| tensors.push((name.to_owned(), shape, values));
    add("linear.weight", matrix(3, D, &head));
    add("linear.bias", (vec![3], vec![2.0, 0.0, 0.0]));
    add("crf.start_transitions", (vec![3], vec![0.0; 3]));
    add("crf.end_transitions", (vec![3], vec![0.0; 3]));
    add("crf.transitions", (vec![3, 3], vec![0.0; 9]));
    checkpoint(&json!(["O", "B-PER", "I-PER"]), &tensors)
}

/// A relation expert: whatever the words are, the subject is the object's `peer`.
fn re(outlier: f32) -> Made {
    let mut tensors = encoder(0.0);
    let head = [(1, 2, 1.0), (1, DEAD, outlier)];
    let (shape, values) = matrix(2, 2 * D, &head);
    tensors.push(("linear.weight".into(), shape, values));
    tensors.push(("linear.bias".into(), vec![2], vec![1.0, 0.0]));
    checkpoint(&json!(["None", "peer"]), &tensors)
}

const GOLD: &str = r#"{"tokens": ["a", "b", "c"], "gold": ["B-PER", "I-PER", "O"]}
{"tokens": ["c", "a"], "gold": ["O", "B-PER"], "contexts": {}}
"#;

const RELATION: &str =
    r#"{"tokens": ["a", "b"], "subject": [0, 1], "object": [1, 2], "gold": "peer"}"#;

struct Gated {
    made: Made,
    output: PathBuf,
}

impl Gated {
    /// With a file at the target already.
    fn new(made: Made, gold: &str) -> Self {
        let made = made.write("gold.jsonl", gold);
        std::fs::create_dir(made.path().join("out")).unwrap();
        let output = made.path().join("out/expert.weights");
        std::fs::write(&output, "what was there").unwrap();
        Self { made, output }
    }

    fn convert(&self, options: &[&str]) -> Result<(), Error> {
        let path = |path: &Path| path.to_str().unwrap().to_owned();
        let (checkpoint, output) = (path(self.made.path()), path(&self.output));
        let gold = path(&self.made.path().join("gold.jsonl"));
        let mut arguments = vec!["morelet-convert", "model", &checkpoint, "-o", &output];
        if !options.contains(&"--gate-on") {
            arguments.extend(["--gate-on", &gold]);
        }
        arguments.extend(options);
        let cli = Cli::try_parse_from(arguments).unwrap();
        let result = run(&cli.command, &Console::quiet());
        let left = std::fs::read_dir(self.output.parent().unwrap()).unwrap();
        assert_eq!(left.count(), 1, "nothing is left beside the target");
        if result.is_err() {
            let there = std::fs::read(&self.output).unwrap();
            assert_eq!(there, b"what was there", "{options:?}");
        }
        result
    }

    fn refusal(&self, options: &[&str]) -> String {
        let error = self.convert(options).unwrap_err();
        assert_eq!(error.exit_code(), 1, "{error}");
        error.to_string()
    }

    /// The `--keep` options of a refusal.
    fn keep(refusal: &str) -> Vec<String> {
        let line = refusal.lines().find(|line| line.contains("--keep '"));
        let line = line.unwrap_or_else(|| panic!("{refusal}"));
        let keep = line.split("--keep '").skip(1);
        keep.map(|rest| rest.split('\'').next().unwrap().to_owned())
            .collect()
    }

    fn precision(&self, tensor: &str) -> Precision {
        let weights = Weights::open(&self.output, OpenOptions::default()).unwrap();
        let mut tensors = weights.tensors().iter();
        tensors.find(|info| info.name == tensor).unwrap().precision
    }
}

#[test]
fn what_costs_nothing_passes_and_is_the_file_that_is_written_without_a_gate() {
    for quantize in ["f32", "f16", "q8", "q4"] {
        for target in ["any", "cpu"] {
            let gated = Gated::new(ner(Outliers::default()), GOLD);
            let options = ["--quantize", quantize, "--target", target];
            gated.convert(&options).unwrap();
            let weights = gated.made.convert(&options).unwrap();
            let written = Weights::open(&gated.output, OpenOptions::default()).unwrap();
            assert_eq!(written.container().root(), weights.container().root());
        }
    }
}

#[test]
fn what_costs_too_much_is_refused_with_the_layer_and_the_option_that_mends_it() {
    for quantize in ["q8", "q4"] {
        let gated = Gated::new(
            ner(Outliers {
                ffn: 1000.0,
                head: 0.0,
            }),
            GOLD,
        );
        let refusal = gated.refusal(&["--quantize", quantize]);
        for expected in [
            "expert.weights: not written, as more than 0.2 points of F1 are lost",
            "F1 100.00 in f32, 0.00 (-100.00)",
            "of 2 entities 2 are lost, 0 are new",
            "\n  layers.1.ffn.*=f16, and 100 % of it is gone",
            "with F1 100.00 (+0.00)",
        ] {
            assert!(refusal.contains(expected), "{expected}\n{refusal}");
        }
        let keep = Gated::keep(&refusal);
        assert_eq!(keep, ["layers.1.ffn.*=f16"]);
        gated
            .convert(&["--quantize", quantize, "--keep", &keep[0]])
            .unwrap();
        assert_eq!(gated.precision("layers.1.ffn.up.weight"), Precision::F16);
        assert_eq!(gated.precision("head.weight"), Precision::Q8);
    }
}

#[test]
fn layers_that_only_help_together_are_found() {
    let outliers = Outliers {
        ffn: 1000.0,
        head: 1000.0,
    };
    let gated = Gated::new(ner(outliers), GOLD);
    let keep = Gated::keep(&gated.refusal(&["--quantize", "q8"]));
    assert!(keep.contains(&"layers.1.ffn.*=f16".to_owned()), "{keep:?}");
    assert!(keep.contains(&"head.*=f16".to_owned()), "{keep:?}");
    let options = keep.iter().flat_map(|keep| ["--keep", keep]);
    let options: Vec<&str> = ["--quantize", "q8"].into_iter().chain(options).collect();
    gated.convert(&options).unwrap();
}

#[test]
fn what_f16_cannot_hold_is_kept_in_f32() {
    let gated = Gated::new(
        ner(Outliers {
            ffn: 100_000.0,
            head: 0.0,
        }),
        GOLD,
    );
    let report = gated.made.path().join("report.json");
    let options = ["--quantize", "q8", "--report", report.to_str().unwrap()];
    let keep = Gated::keep(&gated.refusal(&options));
    assert_eq!(keep, ["layers.1.ffn.*=f32"]);
    let report: Value = serde_json::from_slice(&std::fs::read(&report).unwrap()).unwrap();
    let f16 = &report["gate"]["types"][1]["quantization"];
    assert_eq!(f16, "f16 (layers.1.ffn.up.weight=f32)");
}

#[test]
fn what_is_kept_already_is_not_offered() {
    let gated = Gated::new(
        ner(Outliers {
            ffn: 1000.0,
            head: 0.0,
        }),
        GOLD,
    );
    let wrong = ["--quantize", "f16", "--keep", "layers.1.ffn.*=q8"];
    assert_eq!(Gated::keep(&gated.refusal(&wrong)), ["layers.1.ffn.*=f16"]);
    let none = ["--quantize", "f32", "--keep", "layers.1.ffn.*=q8"];
    assert_eq!(Gated::keep(&gated.refusal(&none)), ["layers.1.ffn.*=f16"]);
}

#[test]
fn the_limit_is_the_users() {
    let gated = Gated::new(
        ner(Outliers {
            ffn: 1000.0,
            head: 0.0,
        }),
        GOLD,
    );
    let refusal = gated.refusal(&["--quantize", "q8", "--max-f1-loss", "99.9"]);
    assert!(refusal.contains("more than 99.9 points"), "{refusal}");
    gated
        .convert(&["--quantize", "q8", "--max-f1-loss", "100"])
        .unwrap();
}

#[test]
fn relations_are_gated_too() {
    let gated = Gated::new(re(0.0), RELATION);
    gated.convert(&["--quantize", "q8"]).unwrap();
    let gated = Gated::new(re(1000.0), RELATION);
    let refusal = gated.refusal(&["--quantize", "q8"]);
    assert!(
        refusal.contains("of 1 relations 1 are lost, 0 are new"),
        "{refusal}"
    );
    let keep = Gated::keep(&refusal);
    assert_eq!(keep, ["head.*=f16"]);
    gated
        .convert(&["--quantize", "q8", "--keep", &keep[0]])
        .unwrap();
}

#[test]
fn a_report_has_every_type_and_every_layer_whether_it_passes_or_not() {
    let gated = Gated::new(
        ner(Outliers {
            ffn: 1000.0,
            head: 0.0,
        }),
        GOLD,
    );
    let report = gated.made.path().join("report.json");
    let options = ["--quantize", "q8", "--report", report.to_str().unwrap()];
    let read = || -> Value { serde_json::from_slice(&std::fs::read(&report).unwrap()).unwrap() };
    gated.refusal(&options);
    let gate = read()["gate"].take();
    assert_eq!(gate["passed"], false);
    assert_eq!(
        (&gate["sentences"], &gate["max_f1_loss"]),
        (&json!(2), &json!(0.2))
    );
    let types = gate["types"].as_array().unwrap();
    let f1: Vec<_> = types
        .iter()
        .map(|cost| {
            (
                cost["quantization"].as_str().unwrap(),
                cost["f1"].as_f64().unwrap(),
            )
        })
        .collect();
    assert_eq!(
        f1,
        [("f32", 100.0), ("f16", 100.0), ("q8", 0.0), ("q4", 0.0)]
    );
    assert_eq!(gate["cost"], types[2]);
    assert_eq!(gate["f32"], types[0]);
    assert_eq!(types[2]["changed"], json!({"lost": 2, "new": 0, "of": 2}));
    assert!(types[2]["divergence"].as_f64().unwrap() > 0.1);
    let layers = gate["layers"].as_array().unwrap();
    let names: Vec<_> = layers
        .iter()
        .map(|layer| layer["keep"].as_str().unwrap())
        .collect();
    assert_eq!(names[0], "layers.1.ffn.*=f16");
    assert_eq!(names.len(), 6, "{names:?}");
    assert_eq!(gate["mending"]["keep"], json!(["layers.1.ffn.*=f16"]));
    assert_eq!(gate["mending"]["mends"], true);
    let kept = ["--keep", "layers.1.ffn.*=f16"];
    gated.convert(&[&options[..], &kept].concat()).unwrap();
    let gate = read()["gate"].take();
    assert_eq!(
        (&gate["passed"], &gate["mending"]),
        (&json!(true), &Value::Null)
    );
    assert_eq!(gate["cost"]["quantization"], "q8 (layers.1.ffn.*=f16)");
}

#[test]
fn contexts_are_those_of_the_lines() {
    let line = |contexts: Value| {
        json!({"tokens": ["a"], "gold": ["B-PER"], "contexts": contexts}).to_string() + "\n"
    };
    let both = line(json!({"text": ["c c"], "other": []}));
    let lacking = format!("{both}{}", line(json!({"other": []})));
    let strange = line(json!({"one": [], "other": []}));
    let report = tempfile::tempdir().unwrap();
    let report = report.path().join("report.json");
    for (gold, options, expected) in [
        (&both, &[][..], Ok("text")),
        (&both, &["--gate-context", "other"], Ok("other")),
        (&both, &["--gate-context", "none"], Ok("none")),
        (&lacking, &["--gate-context", "other"], Ok("other")),
        (&lacking, &["--gate-context", "none"], Ok("none")),
        (&GOLD.to_owned(), &[], Ok("none")),
        (&lacking, &[], Err((1, "no contexts of `text`"))),
        (&lacking, &[], Err((1, "query 2"))),
        (
            &both,
            &["--gate-context", "image"],
            Err((1, "no contexts of `image`")),
        ),
        (
            &strange,
            &[],
            Err((2, "contexts of one, other; say by --gate-context")),
        ),
        (&strange, &["--gate-context", "one"], Ok("one")),
    ] {
        let gated = Gated::new(ner(Outliers::default()), gold);
        let with = ["--quantize", "q8", "--report", report.to_str().unwrap()];
        let result = gated.convert(&[&with[..], options].concat());
        match (result, expected) {
            (Ok(()), Ok(context)) => {
                let read = std::fs::read(&report).unwrap();
                let read: Value = serde_json::from_slice(&read).unwrap();
                assert_eq!(read["gate"]["context"], context);
            }
            (Err(error), Err((code, expected))) => {
                assert_eq!(error.exit_code(), code, "{error}");
                assert!(error.to_string().contains(expected), "{error}");
            }
            (result, expected) => panic!("{options:?}: {result:?}, expected {expected:?}"),
        }
    }
}

#[test]
fn gold_that_measures_nothing_is_refused() {
    for (gold, expected) in [
        ("", "there is no sentence in it"),
        ("{", "gold.jsonl"),
        (r#"{"tokens": ["a"]}"#, "there is no `gold`"),
        (
            r#"{"tokens": ["a"], "gold": ["O", "O"]}"#,
            "2 labels for 1 words",
        ),
        (RELATION, "not that of a task of kind ner"),
        (
            r#"{"tokens": ["a"], "gold": ["B-ORG"]}"#,
            "finds nothing of the gold",
        ),
        (
            r#"{"tokens": ["a"], "gold": ["O"]}"#,
            "finds nothing of the gold",
        ),
    ] {
        let gated = Gated::new(ner(Outliers::default()), gold);
        let refusal = gated.refusal(&["--quantize", "q8"]);
        assert!(refusal.contains(expected), "{gold}: {refusal}");
        assert!(refusal.contains("gold.jsonl"), "{gold}: {refusal}");
    }
    let gated = Gated::new(ner(Outliers::default()), GOLD);
    let refusal = gated.refusal(&["--gate-on", "no-such-file.jsonl"]);
    assert!(refusal.contains("no-such-file.jsonl"), "{refusal}");
}

#[test]
fn only_experts_are_gated() {
    let gold = tempfile::tempdir().unwrap();
    let gold = gold.path().join("gold.jsonl");
    std::fs::write(&gold, GOLD).unwrap();
    let options = ["--gate-on", gold.to_str().unwrap()];
    let error = crate::made::convert(&data("clip"), &options).unwrap_err();
    assert_eq!(error.exit_code(), 2, "{error}");
    assert!(error.to_string().contains("kind clip"), "{error}");
}

#[test]
fn options_of_the_gate_need_one() {
    for options in [
        &["--max-f1-loss", "1"][..],
        &["--gate-context", "text"],
        &["--gate-device", "cpu"],
        &["--gate-on", "gold.jsonl", "--max-f1-loss", "-1"],
        &["--gate-on", "gold.jsonl", "--max-f1-loss", "NaN"],
    ] {
        let arguments = ["morelet-convert", "model", "checkpoint", "-o", "f.weights"];
        let cli = Cli::try_parse_from(arguments.iter().chain(options));
        assert!(cli.is_err(), "{options:?}");
    }
}

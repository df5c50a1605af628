//! Checkpoints that `morelet-convert model` must refuse, and what it says about them.

use morelet_tests::{Workshop, golden, tools};
use serde_json::{Value, json};
use std::fs;
use std::path::{Path, PathBuf};

fn text(path: &Path) -> &str {
    path.to_str().expect("a UTF-8 path")
}

struct Checkpoint {
    workshop: Workshop,
    directory: PathBuf,
    output: PathBuf,
}

/// A good checkpoint to spoil.
fn checkpoint(name: &str, form: &str, tokenizer: &str) -> Checkpoint {
    let workshop = Workshop::new(tools!());
    let directory = workshop.checkpoint(name, form, tokenizer);
    let output = workshop.path("out.weights");
    Checkpoint {
        workshop,
        directory,
        output,
    }
}

impl Checkpoint {
    fn convert(&self, more: &[&str]) -> morelet_tests::Run {
        let mut args = vec!["model", text(&self.directory), "-o", text(&self.output)];
        args.extend(more);
        self.workshop.tools.convert(args)
    }

    #[track_caller]
    fn refused(&self, more: &[&str], parts: &[&str]) {
        self.convert(more).refused(1, parts);
        assert!(!self.output.exists(), "no output");
        let left = fs::read_dir(self.output.parent().expect("a parent")).expect("a directory");
        let left: Vec<_> = left
            .map(|entry| entry.expect("an entry").file_name())
            .collect();
        assert!(left.len() == 1, "nothing is left behind: {left:?}");
    }

    fn edit(&self, file: &str, change: impl FnOnce(&mut Value)) {
        let path = self.directory.join(file);
        let mut value = morelet_tests::read_json(&path);
        change(&mut value);
        fs::write(path, value.to_string()).expect("a temporary file");
    }

    /// Rewrites the header of model.safetensors; the data stays where it is.
    fn edit_header(&self, change: impl FnOnce(&mut serde_json::Map<String, Value>)) {
        let path = self.directory.join("model.safetensors");
        let bytes = fs::read(&path).expect("the file");
        let n = u64::from_le_bytes(bytes[..8].try_into().expect("8 bytes")) as usize;
        let mut header: Value = serde_json::from_slice(&bytes[8..8 + n]).expect("a header");
        change(header.as_object_mut().expect("an object"));
        let mut text = header.to_string().into_bytes();
        while !text.len().is_multiple_of(8) {
            text.push(b' ');
        }
        let mut new = (text.len() as u64).to_le_bytes().to_vec();
        new.extend(text);
        new.extend(&bytes[8 + n..]);
        fs::write(path, new).expect("a temporary file");
    }
}

#[test]
fn missing_extra_and_misshapen_tensors_are_all_listed_at_once() {
    let checkpoint = checkpoint("ner-crf", "safetensors", "xlmr");
    checkpoint.edit_header(|header| {
        let bias = header.remove("linear.bias").expect("the tensor");
        header.insert("surprise.weight".into(), bias);
        let query = "embedder.transformer_model.encoder.layer.0.attention.self.query.weight";
        header[query]["shape"] = json!([16, 64]);
        let end = header.remove("crf.end_transitions").expect("the tensor");
        header.insert("crf.ends".into(), end);
    });
    checkpoint.refused(
        &[],
        &[
            "linear.bias",
            "surprise.weight",
            "query",
            "16",
            "64",
            "crf.end",
            "crf.ends",
        ],
    );
}

#[test]
fn an_extra_tensor_is_an_error_unless_it_is_to_be_ignored() {
    let checkpoint = checkpoint("ner-crf", "safetensors", "xlmr");
    checkpoint.edit_header(|header| {
        let pooler = header
            .remove("embedder.transformer_model.pooler.dense.bias")
            .expect("the tensor");
        header.insert("adapter.bias".into(), pooler);
    });
    checkpoint.refused(&[], &["adapter.bias", "--ignore-extra"]);
    let run = checkpoint.convert(&["--ignore-extra"]).ok();
    assert!(run.stderr.contains("adapter.bias"), "{}", run.stderr);
}

#[test]
fn dropped_tensors_are_reported() {
    let checkpoint = checkpoint("ner-crf", "bin", "xlmr");
    let run = checkpoint.convert(&[]).ok();
    for name in ["pooler.dense.weight", "position_ids"] {
        assert!(run.stderr.contains(name), "{name} in {}", run.stderr);
    }
    assert_eq!(run.stdout, "", "reports are not data");
}

#[test]
fn not_a_number_in_a_weight_names_the_tensor() {
    let checkpoint = checkpoint("ner-crf", "safetensors", "xlmr");
    let path = checkpoint.directory.join("model.safetensors");
    let mut bytes = fs::read(&path).expect("the file");
    let n = u64::from_le_bytes(bytes[..8].try_into().expect("8 bytes")) as usize;
    let header: Value = serde_json::from_slice(&bytes[8..8 + n]).expect("a header");
    let good = bytes.clone();
    for (name, value) in [
        ("crf.transitions", f32::NAN),
        ("linear.weight", f32::INFINITY),
    ] {
        let start = header[name]["data_offsets"][0].as_u64().expect("an offset") as usize + 8 + n;
        bytes[start + 40..start + 44].copy_from_slice(&value.to_le_bytes());
        fs::write(&path, &bytes).expect("a temporary file");
        let canonical = if name == "linear.weight" {
            "linear.weight"
        } else {
            name
        };
        checkpoint.refused(&[], &[canonical]);
        bytes.clone_from(&good);
    }
}

#[test]
fn placeholder_labels_are_refused_and_a_file_of_labels_mends_it() {
    let checkpoint = checkpoint("ner-crf", "safetensors", "xlmr");
    let labels = morelet_tests::read_json(checkpoint.directory.join("labels.json"));
    fs::remove_file(checkpoint.directory.join("labels.json")).expect("the labels");
    checkpoint.refused(&[], &["label"]);
    checkpoint.edit("config.json", |config| {
        let count = labels.as_array().expect("a list").len();
        config["id2label"] = (0..count)
            .map(|n| (n.to_string(), json!(format!("LABEL_{n}"))))
            .collect::<serde_json::Map<_, _>>()
            .into();
    });
    checkpoint.refused(&[], &["LABEL_0", "--labels"]);
    let file = checkpoint
        .workshop
        .path("ner-crf.safetensors.xlmr/mine.json");
    fs::write(&file, labels.to_string()).expect("a temporary file");
    checkpoint.convert(&["--labels", text(&file)]).ok();
    let inspected = checkpoint
        .workshop
        .tools
        .morelet(["inspect", text(&checkpoint.output), "--json"])
        .ok();
    let shown = inspected.json().to_string();
    assert!(shown.contains(&labels.to_string()), "in order: {shown}");
}

#[test]
fn labels_that_do_not_fit_the_head_are_refused() {
    let checkpoint = checkpoint("ner-crf", "safetensors", "xlmr");
    checkpoint.edit("labels.json", |labels| {
        labels.as_array_mut().expect("a list").pop();
    });
    checkpoint.refused(&[], &["16", "17"]);
    checkpoint.edit("labels.json", |labels| {
        labels.as_array_mut().expect("a list").push(json!("O"));
    });
    checkpoint.refused(&[], &["O"]);
}

#[test]
fn a_pickle_that_calls_a_function_is_refused_and_not_run() {
    let checkpoint = checkpoint("ner-crf", "legacy", "xlmr");
    let witness = checkpoint.workshop.path("ner-crf.legacy.xlmr/witness");
    // posix.system("touch …") by the opcodes of protocol 0.
    let pickle = format!("cposix\nsystem\n(S'touch {}'\ntR.", text(&witness));
    fs::write(checkpoint.directory.join("pytorch_model.bin"), pickle).expect("a temporary file");
    checkpoint.refused(&[], &["pytorch_model.bin"]);
    assert!(!witness.exists(), "the pickle was executed");
}

#[test]
fn weights_that_are_something_else_are_called_by_their_name() {
    let checkpoint = checkpoint("ner-crf", "safetensors", "xlmr");
    let path = checkpoint.directory.join("model.safetensors");
    let whole = fs::read(&path).expect("the file");
    let archive =
        fs::read(golden("checkpoints/bare/bin/pytorch_model.bin")).expect("a golden file");
    let contents: [(&[u8], &[&str]); 6] = [
        (
            b"version https://git-lfs.github.com/spec/v1\noid sha256:00\nsize 12\n",
            &["LFS"],
        ),
        (b"<!DOCTYPE html><html></html>", &["web page"]),
        (b"", &["model.safetensors"]),
        (&archive, &["zip"]),
        (&whole[..whole.len() / 2], &["model.safetensors"]),
        (&whole[..100], &["model.safetensors"]),
    ];
    for (content, parts) in contents {
        fs::write(&path, content).expect("a temporary file");
        checkpoint.refused(&[], parts);
    }
}

#[test]
fn a_missing_shard_or_file_is_named() {
    let checkpoint = checkpoint("softmax", "sharded", "xlmr-sentencepiece");
    fs::remove_file(
        checkpoint
            .directory
            .join("model-00002-of-00003.safetensors"),
    )
    .expect("a shard");
    checkpoint.refused(&[], &["model-00002-of-00003.safetensors"]);
    for file in ["config.json", "sentencepiece.bpe.model"] {
        let checkpoint = self::checkpoint("softmax", "sharded", "xlmr-sentencepiece");
        fs::remove_file(checkpoint.directory.join(file)).expect("the file");
        checkpoint.refused(&[], &[file]);
    }
    let workshop = Workshop::new(tools!());
    let (nowhere, output) = (workshop.path("nowhere"), workshop.path("o.weights"));
    workshop
        .tools
        .convert(["model", text(&nowhere), "-o", text(&output)])
        .refused(1, &["nowhere"]);
}

#[test]
fn ids_without_an_embedding_are_told_when_converting_and_refused_when_met() {
    // The vocabulary has the four markers of relations as ids 602 to 605; the embeddings end at 601.
    let checkpoint = checkpoint("ner-crf", "safetensors", "xlmr-markers");
    let run = checkpoint.convert(&[]).ok();
    for number in ["602", "605"] {
        assert!(run.stderr.contains(number), "{}", run.stderr);
    }
    let bundle = checkpoint.workshop.path("b.morelet");
    let part = format!("e:none:{}", checkpoint.output.display());
    let tools = &checkpoint.workshop.tools;
    tools
        .convert(["bundle", "-o", text(&bundle), "--expert", &part])
        .ok();
    let predict = ["predict", text(&bundle), "--device", "cpu", "--input", "-"];
    let good = br#"{"tokens": ["Kolo"]}"#;
    tools.morelet_reading(good, predict).ok();
    let bad = br#"{"tokens": ["Kolo", "<S>"]}"#;
    tools.morelet_reading(bad, predict).refused(1, &["602"]);
}

#[test]
fn a_bare_encoder_is_refused_as_an_expert() {
    let checkpoint = checkpoint("bare", "bin", "xlmr");
    let run = checkpoint.convert(&[]);
    if run.code == Some(0) {
        let bundle = checkpoint.workshop.path("b.morelet");
        let part = format!("e:none:{}", checkpoint.output.display());
        let args = ["bundle", "-o", text(&bundle), "--expert", &part];
        checkpoint
            .workshop
            .tools
            .convert(args)
            .refused(1, &["out.weights"]);
        assert!(!bundle.exists());
    } else {
        run.refused(1, &[]);
    }
}

#[test]
fn the_report_has_shape_type_bytes_error_and_cosine_of_every_tensor() {
    let checkpoint = checkpoint("ner-crf", "safetensors", "xlmr");
    let report = checkpoint
        .workshop
        .path("ner-crf.safetensors.xlmr/report.json");
    checkpoint
        .convert(&[
            "--quantize",
            "q8",
            "--keep",
            "layers.0.*=f32",
            "--report",
            text(&report),
        ])
        .ok();
    let report = morelet_tests::read_json(report);
    let tensors = report["tensors"].as_array().expect("a list of tensors");
    assert!(tensors.len() > 35);
    let (mut q8, mut f32s) = (0, 0);
    for tensor in tensors {
        let name = tensor["name"].as_str().expect("a name");
        let cosine = tensor["cosine"].as_f64().expect("a cosine");
        let error = tensor["relative_error"].as_f64().expect("an error");
        assert!(
            tensor["shape"].is_array() && tensor["bytes"].is_u64(),
            "{tensor}"
        );
        let kind = tensor["type"].as_str().or(tensor["precision"].as_str());
        match kind.expect("a type") {
            "q8" => {
                q8 += 1;
                assert!(!name.starts_with("layers.0."), "kept: {tensor}");
                assert!(cosine > 0.999 && error > 0.0 && error < 0.02, "{tensor}");
            }
            "f32" => {
                f32s += 1;
                assert_eq!((cosine, error), (1.0, 0.0), "{tensor}");
            }
            other => panic!("{other}: {tensor}"),
        }
        let always = ["norm", "bias", "crf."];
        if always.iter().any(|part| name.contains(part)) {
            assert_eq!(kind, Some("f32"), "{tensor}");
        }
    }
    assert!(q8 > 5 && f32s > 5);
}

#[test]
fn the_identity_is_the_checkpoints_whatever_the_precision_and_the_file_form() {
    let mut workshop = Workshop::new(tools!());
    let part = |form: &str| json!({"checkpoint": "ner-crf", "form": form, "tokenizer": "xlmr"});
    let identity = |workshop: &mut Workshop, form: &str, quantize: &str| {
        let file = workshop.weights(&part(form), quantize);
        let shown = workshop
            .tools
            .morelet(["inspect", text(&file), "--json"])
            .ok()
            .json();
        find(&shown, "identity")
            .expect("an identity")
            .as_str()
            .expect("text")
            .to_owned()
    };
    let first = identity(&mut workshop, "safetensors", "f32");
    assert_eq!(first.len(), 64);
    for (form, quantize) in [
        ("safetensors", "q8"),
        ("safetensors", "f16"),
        ("sharded", "f32"),
        ("bin", "f32"),
        ("legacy", "q8"),
    ] {
        assert_eq!(
            identity(&mut workshop, form, quantize),
            first,
            "{form} {quantize}"
        );
    }
}

/// The first value under a key, at any depth.
fn find<'a>(value: &'a Value, key: &str) -> Option<&'a Value> {
    match value {
        Value::Object(map) => map
            .get(key)
            .or_else(|| map.values().find_map(|v| find(v, key))),
        Value::Array(items) => items.iter().find_map(|v| find(v, key)),
        _ => None,
    }
}

#[test]
fn the_same_checkpoint_gives_the_same_bytes() {
    let checkpoint = checkpoint("re-norm", "bin", "xlmr");
    checkpoint.convert(&["--quantize", "q8"]).ok();
    let first = fs::read(&checkpoint.output).expect("the output");
    checkpoint.convert(&["--quantize", "q8"]).ok();
    assert!(first == fs::read(&checkpoint.output).expect("the output"));
}

#[test]
fn a_kind_that_the_checkpoint_is_not_is_refused() {
    for kind in ["re", "clip", "gate"] {
        let checkpoint = checkpoint("ner-crf", "safetensors", "xlmr");
        checkpoint.refused(&["--kind", kind], &[]);
    }
}

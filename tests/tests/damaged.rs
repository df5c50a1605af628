//! Damaged, foreign, missing and mismatched parts, through the commands: exit code 1 and a message, or the
//! right answer, and never a panic ([`Run`](morelet_tests::Run) looks for one in every run).

use morelet_tests::{Workshop, golden, read_json, tools, write_lines};
use serde_json::{Value, json};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Stdio;

fn text(path: &Path) -> &str {
    path.to_str().expect("a UTF-8 path")
}

/// A bundle with a part of every kind, and a query that needs all of them.
struct Whole {
    workshop: Workshop,
    bundle: PathBuf,
    query: PathBuf,
    parts: Vec<String>,
}

fn whole() -> Whole {
    let mut workshop = Workshop::new(tools!());
    let paragraphs: Vec<_> = (0..6)
        .map(|n| format!("Kolo sees lighthouse {n}. It is old."))
        .collect();
    let corpus = workshop.path("corpus.jsonl");
    write_lines(
        &corpus,
        &[json!({"id": "1", "title": "Kolo", "paragraphs": paragraphs})],
    );
    let images = workshop.path("images.jsonl");
    let pictures = ["wide.png", "tall.jpg", "small-grey.png"];
    let entries = pictures.map(|name| json!({"id": name, "title": name, "intro": "Drawn.", "image": golden("pictures").join(name)}));
    write_lines(&images, &entries);
    let case = read_json(golden("cases/ner-gate-one-row/case.json"));
    let clip = workshop.weights(&case["clip"], "f32");
    let (text_index, image_index) = (workshop.path("text.index"), workshop.path("image.index"));
    let tools = &workshop.tools;
    tools
        .convert(["text-index", text(&corpus), "-o", text(&text_index)])
        .ok();
    tools
        .convert([
            "image-index",
            text(&images),
            "-o",
            text(&image_index),
            "--clip",
            text(&clip),
        ])
        .ok();
    let (text_index, image_index) = (text(&text_index).to_owned(), text(&image_index).to_owned());
    let more = ["--text-index", &text_index, "--image-index", &image_index];
    let bundle = workshop.bundle("ner-gate-one-row", "q8", &more);
    let query = workshop.path("query.jsonl");
    write_lines(
        &query,
        &[
            json!({"id": "q", "tokens": ["Kolo", "lighthouse"], "image": golden("pictures/wide.png")}),
        ],
    );
    let manifest = read_json(bundle.join("bundle.json"));
    let parts = manifest["parts"].as_array().expect("parts").iter();
    let parts: Vec<String> = parts
        .map(|part| part["file"].as_str().expect("a name").to_owned())
        .collect();
    assert_eq!(
        parts.len(),
        6,
        "two experts, CLIP, a gate, two indices: {parts:?}"
    );
    Whole {
        workshop,
        bundle,
        query,
        parts,
    }
}

impl Whole {
    /// A fresh copy of the bundle.
    fn copy(&self) -> PathBuf {
        let target = self.workshop.path("copy.morelet");
        if target.exists() {
            fs::remove_dir_all(&target).expect("a temporary directory");
        }
        fs::create_dir(&target).expect("a temporary directory");
        for entry in fs::read_dir(&self.bundle).expect("the bundle") {
            let path = entry.expect("a readable directory").path();
            let name = path.file_name().expect("a name");
            fs::copy(&path, target.join(name)).expect("a temporary directory");
        }
        target
    }

    fn verify(&self, bundle: &Path) -> morelet_tests::Run {
        self.workshop.tools.morelet(["verify", text(bundle)])
    }

    fn predict(&self, bundle: &Path) -> morelet_tests::Run {
        let args = [
            "predict",
            text(bundle),
            "--input",
            text(&self.query),
            "--detail",
            "full",
            "--device",
            "cpu",
        ];
        self.workshop.tools.morelet(args)
    }

    fn inspect(&self, path: &Path) -> morelet_tests::Run {
        self.workshop.tools.morelet(["inspect", text(path)])
    }
}

/// What does not depend on the time it took.
fn answer(run: &morelet_tests::Run) -> Value {
    let mut answer = run.json();
    answer["timings_us"] = Value::Null;
    answer
}

#[test]
fn an_undamaged_bundle_passes_and_answers() {
    let whole = whole();
    let copy = whole.copy();
    whole.verify(&copy).ok();
    whole.inspect(&copy).ok();
    let run = whole.predict(&copy).ok();
    let again = whole.predict(&whole.bundle).ok();
    assert_eq!(answer(&run), answer(&again));
}

#[test]
fn a_part_cut_short_anywhere_is_refused_by_name() {
    let whole = whole();
    for part in &whole.parts {
        let bundle = whole.copy();
        let file = bundle.join(part);
        let bytes = fs::read(&file).expect("a part");
        let n = bytes.len();
        for keep in [
            0,
            1,
            7,
            63,
            64,
            65,
            100,
            4096,
            8191,
            8192,
            n / 2,
            n - 4096,
            n - 1,
        ] {
            let keep = keep.min(n - 1);
            replace(&file, &bytes[..keep]);
            for run in [
                whole.verify(&bundle),
                whole.predict(&bundle),
                whole.inspect(&file),
            ] {
                let run = run.exits(1);
                assert!(
                    run.stderr.contains(part.as_str()),
                    "{}: {}",
                    run.line,
                    run.stderr
                );
            }
        }
    }
}

#[test]
fn a_flipped_bit_anywhere_is_found_by_verify_and_breaks_nothing_else() {
    let whole = whole();
    let good = answer(&whole.predict(&whole.bundle).ok());
    for part in &whole.parts {
        let bundle = whole.copy();
        let file = bundle.join(part);
        let bytes = fs::read(&file).expect("a part");
        // The header and the section table densely, then everything else sparsely; the positions are odd, so
        // that every place in a word is hit.
        let dense = (0..64).step_by(5).chain((64..700).step_by(53));
        let sparse = (0..24).map(|n| 8192 + n * (bytes.len().saturating_sub(8193)) / 24 + n % 7);
        for (turn, at) in dense
            .chain(sparse)
            .filter(|at| *at < bytes.len())
            .enumerate()
        {
            let mut damaged = bytes.clone();
            damaged[at] ^= 1 << (turn % 8);
            replace(&file, &damaged);
            let run = whole.verify(&bundle).exits(1);
            assert!(
                run.stderr.contains(part.as_str()),
                "byte {at}: {}",
                run.stderr
            );
            // Without a full check a flip in a bulk section may change the answer; then it must still be one.
            let run = whole.predict(&bundle);
            match run.code {
                Some(0) => {
                    let got = run.json();
                    assert_eq!(
                        got["labels"].as_array().map(Vec::len),
                        Some(2),
                        "{part}, byte {at}"
                    );
                }
                Some(1) => assert!(
                    run.stderr.contains(part.as_str()),
                    "byte {at}: {}",
                    run.stderr
                ),
                _ => panic!("{part}, byte {at}: {run:?}"),
            }
        }
        replace(&file, &bytes);
    }
    assert_eq!(answer(&whole.predict(&whole.bundle).ok()), good);
}

#[test]
fn a_file_that_is_something_else_is_called_by_its_name() {
    let whole = whole();
    let safetensors = fs::read(golden("gates/one-row.safetensors")).expect("a golden file");
    let archive =
        fs::read(golden("checkpoints/bare/bin/pytorch_model.bin")).expect("a golden file");
    let foreign: [(&[u8], &str); 7] = [
        (&archive, "zip"),
        (&safetensors, "safetensors"),
        (b"GGUF\x03\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0", "gguf"),
        (
            b"<!DOCTYPE html>\n<html><head><title>404</title></head></html>",
            "html",
        ),
        (
            b"version https://git-lfs.github.com/spec/v1\noid sha256:0000\nsize 12\n",
            "lfs",
        ),
        (b"\x08\x07\x12\x07pytorch\x1a\x052.0.0:\x10\x0a\x0e", "onnx"),
        (b"", "empty"),
    ];
    let bundle = whole.copy();
    for part in &whole.parts {
        let file = bundle.join(part);
        let bytes = fs::read(&file).expect("a part");
        for (content, name) in foreign {
            replace(&file, content);
            let run = whole.inspect(&file).exits(1);
            let message = run.stderr.to_lowercase();
            // An empty file may as well be called one of 0 bytes.
            let named = message.contains(name) || name == "empty" && message.contains("0 bytes");
            assert!(named, "{name}: {}", run.stderr);
            whole.predict(&bundle).refused(1, &[part]);
        }
        replace(&file, &bytes);
    }
}

#[test]
fn a_part_in_anothers_place_is_refused() {
    let whole = whole();
    for part in &whole.parts {
        for other in whole.parts.iter().filter(|other| *other != part) {
            let bundle = whole.copy();
            fs::remove_file(bundle.join(part)).expect("a part");
            fs::copy(whole.bundle.join(other), bundle.join(part)).expect("a part");
            whole.verify(&bundle).refused_or_reported(part);
            whole.predict(&bundle).refused(1, &[part]);
        }
    }
}

/// `verify` may print a table before it fails.
trait Reported {
    fn refused_or_reported(self, part: &str);
}

impl Reported for morelet_tests::Run {
    #[track_caller]
    fn refused_or_reported(self, part: &str) {
        let run = self.exits(1);
        assert!(run.stderr.contains(part), "{}: {}", run.line, run.stderr);
    }
}

#[test]
fn a_missing_part_is_named() {
    let whole = whole();
    for part in &whole.parts {
        let bundle = whole.copy();
        fs::remove_file(bundle.join(part)).expect("a part");
        whole.verify(&bundle).refused_or_reported(part);
        whole.predict(&bundle).refused(1, &[part]);
    }
    let bundle = whole.copy();
    fs::remove_file(bundle.join("bundle.json")).expect("the manifest");
    whole.verify(&bundle).refused_or_reported("bundle.json");
    whole.predict(&bundle).refused(1, &["bundle.json"]);
}

#[test]
fn verify_goes_on_after_what_is_damaged() {
    let whole = whole();
    let broken = whole.copy();
    let (first, last) = (&whole.parts[0], &whole.parts[1]);
    for part in [first, last] {
        replace(&broken.join(part), b"not one of ours");
    }
    let (good, first, last) = (
        whole.bundle.join(first),
        broken.join(first),
        broken.join(last),
    );
    let paths = [&first, &good, &last].map(|path| path.to_str().expect("a UTF-8 path"));
    let args = [&["verify"], &paths[..]].concat();
    let run = whole.workshop.tools.morelet(&args).exits(1);
    for damaged in [paths[0], paths[2]] {
        assert!(run.stderr.contains(damaged), "{}", run.stderr);
    }
    assert!(run.stdout.contains(paths[1]), "{}", run.stdout);
    // Nobody who reads the table changes nothing.
    let tools = &whole.workshop.tools;
    let mut child = tools
        .command(&tools.morelet, &args)
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .expect("a process");
    drop(child.stdout.take());
    let status = child.wait().expect("a process that ends");
    assert_eq!(status.code(), Some(1));
    let args = [&args[..], &["--json"]].concat();
    let told = whole.workshop.tools.morelet(&args).exits(1);
    let told: serde_json::Value = serde_json::from_str(&told.stdout).expect("JSON");
    assert_eq!(told.as_array().map(Vec::len), Some(1));
    assert_eq!(told[0]["file"], paths[1]);
}

#[test]
fn a_file_that_the_manifest_does_not_list_makes_verify_fail() {
    let whole = whole();
    let bundle = whole.copy();
    fs::write(bundle.join("notes.txt"), "left behind").expect("a temporary directory");
    whole.verify(&bundle).refused_or_reported("notes.txt");
    whole.predict(&bundle).ok();
}

#[test]
fn a_manifest_with_another_root_or_length_is_refused() {
    let whole = whole();
    let good = read_json(whole.bundle.join("bundle.json"));
    for (n, part) in whole.parts.iter().enumerate() {
        for (key, value) in [("root", json!("0".repeat(64))), ("length", json!(4096))] {
            let bundle = whole.copy();
            let mut manifest = good.clone();
            manifest["parts"][n][key] = value;
            replace(&bundle.join("bundle.json"), manifest.to_string().as_bytes());
            whole.verify(&bundle).refused_or_reported(part);
            whole.predict(&bundle).refused(1, &[part]);
        }
    }
}

#[test]
fn a_manifest_that_contradicts_the_weights_is_refused() {
    let whole = whole();
    let good = read_json(whole.bundle.join("bundle.json"));
    let mut labels = good["labels"].as_array().expect("labels").clone();
    labels.swap(0, 1);
    let edits: [(&str, Value); 6] = [
        ("/labels", json!(labels)),
        ("/task", json!("re")),
        ("/format_version", json!(999)),
        ("/experts/0/model", json!("../elsewhere.weights")),
        ("/fusion/kind", json!("single")),
        ("/decode", json!("viterbi")),
    ];
    for (pointer, value) in edits {
        let bundle = whole.copy();
        let mut manifest = good.clone();
        *manifest
            .pointer_mut(pointer)
            .expect("the manifest has the key") = value;
        replace(&bundle.join("bundle.json"), manifest.to_string().as_bytes());
        let run = whole.predict(&bundle).exits(1);
        assert!(!run.stderr.is_empty(), "{pointer}");
    }
    for content in ["", "{", "[]", "null", "{\"format_version\": 1}"] {
        let bundle = whole.copy();
        replace(&bundle.join("bundle.json"), content.as_bytes());
        whole.predict(&bundle).refused(1, &["bundle.json"]);
    }
}

/// Replaces a file as a new one: the old may be mapped.
fn replace(path: &Path, bytes: &[u8]) {
    fs::remove_file(path).expect("a temporary file");
    fs::write(path, bytes).expect("a temporary file");
}

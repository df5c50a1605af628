//! The command `sample`, and `image-index` on its pictures.

use clap::Parser as _;
use morelet::{
    Bundle, Detail, DeviceRequest, Evaluation, Manifest, Queries, Query, RunOptions, SessionOptions,
};
use morelet_convert::{Cli, Console, ErrorKind, Result, run};
use morelet_indices::{ImageIndex, Vectors};
use morelet_mapped::OpenOptions;
use safetensors::Dtype;
use safetensors::tensor::TensorView;
use serde_json::Value;
use std::fs;
use std::path::Path;

/// Runs a command line in which `@` stands for a directory.
fn convert(folder: &Path, line: &str) -> Result<()> {
    let folder = format!("{}/", folder.display());
    let line = line
        .split_whitespace()
        .map(|word| word.replace('@', &folder));
    let cli =
        Cli::try_parse_from(std::iter::once("morelet-convert".to_owned()).chain(line)).unwrap();
    run(&cli.command, &Console::quiet())
}

fn roots(bundle: &Path) -> Vec<String> {
    Manifest::read(bundle)
        .unwrap()
        .parts
        .into_iter()
        .map(|part| part.root)
        .collect()
}

/// A small world with its list of pictures, and the sample's CLIP and gate.
fn world(folder: &Path) {
    convert(
        folder,
        "world -o @ --articles 200 --train 4 --dev 4 --test 4",
    )
    .unwrap();
    convert(folder, "corpus @wiki/encyclopedia.xml -o @wiki").unwrap();
    let weights = Path::new(env!("CARGO_MANIFEST_DIR")).join("../models/sample");
    fs::create_dir(folder.join("parts")).unwrap();
    for (from, to) in [("clip", "clip"), ("ner-gate.safetensors", "gate")] {
        let from = weights.join(from);
        convert(
            folder,
            &format!("model {} -o @parts/{to}.weights", from.display()),
        )
        .unwrap();
    }
}

/// The name of the picture in a line of the list.
fn picture(line: &str) -> String {
    let line: Value = serde_json::from_str(line).unwrap();
    line["image"].as_str().unwrap().to_owned()
}

#[test]
fn sample_makes_bundles_that_know_what_they_looked_up_and_a_page() {
    let folder = tempfile::tempdir().unwrap();
    convert(folder.path(), "sample -o @one").unwrap();
    let at = |name: &str| folder.path().join("one").join(name);
    for bundle in ["entities.morelet", "relations.morelet"] {
        let bundle = Bundle::open(at(bundle)).unwrap();
        bundle.verify(&mut |_, _, _| {}).unwrap();
    }
    let answers = fs::read_to_string(at("answers.jsonl")).unwrap();
    let answers: Vec<Value> = answers
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect();
    assert_eq!(answers.len(), 16);
    for answer in &answers {
        let id = answer["id"].as_str().unwrap();
        assert!(answer["timings_us"]["total"].as_u64().unwrap() > 0, "{id}");
        assert!(answer["gate"]["text"].as_f64().unwrap() > 0.0, "{id}");
        for expert in ["text", "image"] {
            let contexts = answer["experts"][expert]["contexts"].as_array().unwrap();
            assert!(!contexts.is_empty(), "{id}: {expert}");
        }
    }
    let page = fs::read_to_string(at("answers.html")).unwrap();
    assert!(page.contains("made up by a program") && page.contains("data:image/png;base64,"));
    assert!(
        !page.contains("src=\"http") && !page.contains("href=\"http"),
        "the page loads nothing"
    );

    // What the README promises: together they are better than each alone.
    for bundle in ["entities", "relations"] {
        let task = if bundle == "entities" { "ner" } else { "re" };
        let session = Bundle::open(at(&format!("{bundle}.morelet")))
            .unwrap()
            .session(&SessionOptions {
                device: DeviceRequest::Cpu,
                ..SessionOptions::default()
            })
            .unwrap();
        let options = RunOptions {
            detail: Detail::Labels,
            ..RunOptions::default()
        };
        let queries: Vec<Query> = Queries::open(at(&format!("{task}/test.jsonl")), None, None)
            .unwrap()
            .map(std::result::Result::unwrap)
            .collect();
        assert_eq!(queries.len(), 200);
        let mut evaluation = Evaluation::new();
        for (query, answer) in queries
            .iter()
            .zip(session.predict_batch(&queries, &options))
        {
            evaluation.add(query, &answer.unwrap()).unwrap();
        }
        let report = evaluation.report(&["text", "image"]);
        let alone = ["text", "image"].map(|name| report.experts.get(name).unwrap().scores.all.f1);
        let together = report.fused.all.f1;
        assert!(
            alone.iter().all(|f1| *f1 > 40.0 && together > f1 + 5.0),
            "{bundle}: {alone:?} {together}"
        );
    }

    let before = ["entities", "relations"].map(|name| roots(&at(&format!("{name}.morelet"))));
    convert(folder.path(), "sample -o @one").unwrap();
    let after = ["entities", "relations"].map(|name| roots(&at(&format!("{name}.morelet"))));
    assert_eq!(after, before, "a second run takes the place of the first");
}

#[test]
fn a_world_is_the_same_again_and_takes_no_other_directory() {
    let folder = tempfile::tempdir().unwrap();
    let small = "--articles 200 --train 8 --dev 4 --test 4 --gate 4";
    for name in ["one", "two"] {
        convert(folder.path(), &format!("world -o @{name} {small}")).unwrap();
    }
    let read = |name: &str, file: &str| fs::read(folder.path().join(name).join(file)).unwrap();
    for file in [
        "wiki/encyclopedia.xml",
        "ner/train.jsonl",
        "re/test.jsonl",
        "ner/gate.jsonl",
        "clip/dev.jsonl",
        "tokenizer.json",
    ] {
        assert_eq!(read("one", file), read("two", file), "{file}");
    }
    convert(folder.path(), &format!("world -o @two --seed 2 {small}")).unwrap();
    assert_ne!(
        read("one", "ner/train.jsonl"),
        read("two", "ner/train.jsonl")
    );

    let other = folder.path().join("other");
    fs::create_dir(&other).unwrap();
    fs::write(other.join("mine.txt"), "kept").unwrap();
    let error = convert(folder.path(), &format!("world -o @other {small}")).unwrap_err();
    assert_eq!(error.exit_code(), 1, "{}", error.chain());
    assert_eq!(fs::read_to_string(other.join("mine.txt")).unwrap(), "kept");
    for line in ["--articles 100", "--train 20000"] {
        let error = convert(folder.path(), &format!("world -o @large {line}")).unwrap_err();
        assert_eq!(error.exit_code(), 2, "{line}: {}", error.chain());
    }
    assert!(!folder.path().join("large").exists());
}

#[test]
fn image_index_says_which_picture_is_bad_and_leaves_it_out_if_asked() {
    let folder = tempfile::tempdir().unwrap();
    world(folder.path());
    let images = fs::read_to_string(folder.path().join("wiki/images.jsonl")).unwrap();
    let lines: Vec<&str> = images.lines().collect();
    let bad = picture(lines[2]);
    fs::write(folder.path().join("wiki").join(&bad), "not a picture").unwrap();
    let index = "image-index @wiki/images.jsonl -o @new.index --clip @parts/clip.weights --device cpu --vectors i8";
    let error = convert(folder.path(), index).unwrap_err();
    let text = error.chain();
    assert_eq!(error.exit_code(), 1, "{text}");
    for says in ["images.jsonl:3:", &bad, "--skip-bad"] {
        assert!(text.contains(says), "{says}: {text}");
    }
    assert!(!folder.path().join("new.index").exists());
    convert(folder.path(), &format!("{index} --skip-bad")).unwrap();
    let index = ImageIndex::open(folder.path().join("new.index"), OpenOptions::default()).unwrap();
    assert_eq!(
        (index.len() as usize, index.vectors()),
        (lines.len() - 1, Vectors::I8)
    );

    let other = convert(
        folder.path(),
        "image-index @wiki/images.jsonl -o @new.index --clip @parts/gate.weights",
    )
    .unwrap_err();
    assert!(
        other.chain().contains("`clip`") && other.chain().contains("gate.weights"),
        "{}",
        other.chain()
    );
}

#[test]
fn image_index_takes_features_row_by_row() {
    let folder = tempfile::tempdir().unwrap();
    world(folder.path());
    let images = fs::read_to_string(folder.path().join("wiki/images.jsonl")).unwrap();
    let rows = images.lines().count();
    let first = picture(images.lines().next().unwrap());
    fs::remove_file(folder.path().join("wiki").join(first)).unwrap();
    let write = |name: &str, shape: [usize; 2], value: &dyn Fn(usize) -> f32| {
        let bytes: Vec<u8> = (0..shape[0] * shape[1])
            .flat_map(|index| value(index).to_le_bytes())
            .collect();
        let view = TensorView::new(Dtype::F32, shape.to_vec(), &bytes).unwrap();
        fs::write(
            folder.path().join(name),
            safetensors::serialize([("features", view)], None).unwrap(),
        )
        .unwrap();
    };
    let angle = |index: usize| (index as f32 * 0.37).sin();
    let index = |features: &str| {
        convert(
            folder.path(),
            &format!(
                "image-index @wiki/images.jsonl -o @new.index --clip @parts/clip.weights --features @{features}"
            ),
        )
    };
    write("good.safetensors", [rows, 32], &angle);
    index("good.safetensors").unwrap();
    let built = ImageIndex::open(folder.path().join("new.index"), OpenOptions::default()).unwrap();
    assert_eq!(built.len() as usize, rows);
    let query: Vec<f32> = (0..32).map(|column| angle(2 * 32 + column)).collect();
    let hit = &built.retrieve(&query, 1, true).unwrap()[0];
    let third: Value = serde_json::from_str(images.lines().nth(2).unwrap()).unwrap();
    assert_eq!(hit.key, third["id"].as_str().unwrap());
    drop(built);
    fs::remove_file(folder.path().join("new.index")).unwrap();

    write("few.safetensors", [rows - 1, 32], &angle);
    write("many.safetensors", [rows + 1, 32], &angle);
    write("narrow.safetensors", [rows, 31], &angle);
    write("zero.safetensors", [rows, 32], &|index| {
        if index / 32 == 5 { 0.0 } else { angle(index) }
    });
    write("nan.safetensors", [rows, 32], &|index| {
        if index / 32 == 5 {
            f32::NAN
        } else {
            angle(index)
        }
    });
    let cases = [
        ("few.safetensors", "images.jsonl:200"),
        ("many.safetensors", "201 rows"),
        ("narrow.safetensors", "[pictures, 32]"),
        ("zero.safetensors", "row 5"),
        ("nan.safetensors", "row 5"),
    ];
    for (features, says) in cases {
        let error = index(features).unwrap_err();
        let text = error.chain();
        assert_eq!(error.kind(), ErrorKind::Input, "{features}: {text}");
        assert!(
            text.contains(features) && text.contains(says),
            "{says}: {text}"
        );
        assert!(!folder.path().join("new.index").exists(), "{features}");
    }
}

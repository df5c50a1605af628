//! The command `sample`, and `image-index` on its pictures.

use clap::Parser as _;
use morelet::{Bundle, Manifest};
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

#[test]
fn sample_makes_a_bundle_that_answers_and_a_page_that_says_what_it_is() {
    let folder = tempfile::tempdir().unwrap();
    convert(folder.path(), "sample -o @one").unwrap();
    let at = |name: &str| folder.path().join("one").join(name);
    Bundle::open(at("sample.morelet"))
        .unwrap()
        .verify(&mut |_, _, _| {})
        .unwrap();

    let answers = fs::read_to_string(at("answers.jsonl")).unwrap();
    let answers: Vec<Value> = answers
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect();
    assert_eq!(answers.len(), 6);
    for answer in &answers {
        let id = answer["id"].as_str().unwrap();
        assert!(!answer["entities"].as_array().unwrap().is_empty(), "{id}");
        assert!(answer["timings_us"]["total"].as_u64().unwrap() > 0, "{id}");
        let texts = answer["experts"]["text"]["contexts"].as_array().unwrap();
        assert!(!texts.is_empty(), "{id}");
        if id == "turbines" {
            assert!(answer["gate"].is_null() && !answer["notes"].as_array().unwrap().is_empty());
        } else {
            assert!(answer["gate"]["text"].as_f64().unwrap() > 0.0, "{id}");
            // A picture finds itself first.
            let score = answer["experts"]["image"]["contexts"][0]["score"]
                .as_f64()
                .unwrap();
            assert!((score - 1.0).abs() < 1e-3, "{id}: {score}");
        }
    }
    let context = &answers[0]["experts"]["text"]["contexts"][0]["text"];
    assert!(
        context
            .as_str()
            .unwrap()
            .starts_with("Kolo is a dog from <e: Port_Amber> Port Amber </e>"),
        "{context}"
    );
    let page = fs::read_to_string(at("answers.html")).unwrap();
    assert!(page.contains("nobody has trained them") && page.contains("data:image/png;base64,"));
    assert!(
        !page.contains("src=\"http") && !page.contains("href=\"http"),
        "the page loads nothing"
    );

    convert(folder.path(), "sample -o @two").unwrap();
    assert_eq!(
        roots(&at("sample.morelet")),
        roots(&folder.path().join("two/sample.morelet"))
    );
    let before = roots(&at("sample.morelet"));
    convert(folder.path(), "sample -o @one").unwrap();
    assert_eq!(
        roots(&at("sample.morelet")),
        before,
        "a second run takes the place of the first"
    );
}

#[test]
fn image_index_says_which_picture_is_bad_and_leaves_it_out_if_asked() {
    let folder = tempfile::tempdir().unwrap();
    convert(folder.path(), "sample -o @").unwrap();
    let images = fs::read_to_string(folder.path().join("wiki/images.jsonl")).unwrap();
    let lines: Vec<&str> = images.lines().collect();
    fs::write(folder.path().join("wiki/Harrow.png"), "not a picture").unwrap();
    let index = "image-index @wiki/images.jsonl -o @new.index --clip @parts/clip.weights --device cpu --vectors i8";
    let error = convert(folder.path(), index).unwrap_err();
    let text = error.chain();
    let number = 1 + lines
        .iter()
        .position(|line| line.contains("\"Harrow.png\""))
        .unwrap();
    assert_eq!(error.exit_code(), 1, "{text}");
    for says in [
        &format!("images.jsonl:{number}:"),
        "Harrow.png",
        "--skip-bad",
    ] {
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
    convert(folder.path(), "sample -o @").unwrap();
    let images = fs::read_to_string(folder.path().join("wiki/images.jsonl")).unwrap();
    let rows = images.lines().count();
    fs::remove_file(folder.path().join("wiki/Kolo.png")).unwrap();
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
        ("few.safetensors", "images.jsonl:24"),
        ("many.safetensors", "25 rows"),
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

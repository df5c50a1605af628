//! The command `bundle`: what it writes, and what it refuses, by name.

use clap::Parser as _;
use morelet::{Bundle, ContextKind, FusionKind, Manifest, PartKind, Task};
use morelet_convert::{Cli, Console, ErrorKind, Result, run};
use morelet_indices::{
    Analyzer, Article, ImageEntry, ImageIndexBuilder, ImageOptions, ParagraphText,
    TextIndexBuilder, TextOptions,
};
use morelet_models::weights::{
    Activation, Architecture, ClipConfig, ClipTextConfig, ClipVisionConfig, GateConfig, Meta,
    ModelKind, Pooling, Precision, Preprocess, Resample, WeightsWriter, XlmrConfig,
    expected_tensors,
};
use serde_json::{Value, json};
use std::fs;
use std::path::Path;

const NER: [&str; 3] = ["O", "B-PER", "I-PER"];
const TOKENIZER: &str = r#"{"version": "1.0", "truncation": null, "padding": null, "added_tokens": [], "normalizer": null,
    "pre_tokenizer": {"type": "Whitespace"}, "post_processor": null, "decoder": null,
    "model": {"type": "WordLevel", "vocab": {"<s>": 0, "<pad>": 1, "</s>": 2, "<unk>": 3, "a": 4, "b": 5, "c": 6, "d": 7}, "unk_token": "<unk>"}}"#;

fn xlmr(crf: bool) -> Architecture {
    Architecture::Xlmr(XlmrConfig {
        vocab_size: 8,
        hidden_size: 4,
        num_hidden_layers: 1,
        num_attention_heads: 1,
        intermediate_size: 4,
        max_position_embeddings: 34,
        type_vocab_size: 1,
        layer_norm_eps: 1e-5,
        hidden_act: Activation::Gelu,
        pad_token_id: 1,
        bos_token_id: 0,
        eos_token_id: 2,
        unk_token_id: 3,
        max_length: 32,
        pooling: Pooling::First,
        separator: vec![2],
        crf,
        head_norm: false,
    })
}

fn clip() -> Architecture {
    Architecture::Clip(ClipConfig {
        projection_dim: 2,
        text: ClipTextConfig {
            vocab_size: 8,
            hidden_size: 4,
            num_hidden_layers: 1,
            num_attention_heads: 1,
            intermediate_size: 4,
            max_position_embeddings: 77,
            layer_norm_eps: 1e-5,
            hidden_act: Activation::QuickGelu,
            bos_token_id: 0,
            end_of_text_id: 2,
            eos_token_id: 2,
        },
        vision: ClipVisionConfig {
            hidden_size: 4,
            num_hidden_layers: 1,
            num_attention_heads: 1,
            intermediate_size: 4,
            image_size: 32,
            patch_size: 32,
            layer_norm_eps: 1e-5,
            hidden_act: Activation::QuickGelu,
        },
        preprocess: Preprocess {
            resize: 32,
            crop: 32,
            resample: Resample::Bicubic,
            mean: [0.5; 3],
            std: [0.5; 3],
        },
    })
}

/// Weights that are all zero.
fn write_weights(
    path: &Path,
    kind: ModelKind,
    identity: char,
    architecture: Architecture,
    labels: &[&str],
) {
    let meta = Meta {
        kind,
        producer: "test".to_owned(),
        identity: identity.to_string().repeat(64),
        licence: Some("MIT".to_owned()),
        attribution: None,
        quantization: "f32".to_owned(),
        architecture,
        labels: labels.iter().map(|&label| label.to_owned()).collect(),
    };
    let tokenizer = (kind != ModelKind::Gate).then_some(TOKENIZER.as_bytes());
    let mut writer = WeightsWriter::create(path, &meta, tokenizer).unwrap();
    for (name, shape) in expected_tensors(&meta) {
        let count: u64 = shape.iter().product();
        writer
            .tensor(&name, &shape, Precision::F32, &vec![0.0; count as usize])
            .unwrap();
    }
    writer.finish().unwrap();
}

fn gate(rows: u32, dim: u32) -> Architecture {
    Architecture::Gate(GateConfig {
        rows,
        text_dim: dim,
        image_dim: dim,
    })
}

/// One article of one paragraph.
fn write_text_index(path: &Path, k1: f32, text: &str) {
    let options = TextOptions {
        analyzer: Analyzer::Standard,
        k1,
        ..TextOptions::default()
    };
    let mut index = TextIndexBuilder::create(path, options).unwrap();
    let article = Article {
        id: "1".to_owned(),
        title: "A".to_owned(),
        paragraphs: vec![ParagraphText::Text(text.to_owned())],
    };
    index.add(&article).unwrap();
    index.finish(&mut |_, _| {}).unwrap();
}

/// A directory with parts of every kind.
fn parts() -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    let at = |name: &str| folder.path().join(name);
    write_weights(&at("ner.weights"), ModelKind::Ner, '1', xlmr(true), &NER);
    write_weights(&at("ner2.weights"), ModelKind::Ner, '2', xlmr(true), &NER);
    write_weights(
        &at("softmax.weights"),
        ModelKind::Ner,
        '3',
        xlmr(false),
        &NER,
    );
    write_weights(
        &at("reordered.weights"),
        ModelKind::Ner,
        '4',
        xlmr(true),
        &["O", "I-PER", "B-PER"],
    );
    write_weights(
        &at("fewer.weights"),
        ModelKind::Ner,
        '5',
        xlmr(true),
        &NER[..2],
    );
    write_weights(
        &at("re.weights"),
        ModelKind::Re,
        '6',
        xlmr(false),
        &["None", "knows"],
    );
    write_weights(
        &at("encoder.weights"),
        ModelKind::Encoder,
        '7',
        xlmr(false),
        &[],
    );
    write_weights(&at("clip.weights"), ModelKind::Clip, '8', clip(), &[]);
    write_weights(&at("clip2.weights"), ModelKind::Clip, '9', clip(), &[]);
    write_weights(&at("gate.weights"), ModelKind::Gate, 'a', gate(3, 2), &[]);
    write_weights(&at("scalar.weights"), ModelKind::Gate, 'b', gate(1, 2), &[]);
    write_weights(&at("rows.weights"), ModelKind::Gate, 'c', gate(2, 2), &[]);
    write_weights(&at("wide.weights"), ModelKind::Gate, 'd', gate(3, 5), &[]);

    write_text_index(&at("text.index"), 1.2, "a b c.");
    write_text_index(&at("later.index"), 1.2, "A bird sings. Cats doze.");
    write_text_index(&at("other-k1.index"), 0.9, "A bird sings. Cats doze.");
    fs::copy(at("text.index"), at("copy.index")).unwrap();

    let mut images =
        ImageIndexBuilder::create(at("image.index"), ImageOptions::new("8".repeat(64), 2)).unwrap();
    let entry = ImageEntry {
        id: "1",
        title: "A",
        intro: "a b c.",
    };
    images.add(entry, &[1.0, 0.0]).unwrap();
    images.finish(&mut |_, _, _| false).unwrap();
    fs::write(at("notes.weights"), "these are my notes").unwrap();
    folder
}

/// Runs `bundle` with arguments in which `@` stands for the directory of the parts.
fn bundle(folder: &Path, output: &str, arguments: &str) -> Result<()> {
    let output = folder.join(output).display().to_string();
    let mut line = vec![
        "morelet-convert".to_owned(),
        "bundle".to_owned(),
        "-o".to_owned(),
        output,
    ];
    let folder = format!("{}/", folder.display());
    line.extend(
        arguments
            .split_whitespace()
            .map(|argument| argument.replace('@', &folder)),
    );
    let cli = Cli::try_parse_from(line)
        .map_err(|error| panic!("{error}"))
        .unwrap();
    run(&cli.command, &Console::quiet())
}

const TWO: &str = "--expert text:text:@ner.weights --expert image:image:@ner2.weights";

#[test]
fn bundle_holds_every_part_and_describes_it() {
    let folder = parts();
    let arguments = format!(
        "{TWO} --clip @clip.weights --gate @gate.weights --text-index @text.index --image-index @image.index --seed 7"
    );
    bundle(folder.path(), "a.morelet", &arguments).unwrap();
    let directory = folder.path().join("a.morelet");

    let manifest = Manifest::read(&directory).unwrap();
    assert_eq!(
        (manifest.task, manifest.seed, manifest.fusion.kind),
        (Task::Ner, 7, FusionKind::Gate)
    );
    assert_eq!(manifest.labels, NER);
    let experts: Vec<_> = manifest
        .experts
        .iter()
        .map(|one| (one.name.as_str(), one.model.as_str(), one.context))
        .collect();
    assert_eq!(
        experts,
        [
            ("text", "expert-text.weights", ContextKind::Text),
            ("image", "expert-image.weights", ContextKind::Image)
        ]
    );
    let kinds: Vec<_> = manifest
        .parts
        .iter()
        .map(|part| (part.file.as_str(), part.kind, part.licence.as_deref()))
        .collect();
    assert_eq!(
        kinds,
        [
            ("expert-text.weights", PartKind::Ner, Some("MIT")),
            ("expert-image.weights", PartKind::Ner, Some("MIT")),
            ("gate.weights", PartKind::Gate, Some("MIT")),
            ("clip.weights", PartKind::Clip, Some("MIT")),
            ("text.index", PartKind::TextIndex, None),
            ("image.index", PartKind::ImageIndex, None),
        ]
    );
    for (part, source) in manifest.parts.iter().zip([
        "ner.weights",
        "ner2.weights",
        "gate.weights",
        "clip.weights",
        "text.index",
        "image.index",
    ]) {
        let (copy, original) = (
            fs::read(directory.join(&part.file)).unwrap(),
            fs::read(folder.path().join(source)).unwrap(),
        );
        assert!(copy == original, "{} is not {source}", part.file);
        assert_eq!(part.length, original.len() as u64);
    }
    Bundle::open(&directory)
        .unwrap()
        .verify(&mut |_, _, _| {})
        .unwrap();

    let value: Value =
        serde_json::from_slice(&fs::read(directory.join("bundle.json")).unwrap()).unwrap();
    assert_eq!(
        value["fusion"],
        json!({"kind": "gate", "weights": "gate.weights"})
    );
    assert_eq!(value["decode"], "marginals");
    assert_eq!(value["parts"][0]["architecture"]["xlmr"]["hidden_size"], 4);
}

#[test]
fn bundle_makes_every_system_of_the_paper() {
    let folder = parts();
    let cases = [
        "--expert x:none:@ner.weights",
        "--expert x:none:@softmax.weights --decode marginals",
        "--expert x:text:@ner.weights --decode viterbi --text-index @text.index",
        "--expert x:text:@ner.weights",
        "--expert x:given:@re.weights",
        "--expert x:image:@ner.weights --clip @clip.weights --image-index @image.index",
        "--expert x:random-text:@ner.weights --text-index @text.index --seed 3",
        "--expert x:random-image:@ner.weights --image-index @image.index",
        "--expert x:text:@ner.weights --expert y:image:@ner2.weights --average",
        "--expert x:text:@ner.weights --expert y:none:@softmax.weights --average",
        "--expert x:text:@re.weights --expert y:given:@re.weights --average",
        "--expert x:text:@ner.weights --expert y:image:@ner2.weights --clip @clip.weights --gate @scalar.weights",
    ];
    for arguments in cases {
        bundle(folder.path(), "a.morelet", arguments)
            .unwrap_or_else(|error| panic!("{arguments}: {error}"));
    }
}

#[test]
fn bundle_copies_weights_once_that_two_experts_share() {
    let folder = parts();
    bundle(
        folder.path(),
        "a.morelet",
        "--expert x:text:@ner.weights --expert y:image:@ner.weights --average",
    )
    .unwrap();
    let manifest = Manifest::read(folder.path().join("a.morelet")).unwrap();
    assert_eq!(manifest.parts.len(), 1);
    assert_eq!(manifest.experts[0].model, manifest.experts[1].model);
}

#[test]
fn bundle_holds_several_text_indexes_and_one_is_written_as_a_string() {
    let folder = parts();
    let manifest_of = |arguments: &str| -> (Manifest, Value) {
        bundle(folder.path(), "a.morelet", arguments).unwrap();
        let directory = folder.path().join("a.morelet");
        let value = fs::read(directory.join("bundle.json")).unwrap();
        (
            Manifest::read(directory).unwrap(),
            serde_json::from_slice(&value).unwrap(),
        )
    };
    let one = "--expert x:text:@ner.weights --text-index @text.index";
    let (manifest, value) = manifest_of(one);
    assert_eq!(manifest.text_index, ["text.index"]);
    assert_eq!(value["text_index"], "text.index");

    let (manifest, value) = manifest_of(&format!("{one} --text-index @later.index"));
    assert_eq!(manifest.text_index, ["text.index", "text-2.index"]);
    assert_eq!(value["text_index"], json!(["text.index", "text-2.index"]));
    let kind = |part: &morelet::Part| (part.file.clone(), part.kind);
    assert_eq!(
        manifest.parts[1..].iter().map(kind).collect::<Vec<_>>(),
        [
            ("text.index".to_owned(), PartKind::TextIndex),
            ("text-2.index".to_owned(), PartKind::TextIndex)
        ]
    );
    let directory = folder.path().join("a.morelet");
    for (copy, original) in [
        ("text.index", "text.index"),
        ("text-2.index", "later.index"),
    ] {
        let read = |path| fs::read(path).unwrap();
        assert!(read(directory.join(copy)) == read(folder.path().join(original)));
    }
    let opened = Bundle::open(&directory).unwrap();
    opened.verify(&mut |_, _, _| {}).unwrap();
    // The one has a sentence, the other two.
    assert_eq!(opened.text_index().unwrap().len(), 3);
}

#[test]
fn bundle_refuses_what_does_not_belong_together_by_name() {
    let folder = parts();
    let cases = [
        (
            format!("{TWO} "),
            ErrorKind::Usage,
            &["--gate", "--average"][..],
        ),
        (
            format!("{TWO} --gate @gate.weights"),
            ErrorKind::Usage,
            &["--clip"],
        ),
        (
            format!("{TWO} --expert z:none:@ner.weights --average"),
            ErrorKind::Usage,
            &["one or two experts", "got 3"],
        ),
        (
            "--expert x:none:@ner.weights --average".into(),
            ErrorKind::Usage,
            &["two experts"],
        ),
        (
            "--expert x:text:@ner.weights --expert x:image:@ner2.weights --average".into(),
            ErrorKind::Usage,
            &["`x`"],
        ),
        (
            format!("{TWO} --average --decode viterbi"),
            ErrorKind::Usage,
            &["--decode viterbi"],
        ),
        (
            "--expert x:none:@softmax.weights --decode viterbi".into(),
            ErrorKind::Input,
            &["softmax.weights", "CRF"],
        ),
        (
            "--expert x:text:@ner.weights --expert y:image:@re.weights --average".into(),
            ErrorKind::Input,
            &["re.weights", "`y`", "`re`", "`x`", "ner.weights", "`ner`"],
        ),
        (
            "--expert x:text:@ner.weights --expert y:image:@reordered.weights --average".into(),
            ErrorKind::Input,
            &[
                "reordered.weights",
                "`y`",
                "`x`",
                "label 1",
                "`I-PER`",
                "`B-PER`",
            ],
        ),
        (
            "--expert x:text:@ner.weights --expert y:image:@fewer.weights --average".into(),
            ErrorKind::Input,
            &["fewer.weights", "2", "3"],
        ),
        (
            "--expert x:none:@encoder.weights".into(),
            ErrorKind::Input,
            &["encoder.weights", "`x`", "no head"],
        ),
        (
            "--expert x:none:@clip.weights".into(),
            ErrorKind::Input,
            &["clip.weights", "`x`", "`clip`"],
        ),
        (
            "--expert x:none:@ner.weights --clip @re.weights".into(),
            ErrorKind::Input,
            &["re.weights", "--clip", "`re`"],
        ),
        (
            format!("{TWO} --clip @clip.weights --gate @clip.weights"),
            ErrorKind::Input,
            &["clip.weights", "--gate", "`gate`"],
        ),
        (
            format!("{TWO} --clip @clip.weights --gate @wide.weights"),
            ErrorKind::Input,
            &["wide.weights", "width 5", "clip.weights", "width 2"],
        ),
        (
            format!("{TWO} --clip @clip.weights --gate @rows.weights"),
            ErrorKind::Input,
            &["rows.weights", "2 rows", "expected 1, or 3"],
        ),
        (
            "--expert x:image:@ner.weights --clip @clip2.weights --image-index @image.index".into(),
            ErrorKind::Input,
            &["image.index", "8888", "clip2.weights", "9999"],
        ),
        (
            "--expert x:none:@notes.weights".into(),
            ErrorKind::Input,
            &["notes.weights"],
        ),
        (
            "--expert x:text:@ner.weights --text-index @image.index".into(),
            ErrorKind::Input,
            &["image.index", "text index"],
        ),
        (
            "--expert x:text:@ner.weights --text-index @text.index --text-index @ner2.weights"
                .into(),
            ErrorKind::Input,
            &["ner2.weights", "text index"],
        ),
        (
            "--expert x:text:@ner.weights --text-index @text.index --text-index @other-k1.index"
                .into(),
            ErrorKind::Input,
            &["text.index", "other-k1.index", "1.2", "0.9"],
        ),
        (
            "--expert x:text:@ner.weights --text-index @text.index --text-index @copy.index".into(),
            ErrorKind::Input,
            &["text.index", "copy.index", "same"],
        ),
        (
            "--expert x:none:@missing.weights".into(),
            ErrorKind::Io,
            &["missing.weights"],
        ),
    ];
    for (arguments, kind, says) in cases {
        let error = bundle(folder.path(), "a.morelet", &arguments).expect_err(&arguments);
        let text = error.chain();
        for part in says {
            assert!(text.contains(part), "{arguments}: {text}");
        }
        assert_eq!(error.kind(), kind, "{arguments}: {text}");
        assert!(!folder.path().join("a.morelet").exists(), "{arguments}");
    }
}

#[test]
fn bundle_reads_name_context_and_file_between_the_first_two_colons() {
    let folder = parts();
    fs::copy(
        folder.path().join("ner.weights"),
        folder.path().join("a:b.weights"),
    )
    .unwrap();
    bundle(folder.path(), "a.morelet", "--expert x:none:@a:b.weights").unwrap();

    let cases = [
        ("x", "NAME:CONTEXT:F.weights"),
        ("x:none", "NAME:CONTEXT:F.weights"),
        ("x:none:", "no weights"),
        (":none:f", "name"),
        ("a/b:none:f", "name"),
        ("x:texts:f", "unknown context `texts`"),
    ];
    for (expert, says) in cases {
        let error =
            Cli::try_parse_from(["morelet-convert", "bundle", "-o", "a", "--expert", expert])
                .unwrap_err();
        assert_eq!(error.exit_code(), 2);
        assert!(error.to_string().contains(says), "{expert}: {error}");
    }
}

#[test]
fn bundle_replaces_only_a_bundle_and_only_when_the_new_one_is_complete() {
    let folder = parts();
    let target = folder.path().join("a.morelet");
    bundle(folder.path(), "a.morelet", "--expert old:none:@ner.weights").unwrap();
    bundle(folder.path(), "a.morelet", "--expert x:none:@clip.weights").unwrap_err();
    assert_eq!(Manifest::read(&target).unwrap().experts[0].name, "old");
    bundle(
        folder.path(),
        "a.morelet",
        "--expert new:none:@ner2.weights",
    )
    .unwrap();
    assert_eq!(Manifest::read(&target).unwrap().experts[0].name, "new");

    fs::create_dir(folder.path().join("photos")).unwrap();
    fs::write(folder.path().join("photos/1.jpg"), "mine").unwrap();
    for taken in ["photos", "ner.weights"] {
        let error = bundle(folder.path(), taken, "--expert x:none:@ner.weights").unwrap_err();
        assert!(error.chain().contains(taken), "{}", error.chain());
    }
    assert_eq!(
        fs::read_to_string(folder.path().join("photos/1.jpg")).unwrap(),
        "mine"
    );
    let left = fs::read_dir(folder.path()).unwrap().filter(|entry| {
        entry
            .as_ref()
            .unwrap()
            .file_name()
            .to_string_lossy()
            .starts_with('.')
    });
    assert_eq!(left.count(), 0, "nothing temporary is left");
}

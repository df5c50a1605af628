//! The two commands as a user meets them: exit codes, what goes where, input from anywhere, Ctrl-C.

use morelet_tests::{Run, Tools, Workshop, golden, lines, tools, write_lines};
use serde_json::{Value, json};
use std::fs;
use std::io::Write as _;
use std::path::Path;

fn text(path: &Path) -> &str {
    path.to_str().expect("a UTF-8 path")
}

#[test]
fn help_and_version_are_data_and_no_arguments_are_not() {
    let tools = tools!();
    type Start = fn(&Tools, &[&str]) -> Run;
    let commands: [(&str, Start); 2] = [
        ("morelet", |tools, args| tools.morelet(args)),
        ("morelet-convert", |tools, args| tools.convert(args)),
    ];
    for (name, start) in commands {
        let version = start(&tools, &["--version"]).ok();
        assert!(version.stdout.contains(env!("CARGO_PKG_VERSION")), "{name}");
        assert!(start(&tools, &["--help"]).ok().stdout.contains("Usage"));
        start(&tools, &[]).refused(2, &["usage"]);
        start(&tools, &["no-such-command"]).refused(2, &["no-such-command"]);
    }
}

#[test]
fn every_command_of_the_design_explains_itself() {
    let tools = tools!();
    for command in [
        "sample",
        "model",
        "corpus",
        "text-index",
        "image-index",
        "bundle",
    ] {
        let run = tools.convert([command, "--help"]).ok();
        assert!(run.stdout.contains("--output"), "{command}");
    }
    for command in ["predict", "search", "eval", "inspect", "verify", "devices"] {
        tools.morelet([command, "--help"]).ok();
    }
}

#[test]
fn wrong_usage_is_exit_code_2() {
    let tools = tools!();
    let convert: [&[&str]; 9] = [
        &["model"],
        &["model", "x"],
        &["model", "x", "-o", "y", "--quantize", "q5"],
        &["model", "x", "-o", "y", "--kind", "bert"],
        &["model", "x", "-o", "y", "--pooling", "max"],
        &["model", "x", "-o", "y", "--separator", "a"],
        &["text-index", "x.jsonl", "-o", "y", "--analyzer", "klingon"],
        &["bundle", "-o", "y", "--expert", "only-a-name"],
        &["bundle", "-o", "y", "--gate", "g", "--average"],
    ];
    for args in convert {
        tools.convert(args).refused(2, &[]);
    }
    let morelet: [&[&str]; 5] = [
        &["predict"],
        &["predict", "b", "--device", "abacus", "--text", "x"],
        &["predict", "b", "--text", "x", "--subject", "1"],
        &["search", "b", "smell", "x"],
        &["predict", "b", "--text", "x", "--threads", "-1"],
    ];
    for args in morelet {
        tools.morelet(args).refused(2, &[]);
    }
}

#[test]
fn bundle_refuses_what_does_not_belong_together() {
    let mut workshop = Workshop::new(tools!());
    let part = |checkpoint: &str, form: &str, tokenizer: &str| json!({"checkpoint": checkpoint, "form": form, "tokenizer": tokenizer});
    let ner = workshop.weights(&part("ner-crf", "safetensors", "xlmr"), "f32");
    let other = workshop.weights(&part("ner-image", "bin", "xlmr"), "f32");
    let bio = workshop.weights(&part("bare-crf", "safetensors", "xlmr"), "f32");
    let relation = workshop.weights(&part("re-norm", "bin", "xlmr"), "f32");
    let clip = workshop.weights(&part("clip-eos", "safetensors", "clip"), "f32");
    let narrow = workshop.weights(&part("clip-eos-2", "bin", "clip-vocab"), "f32");
    let [gate, rows] = ["one-row", "row-per-relation"].map(|name| workshop.gate(name));
    let expert = |name: &str, context: &str, file: &Path| {
        [
            "--expert".to_owned(),
            format!("{name}:{context}:{}", file.display()),
        ]
    };
    let two = [
        expert("text", "text", &ner),
        expert("image", "image", &other),
    ]
    .concat();
    let with =
        |more: &[&str]| [two.clone(), more.iter().map(|s| (*s).to_owned()).collect()].concat();
    let cases: [(&str, Vec<String>); 10] = [
        ("two experts and no fusion", two.clone()),
        ("a gate without CLIP", with(&["--gate", text(&gate)])),
        (
            "a gate of another width",
            with(&["--gate", text(&gate), "--clip", text(&narrow)]),
        ),
        (
            "a gate with rows for other labels",
            with(&["--gate", text(&rows), "--clip", text(&narrow)]),
        ),
        (
            "experts with other labels",
            [
                expert("a", "text", &ner),
                expert("b", "image", &bio),
                ["--average".into(), "--quiet".into()],
            ]
            .concat(),
        ),
        (
            "experts of two tasks",
            [
                expert("a", "text", &ner),
                expert("b", "image", &relation),
                ["--average".into(), "--quiet".into()],
            ]
            .concat(),
        ),
        (
            "the same name twice",
            [
                expert("a", "text", &ner),
                expert("a", "image", &other),
                ["--average".into(), "--quiet".into()],
            ]
            .concat(),
        ),
        (
            "one expert and an average",
            [expert("a", "text", &ner).to_vec(), vec!["--average".into()]].concat(),
        ),
        ("CLIP as an expert", expert("a", "text", &clip).to_vec()),
        ("no expert", vec!["--clip".into(), text(&clip).to_owned()]),
    ];
    for (what, args) in cases {
        let output = workshop.path("refused.morelet");
        let mut line = vec![
            "bundle".to_owned(),
            "-o".to_owned(),
            text(&output).to_owned(),
        ];
        line.extend(args);
        let run = workshop.tools.convert(&line);
        assert!(matches!(run.code, Some(1 | 2)), "{what}: {run:?}");
        assert!(!run.stderr.trim().is_empty(), "{what}");
        assert!(!output.exists(), "{what}");
    }
}

#[test]
fn a_file_name_with_colons_is_what_follows_the_second() {
    let mut workshop = Workshop::new(tools!());
    let weights = workshop.weights(
        &json!({"checkpoint": "ner-crf", "form": "bin", "tokenizer": "xlmr"}),
        "f32",
    );
    let awkward = workshop.path("a:b:c.weights");
    fs::copy(weights, &awkward).expect("a temporary file");
    let output = workshop.path("b.morelet");
    let part = format!("name:none:{}", awkward.display());
    workshop
        .tools
        .convert(["bundle", "-o", text(&output), "--expert", &part])
        .ok();
    workshop.tools.morelet(["verify", text(&output)]).ok();
}

#[test]
fn a_device_that_cannot_serve_is_exit_code_3() {
    let mut workshop = Workshop::new(tools!());
    let bundle = workshop.bundle("ner", "f32", &[]);
    let queries = golden("cases/ner/queries.jsonl");
    for device in ["cuda", "cuda:0", "wgpu:97"] {
        let args = [
            "predict",
            text(&bundle),
            "--input",
            text(&queries),
            "--device",
            device,
        ];
        workshop.tools.morelet(args).refused(3, &[&device[..4]]);
    }
}

#[test]
fn auto_serves_on_every_machine() {
    let mut workshop = Workshop::new(tools!());
    let bundle = workshop.bundle("ner", "f32", &[]);
    let queries = golden("cases/ner/queries.jsonl");
    let args = ["predict", text(&bundle), "--input", text(&queries)];
    let run = workshop.tools.morelet(args).ok();
    assert_eq!(run.json_lines().len(), lines(&queries).len());
}

#[test]
fn devices_lists_the_cpu() {
    let tools = tools!();
    let report = tools.morelet(["devices", "--json"]).ok().json();
    let cpu = |device: &Value| device["id"] == "cpu" && device["usable"] == true;
    let list = report.as_array().or_else(|| report["devices"].as_array());
    assert!(list.expect("a list of devices").iter().any(cpu), "{report}");
    assert!(tools.morelet(["devices"]).ok().stdout.contains("cpu"));
}

#[test]
fn input_is_read_plain_or_compressed_or_from_standard_input() {
    let mut workshop = Workshop::new(tools!());
    let bundle = workshop.bundle("ner", "f32", &[]);
    let plain = fs::read(golden("cases/ner/queries.jsonl")).expect("a golden file");
    let ask = |input: &Path| {
        let args = [
            "predict",
            text(&bundle),
            "--input",
            text(input),
            "--device",
            "cpu",
        ];
        labels(&workshop.tools.morelet(args).ok())
    };
    let want = ask(&golden("cases/ner/queries.jsonl"));
    assert!(want.len() > 10);

    let mut gzip = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    gzip.write_all(&plain).expect("memory");
    let mut bzip2 = bzip2::write::BzEncoder::new(Vec::new(), bzip2::Compression::fast());
    bzip2.write_all(&plain).expect("memory");
    let forms = [
        ("q.jsonl.gz", gzip.finish().expect("memory")),
        ("q.jsonl.bz2", bzip2.finish().expect("memory")),
        (
            "q.jsonl.zst",
            zstd::encode_all(&plain[..], 1).expect("memory"),
        ),
        ("q.jsonl", plain.clone()),
    ];
    for (name, bytes) in forms {
        let path = workshop.path(name);
        fs::write(&path, &bytes).expect("a temporary file");
        assert_eq!(ask(&path), want, "{name}");
        let args = ["predict", text(&bundle), "--input", "-", "--device", "cpu"];
        let run = workshop.tools.morelet_reading(&bytes, args).ok();
        assert_eq!(labels(&run), want, "{name} on standard input");
        let cut = &bytes[..bytes.len() - 9];
        let run = workshop.tools.morelet_reading(cut, args).exits(1);
        assert!(!run.stderr.is_empty());
    }
}

fn labels(run: &Run) -> Vec<Value> {
    run.json_lines()
        .into_iter()
        .map(|line| line["labels"].clone())
        .collect()
}

#[test]
fn a_bad_line_is_named_by_file_and_number() {
    let mut workshop = Workshop::new(tools!());
    let bundle = workshop.bundle("ner", "f32", &[]);
    let input = workshop.path("q.jsonl");
    for bad in [
        "{",
        "[]",
        "{\"tokens\": 3}",
        "{}",
        "not json",
        "{\"tokens\":[\"a\"],\"text\":\"a\"}",
    ] {
        let good = r#"{"tokens": ["a"], "contexts": {"text": []}}"#;
        fs::write(&input, format!("{good}\n{good}\n{bad}\n{good}\n")).expect("a temporary file");
        let args = [
            "predict",
            text(&bundle),
            "--input",
            text(&input),
            "--device",
            "cpu",
        ];
        let run = workshop.tools.morelet(args).exits(1);
        assert!(run.stderr.contains("q.jsonl"), "{bad}: {}", run.stderr);
        assert!(run.stderr.contains('3'), "{bad}: {}", run.stderr);
    }
}

#[test]
fn quiet_says_nothing_unless_something_is_wrong() {
    let workshop = Workshop::new(tools!());
    let checkpoint = workshop.checkpoint("ner-crf", "bin", "xlmr");
    let output = workshop.path("o.weights");
    let args = ["--quiet", "model", text(&checkpoint), "-o", text(&output)];
    let run = workshop.tools.convert(args).ok();
    assert_eq!((run.stdout.as_str(), run.stderr.as_str()), ("", ""));
    let nowhere = workshop.path("nowhere");
    let args = ["--quiet", "model", text(&nowhere), "-o", text(&output)];
    workshop.tools.convert(args).refused(1, &["nowhere"]);
}

#[test]
fn tables_are_also_json() {
    let mut workshop = Workshop::new(tools!());
    let bundle = workshop.bundle("ner-gate-one-row", "q8", &[]);
    for command in ["inspect", "verify"] {
        let table = workshop.tools.morelet([command, text(&bundle)]).ok();
        let json = workshop
            .tools
            .morelet([command, text(&bundle), "--json"])
            .ok();
        assert!(
            json.json().is_object() || json.json().is_array(),
            "{command}"
        );
        assert!(!table.stdout.trim_start().starts_with('{'), "{command}");
    }
    let manifest = morelet_tests::read_json(bundle.join("bundle.json"));
    for part in manifest["parts"].as_array().expect("parts") {
        let file = bundle.join(part["file"].as_str().expect("a name"));
        let shown = workshop
            .tools
            .morelet(["inspect", text(&file), "--json"])
            .ok();
        let root = part["root"].as_str().expect("a root");
        assert!(shown.stdout.contains(root), "{}", shown.stdout);
    }
}

#[test]
fn completions_and_man_pages_come_from_the_same_definitions() {
    let tools = tools!();
    for shell in ["bash", "zsh", "fish"] {
        assert!(
            tools
                .morelet(["completions", shell])
                .ok()
                .stdout
                .contains("predict")
        );
        assert!(
            tools
                .convert(["completions", shell])
                .ok()
                .stdout
                .contains("text-index")
        );
    }
    assert!(tools.morelet(["man"]).ok().stdout.contains(".TH"));
    assert!(tools.convert(["man"]).ok().stdout.contains(".TH"));
}

#[test]
fn a_reader_that_goes_away_is_no_failure() {
    let mut workshop = Workshop::new(tools!());
    let bundle = workshop.bundle("ner", "f32", &[]);
    let input = workshop.path("many.jsonl");
    let query = json!({"tokens": ["a"], "contexts": {"text": []}});
    write_lines(&input, &vec![query; 2000]);
    let args = [
        "predict",
        text(&bundle),
        "--input",
        text(&input),
        "--device",
        "cpu",
        "--detail",
        "full",
    ];
    let mut command = workshop.tools.command(&workshop.tools.morelet, args);
    command
        .stdout(std::process::Stdio::piped())
        .stderr(std::process::Stdio::piped());
    let mut child = command.spawn().expect("the command starts");
    // Read a little, as `head` does, and leave.
    let mut pipe = child.stdout.take().expect("a pipe");
    std::io::Read::read_exact(&mut pipe, &mut [0; 100]).expect("some output");
    drop(pipe);
    let output = child.wait_with_output().expect("the child is ours");
    let run = Run::new("predict | head".to_owned(), output).ok();
    assert_eq!(run.stderr, "");
}

/// Ctrl-C, as a terminal sends it.
#[cfg(unix)]
mod interrupted {
    use super::*;
    use std::process::{Child, Command, Stdio};
    use std::time::Duration;

    fn interrupt(child: &Child) {
        let status = Command::new("kill")
            .args(["-INT", &child.id().to_string()])
            .status();
        assert!(status.expect("kill(1)").success());
    }

    /// Feeds a command without end, interrupts it, and gives how it ended.
    fn feed_and_interrupt(mut command: Command, line: &str) -> Run {
        let told = format!("{command:?}");
        command
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        let mut child = command.spawn().expect("the command starts");
        let mut pipe = child.stdin.take().expect("a pipe");
        let line = line.to_owned();
        let feeder = std::thread::spawn(move || {
            // Ends with the command, whose end closes the pipe.
            while pipe.write_all(line.as_bytes()).is_ok() {}
        });
        std::thread::sleep(Duration::from_millis(1500));
        interrupt(&child);
        let output = child.wait_with_output().expect("the child is ours");
        feeder.join().expect("the feeder ends");
        Run::new(told, output)
    }

    #[test]
    fn converting_leaves_the_old_output_and_at_most_what_it_goes_on_from() {
        let workshop = Workshop::new(tools!());
        let output = workshop.path("text.index");
        fs::write(&output, "the old one").expect("a temporary file");
        let tools = &workshop.tools;
        let command = tools.command(&tools.convert, ["text-index", "-", "-o", text(&output)]);
        let article = json!({"id": "1", "title": "T", "paragraphs": ["A paragraph about the sun. And another sentence."]});
        let run = feed_and_interrupt(command, &format!("{article}\n"));
        assert_eq!(run.code, Some(130), "{run:?}");
        assert_eq!(fs::read(&output).expect("still there"), b"the old one");
        // The folder of an unfinished build, if it has a checkpoint, and nothing else.
        let begun = output.with_file_name("text.index.building");
        assert_eq!(begun.exists(), begun.join("checkpoint").exists());
        for entry in fs::read_dir(output.parent().expect("a parent")).expect("a directory") {
            let path = entry.expect("an entry").path();
            assert!(path == output || path == begun, "left behind: {path:?}");
        }
    }

    #[test]
    fn predicting_ends_with_130_and_leaves_the_old_output() {
        let mut workshop = Workshop::new(tools!());
        let bundle = workshop.bundle("ner", "f32", &[]);
        let output = workshop.path("answers/out.jsonl");
        fs::create_dir(output.parent().expect("a parent")).expect("a temporary directory");
        fs::write(&output, "the old one").expect("a temporary file");
        let tools = &workshop.tools;
        let args = [
            "predict",
            text(&bundle),
            "--input",
            "-",
            "--output",
            text(&output),
            "--device",
            "cpu",
        ];
        let command = tools.command(&tools.morelet, args);
        let query = json!({"tokens": ["Kolo", "sings"], "contexts": {"text": []}});
        let run = feed_and_interrupt(command, &format!("{query}\n"));
        assert_eq!(run.code, Some(130), "{run:?}");
        assert_eq!(fs::read(&output).expect("still there"), b"the old one");
        let left = fs::read_dir(output.parent().expect("a parent"))
            .expect("a directory")
            .count();
        assert_eq!(left, 1, "no temporary file");
    }
}

#[test]
fn on_the_cpu_a_warm_up_has_nothing_to_do_and_says_so() {
    let mut workshop = Workshop::new(tools!());
    let bundle = workshop.bundle("ner", "f32", &[]);
    let bundle = bundle.to_str().expect("a UTF-8 path");
    let saved = workshop.path("x.tuning");
    let save = saved.to_str().expect("a UTF-8 path");
    let args = ["warm-up", bundle, "--device", "cpu", "--save", save];
    let run = workshop.tools.morelet(args).ok();
    assert_eq!(run.stdout, "");
    assert!(run.stderr.contains("nothing to do"), "{}", run.stderr);
    assert!(!saved.exists(), "nothing was tuned, so nothing is saved");
}

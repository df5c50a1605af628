//! `morelet bench` as a user meets it: models made on the spot, one model alone, turns, formats, comparisons.

use morelet_tests::{Run, Tools, Workshop, golden, lines, numbers, read_json, tools, write_lines};
use serde_json::{Value, json};
use std::collections::HashSet;
use std::fs;
use std::path::Path;

fn text(path: &Path) -> &str {
    path.to_str().expect("a UTF-8 path")
}

fn bench<'a>(tools: &Tools, args: impl IntoIterator<Item = &'a str>) -> Run {
    tools.morelet(["bench"].into_iter().chain(args))
}

/// The smallest bundle with everything in it.
const TINY: [&str; 10] = [
    "--synthetic",
    "tiny",
    "--paragraphs",
    "300",
    "--pictures",
    "60",
    "--device",
    "cpu",
    "--warm-up",
    "1",
];

#[test]
fn a_synthetic_bundle_has_every_module_and_is_a_bundle_like_any_other() {
    let workshop = Workshop::new(tools!());
    let kept = workshop.path("kept");
    let more = ["--repeat", "2", "--alone", "--batch", "1,3", "--json"];
    let args = TINY.into_iter().chain(["--keep", text(&kept)]).chain(more);
    let measured = bench(&workshop.tools, args).ok().json();
    let names = |group: &str| -> Vec<String> {
        let group = measured[group].as_object().expect("rows");
        group.keys().cloned().collect()
    };
    assert_eq!(
        names("modules"),
        [
            "tokenize",
            "text_retrieval",
            "image_decode",
            "clip_image",
            "image_retrieval",
            "clip_text",
            "context",
            "expert_text",
            "expert_image",
            "decode",
            "fuse",
            "total"
        ]
    );
    assert_eq!(
        names("alone"),
        [
            "text_retrieval",
            "context",
            "image_decode",
            "clip_image",
            "image_retrieval",
            "clip_text",
            "tokenize_text",
            "expert_text",
            "decode_text",
            "tokenize_image",
            "expert_image",
            "decode_image"
        ]
    );
    assert_eq!(names("batches"), ["1", "3"]);
    let total = &measured["modules"]["total"];
    // Eight queries, twice: enough for a ninetieth percentile, not for a ninety-ninth.
    assert_eq!(total["n"], 16);
    assert_eq!(total["samples"].as_array().expect("samples").len(), 16);
    assert!(total["p90"].as_u64() >= total["p50"].as_u64() && total["p99"].is_null());
    assert!(measured["host"]["cores"].as_u64() >= Some(1));
    assert_eq!(measured["session"]["device"]["requested"], "cpu");
    for module in ["text_retrieval", "image_retrieval", "clip_image"] {
        assert!(measured["paper"][module]["paper"].is_number(), "{measured}");
    }
    if cfg!(target_os = "linux") {
        // The table of embeddings is mapped and no process of this program is smaller than a MiB.
        assert!(measured["memory"]["peak_resident"].as_u64() > Some(1 << 20));
    }

    let bundle = kept.join("synthetic.morelet");
    workshop.tools.morelet(["verify", text(&bundle)]).ok();
    let queries = kept.join("queries.jsonl");
    let args = ["predict", text(&bundle), "--input", text(&queries)];
    let args = args
        .into_iter()
        .chain(["--detail", "full", "--device", "cpu"]);
    let answers = workshop.tools.morelet(args).ok().json_lines();
    assert_eq!(answers.len(), 8);
    let mut seen = HashSet::new();
    for answer in &answers {
        assert_eq!(answer["notes"], json!([]), "{answer}");
        for expert in ["text", "image"] {
            let ids = answer["experts"][expert]["input_ids"]
                .as_array()
                .expect("ids");
            // What is retrieved fills the input.
            assert_eq!(ids.len(), 512, "{expert}");
            seen.extend(ids.iter().filter_map(Value::as_u64));
        }
    }
    // Ids from all over the table of embeddings.
    let tenth = |id: &u64| id * 10 / 250_002;
    assert_eq!(seen.iter().map(tenth).collect::<HashSet<_>>().len(), 10);

    // What is no option of an index is refused, and not passed over.
    let (sentences, pictures) = (bundle.join("text.index"), bundle.join("image.index"));
    let picture = kept.join("0.jpg");
    for args in [
        &[text(&sentences), "--text", "x", "--alone"][..],
        &[text(&sentences), "--text", "x", "--batch", "2"],
        &[text(&sentences), "--tokens", "2"],
        &[text(&pictures), "--image", text(&picture), "--turns"],
        &[text(&pictures), "--image", text(&picture), "--alone"],
        &[text(&bundle), "--turns"],
    ] {
        let option = args.iter().rev().find(|word| word.starts_with("--"));
        bench(&workshop.tools, args.iter().copied()).refused(2, &[option.expect("an option")]);
    }

    // The same folder is not written over.
    let args = TINY.into_iter().chain(["--keep", text(&kept)]);
    bench(&workshop.tools, args).refused(1, &["empty folder"]);
}

#[test]
fn the_same_seed_makes_the_same_weights() {
    let workshop = Workshop::new(tools!());
    let roots = |name: &str, seed: &str| {
        let kept = workshop.path(name);
        let args = ["--synthetic", "tiny", "--module", "expert", "--tokens", "8"];
        let more = [
            "--seed",
            seed,
            "--keep",
            text(&kept),
            "--device",
            "cpu",
            "--json",
        ];
        let measured = bench(&workshop.tools, args.into_iter().chain(more))
            .ok()
            .json();
        measured["root"].as_str().expect("a root").to_owned()
    };
    let first = roots("a", "5");
    assert_eq!(first, roots("b", "5"));
    assert_ne!(first, roots("c", "6"));
}

#[test]
fn one_encoder_is_measured_by_ids_and_takes_turns() {
    let mut workshop = Workshop::new(tools!());
    let reference = read_json(golden("hidden/bare.json"));
    let weights = workshop.weights(&reference, "f32");
    let tools = workshop.tools.clone();
    let args = [
        text(&weights),
        "--tokens",
        "12",
        "--device",
        "cpu",
        "--threads",
        "1",
    ];
    let measured = bench(&tools, args.into_iter().chain(["-o", "json"]))
        .ok()
        .json();
    assert_eq!(measured["tokens"], 12);
    assert_eq!(measured["device"]["threads"], 1);
    assert_eq!(measured["modules"]["encoder"]["n"], 10);

    let turns = |input: &[u8]| {
        let args = ["bench"].into_iter().chain(args).chain(["--turns"]);
        tools.morelet_reading(input, args)
    };
    let answered = turns(b"{\"repeat\":2}\n\n{\"repeat\":1}\n")
        .ok()
        .json_lines();
    assert_eq!(answered.len(), 3);
    assert_eq!(
        (&answered[0]["ready"], &answered[0]["quantization"]),
        (&json!(true), &json!("f32"))
    );
    for (line, count) in [(1, 2), (2, 1)] {
        let samples = answered[line]["samples_us"].as_array().expect("samples");
        assert_eq!(samples.len(), count);
    }
    assert_eq!(turns(b"").ok().json_lines().len(), 1);
    let refused = turns(b"more\n");
    assert!(refused.stderr.contains("repeat"), "{}", refused.stderr);
    refused.exits(1);

    // PyTorch's hidden states.
    let inputs = &reference["inputs"];
    let folder = workshop.path("hidden");
    fs::create_dir(&folder).expect("a temporary directory");
    for (number, input) in inputs.as_array().expect("inputs").iter().enumerate() {
        let states = numbers(&input["hidden"]);
        let bytes: Vec<u8> = states
            .iter()
            .flat_map(|&x| (x as f32).to_le_bytes())
            .collect();
        let rows = input["ids"].as_array().expect("ids").len();
        let described = json!({"ids": input["ids"], "shape": [rows, states.len() / rows]});
        fs::write(folder.join(format!("{number}.f32")), bytes).expect("written");
        fs::write(folder.join(format!("{number}.json")), described.to_string()).expect("written");
    }
    let agree = |folder: &Path| {
        let more = ["--agree", text(folder), "-o", "json"];
        bench(&tools, args.into_iter().chain(more))
    };
    let near = agree(&folder).ok().json()["hidden_states"].clone();
    let near = near.as_array().expect("a list");
    assert_eq!(near.len(), inputs.as_array().expect("inputs").len());
    for input in near {
        assert!(input["worst_cosine"].as_f64() > Some(0.999_999), "{input}");
        assert!(input["relative_error"].as_f64() < Some(1e-4), "{input}");
    }
    fs::write(folder.join("0.f32"), [0; 12]).expect("written");
    agree(&folder).refused(1, &["0.f32", "shape"]);
    agree(&workshop.path("nowhere")).refused(1, &["nowhere"]);
}

#[test]
fn requests_are_read_and_checked() {
    let mut workshop = Workshop::new(tools!());
    let xlmr = read_json(golden("hidden/bare.json"));
    let clip = json!({"checkpoint": "clip-eos", "form": "safetensors", "tokenizer": "clip"});
    let (encoder, clip) = (
        workshop.weights(&xlmr, "f32"),
        workshop.weights(&clip, "f32"),
    );
    let gate = workshop.gate("one-row");
    let tools = workshop.tools.clone();
    let file = workshop.path("requests.json");
    let ask = |weights: &Path, requests: Value| {
        fs::write(&file, requests.to_string()).expect("written");
        let args = [
            text(weights),
            "--requests",
            text(&file),
            "--device",
            "cpu",
            "--json",
        ];
        bench(&tools, args)
    };
    let picture = golden("pictures/small-grey.png");
    let measured = ask(&clip, json!([text(&picture)])).ok().json();
    let modules: Vec<&String> = measured["modules"]
        .as_object()
        .expect("rows")
        .keys()
        .collect();
    assert_eq!(modules, ["image_decode", "clip_image", "total"]);
    let measured = ask(&encoder, json!([[0, 5, 2], [0, 2]])).ok().json();
    assert_eq!(measured["modules"]["encoder"]["n"], 20);
    assert!(measured.get("tokens").is_none());
    ask(&encoder, json!([])).refused(1, &["empty"]);
    ask(&encoder, json!(["a.jpg"])).refused(1, &["lists of ids"]);
    ask(&encoder, json!([[0, 4_000_000_000_u64, 2]])).refused(1, &[]);
    ask(&encoder, json!([[]])).refused(1, &["ids"]);
    ask(&clip, json!(["nowhere.jpg"])).refused(1, &["nowhere.jpg"]);
    ask(&gate, json!([[0]])).refused(1, &["gate"]);
}

#[test]
fn a_comparison_fails_only_where_it_was_asked_to_and_something_is_slower() {
    let workshop = Workshop::new(tools!());
    let [a, slower, other, broken] =
        ["a.json", "slower.json", "other.json", "broken.json"].map(|name| workshop.path(name));
    let rows = |total: [u32; 5], fuse: [u32; 5]| json!({"commit": "x", "modules": {"total": {"samples": total}, "fuse": {"samples": fuse}}});
    let first = rows([100, 101, 99, 100, 102], [10, 10, 11, 10, 9]);
    write_lines(&a, &[first]);
    write_lines(&slower, &[rows([150, 151, 149, 150, 152], [5, 5, 5, 5, 6])]);
    write_lines(&other, &[json!({"modules": {"else": {"samples": [1]}}})]);
    fs::write(&broken, "{").expect("written");
    let compare = |b: &Path, more: &[&str]| {
        let args = ["--compare", text(&a), text(b)];
        bench(&workshop.tools, args.iter().chain(more).copied())
    };
    let run = compare(&slower, &["-o", "json", "--fail-over", "60%"]).ok();
    let ratios = run.json();
    assert_eq!(ratios["modules"]["total"]["ratio"], 1.5);
    assert_eq!(ratios["modules"]["fuse"]["ratio"], 0.5);
    assert!(compare(&slower, &[]).ok().stdout.contains("slower"));
    compare(&a, &["--fail-over", "0"]).ok();
    let failed = compare(&slower, &["--fail-over", "5%"]);
    // The table is printed all the same.
    assert!(failed.stdout.contains("1.500"), "{}", failed.stdout);
    failed.exits(1);
    compare(&other, &[]).refused(1, &["no module in common"]);
    compare(&broken, &[]).refused(1, &["broken.json"]);
    compare(&workshop.path("nowhere.json"), &[]).refused(1, &["nowhere.json"]);
    compare(&slower, &["-o", "svg"]).refused(2, &["picture"]);
}

#[test]
fn every_format_has_a_row_a_module() {
    let workshop = Workshop::new(tools!());
    let kept = workshop.path("kept");
    let args = TINY
        .into_iter()
        .chain(["--keep", text(&kept), "--repeat", "1"]);
    bench(&workshop.tools, args).ok();
    let (bundle, input) = (kept.join("synthetic.morelet"), kept.join("queries.jsonl"));
    let print = |format: &str| {
        let args = [text(&bundle), "--input", text(&input), "--repeat", "1"];
        let more = ["--warm-up", "0", "--device", "cpu", "-o", format];
        bench(&workshop.tools, args.into_iter().chain(more)).ok()
    };
    let modules = ["text_retrieval", "clip_image", "expert_text", "total"];
    for format in ["table", "md", "csv"] {
        let run = print(format);
        for module in modules {
            let rows = run
                .stdout
                .lines()
                .filter(|line| line.split(['|', ',', ' ']).any(|cell| cell == module));
            assert_eq!(rows.count(), 1, "{format}: {module}: {}", run.stdout);
        }
    }
    let rows = print("jsonl").json_lines();
    for row in &rows {
        assert!(
            row["times"]["p50"].is_number() && row["host"].is_object(),
            "{row}"
        );
        assert!(row["session"]["device"]["used"].is_string(), "{row}");
    }
    assert!(
        modules
            .iter()
            .all(|module| rows.iter().any(|row| row["module"] == *module))
    );
    let svg = print("svg").stdout;
    assert!(svg.starts_with("<svg") && svg.trim_end().ends_with("</svg>"));
    assert_eq!(
        svg.matches("<rect").count(),
        rows.len() + 1,
        "a bar a module, on a ground"
    );
    let queries = lines(&input);
    assert_eq!(rows[0]["times"]["n"], queries.len());
}

#[test]
fn what_cannot_be_meant_is_exit_code_2() {
    let tools = tools!();
    let cases: [&[&str]; 15] = [
        &[],
        &["b", "--compare", "a.json", "b.json"],
        &["b", "--synthetic", "tiny"],
        &["--compare", "a.json"],
        &["--fail-over", "5%", "b", "--text", "x"],
        &["b", "--text", "x", "--keep", "d"],
        &["b", "--text", "x", "--module", "expert"],
        &["--compare", "a.json", "b.json", "--fail-over", "much"],
        &["--synthetic", "xlm-r-huge"],
        &["--synthetic", "tiny", "--text", "x"],
        &["--synthetic", "tiny", "--precision", "q5"],
        &["--synthetic", "tiny", "--module", "expert"],
        &["--synthetic", "tiny", "--tokens", "5"],
        &["b", "--text", "x", "--batch", "0"],
        &["b", "--text", "x", "-o", "yaml"],
    ];
    for args in cases {
        bench(&tools, args.iter().copied()).refused(2, &[]);
    }
    let kept = std::env::temp_dir().join("morelet-is-not-made-for-no-device");
    let args = [
        "--synthetic",
        "tiny",
        "--device",
        "wgpu:4000",
        "--keep",
        text(&kept),
    ];
    bench(&tools, args).refused(3, &["wgpu"]);
    assert!(!kept.exists());
    let mut workshop = Workshop::new(tools);
    let part = json!({"checkpoint": "ner-crf", "form": "safetensors", "tokenizer": "xlmr"});
    let weights = workshop.weights(&part, "f32");
    for args in [
        &[text(&weights)][..],
        &[text(&weights), "--tokens", "1"],
        &[text(&weights), "--tokens", "60000"],
    ] {
        let args = args.iter().copied().chain(["--device", "cpu"]);
        bench(&workshop.tools, args).refused(2, &["--tokens"]);
    }
}

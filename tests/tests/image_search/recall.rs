//! What recall was measured, and what asking for one does.

use super::built::{FEW, build, near, picture, scores, strings, text};
use morelet::{Bundle, DeviceRequest, ErrorKind, ImageEffort, SessionOptions};
use morelet_tests::write_lines;
use serde_json::json;
use std::path::Path;

#[test]
fn inspect_tells_how_features_are_kept_and_what_recall_was_measured() {
    let mut built = build(1_500, 50);
    let index = built.open();
    let tools = built.workshop.tools.clone();
    let inspect = |what: &Path, more: &[&str]| {
        let args = [&["inspect", text(what)], more].concat();
        tools.morelet(args).ok()
    };
    let told = inspect(&built.index, &["--json"]).json()["index"].clone();
    assert_eq!(told["vectors"], index.vectors().to_string());
    assert_eq!(
        (&told["images"], &told["dimension"]),
        (&json!(1500), &json!(24))
    );
    let recall = told["recall"].as_array().expect("a list");
    assert_eq!(recall.len(), index.recall().len());
    for (told, row) in recall.iter().zip(index.recall()) {
        assert_eq!(told["ef"], row.ef);
        // Not the digits of the next f64.
        assert_eq!(
            told["recall"].as_f64(),
            row.recall.to_string().parse::<f64>().ok()
        );
    }
    let efs: Vec<u64> = recall.iter().flat_map(|row| row["ef"].as_u64()).collect();
    assert!(efs.is_sorted_by(|a, b| a < b), "{efs:?}");
    let bundle = built.bundle("image");
    for what in [&built.index, &bundle] {
        let shown = inspect(what, &[]).stdout;
        assert!(shown.contains("recall@10"), "{shown}");
        assert_eq!(shown.contains("not measured"), recall.is_empty(), "{shown}");
        for row in recall {
            let line = |line: &&str| {
                let cells: Vec<&str> = line.split_whitespace().collect();
                cells == [row["ef"].to_string(), row["recall"].to_string()]
            };
            assert!(shown.lines().any(|told| line(&told)), "{row} in {shown}");
        }
    }
}

#[test]
fn predictions_read_what_a_search_with_the_same_options_finds() {
    let mut built = build(2_000, 50);
    let bundle = built.bundle("image");
    let read = |more: &[&str]| {
        let answer = built.predict(&bundle, more).ok().json();
        let contexts = answer["experts"]["x"]["contexts"].as_array();
        contexts.expect("contexts").clone()
    };
    let picture = picture(0);
    for more in [
        &[][..],
        &["--ef", "10"],
        &["--ef", "700", "--prefault"],
        &["--recall", "0.9"],
        &["--exact"],
    ] {
        let args = [&[text(&picture)], more].concat();
        let found = built.run(&args).ok().json();
        let hits = found["hits"].as_array().expect("hits");
        let read = read(more);
        assert_eq!(strings(&read, "text"), strings(hits, "value"), "{more:?}");
        assert_eq!(scores(&read), scores(hits), "{more:?}");
    }
    near(
        &scores(&read(&["--exact"])),
        &built.truth(0, |_| true)[..10],
    );

    // Who reads no pictures is not held up by a recall.
    let none = built.bundle("none");
    for (bundle, said) in [(&bundle, false), (&none, true)] {
        let gold = built.workshop.path("gold.jsonl");
        write_lines(
            &gold,
            &[json!({"tokens": ["a"], "gold": ["O"], "image": picture})],
        );
        let args = [
            "eval",
            text(bundle),
            "--input",
            text(&gold),
            "--device",
            "cpu",
        ];
        let args = [&args[..], &["--recall", "0.8"]].concat();
        for run in [
            built.workshop.tools.morelet(args).ok(),
            built.predict(bundle, &["--recall", "0.8"]).ok(),
        ] {
            let told = run.stderr.contains("--recall changes nothing");
            assert_eq!(told, said, "{}", run.stderr);
        }
    }
}

#[test]
fn a_recall_that_was_not_reached_is_told_before_anything_is_answered() {
    // So few candidates make a graph in which not everything is found.
    let mut built = build(FEW + 1, 4);
    let index = built.open();
    let best = index.recall().iter().map(|row| row.recall).reduce(f32::max);
    let (recall, told) = match best {
        None => (0.5, "not measured".to_owned()),
        Some(best) if best < 1.0 => (1.0, format!("at most {best}")),
        Some(_) => return, // The graph is better than it was meant to be.
    };
    let parts = ["made.index", &told, "--ef", "--exact"];
    let asked = recall.to_string();
    let picture = picture(0);
    built
        .run(&[text(&picture), "--recall", &asked])
        .refused(1, &parts);
    built.hits(0, &["--exact"]);
    let bundle = built.bundle("image");
    let parts = [&["image.index"], &parts[1..]].concat();
    built
        .predict(&bundle, &["--recall", &asked])
        .refused(1, &parts);
    built.predict(&bundle, &["--ef", "200"]).ok();
    let session = |image_effort| {
        let bundle = Bundle::open(&bundle).expect("a bundle");
        bundle.session(&SessionOptions {
            device: DeviceRequest::Cpu,
            image_effort,
            ..SessionOptions::default()
        })
    };
    let error = session(ImageEffort::Recall(recall)).expect_err("not reached");
    assert_eq!(error.kind(), ErrorKind::Unsupported, "{error}");
    let error = session(ImageEffort::Recall(1.5)).expect_err("no recall");
    assert_eq!(error.kind(), ErrorKind::Input, "{error}");
    session(ImageEffort::Exact).expect("what is always there");
}

//! `bench` of an image index, and options that nothing can be meant by.

use super::built::{build, picture, text};
use morelet_tests::{Workshop, tools, write_lines};
use serde_json::json;
use std::fs;

#[test]
fn bench_measures_an_image_index_and_says_how_it_was_searched() {
    let mut built = build(1_500, 50);
    let list = built.workshop.path("list.jsonl");
    let line = |n: usize| json!({"text": "x", "image": picture(n)});
    write_lines(&list, &[line(0), line(1), line(2)]);
    let tools = built.workshop.tools.clone();
    let (index, clip) = (built.index.clone(), built.clip.clone());
    let bench = |more: &[&str]| {
        let args = ["bench", text(&index), "--input", text(&list)];
        let always = ["--clip", text(&clip), "--device", "cpu", "--repeat", "4"];
        tools.morelet(args.iter().chain(&always).chain(more))
    };
    let measured = bench(&["--ef", "20", "--json"]).ok().json();
    assert_eq!(
        (&measured["answers"], &measured["pictures"]),
        (&json!(12), &json!(1500))
    );
    assert_eq!(measured["image_search"]["ef"], 20);
    assert_eq!(measured["image_search"]["effort"], "ef=20");
    assert_eq!(measured["image_search"]["queries"], 3);
    let recall = measured["image_search"]["recall_at_10"].as_f64();
    assert!(
        (0.0..=1.0).contains(&recall.expect("a number")),
        "{measured}"
    );
    for module in ["search", "values"] {
        assert_eq!(measured["modules"][module]["n"], 12, "{measured}");
    }
    assert!(measured.get("batches").is_none() && measured.get("prefault_us").is_none());
    let exact = bench(&["--exact", "--json", "--prefault"]).ok().json();
    assert!(exact["image_search"]["ef"].is_null() && exact["prefault_us"].is_u64());
    assert!(exact["image_search"].get("recall_at_10").is_none());
    let batches = |more: &[&str]| -> Vec<String> {
        let measured = bench(&[more, &["--json"]].concat()).ok().json();
        let batches = measured["batches"].as_object().expect("rows");
        batches.keys().cloned().collect()
    };
    assert_eq!(batches(&["--threads", "2"]), ["3"]);
    assert_eq!(batches(&["--batch", "1,5"]), ["1", "5"]);
    let shown = bench(&["--ef", "2000"]).ok().stdout;
    for part in [
        "1500 pictures",
        "recall@10 1.0000 over 3",
        "searches a second",
        "values",
    ] {
        assert!(shown.contains(part), "{part} in {shown}");
    }

    let first = picture(0);
    let alone = ["bench", text(&index), "--image", text(&first)];
    tools.morelet(alone).refused(1, &["--clip", "made.index"]);
    let nothing = built.workshop.path("nothing.txt");
    fs::write(&nothing, "\n").expect("a temporary file");
    let args = ["bench", text(&index), "--input", text(&nothing)];
    tools.morelet(args).refused(1, &["no picture"]);
    for (more, part) in [
        (&["--text", "x"][..], "--text"),
        (&["--input", "x", "--images", "d"], "--images"),
        (&["--input", "x", "--effort", "0.5"], "--effort"),
        (&[], "--image"),
    ] {
        let args = [&["bench", text(&index)], more].concat();
        tools.morelet(args).refused(2, &[part]);
    }

    for flag in [&["--ef", "5"][..], &["--effort", "0.5"], &["--clip", "x"]] {
        let args = [&["bench", text(&clip), "--image", text(&first)], flag].concat();
        tools.morelet(args).refused(2, &[flag[0]]);
    }

    let bundle = built.bundle("image");
    let args = [
        "search",
        text(&bundle),
        "image",
        text(&first),
        "--clip",
        "x",
    ];
    tools.morelet(args).refused(2, &["a CLIP of its own"]);
    let args = [
        "bench",
        text(&bundle),
        "--text",
        "x",
        "--image",
        text(&first),
        "--repeat",
        "2",
    ];
    let more = ["--device", "cpu", "--ef", "30", "--json"];
    let measured = tools.morelet(args.iter().chain(&more)).ok().json();
    assert_eq!(
        measured["image_search"],
        json!({"effort": "ef=30", "ef": 30})
    );
    assert_eq!(measured["modules"]["image_retrieval"]["n"], 2);
}

#[test]
fn wrong_usage_is_exit_code_2_before_anything_is_opened() {
    let tools = tools!();
    let image = ["search", "b", "image", "x"];
    let words = ["search", "b", "text", "x"];
    let cases: [(&[&str], &[&str], &str); 23] = [
        (&image, &["--ef", "0"], "--ef"),
        (&image, &["--ef=-3"], "--ef"),
        (&image, &["--recall", "0"], "at most 1"),
        (&image, &["--recall", "1.01"], "at most 1"),
        (&image, &["--recall", "nan"], "at most 1"),
        (&image, &["--recall", "90%"], "at most 1"),
        (
            &image,
            &["--recall", "0.9", "--ef", "5"],
            "cannot be used with",
        ),
        (
            &image,
            &["--recall", "0.9", "--exact"],
            "cannot be used with",
        ),
        (&image, &["--ef", "5", "--exact"], "cannot be used with"),
        (&image, &["--images"], "--images"),
        (&words, &["--ef", "5"], "--ef"),
        (&words, &["--recall", "0.9"], "--recall"),
        (&words, &["--exact"], "--exact"),
        (&words, &["--prefault"], "--prefault"),
        (&words, &["--images", "f"], "--images"),
        (&words, &["--clip", "f"], "--clip"),
        (
            &["search", "b", "image", "--input", "-"],
            &["--images", "-"],
            "standard input",
        ),
        (
            &["predict", "b", "--text", "x"],
            &["--recall", "2"],
            "at most 1",
        ),
        (
            &["predict", "b", "--text", "x"],
            &["--ef", "1", "--exact"],
            "cannot be used with",
        ),
        (
            &["eval", "b", "--input", "x"],
            &["--recall", "0"],
            "at most 1",
        ),
        (
            &["bench", "b", "--text", "x"],
            &["--recall=-1"],
            "at most 1",
        ),
        (&["bench", "b", "--text", "x"], &["--ef", "x"], "--ef"),
        (&["bench", "b", "--text", "x"], &["--clip", "f"], "--clip"),
    ];
    for (args, more, part) in cases {
        tools.morelet(args.iter().chain(more)).refused(2, &[part]);
    }
    let workshop = Workshop::new(tools);
    let corpus = workshop.path("corpus.jsonl");
    write_lines(
        &corpus,
        &[json!({"id": "1", "title": "A", "paragraphs": ["A museum."]})],
    );
    let index = workshop.path("text.index");
    let args = ["text-index", text(&corpus), "-o", text(&index)];
    workshop.tools.convert(args).ok();
    for flag in [&["--recall", "0.9"][..], &["--exact"], &["--clip", "f"]] {
        let args = [&["bench", text(&index), "--text", "museum"], flag].concat();
        workshop.tools.morelet(args).refused(2, &[flag[0]]);
    }
}

//! Retrieval inside a bundle: what `search` finds is what `predict` reads.

use morelet_tests::{Workshop, golden, read_json, tools, write_lines};
use serde_json::{Value, json};
use std::path::{Path, PathBuf};

fn text(path: &Path) -> &str {
    path.to_str().expect("a UTF-8 path")
}

/// Twenty articles; the third has the same two paragraphs as the second.
fn corpus(workshop: &Workshop) -> PathBuf {
    let subjects = [
        "lighthouse",
        "museum",
        "museum",
        "river",
        "harbour",
        "orchestra",
        "eagle",
        "train",
    ];
    let articles: Vec<Value> = (0..20)
        .map(|n| {
            let subject = subjects[n % subjects.len()];
            let of = if n == 2 { 1 } else { n };
            json!({"id": format!("{n}"), "title": format!("Article {n}"), "paragraphs": [
                format!("The {subject} number {of} stands near <e: London> London </e>. Many people visit the {subject} every summer."),
                [format!("Kolo painted {subject} {of} twice."), format!("It rains on {of}.")],
            ]})
        })
        .collect();
    let path = workshop.path("corpus.jsonl");
    write_lines(&path, &articles);
    path
}

/// Twelve pictures: the three golden ones again and again, told apart by their titles.
fn images(workshop: &Workshop) -> PathBuf {
    let files = ["wide.png", "tall.jpg", "small-grey.png"];
    let entries: Vec<Value> = (0..12)
        .map(|n| {
            json!({"id": format!("picture-{n}"), "title": format!("Title {n}"), "intro": format!("Introduction {n}."),
                   "image": golden(format!("pictures/{}", files[n % 3]))})
        })
        .collect();
    let path = workshop.path("images.jsonl");
    write_lines(&path, &entries);
    path
}

struct Built {
    workshop: Workshop,
    text_index: PathBuf,
    image_index: PathBuf,
}

fn build() -> Built {
    let mut workshop = Workshop::new(tools!());
    let text_index = workshop.path("text.index");
    let corpus = corpus(&workshop);
    let args = ["text-index", text(&corpus), "-o", text(&text_index)];
    workshop.tools.convert(args).ok();
    let image_index = workshop.path("image.index");
    let case = read_json(golden("cases/ner-gate-one-row/case.json"));
    let clip = workshop.weights(&case["clip"], "f32");
    let images = images(&workshop);
    let args = [
        "image-index",
        text(&images),
        "-o",
        text(&image_index),
        "--clip",
        text(&clip),
    ];
    workshop.tools.convert(args).ok();
    Built {
        workshop,
        text_index,
        image_index,
    }
}

impl Built {
    fn bundle(&mut self, case: &str) -> PathBuf {
        let (text_index, image_index) = (
            text(&self.text_index).to_owned(),
            text(&self.image_index).to_owned(),
        );
        let more = ["--text-index", &text_index, "--image-index", &image_index];
        self.workshop.bundle(case, "f32", &more)
    }

    fn hits(&self, what: &Path, kind: &str, query: &str, more: &[&str]) -> Vec<Value> {
        let mut args = vec!["search", text(what), kind, query];
        args.extend(more);
        let run = self.workshop.tools.morelet(&args).ok();
        let found = run.json();
        assert!(found["query"].is_string(), "{found}");
        found["hits"].as_array().expect("hits").clone()
    }

    fn predict(&self, bundle: &Path, query: &Value) -> Value {
        let input = self.workshop.path("q.jsonl");
        write_lines(&input, std::slice::from_ref(query));
        self.workshop.predict(bundle, &input, "cpu").remove(0)
    }
}

fn values(hits: &[Value], key: &str) -> Vec<String> {
    hits.iter()
        .map(|hit| hit[key].as_str().expect("text").to_owned())
        .collect()
}

#[test]
fn search_and_predict_find_the_same() {
    let mut built = build();
    let bundle = built.bundle("ner-gate-one-row");
    let hits = built.hits(&bundle, "text", "museum near London", &[]);
    assert!(!hits.is_empty() && hits.len() <= 10);
    let image = golden("pictures/tall.jpg");
    let seen = built.hits(&bundle, "image", text(&image), &[]);
    let query = json!({"id": "q", "tokens": ["museum", "near", "London"], "image": image});
    let answer = built.predict(&bundle, &query);
    let contexts = |name: &str| {
        answer["experts"][name]["contexts"]
            .as_array()
            .expect("contexts")
            .clone()
    };
    for (name, hits) in [("text", hits), ("image", seen)] {
        assert_eq!(
            values(&contexts(name), "text"),
            values(&hits, "value"),
            "{name}"
        );
        let scores = |of: &[Value]| {
            morelet_tests::numbers(&of.iter().map(|v| v["score"].clone()).collect::<Value>())
        };
        assert_eq!(scores(&contexts(name)), scores(&hits), "{name}");
    }
    assert!(answer["gate"]["text"].is_f64());
    assert_eq!(answer["notes"], json!([]), "nothing is missing");
}

#[test]
fn values_keep_their_anchors_and_equal_ones_come_once() {
    let built = build();
    let index = built.text_index.clone();
    let hits = built.hits(&index, "text", "museum number 1", &[]);
    let all = values(&hits, "value");
    assert!(all[0].contains("<e: London> London </e>"), "{all:?}");
    let unique: std::collections::BTreeSet<_> = all.iter().collect();
    assert_eq!(unique.len(), all.len(), "equal values are returned once");
    let ranks: Vec<_> = hits.iter().map(|hit| hit["rank"].as_u64()).collect();
    assert_eq!(ranks, (1..=hits.len() as u64).map(Some).collect::<Vec<_>>());
    let keys = built.hits(&index, "text", "museum number 1", &["--keys"]);
    assert_eq!(keys.len(), 10, "--keys returns k keys");
    assert!(
        hits.len() < keys.len(),
        "the third article repeats the second"
    );
    // An anchor's title is no text: nothing is found by it alone.
    for key in ["rank", "score", "key", "id", "title", "value"] {
        assert!(!hits[0][key].is_null(), "{key}");
    }
}

#[test]
fn a_picture_finds_itself_and_its_value_is_title_and_introduction() {
    let mut built = build();
    // An index alone has no CLIP to see a query with; a bundle has.
    let bundle = built.bundle("ner-gate-one-row");
    let image = golden("pictures/wide.png");
    let hits = built.hits(&bundle, "image", text(&image), &["-k", "4", "--keys"]);
    let mut found = values(&hits, "key");
    found.sort();
    assert_eq!(found, ["picture-0", "picture-3", "picture-6", "picture-9"]);
    let score = hits[0]["score"].as_f64().expect("a number");
    assert!((score - 1.0).abs() < 1e-2, "a picture and itself: {score}");
    let n = &hits[0]["key"].as_str().expect("text")["picture-".len()..];
    assert_eq!(hits[0]["value"], format!("Title {n} Introduction {n}."));
}

#[test]
fn contexts_of_the_query_replace_retrieval() {
    let mut built = build();
    let bundle = built.bundle("ner-average");
    let query = json!({"id": "q", "tokens": ["museum"], "contexts": {"text": ["mine"]}});
    let answer = built.predict(&bundle, &query);
    let contexts = answer["experts"]["text"]["contexts"]
        .as_array()
        .expect("contexts");
    assert_eq!(values(contexts, "text"), ["mine"]);
    // No picture and no contexts: nothing for the other expert to read.
    assert!(answer["experts"].get("image").is_none());
}

#[test]
fn random_contexts_depend_on_the_querys_id_and_on_the_seed_alone() {
    let mut built = build();
    let described = read_json(golden("cases/ner/case.json"));
    let weights = built.workshop.weights(&described["experts"][0], "f32");
    for (kind, option, index) in [
        ("random-text", "--text-index", built.text_index.clone()),
        ("random-image", "--image-index", built.image_index.clone()),
    ] {
        let bundle = built.workshop.path(format!("{kind}.morelet"));
        let part = format!("r:{kind}:{}", weights.display());
        let mut args = vec![
            "bundle",
            "-o",
            text(&bundle),
            "--expert",
            &part,
            option,
            text(&index),
        ];
        let clip;
        if kind == "random-image" {
            let case = read_json(golden("cases/ner-gate-one-row/case.json"));
            clip = built.workshop.weights(&case["clip"], "f32");
            args.extend(["--clip", text(&clip)]);
        }
        built.workshop.tools.convert(&args).ok();
        let drawn = |built: &Built, id: &str, word: &str| {
            let answer = built.predict(&bundle, &json!({"id": id, "tokens": [word]}));
            values(
                answer["experts"]["r"]["contexts"]
                    .as_array()
                    .expect("contexts"),
                "text",
            )
        };
        let first = drawn(&built, "one", "museum");
        assert!(!first.is_empty(), "{kind}");
        assert_eq!(
            first,
            drawn(&built, "one", "river"),
            "{kind}: the sentence does not matter"
        );
        assert_ne!(first, drawn(&built, "two", "museum"), "{kind}: the id does");
        let manifest = bundle.join("bundle.json");
        let mut changed = read_json(&manifest);
        changed["seed"] = json!(changed["seed"].as_u64().expect("a seed") + 1);
        std::fs::remove_file(&manifest).expect("a temporary file");
        std::fs::write(&manifest, changed.to_string()).expect("a temporary file");
        assert_ne!(
            first,
            drawn(&built, "one", "museum"),
            "{kind}: and so does the seed"
        );
    }
}

#[test]
fn an_index_made_by_another_clip_is_refused_by_name() {
    let mut built = build();
    let case = read_json(golden("cases/re-gate/case.json"));
    let other = built.workshop.weights(&case["clip"], "f32");
    let described = read_json(golden("cases/ner/case.json"));
    let weights = built.workshop.weights(&described["experts"][0], "f32");
    let part = format!("i:image:{}", weights.display());
    let output = built.workshop.path("x.morelet");
    let args = [
        "bundle",
        "-o",
        text(&output),
        "--expert",
        &part,
        "--image-index",
        text(&built.image_index),
        "--clip",
        text(&other),
    ];
    let run = built
        .workshop
        .tools
        .convert(args)
        .refused(1, &["image.index"]);
    assert!(run.stderr.to_lowercase().contains("clip"), "{}", run.stderr);
    assert!(!output.exists());
}

#[test]
fn any_precision_of_the_same_clip_serves_an_index() {
    let mut built = build();
    let case = read_json(golden("cases/ner-gate-one-row/case.json"));
    let described = read_json(golden("cases/ner/case.json"));
    let weights = built.workshop.weights(&described["experts"][0], "f32");
    for quantize in ["f16", "q8"] {
        let clip = built.workshop.weights(&case["clip"], quantize);
        let part = format!("i:image:{}", weights.display());
        let output = built.workshop.path(format!("{quantize}.morelet"));
        let args = [
            "bundle",
            "-o",
            text(&output),
            "--expert",
            &part,
            "--image-index",
            text(&built.image_index),
            "--clip",
            text(&clip),
        ];
        built.workshop.tools.convert(args).ok();
    }
}

#[test]
fn many_searches_are_a_line_each() {
    let built = build();
    let input = built.workshop.path("q.jsonl");
    write_lines(
        &input,
        &[json!({"text": "river"}), json!({"text": "eagle and train"})],
    );
    let args = [
        "search",
        text(&built.text_index),
        "text",
        "--input",
        text(&input),
        "-k",
        "3",
    ];
    let found = built.workshop.tools.morelet(args).ok().json_lines();
    assert_eq!(found.len(), 2);
    assert_eq!(found[0]["query"], "river");
    assert_eq!(found[1]["hits"].as_array().map(Vec::len), Some(3));
}

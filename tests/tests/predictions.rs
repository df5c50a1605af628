//! What `morelet predict` writes: the keys of its JSON, its notes, and what decides which expert runs.

use morelet_tests::{Workshop, close, golden, read_json, tools, write_lines};
use serde_json::{Value, json};
use std::path::{Path, PathBuf};

/// Answers to queries that the test itself asks.
fn ask(workshop: &Workshop, bundle: &Path, queries: &[Value], more: &[&str]) -> Vec<Value> {
    let input = workshop.path("asked.jsonl");
    write_lines(&input, queries);
    let mut args = vec![
        "predict",
        text(bundle),
        "--input",
        text(&input),
        "--device",
        "cpu",
    ];
    args.extend(more);
    workshop.tools.morelet(args).ok().json_lines()
}

fn text(path: &Path) -> &str {
    path.to_str().expect("a UTF-8 path")
}

/// A bundle with one expert called `name` that reads contexts of `kind`.
fn single(workshop: &mut Workshop, name: &str, kind: &str) -> PathBuf {
    let described = read_json(golden("cases/ner/case.json"));
    let weights = workshop.weights(&described["experts"][0], "f32");
    let bundle = workshop.path(format!("{name}-{kind}.morelet"));
    let part = format!("{name}:{kind}:{}", weights.display());
    let args = ["bundle", "-o", text(&bundle), "--expert", &part];
    workshop.tools.convert(args).ok();
    bundle
}

fn notes(answer: &Value) -> String {
    let notes = answer["notes"].as_array().expect("a list of notes");
    let notes: Vec<_> = notes.iter().map(|n| n.as_str().expect("text")).collect();
    notes.join("\n")
}

const FULL: [&str; 2] = ["--detail", "full"];

#[test]
fn an_answer_has_the_keys_of_the_design_and_no_others() {
    let mut workshop = Workshop::new(tools!());
    let bundle = workshop.bundle("ner-gate-row-per-label", "f32", &[]);
    let query = json!({"id": 7, "tokens": ["Kolo", "sings"], "contexts": {"text": ["a"], "image": ["b"]},
                       "image": golden("pictures/wide.png")});
    let keys = |value: &Value| -> Vec<String> {
        let object = value.as_object().expect("an object");
        let mut keys: Vec<String> = object.keys().cloned().collect();
        keys.sort();
        keys
    };
    let plain = &ask(&workshop, &bundle, std::slice::from_ref(&query), &[])[0];
    let common = ["entities", "gate", "id", "labels", "notes", "timings_us"];
    assert_eq!(keys(plain), common);
    assert_eq!(plain["id"], 7, "an id that is a number stays one");
    let timings = plain["timings_us"].as_object().expect("an object");
    assert!(
        !timings.is_empty() && timings.values().all(Value::is_u64),
        "{timings:?}"
    );
    for entity in plain["entities"].as_array().expect("a list") {
        assert_eq!(keys(entity), ["end", "score", "start", "text", "type"]);
    }

    let full = &ask(&workshop, &bundle, &[query], &FULL)[0];
    let more = ["clip_image", "clip_text", "experts", "gate_text", "mixture"];
    let mut all: Vec<_> = common
        .iter()
        .chain(&more)
        .map(|k| (*k).to_owned())
        .collect();
    all.sort();
    assert_eq!(keys(full), all);
    let expert = &full["experts"]["text"];
    let of_ner = [
        "contexts",
        "emissions",
        "input_ids",
        "labels",
        "marginals",
        "viterbi",
    ];
    assert_eq!(keys(expert), of_ner);
    assert_eq!(keys(&expert["contexts"][0]), ["id", "score", "text"]);
    assert_eq!(expert["contexts"][0]["text"], "a");
    let first = full["gate"].as_object().expect("an object").keys().next();
    assert_eq!(
        first.map(String::as_str),
        Some("text"),
        "the first expert comes first"
    );
}

#[test]
fn a_relation_has_a_type_and_a_score_and_logits_under_its_experts() {
    let mut workshop = Workshop::new(tools!());
    let bundle = workshop.bundle("re-norm", "f32", &[]);
    let query = json!({"id": "q", "tokens": ["Kolo", "in", "Oslo"], "subject": [0, 1], "object": [2, 3],
                       "contexts": {"text": []}});
    let answer = &ask(&workshop, &bundle, &[query], &FULL)[0];
    assert!(answer["relation"]["type"].is_string() && answer["relation"]["score"].is_f64());
    for absent in ["labels", "entities", "gate"] {
        assert!(answer.get(absent).is_none_or(Value::is_null), "{absent}");
    }
    let logits = answer["experts"]["text"]["logits"]
        .as_array()
        .expect("a list");
    assert_eq!(logits.len(), 6);
    assert_eq!(answer["mixture"].as_array().map(Vec::len), Some(6));
}

#[test]
fn contexts_are_keyed_by_an_experts_name_or_by_its_kind() {
    let mut workshop = Workshop::new(tools!());
    let bundle = single(&mut workshop, "reader", "text");
    let with = |key: &str| json!({"id": key, "tokens": ["Kolo", "sings"], "contexts": {key: ["in London"]}});
    let answers = ask(&workshop, &bundle, &[with("reader"), with("text")], &FULL);
    let ids = |answer: &Value| answer["experts"]["reader"]["input_ids"].clone();
    assert!(ids(&answers[0]).as_array().is_some_and(|ids| ids.len() > 6));
    assert_eq!(ids(&answers[0]), ids(&answers[1]));
    assert_eq!(answers[0]["experts"], answers[1]["experts"]);
}

#[test]
fn given_contexts_are_those_that_the_caller_brings() {
    let mut workshop = Workshop::new(tools!());
    let bundle = single(&mut workshop, "captions", "given");
    for key in ["captions", "given"] {
        let query =
            json!({"id": "q", "tokens": ["Kolo"], "contexts": {key: ["a cat", "on a mat"]}});
        let answer = &ask(&workshop, &bundle, &[query], &FULL)[0];
        let contexts = answer["experts"]["captions"]["contexts"]
            .as_array()
            .expect("a list");
        let texts: Vec<_> = contexts
            .iter()
            .map(|c| c["text"].as_str().expect("text"))
            .collect();
        assert_eq!(texts, ["a cat", "on a mat"], "{key}");
    }
}

#[test]
fn an_empty_list_of_contexts_runs_the_expert_and_no_list_does_not() {
    let mut workshop = Workshop::new(tools!());
    let bundle = workshop.bundle("ner-average", "f32", &[]);
    let tokens = ["Kolo", "loves", "the", "sun"];
    let both = json!({"id": "both", "tokens": tokens, "contexts": {"text": [], "image": []}});
    let one = json!({"id": "one", "tokens": tokens, "contexts": {"text": []}});
    let answers = ask(&workshop, &bundle, &[both, one], &FULL);
    for name in ["text", "image"] {
        let ids = answers[0]["experts"][name]["input_ids"]
            .as_array()
            .expect("ids");
        assert_eq!(
            (ids.first(), ids.last()),
            (Some(&json!(0)), Some(&json!(2)))
        );
        assert!(
            !ids[1..ids.len() - 1].contains(&json!(2)),
            "no separator: {ids:?}"
        );
    }
    assert!(
        answers[1]["experts"].get("image").is_none(),
        "it has nothing to read"
    );
    assert_eq!(
        answers[1]["mixture"],
        answers[1]["experts"]["text"]["marginals"]
    );
    assert!(
        notes(&answers[1]).contains("image"),
        "{}",
        notes(&answers[1])
    );
    assert!(
        !notes(&answers[0]).contains("image"),
        "{}",
        notes(&answers[0])
    );
}

#[test]
fn without_an_image_a_gated_bundle_answers_by_the_average_and_says_so() {
    let mut workshop = Workshop::new(tools!());
    let bundle = workshop.bundle("ner-gate-row-per-label", "f32", &[]);
    let query =
        json!({"id": "q", "tokens": ["Kolo", "sings"], "contexts": {"text": [], "image": []}});
    let answer = &ask(&workshop, &bundle, &[query], &FULL)[0];
    let marginals = |name: &str| morelet_tests::numbers(&answer["experts"][name]["marginals"]);
    let average: Vec<f64> = marginals("text")
        .iter()
        .zip(marginals("image"))
        .map(|(a, b)| (a + b) / 2.0)
        .collect();
    let mixture = json!(morelet_tests::numbers(&answer["mixture"]));
    close(&mixture, &json!(average), 1e-12).expect("the average");
    assert!(notes(answer).contains("average"), "{}", notes(answer));
}

#[test]
fn a_query_with_nothing_to_read_for_any_expert_is_refused() {
    let mut workshop = Workshop::new(tools!());
    let bundle = single(&mut workshop, "text", "text");
    let input = workshop.path("q.jsonl");
    write_lines(&input, &[json!({"id": "lost", "tokens": ["Kolo"]})]);
    let args = [
        "predict",
        text(&bundle),
        "--input",
        text(&input),
        "--device",
        "cpu",
    ];
    let run = workshop.tools.morelet(args);
    assert!(
        run.code == Some(1) || notes(&run.json_lines()[0]).contains("text"),
        "{run:?}"
    );
}

#[test]
fn text_is_split_on_word_boundaries_and_entities_carry_offsets() {
    let mut workshop = Workshop::new(tools!());
    let bundle = single(&mut workshop, "only", "none");
    let mut entities = 0;
    for case in read_json(golden("texts.json")).as_array().expect("a list") {
        let words = case["words"].as_array().expect("a list");
        let tokens: Vec<&Value> = words.iter().map(|word| &word["word"]).collect();
        let asked = [
            json!({"id": "text", "text": case["text"]}),
            json!({"id": "tokens", "tokens": tokens}),
        ];
        let answers = ask(&workshop, &bundle, &asked, &FULL);
        assert_eq!(
            answers[0]["labels"], answers[1]["labels"],
            "{}",
            case["text"]
        );
        assert_eq!(answers[0]["experts"], answers[1]["experts"]);
        let whole = case["text"].as_str().expect("text");
        for entity in answers[0]["entities"].as_array().expect("a list") {
            entities += 1;
            let index = |key: &str| entity[key].as_u64().expect("an offset") as usize;
            let (first, last) = (&words[index("start")], &words[index("end") - 1]);
            assert_eq!(entity["start_char"], first["chars"][0]);
            assert_eq!(entity["end_char"], last["chars"][1]);
            assert_eq!(entity["start_byte"], first["bytes"][0]);
            assert_eq!(entity["end_byte"], last["bytes"][1]);
            let bytes = index("start_byte")..index("end_byte");
            assert_eq!(entity["text"], whole[bytes], "{entity}");
        }
    }
    assert!(entities > 10, "the expert finds some");
}

#[test]
fn spans_of_text_count_characters() {
    let mut workshop = Workshop::new(tools!());
    let bundle = workshop.bundle("re-plain", "f32", &[]);
    let contexts = json!({"text": []});
    let asked = [
        json!({"id": "q", "text": "Zoë met Anaïs  in Oslo.", "subject": [8, 13], "object": [18, 22], "contexts": contexts}),
        json!({"id": "q", "tokens": ["Zoë", "met", "Anaïs", "in", "Oslo", "."], "subject": [2, 3], "object": [4, 5], "contexts": contexts}),
    ];
    let answers = ask(&workshop, &bundle, &asked, &FULL);
    assert_eq!(answers[0]["experts"], answers[1]["experts"]);
    assert_eq!(answers[0]["relation"], answers[1]["relation"]);
}

#[test]
fn spans_outside_the_sentence_are_refused_with_their_line() {
    let mut workshop = Workshop::new(tools!());
    let bundle = workshop.bundle("re-plain", "f32", &[]);
    let spans = [
        (json!([0, 4]), json!([1, 2])),
        (json!([1, 1]), json!([1, 2])),
        (json!([2, 1]), json!([1, 2])),
        (json!([0, 1]), Value::Null),
        (Value::Null, json!([0, 1])),
    ];
    for (subject, object) in spans {
        let input = workshop.path("q.jsonl");
        let good = json!({"id": "good", "tokens": ["a", "b", "c"], "subject": [0, 1], "object": [1, 2], "contexts": {"text": []}});
        let mut bad = good.clone();
        (bad["subject"], bad["object"]) = (subject, object);
        write_lines(&input, &[good, bad.clone()]);
        let args = [
            "predict",
            text(&bundle),
            "--input",
            text(&input),
            "--device",
            "cpu",
        ];
        let run = workshop.tools.morelet(args).exits(1);
        assert!(
            run.stderr.contains("q.jsonl:2") || run.stderr.contains("line 2"),
            "{bad}: {}",
            run.stderr
        );
    }
}

#[test]
fn a_sentence_of_no_words_has_an_answer() {
    let mut workshop = Workshop::new(tools!());
    let bundle = workshop.bundle("ner-gate-one-row", "f32", &[]);
    let image = golden("pictures/wide.png");
    let contexts = json!({"text": [], "image": ["a"]});
    let asked = [
        json!({"id": "tokens", "tokens": [], "contexts": contexts, "image": image}),
        json!({"id": "text", "text": " \n ", "contexts": contexts, "image": image}),
    ];
    for answer in ask(&workshop, &bundle, &asked, &FULL) {
        assert_eq!(answer["labels"], json!([]));
        assert_eq!(answer["entities"], json!([]));
    }
}

#[test]
fn a_picture_that_is_not_there_is_refused_by_name() {
    let mut workshop = Workshop::new(tools!());
    let bundle = workshop.bundle("ner-gate-one-row", "f32", &[]);
    let input = workshop.path("q.jsonl");
    let query = json!({"id": "q", "tokens": ["a"], "contexts": {"text": [], "image": []}, "image": "nowhere.png"});
    write_lines(&input, &[query]);
    let args = [
        "predict",
        text(&bundle),
        "--input",
        text(&input),
        "--device",
        "cpu",
    ];
    workshop.tools.morelet(args).refused(1, &["nowhere.png"]);
}

#[test]
fn a_sentence_may_stand_on_the_command_line() {
    let mut workshop = Workshop::new(tools!());
    let bundle = single(&mut workshop, "only", "none");
    let said = "Kolo loves the sun.";
    let args = [
        "predict",
        text(&bundle),
        "--text",
        said,
        "--device",
        "cpu",
        "--detail",
        "full",
    ];
    let run = workshop.tools.morelet(args).ok();
    let answer = run.json();
    let asked = ask(
        &workshop,
        &bundle,
        &[json!({"id": "x", "text": said})],
        &FULL,
    );
    assert_eq!(answer["labels"], asked[0]["labels"]);
    assert_eq!(answer["experts"], asked[0]["experts"]);

    let relation = workshop.bundle("re-norm", "f32", &[]);
    let args = [
        "predict",
        text(&relation),
        "--text",
        said,
        "--subject",
        "0:4",
        "--object",
        "15:18",
        "--device",
        "cpu",
    ];
    // Its expert reads contexts, and the command line brings none: an answer that says so, or a refusal.
    let run = workshop.tools.morelet(args);
    assert!(matches!(run.code, Some(0 | 1)), "{run:?}");
}

#[test]
fn output_goes_to_a_file_where_one_is_named() {
    let mut workshop = Workshop::new(tools!());
    let bundle = workshop.bundle("ner", "f32", &[]);
    let queries = golden("cases/ner/queries.jsonl");
    let output = workshop.path("out.jsonl");
    let args = [
        "predict",
        text(&bundle),
        "--input",
        text(&queries),
        "--output",
        text(&output),
        "--device",
        "cpu",
    ];
    let run = workshop.tools.morelet(args).ok();
    assert_eq!(run.stdout, "", "data goes to one place");
    let written = morelet_tests::lines(&output);
    assert_eq!(written.len(), morelet_tests::lines(&queries).len());
}

#[test]
fn an_html_page_holds_the_sentences() {
    let mut workshop = Workshop::new(tools!());
    let bundle = workshop.bundle("ner", "f32", &[]);
    let (input, page) = (workshop.path("q.jsonl"), workshop.path("page.html"));
    let tokens = ["<script>alert(1)</script>", "Kolo", "&", "Ana"];
    write_lines(
        &input,
        &[json!({"id": "q", "tokens": tokens, "contexts": {"text": []}})],
    );
    let args = [
        "predict",
        text(&bundle),
        "--input",
        text(&input),
        "--html",
        text(&page),
        "--device",
        "cpu",
    ];
    workshop.tools.morelet(args).ok();
    let page = std::fs::read_to_string(page).expect("the page was written");
    assert!(page.contains("Kolo"));
    assert!(
        !page.contains("<script>alert"),
        "what a sentence says is text, not markup"
    );
}

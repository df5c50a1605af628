//! Queries together and again: a batch answers as each query alone, and what a session remembers changes no answer.

use morelet::{
    Bundle, DeviceRequest, ErrorKind, Prediction, Queries, Query, Result, RunOptions, Session,
    SessionOptions,
};
use morelet::{Cancel, Detail};
use morelet_tests::{Workshop, golden, read_json, tools, write_lines};
use serde_json::{Value, json};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

fn session(bundle: &Path, cache: Option<usize>) -> Session {
    let options = SessionOptions {
        device: DeviceRequest::Cpu,
        threads: Some(2),
        cache,
        ..SessionOptions::default()
    };
    let bundle = Bundle::open(bundle).expect("the bundle opens");
    bundle.session(&options).expect("the CPU serves")
}

/// The queries of a golden case.
fn queries(case: &str) -> Vec<Query> {
    let path = golden(format!("cases/{case}/queries.jsonl"));
    let queries = Queries::open(&path, None, None).expect("the file opens");
    queries.collect::<Result<_>>().expect("queries")
}

fn full() -> RunOptions {
    RunOptions {
        detail: Detail::Full,
        ..RunOptions::default()
    }
}

/// A prediction as JSON, but for its times.
fn told(prediction: &Prediction) -> Value {
    let mut value: Value = serde_json::from_str(&prediction.to_json()).expect("JSON");
    value
        .as_object_mut()
        .expect("an object")
        .remove("timings_us");
    value
}

/// Whether two values are equal, numbers to within `tolerance`.
fn alike(a: &Value, b: &Value, tolerance: f64) -> bool {
    match (a, b) {
        (Value::Number(x), Value::Number(y)) => {
            let (x, y) = (x.as_f64().expect("a number"), y.as_f64().expect("a number"));
            (x - y).abs() <= tolerance
        }
        (Value::Array(x), Value::Array(y)) => {
            x.len() == y.len() && x.iter().zip(y).all(|(x, y)| alike(x, y, tolerance))
        }
        (Value::Object(x), Value::Object(y)) => {
            x.len() == y.len()
                && x.iter().all(|(key, x)| {
                    let y = y.get(key);
                    y.is_some_and(|y| alike(x, y, tolerance))
                })
        }
        _ => a == b,
    }
}

#[test]
fn a_batch_answers_as_each_query_alone() {
    let mut workshop = Workshop::new(tools!());
    let cases = [
        "ner-gate-row-per-label",
        "ner-pooling-mean",
        "softmax",
        "re-gate",
        "re-pooling-mean",
    ];
    for case in cases {
        // With quantized rows, each of which has its own scale, the neighbours change nothing at all.
        for (quantize, tolerance) in [("f32", 1e-5), ("q8", 0.0)] {
            let session = session(&workshop.bundle(case, quantize, &[]), None);
            let asked = queries(case);
            // More than go together.
            let many: Vec<Query> = asked.iter().cycle().take(35).cloned().collect();
            let batch = session.predict_batch(&many, &full());
            assert_eq!(batch.len(), many.len());
            let alone = asked
                .iter()
                .map(|query| session.predict_with(query, &full()));
            let alone: Vec<Value> = alone
                .map(|answer| told(&answer.expect("an answer")))
                .collect();
            for (at, (got, want)) in batch.iter().zip(alone.iter().cycle()).enumerate() {
                let got = told(got.as_ref().expect("an answer"));
                assert!(
                    alike(&got, want, tolerance),
                    "{case} {quantize}, query {at}: {got}\nalone: {want}"
                );
            }
        }
    }
}

#[test]
fn a_query_of_a_batch_that_fails_does_not_stop_the_others() {
    let mut workshop = Workshop::new(tools!());
    let ner = session(&workshop.bundle("ner-gate-one-row", "q8", &[]), None);
    let good = Query::tokens(["Kolo", "sings"])
        .contexts("text", ["a"])
        .contexts("image", ["b"])
        .image_file(golden("pictures/wide.png"));
    let lost = good.clone().image_file("nowhere.png");
    let damaged = good.clone().image_bytes(*b"no picture");
    let bare = Query::tokens(["Kolo"]);
    let re = session(&workshop.bundle("re-plain", "q8", &[]), None);
    let pair = Query::tokens(["Kolo", "in", "Oslo"])
        .contexts("text", ["a"])
        .subject(0..1);
    for (session, queries, failing) in [
        (
            &ner,
            vec![good.clone(), lost, damaged, good.clone(), bare],
            &[1, 2, 4][..],
        ),
        (
            &re,
            vec![pair.clone(), pair.clone().object(2..3), pair.object(2..4)],
            &[0, 2],
        ),
    ] {
        let batch = session.predict_batch(&queries, &full());
        for (at, (got, query)) in batch.iter().zip(&queries).enumerate() {
            let alone = session.predict_with(query, &full());
            match (got, &alone) {
                (Ok(got), Ok(alone)) => assert_eq!(told(got), told(alone), "query {at}"),
                (Err(got), Err(alone)) => {
                    assert_eq!(got.to_string(), alone.to_string());
                    assert_eq!(got.kind(), ErrorKind::Input);
                }
                other => panic!("query {at}: {other:?}"),
            }
            assert_eq!(got.is_err(), failing.contains(&at), "query {at}");
        }
    }
}

#[test]
fn a_cancelled_batch_keeps_what_is_answered_and_tells_of_no_more() {
    let mut workshop = Workshop::new(tools!());
    let session = session(&workshop.bundle("ner", "q8", &[]), None);
    let asked: Vec<Query> = queries("ner").into_iter().cycle().take(100).collect();
    let (cancel, heard) = (Cancel::new(), Arc::new(AtomicU64::new(0)));
    let (stop, count) = (cancel.clone(), heard.clone());
    let options = RunOptions {
        cancel,
        progress: Some(Arc::new(move |_, done, total| {
            assert_eq!((done, total), (count.load(Ordering::Relaxed) + 1, 100));
            count.store(done, Ordering::Relaxed);
            stop.cancel();
        })),
        ..RunOptions::default()
    };
    let answers = session.predict_batch(&asked, &options);
    assert_eq!(answers.len(), 100);
    let answered = answers.iter().take_while(|answer| answer.is_ok()).count();
    assert_eq!(answered as u64, heard.load(Ordering::Relaxed));
    assert!((1..100).contains(&answered), "{answered}");
    for answer in &answers[answered..] {
        assert_eq!(answer.as_ref().unwrap_err().kind(), ErrorKind::Cancelled);
    }
    let answers = session.predict_batch(&asked, &options);
    assert!(answers.iter().all(|answer| {
        answer
            .as_ref()
            .is_err_and(|e| e.kind() == ErrorKind::Cancelled)
    }));
}

/// A gated bundle that retrieves by text and by picture.
fn retrieving(workshop: &mut Workshop) -> PathBuf {
    let path = |name: &str| {
        workshop
            .path(name)
            .to_str()
            .expect("a UTF-8 path")
            .to_owned()
    };
    let (corpus, text_index) = (path("corpus.jsonl"), path("text.index"));
    let subjects = ["museum", "river", "lighthouse", "harbour"];
    let articles = subjects.map(|subject| {
        json!({"id": subject, "title": subject, "paragraphs": [
            format!("The {subject} stands near London."), format!("Kolo painted a {subject}.")]})
    });
    write_lines(&corpus, &articles);
    let args = ["text-index", &corpus, "-o", &text_index];
    workshop.tools.convert(args).ok();
    let (images, image_index) = (path("images.jsonl"), path("image.index"));
    let pictures = ["wide.png", "tall.jpg", "small-grey.png"].map(|file| {
        json!({"id": file, "title": file, "intro": "A picture.",
               "image": golden(format!("pictures/{file}"))})
    });
    write_lines(&images, &pictures);
    let case = read_json(golden("cases/ner-gate-one-row/case.json"));
    let clip = workshop.weights(&case["clip"], "f32");
    let clip = clip.to_str().expect("a UTF-8 path");
    let args = ["image-index", &images, "-o", &image_index, "--clip", clip];
    workshop.tools.convert(args).ok();
    let more = ["--text-index", &text_index, "--image-index", &image_index];
    workshop.bundle("ner-gate-one-row", "f32", &more)
}

/// The modules of retrieval that ran.
fn found_by(prediction: &Prediction) -> Vec<&str> {
    let retrieval = [
        "text_retrieval",
        "clip_image",
        "image_retrieval",
        "clip_text",
    ];
    let ran = retrieval.into_iter();
    ran.filter(|module| prediction.timings_us.get(module).is_some())
        .collect()
}

const ALL: [&str; 4] = [
    "text_retrieval",
    "clip_image",
    "image_retrieval",
    "clip_text",
];

#[test]
fn what_was_seen_before_is_not_computed_again_and_the_answer_is_the_same() {
    let mut workshop = Workshop::new(tools!());
    let bundle = retrieving(&mut workshop);
    let (plain, caching) = (session(&bundle, None), session(&bundle, Some(4)));
    let file = golden("pictures/wide.png");
    let query = Query::text("A museum near London").image_file(&file);
    let ask =
        |session: &Session, query: &Query| session.predict_with(query, &full()).expect("an answer");
    let want = told(&ask(&plain, &query));
    assert_eq!(
        found_by(&ask(&plain, &query)),
        ALL,
        "by default nothing is remembered"
    );
    assert!(!want["clip_image"].is_null() && !want["gate"].is_null());

    let first = ask(&caching, &query);
    assert_eq!(found_by(&first), ALL);
    let second = ask(&caching, &query);
    assert!(found_by(&second).is_empty(), "{:?}", second.timings_us);
    assert!(second.timings_us.get("expert_text").is_some());
    assert_eq!([told(&first), told(&second)], [want.clone(), want.clone()]);

    // The same picture from elsewhere, and each of the two with another partner.
    let bytes = std::fs::read(&file).expect("a picture");
    let copied = ask(&caching, &query.clone().image_bytes(bytes));
    assert!(found_by(&copied).is_empty());
    let tall = query.clone().image_file(golden("pictures/tall.jpg"));
    assert_eq!(
        found_by(&ask(&caching, &tall)),
        ["clip_image", "image_retrieval"]
    );
    let other = Query::text("Kolo painted a river").image_file(&file);
    let other_answer = ask(&caching, &other);
    assert_eq!(found_by(&other_answer), ["text_retrieval", "clip_text"]);
    assert_eq!(told(&other_answer), told(&ask(&plain, &other)));

    let batch = caching.predict_batch(&[query.clone(), other, query.clone()], &full());
    for answer in &batch {
        let answer = answer.as_ref().expect("an answer");
        assert!(found_by(answer).is_empty(), "{:?}", answer.timings_us);
    }
    assert!(alike(
        &told(batch[2].as_ref().expect("an answer")),
        &want,
        1e-5
    ));

    // One entry of each kind: the second picture takes the place of the first.
    let small = session(&bundle, Some(1));
    for (query, found) in [
        (&query, &ALL[..]),
        (&tall, &["clip_image", "image_retrieval"]),
        (&query, &["clip_image", "image_retrieval"]),
        (&query, &[]),
    ] {
        assert_eq!(found_by(&ask(&small, query)), found);
    }
    assert_eq!(found_by(&ask(&session(&bundle, Some(0)), &query)), ALL);
}

#[test]
fn predict_remembers_where_it_is_told_to() {
    let mut workshop = Workshop::new(tools!());
    let bundle = workshop.bundle("ner-gate-one-row", "f32", &[]);
    let input = workshop.path("twice.jsonl");
    let query = json!({"id": 1, "tokens": ["Kolo", "sings"], "contexts": {"text": ["a"], "image": ["b"]},
                       "image": golden("pictures/wide.png")});
    write_lines(&input, &[query.clone(), query]);
    let (bundle, input) = (bundle.as_os_str(), input.as_os_str());
    for (more, runs) in [(&[][..], [true, true]), (&["--cache", "8"], [true, false])] {
        let args = ["predict".as_ref(), bundle, "--input".as_ref(), input];
        let common = ["--device", "cpu"].iter().chain(more);
        let args = args.into_iter().chain(common.map(|arg| arg.as_ref()));
        let answers = workshop.tools.morelet(args).ok().json_lines();
        let ran = |answer: &Value, module: &str| answer["timings_us"].get(module).is_some();
        for (answer, run) in answers.iter().zip(runs) {
            assert_eq!(
                (ran(answer, "clip_image"), ran(answer, "clip_text")),
                (run, run)
            );
        }
        assert_eq!(answers[0]["entities"], answers[1]["entities"]);
    }
}

//! Searching pictures: candidates, recalls and exact search, sets of pictures, threads, what is measured, and what is
//! refused. Indexes are of made-up features around those of three pictures.

use morelet::{Bundle, DeviceRequest, ErrorKind, ImageEffort, OpenOptions, SessionOptions};
use morelet_indices::{ImageEntry, ImageIndex, ImageIndexBuilder, ImageOptions};
use morelet_models::device::Compute;
use morelet_models::weights::Weights;
use morelet_models::{Cancel, Clip, Picture, PictureLimits};
use morelet_tests::{Run, Workshop, golden, numbers, read_json, tools, write_lines};
use serde_json::{Value, json};
use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

/// How many pictures are searched exactly for any recall where none was measured.
const FEW: usize = 10_000;

const PICTURES: [&str; 3] = ["wide.png", "tall.jpg", "small-grey.png"];

fn text(path: &Path) -> &str {
    path.to_str().expect("a UTF-8 path")
}

fn picture(n: usize) -> PathBuf {
    golden(format!("pictures/{}", PICTURES[n % 3]))
}

fn normalized(mut feature: Vec<f32>) -> Vec<f32> {
    let norm = feature.iter().map(|x| x * x).sum::<f32>().sqrt();
    feature.iter_mut().for_each(|x| *x /= norm);
    feature
}

/// An index whose pictures lie around the three.
struct Built {
    workshop: Workshop,
    clip: PathBuf,
    index: PathBuf,
    /// The normalized features, in their order.
    rows: Vec<Vec<f32>>,
    /// What CLIP makes of the three pictures.
    seen: Vec<Vec<f32>>,
}

/// The id of a picture. The eleventh has that of the tenth.
fn id(n: usize) -> String {
    format!("p{}", if n == 11 { 10 } else { n })
}

fn build(count: usize, ef_construction: usize) -> Built {
    let mut workshop = Workshop::new(tools!());
    let case = read_json(golden("cases/ner-gate-one-row/case.json"));
    let clip = workshop.weights(&case["clip"], "f32");
    let weights = Weights::open(&clip, OpenOptions::default()).expect("weights");
    let identity = weights.meta().identity.clone();
    let compute = Compute::new(DeviceRequest::Cpu).expect("the CPU serves");
    let model = Clip::load(weights, &compute).expect("CLIP");
    let see = |n: usize| {
        let limits = PictureLimits::default();
        let picture = Picture::open(picture(n), model.preprocess(), &limits).expect("a picture");
        let feature = compute.run(|| model.image(&picture, &Cancel::new()));
        feature.expect("a feature")
    };
    let seen: Vec<Vec<f32>> = (0..3).map(see).collect();
    let dim = model.dim();
    let index = workshop.path("made.index");
    let options = ImageOptions {
        ef_construction,
        ..ImageOptions::new(identity, dim)
    };
    let mut builder = ImageIndexBuilder::create(&index, options).expect("a builder");
    let mut state = 7_u64;
    let mut random = || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        (state >> 40) as f32 / (1 << 24) as f32 - 0.5
    };
    let rows: Vec<Vec<f32>> = (0..count)
        .map(|n| {
            let far = 0.1 + 0.5 * (n % 17) as f32 / 17.0;
            let near = seen[n % 3].iter();
            normalized(near.map(|x| x + far * random()).collect())
        })
        .collect();
    for (n, row) in rows.iter().enumerate() {
        let entry = ImageEntry {
            id: &id(n),
            title: &format!("Title {n}"),
            intro: "An introduction.",
        };
        builder.add(entry, row).expect("a picture");
    }
    builder.finish(&mut |_, _, _| false).expect("an index");
    Built {
        workshop,
        clip,
        index,
        rows,
        seen,
    }
}

impl Built {
    fn open(&self) -> ImageIndex {
        ImageIndex::open(&self.index, OpenOptions::default()).expect("an index")
    }

    /// A search of the index with more arguments.
    fn run(&self, more: &[&str]) -> Run {
        let args = ["search", text(&self.index), "image"];
        let clip = ["--clip", text(&self.clip), "--device", "cpu"];
        let args = args.iter().chain(&clip).chain(more);
        self.workshop.tools.morelet(args)
    }

    /// The hits of the picture with that number.
    fn hits(&self, n: usize, more: &[&str]) -> Vec<Value> {
        let picture = picture(n);
        let args = [&[text(&picture), "--keys"], more].concat();
        let found = self.run(&args).ok().json();
        found["hits"].as_array().expect("hits").clone()
    }

    /// The scores of the nearest, by multiplying.
    fn truth(&self, n: usize, among: impl Fn(usize) -> bool) -> Vec<f64> {
        let product = |row: &Vec<f32>| -> f64 {
            let pairs = row.iter().zip(&self.seen[n]);
            pairs.map(|(&x, &y)| f64::from(x) * f64::from(y)).sum()
        };
        let rows = self.rows.iter().enumerate();
        let mut scores: Vec<f64> = rows
            .filter(|&(n, _)| among(n))
            .map(|(_, row)| product(row))
            .collect();
        scores.sort_by(|a, b| b.total_cmp(a));
        scores
    }

    /// A bundle of one expert that reads what is found, or reads nothing.
    fn bundle(&mut self, context: &str) -> PathBuf {
        let case = read_json(golden("cases/ner/case.json"));
        let weights = self.workshop.weights(&case["experts"][0], "f32");
        let bundle = self.workshop.path(format!("{context}.morelet"));
        let expert = format!("x:{context}:{}", weights.display());
        let mut args = vec!["bundle", "-o", text(&bundle), "--expert", &expert];
        if context == "image" {
            args.extend(["--clip", text(&self.clip)]);
            args.extend(["--image-index", text(&self.index)]);
        }
        self.workshop.tools.convert(args).ok();
        bundle
    }

    fn predict(&self, bundle: &Path, more: &[&str]) -> Run {
        let picture = picture(0);
        let args = ["predict", text(bundle), "--text", "Kolo loves the sun"];
        let image = ["--image", text(&picture), "--device", "cpu"];
        let detail = ["--detail", "labels"];
        let args = args.iter().chain(&image).chain(&detail).chain(more);
        self.workshop.tools.morelet(args)
    }

    /// A file of 40 pictures, with what is on the thirtieth line.
    fn queries(&self, thirtieth: &str) -> PathBuf {
        let mut lines: Vec<String> = (0..40).map(|n| text(&picture(n)).to_owned()).collect();
        lines[29] = thirtieth.to_owned();
        let path = self.workshop.path("pictures.txt");
        fs::write(&path, lines.join("\n")).expect("a temporary file");
        path
    }
}

fn strings(hits: &[Value], key: &str) -> Vec<String> {
    let string = |hit: &Value| hit[key].as_str().expect("text").to_owned();
    hits.iter().map(string).collect()
}

fn scores(hits: &[Value]) -> Vec<f64> {
    numbers(&hits.iter().map(|hit| hit["score"].clone()).collect())
}

/// Features are kept in half precision.
fn near(found: &[f64], truth: &[f64]) {
    assert_eq!(found.len(), truth.len());
    for (found, truth) in found.iter().zip(truth) {
        assert!((found - truth).abs() < 5e-3, "{found} for {truth}");
    }
}

#[test]
fn exact_search_finds_the_nearest_and_a_recall_is_an_ef() {
    let built = build(2_000, 100);
    for n in 0..3 {
        for k in ["10", "50"] {
            let exact = built.hits(n, &["-k", k, "--exact"]);
            let k = k.parse().expect("a number");
            near(&scores(&exact), &built.truth(n, |_| true)[..k]);
        }
    }
    let exact = built.hits(0, &["--exact"]);
    // As many candidates as there are pictures miss nothing.
    for ef in ["2000", "4294967295"] {
        let found = built.hits(0, &["--ef", ef]);
        assert_eq!(strings(&found, "title"), strings(&exact, "title"), "{ef}");
    }
    // ef is raised to k.
    assert_eq!(built.hits(0, &["--ef", "1", "-k", "30"]).len(), 30);
    assert_eq!(built.hits(0, &["--prefault"]), built.hits(0, &[]));
    assert_eq!(built.hits(0, &["--ef", "100"]), built.hits(0, &[]));

    let index = built.open();
    for recall in ["0.5", "0.9"] {
        let asked = built.hits(0, &["--recall", recall]);
        let ef = index.ef_for(recall.parse().expect("a number"));
        match ef.map(|ef| ef.to_string()) {
            Some(ef) => assert_eq!(asked, built.hits(0, &["--ef", &ef]), "{recall}"),
            // Few pictures whose recall was not measured.
            None if index.recall().is_empty() => assert_eq!(asked, exact, "{recall}"),
            None => panic!("2000 pictures reach {:?}", index.recall()),
        }
    }
}

#[test]
fn only_the_listed_pictures_are_searched() {
    let built = build(1_000, 50);
    let listed = |n: usize| n % 7 == 3 || n == 11;
    let all = built.hits(0, &["-k", "1000", "--exact"]);
    let numbers = (0..1_000).filter(|&n| listed(n));
    let list: BTreeSet<String> = numbers.map(id).collect();
    // Those of one id come together: the tenth picture has that of the eleventh.
    assert!(listed(10) && list.contains("p10") && !list.contains("p11"));
    let mut expected = all;
    expected.retain(|hit| list.contains(hit["id"].as_str().expect("text")));
    assert_eq!(expected.len(), (0..1_000).filter(|&n| listed(n)).count());
    expected.truncate(20);
    for (rank, hit) in expected.iter_mut().enumerate() {
        hit["rank"] = json!(rank + 1);
    }
    let file = built.workshop.path("ids.txt");
    let lines: Vec<&str> = list.iter().map(String::as_str).collect();
    fs::write(&file, format!("{}\r\n\n  p3 \n", lines.join("\n"))).expect("a temporary file");
    let flags = ["-k", "20", "--images", text(&file)];
    let exact = [&flags[..], &["--exact"]].concat();
    assert_eq!(built.hits(0, &exact), expected);
    for more in [
        &[][..],
        &["--ef", "300"],
        &["--recall", "0.5"],
        &["--threads", "2"],
    ] {
        let found = built.hits(0, &[&flags[..], more].concat());
        assert_eq!(found.len(), 20, "{more:?}");
        let ids = strings(&found, "id");
        assert!(ids.iter().all(|id| list.contains(id)), "{more:?}: {ids:?}");
    }

    let picture = picture(0);
    let clip = ["--clip", text(&built.clip), "--device", "cpu"];
    let args = [
        "search",
        text(&built.index),
        "image",
        text(&picture),
        "--images",
        "-",
    ];
    let args = [&args[..], &clip].concat();
    let tools = &built.workshop.tools;
    let run = tools.morelet_reading(b"\n", &args).ok();
    assert_eq!(
        run.json()["hits"],
        json!([]),
        "an empty list lets nothing through"
    );
    for (list, line, got) in [
        ("p0\n\nnope\n", 3, "nope"),
        ("p11\np0\n", 1, "p11"),
        ("p0\np1 p2\nx", 2, "p1 p2"),
    ] {
        let place = format!("standard input:{line}");
        let run = tools.morelet_reading(list.as_bytes(), &args);
        run.refused(1, &[&place, got, "id of a picture"]);
    }
    let run = built.run(&[text(&picture), "--images", "nowhere.txt"]);
    run.refused(1, &["nowhere.txt"]);
}

#[test]
fn threads_change_nothing_but_the_time() {
    let built = build(500, 50);
    let queries = built.queries(&json!({"text": "x", "image": picture(2)}).to_string());
    let search = |more: &[&str]| {
        let args = [&["--input", text(&queries)], more].concat();
        built.run(&args).ok().stdout
    };
    let expected = search(&[]);
    assert_eq!(expected.lines().count(), 40);
    for threads in ["1", "2", "3"] {
        assert_eq!(search(&["--threads", threads]), expected, "{threads}");
    }
    // One that cannot be read ends the run after those before it.
    let queries = built.queries("nowhere.png");
    for threads in ["1", "2"] {
        let args = ["--input", text(&queries), "--threads", threads];
        let run = built.run(&args).exits(1);
        assert_eq!(run.stdout.lines().count(), 29, "{threads}");
        for part in ["pictures.txt:30", "nowhere.png"] {
            assert!(run.stderr.contains(part), "{}", run.stderr);
        }
    }
}

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

    let bundle = built.bundle("image");
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

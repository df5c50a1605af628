//! What is found, in which pictures, by how many threads.

use super::built::{build, id, near, picture, scores, strings, text};
use morelet_tests::write_lines;
use serde_json::{Value, json};
use std::collections::BTreeSet;
use std::fs;

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
fn a_picture_needs_no_sentence_and_a_line_without_a_name_has_its_number() {
    let built = build(20, 50);
    let lines = built.workshop.path("pictures.jsonl");
    write_lines(
        &lines,
        &[
            json!({"image": picture(0)}),
            json!({"id": "b", "image": picture(1)}),
            json!({"text": "x"}),
        ],
    );
    let run = built.run(&["--input", text(&lines)]).exits(1);
    let found = run
        .stdout
        .lines()
        .map(|line| -> Value { serde_json::from_str(line).expect("JSON") });
    let ids: Vec<Value> = found.map(|found| found["id"].clone()).collect();
    assert_eq!(ids, [json!("1"), json!("b")]);
    for part in ["pictures.jsonl:3", "no `image`"] {
        assert!(run.stderr.contains(part), "{}", run.stderr);
    }
    // Everything in such a file is JSON.
    fs::write(&lines, "[\"a.png\"]\n").expect("a temporary file");
    built
        .run(&["--input", text(&lines)])
        .refused(1, &["pictures.jsonl:1", "not a query"]);
    let columns = built.workshop.path("pictures.conll");
    fs::write(&columns, "IMGID:1\nKolo O\n").expect("a temporary file");
    built
        .run(&["--input", text(&columns)])
        .refused(1, &["pictures.conll", "one a line"]);
}

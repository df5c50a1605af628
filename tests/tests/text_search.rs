//! Searching text from the command line: several indexes as one, effort, explanations, sets of paragraphs, threads,
//! and what is refused.

use morelet_tests::{Workshop, golden, read_json, tools, write_lines};
use serde_json::{Value, json};
use std::fs;
use std::io::{BufRead as _, BufReader, Write as _};
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

fn text(path: &Path) -> &str {
    path.to_str().expect("a UTF-8 path")
}

/// Words by their rank: those of low rank are in most sentences, as in a language.
fn word(n: u64) -> String {
    ["the", "of", "museum", "river", "summer", "london"]
        .get(n as usize)
        .map_or_else(|| format!("word{n}"), |word| (*word).to_owned())
}

/// Articles of three paragraphs of two sentences. The same numbers make the same text.
fn articles(numbers: std::ops::Range<u64>) -> Vec<Value> {
    let mut state = 1 + numbers.start;
    let mut sentence = || {
        let mut random = || {
            state ^= state << 13;
            state ^= state >> 7;
            state ^= state << 17;
            state
        };
        let length = 3 + random() % 20;
        let words: Vec<String> = (0..length)
            .map(|_| word(400 * (random() % 1000).pow(3) / 1_000_000_000))
            .collect();
        format!("It says {}.", words.join(" "))
    };
    numbers
        .map(|n| {
            let mut paragraph = || json!([sentence(), sentence()]);
            json!({"id": n.to_string(), "title": format!("Article {n}"),
                   "paragraphs": [paragraph(), paragraph(), paragraph()]})
        })
        .collect()
}

fn queries() -> Vec<String> {
    let mut queries: Vec<String> = (0..40)
        .map(|n: u64| format!("{} of {} {}", word(n % 7), word(n * n % 97), word(n * 11)))
        .collect();
    queries.extend([
        "the museum of the river".to_owned(),
        "no such thing".to_owned(),
        (0..120).map(word).collect::<Vec<_>>().join(" "),
    ]);
    queries
}

struct Built {
    workshop: Workshop,
    /// Everything in one index.
    whole: PathBuf,
    /// The same in three, of different sizes.
    parts: [PathBuf; 3],
    /// The queries, one a line.
    queries: PathBuf,
}

fn build() -> Built {
    let workshop = Workshop::new(tools!());
    let [a, b, c] = [0..130, 130..131, 131..200].map(articles);
    let index = |name: &str, articles: &[Value]| {
        let corpus = workshop.path(format!("{name}.jsonl"));
        write_lines(&corpus, articles);
        index_of(&workshop, name, &corpus, &[])
    };
    let parts = [index("a", &a), index("b", &b), index("c", &c)];
    let whole = index("whole", &[a, b, c].concat());
    let path = workshop.path("queries.txt");
    fs::write(&path, queries().join("\n")).expect("a temporary file");
    Built {
        whole,
        parts,
        queries: path,
        workshop,
    }
}

fn index_of(workshop: &Workshop, name: &str, corpus: &Path, more: &[&str]) -> PathBuf {
    let index = workshop.path(format!("{name}.index"));
    let mut args = vec!["text-index", text(corpus), "-o", text(&index)];
    args.extend(more);
    workshop.tools.convert(args).ok();
    index
}

impl Built {
    /// A bundle with these text indexes, whose expert reads what they find.
    fn bundle(&mut self, indexes: &[PathBuf]) -> PathBuf {
        let described = read_json(golden("cases/ner/case.json"));
        let weights = self.workshop.weights(&described["experts"][0], "f32");
        let bundle = self.workshop.path(format!("{}.morelet", indexes.len()));
        let expert = format!("x:text:{}", weights.display());
        let mut args = vec!["bundle", "-o", text(&bundle), "--expert", &expert];
        for index in indexes {
            args.extend(["--text-index", text(index)]);
        }
        self.workshop.tools.convert(args).ok();
        bundle
    }

    /// Standard output of a search with all queries.
    fn search(&self, what: &Path, more: &[&str]) -> String {
        let mut args = vec!["search", text(what), "text", "--input", text(&self.queries)];
        args.extend(more);
        self.workshop.tools.morelet(args).ok().stdout
    }

    /// The hits of one query.
    fn hits(&self, query: &str, more: &[&str]) -> Vec<Value> {
        let mut args = vec!["search", text(&self.whole), "text", query];
        args.extend(more);
        let found = self.workshop.tools.morelet(args).ok().json();
        found["hits"].as_array().expect("hits").clone()
    }
}

/// The bits of a number that was written as the shortest that reads back as the same `f32`.
fn bits(number: &Value) -> u32 {
    (number.as_f64().expect("a number") as f32).to_bits()
}

/// What the terms of an explanation add up to.
fn sum(terms: &[Value]) -> f32 {
    let score = |term: &Value| f64::from(f32::from_bits(bits(&term["score"])));
    terms.iter().map(score).sum::<f64>() as f32
}

#[test]
fn several_indexes_of_a_bundle_score_as_one_of_everything() {
    let mut built = build();
    let parts = built.parts.clone();
    let several = built.bundle(&parts);
    for more in [
        &["-k", "50"][..],
        &["-k", "300", "--keys"],
        &["-k", "5", "--explain"],
    ] {
        let expected = built.search(&built.whole, more);
        assert!(expected.contains("\"score\":"), "{more:?}");
        // Sentences are numbered on from file to file, so that even the keys are the same.
        assert_eq!(built.search(&several, more), expected, "{more:?}");
    }
    let manifest = read_json(several.join("bundle.json"));
    let files = json!(["text.index", "text-2.index", "text-3.index"]);
    assert_eq!(manifest["text_index"], files);
    for command in ["verify", "inspect"] {
        let shown = built.workshop.tools.morelet([command, text(&several)]).ok();
        assert!(shown.stdout.contains("text-3.index"), "{command}");
    }

    // What `predict` reads is what `search` finds: the third file is of articles 131 to 199.
    let query = built.workshop.path("q.jsonl");
    write_lines(
        &query,
        &[json!({"id": "1", "tokens": ["museum", "of", "word300"]})],
    );
    let answer = built.workshop.predict(&several, &query, "cpu").remove(0);
    let read = answer["experts"]["x"]["contexts"]
        .as_array()
        .expect("contexts");
    let hits = built.hits("museum of word300", &[]);
    let pairs = |of: &[Value], text: &str| -> Vec<(String, u32)> {
        let pair = |one: &Value| (one[text].to_string(), bits(&one["score"]));
        of.iter().map(pair).collect()
    };
    assert_eq!(pairs(read, "text"), pairs(&hits, "value"));
    let last = |hit: &Value| {
        hit["id"]
            .as_str()
            .is_some_and(|id| id > "131" && id.len() == 3)
    };
    assert!(hits.iter().any(last), "none of the last file: {hits:?}");
}

#[test]
fn a_bundle_of_indexes_that_are_no_one_index_is_refused_by_name() {
    let mut built = build();
    let bundle = built.bundle(&[built.parts[0].clone()]);
    let corpus = built.workshop.path("b.jsonl");
    let manifest = fs::read(bundle.join("bundle.json")).expect("a bundle");
    for (option, value) in [("--k1", "0.9"), ("--b", "0.4"), ("--analyzer", "english")] {
        let other = index_of(&built.workshop, "other", &corpus, &[option, value]);
        fs::copy(&other, bundle.join("text-2.index")).expect("a temporary file");
        let part = morelet::Part::describe(&other, "text-2.index").expect("a part");
        let mut manifest: Value = serde_json::from_slice(&manifest).expect("JSON");
        manifest["text_index"] = json!(["text.index", "text-2.index"]);
        let parts = manifest["parts"].as_array_mut().expect("parts");
        parts.push(serde_json::to_value(part).expect("JSON"));
        fs::remove_file(bundle.join("bundle.json")).expect("a temporary file");
        fs::write(bundle.join("bundle.json"), manifest.to_string()).expect("a temporary file");
        for command in ["inspect", "verify"] {
            let run = built.workshop.tools.morelet([command, text(&bundle)]);
            run.refused(1, &["text.index", "text-2.index", value]);
        }
        let opened = morelet::Bundle::open(&bundle).expect_err("parts that do not agree");
        assert_eq!(opened.kind(), morelet::ErrorKind::Bundle);
    }
}

#[test]
fn an_explanation_adds_up_by_lucenes_formula() {
    let built = build();
    let query = "the museum of the river word9";
    let plain = built.hits(query, &["--keys"]);
    let explained = built.hits(query, &["--keys", "--explain"]);
    assert_eq!(plain.len(), 10);
    let n = 1200.0_f64; // 200 articles of 6 sentences.
    for (plain, hit) in plain.iter().zip(&explained) {
        for key in ["rank", "score", "key", "id", "title", "value"] {
            assert_eq!(plain[key], hit[key], "{key}");
        }
        assert!(plain.get("paragraph").is_none() && plain.get("explanation").is_none());
        // Two sentences make a paragraph.
        let sentence: u64 = hit["key"]
            .as_str()
            .expect("text")
            .parse()
            .expect("a number");
        assert_eq!(hit["paragraph"], sentence / 2);

        let told = &hit["explanation"];
        let number = |of: &Value, key: &str| of[key].as_f64().expect("a number");
        let (length, average) = (number(told, "length"), number(told, "average_length"));
        let terms = told["terms"].as_array().expect("terms");
        for term in terms {
            let (times, tf, df) = (
                number(term, "times"),
                number(term, "tf"),
                number(term, "df"),
            );
            let the = if term["term"] == "the" { 2.0 } else { 1.0 };
            assert_eq!(times, the, "{term}");
            let idf = (1.0 + (n - df + 0.5) / (df + 0.5)).ln();
            assert!((number(term, "idf") - idf).abs() < 1e-5, "{term}: {idf}");
            let score = times * idf * tf / (tf + 1.2 * (1.0 - 0.75 + 0.75 * length / average));
            assert!(
                (number(term, "score") - score).abs() < 1e-4,
                "{term}: {score}"
            );
        }
        assert_eq!(sum(terms).to_bits(), bits(&hit["score"]), "{hit}");
        let scores: Vec<f64> = terms.iter().map(|term| number(term, "score")).collect();
        assert!(scores.is_sorted_by(|a, b| a >= b), "{scores:?}");
    }
}

#[test]
fn snippets_tell_where_the_querys_words_stand_in_characters() {
    let built = build();
    let query = "the museum of the river word9";
    let words = ["the", "museum", "of", "river", "word9"];
    let plain = built.hits(query, &[]);
    let value = |hit: &Value| hit["value"].as_str().expect("text").to_owned();
    for (flag, longest) in [("--snippets", 200), ("--snippets=60", 60)] {
        let hits = built.hits(query, &[flag]);
        for (plain, hit) in plain.iter().zip(&hits) {
            for key in ["rank", "score", "key", "id", "title", "value"] {
                assert_eq!(plain[key], hit[key], "{key}");
            }
            assert!(hit["paragraph"].is_u64() && hit.get("explanation").is_none());
            let snippet = &hit["snippet"];
            let text = snippet["text"].as_str().expect("text");
            let characters: Vec<char> = text.chars().collect();
            assert!(characters.len() <= longest, "{text}");
            assert!(value(hit).contains(text.trim_matches('…').trim()), "{text}");
            let matches = snippet["matches"].as_array().expect("matches");
            assert!(!matches.is_empty(), "{snippet}");
            let at = |of: &Value, n: usize| of[n].as_u64().expect("a number") as usize;
            let mut marked: Vec<String> = Vec::new();
            for one in matches {
                marked.push(characters[at(one, 0)..at(one, 1)].iter().collect());
            }
            // Every word of the query that the snippet has is marked, and nothing else.
            let all = text.split(|c: char| !c.is_alphanumeric());
            let expected: Vec<&str> = all.filter(|word| words.contains(word)).collect();
            assert_eq!(marked, expected, "{text}");
        }
    }
}

#[test]
fn hits_can_be_printed_for_people() {
    let built = build();
    let args = ["search", text(&built.whole), "text", "museum word7"];
    let run = |more: &[&str]| {
        let args = args.iter().chain(more);
        built.workshop.tools.morelet(args).ok().stdout
    };
    let shown = run(&["--pretty", "--explain", "-k", "1"]);
    for part in [
        "museum word7\n",
        "Article ",
        "term",
        "times",
        "idf",
        "the average has",
    ] {
        assert!(shown.contains(part), "{part} in {shown}");
    }
    assert!(!shown.contains(['{', '\u{1b}']), "{shown}");
    let nothing = built.workshop.path("nothing.txt");
    fs::write(&nothing, "").expect("a temporary file");
    assert!(run(&["--pretty", "--paragraphs", text(&nothing)]).contains("nothing found"));
}

#[test]
fn only_the_listed_paragraphs_are_searched() {
    let built = build();
    let query = "the museum of the river";
    let all = built.hits(query, &["-k", "1200", "--keys", "--explain"]);
    assert!(all.len() > 300);
    let listed = |n: u64| n % 7 == 3 || n > 590;
    let list: Vec<String> = (0..600)
        .rev()
        .filter(|&n| listed(n))
        .map(|n| n.to_string())
        .collect();
    let file = built.workshop.path("paragraphs.txt");
    fs::write(&file, format!("{}\r\n\n  3 \n", list.join("\n"))).expect("a temporary file");
    let mut expected = all;
    expected.retain(|hit| listed(hit["paragraph"].as_u64().expect("a number")));
    expected.truncate(20);
    for (rank, hit) in expected.iter_mut().enumerate() {
        hit["rank"] = json!(rank + 1);
    }
    assert_eq!(expected.len(), 20);
    let flags = [
        "-k",
        "20",
        "--keys",
        "--explain",
        "--paragraphs",
        text(&file),
    ];
    // Statistics are those of all, so that scores and explanations stay.
    assert_eq!(built.hits(query, &flags), expected);
    // Without --explain the hits tell their paragraphs too: they may be those of the next list.
    let told = built.hits(query, &[&flags[..3], &flags[4..]].concat());
    for (told, expected) in told.iter().zip(&expected) {
        assert_eq!(told["paragraph"], expected["paragraph"]);
        assert!(told.get("explanation").is_none());
    }

    let args = [
        "search",
        text(&built.whole),
        "text",
        query,
        "--paragraphs",
        "-",
    ];
    let run = built.workshop.tools.morelet_reading(b"", args).ok();
    assert_eq!(
        run.json()["hits"],
        json!([]),
        "an empty list lets nothing through"
    );
    for (bad, got) in [("600", "600"), ("-1", "-1"), ("a", "`a`"), ("1 2", "1 2")] {
        let list = format!("0\n599\n{bad}\n");
        let run = built.workshop.tools.morelet_reading(list.as_bytes(), args);
        run.refused(1, &["standard input:3", "below 600", got]);
    }
    let args = [&args[..5], &["nowhere.txt"]].concat();
    built
        .workshop
        .tools
        .morelet(args)
        .refused(1, &["nowhere.txt"]);
}

#[test]
fn threads_change_nothing_but_the_time() {
    let built = build();
    let expected = built.search(&built.whole, &["--explain"]);
    assert_eq!(expected.lines().count(), queries().len());
    for threads in ["1", "2", "5"] {
        let flags = ["--explain", "--threads", threads];
        assert_eq!(built.search(&built.whole, &flags), expected, "{threads}");
    }
    let one = built.hits("the museum of the river", &[]);
    for threads in ["2", "3"] {
        let more = built.hits("the museum of the river", &["--threads", threads]);
        assert_eq!(more, one, "{threads}");
    }
    // A line that cannot be read ends the run after those before it.
    let mut lines = queries();
    lines.insert(30, "{\"text\": 3}".to_owned());
    fs::write(&built.queries, lines.join("\n")).expect("a temporary file");
    for threads in ["1", "4"] {
        let args = [
            "search",
            text(&built.whole),
            "text",
            "--input",
            text(&built.queries),
        ];
        let args = [&args[..], &["--threads", threads]].concat();
        let run = built.workshop.tools.morelet(args).exits(1);
        assert_eq!(run.stdout.lines().count(), 30, "{threads}");
        assert!(run.stderr.contains("queries.txt:31"), "{}", run.stderr);
    }
}

#[test]
fn a_program_may_ask_line_by_line() {
    let built = build();
    let tools = &built.workshop.tools;
    let args = ["search", text(&built.whole), "text", "--input", "-"];
    let mut command = tools.command(&tools.morelet, args);
    command.stdin(Stdio::piped()).stdout(Stdio::piped());
    let mut child = command.spawn().expect("the command starts");
    let mut asking = child.stdin.take().expect("a pipe");
    let answers = BufReader::new(child.stdout.take().expect("a pipe"));
    let (sender, receiver) = std::sync::mpsc::channel();
    std::thread::spawn(move || answers.lines().try_for_each(|line| sender.send(line)));
    // The first has fewer bytes than tell a compressed file.
    for query in ["sun", "the museum of the river"] {
        writeln!(asking, "{query}").expect("it reads on");
        let answer = receiver.recv_timeout(Duration::from_secs(60));
        let Ok(Ok(answer)) = answer else {
            child.kill().expect("the child is ours");
            panic!("no answer to {query:?} before the next one is asked");
        };
        let answer: Value = serde_json::from_str(&answer).expect("JSON");
        assert_eq!(answer["query"], query);
    }
    drop(asking);
    assert!(child.wait().expect("the child is ours").success());
}

#[test]
fn effort_is_exact_by_default_and_bench_measures_what_less_costs() {
    let mut built = build();
    let exact = built.search(&built.whole, &[]);
    assert_eq!(built.search(&built.whole, &["--effort", "1"]), exact);
    for effort in ["0", "0.3"] {
        let flags = ["--effort", effort, "--keys", "--explain"];
        let found = built.search(&built.whole, &flags);
        for line in found.lines() {
            let found: Value = serde_json::from_str(line).expect("JSON");
            let hits = found["hits"].as_array().expect("hits");
            let scores: Vec<f64> = hits.iter().flat_map(|hit| hit["score"].as_f64()).collect();
            assert!(scores.len() <= 10 && scores.is_sorted_by(|a, b| a >= b));
            // What is found has its whole score.
            for hit in hits {
                let terms = hit["explanation"]["terms"].as_array().expect("terms");
                assert_eq!(sum(terms).to_bits(), bits(&hit["score"]), "{hit}");
            }
        }
    }

    let asked = built.workshop.path("asked.jsonl");
    let texts: Vec<Value> = queries()
        .iter()
        .map(|query| json!({"text": query}))
        .collect();
    write_lines(&asked, &texts[texts.len() - 6..]);
    let bundle = built.bundle(&[built.whole.clone()]);
    for what in [&built.whole, &bundle] {
        let bench = |more: &[&str]| {
            let args = [
                "bench",
                text(what),
                "--input",
                text(&asked),
                "--repeat",
                "2",
            ];
            let args = args.iter().chain(more);
            built.workshop.tools.morelet(args).ok()
        };
        let measured = bench(&["--effort", "0.5", "--json", "--device", "cpu"]).json();
        let agreement = &measured["text_search"];
        let share = agreement["agreement_at_10"].as_f64().expect("a number");
        assert!((0.0..=1.0).contains(&share), "{measured}");
        // One of the six finds nothing at all.
        assert_eq!(agreement["queries"], 5, "{agreement}");
        assert_eq!(measured["effort"], 0.5);
        let module = if what.is_dir() {
            "text_retrieval"
        } else {
            "search"
        };
        for key in ["p50", "p90", "mean"] {
            assert!(measured["modules"][module][key].is_number(), "{measured}");
        }
        assert_eq!(measured["modules"][module]["n"], 12);
        // No sample of twelve lies beyond the ninety-ninth percentile.
        assert!(measured["modules"][module]["p99"].is_null());
        assert!(bench(&["--effort", "0.5"]).stdout.contains("agreement@10"));
        let exact = bench(&["--json"]).json();
        assert!(exact.get("text_search").is_none() && exact["effort"] == 1.0);
        assert!(!bench(&[]).stdout.contains("agreement"));
    }

    // What an expert reads follows the effort too, where it reads what is found.
    let alone = built.bundle(&[]);
    for command in ["predict", "eval"] {
        let gold = built.workshop.path("gold.jsonl");
        let query = json!({"tokens": ["museum"], "gold": ["O"], "contexts": {"text": []}});
        write_lines(&gold, &[query]);
        for (bundle, notes) in [(&bundle, false), (&alone, true)] {
            let args = [command, text(bundle), "--input", text(&gold)];
            let args = [&args[..], &["--effort", "0.2", "--device", "cpu"]].concat();
            let run = built.workshop.tools.morelet(args).ok();
            assert_eq!(run.stderr.contains("--effort changes nothing"), notes);
        }
    }
}

#[test]
fn queries_of_any_length_are_answered() {
    let built = build();
    assert!(built.hits("", &[]).is_empty());
    assert!(built.hits("?! …", &["--explain"]).is_empty());
    let expected = built.hits("museum word7", &["--explain"]);
    let unknown: Vec<String> = (0..10_000).map(|n| format!("unknown{n}")).collect();
    let input = built.workshop.path("long.txt");
    let many = format!("museum {} word7", unknown.join(" "));
    let again = "museum ".repeat(10_000);
    fs::write(&input, format!("{many}\n{again}\n")).expect("a temporary file");
    let args = [
        "search",
        text(&built.whole),
        "text",
        "--input",
        text(&input),
        "--explain",
    ];
    let found = built.workshop.tools.morelet(args).ok().json_lines();
    // Terms that no sentence has add nothing.
    assert_eq!(found[0]["hits"], json!(expected));
    let keys = |hits: &Value| -> Vec<String> {
        let hits = hits.as_array().expect("hits");
        hits.iter().map(|hit| hit["key"].to_string()).collect()
    };
    assert_eq!(
        keys(&found[1]["hits"]),
        keys(&json!(built.hits("museum", &[])))
    );
    assert_eq!(
        found[1]["hits"][0]["explanation"]["terms"][0]["times"],
        10_000
    );
}

#[test]
fn wrong_usage_is_exit_code_2_before_anything_is_opened() {
    let tools = tools!();
    let cases: [(&[&str], &str); 13] = [
        (&["search", "b", "text", "x", "--effort", "1.1"], "0 to 1"),
        (&["search", "b", "text", "x", "--effort", "nan"], "0 to 1"),
        (&["search", "b", "text", "x", "--effort=-0.1"], "0 to 1"),
        (&["predict", "b", "--text", "x", "--effort", "2"], "0 to 1"),
        (&["eval", "b", "--input", "x", "--effort", "2"], "0 to 1"),
        (&["bench", "b", "--text", "x", "--effort", "2"], "0 to 1"),
        (&["search", "b", "image", "x", "--explain"], "--explain"),
        (
            &["search", "b", "image", "x", "--effort", "0.5"],
            "--effort",
        ),
        (
            &["search", "b", "image", "x", "--paragraphs", "f"],
            "--paragraphs",
        ),
        (
            &["search", "b", "text", "--input", "-", "--paragraphs", "-"],
            "standard input",
        ),
        (&["search", "b", "image", "x", "--snippets"], "--snippets"),
        (&["search", "b", "text", "x", "--snippets=0"], "--snippets"),
        (
            &["search", "b", "text", "x", "--paragraphs"],
            "--paragraphs",
        ),
    ];
    for (args, part) in cases {
        tools.morelet(args).refused(2, &[part]);
    }
    let built = build();
    for flag in ["--image", "--images"] {
        let args = ["bench", text(&built.whole), "--input", "q.jsonl", flag, "x"];
        let args = if flag == "--image" {
            ["bench", text(&built.whole), "--text", "x", flag, "x"]
        } else {
            args
        };
        built.workshop.tools.morelet(args).refused(2, &["--image"]);
    }
}

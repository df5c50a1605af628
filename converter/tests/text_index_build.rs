//! `text-index` as a process: killed, interrupted, without room, in parts. Whatever happens, the bytes are the same
//! in the end, and the old index stays until then.
#![cfg(unix)]

use morelet_indices::{ParagraphId, TextIndex};
use morelet_mapped::{OpenOptions, Verify};
use std::fs;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::time::{Duration, Instant};
use tempfile::TempDir;

/// A folder with a corpus and the index that belongs to it.
struct Place {
    folder: TempDir,
}

impl Place {
    fn new(articles: u64) -> Self {
        let place = Self {
            folder: tempfile::tempdir().unwrap(),
        };
        fs::write(place.at("corpus.jsonl"), corpus(articles)).unwrap();
        place
    }

    fn at(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// The command `text-index` with these arguments, in the folder.
    fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_morelet-convert"));
        command
            .arg("text-index")
            .args(arguments)
            .current_dir(self.folder.path())
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::piped());
        command
    }

    fn run(&self, arguments: &[&str]) -> Output {
        self.command(arguments).output().unwrap()
    }

    fn succeeds(&self, arguments: &[&str]) -> String {
        let output = self.run(arguments);
        let said = String::from_utf8(output.stderr).unwrap();
        assert!(output.status.success(), "{arguments:?}: {said}");
        said
    }

    /// What the command says where it fails with exit code 1.
    fn fails(&self, arguments: &[&str]) -> String {
        let output = self.run(arguments);
        let said = String::from_utf8(output.stderr).unwrap();
        assert_eq!(output.status.code(), Some(1), "{arguments:?}: {said}");
        said
    }

    fn names(&self) -> Vec<String> {
        let entries = fs::read_dir(self.folder.path()).unwrap();
        let name = |entry: std::io::Result<fs::DirEntry>| entry.unwrap().file_name();
        let mut names: Vec<_> = entries.map(|e| name(e).into_string().unwrap()).collect();
        names.sort();
        names
    }

    fn open(&self, name: &str) -> TextIndex {
        let options = OpenOptions {
            verify: Verify::Full,
            ..OpenOptions::default()
        };
        TextIndex::open(self.at(name), options).unwrap()
    }
}

/// Articles with words by Zipf's law, the same every time.
fn corpus(articles: u64) -> Vec<u8> {
    let mut state = 88_172_645_463_325_252u64;
    let mut random = move |below: u64| {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        state % below
    };
    let mut corpus = Vec::new();
    for id in 0..articles {
        write!(
            corpus,
            "{{\"id\": {id}, \"title\": \"Title {id}\", \"paragraphs\": [\"Of {id}.\""
        )
        .unwrap();
        for _ in 0..random(8) {
            corpus.extend_from_slice(b", \"");
            for place in 0..10 + random(150) {
                let rank = 1u64 << random(18);
                let end = if place % 17 == 16 { ". W" } else { " " };
                write!(corpus, "w{:x}{end}", rank + random(rank)).unwrap();
            }
            corpus.push(b'"');
        }
        corpus.extend_from_slice(b"]}\n");
    }
    corpus
}

const SMALL: [&str; 6] = [
    "corpus.jsonl",
    "-o",
    "text.index",
    "--memory",
    "4M",
    "--threads",
];

fn with_threads(threads: &str) -> Vec<&str> {
    SMALL.into_iter().chain([threads]).collect()
}

/// Waits until `is_time`, then ends the process by `signal`. `false` if it had ended before.
fn end(child: &mut Child, signal: &str, mut is_time: impl FnMut() -> bool) -> bool {
    let begin = Instant::now();
    while !is_time() {
        if child.try_wait().unwrap().is_some() {
            return false;
        }
        assert!(begin.elapsed() < Duration::from_secs(120), "it hangs");
        std::thread::sleep(Duration::from_micros(300));
    }
    let kill = Command::new("kill")
        .args([signal, &child.id().to_string()])
        .status();
    assert!(kill.unwrap().success());
    true
}

/// Changes with every checkpoint.
fn checkpoint(place: &Place) -> Option<u64> {
    use std::os::unix::fs::MetadataExt as _;
    fs::metadata(place.at("text.index.building/checkpoint"))
        .ok()
        .map(|found| found.ino())
}

#[test]
fn a_build_that_is_killed_again_and_again_ends_with_the_same_bytes() {
    let place = Place::new(25_000);
    place.succeeds(&["corpus.jsonl", "-o", "whole.index", "--threads", "1"]);
    let expected = fs::read(place.at("whole.index")).unwrap();
    fs::write(place.at("text.index"), "the old one").unwrap();

    let in_merge = |name: &str| place.at("text.index.building").join(name).exists();
    let mut kills = 0;
    for round in 0..10u32 {
        let threads = ["2", "1", "3"][round as usize % 3];
        let mut child = place.command(&with_threads(threads)).spawn().unwrap();
        let (before, begin) = (checkpoint(&place), Instant::now());
        let mut changes = 0;
        let mut last = before;
        kills += u32::from(end(&mut child, "-KILL", || match round {
            // At once; some time after a checkpoint; in the merge, at its beginning and its end.
            0 => true,
            1..6 => {
                let now = checkpoint(&place);
                changes += u32::from(now != last);
                last = now;
                changes > 0 && begin.elapsed() > Duration::from_millis(u64::from(10 * round))
            }
            6 => in_merge("terms"),
            7 => in_merge("terms") && begin.elapsed() > Duration::from_millis(300),
            _ => in_merge("starts"),
        }));
        child.wait().unwrap();
        if fs::read(place.at("text.index")).unwrap() != b"the old one" {
            break;
        }
        let mut names = place.names();
        names.retain(|name| name != "text.index.building");
        assert_eq!(names, ["corpus.jsonl", "text.index", "whole.index"]);
    }
    assert!(kills >= 4, "{kills}");
    if checkpoint(&place).is_some() {
        let said = place.succeeds(&with_threads("2"));
        assert!(said.contains("going on with text.index.building"), "{said}");
    } else {
        place.succeeds(&with_threads("2"));
    }
    assert!(fs::read(place.at("text.index")).unwrap() == expected);
    assert_eq!(place.names(), ["corpus.jsonl", "text.index", "whole.index"]);
}

#[test]
fn an_interrupted_build_says_what_it_keeps() {
    let place = Place::new(9000);
    let mut child = place.command(&with_threads("1")).spawn().unwrap();
    assert!(end(&mut child, "-INT", || checkpoint(&place).is_some()));
    let output = child.wait_with_output().unwrap();
    let said = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(130), "{said}");
    assert!(said.contains("kept in text.index.building"), "{said}");
    assert_eq!(place.names(), ["corpus.jsonl", "text.index.building"]);
    // Two processes do not build the same index.
    let mut child = place.command(&with_threads("1")).spawn().unwrap();
    let before = checkpoint(&place);
    let mut said = String::new();
    end(&mut child, "-KILL", || {
        let now = checkpoint(&place) != before;
        if now {
            said = place.fails(&with_threads("1"));
        }
        now
    });
    child.wait().unwrap();
    assert!(said.contains("another process"), "{said}");
}

#[test]
fn without_room_on_the_disk_the_old_index_stays_and_the_folder_is_named() {
    let place = Place::new(9000);
    place.succeeds(&["corpus.jsonl", "-o", "whole.index"]);
    fs::write(place.at("text.index"), "the old one").unwrap();
    // A limit on the length of files, in blocks of 512 bytes, stands for a disk that is full: at once, on the way, and in
    // the merge.
    let len = fs::metadata(place.at("whole.index")).unwrap().len();
    for (blocks, kept) in [
        (1, Some(false)),
        (len / 6 / 512, None),
        (len / 4 / 512, None),
        (len * 9 / 10 / 512, Some(true)),
    ] {
        let line = format!(
            "trap '' XFSZ; ulimit -f {blocks}; exec \"$0\" text-index corpus.jsonl -o text.index --memory 4M --threads 2"
        );
        let output = Command::new("sh")
            .args(["-c", &line, env!("CARGO_BIN_EXE_morelet-convert")])
            .current_dir(place.folder.path())
            .output()
            .unwrap();
        let said = String::from_utf8(output.stderr).unwrap();
        assert_eq!(output.status.code(), Some(1), "{said}");
        assert!(said.contains("File too large"), "{said}");
        let is_kept = place.at("text.index.building").exists();
        assert_eq!(
            said.contains("kept in text.index.building"),
            is_kept,
            "{said}"
        );
        assert!(kept.is_none_or(|kept| kept == is_kept), "{blocks}: {said}");
        assert_eq!(fs::read(place.at("text.index")).unwrap(), b"the old one");
    }
    let said = place.succeeds(&with_threads("2"));
    assert!(said.contains("going on"), "{said}");
    place.succeeds(&["corpus.jsonl", "-o", "whole.index"]);
    assert!(
        fs::read(place.at("text.index")).unwrap() == fs::read(place.at("whole.index")).unwrap()
    );
}

#[test]
fn a_line_that_is_mended_costs_only_what_comes_after_it() {
    let place = Place::new(9000);
    let sound = fs::read_to_string(place.at("corpus.jsonl")).unwrap();
    place.succeeds(&["corpus.jsonl", "-o", "whole.index"]);
    let mut lines: Vec<&str> = sound.lines().collect();
    lines[8999] = "{\"id\": 8999, \"title\": \"T";
    fs::write(place.at("corpus.jsonl"), lines.join("\n")).unwrap();
    let said = place.fails(&with_threads("2"));
    assert!(
        said.contains("corpus.jsonl:9000: EOF") && said.contains("kept in"),
        "{said}"
    );

    // What was read already may not change.
    fs::write(
        place.at("corpus.jsonl"),
        sound.replacen("Of 1.", "Of 2.", 1),
    )
    .unwrap();
    let said = place.fails(&with_threads("2"));
    assert!(
        said.contains("another corpus") && said.contains("--restart"),
        "{said}"
    );
    fs::write(place.at("corpus.jsonl"), &sound[..1000]).unwrap();
    let said = place.fails(&with_threads("2"));
    assert!(
        said.contains("another corpus") && !said.contains("goes on"),
        "{said}"
    );
    let mut other = with_threads("2");
    other.extend(["--k1", "0.9"]);
    let said = place.fails(&other);
    assert!(
        said.contains("k1 (1.2 there, 0.9 here)") && said.contains("--restart"),
        "{said}"
    );

    fs::write(place.at("corpus.jsonl"), &sound).unwrap();
    let said = place.succeeds(&with_threads("1"));
    assert!(said.contains("going on"), "{said}");
    assert!(
        fs::read(place.at("text.index")).unwrap() == fs::read(place.at("whole.index")).unwrap()
    );

    fs::write(place.at("corpus.jsonl"), lines.join("\n")).unwrap();
    place.fails(&with_threads("2"));
    fs::write(
        place.at("corpus.jsonl"),
        sound.replacen("Of 1.", "Of 2.", 1),
    )
    .unwrap();
    let mut restart = with_threads("2");
    restart.push("--restart");
    let said = place.succeeds(&restart);
    assert!(!said.contains("going on"), "{said}");
    assert_eq!(place.names(), ["corpus.jsonl", "text.index", "whole.index"]);
}

#[test]
fn a_dump_cut_in_the_middle_or_not_in_utf_8_is_refused_at_its_line() {
    let place = Place::new(300);
    let sound = fs::read(place.at("corpus.jsonl")).unwrap();
    let zstd = zstd::encode_all(&sound[..], 1).unwrap();
    let mut bzip2 = bzip2::write::BzEncoder::new(Vec::new(), bzip2::Compression::fast());
    bzip2.write_all(&sound).unwrap();
    let bzip2 = bzip2.finish().unwrap();
    let mut latin = sound.clone();
    let line_9 = sound
        .split_inclusive(|&b| b == b'\n')
        .take(8)
        .map(<[u8]>::len)
        .sum::<usize>();
    latin[line_9 + 20] = 0xe9;
    for (name, bytes, says) in [
        (
            "cut.jsonl",
            &sound[..sound.len() - 20],
            "cut.jsonl:300: EOF",
        ),
        ("cut.jsonl.zst", &zstd[..zstd.len() / 2], "cut.jsonl.zst:"),
        ("cut.jsonl.bz2", &bzip2[..bzip2.len() / 2], "cut.jsonl.bz2:"),
        ("latin.jsonl", &latin, "latin.jsonl:9: not UTF-8"),
        ("empty.jsonl", b"", "empty.jsonl: no articles to index"),
        ("blank.jsonl", b"\n \n", "blank.jsonl: no articles to index"),
    ] {
        fs::write(place.at(name), bytes).unwrap();
        let said = place.fails(&[name, "-o", "text.index"]);
        assert!(said.contains(says), "{says}: {said}");
        fs::remove_file(place.at(name)).unwrap();
        assert_eq!(place.names(), ["corpus.jsonl"], "{name}");
    }
}

#[test]
fn shards_and_halves_are_merged() {
    let place = Place::new(700);
    place.succeeds(&["corpus.jsonl", "-o", "whole.index"]);
    let whole = place.open("whole.index");
    let mut merge = vec!["merge", "-o", "merged.index"];
    for (shard, name) in [("1/3", "1.index"), ("2/3", "2.index"), ("3/3", "3.index")] {
        place.succeeds(&["corpus.jsonl", "-o", name, "--shard", shard]);
        merge.push(name);
    }
    // More shards than articles are dealt to: an index without articles, which can be merged too.
    place.succeeds(&["corpus.jsonl", "-o", "4.index", "--shard", "50/50"]);
    merge.push("4.index");
    let said = place.succeeds(&merge);
    let merged = place.open("merged.index");
    let told = format!("4 indexes merged, {} paragraphs", whole.paragraphs());
    assert!(said.contains(&told), "{said}");
    assert_eq!(
        (merged.len(), merged.paragraphs(), merged.terms()),
        (whole.len(), whole.paragraphs(), whole.terms())
    );
    let scores = |index: &TextIndex, query: &str| -> Vec<(f32, String)> {
        let hits = index.retrieve(query, 20, true).unwrap();
        let mut scores: Vec<_> = hits.into_iter().map(|hit| (hit.score, hit.value)).collect();
        scores.sort_by(|a, b| b.0.total_cmp(&a.0).then_with(|| a.1.cmp(&b.1)));
        // Of equal scores at the end, which are found depends on the order.
        let last = scores.last().unwrap().0;
        scores.retain(|(score, _)| *score > last);
        scores
    };
    for query in ["w1 w2 w3 w10 w1000", "of 17", "w3ffff w1a2b w5"] {
        assert_eq!(scores(&merged, query), scores(&whole, query), "{query}");
    }

    // Two halves, one after the other, are the whole.
    let corpus = fs::read_to_string(place.at("corpus.jsonl")).unwrap();
    let lines: Vec<&str> = corpus.lines().collect();
    fs::write(place.at("a.jsonl"), lines[..300].join("\n")).unwrap();
    fs::write(place.at("b.jsonl"), lines[300..].join("\n")).unwrap();
    place.succeeds(&["a.jsonl", "-o", "a.index"]);
    place.succeeds(&["b.jsonl", "-o", "b.index"]);
    place.succeeds(&["merge", "a.index", "b.index", "-o", "merged.index"]);
    let hashes = |name: &str| -> Vec<String> {
        let index = place.open(name);
        let sections = index
            .containers()
            .flat_map(|container| container.sections());
        let kept = sections.filter(|section| !section.name.starts_with("values"));
        kept.map(|section| format!("{} {}", section.name, section.hash))
            .collect()
    };
    assert_eq!(hashes("merged.index"), hashes("whole.index"));

    // The same index twice would be every article twice.
    let twice = place.run(&["merge", "a.index", "./a.index", "-o", "twice.index"]);
    assert_eq!(twice.status.code(), Some(2));
    assert!(!place.at("twice.index").exists());

    // A month's articles, one of them changed.
    fs::write(
        place.at("month.jsonl"),
        "{\"id\": \"17\", \"title\": \"New\", \"paragraphs\": [\"A new text.\"]}\n",
    )
    .unwrap();
    place.succeeds(&["month.jsonl", "-o", "month.index"]);
    place.succeeds(&[
        "merge",
        "--replace",
        "a.index",
        "month.index",
        "-o",
        "a.index",
    ]);
    let index = place.open("a.index");
    assert!(index.retrieve("of 17", 1, false).unwrap()[0].id != "17");
    let last = index
        .paragraph(ParagraphId(index.paragraphs() - 1))
        .unwrap();
    assert_eq!((last.id.as_str(), last.title.as_str()), ("17", "New"));

    let said = place.fails(&["merge", "a.index", "corpus.jsonl", "-o", "c.index"]);
    assert!(said.contains("corpus.jsonl"), "{said}");
    assert_eq!(
        place.run(&["merge", "-o", "c.index"]).status.code(),
        Some(2)
    );
    assert_eq!(
        place
            .run(&["corpus.jsonl", "-o", "c", "--shard", "4/3"])
            .status
            .code(),
        Some(2)
    );
    assert!(!place.names().iter().any(|name| name.starts_with("c.")));
}

/// Of a paragraph of 50 MB, a sentence of many one-letter words, and a long tail of terms that occur once.
#[cfg(target_os = "linux")]
#[test]
fn memory_is_respected() {
    let place = Place::new(3000);
    let mut corpus = fs::read(place.at("corpus.jsonl")).unwrap();
    let long = [
        "Some words of a sentence. ".repeat((50 << 20) / 26),
        "a b c d ".repeat(1 << 20),
        (0..2_000_000)
            .map(|n: u32| format!("u{:x} ", n.wrapping_mul(0x9E37_79B9)))
            .collect(),
    ];
    for (id, text) in (0..).zip(&long) {
        writeln!(
            corpus,
            "{{\"id\": \"long{id}\", \"title\": \"\", \"paragraphs\": [\"{text}\"]}}"
        )
        .unwrap();
    }
    fs::write(place.at("corpus.jsonl"), corpus).unwrap();
    drop(long);
    for (memory, most) in [("64M", 64 + 256), ("256M", 256 + 256)] {
        let arguments = [
            "corpus.jsonl",
            "-o",
            "text.index",
            "--memory",
            memory,
            "--threads",
            "2",
        ];
        let mut child = place.command(&arguments).spawn().unwrap();
        let mut peak = 0;
        while child.try_wait().unwrap().is_none() {
            let status = fs::read_to_string(format!("/proc/{}/status", child.id()));
            peak = peak.max(
                status
                    .ok()
                    .and_then(|status| high_water(&status))
                    .unwrap_or(0),
            );
            std::thread::sleep(Duration::from_millis(2));
        }
        assert!(child.wait().unwrap().success());
        assert!(
            (20 << 10..most << 10).contains(&peak),
            "{memory}: {peak} kB"
        );
    }
    let index = place.open("text.index");
    let hits = index.search("u0 ude6c8a2c", 3).unwrap();
    assert_eq!(hits.len(), 1);
}

/// The peak of resident memory in kB.
#[cfg(target_os = "linux")]
fn high_water(status: &str) -> Option<u64> {
    let line = status.lines().find(|line| line.starts_with("VmHWM:"))?;
    line.split_whitespace().nth(1)?.parse().ok()
}

#[test]
fn standard_input_is_gone_on_with_if_it_comes_again() {
    let place = Place::new(9000);
    place.succeeds(&["corpus.jsonl", "-o", "whole.index"]);
    let open = |path: &Path| Stdio::from(fs::File::open(path).unwrap());
    let arguments = ["-", "-o", "text.index", "--memory", "4M", "--threads", "1"];
    let mut command = place.command(&arguments);
    let mut child = command
        .stdin(open(&place.at("corpus.jsonl")))
        .spawn()
        .unwrap();
    assert!(end(&mut child, "-KILL", || checkpoint(&place).is_some()));
    child.wait().unwrap();
    let mut command = place.command(&arguments);
    let output = command
        .stdin(open(&place.at("corpus.jsonl")))
        .output()
        .unwrap();
    let said = String::from_utf8(output.stderr).unwrap();
    assert!(
        output.status.success() && said.contains("going on"),
        "{said}"
    );
    assert!(
        fs::read(place.at("text.index")).unwrap() == fs::read(place.at("whole.index")).unwrap()
    );
}

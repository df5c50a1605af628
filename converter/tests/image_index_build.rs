//! `image-index` as a process: killed, interrupted, without room, with bad pictures, in parts. What CLIP said is kept, and
//! the index is the same in the end.
#![cfg(unix)]

mod album;

use album::{Album, DIM, line, numbers};
use morelet_indices::{ImageEntry, ImageId, ImageIndexBuilder, ImageOptions, Vectors};
use std::fs;
use std::io::Write as _;
use std::process::{Child, ChildStdin, Command, Stdio};
use std::time::{Duration, Instant};

const BUILD: [&str; 9] = [
    "images.jsonl",
    "-o",
    "image.index",
    "--clip",
    "clip.weights",
    "--device",
    "cpu",
    "--threads",
    "1",
];

fn with(more: &[&'static str]) -> Vec<&'static str> {
    BUILD.into_iter().chain(more.iter().copied()).collect()
}

/// The same, written elsewhere.
fn to(output: &'static str) -> Vec<&'static str> {
    let mut arguments = BUILD.to_vec();
    arguments[2] = output;
    arguments
}

/// The length of the file of features.
fn kept(album: &Album) -> u64 {
    fs::metadata(album.at("image.index.building/features")).map_or(0, |file| file.len())
}

/// Bytes of a record: key, feature, check.
const RECORD: usize = 16 + DIM * 4 + 8;

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

#[test]
fn a_run_that_is_killed_again_and_again_keeps_what_it_had() {
    let album = Album::new(400);
    album.succeeds(&to("whole.index"));
    let expected = fs::read(album.at("whole.index")).unwrap();
    fs::write(album.at("image.index"), "the old one").unwrap();
    let mut kills = 0;
    for round in 0..6 {
        let before = kept(&album);
        let mut child = album.command(&BUILD).spawn().unwrap();
        let wanted = before + 40 * RECORD as u64;
        kills += u32::from(end(&mut child, "-KILL", || {
            round == 0 || kept(&album) >= wanted
        }));
        child.wait().unwrap();
        assert!(kept(&album) >= before);
        if round > 0 && fs::read(album.at("image.index")).unwrap() != b"the old one" {
            break;
        }
    }
    assert!(kills >= 3, "{kills}");
    let before = kept(&album);
    let said = album.succeeds(&BUILD);
    if before > 0 {
        assert!(
            said.contains("going on with image.index.building, which has "),
            "{said}"
        );
    }
    assert!(fs::read(album.at("image.index")).unwrap() == expected);
    assert_eq!(
        album.names(),
        ["clip.weights", "image.index", "images.jsonl", "whole.index"]
    );
}

#[test]
fn an_interrupted_run_says_what_it_keeps() {
    let album = Album::new(400);
    let mut child = album.command(&BUILD).spawn().unwrap();
    assert!(end(&mut child, "-INT", || kept(&album) > 0));
    let output = child.wait_with_output().unwrap();
    let said = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(130), "{said}");
    assert!(said.contains("kept in image.index.building"), "{said}");
    assert_eq!(
        album.names(),
        ["clip.weights", "image.index.building", "images.jsonl"]
    );
    let said = album.succeeds(&BUILD);
    assert!(said.contains("going on"), "{said}");
}

/// A build of the list, which comes through a pipe that stays open.
fn build_from_pipe(album: &Album) -> (Child, ChildStdin) {
    let mut arguments = BUILD.to_vec();
    arguments[0] = "-";
    let mut command = album.command(&arguments);
    let mut child = command.stdin(Stdio::piped()).spawn().unwrap();
    let mut list = child.stdin.take().unwrap();
    list.write_all(&fs::read(album.at("images.jsonl")).unwrap())
        .unwrap();
    (child, list)
}

#[test]
fn a_second_process_is_refused_and_the_list_may_come_through_a_pipe() {
    let album = Album::new(3);
    let (mut child, list) = build_from_pipe(&album);
    let begin = Instant::now();
    while kept(&album) == 0 {
        assert!(begin.elapsed() < Duration::from_secs(120), "it hangs");
        std::thread::sleep(Duration::from_millis(1));
    }
    let said = album.fails(&BUILD);
    assert!(said.contains("image.index: another process"), "{said}");
    drop(list);
    assert!(child.wait().unwrap().success());
    assert_eq!(album.ids("image.index"), numbers(0..3));
}

#[test]
fn an_interrupted_run_does_not_wait_for_the_end_of_a_pipe() {
    let album = Album::new(3);
    let (mut child, list) = build_from_pipe(&album);
    assert!(end(&mut child, "-INT", || kept(&album) > 0));
    let output = child.wait_with_output().unwrap();
    drop(list);
    let said = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(130), "{said}");
    // It ended by itself: who is made to end has no time to say that.
    assert!(said.contains("kept in image.index.building"), "{said}");
}

#[test]
fn features_that_were_cut_or_damaged_anywhere_are_gone_on_with() {
    let album = Album::new(8);
    album.succeeds(&to("whole.index"));
    let expected = fs::read(album.at("whole.index")).unwrap();
    // Keeps the features of all, because one more picture is bad.
    let lines: Vec<String> = (0..8).map(line).collect();
    let mut longer = lines.clone();
    longer.push(line(8));
    album.list(&longer);
    album.fails(&BUILD);
    album.list(&lines);
    let features = fs::read(album.at("image.index.building/features")).unwrap();
    let start = features.len() - 8 * RECORD;
    let cases = [
        0,
        1,
        15,
        16,
        RECORD - 1,
        RECORD,
        RECORD + 1,
        8 * RECORD - 8,
        8 * RECORD,
    ];
    let cut = cases.map(|end| (features[..start + end].to_vec(), end / RECORD));
    let mut flipped = features.clone();
    flipped[start + 3 * RECORD + 40] ^= 4;
    let mut zeros = features.clone();
    zeros[start + RECORD..start + 3 * RECORD].fill(0);
    let mut longer = features.clone();
    longer.resize(features.len() + 5 * RECORD + 7, 0);
    let damaged = [(flipped, 7), (zeros, 6), (longer, 8)];
    for (bytes, has) in cut.into_iter().chain(damaged) {
        fs::create_dir_all(album.at("image.index.building")).unwrap();
        fs::write(album.at("image.index.building/features"), &bytes).unwrap();
        let said = album.succeeds(&BUILD);
        assert_eq!(
            said.contains(&format!("which has {has} pictures")),
            has > 0,
            "{}: {said}",
            bytes.len()
        );
        assert!(fs::read(album.at("image.index")).unwrap() == expected);
        assert!(!album.at("image.index.building").exists());
    }
    for end in [0, 7, 8, 11, 12, 100, start - 1] {
        fs::create_dir_all(album.at("image.index.building")).unwrap();
        fs::write(album.at("image.index.building/features"), &features[..end]).unwrap();
        let said = album.fails(&BUILD);
        assert!(
            said.contains("image.index.building/features") && said.contains("--restart"),
            "{end}: {said}"
        );
        assert!(!said.contains("same command goes on"), "{end}: {said}");
    }
    album.succeeds(&with(&["--restart"]));
    assert!(fs::read(album.at("image.index")).unwrap() == expected);
}

#[test]
fn only_what_became_of_pictures_matters_and_not_of_the_list() {
    let album = Album::new(6);
    let missing = line(6);
    let lines: Vec<String> = (0..6).map(line).chain([missing]).collect();
    album.list(&lines);
    album.fails(&BUILD);
    // One line goes, one is turned into another's place, one has another title, one comes: one picture is looked at.
    let lines = [
        line(5),
        line(1),
        line(2).replace("Title", "New title"),
        line(3),
        line(7),
        line(0),
    ];
    album.list(&lines);
    album.draw(7);
    let said = album.succeeds(&BUILD);
    assert!(said.contains("has 6 pictures"), "{said}");
    assert_eq!(album.ids("image.index"), numbers([5, 1, 2, 3, 7, 0]));
    let index = album.open("image.index");
    assert_eq!(index.value(ImageId(2)).unwrap().title, "New title 2");
    let resumed = fs::read(album.at("image.index")).unwrap();
    album.succeeds(&BUILD);
    assert!(fs::read(album.at("image.index")).unwrap() == resumed);

    // A picture that is drawn anew has another feature, under the same name.
    album.list(&[line(0), line(1), line(9)]);
    album.fails(&BUILD);
    fs::copy(album.at("p7.png"), album.at("p1.png")).unwrap();
    album.list(&[line(0), line(1)]);
    album.succeeds(&BUILD);
    let resumed = fs::read(album.at("image.index")).unwrap();
    album.succeeds(&BUILD);
    assert!(fs::read(album.at("image.index")).unwrap() == resumed);
}

#[test]
fn another_clip_is_refused_until_restart() {
    let album = Album::new(3);
    let lines: Vec<String> = (0..4).map(line).collect();
    album.list(&lines);
    album.fails(&BUILD);
    album.quantized_clip("clip.weights");
    let said = album.fails(&BUILD);
    for says in [
        "another quantization",
        "there",
        "q8",
        "--restart begins anew",
    ] {
        assert!(said.contains(says), "{says}: {said}");
    }
    assert!(!said.contains("goes on from there"), "{said}");
    let said = album.succeeds(&with(&["--restart", "--skip-bad"]));
    assert!(!said.contains("going on"), "{said}");
    assert_eq!(album.ids("image.index"), numbers(0..3));
}

#[test]
fn bad_pictures_are_told_with_their_lines_and_left_out_if_asked() {
    let album = Album::new(4);
    let mut bomb = fs::read(album.at("p0.png")).unwrap();
    // Width and height of a PNG, and the CRC that belongs to them.
    bomb[16..24].copy_from_slice(&[0, 0, 0xEA, 0x60, 0, 0, 0xEA, 0x60]);
    let mut crc = flate2::Crc::new();
    crc.update(&bomb[12..29]);
    bomb[29..33].copy_from_slice(&crc.sum().to_be_bytes());
    let whole = fs::read(album.at("p1.png")).unwrap();
    fs::write(album.at("bomb.png"), bomb).unwrap();
    fs::write(album.at("text.png"), "not a picture").unwrap();
    fs::write(album.at("empty.png"), "").unwrap();
    fs::write(album.at("cut.png"), &whole[..whole.len() / 2]).unwrap();
    fs::create_dir(album.at("folder.png")).unwrap();
    let made = Command::new("mkfifo").arg(album.at("pipe.png")).status();
    assert!(made.unwrap().success());
    let bad = [
        ("bomb.png", "limit"),
        ("text.png", ""),
        ("empty.png", ""),
        ("cut.png", "decoded"),
        ("folder.png", "folder"),
        ("pipe.png", "regular file"),
        ("missing.png", "cannot read"),
    ];
    let mut lines = vec![line(0)];
    for (number, (name, _)) in (100..).zip(bad) {
        lines.push(line(number).replace(&format!("p{number}.png"), name));
        lines.push(String::new());
    }
    lines.extend([line(1), line(2), line(3)]);
    album.list(&lines);
    let said = album.fails(&BUILD);
    for (number, (name, says)) in bad.into_iter().enumerate() {
        let place = format!("images.jsonl:{}: {name}: ", 2 + 2 * number);
        let told = said.lines().find(|line| line.starts_with(&place));
        assert!(
            told.is_some_and(|told| told.contains(says)),
            "{place}: {said}"
        );
    }
    for says in [
        "7 of 11 pictures are bad, and no index was written",
        "--skip-bad",
        "kept in",
    ] {
        assert!(said.contains(says), "{says}: {said}");
    }
    assert!(!album.at("image.index").exists());

    let said = album.succeeds(&with(&["--skip-bad"]));
    for says in [
        "has 4 pictures",
        "images.jsonl:2: ",
        "7 of 11 pictures are bad: left out",
    ] {
        assert!(said.contains(says), "{says}: {said}");
    }
    assert_eq!(album.ids("image.index"), numbers(0..4));
    assert!(!album.at("image.index.building").exists());

    // Under --quiet the error tells of the first.
    let mut quiet = album.command(&BUILD);
    let output = quiet.arg("--quiet").output().unwrap();
    let said = String::from_utf8(output.stderr).unwrap();
    assert_eq!(said.lines().count(), 1, "{said}");
    assert!(said.contains("images.jsonl:2: bomb.png"), "{said}");

    // A line that is no record ends the run, with what came before it kept.
    lines.insert(1, "{\"id\": 1}".to_owned());
    album.list(&lines);
    let said = album.fails(&with(&["--skip-bad"]));
    assert!(
        said.contains("images.jsonl:2: ") && said.contains("kept in"),
        "{said}"
    );

    album.list(&[line(77)]);
    let said = album.fails(&with(&["--skip-bad", "--restart"]));
    assert!(said.contains("no picture is left"), "{said}");
    album.list(&[""]);
    let said = album.fails(&BUILD);
    assert!(
        said.contains("images.jsonl: no pictures to index"),
        "{said}"
    );
    assert!(!album.at("image.index.building").exists());
}

#[test]
fn without_room_on_the_disk_what_was_done_is_kept() {
    let album = Album::new(120);
    album.succeeds(&to("whole.index"));
    let expected = fs::read(album.at("whole.index")).unwrap();
    fs::write(album.at("image.index"), "the old one").unwrap();
    // A limit on the length of files, in blocks of 512 bytes, stands for a disk that is full.
    for blocks in [1, 10, 20, 30] {
        let line = format!(
            "trap '' XFSZ; ulimit -f {blocks}; exec \"$0\" image-index {}",
            BUILD.join(" ")
        );
        let output = Command::new("sh")
            .args(["-c", &line, env!("CARGO_BIN_EXE_morelet-convert")])
            .current_dir(album.at(""))
            .output()
            .unwrap();
        let said = String::from_utf8(output.stderr).unwrap();
        assert_eq!(output.status.code(), Some(1), "{said}");
        assert!(said.contains("File too large"), "{said}");
        assert_eq!(
            said.contains("kept in image.index.building"),
            kept(&album) > 0,
            "{said}"
        );
        assert_eq!(fs::read(album.at("image.index")).unwrap(), b"the old one");
    }
    let said = album.succeeds(&BUILD);
    assert!(said.contains("going on"), "{said}");
    assert!(fs::read(album.at("image.index")).unwrap() == expected);
}

#[test]
fn options_reach_the_index_and_wrong_ones_are_usage() {
    let album = Album::new(5);
    album.succeeds(&with(&[
        "--vectors",
        "f16",
        "--links",
        "16",
        "--ef-construction",
        "40",
    ]));
    assert_eq!(album.open("image.index").vectors(), Vectors::F16);
    album.succeeds(&with(&["--vectors", "i8", "--no-rerank"]));
    assert_eq!(album.open("image.index").vectors(), Vectors::I8);
    album.succeeds(&BUILD);
    assert_eq!(album.open("image.index").vectors(), Vectors::default());
    let wrong: [&[&str]; 9] = [
        &["--vectors", "i9"],
        &["--links", "3"],
        &["--links", "65"],
        &["--ef-construction", "0"],
        &["--shard", "3/2"],
        &["--shard", "1/2", "--add-to", "image.index"],
        &["--restart", "--features", "f.npy"],
        &["--device", "tpu"],
        &["merge", "image.index", "-o", "a.index"],
    ];
    for arguments in wrong {
        album.ends(
            &with(&[])
                .into_iter()
                .chain(arguments.iter().copied())
                .collect::<Vec<_>>(),
            2,
        );
    }
    album.ends(&["merge", "-o", "a.index"], 2);
    let clip = ["clip.weights", "images.jsonl"];
    for target in clip {
        let said = album.fails(&to(target));
        assert!(said.contains("would take its place"), "{said}");
    }
    let said = album.fails(&to("no/such/image.index"));
    assert!(said.contains("no/such/image.index.building"), "{said}");
}

/// An index of features from elsewhere.
fn index_of(album: &Album, name: &str, clip: &str, dim: usize) {
    let mut builder =
        ImageIndexBuilder::create(album.at(name), ImageOptions::new(clip, dim)).unwrap();
    let entry = ImageEntry {
        id: "far",
        title: "Far",
        intro: "Away.",
    };
    builder.add(entry, &vec![1.0; dim]).unwrap();
    builder.finish(&mut |_, _, _| false).unwrap();
}

#[test]
fn features_of_another_clip_are_neither_merged_nor_added_to() {
    let album = Album::new(2);
    album.succeeds(&BUILD);
    let identity = album.open("image.index").clip_identity().to_owned();
    index_of(&album, "other.index", &"e".repeat(64), DIM);
    index_of(&album, "narrow.index", &identity, 16);
    for (name, says) in [
        ("other.index", "by the CLIP eeee"),
        ("narrow.index", "16 dimensions"),
    ] {
        let commands = [
            vec!["merge", "image.index", name, "-o", "new.index"],
            with(&["--add-to", name]),
        ];
        for arguments in commands {
            let said = album.fails(&arguments);
            assert!(said.contains(name) && said.contains(says), "{says}: {said}");
        }
    }
    let said = album.fails(&["merge", "image.index", "images.jsonl", "-o", "new.index"]);
    assert!(said.contains("images.jsonl"), "{said}");
    assert!(!album.names().iter().any(|name| name.starts_with("new.")));
}

// The tests from here on need `ImageIndexBuilder::add_index`.

#[test]
fn shards_are_merged() {
    let album = Album::new(200);
    let mut merge = vec!["merge", "-o", "merged.index"];
    for (shard, name) in [("1/3", "1.index"), ("2/3", "2.index"), ("3/3", "3.index")] {
        let mut arguments = to(name);
        arguments.extend(["--shard", shard]);
        album.succeeds(&arguments);
        merge.push(name);
    }
    assert_eq!(album.ids("2.index"), numbers(64..128));
    // More shards than lines are dealt to: an index without pictures, which can be merged too.
    let mut arguments = to("4.index");
    arguments.extend(["--shard", "50/50"]);
    album.succeeds(&arguments);
    assert!(album.open("4.index").is_empty());
    merge.push("4.index");
    let said = album.succeeds(&merge);
    assert!(said.contains("4 indexes merged, 200 pictures"), "{said}");
    let expected = (0..64).chain(192..200).chain(64..192);
    assert_eq!(album.ids("merged.index"), numbers(expected));

    // What is found is as near as in an index that was built at once.
    album.succeeds(&to("whole.index"));
    let (whole, merged) = (album.open("whole.index"), album.open("merged.index"));
    assert_eq!(whole.clip_identity(), merged.clip_identity());
    for seed in 0..8 {
        let query: Vec<f32> = (0..DIM).map(|at| ((at * 7 + seed) as f32).sin()).collect();
        let (a, b) = (
            whole.retrieve(&query, 10, true).unwrap(),
            merged.retrieve(&query, 10, true).unwrap(),
        );
        assert_eq!((a.len(), b.len()), (10, 10));
        for (a, b) in a.iter().zip(&b) {
            assert!((a.score - b.score).abs() < 0.01, "{} {}", a.score, b.score);
        }
    }
}

#[test]
fn a_merge_removes_what_a_killed_one_left_and_keeps_features() {
    let album = Album::new(2);
    album.succeeds(&to("a.index"));
    let work = album.at("all.index.building");
    fs::create_dir(&work).unwrap();
    for name in [".morelet-abc.tmp", "features"] {
        fs::write(work.join(name), "left").unwrap();
    }
    album.succeeds(&["merge", "a.index", "-o", "all.index"]);
    assert_eq!(album.ids("all.index"), numbers(0..2));
    let mut left: Vec<_> = fs::read_dir(&work)
        .unwrap()
        .map(|entry| entry.unwrap().file_name())
        .collect();
    left.sort();
    assert_eq!(left, ["features", "lock"]);
}

#[test]
fn later_pictures_take_the_place_of_earlier_ones_only_where_asked() {
    let album = Album::new(6);
    album.succeeds(&to("all.index"));
    album.list(&[line(2).replace("Title", "New"), line(9).replace("p9", "p3")]);
    album.succeeds(&to("month.index"));
    album.succeeds(&["merge", "all.index", "month.index", "-o", "both.index"]);
    assert_eq!(album.ids("both.index"), numbers([0, 1, 2, 3, 4, 5, 2, 9]));
    album.succeeds(&[
        "merge",
        "--replace",
        "all.index",
        "month.index",
        "-o",
        "all.index",
    ]);
    assert_eq!(album.ids("all.index"), numbers([0, 1, 3, 4, 5, 2, 9]));
    let index = album.open("all.index");
    assert_eq!(index.value(ImageId(5)).unwrap().title, "New 2");
}

#[test]
fn pictures_are_added_to_an_index_which_may_be_the_target() {
    let album = Album::new(8);
    album.list(&[line(0), line(1), line(2), line(3)]);
    album.succeeds(&with(&["--vectors", "f16"]));
    // One is bad: the one that is there already stays.
    album.list(&[
        line(5),
        line(1).replace("Title", "New"),
        line(2).replace("p2.png", "missing.png"),
        line(6),
    ]);
    album.fails(&with(&["--add-to", "image.index"]));
    assert_eq!(album.ids("image.index"), numbers(0..4));
    let said = album.succeeds(&with(&["--add-to", "image.index", "--skip-bad"]));
    assert!(said.contains("has 3 pictures"), "{said}");
    assert_eq!(album.ids("image.index"), numbers([0, 2, 3, 5, 1, 6]));
    let index = album.open("image.index");
    assert_eq!(index.vectors(), Vectors::F16);
    assert_eq!(index.value(ImageId(4)).unwrap().title, "New 1");
}

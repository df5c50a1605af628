//! Building, going on, and merging: whatever way an index comes about, its bytes are the same.

use std::fs;
use std::path::Path;

use morelet_mapped::{Container, Kind, OpenOptions, Verify};
use tempfile::tempdir;

use super::*;
use crate::text::{Analyzer, TextIndex};
use crate::{ErrorKind, ParagraphId};

/// Articles of words by Zipf's law, with links, other scripts and paragraphs that hold nothing.
fn articles(count: usize) -> Vec<Article> {
    let mut state = 88_172_645_463_325_252u64;
    let mut random = move |below: u64| {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        state % below
    };
    let article = |id: usize| {
        let mut paragraphs = Vec::new();
        for _ in 0..random(6) {
            let mut text = String::new();
            for _ in 0..random(200) {
                let rank = 1u64 << random(14);
                match random(30) {
                    0 => text.push_str(". And Then "),
                    1 => text.push_str(" <e: A_Title> naïve 我們 </e> "),
                    _ => text.push_str(&format!("w{} ", rank + random(rank))),
                }
            }
            paragraphs.push(match random(3) {
                0 => ParagraphText::Sentences(vec![text, " ".into(), "Ende.".into()]),
                _ => ParagraphText::Text(text),
            });
        }
        Article {
            id: id.to_string(),
            title: format!("Article {id}"),
            paragraphs,
        }
    };
    (0..count).map(article).collect()
}

fn options(threads: usize, memory: u64) -> TextOptions {
    TextOptions {
        threads,
        memory,
        ..TextOptions::default()
    }
}

fn build(path: &Path, options: TextOptions, articles: &[Article], batch: usize) {
    let mut builder = TextIndexBuilder::create(path, options).unwrap();
    for batch in articles.chunks(batch) {
        let batch = batch.to_vec();
        builder
            .add_batch(1 << 16, Vec::new(), move || Ok(batch))
            .unwrap();
    }
    builder.finish(&mut |_, _| {}).unwrap();
}

fn open(path: &Path) -> TextIndex {
    let options = OpenOptions {
        verify: Verify::Full,
        ..OpenOptions::default()
    };
    TextIndex::open(path, options).unwrap()
}

/// The sections of a file by name, but for the values: with their hashes.
fn sections(path: &Path) -> Vec<(String, u64, String)> {
    let container = Container::open(path, Kind::TextIndex, OpenOptions::default()).unwrap();
    let sections = container.sections().iter();
    let mut sections: Vec<_> = sections
        .filter(|section| !section.name.starts_with("values"))
        .map(|section| (section.name.clone(), section.len, section.hash.to_string()))
        .collect();
    sections.sort();
    sections
}

#[test]
fn the_bytes_do_not_depend_on_threads_memory_or_batches() {
    let folder = tempdir().unwrap();
    let path = folder.path().join("text.index");
    let articles = articles(1500);
    build(&path, options(1, 1 << 30), &articles, 10_000);
    let expected = fs::read(&path).unwrap();
    assert!(open(&path).len() > 5000);
    for (threads, memory, batch) in [(1, 0, 1), (2, 0, 7), (4, 64 << 20, 100), (3, 1 << 30, 1)] {
        build(&path, options(threads, memory), &articles, batch);
        let same = fs::read(&path).unwrap() == expected;
        assert!(
            same,
            "{threads} threads, {memory} bytes, batches of {batch}"
        );
    }
    assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1);
}

#[test]
fn a_sentence_of_a_million_words_is_cut_into_runs_and_counted_whole() {
    let folder = tempdir().unwrap();
    let path = folder.path().join("text.index");
    let long = "a b a c ".repeat(1 << 18);
    let unique: String = (0..200_000).map(|n| format!("u{n} ")).collect();
    let article = Article {
        id: "1".into(),
        title: "Long".into(),
        paragraphs: vec![
            ParagraphText::Text(long),
            ParagraphText::Text(unique),
            ParagraphText::Text("a".into()),
        ],
    };
    let mut bytes = Vec::new();
    for memory in [1 << 30, 0] {
        build(&path, options(1, memory), std::slice::from_ref(&article), 1);
        bytes.push(fs::read(&path).unwrap());
    }
    assert!(bytes[0] == bytes[1]);
    let index = open(&path);
    assert_eq!((index.len(), index.terms()), (3, 200_003));
    // tf 2¹⁹ of 2²⁰, which a sentence of one word does not come near.
    let hits = index.search("b", 10).unwrap();
    assert_eq!(hits.len(), 1);
    assert_eq!(index.search("u199999", 10).unwrap()[0].sentence.0, 1);
}

/// Adds `articles` from the builder's mark on, in batches of 10, and stops before batch `until`.
fn go_on(builder: &mut TextIndexBuilder, articles: &[Article], until: usize) {
    let done = builder.mark().map_or(0, |mark| usize::from(mark[0]));
    assert_eq!(builder.done() as usize, done * 10);
    for (number, batch) in articles.chunks(10).enumerate().take(until).skip(done) {
        let batch = batch.to_vec();
        let mark = vec![number as u8 + 1];
        builder.add_batch(1000, mark, move || Ok(batch)).unwrap();
    }
}

#[test]
fn a_build_goes_on_from_its_last_checkpoint_with_the_same_bytes() {
    let folder = tempdir().unwrap();
    let path = folder.path().join("text.index");
    let articles = articles(500);
    build(&path, options(1, 1 << 30), &articles, 10_000);
    let expected = fs::read(&path).unwrap();
    fs::write(&path, "the old one").unwrap();
    let resume = |threads| TextIndexBuilder::resume(&path, options(threads, 1 << 24), "all");
    for (threads, until) in [(2, 9), (1, 10), (3, 30), (2, 30)] {
        let mut builder = resume(threads).unwrap();
        go_on(&mut builder, &articles, until);
        if until == 10 {
            // Another process may not come between.
            assert_eq!(resume(1).map(drop).unwrap_err().kind(), ErrorKind::Busy);
        }
        builder.settle().unwrap();
        assert!(builder.checkpoint().unwrap());
        drop(builder);
        assert_eq!(fs::read(&path).unwrap(), b"the old one");
    }
    // What was written behind the checkpoint, and what a merge left, does not count.
    let building = folder.path().join("text.index.building");
    for file in FILES {
        let mut bytes = fs::read(building.join(file)).unwrap();
        bytes.extend_from_slice(b"junk");
        fs::write(building.join(file), bytes).unwrap();
    }
    fs::write(building.join("terms"), b"junk").unwrap();
    let mut builder = resume(2).unwrap();
    assert_eq!(builder.done(), 300);
    go_on(&mut builder, &articles, 50);
    let mut calls = 0;
    let error = builder
        .finish_unless(&mut |_, _| {
            calls += 1;
            calls > 1
        })
        .unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Stopped);
    assert_eq!(fs::read(&path).unwrap(), b"the old one");
    let builder = resume(1).unwrap();
    assert_eq!(builder.done(), 500, "the merge begins anew");
    builder.finish(&mut |_, _| {}).unwrap();
    assert!(fs::read(&path).unwrap() == expected);
    assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1);
}

/// The dictionary is learned when 32 MiB of values have come: checkpoints before, while and after that.
#[test]
fn values_that_waited_for_their_dictionary_are_the_same_after_a_kill() {
    let folder = tempdir().unwrap();
    let path = folder.path().join("text.index");
    // Long words, so that there is little to analyse.
    let text = |paragraph: u64| -> String {
        let word = |place: u64| {
            let mixed = (paragraph * 1000 + place).wrapping_mul(0x9E37_79B9_7F4A_7C15);
            format!("{}{:x} ", "word".repeat(mixed as usize % 7), mixed >> 50)
        };
        (0..400).map(word).collect()
    };
    let articles: Vec<Article> = (0..700)
        .map(|id| Article {
            id: id.to_string(),
            title: String::new(),
            paragraphs: (0..10)
                .map(|number| ParagraphText::Sentences(vec![text(10 * id + number)]))
                .collect(),
        })
        .collect();
    let bytes: usize = articles.iter().map(Article::bytes).sum();
    assert!(bytes > 36 << 20, "{bytes}");
    build(&path, options(2, 1 << 30), &articles, 50);
    let expected = fs::read(&path).unwrap();
    let container = Container::open(&path, Kind::TextIndex, OpenOptions::default()).unwrap();
    let sections = container.sections().iter();
    let learned = sections.filter(|section| section.name == "values.dictionary");
    assert!(learned.map(|section| section.len).sum::<u64>() > 200 << 10);
    for until in [5, 45, 62, 65] {
        let mut builder = TextIndexBuilder::resume(&path, options(2, 1 << 26), "all").unwrap();
        go_on(&mut builder, &articles, until);
        builder.settle().unwrap();
        assert!(builder.checkpoint().unwrap());
    }
    let mut builder = TextIndexBuilder::resume(&path, options(1, 0), "all").unwrap();
    go_on(&mut builder, &articles, 70);
    builder.finish(&mut |_, _| {}).unwrap();
    assert!(fs::read(&path).unwrap() == expected);
}

#[test]
fn what_was_begun_otherwise_or_is_damaged_is_not_gone_on_with() {
    let folder = tempdir().unwrap();
    let path = folder.path().join("text.index");
    let building = folder.path().join("text.index.building");
    let resume = |options, source| TextIndexBuilder::resume(&path, options, source);
    let mut builder = resume(options(1, 0), "all").unwrap();
    go_on(&mut builder, &articles(100), 100);
    builder.settle().unwrap();
    assert!(builder.checkpoint().unwrap());
    drop(builder);

    let english = TextOptions {
        analyzer: Analyzer::English,
        ..options(1, 0)
    };
    let k1 = TextOptions {
        k1: 0.9,
        ..options(1, 0)
    };
    for (options, source, says) in [
        (english, "all", "analyzer (standard there, english here)"),
        (k1, "all", "k1 (1.2 there, 0.9 here)"),
        (options(1, 0), "some", "source (all there, some here)"),
    ] {
        let error = resume(options, source).map(drop).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Unfinished);
        assert!(error.to_string().contains(says), "{error}");
    }
    let merged = merge_text_indexes(&["a"], &path, &MergeOptions::default(), &mut |_, _| false);
    assert_eq!(merged.unwrap_err().kind(), ErrorKind::Unfinished);
    let checkpoint = building.join("checkpoint");
    let sound = fs::read(&checkpoint).unwrap();
    for at in (0..sound.len()).step_by(sound.len() / 50) {
        let mut bytes = sound.clone();
        bytes[at] ^= 4;
        fs::write(&checkpoint, bytes).unwrap();
        let error = resume(options(1, 0), "all").map(drop).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Unfinished, "{at}: {error}");
    }
    fs::write(&checkpoint, sound).unwrap();
    fs::write(building.join("runs"), "").unwrap();
    assert!(resume(options(1, 0), "all").is_err());
    assert!(checkpoint.exists(), "nothing was thrown away");
    let builder = TextIndexBuilder::restart(&path, options(1, 0), "some").unwrap();
    assert_eq!((builder.done(), builder.mark()), (0, None));
    drop(builder);
    assert!(!building.exists());
}

#[test]
fn a_batch_that_cannot_be_read_is_an_error_and_what_came_before_is_kept() {
    let folder = tempdir().unwrap();
    let path = folder.path().join("text.index");
    let mut builder = TextIndexBuilder::resume(&path, options(2, 1 << 24), "all").unwrap();
    let some = articles(30);
    go_on(&mut builder, &some, 2);
    let bad = builder.add_batch(10, vec![9], || Err("line 7".into()));
    let error = bad.and_then(|()| builder.settle()).unwrap_err();
    assert_eq!(
        (error.kind(), error.to_string().as_str()),
        (ErrorKind::Input, "line 7")
    );
    assert_eq!(builder.done(), 20);
    assert!(builder.checkpoint().unwrap());
    assert!(builder.finish(&mut |_, _| {}).is_err());
    let mut builder = TextIndexBuilder::resume(&path, options(2, 1 << 24), "all").unwrap();
    assert_eq!(builder.done(), 20);
    go_on(&mut builder, &some, 3);
    builder.finish(&mut |_, _| {}).unwrap();
    let built = fs::read(&path).unwrap();
    build(&path, options(1, 0), &some, 100);
    assert!(built == fs::read(&path).unwrap());
}

#[test]
fn without_values_sentences_are_found_all_the_same() {
    let folder = tempdir().unwrap();
    let (with, without) = (folder.path().join("with"), folder.path().join("without"));
    let articles = articles(300);
    build(&with, options(1, 0), &articles, 100);
    let options = TextOptions {
        values: false,
        ..options(2, 0)
    };
    build(&without, options, &articles, 100);
    assert_eq!(sections(&with), sections(&without));
    let (with, without) = (open(&with), open(&without));
    let query = "w1 w2 w3 naïve";
    assert_eq!(
        with.search(query, 20).unwrap(),
        without.search(query, 20).unwrap()
    );
    assert_eq!(without.paragraph(ParagraphId(3)).unwrap().text, "");
}

#[test]
fn indexes_of_parts_are_merged_into_the_index_of_the_whole() {
    let folder = tempdir().unwrap();
    let at = |name: &str| folder.path().join(name);
    let articles = articles(700);
    build(&at("whole"), options(1, 0), &articles, 10_000);
    let parts = [&articles[..1], &[], &articles[1..400], &articles[400..]];
    let paths = (0..).zip(parts).map(|(number, part)| {
        let path = at(&format!("part{number}"));
        build(&path, options(2, 0), part, 50);
        path
    });
    let paths: Vec<_> = paths.collect();
    for replace in [false, true] {
        let options = MergeOptions { replace };
        merge_text_indexes(&paths, at("merged"), &options, &mut |_, _| false).unwrap();
        assert_eq!(sections(&at("merged")), sections(&at("whole")));
        let (whole, merged) = (open(&at("whole")), open(&at("merged")));
        for paragraph in (0..whole.paragraphs()).map(ParagraphId) {
            assert_eq!(
                merged.paragraph(paragraph).unwrap(),
                whole.paragraph(paragraph).unwrap()
            );
        }
    }
    assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 6);
}

#[test]
fn articles_of_a_later_index_replace_those_of_earlier_ones() {
    let folder = tempdir().unwrap();
    let at = |name: &str| folder.path().join(name);
    let old = articles(400);
    // Of every third article there is a new text; some come twice, and some are new.
    let changed = |from: &[Article], by: &str| -> Vec<Article> {
        let changed = |article: &Article| Article {
            paragraphs: vec![ParagraphText::Text(format!(
                "{by} w1 of {}. W2.",
                article.id
            ))],
            ..article.clone()
        };
        from.iter().step_by(3).map(changed).collect()
    };
    let mut month = changed(&old[..300], "Once");
    month.push(Article {
        id: "new".into(),
        ..old[7].clone()
    });
    let later = changed(&old[100..], "Twice");
    build(&at("old"), options(1, 0), &old, 64);
    build(&at("month"), options(1, 0), &month, 64);
    build(&at("later"), options(1, 0), &later, 64);

    let has = |articles: &[Article], id: &str| articles.iter().any(|article| article.id == id);
    let mut expected: Vec<Article> = Vec::new();
    expected.extend(
        old.iter()
            .filter(|a| !has(&month, &a.id) && !has(&later, &a.id))
            .cloned(),
    );
    expected.extend(month.iter().filter(|a| !has(&later, &a.id)).cloned());
    expected.extend(later.iter().cloned());
    build(&at("expected"), options(1, 0), &expected, 64);

    let paths = [at("old"), at("month"), at("later")];
    let options = MergeOptions { replace: true };
    merge_text_indexes(&paths, at("merged"), &options, &mut |_, _| false).unwrap();
    assert_eq!(sections(&at("merged")), sections(&at("expected")));
    let (merged, expected) = (open(&at("merged")), open(&at("expected")));
    for paragraph in (0..expected.paragraphs()).map(ParagraphId) {
        assert_eq!(
            merged.paragraph(paragraph).unwrap(),
            expected.paragraph(paragraph).unwrap()
        );
    }
}

#[test]
fn what_cannot_be_merged_is_refused_and_the_target_stays() {
    let folder = tempdir().unwrap();
    let at = |name: &str| folder.path().join(name);
    let english = TextOptions {
        analyzer: Analyzer::English,
        ..options(1, 0)
    };
    build(&at("a"), options(1, 0), &articles(50), 64);
    build(&at("english"), english, &articles(50), 64);
    let mut bytes = fs::read(at("a")).unwrap();
    fs::write(at("merged"), "the old one").unwrap();
    let merge = |names: &[&str]| {
        let paths: Vec<_> = names.iter().map(|name| at(name)).collect();
        merge_text_indexes(
            &paths,
            at("merged"),
            &MergeOptions::default(),
            &mut |_, _| false,
        )
    };
    assert_eq!(merge(&[]).unwrap_err().kind(), ErrorKind::Input);
    let error = merge(&["a", "english"]).unwrap_err();
    assert!(
        error.to_string().contains("expected analyzer standard"),
        "{error}"
    );
    for at_byte in (4096..bytes.len()).step_by(bytes.len() / 40) {
        bytes[at_byte] ^= 1;
        fs::write(at("damaged"), &bytes).unwrap();
        assert!(merge(&["a", "damaged"]).is_err(), "{at_byte}");
        bytes[at_byte] ^= 1;
    }
    fs::write(at("damaged"), &bytes).unwrap();
    assert_eq!(fs::read(at("merged")).unwrap(), b"the old one");
    assert!(!at("merged.building").exists());
    // An index may be replaced by what it is merged into.
    let all = merge_text_indexes(
        &[at("a"), at("a")],
        at("a"),
        &MergeOptions::default(),
        &mut |_, _| false,
    );
    all.unwrap();
    assert_eq!(open(&at("a")).len(), 2 * open(&at("damaged")).len());
}

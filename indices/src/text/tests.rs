//! The text index as a whole. Its scores are compared with Lucene's in `indices/tests/lucene_search.rs`.

use std::io::{Seek, SeekFrom, Write};
use std::path::Path;

use morelet_mapped::{Container, Kind, OpenOptions, Verify, Writer};
use tempfile::tempdir;

use super::*;
use crate::Value;
use crate::error::Result;

fn article(id: &str, paragraphs: &[&str]) -> Article {
    Article {
        id: id.into(),
        title: format!("Title {id}"),
        paragraphs: paragraphs
            .iter()
            .map(|text| ParagraphText::Text((*text).into()))
            .collect(),
    }
}

fn build(path: &Path, options: TextOptions, articles: &[Article]) -> TextIndex {
    let mut builder = TextIndexBuilder::create(path, options).unwrap();
    for article in articles {
        builder.add(article).unwrap();
    }
    builder.finish(&mut |_, _| {}).unwrap();
    TextIndex::open(path, full()).unwrap()
}

fn full() -> OpenOptions {
    OpenOptions {
        verify: Verify::Full,
        ..OpenOptions::default()
    }
}

/// Words by Zipf's law, the same every time.
fn random_articles(count: usize) -> Vec<Article> {
    let mut state = 88_172_645_463_325_252u64;
    let mut random = move |below: u64| {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        state % below
    };
    (0..count)
        .map(|id| {
            let mut paragraphs = Vec::new();
            for _ in 0..random(5) {
                let sentences = (0..1 + random(6)).map(|_| {
                    let words = (0..1 + random(40)).map(|_| {
                        let rank = 1u64 << random(16);
                        format!("w{}", rank + random(rank))
                    });
                    words.collect::<Vec<_>>().join(" ")
                });
                paragraphs.push(ParagraphText::Sentences(sentences.collect()));
            }
            Article {
                id: id.to_string(),
                title: format!("Article {id}"),
                paragraphs,
            }
        })
        .collect()
}

/// BM25 without an index: all sentences, every score.
fn exhaustive(articles: &[Article], query: &str, k: usize) -> Vec<(u32, f32)> {
    let sentences: Vec<Vec<&str>> = articles
        .iter()
        .flat_map(|article| &article.paragraphs)
        .flat_map(|paragraph| match paragraph {
            ParagraphText::Sentences(sentences) => sentences,
            ParagraphText::Text(_) => unreachable!(),
        })
        .map(|sentence| sentence.split(' ').collect())
        .collect();
    let tokens = sentences.iter().map(|words| words.len() as u64).sum();
    let bm25 = bm25::Bm25::new(1.2, 0.75, sentences.len() as u64, tokens);
    let mut sums = vec![0.0; sentences.len()];
    for term in query.split(' ') {
        let tf = |words: &Vec<&str>| words.iter().filter(|word| **word == term).count() as u32;
        let df = sentences.iter().filter(|words| tf(words) > 0).count() as u64;
        let scores = bm25.term(bm25.weight(df, 1));
        for (sum, words) in sums.iter_mut().zip(&sentences) {
            if tf(words) > 0 {
                *sum += f64::from(scores.score(tf(words), lengths::encode(words.len() as u32)));
            }
        }
    }
    let mut scored: Vec<(u32, f32)> = (0..).zip(sums.iter().map(|sum| *sum as f32)).collect();
    scored.retain(|(_, score)| *score > 0.0);
    scored.sort_by(|a, b| b.1.total_cmp(&a.1).then(a.0.cmp(&b.0)));
    scored.truncate(k);
    scored
}

#[test]
fn the_best_are_the_best_of_all_across_blocks_and_windows() {
    let folder = tempdir().unwrap();
    let articles = random_articles(2500);
    let index = build(
        &folder.path().join("text.index"),
        TextOptions::default(),
        &articles,
    );
    assert!(index.len() > 12_000, "three windows: {}", index.len());
    for (query, k) in [
        ("w1", 10),
        ("w1 w2 w3 w5 w9 w17 w33 w1025", 10),
        ("w2 w40000", 3),
        ("w33000 w34567 w60001", 1000),
        ("w1 w2", 100_000),
        ("w777777", 10),
    ] {
        let found = index.search(query, k).unwrap();
        let found: Vec<(u32, f32)> = found
            .iter()
            .map(|hit| (hit.sentence.0, hit.score))
            .collect();
        assert_eq!(found, exhaustive(&articles, query, k), "{query}");
    }
    assert!(index.search("w1", 0).unwrap().is_empty());
    assert!(index.search("", 10).unwrap().is_empty());
    // Every sentence is of the paragraph that it was added with.
    let mut sentence = 0;
    let mut paragraph = 0;
    for article in &articles {
        for text in &article.paragraphs {
            let ParagraphText::Sentences(sentences) = text else {
                unreachable!()
            };
            let value = index.paragraph(ParagraphId(paragraph)).unwrap();
            assert_eq!(
                (value.id, value.text),
                (article.id.clone(), sentences.join(" "))
            );
            for _ in sentences {
                assert_eq!(
                    index.paragraph_of(SentenceId(sentence)).unwrap(),
                    ParagraphId(paragraph)
                );
                sentence += 1;
            }
            paragraph += 1;
        }
    }
    assert_eq!((index.len(), index.paragraphs()), (sentence, paragraph));
}

#[test]
fn the_bytes_do_not_depend_on_the_memory() {
    let folder = tempdir().unwrap();
    let articles = random_articles(6000);
    let bytes = [1 << 30, 4 << 20, 0].map(|memory| {
        let path = folder.path().join(format!("{memory}.index"));
        let options = TextOptions {
            memory,
            ..TextOptions::default()
        };
        build(&path, options, &articles);
        std::fs::read(path).unwrap()
    });
    assert!(bytes[0] == bytes[1] && bytes[0] == bytes[2]);
}

#[test]
fn nothing_is_left_behind_by_a_builder_that_is_dropped_or_done() {
    let folder = tempdir().unwrap();
    let path = folder.path().join("text.index");
    let files = || std::fs::read_dir(folder.path()).unwrap().count();
    let mut builder = TextIndexBuilder::create(&path, TextOptions::default()).unwrap();
    builder.add(&article("1", &["One sentence."])).unwrap();
    drop(builder);
    assert_eq!(files(), 0);
    build(&path, TextOptions::default(), &random_articles(10));
    assert_eq!(files(), 1);
}

#[test]
fn an_empty_corpus_and_sentences_without_terms_make_an_index() {
    let folder = tempdir().unwrap();
    let path = folder.path().join("text.index");
    let options = TextOptions {
        analyzer: Analyzer::English,
        ..TextOptions::default()
    };
    for articles in [&[][..], &[article("1", &["", "  \n "])]] {
        let index = build(&path, options.clone(), articles);
        assert_eq!((index.len(), index.paragraphs(), index.terms()), (0, 0, 0));
        assert!(index.retrieve("anything", 10, false).unwrap().is_empty());
        assert!(index.paragraph(ParagraphId(0)).is_err());
    }
    let index = build(&path, options, &[article("1", &["The. !!! 😀 Of the!"])]);
    assert_eq!((index.paragraphs(), index.terms()), (1, 1));
    assert_eq!(index.retrieve("😀", 10, false).unwrap().len(), 1);
    assert!(index.retrieve("the", 10, false).unwrap().is_empty());
}

#[test]
fn values_keep_their_anchors_and_keys_do_not_see_them() {
    let folder = tempdir().unwrap();
    let text = "<e: Enigma_machine> Enigma </e> was broken. <e: Alan_Turing> Turing </e> did it.";
    let index = build(
        &folder.path().join("text.index"),
        TextOptions::default(),
        &[article("1208", &[text])],
    );
    assert_eq!(index.len(), 2);
    let hits = index.retrieve("turing", 10, false).unwrap();
    assert_eq!((hits[0].key.as_str(), hits[0].id.as_str()), ("1", "1208"));
    assert_eq!(
        (hits[0].title.as_str(), hits[0].value.as_str()),
        ("Title 1208", text)
    );
    for hidden in ["e", "machine", "enigma_machine", "alan_turing"] {
        assert!(
            index.retrieve(hidden, 10, false).unwrap().is_empty(),
            "{hidden}"
        );
    }
}

#[test]
fn equal_values_are_given_once_unless_keys_are_asked_for() {
    let folder = tempdir().unwrap();
    let index = build(
        &folder.path().join("text.index"),
        TextOptions::default(),
        &[
            article(
                "1",
                &[
                    "Cats purr. Cats sleep. Cats eat and eat and eat.",
                    "Dogs bark.",
                ],
            ),
            article("2", &["Cats purr. Cats sleep. Cats eat and eat and eat."]),
            article("3", &["Some cats swim."]),
        ],
    );
    let keys = |joined: &[crate::Hit]| joined.iter().map(|hit| hit.key.clone()).collect::<Vec<_>>();
    let all = index.retrieve("cats", 10, true).unwrap();
    assert_eq!(keys(&all), ["0", "1", "4", "5", "7", "2", "6"]);
    let joined = index.retrieve("cats", 10, false).unwrap();
    assert_eq!(keys(&joined), ["0", "7"]);
    assert_eq!(
        joined.iter().map(|hit| hit.rank).collect::<Vec<_>>(),
        [1, 2]
    );
    assert_eq!(keys(&index.retrieve("cats", 4, false).unwrap()), ["0"]);
}

#[test]
fn a_paragraph_of_fifty_megabytes_and_a_million_one_letter_words_are_indexed() {
    let folder = tempdir().unwrap();
    let long = format!(
        "Start{} needle.{}",
        " hay".repeat(6 << 20),
        " Hay is hay.".repeat(2 << 20)
    );
    let letters = "a b ".repeat(500_000);
    assert!(long.len() > 50_000_000);
    let options = TextOptions {
        memory: 1 << 20,
        ..TextOptions::default()
    };
    let index = build(
        &folder.path().join("text.index"),
        options,
        &[article(
            "1",
            &["Before.", &long, &letters, "After a needle."],
        )],
    );
    assert_eq!((index.len(), index.paragraphs()), ((2 << 20) + 4, 4));
    let hits = index.retrieve("needle", 10, false).unwrap();
    assert_eq!(hits.len(), 2);
    assert_eq!(hits[0].value, "After a needle.");
    assert!(hits[1].value == long);
    assert!(index.retrieve("b", 10, false).unwrap()[0].value == letters.trim());
    assert_eq!(index.search("hay", 5).unwrap().len(), 5);
    assert_eq!(index.search(&letters, 5).unwrap().len(), 2);
}

#[test]
fn options_that_bm25_does_not_have_are_refused() {
    let folder = tempdir().unwrap();
    for (k1, b) in [
        (-1.0, 0.5),
        (f32::NAN, 0.5),
        (f32::INFINITY, 0.5),
        (1.2, -0.1),
        (1.2, 1.1),
        (1.2, f32::NAN),
    ] {
        let options = TextOptions {
            k1,
            b,
            ..TextOptions::default()
        };
        let error = TextIndexBuilder::create(folder.path().join("text.index"), options)
            .map(|_| ())
            .unwrap_err();
        assert_eq!(error.kind(), crate::ErrorKind::Input, "{k1} {b}");
    }
}

/// Everything that reading the index can be asked for.
fn answers(path: &Path, options: OpenOptions) -> Result<Vec<crate::Hit>> {
    let index = TextIndex::open(path, options)?;
    let mut hits = Vec::new();
    let mut failed = Ok(());
    for query in ["w1 w2 w3 w4", "w5 w9 w33 w40000", "w2 w17 w70 w131 w263"] {
        match index.retrieve(query, 5, true) {
            Ok(more) => hits.extend(more),
            Err(error) => failed = Err(error),
        }
    }
    for paragraph in [0, 7, index.paragraphs().wrapping_sub(1)] {
        match index.paragraph(ParagraphId(paragraph)) {
            Ok(Value { id, title, text }) => hits.push(crate::Hit {
                rank: 0,
                score: 0.0,
                key: paragraph.to_string(),
                id,
                title,
                value: text,
            }),
            Err(error) => failed = Err(error),
        }
    }
    failed.map(|()| hits)
}

#[test]
fn a_flip_or_a_cut_anywhere_gives_an_error_or_the_right_answer() {
    let folder = tempdir().unwrap();
    let path = folder.path().join("text.index");
    drop(build(&path, TextOptions::default(), &random_articles(12)));
    let sound = std::fs::read(&path).unwrap();
    let right = answers(&path, full()).unwrap();
    assert!(right.len() > 10);
    let used: Vec<_> = Container::open(&path, Kind::TextIndex, full())
        .unwrap()
        .sections()
        .iter()
        .map(|section| section.offset as usize..(section.offset + section.len) as usize)
        .collect();
    let is_used = |at: usize| at < 1024 || used.iter().any(|range| range.contains(&at));
    let put = |at: usize, byte: u8| {
        let mut file = std::fs::OpenOptions::new().write(true).open(&path).unwrap();
        file.seek(SeekFrom::Start(at as u64)).unwrap();
        file.write_all(&[byte]).unwrap();
    };
    let mut undetected = 0;
    // Of the zeros between sections, some.
    for at in (0..sound.len()).filter(|&at| is_used(at) || at % 64 == 0) {
        put(at, sound[at] ^ 1 << (at % 8));
        if let Ok(got) = answers(&path, full()) {
            assert_eq!(got, right, "byte {at}");
            undetected += 1;
        }
        // Without the hashes of bulk sections there may be another answer, but there is one.
        if let Ok(got) = answers(&path, OpenOptions::default()) {
            assert!(got.len() <= right.len());
        }
        put(at, sound[at]);
    }
    assert_eq!(answers(&path, full()).unwrap(), right);
    // The zeros between sections are checked too, or belong to nothing.
    assert!(undetected < 100, "{undetected}");
    for len in (0..sound.len()).step_by(61) {
        std::fs::write(&path, &sound[..len]).unwrap();
        assert!(
            answers(&path, OpenOptions::default()).is_err(),
            "{len} bytes"
        );
    }
}

/// A file whose hashes are right and whose bytes were chosen to do harm.
#[test]
fn a_crafted_file_gives_an_error_or_an_answer() {
    let folder = tempdir().unwrap();
    let (path, crafted) = (
        folder.path().join("text.index"),
        folder.path().join("crafted.index"),
    );
    drop(build(&path, TextOptions::default(), &random_articles(60)));
    let container = Container::open(&path, Kind::TextIndex, full()).unwrap();
    let mut state = 7u64;
    let mut random = move || {
        state = state
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        (state >> 33) as usize
    };
    let (mut refused, mut answered) = (0, 0);
    for section in container.sections() {
        for round in 0..120 {
            let mut writer = Writer::create(&crafted, Kind::TextIndex).unwrap();
            for other in container.sections() {
                let mut bytes = container.section(&other.name, 0..=9).unwrap().to_vec();
                if other.name == section.name {
                    match round % 4 {
                        0 => bytes.truncate(random() % (bytes.len() + 1)),
                        1 => bytes.extend((0..random() % 20).map(|_| 0xff)),
                        _ => {
                            for _ in 0..1 + random() % 4 {
                                let at = random() % bytes.len().max(1);
                                if let Some(byte) = bytes.get_mut(at) {
                                    *byte = [0, 0xff, 0x80, random() as u8][random() % 4];
                                }
                            }
                        }
                    }
                }
                let mut out = writer
                    .section(&other.name, other.revision, other.bulk)
                    .unwrap();
                out.put(&bytes).unwrap();
                out.finish().unwrap();
            }
            writer.finish().unwrap();
            match answers(&crafted, full()) {
                Ok(_) => answered += 1,
                Err(_) => refused += 1,
            }
        }
    }
    assert!(
        refused > 400 && answered > 50,
        "{refused} refused, {answered} answered"
    );
}

#[test]
fn an_index_is_shared_between_threads() {
    let folder = tempdir().unwrap();
    let articles = random_articles(300);
    let index = build(
        &folder.path().join("text.index"),
        TextOptions::default(),
        &articles,
    );
    let expected = index.retrieve("w1 w2 w3", 10, true).unwrap();
    std::thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| {
                for _ in 0..20 {
                    assert_eq!(index.retrieve("w1 w2 w3", 10, true).unwrap(), expected);
                }
            });
        }
    });
}

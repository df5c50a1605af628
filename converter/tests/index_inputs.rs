//! The commands `text-index` and `image-index`: what they take, and what they say of bad lines.

use clap::Parser as _;
use morelet_convert::{Cli, Console, ErrorKind, Result, run};
use morelet_indices::{Analyzer, TextIndex};
use morelet_mapped::OpenOptions;
use std::fs;
use std::io::Write as _;
use std::path::Path;

fn text_index(folder: &Path, arguments: &[&str]) -> Result<()> {
    let output = folder.join("text.index");
    let mut line = vec![
        "morelet-convert".to_owned(),
        "text-index".to_owned(),
        "-o".to_owned(),
        output.display().to_string(),
    ];
    line.extend(
        arguments
            .iter()
            .map(|argument| argument.replace('@', &format!("{}/", folder.display()))),
    );
    run(
        &Cli::try_parse_from(line).unwrap().command,
        &Console::quiet(),
    )
}

const CORPUS: &str = "{\"id\": \"7\", \"title\": \"Alan Turing\", \"paragraphs\": [\"He was born in <e: London> London </e>. He ran.\", [\"One.\", \"Two.\"]], \"url\": 1}\n\n\
    {\"id\": 8, \"title\": \"Empty\", \"paragraphs\": []}\n";

#[test]
fn text_index_reads_texts_and_lists_of_sentences() {
    let folder = tempfile::tempdir().unwrap();
    let mut bzip2 = bzip2::write::BzEncoder::new(Vec::new(), bzip2::Compression::fast());
    bzip2.write_all(CORPUS.as_bytes()).unwrap();
    fs::write(folder.path().join("a.jsonl"), CORPUS).unwrap();
    fs::write(folder.path().join("a.jsonl.bz2"), bzip2.finish().unwrap()).unwrap();
    fs::write(
        folder.path().join("a.jsonl.zst"),
        zstd::encode_all(CORPUS.as_bytes(), 1).unwrap(),
    )
    .unwrap();
    text_index(
        folder.path(),
        &[
            "@a.jsonl",
            "@a.jsonl.bz2",
            "@a.jsonl.zst",
            "--analyzer",
            "english",
            "--k1",
            "0.9",
            "--b",
            "0.4",
            "--memory",
            "1M",
        ],
    )
    .unwrap();
    let index = TextIndex::open(folder.path().join("text.index"), OpenOptions::default()).unwrap();
    assert_eq!((index.len(), index.paragraphs()), (12, 6));
    assert_eq!(
        (index.analyzer(), index.k1(), index.b()),
        (Analyzer::English, 0.9, 0.4)
    );
    let hits = index.retrieve("running in London", 10, false).unwrap();
    assert_eq!(
        (hits[0].id.as_str(), hits[0].title.as_str()),
        ("7", "Alan Turing")
    );
    assert_eq!(
        hits[0].value,
        "He was born in <e: London> London </e>. He ran."
    );
}

#[test]
fn text_index_does_not_write_over_its_corpus_or_a_folder() {
    let folder = tempfile::tempdir().unwrap();
    let corpus = folder.path().join("text.index");
    fs::write(&corpus, CORPUS).unwrap();
    let error = text_index(folder.path(), &["@text.index"]).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Input);
    assert!(error.to_string().contains("is the corpus"), "{error}");
    assert_eq!(fs::read_to_string(&corpus).unwrap(), CORPUS);
    fs::rename(&corpus, folder.path().join("c.jsonl")).unwrap();
    fs::create_dir(&corpus).unwrap();
    let error = text_index(folder.path(), &["@c.jsonl"]).unwrap_err();
    assert!(error.to_string().contains("is a folder"), "{error}");
    assert_eq!(
        fs::read_dir(folder.path()).unwrap().count(),
        2,
        "nothing else"
    );
}

#[test]
fn text_index_names_the_line_that_is_bad() {
    let folder = tempfile::tempdir().unwrap();
    let cases: [(&[u8], &str); 7] = [
        (b"{\"id\": \"1\"", "EOF"),
        (b"[1]", "an object with"),
        (b"{\"id\": \"1\", \"title\": \"x\"}", "paragraphs"),
        (
            b"{\"id\": [], \"title\": \"x\", \"paragraphs\": []}",
            "`id`",
        ),
        (
            b"{\"id\": \"1\", \"title\": \"x\", \"paragraphs\": [3]}",
            "list of sentences",
        ),
        (
            b"{\"id\": \"1\", \"title\": \"x\", \"paragraphs\": \"p\"}",
            "sequence",
        ),
        (
            b"{\"id\": \"1\", \"title\": \"\xff\", \"paragraphs\": []}",
            "UTF-8",
        ),
    ];
    for (bad, says) in cases {
        fs::write(
            folder.path().join("a.jsonl"),
            [CORPUS.as_bytes(), bad, b"\n"].concat(),
        )
        .unwrap();
        let error = text_index(folder.path(), &["@a.jsonl"]).unwrap_err();
        let text = error.chain();
        assert_eq!(error.kind(), ErrorKind::Input, "{text}");
        assert!(
            text.contains("a.jsonl:4") && text.contains(says),
            "{says}: {text}"
        );
        assert!(!text.contains("line 1"), "{text}");
        assert_eq!(
            fs::read_dir(folder.path()).unwrap().count(),
            1,
            "nothing is left"
        );
    }
    let cases = [
        ("", &["@a.jsonl"][..], 1),
        (CORPUS, &["@b.jsonl"], 1),
        (CORPUS, &["@a.jsonl", "--k1=-1"], 2),
        (CORPUS, &["@a.jsonl", "--b", "2"], 2),
    ];
    for (content, arguments, code) in cases {
        fs::write(folder.path().join("a.jsonl"), content).unwrap();
        let error = text_index(folder.path(), arguments).unwrap_err();
        assert_eq!(error.exit_code(), code, "{arguments:?}: {error}");
    }
}

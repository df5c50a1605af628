//! The command `corpus` on a small dump with most of what wikitext has, and on damaged ones.

use clap::Parser as _;
use morelet_convert::{Cli, Console, ErrorKind, Result, run};
use std::fs;
use std::io::Write as _;
use std::path::Path;

const DUMP: &[u8] = include_bytes!("data/corpus/dump.xml");

fn corpus(dump: &Path, output: &Path) -> Result<()> {
    let arguments = [
        "morelet-convert".as_ref(),
        "corpus".as_ref(),
        dump.as_os_str(),
        "-o".as_ref(),
        output.as_os_str(),
    ];
    run(&Cli::parse_from(arguments).command, &Console::quiet())
}

fn golden(name: &str) -> String {
    let path = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("tests/data/corpus")
        .join(name);
    fs::read_to_string(path).unwrap()
}

fn bzip2(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = bzip2::write::BzEncoder::new(Vec::new(), bzip2::Compression::fast());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

#[test]
fn corpus_writes_what_a_reader_of_the_wiki_sees() {
    let folder = tempfile::tempdir().unwrap();
    // As dumps are published: several bzip2 streams, one after the other.
    let (head, tail) = DUMP.split_at(DUMP.len() / 3);
    let compressed = [bzip2(head), bzip2(tail)].concat();
    for (name, bytes) in [("dump.xml", DUMP), ("dump.xml.bz2", &compressed)] {
        let dump = folder.path().join(name);
        fs::write(&dump, bytes).unwrap();
        let output = folder.path().join("new").join(name);
        corpus(&dump, &output).unwrap();
        for file in ["corpus.jsonl", "images.jsonl"] {
            let got = fs::read_to_string(output.join(file)).unwrap();
            assert_eq!(got, golden(file), "{file} of {name}");
        }
        assert_eq!(
            fs::read_dir(&output).unwrap().count(),
            2,
            "nothing else is left"
        );
    }
}

#[test]
fn corpus_leaves_the_old_files_when_a_dump_is_cut_short() {
    let folder = tempfile::tempdir().unwrap();
    let compressed = bzip2(DUMP);
    let cases = [
        ("a.xml", &DUMP[..DUMP.len() / 2], "Harrow Lighthouse"),
        (
            "b.xml.bz2",
            &compressed[..compressed.len() / 2],
            "b.xml.bz2",
        ),
        (
            "c.xml",
            &b"<html><body>Not found</body></html>"[..],
            "<html>",
        ),
    ];
    for (name, bytes, says) in cases {
        let dump = folder.path().join(name);
        fs::write(&dump, bytes).unwrap();
        fs::write(folder.path().join("corpus.jsonl"), "old").unwrap();
        let error = corpus(&dump, folder.path()).unwrap_err();
        assert_eq!(
            (error.kind(), error.exit_code()),
            (ErrorKind::Input, 1),
            "{error}"
        );
        assert!(
            error.to_string().contains(says) && error.to_string().contains(name),
            "{error}"
        );
        assert_eq!(
            fs::read_to_string(folder.path().join("corpus.jsonl")).unwrap(),
            "old"
        );
        assert!(!folder.path().join("images.jsonl").exists());
    }
    assert_eq!(
        fs::read_dir(folder.path()).unwrap().count(),
        cases.len() + 1,
        "nothing else is left"
    );
}

#[test]
fn corpus_says_which_file_is_missing() {
    let folder = tempfile::tempdir().unwrap();
    let error = corpus(Path::new("no-such-dump.xml"), folder.path()).unwrap_err();
    assert_eq!(error.exit_code(), 1);
    assert!(error.to_string().contains("no-such-dump.xml"), "{error}");
}

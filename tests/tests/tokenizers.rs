//! The compiled tokenizer against the crate `tokenizers`, on real text: that of the golden tests, and, where they
//! are at hand, the vocabulary of XLM-R itself and the paper's data, collections of retrieval and Wikipedia. These
//! are not ours to ship, so they lie beside the repository or nowhere.
//!
//! Two megabytes of each file are compared; with `MORELET_TOKENIZERS=all` everything, 400 MB of Wikipedia above
//! all, in some minutes.

use morelet_models::{CompiledTokenizer, Tokenizer};
use morelet_tests::{golden, read_json};
use serde_json::Value;
use std::fs::File;
use std::io::{BufRead, BufReader, Read};
use std::path::{Path, PathBuf};
use std::sync::LazyLock;

/// How much of a source is compared, in bytes of lines.
const PART: usize = 2 << 20;

fn shared(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("../../shared/data")
        .join(name)
}

/// Both tokenizers of a file, the compiled one after its own comparison of all pieces; `None`, with a line on
/// standard error, where there is no such file.
fn both(path: &Path) -> Option<(Tokenizer, Tokenizer)> {
    let Ok(json) = std::fs::read(path) else {
        eprintln!("SKIPPED: no tokenizer at {}", path.display());
        return None;
    };
    let reference = Tokenizer::new(&json).expect("a tokenizer");
    let compiled = CompiledTokenizer::new(&json, &reference).expect("one that can be compiled");
    let compiled = compiled.tokenizer();
    assert!(compiled.is_compiled());
    assert_eq!(compiled.vocabulary(), reference.vocabulary());
    Some((reference, compiled))
}

/// What was compared.
#[derive(Debug, Default)]
struct Compared {
    texts: usize,
    bytes: usize,
    ids: usize,
}

impl Compared {
    #[track_caller]
    fn text(&mut self, (reference, compiled): &(Tokenizer, Tokenizer), text: &str) {
        let expected = reference
            .encode(text)
            .expect("the library takes every text");
        let got = compiled.encode(text).expect("an undamaged tokenizer");
        assert_eq!(got, expected, "{text:?}");
        self.texts += 1;
        self.bytes += text.len();
        self.ids += got.len();
    }
}

/// The lines of a source, up to `PART` bytes unless all are wanted.
fn lines(source: impl Read) -> impl Iterator<Item = String> {
    let all = std::env::var_os("MORELET_TOKENIZERS").is_some_and(|value| value == "all");
    let mut left = if all { usize::MAX } else { PART };
    let lines = BufReader::new(source).split(b'\n');
    lines.map_while(move |line| {
        let line = line.expect("a readable file");
        left = left.checked_sub(line.len())?;
        Some(String::from_utf8_lossy(&line).into_owned())
    })
}

/// A file of the data beside the repository, or `None` with a line on standard error.
fn open(name: &str) -> Option<File> {
    let path = shared(name);
    let file = File::open(&path).ok();
    if file.is_none() {
        eprintln!("SKIPPED: no data at {}", path.display());
    }
    file
}

/// Both tokenizers of XLM-R. Reading one and compiling the other takes seconds, so it is done once.
fn xlmr() -> Option<&'static (Tokenizer, Tokenizer)> {
    static XLMR: LazyLock<Option<(Tokenizer, Tokenizer)>> =
        LazyLock::new(|| both(&shared("tokenizers/xlm-roberta/tokenizer.json")));
    XLMR.as_ref()
}

#[test]
fn golden_texts_have_the_same_ids() {
    let texts = read_json(golden("texts.json"));
    let texts = texts.as_array().expect("a list").iter();
    let texts: Vec<&str> = texts
        .map(|text| text["text"].as_str().expect("a text"))
        .collect();
    assert!(texts.len() > 3);
    for name in ["xlmr", "xlmr-markers"] {
        let path = golden("tokenizers").join(name).join("tokenizer.json");
        let both = both(&path).expect("a golden file");
        let mut compared = Compared::default();
        for text in &texts {
            compared.text(&both, text);
            text.split_whitespace()
                .for_each(|word| compared.text(&both, word));
        }
    }
}

#[test]
fn the_vocabulary_of_xlmr_is_the_one_that_is_known() {
    let Some((_, compiled)) = xlmr() else { return };
    // `shared/data/SOURCES.md`, and XLM-R as `transformers` has it.
    assert_eq!(
        compiled.encode("This is a test").unwrap(),
        [3293, 83, 10, 3034]
    );
    assert_eq!(compiled.vocabulary(), 250_002);
}

#[test]
fn tweets_have_the_same_ids() {
    let Some(xlmr) = xlmr() else { return };
    let cut = ["ner2017", "mnre"]
        .map(|name| both(&shared("checkpoints").join(name).join("tokenizer.json")));
    let mut compared = Compared::default();
    for year in ["twitter2015", "twitter2017"] {
        for part in ["train", "valid", "test"] {
            let Some(file) = open(&format!("mner/{year}/{part}.txt")) else {
                return;
            };
            let mut sentence = Vec::new();
            for line in lines(file) {
                match line.rsplit_once('\t') {
                    Some((word, _)) => {
                        compared.text(xlmr, word);
                        sentence.push(word.to_owned());
                    }
                    None => {
                        let text = std::mem::take(&mut sentence).join(" ");
                        compared.text(xlmr, &text);
                        cut.iter()
                            .flatten()
                            .for_each(|cut| compared.text(cut, &text));
                    }
                }
            }
        }
    }
    for part in ["train", "val", "test"] {
        let Some(file) = open(&format!("mnre/mnre_{part}.txt")) else {
            return;
        };
        for line in lines(file) {
            compared.text(xlmr, &line);
            cut.iter()
                .flatten()
                .for_each(|cut| compared.text(cut, &line));
        }
    }
    eprintln!("{compared:?}");
    assert!(compared.texts > 100_000, "{compared:?}");
}

#[test]
fn collections_of_retrieval_have_the_same_ids() {
    let Some(xlmr) = xlmr() else { return };
    let mut compared = Compared::default();
    let cranfield = ["cran.all.1400", "cran.qry"].map(|name| format!("ir/cranfield/{name}"));
    let vaswani =
        ["corpus/doc-text.trec", "query-text.trec"].map(|name| format!("ir/vaswani_npl/{name}"));
    for name in cranfield.iter().chain(&vaswani) {
        let Some(file) = open(name) else { return };
        lines(file).for_each(|line| compared.text(xlmr, &line));
    }
    eprintln!("{compared:?}");
}

#[test]
fn wikipedia_has_the_same_ids() {
    let Some(xlmr) = xlmr() else { return };
    let mut compared = Compared::default();
    let Some(file) = open("wiki/enwiki-2015-29k.jsonl.zst") else {
        return;
    };
    for line in lines(zstd::Decoder::new(file).expect("a zstd file")) {
        let article: Value = serde_json::from_str(&line).expect("JSON");
        compared.text(xlmr, article["title"].as_str().expect("a title"));
        for paragraph in article["paragraphs"].as_array().expect("paragraphs") {
            compared.text(xlmr, paragraph.as_str().expect("a text"));
        }
    }
    // Markup of all kinds, and links into many other languages.
    let Some(file) = open("wiki/enwiki-pages-articles1-shortened.xml.bz2") else {
        return;
    };
    for line in lines(bzip2::read::MultiBzDecoder::new(file)) {
        compared.text(xlmr, &line);
    }
    eprintln!("{compared:?}");
}

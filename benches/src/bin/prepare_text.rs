//! Writes texts as lines of terms, for all engines to read the same (see the crate's documentation).
//!
//! ```text
//! prepare_text corpus CORPUS.jsonl[.zst] OUT.lines     every sentence of the corpus
//! prepare_text queries TEST-SET OUT.lines              every sentence of a test set, CoNLL or MNRE
//! ```
//!
//! A corpus has a JSON object a line with `paragraphs`, which are split as the text index splits them. Sentences without
//! a term cannot be found by anything and are left out, as engines disagree on whether they count. `-` as output is
//! standard output. Anchors are not known here: the corpus must be without link markup.

use std::fs::File;
use std::io::{BufWriter, Write};

use morelet_benches::{Result, TestSet, open, terms_of};
use morelet_indices::sentences;
use serde_json::Value;

const USAGE: &str = "usage: prepare_text corpus CORPUS.jsonl[.zst] OUT | queries TEST-SET OUT";

fn main() -> Result<()> {
    let args: Vec<String> = std::env::args().skip(1).collect();
    let [what, input, output] = args.as_slice() else {
        return Err(USAGE.into());
    };
    let mut out: BufWriter<Box<dyn Write>> = BufWriter::new(match output.as_str() {
        "-" => Box::new(std::io::stdout()),
        path => Box::new(File::create(path)?),
    });
    match what.as_str() {
        "corpus" => corpus(input, &mut out)?,
        "queries" => queries(input, &mut out)?,
        _ => return Err(USAGE.into()),
    }
    out.flush()?;
    Ok(())
}

fn corpus(input: &str, out: &mut impl Write) -> Result<()> {
    let (mut articles, mut kept, mut empty, mut terms) = (0u64, 0u64, 0u64, 0u64);
    let mut lines = open(input)?;
    let mut line = String::new();
    while let Some(json) = lines.next()? {
        let article: Value = serde_json::from_str(json)?;
        let paragraphs = article["paragraphs"].as_array().ok_or("no `paragraphs`")?;
        for paragraph in paragraphs {
            let mut sentence = |text: &str| -> Result<()> {
                terms_of(text, &mut line);
                if line.is_empty() {
                    empty += 1;
                    return Ok(());
                }
                kept += 1;
                terms += line.split(' ').count() as u64;
                Ok(writeln!(out, "{line}")?)
            };
            match paragraph {
                Value::String(text) => sentences::split(text).try_for_each(&mut sentence)?,
                Value::Array(list) => list
                    .iter()
                    .filter_map(Value::as_str)
                    .try_for_each(&mut sentence)?,
                _ => return Err("a paragraph that is neither text nor a list".into()),
            }
        }
        writeln!(out)?;
        articles += 1;
    }
    eprintln!(
        "{articles} articles, {kept} sentences with {terms} terms; {empty} sentences without a term left out"
    );
    Ok(())
}

fn queries(input: &str, out: &mut impl Write) -> Result<()> {
    let (mut sentences, mut terms) = (0u64, 0u64);
    let mut set = TestSet::open(input)?;
    let mut line = String::new();
    while let Some(sentence) = set.next_sentence()? {
        terms_of(&sentence, &mut line);
        sentences += 1;
        terms += line.split_terminator(' ').count() as u64;
        writeln!(out, "{line}")?;
    }
    eprintln!("{sentences} queries with {terms} terms");
    Ok(())
}

//! The paper's own sentences, without their pictures: Twitter-2015 and Twitter-2017 (entities) and MNRE (relations).

use super::jobs::Jobs;
use super::sets::Set;
use crate::{Error, Result};
use morelet::{Gold, Lines, Queries, RETRIEVED_KEYS, Sentence};
use morelet_indices::TextIndex;
use morelet_mapped::{OpenOptions, write_file_atomically};
use morelet_models::weights::ModelKind;
use serde::Deserialize;
use serde_json::{Value, json};
use std::path::{Path, PathBuf};

/// Options of `train task` on real sentences.
const TRAINING: &str = "--init random --hidden 64 --layers 2 --heads 4 --max-length 96 --epochs 8 --batch 32 --rate 2e-3 \
     --dropout 0.1 --word-dropout 0.1";

/// The sets that are there under `data`, written as JSON lines with the paragraphs that each sentence retrieves.
///
/// # Errors
/// Of kind `Input` where a file is not what it should be.
pub(crate) fn real_sets(
    data: &Path,
    tokenizer: &Path,
    index: &Path,
    folder: &Path,
    jobs: &Jobs<'_>,
) -> Result<Vec<Set>> {
    let index = (index, TextIndex::open(index, OpenOptions::default())?);
    let mut sets = Vec::new();
    let twitter = ["twitter2015", "twitter2017"].map(|name| {
        let files =
            ["train", "valid", "test"].map(|part| data.join(format!("mner/{name}/{part}.txt")));
        (name, ModelKind::Ner, files)
    });
    let mnre = ["train", "val", "test"].map(|part| data.join(format!("mnre/mnre_{part}.txt")));
    for (name, kind, files) in twitter.into_iter().chain([("mnre", ModelKind::Re, mnre)]) {
        if !files.iter().all(|file| file.exists()) {
            jobs.console
                .say(format_args!("{}: not there, left out", files[0].display()));
            continue;
        }
        let title = match name {
            "twitter2015" => "Twitter-2015",
            "twitter2017" => "Twitter-2017",
            _ => "MNRE",
        };
        let written = files.map(|file| prepared(&file, kind, &index, &folder.join(name), jobs));
        let [train, dev, test] = written;
        sets.push(Set {
            name: name.to_owned(),
            title: title.to_owned(),
            kind,
            train: train?,
            dev: dev?,
            test: test?,
            gate: None,
            tokenizer: tokenizer.to_owned(),
            text_index: None,
            pictures: None,
            training: TRAINING,
        });
    }
    Ok(sets)
}

/// One file as JSON lines with contexts.
fn prepared(
    file: &Path,
    kind: ModelKind,
    (index_path, index): &(&Path, TextIndex),
    folder: &Path,
    jobs: &Jobs<'_>,
) -> Result<PathBuf> {
    let name = file.with_extension("jsonl");
    let path = folder.join(name.file_name().unwrap_or_default());
    let how = format!("{} with {}", file.display(), index_path.display());
    if jobs.is_made(&path, &how)? {
        return Ok(path);
    }
    std::fs::create_dir_all(folder).map_err(|error| Error::io(folder, error))?;
    let lines = match kind {
        ModelKind::Re => relations(file)?,
        _ => entities(file)?,
    };
    let bar = jobs.console.count_bar("retrieving", lines.len() as u64);
    let mut text = String::new();
    for mut line in lines {
        jobs.console.check()?;
        bar.inc(1);
        let tokens: Vec<String> =
            serde_json::from_value(line["tokens"].clone()).unwrap_or_default();
        let hits = index.retrieve(&tokens.join(" "), RETRIEVED_KEYS, false)?;
        let contexts: Vec<String> = hits.into_iter().map(|hit| hit.value).collect();
        line["contexts"] = json!({"text": contexts});
        text.push_str(&line.to_string());
        text.push('\n');
    }
    bar.finish_and_clear();
    write_file_atomically(&path, text.as_bytes())?;
    Ok(path)
}

fn entities(file: &Path) -> Result<Vec<Value>> {
    let mut lines = Vec::new();
    for query in Queries::open(file, None, None)? {
        let query = query?;
        let Some(Gold::Labels(gold)) = &query.gold else {
            return Err(Error::input("expected a label for each word").at(file));
        };
        let sentence = Sentence::new(&query.words);
        lines.push(json!({"id": query.id.to_string(), "tokens": sentence.words(), "gold": gold}));
    }
    Ok(lines)
}

/// A line of MNRE, which is a dictionary of Python.
#[derive(Deserialize)]
struct Relation {
    token: Vec<String>,
    h: Mention,
    t: Mention,
    relation: String,
}

#[derive(Deserialize)]
struct Mention {
    pos: [usize; 2],
}

fn relations(file: &Path) -> Result<Vec<Value>> {
    let mut lines = Lines::open(file)?;
    let mut relations = Vec::new();
    while let Some(line) = lines.next_line()? {
        if line.trim().is_empty() {
            continue;
        }
        let read: Relation = match serde_json::from_str(&json_of_python(line)) {
            Ok(read) => read,
            Err(error) => return Err(lines.error(error.to_string()).into()),
        };
        let number = relations.len() + 1;
        relations.push(json!({
            "id": number.to_string(), "tokens": read.token, "subject": read.h.pos, "object": read.t.pos,
            "gold": read.relation,
        }));
    }
    Ok(relations)
}

/// A dictionary of strings, lists and numbers, as Python prints it, as JSON.
fn json_of_python(text: &str) -> String {
    let mut json = String::with_capacity(text.len());
    let mut quote = None;
    let mut chars = text.chars();
    while let Some(c) = chars.next() {
        match (quote, c) {
            (None, '\'' | '"') => {
                quote = Some(c);
                json.push('"');
            }
            (Some(open), c) if c == open => {
                quote = None;
                json.push('"');
            }
            (Some(_), '"') => json.push_str("\\\""),
            (Some(_), '\\') => match chars.next() {
                Some('\'') => json.push('\''),
                Some('x') => {
                    let digits: String = chars.by_ref().take(2).collect();
                    json.push_str(&format!("\\u00{digits}"));
                }
                Some(escaped) => {
                    json.push('\\');
                    json.push(escaped);
                }
                None => {}
            },
            (_, c) => json.push(c),
        }
    }
    json
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_what_python_prints() {
        // repr() of Python of the same dictionary.
        let python = r#"{'a': ["it's", 'say "hi"', 'x\\y', 'tab\t', '\xad', 'both \' and "'], 'pos': [1, 2]}"#;
        let read: Value = serde_json::from_str(&json_of_python(python)).unwrap();
        let wanted = json!({
            "a": ["it's", "say \"hi\"", "x\\y", "tab\t", "\u{ad}", "both ' and \""], "pos": [1, 2],
        });
        assert_eq!(read, wanted);
    }
}

//! The labels of a head, in the order of its rows.

use super::config::Fields;
use super::{Checkpoint, json};
use crate::{Error, Result};
use serde_json::Value;
use std::collections::HashSet;
use std::path::{Path, PathBuf};

/// A thousand labels of a hundred bytes, many times over.
const MAX_LABELS_FILE: u64 = 4 << 20;

/// Labels, and where they come from.
#[derive(Debug)]
pub(crate) struct Labels {
    pub(crate) names: Vec<String>,
    pub(crate) path: PathBuf,
}

/// Finds the labels: the file that was given, else `labels.json`, else `id2label` of `config.json`.
///
/// # Errors
/// Where there are none, two are equal, or one is a placeholder that `transformers` made up.
pub(crate) fn find(
    given: Option<&Path>,
    checkpoint: &Checkpoint,
    config: &Fields,
) -> Result<Labels> {
    let labels = if let Some(path) = given {
        Labels {
            names: read(path)?,
            path: path.to_owned(),
        }
    } else if let Some(path) = checkpoint.existing("labels.json") {
        Labels {
            names: read(&path)?,
            path,
        }
    } else {
        let path = checkpoint.file("config.json");
        let names = config.get("id2label").map(by_id).transpose();
        let names =
            names.map_err(|message| Error::input(format!("id2label: {message}")).at(&path))?;
        let names = names.ok_or_else(|| Error::input(format!("no labels; {MEND}")).at(&path))?;
        Labels { names, path }
    };
    check(&labels.names).map_err(|message| Error::input(message).at(&labels.path))?;
    Ok(labels)
}

const MEND: &str = "write a list of them, in the order of the head's rows, into labels.json beside config.json, or \
                    give a file of them by --labels";

/// A list or `{"0": …}` as JSON, or a label a line.
fn read(path: &Path) -> Result<Vec<String>> {
    let bytes = json::read_bytes(path, MAX_LABELS_FILE)?;
    let fail = |message: String| Error::input(message).at(path);
    match bytes.trim_ascii_start().first() {
        Some(b'[') => {
            let list: Vec<Value> = json::parse(&bytes, path).map_err(|error| error.at(path))?;
            let names = list.into_iter().map(|label| match label {
                Value::String(label) => Ok(label),
                other => Err(fail(format!(
                    "expected a list of strings, got {other} in it"
                ))),
            });
            names.collect()
        }
        Some(b'{') => {
            let object: Value = json::parse(&bytes, path).map_err(|error| error.at(path))?;
            by_id(&object).map_err(fail)
        }
        _ if path
            .extension()
            .is_some_and(|extension| extension == "json") =>
        {
            Err(fail("expected a list of labels as JSON".to_owned()))
        }
        _ => {
            let text = String::from_utf8(bytes).map_err(|_| fail("expected UTF-8".to_owned()))?;
            let lines = text.lines().map(str::trim_end).collect::<Vec<_>>();
            let len = lines
                .iter()
                .rposition(|line| !line.is_empty())
                .map_or(0, |last| last + 1);
            Ok(lines[..len].iter().map(|line| (*line).to_owned()).collect())
        }
    }
}

/// The labels of `{"0": "O", "1": "B-PER", …}`.
fn by_id(object: &Value) -> std::result::Result<Vec<String>, String> {
    let object = object
        .as_object()
        .ok_or("expected an object of ids and labels")?;
    let mut names = vec![None; object.len()];
    for (id, label) in object {
        let place = id.parse::<usize>().ok().and_then(|id| names.get_mut(id));
        let place = place.ok_or_else(|| {
            format!(
                "expected the ids 0 to {}, got `{id}`",
                object.len().saturating_sub(1)
            )
        })?;
        let label = label
            .as_str()
            .ok_or_else(|| format!("id {id}: expected a string, got {label}"))?;
        if place.replace(label.to_owned()).is_some() {
            return Err(format!("id {id} appears twice"));
        }
    }
    names
        .into_iter()
        .collect::<Option<_>>()
        .ok_or_else(|| "an id is missing".to_owned())
}

fn check(names: &[String]) -> std::result::Result<(), String> {
    if names.is_empty() {
        return Err(format!("no labels; {MEND}"));
    }
    let mut seen = HashSet::new();
    for (id, name) in names.iter().enumerate() {
        if name.is_empty() {
            return Err(format!("label {id} is empty"));
        }
        if is_placeholder(name) {
            return Err(format!(
                "`{name}` is a placeholder that transformers made up, not a label; {MEND}"
            ));
        }
        if !seen.insert(name) {
            return Err(format!("label `{name}` appears twice"));
        }
    }
    Ok(())
}

/// `LABEL_0` and its like.
fn is_placeholder(name: &str) -> bool {
    let digits = name.strip_prefix("LABEL_");
    digits.is_some_and(|digits| {
        !digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_digit())
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn id2label_is_read_by_id_and_not_by_order() {
        let names = by_id(
            &json!({"1": "B", "10": "K", "0": "A", "2": "C", "3": "D", "4": "E", "5": "F", "6": "G",
            "7": "H", "8": "I", "9": "J"}),
        );
        assert_eq!(names.unwrap().concat(), "ABCDEFGHIJK");
    }

    #[test]
    fn refuses_ids_with_gaps_twins_and_other_things() {
        for (object, expected) in [
            (json!({"0": "A", "2": "C"}), "ids 0 to 1, got `2`"),
            (json!({"0": "A", "00": "C"}), "id 00 appears twice"),
            (json!({"0": "A", "-1": "C"}), "got `-1`"),
            (json!({"O": 0}), "got `O`"),
            (json!({"0": 7}), "expected a string, got 7"),
            (json!(["A"]), "expected an object"),
        ] {
            let error = by_id(&object).unwrap_err();
            assert!(error.contains(expected), "{error}");
        }
    }

    #[test]
    fn refuses_labels_that_cannot_be_meant() {
        let labels = |names: &[&str]| {
            names
                .iter()
                .map(|name| (*name).to_owned())
                .collect::<Vec<_>>()
        };
        assert!(check(&labels(&["O", "B-PER"])).is_ok());
        for (names, expected) in [
            (&["LABEL_0", "LABEL_1"][..], "`LABEL_0` is a placeholder"),
            (&["O", "O"], "`O` appears twice"),
            (&["O", ""], "label 1 is empty"),
            (&[], "no labels; write a list"),
        ] {
            let error = check(&labels(names)).unwrap_err();
            assert!(error.contains(expected), "{error}");
        }
    }
}

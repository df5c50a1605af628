//! A query as a line of JSON.

use crate::query::{Gold, ImageSource, Query, QueryId};
use crate::words::Words;
use crate::{Error, Result};
use serde::Deserialize;
use serde_json::Value;
use std::collections::BTreeMap;

/// A line as it is written. Keys that are not listed here are ignored: data sets carry their own.
#[derive(Deserialize)]
#[serde(expecting = "an object with `tokens` or `text`")]
struct Record {
    id: Option<QueryId>,
    tokens: Option<Vec<String>>,
    text: Option<String>,
    image: Option<String>,
    subject: Option<(usize, usize)>,
    object: Option<(usize, usize)>,
    contexts: Option<BTreeMap<String, Option<Vec<String>>>>,
    gold: Option<Value>,
}

/// An entity of `gold`, as in the output.
#[derive(Deserialize)]
struct GoldEntity {
    r#type: String,
    start: usize,
    end: usize,
}

impl Query {
    /// Reads a query from JSON:
    /// `{"id", "tokens": [..] | "text": "..", "image": "path", "subject": [start, end], "object": [start, end],
    /// "contexts": {..}, "gold"}`. Everything but the sentence may be missing or `null`, and other keys are ignored.
    ///
    /// `gold` is a list of labels, a list of entities (`type`, `start`, `end`), or the name of a relation.
    ///
    /// # Errors
    /// `Input` where it is no JSON or not of this form.
    pub fn from_json(json: &str) -> Result<Self> {
        let record: Record = serde_json::from_str(json).map_err(|error| readable(&error))?;
        let words = match (record.tokens, record.text) {
            (Some(tokens), None) => Words::Tokens(tokens),
            (None, Some(text)) => Words::Text(text),
            (None, None) => {
                return Err(Error::input(
                    "expected `tokens` (a list) or `text` (a string), got neither",
                ));
            }
            (Some(_), Some(_)) => {
                return Err(Error::input(
                    "got both `tokens` and `text`, which count spans differently; give one",
                ));
            }
        };
        let gold = match record.gold {
            None | Some(Value::Null) => None,
            Some(value) => Some(read_gold(value)?),
        };
        let mut query = match words {
            Words::Text(text) => Self::text(text),
            Words::Tokens(tokens) => Self::tokens(tokens),
        };
        if let Some(id) = record.id {
            query.id = id;
        }
        query.image = record.image.map(|path| ImageSource::File(path.into()));
        query.subject = record.subject.map(|(start, end)| start..end);
        query.object = record.object.map(|(start, end)| start..end);
        let contexts = record.contexts.unwrap_or_default().into_iter();
        query.contexts = contexts
            .filter_map(|(key, texts)| Some((key, texts?)))
            .collect();
        query.gold = gold;
        Ok(query)
    }
}

fn read_gold(value: Value) -> Result<Gold> {
    match value {
        Value::String(relation) => Ok(Gold::Relation(relation)),
        // A sentence of no words has no labels, and one with none of a list of entities has no entities.
        Value::Array(items) if !items.is_empty() && items.iter().all(Value::is_string) => {
            Ok(Gold::Labels(
                items
                    .iter()
                    .filter_map(Value::as_str)
                    .map(str::to_owned)
                    .collect(),
            ))
        }
        Value::Array(items) => items
            .into_iter()
            .map(|item| {
                let entity: GoldEntity = serde_json::from_value(item)
                    .map_err(|error| Error::input(format!("an entity of `gold`: {error}")))?;
                Ok((entity.start..entity.end, entity.r#type))
            })
            .collect::<Result<_>>()
            .map(Gold::Entities),
        _ => Err(Error::input(
            "`gold` is neither a list of labels, nor a list of entities, nor the name of a relation",
        )),
    }
}

/// The message of `serde_json` with the column only: the line is that of the file, not of the record.
pub(crate) fn readable(error: &serde_json::Error) -> Error {
    let text = error.to_string();
    let text = text.split(" at line ").next().unwrap_or_default();
    let what = if error.is_data() {
        "not a query"
    } else {
        "not JSON"
    };
    Error::input(format!("{what}: {text} (column {})", error.column()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_every_key() {
        let query = Query::from_json(
            r#"{"id": 7, "tokens": ["a", "b"], "image": "x.jpg", "subject": [0, 1], "object": [1, 2],
                "contexts": {"text": ["c"], "image": [], "given": null}, "gold": "None", "source": "unknown keys are ignored"}"#,
        )
        .unwrap();
        assert_eq!(query.id, QueryId::from(7));
        assert_eq!(query.words, Words::Tokens(vec!["a".into(), "b".into()]));
        assert_eq!(query.image, Some(ImageSource::File("x.jpg".into())));
        assert_eq!((query.subject, query.object), (Some(0..1), Some(1..2)));
        assert_eq!(query.contexts["text"], ["c"]);
        assert!(query.contexts["image"].is_empty());
        assert!(!query.contexts.contains_key("given"));
        assert_eq!(query.gold, Some(Gold::Relation("None".into())));
    }

    #[test]
    fn reads_gold_in_each_form() {
        let gold = |gold: &str| {
            Query::from_json(&format!(r#"{{"text": "a b", "gold": {gold}}}"#))
                .map(|query| query.gold)
        };
        assert_eq!(gold("null").unwrap(), None);
        assert_eq!(gold("[]").unwrap(), Some(Gold::Entities(vec![])));
        assert_eq!(
            gold(r#"["O", "B-PER"]"#).unwrap(),
            Some(Gold::Labels(vec!["O".into(), "B-PER".into()]))
        );
        assert_eq!(
            gold(r#"[{"type": "PER", "start": 0, "end": 1, "score": 1}]"#).unwrap(),
            Some(Gold::Entities(vec![(0..1, "PER".into())]))
        );
        assert!(gold("3").is_err());
        assert!(gold(r#"["O", 3]"#).is_err());
    }

    #[test]
    fn says_what_is_wrong_with_a_line() {
        let cases = [
            ("", "not JSON"),
            ("{\"text\": \"a\"", "not JSON"),
            ("[1]", "not a query"),
            ("{}", "got neither"),
            (r#"{"text": "a", "tokens": ["a"]}"#, "got both"),
            (r#"{"text": 3}"#, "expected a string"),
            (r#"{"tokens": ["a"], "subject": [0]}"#, "tuple of size 2"),
            (r#"{"tokens": ["a"], "subject": [-1, 2]}"#, "invalid value"),
            (
                r#"{"tokens": ["a"], "contexts": {"text": "b"}}"#,
                "expected a sequence",
            ),
            (r#"{"tokens": ["a"], "id": [1]}"#, "not a query"),
        ];
        for (line, message) in cases {
            let error = Query::from_json(line).unwrap_err().to_string();
            assert!(
                error.contains(message) && !error.contains("line 1"),
                "{line}: {error}"
            );
        }
    }
}

//! Labelled sentences, read and made ready.

use super::contexts::Contexts;
use crate::{Console, Error, Result};
use morelet::{Gold, Queries, Query, Sentence, is_no_relation};
use morelet_models::train::Example;
use morelet_models::weights::{ModelKind, XlmrConfig};
use morelet_models::{Input, Tokenizer};
use std::collections::BTreeSet;
use std::ops::Range;
use std::path::Path;

/// Subject and object, in words.
type Spans = [Range<usize>; 2];

/// A labelled sentence with its contexts.
#[derive(Clone)]
pub(crate) struct Item {
    pub(crate) query: Query,
    pub(crate) words: Vec<String>,
    /// Subject and object in words, of a relation.
    pub(crate) spans: Option<Spans>,
    pub(crate) contexts: Vec<String>,
    gold: Vec<String>,
}

/// Reads the sentences of a file with their contexts. Those whose contexts cannot be had are left out, and counted.
///
/// # Errors
/// Of kind `Input` where a line is bad, or its `gold` is missing or of another task.
pub(crate) fn read(
    path: &Path,
    images: Option<&Path>,
    kind: ModelKind,
    contexts: &Contexts,
    console: &Console,
) -> Result<Vec<Item>> {
    let mut items = Vec::new();
    let mut left_out = 0_usize;
    let bar = console.counter("reading");
    for query in Queries::open(path, None, images)? {
        console.check()?;
        bar.inc(1);
        let query = query?;
        let read = item(query, kind, |query, text| contexts.of(query, text));
        match read.map_err(|error| error.at(path))? {
            Some(item) => items.push(item),
            None => left_out += 1,
        }
    }
    bar.finish_and_clear();
    if left_out > 0 {
        console.say(format_args!(
            "{}: {left_out} sentences left out: their contexts were not given and cannot be retrieved",
            path.display()
        ));
    }
    if items.is_empty() {
        return Err(Error::input("no sentence to learn from").at(path));
    }
    Ok(items)
}

/// A labelled sentence with what `contexts` gives for the query and its text; `None` where that is nothing.
///
/// # Errors
/// Of kind `Input`, naming the query, where its `gold` is missing or of another task; what `contexts` fails with.
pub(crate) fn item(
    query: Query,
    kind: ModelKind,
    contexts: impl FnOnce(&Query, &str) -> Result<Option<Vec<String>>>,
) -> Result<Option<Item>> {
    let sentence = Sentence::new(&query.words);
    let named = |error: Error| error.noting(format!("query {}", query.id));
    let (gold, spans) = labelled(&query, &sentence, kind).map_err(named)?;
    let contexts = contexts(&query, sentence.text()).map_err(named)?;
    Ok(contexts.map(|contexts| Item {
        words: sentence.words().to_vec(),
        query,
        spans,
        contexts,
        gold,
    }))
}

/// The labels of a sentence's words, or its one relation with the spans.
pub(super) fn labelled(
    query: &Query,
    sentence: &Sentence,
    kind: ModelKind,
) -> Result<(Vec<String>, Option<Spans>)> {
    match (&query.gold, kind) {
        (Some(Gold::Relation(relation)), ModelKind::Re) => {
            let span = |span: &Option<Range<usize>>, name: &str| {
                let span = span.as_ref();
                let span = span.ok_or_else(|| Error::input(format!("there is no `{name}`")))?;
                Ok::<_, Error>(sentence.resolve(span, name)?)
            };
            let spans = [
                span(&query.subject, "subject")?,
                span(&query.object, "object")?,
            ];
            Ok((vec![relation.clone()], Some(spans)))
        }
        (Some(Gold::Labels(labels)), ModelKind::Ner) if labels.len() == sentence.len() => {
            Ok((labels.clone(), None))
        }
        (Some(Gold::Entities(entities)), ModelKind::Ner) => {
            let mut labels = vec!["O".to_owned(); sentence.len()];
            for (span, kind) in entities {
                let span = sentence.resolve(span, "gold")?;
                for at in span.clone() {
                    let prefix = if at == span.start { "B" } else { "I" };
                    labels[at] = format!("{prefix}-{kind}");
                }
            }
            Ok((labels, None))
        }
        (None, _) => Err(Error::input("there is no `gold`")),
        (Some(Gold::Labels(labels)), ModelKind::Ner) => Err(Error::input(format!(
            "`gold` has {} labels for {} words",
            labels.len(),
            sentence.len()
        ))),
        _ => Err(Error::input(format!(
            "`gold` is not that of a task of kind {kind}"
        ))),
    }
}

/// Every label that occurs, in the order of a head: `O` or the label for no relation first, then by name, `B-` before
/// `I-` of a type.
pub(crate) fn labels(items: &[Item]) -> Vec<String> {
    let all: BTreeSet<&str> = items
        .iter()
        .flat_map(|item| &item.gold)
        .map(String::as_str)
        .collect();
    let mut all: Vec<String> = all.into_iter().map(str::to_owned).collect();
    let key = |label: &String| {
        let nothing = label == "O" || is_no_relation(label);
        let (prefix, kind) = label.split_once('-').unwrap_or(("", label));
        (!nothing, kind.to_owned(), prefix.to_owned())
    };
    all.sort_by_key(key);
    // A type that occurs only inside, or in words of its own alone, has both labels all the same.
    let mut complete: Vec<String> = Vec::new();
    for label in all {
        let both = match label.split_once('-') {
            Some(("B" | "I", kind)) => vec![format!("B-{kind}"), format!("I-{kind}")],
            _ => vec![label],
        };
        for label in both {
            if !complete.contains(&label) {
                complete.push(label);
            }
        }
    }
    complete
}

/// What a model is shown and asked for.
pub(crate) struct Reader<'a> {
    pub(crate) kind: ModelKind,
    pub(crate) labels: &'a [String],
    pub(crate) tokenizer: &'a Tokenizer,
    pub(crate) config: &'a XlmrConfig,
    /// Whether each example is needed without its contexts too.
    pub(crate) plain: bool,
}

impl Reader<'_> {
    /// The example of an item; `None` where nothing of it fits.
    ///
    /// # Errors
    /// Of kind `Input` where a label is not one of the model's.
    pub(crate) fn example(&self, item: &Item) -> Result<Option<Example>> {
        let input = self.input(item, &item.contexts)?;
        let mut gold = Vec::with_capacity(item.gold.len());
        for label in &item.gold {
            let number = self.labels.iter().position(|known| known == label);
            gold.push(number.ok_or_else(|| {
                Error::input(format!(
                    "query {}: the label `{label}` is not one of the model's: {}",
                    item.query.id,
                    self.labels.join(", ")
                ))
            })?);
        }
        let fits = match self.kind {
            ModelKind::Re => input.markers.is_some(),
            _ => {
                gold.truncate(input.words.len());
                !gold.is_empty()
            }
        };
        if !fits {
            return Ok(None);
        }
        let plain = self.plain.then(|| self.input(item, &[])).transpose()?;
        Ok(Some(Example { input, plain, gold }))
    }

    fn input(&self, item: &Item, contexts: &[String]) -> Result<Input> {
        let words = &item.words;
        Ok(match &item.spans {
            Some([subject, object]) => Input::re(
                self.tokenizer,
                self.config,
                words,
                subject.clone(),
                object.clone(),
                contexts,
            )?,
            None => Input::ner(self.tokenizer, self.config, words, contexts)?,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn item(gold: &[&str]) -> Item {
        Item {
            query: Query::tokens(vec!["w"; gold.len()]),
            words: vec!["w".to_owned(); gold.len()],
            spans: None,
            contexts: Vec::new(),
            gold: gold.iter().map(ToString::to_string).collect(),
        }
    }

    #[test]
    fn a_type_has_both_labels_whichever_occurs() {
        let items = [item(&["B-PER", "O", "I-LOC"]), item(&["B-ORG", "I-ORG"])];
        let all = labels(&items);
        let wanted = ["O", "B-LOC", "I-LOC", "B-ORG", "I-ORG", "B-PER", "I-PER"];
        assert_eq!(all, wanted);
        assert_eq!(labels(&[item(&["peer", "None"])]), ["None", "peer"]);
    }
}

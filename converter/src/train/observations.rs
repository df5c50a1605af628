//! What the experts of a bundle and its CLIP say of labelled sentences, once and for all: they are frozen while a gate
//! learns.

use super::data;
use super::tensors::Tensors;
use crate::checkpoint::Checkpoint;
use crate::{Console, Error, Result};
use morelet::{Detail, Prediction, Queries, Query, RunOptions, Sentence, Session, Task};
use morelet_models::softmax;
use morelet_models::train::Observation;
use morelet_models::weights::ModelKind;
use std::collections::HashMap;
use std::path::Path;

/// Queries that go through the models together.
const TOGETHER: usize = 64;

/// Sentences with what was said about them.
pub(crate) struct Observations {
    pub(crate) queries: Vec<Query>,
    pub(crate) all: Vec<Observation>,
}

impl Observations {
    /// Asks the session about every sentence of a file that both experts and CLIP can answer. What is kept in `cache` for
    /// the same `key` is not asked again.
    ///
    /// # Errors
    /// Of kind `Input` where a line is bad, or none can be learned from; those of the session.
    pub(crate) fn make(
        session: &Session,
        (path, images): (&Path, Option<&Path>),
        (cache, key): (&Path, &str),
        console: &Console,
    ) -> Result<Self> {
        let queries: Vec<Query> =
            Queries::open(path, None, images)?.collect::<morelet::Result<_>>()?;
        let manifest = session.bundle().manifest();
        let labels = &manifest.labels;
        let kind = match manifest.task {
            Task::Re => ModelKind::Re,
            _ => ModelKind::Ner,
        };
        let said = match load(cache, key, queries.len(), labels.len())? {
            Some(said) => said,
            None => {
                let said = ask(session, &queries, console)?;
                save(cache, key, &said)?;
                said
            }
        };
        let (mut kept, mut all) = (Vec::new(), Vec::new());
        for (query, said) in queries.into_iter().zip(said) {
            let Some(mut observation) = said else {
                continue;
            };
            let rows = observation.first.len() / labels.len().max(1);
            let gold = gold(&query, kind, labels)
                .map_err(|error| error.noting(format!("query {}", query.id)).at(path))?;
            observation.gold = gold.into_iter().take(rows).collect();
            if rows == 0 || observation.gold.len() != rows {
                continue;
            }
            kept.push(query);
            all.push(observation);
        }
        if all.is_empty() {
            let message =
                "no sentence that both experts and CLIP answer: a gate needs a picture with each";
            return Err(Error::input(message).at(path));
        }
        Ok(Self { queries: kept, all })
    }
}

/// The right label of each word, or the relation, as numbers.
fn gold(query: &Query, kind: ModelKind, labels: &[String]) -> Result<Vec<usize>> {
    let (gold, _) = data::labelled(query, &Sentence::new(&query.words), kind)?;
    let numbers = gold.iter().map(|label| {
        labels
            .iter()
            .position(|known| known == label)
            .ok_or_else(|| Error::input(format!("the label `{label}` is not one of the bundle's")))
    });
    numbers.collect()
}

/// What is said of each query; `None` where one of the experts or CLIP's picture is missing.
fn ask(
    session: &Session,
    queries: &[Query],
    console: &Console,
) -> Result<Vec<Option<Observation>>> {
    let options = RunOptions {
        detail: Detail::Full,
        ..RunOptions::default()
    };
    let bar = console.count_bar("asking", queries.len() as u64);
    let mut said = Vec::with_capacity(queries.len());
    for queries in queries.chunks(TOGETHER) {
        console.check()?;
        for prediction in session.predict_batch(queries, &options) {
            said.push(observed(&prediction?));
        }
        bar.inc(queries.len() as u64);
    }
    bar.finish_and_clear();
    Ok(said)
}

fn observed(prediction: &Prediction) -> Option<Observation> {
    let experts = prediction.experts.as_ref()?;
    let mut rows = experts.iter().map(|(_, detail)| {
        if let Some(marginals) = &detail.marginals {
            return Some(marginals.clone());
        }
        let logits = detail.logits.as_ref().filter(|logits| !logits.is_empty())?;
        Some(vec![softmax(logits)])
    });
    let (first, second) = (rows.next()??, rows.next()??);
    // One of them may have had less room for the words.
    let words = first.len().min(second.len());
    let flat = |rows: Vec<Vec<f64>>| -> Vec<f32> {
        rows.into_iter()
            .take(words)
            .flatten()
            .map(|p| p as f32)
            .collect()
    };
    let features = [
        prediction.clip_text.as_ref()?,
        prediction.clip_image.as_ref()?,
    ];
    Some(Observation {
        first: flat(first),
        second: flat(second),
        gold: Vec::new(),
        features: features.into_iter().flatten().copied().collect(),
    })
}

/// Keeps what was said: one tensor for each part, and how many values belong to each query.
fn save(cache: &Path, key: &str, said: &[Option<Observation>]) -> Result<()> {
    let mut tensors = Tensors::default();
    let mut parts: [Vec<f32>; 3] = Default::default();
    let mut lengths = Vec::with_capacity(2 * said.len());
    for said in said {
        let none = Observation::default();
        let said = said.as_ref().unwrap_or(&none);
        lengths.extend([said.first.len() as f32, said.features.len() as f32]);
        parts[0].extend(&said.first);
        parts[1].extend(&said.second);
        parts[2].extend(&said.features);
    }
    for (name, values) in ["first", "second", "features"].into_iter().zip(&parts) {
        tensors.add(name, &[values.len() as u64], values);
    }
    tensors.add("lengths", &[lengths.len() as u64], &lengths);
    tensors.write(cache, HashMap::from([("key".to_owned(), key.to_owned())]))
}

/// Reads what was kept for the same key; `None` where there is no such thing, or it does not fit.
fn load(
    cache: &Path,
    key: &str,
    queries: usize,
    labels: usize,
) -> Result<Option<Vec<Option<Observation>>>> {
    if !cache.exists()
        || super::state::metadata(cache)?
            .get("key")
            .map(String::as_str)
            != Some(key)
    {
        return Ok(None);
    }
    let checkpoint = Checkpoint::open(cache)?;
    let tensors = checkpoint.by_name();
    let read = |name: &str| -> Result<Vec<f32>> {
        let mut values = Vec::new();
        if let Some(tensor) = tensors.get(name) {
            tensor.values(&mut |chunk| {
                values.extend_from_slice(chunk);
                Ok(())
            })?;
        }
        Ok(values)
    };
    let (first, second) = (read("first")?, read("second")?);
    let (features, lengths) = (read("features")?, read("lengths")?);
    if lengths.len() != 2 * queries {
        return Ok(None);
    }
    let (mut cells, mut widths) = (0_usize, 0_usize);
    let mut said = Vec::with_capacity(queries);
    for pair in lengths.chunks_exact(2) {
        let (count, width) = (pair[0] as usize, pair[1] as usize);
        let part = |values: &[f32], start: usize, count: usize| {
            values
                .get(start..start.checked_add(count)?)
                .map(<[f32]>::to_vec)
        };
        let parts = (
            part(&first, cells, count),
            part(&second, cells, count),
            part(&features, widths, width),
        );
        let (Some(first), Some(second), Some(features)) = parts else {
            return Ok(None);
        };
        if !count.is_multiple_of(labels.max(1)) {
            return Ok(None);
        }
        (cells, widths) = (cells + count, widths + width);
        said.push((count > 0).then_some(Observation {
            first,
            second,
            gold: Vec::new(),
            features,
        }));
    }
    Ok(Some(said))
}

//! How good a model is by now, as the runtime would find.

use super::data::Item;
use super::run::NOW;
use crate::{Error, Result};
use morelet::{Evaluation, Prediction, Relation, Score};
use morelet_mapped::OpenOptions;
use morelet_models::device::Compute;
use morelet_models::train::Parameters;
use morelet_models::weights::{ModelKind, Precision, Weights, WeightsWriter};
use morelet_models::{Cancel, Expert, NerQuery, ReQuery, Tokenizer, argmax};
use std::path::Path;

/// Writes parameters as a `.weights` file in `f32`.
pub(crate) fn write_weights(parameters: &Parameters, tokenizer: &[u8], path: &Path) -> Result<()> {
    let mut writer = WeightsWriter::create(path, parameters.meta(), Some(tokenizer))?;
    for (name, shape) in parameters.shapes() {
        writer.tensor(name, shape, Precision::F32, &parameters.values(name)?)?;
    }
    writer.finish()?;
    Ok(())
}

/// The F1 of an expert on labelled sentences, computed by what answers in a session: the weights go through a file in
/// `folder`.
pub(crate) fn expert(
    parameters: &Parameters,
    tokenizer: (&[u8], &Tokenizer),
    items: &[Item],
    compute: &Compute,
    folder: &Path,
    cancel: &Cancel,
) -> Result<Score> {
    let path = folder.join(NOW);
    write_weights(parameters, tokenizer.0, &path)?;
    let weights = Weights::open(&path, OpenOptions::default())?;
    let expert = Expert::load(weights, compute, Some(tokenizer.1.clone()))?;
    let mut evaluation = Evaluation::new();
    for items in items.chunks(64) {
        for (item, answer) in items.iter().zip(answers(&expert, items, cancel)?) {
            evaluation.add(&item.query, &answer.prediction)?;
        }
    }
    Ok(evaluation.report(&[]).fused.all)
}

/// What an expert says about an item.
pub(crate) struct Answer {
    pub(crate) prediction: Prediction,
    /// The distribution over the labels of each word that fits; the one over relations, if there is one.
    pub(crate) distributions: Vec<Vec<f64>>,
}

/// The answers of an expert to some items.
///
/// # Errors
/// Of kind `Input` where an item does not fit the expert; `Device`, `Interrupted`.
pub(crate) fn answers(expert: &Expert, items: &[Item], cancel: &Cancel) -> Result<Vec<Answer>> {
    let labels = expert.labels();
    if expert.meta().kind == ModelKind::Re {
        let mut queries = Vec::with_capacity(items.len());
        for item in items {
            let Some([subject, object]) = &item.spans else {
                return Err(Error::input("a relation needs a subject and an object"));
            };
            queries.push(ReQuery {
                words: &item.words,
                subject: subject.clone(),
                object: object.clone(),
                contexts: &item.contexts,
            });
        }
        let answers = expert.re_batch(&queries, cancel).into_iter();
        let answers = answers.map(|answer| {
            let probabilities = answer?.probabilities;
            let best = argmax(probabilities.iter().copied());
            let mut prediction = Prediction::default();
            // Where a marker does not fit there are no probabilities, and no relation.
            prediction.relation = Some(match probabilities.get(best) {
                Some(&score) => Relation {
                    kind: labels[best].clone(),
                    score,
                },
                None => Relation {
                    kind: "None".to_owned(),
                    score: 0.0,
                },
            });
            let mut distributions = vec![probabilities];
            distributions.retain(|distribution| !distribution.is_empty());
            Ok(Answer {
                prediction,
                distributions,
            })
        });
        return answers.collect();
    }
    let queries = items.iter().map(|item| NerQuery {
        words: &item.words,
        contexts: &item.contexts,
    });
    let queries: Vec<NerQuery<'_, String, String>> = queries.collect();
    let answers = expert.ner_batch(&queries, cancel).into_iter().zip(items);
    let answers = answers.map(|(answer, item)| {
        let answer = answer?;
        let found = answer.labels.iter();
        let mut names: Vec<String> = found.map(|&label| labels[label].clone()).collect();
        // Words that do not fit have the label `O`.
        names.resize(item.words.len(), "O".to_owned());
        let mut prediction = Prediction::default();
        prediction.labels = Some(names);
        Ok(Answer {
            prediction,
            distributions: answer.marginals,
        })
    });
    answers.collect()
}

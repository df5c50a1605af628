//! From what the experts say to one answer.
//!
//! Two experts are mixed, `P(y) = g_y P_1(y) + (1 − g_y) P_2(y)` (equation 7 of the paper), with g by the gate, or one half; the mixture is
//! not renormalized. An expert that did not run, or whose input ended before a word, leaves the answer to the other.

use crate::manifest::{Decode, Task};
use crate::pipeline::{Answered, Output};
use crate::prediction::{Entity, ExpertDetail, Mixture, Named, Offsets, Prediction, Relation};
use crate::query::Query;
use crate::session::{Detail, Inner};
use crate::spans::spans;
use crate::words::Sentence;
use crate::{Error, ErrorKind, Result};
use morelet_models::{NerOutput, ReOutput, argmax};

/// The label of a word that no expert has seen, and of what is no entity.
const OUTSIDE: &str = "O";

/// The relation of a pair that no expert has seen.
const NO_RELATION: &str = "None";

/// What was found for a query.
pub(crate) struct Outputs {
    /// In the order of the manifest; none for an expert that did not run.
    pub experts: Vec<Option<Answered>>,
    pub clip_text: Option<Vec<f32>>,
    pub clip_image: Option<Vec<f32>>,
}

pub(crate) fn fuse(
    session: &Inner,
    query: &Query,
    sentence: &Sentence,
    outputs: Outputs,
    detail: Detail,
) -> Result<Prediction> {
    let manifest = session.bundle.manifest();
    let labels = session.bundle.labels();
    let mut prediction = Prediction {
        id: query.id.clone(),
        tokens: sentence.places().map(|_| sentence.words().to_vec()),
        ..Prediction::default()
    };
    let both = outputs.experts.len() == 2 && outputs.experts.iter().all(Option::is_some);
    let weights = if both {
        Some(weights(session, &outputs, labels.len(), &mut prediction)?)
    } else {
        None
    };
    let fuser = Fuser {
        labels,
        weights: weights.as_deref(),
    };
    let names: Vec<&str> = manifest
        .experts
        .iter()
        .map(|expert| expert.name.as_str())
        .collect();
    match manifest.task {
        Task::Ner => {
            let ner =
                outputs
                    .experts
                    .iter()
                    .map(|answered| match answered.as_ref().map(|a| &a.output) {
                        Some(Output::Ner(output)) => Some(output),
                        _ => None,
                    });
            let ner: Vec<Option<&NerOutput>> = ner.collect();
            fuser.entities(&ner, &names, sentence, manifest.decode, &mut prediction)?;
        }
        Task::Re => {
            let re =
                outputs
                    .experts
                    .iter()
                    .map(|answered| match answered.as_ref().map(|a| &a.output) {
                        Some(Output::Re(output)) => Some(output),
                        _ => None,
                    });
            let re: Vec<Option<&ReOutput>> = re.collect();
            fuser.relation(&re, &names, &mut prediction);
        }
    }
    if detail < Detail::Full {
        prediction.mixture = None;
    } else {
        // Where the experts answered, but not about the same thing, nothing was mixed.
        prediction.gate_text = weights.filter(|_| prediction.gate.is_some());
        prediction.clip_text = outputs.clip_text;
        prediction.clip_image = outputs.clip_image;
    }
    if detail > Detail::Answer {
        let experts = names.iter().zip(outputs.experts);
        let experts = experts.filter_map(|(name, answered)| Some(((*name).to_owned(), answered?)));
        let told = experts.map(|(name, answered)| {
            (
                name,
                expert_detail(answered, labels, sentence.len(), detail),
            )
        });
        prediction.experts = Some(told.collect());
    }
    Ok(prediction)
}

/// g for each label, where two experts ran.
fn weights(
    session: &Inner,
    outputs: &Outputs,
    t: usize,
    prediction: &mut Prediction,
) -> Result<Vec<f64>> {
    let Some(gate) = &session.gate else {
        return Ok(vec![0.5; t]);
    };
    match (&outputs.clip_text, &outputs.clip_image) {
        (Some(text), Some(image)) => Ok(gate.weights(text, image, t)?),
        _ => {
            prediction
                .notes
                .push("fused by average: there is no picture for the gate to look at".to_owned());
            Ok(vec![0.5; t])
        }
    }
}

struct Fuser<'a> {
    labels: &'a [String],
    /// g of the first expert for each label, where two ran.
    weights: Option<&'a [f64]>,
}

impl Fuser<'_> {
    fn label(&self, index: usize) -> &str {
        self.labels.get(index).map_or(OUTSIDE, String::as_str)
    }

    /// P over labels from one or two experts; none where neither has seen the word.
    fn mix(&self, first: Option<&[f64]>, second: Option<&[f64]>) -> Option<Vec<f64>> {
        match (first, second) {
            (Some(first), Some(second)) => {
                let g = self.weights.unwrap_or(&[]).iter();
                let mixed = first
                    .iter()
                    .zip(second)
                    .zip(g)
                    .map(|((p, q), g)| g * p + (1.0 - g) * q);
                Some(mixed.collect())
            }
            (one, other) => one.or(other).map(<[f64]>::to_vec),
        }
    }

    fn entities(
        &self,
        experts: &[Option<&NerOutput>],
        names: &[&str],
        sentence: &Sentence,
        decode: Decode,
        prediction: &mut Prediction,
    ) -> Result<()> {
        let row = |expert: usize, word: usize| -> Option<&[f64]> {
            experts
                .get(expert)
                .copied()
                .flatten()?
                .marginals
                .get(word)
                .map(Vec::as_slice)
        };
        let n = sentence.len();
        let mixture: Vec<Vec<f64>> = (0..n)
            .map_while(|word| self.mix(row(0, word), row(1, word)))
            .collect();
        let chosen: Vec<usize> = match (decode, experts) {
            (Decode::Viterbi, [Some(expert)]) => expert.viterbi.clone().ok_or_else(|| {
                Error::new(
                    ErrorKind::Internal,
                    "an expert without a CRF was asked for its likeliest sequence",
                )
            })?,
            _ => mixture
                .iter()
                .map(|row| argmax(row.iter().copied()))
                .collect(),
        };
        let mut labels: Vec<String> = chosen
            .iter()
            .map(|&label| self.label(label).to_owned())
            .collect();
        labels.resize(n, OUTSIDE.to_owned());
        if experts.iter().flatten().any(|expert| expert.truncated) {
            prediction.notes.push("truncated".to_owned());
        }
        let score = |word: usize| -> f64 {
            let (Some(row), Some(&label)) = (mixture.get(word), chosen.get(word)) else {
                return 0.0;
            };
            share(row, label)
        };
        let entities = spans(&labels).into_iter().map(|span| {
            let scores = span.words.clone().map(score);
            let place = sentence.place(&span.words);
            Entity {
                score: scores.sum::<f64>() / span.words.len() as f64,
                text: sentence.span_text(&span.words),
                start: span.words.start,
                end: span.words.end,
                kind: span.kind,
                offsets: place.map(|place| Offsets {
                    start_char: place.chars.start,
                    end_char: place.chars.end,
                    start_byte: place.bytes.start,
                    end_byte: place.bytes.end,
                }),
            }
        });
        prediction.entities = Some(entities.collect());
        if let (Some(weights), [first, second]) = (self.weights, names) {
            // The words that both experts have seen.
            let mixed = (0..n)
                .take_while(|&word| row(0, word).is_some() && row(1, word).is_some())
                .count();
            let sum: f64 = chosen
                .iter()
                .take(mixed)
                .filter_map(|&label| weights.get(label))
                .sum();
            if mixed > 0 {
                prediction.gate = Some(gate(first, second, sum / mixed as f64));
            }
        }
        prediction.labels = Some(labels);
        prediction.mixture = Some(Mixture::Words(mixture));
        Ok(())
    }

    fn relation(&self, experts: &[Option<&ReOutput>], names: &[&str], prediction: &mut Prediction) {
        let seen = |expert: usize| -> Option<&[f64]> {
            let output = experts.get(expert).copied().flatten()?;
            (!output.probabilities.is_empty()).then_some(output.probabilities.as_slice())
        };
        if experts.iter().flatten().any(|expert| expert.truncated) {
            prediction.notes.push("truncated".to_owned());
        }
        for (expert, name) in names.iter().enumerate() {
            if experts.get(expert).is_some_and(Option::is_some) && seen(expert).is_none() {
                prediction.notes.push(format!(
                    "the subject or the object does not fit into the input of expert `{name}`, which answers `{NO_RELATION}`"
                ));
            }
        }
        let Some(mixture) = self.mix(seen(0), seen(1)) else {
            prediction.relation = Some(Relation {
                kind: NO_RELATION.to_owned(),
                score: 0.0,
            });
            return;
        };
        let best = argmax(mixture.iter().copied());
        prediction.relation = Some(Relation {
            kind: self.label(best).to_owned(),
            score: share(&mixture, best),
        });
        if let (Some(weights), [first, second]) = (self.weights, names)
            && seen(0).is_some()
            && seen(1).is_some()
        {
            prediction.gate = weights.get(best).map(|&g| gate(first, second, g));
        }
        prediction.mixture = Some(Mixture::Relation(mixture));
    }
}

fn gate(first: &str, second: &str, g: f64) -> Named<f64> {
    [(first.to_owned(), g), (second.to_owned(), 1.0 - g)]
        .into_iter()
        .collect()
}

/// P divided by the sum of its row.
fn share(row: &[f64], label: usize) -> f64 {
    let sum: f64 = row.iter().sum();
    match row.get(label) {
        Some(p) if sum > 0.0 => p / sum,
        _ => 0.0,
    }
}

fn expert_detail(answered: Answered, labels: &[String], n: usize, detail: Detail) -> ExpertDetail {
    let named = |chosen: &[usize]| -> Vec<String> {
        let name = |&label: &usize| labels.get(label).map_or(OUTSIDE, String::as_str).to_owned();
        let mut named: Vec<String> = chosen.iter().map(name).collect();
        named.resize(n, OUTSIDE.to_owned());
        named
    };
    let full = detail == Detail::Full;
    let mut told = ExpertDetail {
        contexts: answered.contexts,
        ..ExpertDetail::default()
    };
    match answered.output {
        Output::Ner(output) => {
            told.labels = Some(named(&output.labels));
            told.viterbi = output.viterbi.as_deref().map(named);
            told.input_ids = output.input.ids;
            if full {
                told.emissions = Some(output.emissions);
                told.marginals = Some(output.marginals);
            }
        }
        Output::Re(output) => {
            let best = argmax(output.probabilities.iter().copied());
            told.relation = Some(match output.probabilities.get(best) {
                Some(&score) => Relation {
                    kind: labels
                        .get(best)
                        .map_or(NO_RELATION, String::as_str)
                        .to_owned(),
                    score,
                },
                None => Relation {
                    kind: NO_RELATION.to_owned(),
                    score: 0.0,
                },
            });
            told.input_ids = output.input.ids;
            if full {
                told.logits = Some(output.logits);
            }
        }
    }
    told
}

#[cfg(test)]
mod tests;

//! Precision, recall and F1, in percent.
//!
//! Entities count as `conlleval` counts them: an entity is right when its first word, its last word and its type are all
//! right. Relations are micro-averaged without the no-relation label: P is over the relations that were predicted, R over
//! those that are there. What is 0 / 0 is 0.

use crate::prediction::{ExpertDetail, Named, Prediction, is_no_relation};
use crate::query::{Gold, Query};
use crate::spans::{Span, spans};
use crate::words::Sentence;
use crate::{Error, Result};
use serde::Serialize;
use std::collections::{BTreeMap, HashSet};

/// Precision, recall and F1 of one label, or of all.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize)]
pub struct Score {
    /// In percent.
    pub precision: f64,
    /// In percent.
    pub recall: f64,
    /// Their harmonic mean, in percent.
    pub f1: f64,
    /// How many were predicted and right.
    pub correct: u64,
    /// How many were predicted.
    pub predicted: u64,
    /// How many are there.
    pub gold: u64,
}

impl Score {
    fn new(counts: Counts) -> Self {
        let Counts {
            correct,
            predicted,
            gold,
        } = counts;
        let percent = |of: u64| {
            if of == 0 {
                0.0
            } else {
                100.0 * correct as f64 / of as f64
            }
        };
        let (precision, recall) = (percent(predicted), percent(gold));
        let f1 = if correct == 0 {
            0.0
        } else {
            2.0 * precision * recall / (precision + recall)
        };
        Self {
            precision,
            recall,
            f1,
            correct,
            predicted,
            gold,
        }
    }
}

/// The score over all labels, and each label's.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct Scores {
    /// Over all labels.
    #[serde(flatten)]
    pub all: Score,
    /// By label: entity types, or relations.
    pub labels: BTreeMap<String, Score>,
}

/// The scores of one expert.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct ExpertScores {
    /// By its marginals, or its likeliest relation.
    #[serde(flatten)]
    pub scores: Scores,
    /// By its likeliest sequence, where it has a CRF.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub viterbi: Option<Scores>,
    /// The queries that it ran on; in the others it counts as having found nothing.
    pub ran: u64,
}

/// The scores of a bundle.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Report {
    /// Of the answers.
    pub fused: Scores,
    /// Of each expert by itself.
    pub experts: Named<ExpertScores>,
    /// The number of queries.
    pub n: u64,
}

/// Counts answers against what is right.
///
/// The answers must have been made with [`Detail::Labels`](crate::Detail::Labels) or more for the experts to be counted.
#[derive(Clone, Debug, Default)]
pub struct Evaluation {
    fused: Tally,
    experts: Named<ExpertTally>,
    all: Tally,
    n: u64,
}

#[derive(Clone, Debug, Default)]
struct ExpertTally {
    marginals: Tally,
    viterbi: Option<Tally>,
    ran: u64,
}

impl Evaluation {
    /// Nothing counted yet.
    pub fn new() -> Self {
        Self::default()
    }

    /// Counts one answer.
    ///
    /// # Errors
    /// `Input`, naming the query's line, where the gold is missing, has another number of labels than the sentence has words,
    /// or is not of the bundle's task.
    pub fn add(&mut self, query: &Query, prediction: &Prediction) -> Result<()> {
        self.count(query, prediction)
            .map_err(|error| error.of_query(query))
    }

    fn count(&mut self, query: &Query, prediction: &Prediction) -> Result<()> {
        let gold = query
            .gold
            .as_ref()
            .ok_or_else(|| Error::input("there is no `gold` to compare with"))?;
        match (gold, &prediction.labels, &prediction.relation) {
            (Gold::Relation(gold), None, Some(relation)) => {
                self.fused.relation(gold, Some(&relation.kind));
                self.all.relation(gold, None);
                for (name, detail) in prediction.experts.iter().flat_map(Named::iter) {
                    let expert = self.experts.get_mut_or(name, ExpertTally::default);
                    let relation = detail
                        .relation
                        .as_ref()
                        .map(|relation| relation.kind.as_str());
                    expert.marginals.relation(gold, relation);
                    expert.ran += 1;
                }
            }
            (Gold::Labels(_) | Gold::Entities(_), Some(labels), None) => {
                let gold = gold_spans(gold, &Sentence::new(&query.words))?;
                self.fused.entities(&gold, &spans(labels));
                self.all.entities(&gold, &[]);
                for (name, detail) in prediction.experts.iter().flat_map(Named::iter) {
                    let expert = self.experts.get_mut_or(name, ExpertTally::default);
                    expert.add_entities(&gold, detail);
                }
            }
            (Gold::Relation(_), ..) => {
                return Err(Error::input(
                    "`gold` is a relation, but the bundle finds entities",
                ));
            }
            _ => {
                return Err(Error::input(
                    "`gold` is a list, but the bundle finds relations",
                ));
            }
        }
        self.n += 1;
        Ok(())
    }

    /// The scores of what was counted so far. Every expert in `names` is there, also one that never ran.
    pub fn report(&self, names: &[&str]) -> Report {
        let none = ExpertTally::default();
        let experts = names.iter().map(|name| {
            let expert = self.experts.get(name).unwrap_or(&none);
            let scores = ExpertScores {
                scores: expert.marginals.against(&self.all),
                viterbi: expert
                    .viterbi
                    .as_ref()
                    .map(|viterbi| viterbi.against(&self.all)),
                ran: expert.ran,
            };
            ((*name).to_owned(), scores)
        });
        Report {
            fused: self.fused.against(&self.all),
            experts: experts.collect(),
            n: self.n,
        }
    }
}

impl ExpertTally {
    fn add_entities(&mut self, gold: &[Span], detail: &ExpertDetail) {
        self.ran += 1;
        if let Some(labels) = &detail.labels {
            self.marginals.entities(gold, &spans(labels));
        }
        if let Some(labels) = &detail.viterbi {
            self.viterbi
                .get_or_insert_default()
                .entities(gold, &spans(labels));
        }
    }
}

/// The entities that the gold of a sentence names.
fn gold_spans(gold: &Gold, sentence: &Sentence) -> Result<Vec<Span>> {
    match gold {
        Gold::Labels(labels) if labels.len() == sentence.len() => Ok(spans(labels)),
        Gold::Labels(labels) => Err(Error::input(format!(
            "`gold` has {} labels, but the sentence has {} words",
            labels.len(),
            sentence.len()
        ))),
        Gold::Entities(entities) => entities
            .iter()
            .map(|(span, kind)| {
                Ok(Span {
                    words: sentence.resolve(span, "gold")?,
                    kind: kind.clone(),
                })
            })
            .collect(),
        Gold::Relation(_) => Ok(Vec::new()),
    }
}

#[derive(Clone, Copy, Debug, Default)]
struct Counts {
    correct: u64,
    predicted: u64,
    gold: u64,
}

#[derive(Clone, Debug, Default)]
struct Tally(BTreeMap<String, Counts>);

impl Tally {
    fn of(&mut self, label: &str) -> &mut Counts {
        self.0.entry(label.to_owned()).or_default()
    }

    fn entities(&mut self, gold: &[Span], predicted: &[Span]) {
        let right: HashSet<&Span> = gold.iter().collect();
        for span in &right {
            self.of(&span.kind).gold += 1;
        }
        for span in predicted {
            let counts = self.of(&span.kind);
            counts.predicted += 1;
            counts.correct += u64::from(right.contains(span));
        }
    }

    fn relation(&mut self, gold: &str, predicted: Option<&str>) {
        if !is_no_relation(gold) {
            self.of(gold).gold += 1;
        }
        if let Some(predicted) = predicted.filter(|predicted| !is_no_relation(predicted)) {
            let counts = self.of(predicted);
            counts.predicted += 1;
            counts.correct += u64::from(predicted == gold);
        }
    }

    /// The scores of what was predicted, over the gold of every query, whether or not there was a prediction.
    fn against(&self, all: &Self) -> Scores {
        let mut counts = all.0.clone();
        for (label, own) in &self.0 {
            let counts = counts.entry(label.clone()).or_default();
            counts.correct = own.correct;
            counts.predicted = own.predicted;
        }
        let sum = counts.values().fold(Counts::default(), |sum, one| Counts {
            correct: sum.correct + one.correct,
            predicted: sum.predicted + one.predicted,
            gold: sum.gold + one.gold,
        });
        Scores {
            all: Score::new(sum),
            labels: counts
                .into_iter()
                .map(|(label, counts)| (label, Score::new(counts)))
                .collect(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::prediction::Relation;

    fn labels(text: &str) -> Vec<String> {
        text.split(' ').map(str::to_owned).collect()
    }

    fn ner(gold: &str, predicted: &str, viterbi: Option<&str>) -> (Query, Prediction) {
        let gold = labels(gold);
        let query = Query::tokens(vec!["w"; gold.len()]).gold(Gold::Labels(gold));
        let detail = ExpertDetail {
            labels: Some(labels(predicted)),
            viterbi: viterbi.map(labels),
            ..ExpertDetail::default()
        };
        let prediction = Prediction {
            labels: Some(labels(predicted)),
            experts: Some([("text".to_owned(), detail)].into_iter().collect()),
            ..Prediction::default()
        };
        (query, prediction)
    }

    /// What conlleval.pl prints for these columns, its rules followed by hand: "processed 16 tokens with
    /// 5 phrases; found: 6 phrases; correct: 3", precision 50.00, recall 60.00, FB1 54.55; LOC 1 of 2 found, ORG 0 of 1,
    /// PER 2 of 3.
    #[test]
    fn counts_entities_as_conlleval_counts() {
        let sentences = [
            ("B-PER I-PER O B-LOC", "B-PER I-PER O B-LOC"),
            ("B-PER O O O", "I-PER O O O"),
            ("O B-LOC I-LOC O", "O B-LOC B-ORG O"),
            ("B-PER I-PER I-PER O", "B-PER I-PER O O"),
        ];
        let mut evaluation = Evaluation::new();
        for (gold, predicted) in sentences {
            let (query, prediction) = ner(gold, predicted, Some(gold));
            evaluation.add(&query, &prediction).unwrap();
        }
        let report = evaluation.report(&["text", "image"]);
        let counts = |score: &Score| (score.correct, score.predicted, score.gold);
        assert_eq!(report.n, 4);
        assert_eq!(counts(&report.fused.all), (3, 6, 5));
        assert_eq!(
            (report.fused.all.precision, report.fused.all.recall),
            (50.0, 60.0)
        );
        assert!((report.fused.all.f1 - 54.545_454_545_454_55).abs() < 1e-9);
        assert_eq!(counts(&report.fused.labels["PER"]), (2, 3, 3));
        assert_eq!(counts(&report.fused.labels["LOC"]), (1, 2, 2));
        assert_eq!(counts(&report.fused.labels["ORG"]), (0, 1, 0));
        assert_eq!(report.fused.labels["ORG"].f1, 0.0);
        let text = report.experts.get("text").unwrap();
        assert_eq!(text.scores, report.fused);
        assert_eq!(text.viterbi.as_ref().unwrap().all.f1, 100.0);
        let image = report.experts.get("image").unwrap();
        assert_eq!((image.ran, counts(&image.scores.all)), (0, (0, 0, 5)));
    }

    #[test]
    fn bio_and_bioes_of_the_same_entities_agree() {
        let (query, prediction) = ner("B-PER O B-LOC I-LOC", "S-PER O B-LOC E-LOC", None);
        let mut evaluation = Evaluation::new();
        evaluation.add(&query, &prediction).unwrap();
        assert_eq!(evaluation.report(&[]).fused.all.f1, 100.0);
    }

    #[test]
    fn relations_leave_no_relation_out() {
        let mut evaluation = Evaluation::new();
        let cases = [
            ("None", "none"),
            ("peer", "peer"),
            ("peer", "None"),
            ("no_relation", "peer"),
            ("peer", "couple"),
        ];
        for (gold, predicted) in cases {
            let query = Query::tokens(["a", "b"]).gold(Gold::Relation(gold.into()));
            let relation = Relation {
                kind: predicted.into(),
                score: 1.0,
            };
            let prediction = Prediction {
                relation: Some(relation),
                ..Prediction::default()
            };
            evaluation.add(&query, &prediction).unwrap();
        }
        // sklearn.metrics.precision_recall_fscore_support(gold, predicted, labels=["peer", "couple"],
        // average="micro"), the no-relation labels spelled alike: 0.3333, 0.3333, 0.3333.
        let report = evaluation.report(&[]);
        let all = report.fused.all;
        assert_eq!(
            (all.correct, all.predicted, all.gold, report.n),
            (1, 3, 3, 5)
        );
        assert!((all.f1 - 100.0 / 3.0).abs() < 1e-9);
        assert_eq!(
            report.fused.labels.keys().collect::<Vec<_>>(),
            ["couple", "peer"]
        );
    }

    #[test]
    fn refuses_gold_that_does_not_fit() {
        let prediction = || Prediction {
            labels: Some(labels("O O")),
            ..Prediction::default()
        };
        let query = || Query::tokens(["a", "b"]);
        let cases = [
            (query(), "no `gold`"),
            (
                query().gold(Gold::Labels(labels("O O O"))),
                "3 labels, but the sentence has 2 words",
            ),
            (query().gold(Gold::Relation("x".into())), "finds entities"),
            (
                query().gold(Gold::Entities(vec![(1..3, "PER".into())])),
                "within the 2 words",
            ),
        ];
        for (query, message) in cases {
            let error = Evaluation::new()
                .add(&query, &prediction())
                .unwrap_err()
                .to_string();
            assert!(error.contains(message), "{error}");
        }
    }

    #[test]
    fn gold_entities_of_a_text_count_characters() {
        let query = Query::text("Zoë met Ann").gold(Gold::Entities(vec![(8..11, "PER".into())]));
        let prediction = Prediction {
            labels: Some(labels("O O B-PER")),
            ..Prediction::default()
        };
        let mut evaluation = Evaluation::new();
        evaluation.add(&query, &prediction).unwrap();
        assert_eq!(evaluation.report(&[]).fused.all.f1, 100.0);
    }
}

//! The mixture, by hand: every number here follows from P = g·P1 + (1 − g)·P2.

use super::*;
use crate::words::Words;
use morelet_models::{Input, Timings};

fn labels() -> Vec<String> {
    ["O", "B-PER", "I-PER"].map(str::to_owned).to_vec()
}

fn sentence(n: usize) -> Sentence {
    let words = (0..n).map(|i| format!("w{i}")).collect();
    Sentence::new(&Words::Tokens(words))
}

fn input(truncated: bool) -> Input {
    Input {
        ids: vec![0, 2],
        words: Vec::new(),
        markers: None,
        truncated,
    }
}

fn ner(marginals: &[[f64; 3]], truncated: bool) -> NerOutput {
    NerOutput {
        input: input(truncated),
        emissions: Vec::new(),
        marginals: marginals.iter().map(|row| row.to_vec()).collect(),
        labels: marginals
            .iter()
            .map(|row| argmax(row.iter().copied()))
            .collect(),
        viterbi: None,
        truncated,
        timings: Timings::default(),
    }
}

fn re(probabilities: &[f64]) -> ReOutput {
    ReOutput {
        input: input(probabilities.is_empty()),
        logits: probabilities.iter().map(|&p| p as f32).collect(),
        probabilities: probabilities.to_vec(),
        truncated: probabilities.is_empty(),
        timings: Timings::default(),
    }
}

fn entities(
    weights: Option<&[f64]>,
    experts: &[Option<&NerOutput>],
    names: &[&str],
    n: usize,
    decode: Decode,
) -> Prediction {
    let labels = labels();
    let fuser = Fuser {
        labels: &labels,
        weights,
    };
    let mut prediction = Prediction::default();
    fuser
        .entities(experts, names, &sentence(n), decode, &mut prediction)
        .unwrap();
    prediction
}

#[test]
fn two_experts_are_mixed_by_label_and_not_renormalized() {
    let first = ner(&[[0.2, 0.8, 0.0], [0.7, 0.1, 0.2]], false);
    let second = ner(&[[0.6, 0.3, 0.1], [0.1, 0.1, 0.8]], false);
    let g = [0.5, 0.25, 0.75];
    let experts = [Some(&first), Some(&second)];
    let prediction = entities(Some(&g), &experts, &["text", "image"], 2, Decode::Marginals);
    // Word 0: O .5·.2+.5·.6 = .4, B .25·.8+.75·.3 = .425, I .75·0+.25·.1 = .025.
    // Word 1: O .5·.7+.5·.1 = .4, B .25·.1+.75·.1 = .1, I .75·.2+.25·.8 = .35.
    let Some(Mixture::Words(mixture)) = &prediction.mixture else {
        panic!("no mixture")
    };
    let expected = [[0.4, 0.425, 0.025], [0.4, 0.1, 0.35]];
    for (row, expected) in mixture.iter().zip(expected) {
        for (got, expected) in row.iter().zip(expected) {
            assert!((got - expected).abs() < 1e-12, "{mixture:?}");
        }
    }
    assert_eq!(
        prediction.labels.as_deref(),
        Some(&["B-PER".to_owned(), "O".to_owned()][..])
    );
    let entity = &prediction.entities.as_ref().unwrap()[0];
    assert!((entity.score - 0.425 / 0.85).abs() < 1e-12);
    // g at the predicted labels: B-PER .25, O .5.
    let gate = prediction.gate.unwrap();
    assert!((gate.get("text").unwrap() - 0.375).abs() < 1e-12);
    assert!((gate.get("image").unwrap() - 0.625).abs() < 1e-12);
}

#[test]
fn the_score_of_an_entity_is_the_mean_over_its_words() {
    let only = ner(&[[0.1, 0.9, 0.0], [0.2, 0.1, 0.7]], false);
    let prediction = entities(None, &[Some(&only)], &["text"], 2, Decode::Marginals);
    let entity = &prediction.entities.unwrap()[0];
    assert_eq!(
        (entity.start, entity.end, entity.text.as_str()),
        (0, 2, "w0 w1")
    );
    assert!((entity.score - 0.8).abs() < 1e-12);
    assert_eq!(prediction.gate, None);
}

#[test]
fn words_that_did_not_fit_are_outside_and_noted() {
    let only = ner(&[[0.1, 0.9, 0.0]], true);
    let prediction = entities(None, &[Some(&only)], &["text"], 3, Decode::Marginals);
    assert_eq!(prediction.labels.unwrap(), ["B-PER", "O", "O"]);
    assert_eq!(prediction.notes, ["truncated"]);
    let Some(Mixture::Words(mixture)) = prediction.mixture else {
        panic!("no mixture")
    };
    assert_eq!(mixture.len(), 1);
}

#[test]
fn a_word_that_one_expert_did_not_see_is_the_others() {
    let short = ner(&[[0.1, 0.9, 0.0]], true);
    let long = ner(&[[0.9, 0.1, 0.0], [0.2, 0.8, 0.0]], false);
    let half = [0.5; 3];
    let experts = [Some(&short), Some(&long)];
    let prediction = entities(Some(&half), &experts, &["a", "b"], 2, Decode::Marginals);
    assert_eq!(prediction.labels.unwrap(), ["O", "B-PER"]);
    assert_eq!(prediction.gate.unwrap().get("a"), Some(&0.5));
}

#[test]
fn an_expert_that_did_not_run_leaves_the_answer_to_the_other() {
    let only = ner(&[[0.1, 0.9, 0.0]], false);
    let prediction = entities(
        None,
        &[None, Some(&only)],
        &["a", "b"],
        1,
        Decode::Marginals,
    );
    assert_eq!(prediction.labels.unwrap(), ["B-PER"]);
    assert_eq!(prediction.gate, None);
}

#[test]
fn viterbi_chooses_the_labels_and_marginals_the_score() {
    let mut only = ner(&[[0.5, 0.3, 0.2], [0.4, 0.25, 0.35]], false);
    only.viterbi = Some(vec![1, 2]);
    let prediction = entities(None, &[Some(&only)], &["text"], 2, Decode::Viterbi);
    assert_eq!(prediction.labels.unwrap(), ["B-PER", "I-PER"]);
    assert!((prediction.entities.unwrap()[0].score - (0.3 + 0.35) / 2.0).abs() < 1e-12);
}

#[test]
fn a_sentence_of_no_words_has_no_gate() {
    let nothing = ner(&[], false);
    let experts = [Some(&nothing), Some(&nothing)];
    let prediction = entities(Some(&[0.5; 3]), &experts, &["a", "b"], 0, Decode::Marginals);
    assert_eq!(
        (prediction.labels, prediction.gate),
        (Some(Vec::new()), None)
    );
}

fn relation(weights: Option<&[f64]>, experts: &[Option<&ReOutput>], names: &[&str]) -> Prediction {
    let labels = ["None", "peer"].map(str::to_owned);
    let fuser = Fuser {
        labels: &labels,
        weights,
    };
    let mut prediction = Prediction::default();
    fuser.relation(experts, names, &mut prediction);
    prediction
}

#[test]
fn relations_are_mixed_and_the_gate_is_that_of_the_answer() {
    let (first, second) = (re(&[0.9, 0.1]), re(&[0.2, 0.8]));
    let g = [0.25, 0.5];
    let prediction = relation(Some(&g), &[Some(&first), Some(&second)], &["text", "image"]);
    // None .25·.9+.75·.2 = .375, peer .5·.1+.5·.8 = .45.
    let relation = prediction.relation.unwrap();
    assert_eq!(relation.kind, "peer");
    assert!((relation.score - 0.45 / 0.825).abs() < 1e-12);
    assert_eq!(prediction.gate.unwrap().get("text"), Some(&0.5));
}

#[test]
fn a_relation_that_does_not_fit_is_none_and_noted() {
    let nothing = re(&[]);
    let prediction = relation(None, &[Some(&nothing)], &["text"]);
    let answer = prediction.relation.unwrap();
    assert_eq!((answer.kind.as_str(), answer.score), ("None", 0.0));
    assert!(
        prediction.notes.contains(&"truncated".to_owned()),
        "{:?}",
        prediction.notes
    );
    assert!(prediction.notes.iter().any(|note| note.contains("`text`")));
    // The other expert answers alone where the pair fits there.
    let other = re(&[0.3, 0.7]);
    let prediction = relation(
        Some(&[0.5; 2]),
        &[Some(&nothing), Some(&other)],
        &["a", "b"],
    );
    assert_eq!(prediction.relation.unwrap().kind, "peer");
    assert_eq!(prediction.gate, None);
}

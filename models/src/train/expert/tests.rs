//! Against PyTorch, and against the expert that answers in a session.

use super::super::reference::{assert_is, compute, examples, number, parameters, stored};
use super::*;
use crate::error::ErrorKind;
use crate::expert::{Expert, NerQuery, ReQuery};
use crate::tokenizer::tests::SMALL;
use crate::weights::{Pooling, Precision, Weights, WeightsWriter};
use crate::xlmr::read;
use serde_json::{Value, json};

/// Nothing dropped, and no contexts to compare with.
const PLAIN: ExpertLoss = ExpertLoss {
    dropout: 0.0,
    word_dropout: 0.0,
    cross_view: 0.0,
    temperature: 1.0,
};

#[test]
fn losses_and_gradients_are_pytorchs() {
    let cases = stored("experts");
    let cases = cases.as_array().unwrap();
    assert_eq!(cases.len(), 6);
    for case in cases {
        let loss = ExpertLoss {
            cross_view: number(&case["cross_view"]),
            temperature: number(&case["temperature"]),
            ..PLAIN
        };
        let parameters = parameters(&case["meta"]);
        let examples = examples(&case["examples"]);
        let batch: Vec<&Example> = examples.iter().collect();
        let loss = loss.of(&parameters, &batch, 1, &Cancel::new()).unwrap();
        assert_is(case, &parameters, loss);
    }
}

/// What a model in training says of each unit of some inputs, `[w, t]` each.
fn emissions(parameters: &Parameters, inputs: &[&Input]) -> Vec<Vec<f32>> {
    let meta = parameters.meta();
    let model = Model {
        config: meta.xlmr().unwrap(),
        kind: meta.kind,
        labels: meta.labels.len(),
        source: parameters.source(0.0),
        device: parameters.differentiable().device().clone(),
        loss: &PLAIN,
        parameters,
    };
    let found = parameters
        .compute()
        .run(|| model.emissions(inputs, &Cancel::new()));
    let found = found.unwrap();
    let [_, w, t] = found.scores.dims();
    let all = read(found.scores.without_autodiff()).unwrap();
    let rows = all.chunks(w * t).zip(found.lengths);
    rows.map(|(row, length)| row[..length * t].to_vec())
        .collect()
}

/// The expert with these parameters.
fn expert(parameters: &Parameters) -> Expert {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("expert.weights");
    let tokenizer = Some(SMALL.as_bytes());
    let mut writer = WeightsWriter::create(&path, parameters.meta(), tokenizer).unwrap();
    for (name, shape) in parameters.shapes() {
        let values = parameters.values(name).unwrap();
        writer.tensor(name, shape, Precision::F32, &values).unwrap();
    }
    writer.finish().unwrap();
    let weights = Weights::open(&path, Default::default()).unwrap();
    Expert::load(weights, &compute(), None).unwrap()
}

fn assert_same(what: &str, got: &[f32], want: &[f32]) {
    assert_eq!(got.len(), want.len(), "{what}");
    for (got, want) in got.iter().zip(want) {
        assert!((got - want).abs() < 1e-4, "{what}: {got}, not {want}");
    }
}

/// The described model of a case, with some keys of its configuration changed.
fn changed(case: usize, changes: &Value) -> Value {
    let mut meta = stored("experts")[case]["meta"].clone();
    for (key, value) in changes.as_object().unwrap() {
        meta["architecture"]["xlmr"][key] = value.clone();
    }
    meta
}

#[test]
fn words_of_a_padded_batch_have_the_emissions_that_the_runtime_gives() {
    let sentences: [(&[&str], &[&str]); 4] = [
        (&["a", "ab", "b"], &["b a"]),
        (&["b"], &[]),
        (&["ab"; 4], &["b b b"]),
        (&["bab", "a"], &[]),
    ];
    let queries = sentences.map(|(words, contexts)| NerQuery { words, contexts });
    for pooling in [Pooling::First, Pooling::Last, Pooling::Mean] {
        for head_norm in [false, true] {
            let changes = json!({"pooling": pooling, "head_norm": head_norm, "max_length": 12});
            let parameters = parameters(&changed(0, &changes));
            let expert = expert(&parameters);
            let answers = expert.ner_batch(&queries, &Cancel::new());
            let answers: Vec<_> = answers.into_iter().map(Result::unwrap).collect();
            let inputs: Vec<&Input> = answers.iter().map(|answer| &answer.input).collect();
            assert!(
                inputs
                    .iter()
                    .any(|input| input.ids.len() != inputs[0].ids.len())
            );
            assert!(inputs[0].words.iter().any(|word| word.len() > 1));
            for (got, answer) in emissions(&parameters, &inputs).iter().zip(&answers) {
                assert_same(&pooling.to_string(), got, &answer.emissions.concat());
            }
        }
    }
}

#[test]
fn pairs_of_a_padded_batch_have_the_logits_that_the_runtime_gives() {
    let words = ["a", "b", "ab", "a"];
    let query = |subject, object, count: usize| ReQuery {
        words: &words[..count],
        subject,
        object,
        contexts: &["b"][..],
    };
    // The markers of `SMALL` are three ids each.
    let queries = [
        query(0..1, 1..2, 2),
        query(1..2, 0..1, 2),
        query(1..2, 2..3, 4),
    ];
    for pooling in [Pooling::First, Pooling::Mean] {
        let changes = json!({
            "pooling": pooling, "max_length": 30, "max_position_embeddings": 32,
        });
        let parameters = parameters(&changed(2, &changes));
        let expert = expert(&parameters);
        let answers = expert.re_batch(&queries, &Cancel::new());
        let answers: Vec<_> = answers.into_iter().map(Result::unwrap).collect();
        let inputs: Vec<&Input> = answers.iter().map(|answer| &answer.input).collect();
        for (got, answer) in emissions(&parameters, &inputs).iter().zip(&answers) {
            assert_same(&pooling.to_string(), got, &answer.logits);
        }
        assert_ne!(answers[0].logits, answers[1].logits);
    }
}

#[test]
fn what_is_dropped_changes_the_loss() {
    let case = &stored("experts")[0];
    let parameters = parameters(&case["meta"]);
    let examples = examples(&case["examples"]);
    let batch: Vec<&Example> = examples.iter().collect();
    let value = |loss: ExpertLoss| {
        let loss = loss.of(&parameters, &batch, 3, &Cancel::new());
        loss.unwrap().value().unwrap()
    };
    let undropped = value(PLAIN);
    // Burn's generator is global, and other tests draw from it at the same time. That a run is repeated to the bit is
    // told by `tests/tests/training`.
    for (dropout, word_dropout) in [(0.5, 0.0), (0.0, 0.5)] {
        let loss = ExpertLoss {
            dropout,
            word_dropout,
            ..PLAIN
        };
        let value = value(loss);
        assert!(value.is_finite() && value != undropped, "{value}");
    }
}

#[test]
fn refuses_batches_that_do_not_fit_the_model() {
    let case = &stored("experts")[0];
    let parameters = parameters(&case["meta"]);
    let good = examples(&case["examples"]).swap_remove(0);
    let damaged = |damage: fn(&mut Example)| {
        let mut example = good.clone();
        damage(&mut example);
        example
    };
    let cases = [
        (
            "expected 3 labels",
            damaged(|example| example.gold.truncate(2)),
        ),
        ("below 3", damaged(|example| example.gold[1] = 3)),
        (
            "expected 0 labels",
            damaged(|example| example.input.words.clear()),
        ),
        ("has 14 rows", damaged(|example| example.input.ids[2] = 14)),
    ];
    let of = |batch: &[&Example]| PLAIN.of(&parameters, batch, 0, &Cancel::new()).map(drop);
    for (part, example) in cases {
        let error = of(&[&good, &example]).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Input);
        assert!(error.to_string().contains(part), "{error}");
    }
    assert!(of(&[]).is_err());
    let cancel = Cancel::new();
    cancel.cancel();
    let error = PLAIN
        .of(&parameters, &[&good], 0, &cancel)
        .map(drop)
        .unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Cancelled);
}

#[test]
fn an_example_without_its_plain_input_has_no_cross_view_loss() {
    let case = &stored("experts")[0];
    let parameters = parameters(&case["meta"]);
    let mut examples = examples(&case["examples"]);
    let loss = ExpertLoss {
        cross_view: 1.0,
        ..PLAIN
    };
    examples[1].plain = None;
    let batch: Vec<&Example> = examples.iter().collect();
    let loss = loss.of(&parameters, &batch, 0, &Cancel::new()).unwrap();
    assert_is(case, &parameters, loss);
}

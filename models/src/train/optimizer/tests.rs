//! Against PyTorch's AdamW.

use super::super::reference::{
    assert_near, examples, number, numbers, parameters, singles, stored,
};
use super::super::{Example, ExpertLoss};
use super::*;
use crate::cancel::Cancel;
use crate::error::ErrorKind;
use serde_json::Value;

const LOSS: ExpertLoss = ExpertLoss {
    dropout: 0.0,
    word_dropout: 0.0,
    cross_view: 0.0,
    temperature: 1.0,
};

fn accumulate(optimizer: &mut Optimizer, parameters: &Parameters, batch: &[Example]) {
    let batch: Vec<&Example> = batch.iter().collect();
    let loss = LOSS.of(parameters, &batch, 0, &Cancel::new()).unwrap();
    optimizer.accumulate(parameters, loss).unwrap();
}

/// The rate of a step for each tensor: the CRF learns faster.
fn rates(rate: f64) -> impl Fn(&str) -> f64 {
    move |name| {
        if name.starts_with("crf.") {
            5.0 * rate
        } else {
            rate
        }
    }
}

/// Takes the two steps of `training.py`, the second over two batches. `between` is done after the first.
fn steps(
    stored: &Value,
    between: impl FnOnce(Optimizer, Parameters) -> (Optimizer, Parameters),
) -> (Optimizer, Parameters) {
    let mut parameters = parameters(&stored["meta"]);
    let examples = examples(&stored["examples"]);
    let mut optimizer = Optimizer::new(number(&stored["weight_decay"]) as f32);
    let (clip, norms) = (number(&stored["clip"]), numbers(&stored["norms"]));
    let step = |optimizer: &mut Optimizer, parameters: &mut Parameters, at: usize| {
        let rate = rates(number(&stored["rates"][at]));
        let norm = optimizer.step(parameters, at + 1, clip, rate).unwrap();
        assert_near("norm", &[norm as f32], &[norms[at]]);
    };
    accumulate(&mut optimizer, &parameters, &examples);
    step(&mut optimizer, &mut parameters, 0);
    let (mut optimizer, mut parameters) = between(optimizer, parameters);
    accumulate(&mut optimizer, &parameters, &examples[..2]);
    accumulate(&mut optimizer, &parameters, &examples[2..]);
    step(&mut optimizer, &mut parameters, 1);
    (optimizer, parameters)
}

#[test]
fn two_steps_are_pytorchs() {
    let stored = stored("steps");
    let (optimizer, parameters) = steps(&stored, |optimizer, parameters| (optimizer, parameters));
    for (name, want) in stored["values"].as_object().unwrap() {
        assert_near(name, &parameters.values(name).unwrap(), &numbers(want));
    }
    for (name, want) in stored["first"].as_object().unwrap() {
        let moments = optimizer.moments(name).unwrap().unwrap();
        assert_eq!(moments.time, 2);
        assert_near(name, &moments.first, &numbers(want));
        assert_near(name, &moments.second, &numbers(&stored["second"][name]));
    }
}

#[test]
fn what_is_written_down_between_two_steps_goes_on_with_the_same_bits() {
    let stored = stored("steps");
    let all = |parameters: &Parameters| -> Vec<Vec<f32>> {
        let names = parameters.shapes().map(|(name, _)| name);
        names.map(|name| parameters.values(name).unwrap()).collect()
    };
    let (_, through) = steps(&stored, |optimizer, parameters| (optimizer, parameters));
    let (_, resumed) = steps(&stored, |old, before| {
        let mut parameters = parameters(&stored["meta"]);
        let mut optimizer = Optimizer::new(number(&stored["weight_decay"]) as f32);
        for (name, _) in before.shapes() {
            parameters.set(name, before.values(name).unwrap()).unwrap();
            if let Some(moments) = old.moments(name).unwrap() {
                optimizer.remember(&parameters, name, moments).unwrap();
            }
        }
        (optimizer, parameters)
    });
    assert_eq!(all(&through), all(&resumed));
}

#[test]
fn matrices_decay_and_vectors_do_not() {
    for name in [
        "embeddings.word",
        "layers.0.ffn.up.weight",
        "head.weight",
        "weight",
    ] {
        assert!(decays(name), "{name}");
    }
    for name in [
        "embeddings.norm.weight",
        "layers.3.attention.norm.weight",
        "text.layers.0.norm1.weight",
        "layers.0.ffn.up.bias",
        "vision.norm_pre.bias",
        "head.norm.weight",
        "bias",
        "crf.transitions",
        "crf.start",
    ] {
        assert!(!decays(name), "{name}");
    }
}

#[test]
fn a_loss_that_is_not_finite_is_refused_and_changes_nothing() {
    let stored = stored("steps");
    let mut parameters = parameters(&stored["meta"]);
    let examples = examples(&stored["examples"]);
    let before = parameters.values("head.weight").unwrap();
    parameters.set("head.bias", vec![f32::NAN; 3]).unwrap();
    let batch: Vec<&Example> = examples.iter().collect();
    let loss = LOSS.of(&parameters, &batch, 0, &Cancel::new()).unwrap();
    let mut optimizer = Optimizer::new(0.0);
    let error = optimizer.accumulate(&parameters, loss).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Input);
    assert!(error.to_string().contains("diverged"), "{error}");
    // Nothing waits for a step.
    let norm = optimizer.step(&mut parameters, 1, 1.0, |_| 1.0).unwrap();
    assert_eq!(norm, 0.0);
    assert_eq!(parameters.values("head.weight").unwrap(), before);
}

#[test]
fn moments_of_another_size_or_name_are_refused() {
    let stored = stored("steps");
    let parameters = parameters(&stored["meta"]);
    let mut optimizer = Optimizer::new(0.0);
    let first = singles(&stored["first"]["crf.transitions"]);
    let moments = |count: usize| Moments {
        time: 1,
        first: first.clone(),
        second: vec![1.0; count],
    };
    for (name, count) in [("crf.transitions", 8), ("crf.start", 9), ("crf.middle", 9)] {
        let error = optimizer.remember(&parameters, name, moments(count));
        assert_eq!(error.unwrap_err().kind(), ErrorKind::Input, "{name}");
    }
    assert!(
        optimizer
            .remember(&parameters, "crf.transitions", moments(9))
            .is_ok()
    );
    assert!(optimizer.moments("crf.start").unwrap().is_none());
}

//! Against PyTorch.

use super::super::reference::{assert_is, parameters, singles, stored};
use super::*;
use crate::error::ErrorKind;
use serde_json::Value;

fn observations(stored: &Value) -> Vec<Observation> {
    let observation = |value: &Value| Observation {
        first: singles(&value["first"]),
        second: singles(&value["second"]),
        gold: serde_json::from_value(value["gold"].clone()).unwrap(),
        features: singles(&value["features"]),
    };
    let all = stored["observations"].as_array().unwrap();
    all.iter().map(observation).collect()
}

#[test]
fn losses_and_gradients_are_pytorchs() {
    let stored = stored("gates");
    let observations = observations(&stored);
    let batch: Vec<&Observation> = observations.iter().collect();
    let cases = stored["cases"].as_array().unwrap();
    assert_eq!(cases.len(), 4);
    for case in cases {
        let loss = MixtureLoss {
            normalized: case["normalized"] == true,
        };
        let parameters = parameters(&case["meta"]);
        let loss = loss.of(&parameters, 3, &batch).unwrap();
        assert_is(case, &parameters, loss);
    }
}

#[test]
fn a_label_that_no_expert_gives_a_chance_leaves_the_loss_finite() {
    let stored = stored("gates");
    let mut observation = observations(&stored).swap_remove(1);
    let gold = observation.gold[0];
    observation.first[gold] = 0.0;
    observation.second[gold] = 0.0;
    for case in stored["cases"].as_array().unwrap() {
        let loss = MixtureLoss {
            normalized: case["normalized"] == true,
        };
        let parameters = parameters(&case["meta"]);
        let loss = loss.of(&parameters, 3, &[&observation]).unwrap();
        let value = loss.value().unwrap();
        assert!((20.0..30.0).contains(&value), "{value}");
    }
}

#[test]
fn refuses_observations_that_do_not_fit_the_gate() {
    let stored = stored("gates");
    let good = observations(&stored).swap_remove(0);
    let parameters = parameters(&stored["cases"][2]["meta"]);
    let loss = MixtureLoss { normalized: true };
    assert!(loss.of(&parameters, 3, &[&good]).is_ok());
    let damages: [fn(&mut Observation); 4] = [
        |one| one.first.truncate(1),
        |one| one.second.truncate(1),
        |one| one.gold[0] = 3,
        |one| one.features.truncate(1),
    ];
    for (at, damage) in damages.into_iter().enumerate() {
        let mut bad = good.clone();
        damage(&mut bad);
        let error = loss
            .of(&parameters, 3, &[&good, &bad])
            .map(drop)
            .unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Input, "{at}");
    }
    // A row for each of three labels, but two labels; and nothing to learn from.
    assert!(loss.of(&parameters, 2, &[&good]).is_err());
    assert!(loss.of(&parameters, 3, &[]).is_err());
}

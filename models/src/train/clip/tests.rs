//! Against PyTorch.

use super::super::reference::{assert_is, ids, number, parameters, stored};
use super::*;
use crate::error::ErrorKind;
use serde_json::Value;

/// `[3, 7, 7]` by the formula of `training.py`.
fn pixels(seed: &Value) -> Vec<f32> {
    let value = |i: u32| (number(seed) + 0.21 * f64::from(i * i)).sin() as f32;
    (0..3 * 7 * 7).map(value).collect()
}

fn pairs(case: &Value) -> Vec<Pair> {
    let pair = |value: &Value| Pair {
        ids: ids(&value["ids"]),
        views: value["seeds"]
            .as_array()
            .unwrap()
            .iter()
            .map(pixels)
            .collect(),
    };
    case["pairs"].as_array().unwrap().iter().map(pair).collect()
}

#[test]
fn losses_and_gradients_are_pytorchs() {
    let stored = stored("contrastive");
    let cases = stored["cases"].as_array().unwrap();
    assert_eq!(cases.len(), 3);
    for case in cases {
        let loss = ContrastiveLoss {
            temperature: number(&stored["temperature"]),
            views: number(&case["views"]),
            dropout: 0.0,
        };
        let parameters = parameters(&stored["meta"]);
        let pairs = pairs(case);
        let batch: Vec<&Pair> = pairs.iter().collect();
        let loss = loss.of(&parameters, &batch, 0, &Cancel::new()).unwrap();
        assert_is(case, &parameters, loss);
    }
}

#[test]
fn without_second_views_of_all_there_is_only_the_first_term() {
    let stored = stored("contrastive");
    let case = &stored["cases"][1];
    let parameters = parameters(&stored["meta"]);
    let mut pairs = pairs(case);
    pairs[0].views.truncate(1);
    let batch: Vec<&Pair> = pairs.iter().collect();
    let loss = ContrastiveLoss {
        temperature: number(&stored["temperature"]),
        views: 0.4,
        dropout: 0.0,
    };
    let loss = loss.of(&parameters, &batch, 0, &Cancel::new()).unwrap();
    assert_is(case, &parameters, loss);
}

#[test]
fn refuses_pairs_that_do_not_fit_the_model() {
    let stored = stored("contrastive");
    let parameters = parameters(&stored["meta"]);
    let good = pairs(&stored["cases"][0]).swap_remove(0);
    let loss = ContrastiveLoss {
        temperature: 0.07,
        views: 0.0,
        dropout: 0.0,
    };
    let of = |batch: &[&Pair]| loss.of(&parameters, batch, 0, &Cancel::new()).map(drop);
    assert!(of(&[&good]).is_ok());
    let damages: [fn(&mut Pair); 4] = [
        |pair| pair.ids.clear(),
        |pair| pair.ids.resize(8, 3),
        |pair| pair.views.clear(),
        |pair| pair.views[1].truncate(5),
    ];
    for (at, damage) in damages.into_iter().enumerate() {
        let mut bad = good.clone();
        damage(&mut bad);
        let error = of(&[&good, &bad]).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Input, "{at}");
    }
    assert!(of(&[]).is_err());
}

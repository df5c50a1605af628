//! What the tests of this folder share: what PyTorch said of training (`tests/reference/training.py`), and models whose
//! weights are its formula.

use std::collections::HashMap;
use std::ops::Range;

use serde_json::Value;

use super::{Example, Loss, Parameters};
use crate::device::{Compute, DeviceRequest};
use crate::error::{Error, Result};
use crate::input::Input;
use crate::weights::Meta;
use crate::xlmr::read;

/// A generator for inputs that are drawn: splitmix64.
pub(super) struct Random(pub(super) u64);

impl Random {
    /// From −1 to 1.
    pub(super) fn next(&mut self) -> f32 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        ((z ^ (z >> 31)) >> 40) as f32 / (1_u64 << 23) as f32 - 1.0
    }

    pub(super) fn many(&mut self, count: usize) -> Vec<f32> {
        (0..count).map(|_| self.next()).collect()
    }
}

pub(super) fn compute() -> Compute {
    Compute::with_threads(DeviceRequest::Cpu, Some(1)).unwrap()
}

/// A file that `training.py` wrote.
pub(super) fn stored(name: &str) -> Value {
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/../tests/data/training");
    let text = std::fs::read_to_string(format!("{folder}/{name}.json")).unwrap();
    serde_json::from_str(&text).unwrap()
}

pub(super) fn number(value: &Value) -> f64 {
    value.as_f64().unwrap()
}

pub(super) fn numbers(value: &Value) -> Vec<f64> {
    value.as_array().unwrap().iter().map(number).collect()
}

pub(super) fn singles(value: &Value) -> Vec<f32> {
    numbers(value).into_iter().map(|x| x as f32).collect()
}

pub(super) fn ids(value: &Value) -> Vec<u32> {
    serde_json::from_value(value.clone()).unwrap()
}

/// The model that `meta` describes, with the weights of the formula.
pub(super) fn parameters(meta: &Value) -> Parameters {
    let meta: Meta = serde_json::from_value(meta.clone()).unwrap();
    let mut place = 0_u32;
    let mut values = |name: &str, shape: &[u64]| {
        let is_norm = name.contains("norm") && name.ends_with(".weight");
        let (k, one) = (f64::from(place), f64::from(u8::from(is_norm)));
        place += 1;
        let value = |i: u64| ((k + 0.37 * (i * i) as f64).sin() / 2.0 + one) as f32;
        Ok::<_, Error>((0..shape.iter().product()).map(value).collect())
    };
    Parameters::new(meta, &compute(), &mut values).unwrap()
}

/// The examples of a case.
pub(super) fn examples(value: &Value) -> Vec<Example> {
    let range = |pair: &Value| -> Range<usize> {
        let [start, end] = serde_json::from_value(pair.clone()).unwrap();
        start..end
    };
    let input = |value: &Value| Input {
        ids: ids(&value["ids"]),
        words: value["words"]
            .as_array()
            .unwrap()
            .iter()
            .map(range)
            .collect(),
        markers: (value["markers"].as_array()).map(|pair| [range(&pair[0]), range(&pair[1])]),
        truncated: false,
    };
    let example = |value: &Value| Example {
        input: input(&value["input"]),
        plain: Some(input(&value["plain"])),
        gold: serde_json::from_value(value["gold"].clone()).unwrap(),
    };
    value.as_array().unwrap().iter().map(example).collect()
}

/// The gradient of every tensor that has one, by name.
pub(super) fn gradients(parameters: &Parameters, loss: Loss) -> HashMap<String, Vec<f32>> {
    let taken: Result<_> = parameters.compute().run(|| {
        let mut gradients = loss.0.backward();
        let mut taken = HashMap::new();
        for parameter in parameters.list() {
            if let Some(gradient) = parameter.value.grad_remove(&mut gradients) {
                taken.insert(parameter.name.clone(), read(gradient)?);
            }
        }
        Ok(taken)
    });
    taken.unwrap()
}

/// Asserts that numbers are apart by at most 1e-4 of the largest.
#[track_caller]
pub(super) fn assert_near(what: &str, got: &[f32], want: &[f64]) {
    assert_eq!(got.len(), want.len(), "{what}");
    let largest = want.iter().fold(1e-6_f64, |most, x| most.max(x.abs()));
    for (at, (&got, want)) in got.iter().zip(want).enumerate() {
        let apart = (f64::from(got) - want).abs();
        assert!(apart <= 1e-4 * largest, "{what}[{at}]: {got} for {want}");
    }
}

/// Asserts that a loss and its gradients are those of a case. A key of `gradients` is a tensor's name or its number.
#[track_caller]
pub(super) fn assert_is(case: &Value, parameters: &Parameters, loss: Loss) {
    let name = case["name"].as_str().unwrap();
    let value = loss.value().unwrap() as f32;
    assert_near(&format!("{name}: loss"), &[value], &[number(&case["loss"])]);
    let got = gradients(parameters, loss);
    let squares = got.values().flatten().map(|&x| f64::from(x).powi(2));
    let norm = squares.sum::<f64>().sqrt() as f32;
    assert_near(&format!("{name}: norm"), &[norm], &[number(&case["norm"])]);
    let looked_at = case["gradients"].as_object().unwrap();
    assert!(looked_at.len() > 1, "{name}");
    for (key, want) in looked_at {
        let tensor = match key.parse::<usize>() {
            Ok(place) => &parameters.list()[place].name,
            Err(_) => key,
        };
        assert_near(&format!("{name}: {tensor}"), &got[tensor], &numbers(want));
    }
}

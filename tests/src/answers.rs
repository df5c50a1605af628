//! Answers of the reference held against predictions.

use serde_json::Value;

/// How far a number may lie from the reference. All absolute, except on a GPU the scores.
#[derive(Clone, Copy, Debug)]
pub struct Tolerances {
    /// Marginals, mixtures without a picture, entity scores.
    pub probabilities: f64,
    /// Emissions and logits.
    pub scores: f64,
    /// Scores are compared relative to the largest of their row where this is true.
    pub relative: bool,
    /// CLIP's text features.
    pub clip_text: f64,
    /// Whatever follows a resized picture.
    pub picture: f64,
    /// How close the two best labels of a word may be before it is left open which one is right. 0: every
    /// label must be equal.
    pub tie: f64,
}

impl Tolerances {
    /// `f32` on the CPU.
    pub const CPU: Self = Self {
        probabilities: 2e-5,
        scores: 2e-4,
        relative: false,
        clip_text: 2e-5,
        picture: 1e-3,
        tie: 0.0,
    };

    /// `f32` on wgpu, whose attention works on fragments of f16.
    pub const WGPU: Self = Self {
        probabilities: 1e-3,
        scores: 1e-2,
        relative: true,
        clip_text: 1e-3,
        picture: 2e-3,
        tie: 2e-3,
    };
}

/// What did not agree, collected over a whole case, so that one run shows everything.
#[derive(Debug, Default)]
pub struct Failures(Vec<String>);

impl Failures {
    /// Adds one.
    pub fn push(&mut self, message: String) {
        self.0.push(message);
    }

    /// Panics with all of them, if there are any.
    #[track_caller]
    pub fn check(self, case: &str) {
        let shown: Vec<_> = self.0.iter().take(40).map(String::as_str).collect();
        assert!(
            self.0.is_empty(),
            "{case}: {} differences\n{}",
            self.0.len(),
            shown.join("\n")
        );
    }

    fn equal(&mut self, at: &str, got: &Value, want: &Value) {
        if got != want {
            self.push(format!("{at}: got {got}, expected {want}"));
        }
    }

    fn close(&mut self, at: &str, got: &Value, want: &Value, tolerance: f64) {
        if let Err(message) = close(got, want, tolerance) {
            self.push(format!("{at}: {message}"));
        }
    }
}

/// The numbers of a value, nested or not, in order.
pub fn numbers(value: &Value) -> Vec<f64> {
    match value {
        Value::Array(items) => items.iter().flat_map(numbers).collect(),
        Value::Number(number) => number.as_f64().into_iter().collect(),
        _ => Vec::new(),
    }
}

/// Whether two nested lists of numbers have the same shape and lie within `tolerance`, element by element.
///
/// # Errors
/// Where they differ most, or in shape.
pub fn close(got: &Value, want: &Value, tolerance: f64) -> Result<(), String> {
    if shape(got) != shape(want) {
        return Err(format!(
            "shape {:?}, expected {:?}",
            shape(got),
            shape(want)
        ));
    }
    let (got, want) = (numbers(got), numbers(want));
    let worst = got
        .iter()
        .zip(&want)
        .map(|(a, b)| (a - b).abs())
        .enumerate()
        .max_by(|a, b| a.1.total_cmp(&b.1));
    match worst {
        Some((i, far)) if far > tolerance || far.is_nan() => Err(format!(
            "number {i} is {}, expected {}: {far:.1e} apart, allowed {tolerance:.1e}",
            got[i], want[i]
        )),
        _ => Ok(()),
    }
}

/// The lengths of nested lists; uneven ones are spelled out.
fn shape(value: &Value) -> Value {
    match value {
        Value::Array(items) => {
            let inner: Vec<Value> = items.iter().map(shape).collect();
            match inner.first() {
                Some(first) if inner.iter().all(|shape| shape == first) => {
                    serde_json::json!([items.len(), first])
                }
                _ => serde_json::json!([items.len(), inner]),
            }
        }
        Value::Number(_) => Value::Null,
        other => other.clone(),
    }
}

/// Holds a prediction with full detail against the reference's answer to the same query.
pub fn compare(got: &Value, want: &Value, allowed: &Tolerances, failures: &mut Failures) {
    let id = want["id"].as_str().unwrap_or_default().to_owned();
    let at = |key: &str| format!("{id}.{key}");
    failures.equal(&at("id"), &got["id"], &want["id"]);
    let fused = want.get("gate").is_some();
    let probabilities = if fused {
        allowed.picture
    } else {
        allowed.probabilities
    };

    for key in ["labels", "viterbi"] {
        if let Some(labels) = want.get(key) {
            compare_labels(
                &at(key),
                &got[key],
                labels,
                &want["mixture"],
                fused,
                allowed,
                failures,
            );
        }
    }
    if let Some(entities) = want.get("entities")
        && got["labels"] == want["labels"]
    {
        compare_entities(
            &at("entities"),
            &got["entities"],
            entities,
            probabilities,
            failures,
        );
    }
    if let Some(relation) = want.get("relation") {
        failures.equal(
            &at("relation.type"),
            &got["relation"]["type"],
            &relation["type"],
        );
        if let Some(score) = relation.get("score") {
            failures.close(
                &at("relation.score"),
                &got["relation"]["score"],
                score,
                probabilities,
            );
        }
    }
    if let Some(mixture) = want.get("mixture") {
        failures.close(&at("mixture"), &got["mixture"], mixture, probabilities);
    }
    for (key, tolerance) in [
        ("gate_text", allowed.picture),
        ("clip_text", allowed.clip_text),
        ("clip_image", allowed.picture),
    ] {
        if let Some(values) = want.get(key) {
            failures.close(&at(key), &got[key], values, tolerance);
        }
    }
    if let Some(gate) = want.get("gate").and_then(Value::as_object) {
        for (name, value) in gate {
            let at = at(&format!("gate.{name}"));
            failures.close(&at, &got["gate"][name], value, allowed.picture);
        }
    }
    compare_notes(&at("notes"), &got["notes"], &want["noted"], failures);

    let Some(experts) = want["experts"].as_object() else {
        return;
    };
    let names = |value: &Value| -> Vec<String> {
        let object = value.as_object();
        let mut names: Vec<String> = object
            .into_iter()
            .flatten()
            .map(|(k, _)| k.clone())
            .collect();
        names.sort();
        names
    };
    if names(&got["experts"]) != names(&want["experts"]) {
        failures.push(format!(
            "{}: {:?} ran, expected {:?}",
            at("experts"),
            names(&got["experts"]),
            names(&want["experts"])
        ));
    }
    for (name, expert) in experts {
        compare_expert(
            &at(&format!("experts.{name}")),
            &got["experts"][name],
            expert,
            allowed,
            failures,
        );
    }
}

fn compare_expert(
    at: &str,
    got: &Value,
    want: &Value,
    allowed: &Tolerances,
    failures: &mut Failures,
) {
    failures.equal(
        &format!("{at}.input_ids"),
        &got["input_ids"],
        &want["input_ids"],
    );
    for key in ["emissions", "logits"] {
        match want.get(key) {
            Some(Value::Null) | None => {}
            Some(values) => {
                let largest = numbers(values).iter().fold(1.0f64, |a, b| a.max(b.abs()));
                let room = allowed.scores * if allowed.relative { largest } else { 1.0 };
                failures.close(&format!("{at}.{key}"), &got[key], values, room);
            }
        }
    }
    if let Some(marginals) = want.get("marginals") {
        failures.close(
            &format!("{at}.marginals"),
            &got["marginals"],
            marginals,
            allowed.probabilities,
        );
    }
    for key in ["labels", "viterbi"] {
        if let Some(labels) = want.get(key) {
            // A path may be the second best by less than any single word shows.
            let tie = allowed.tie > 0.0 && key == "viterbi";
            if !tie {
                let rows = &want["marginals"];
                compare_labels(
                    &format!("{at}.{key}"),
                    &got[key],
                    labels,
                    rows,
                    false,
                    allowed,
                    failures,
                );
            }
        }
    }
}

/// Labels must be equal, except on words where the reference itself nearly cannot tell.
fn compare_labels(
    at: &str,
    got: &Value,
    want: &Value,
    rows: &Value,
    fused: bool,
    allowed: &Tolerances,
    failures: &mut Failures,
) {
    let tie = if fused {
        allowed.tie.max(2.0 * allowed.picture)
    } else {
        allowed.tie
    };
    if tie == 0.0 {
        return failures.equal(at, got, want);
    }
    let (got, want) = (list(got), list(want));
    if got.len() != want.len() {
        return failures.push(format!(
            "{at}: {} labels, expected {}",
            got.len(),
            want.len()
        ));
    }
    for (i, (a, b)) in got.iter().zip(want).enumerate() {
        let mut row = numbers(&rows[i]);
        row.sort_by(|x, y| y.total_cmp(x));
        let decided = row.len() < 2 || row[0] - row[1] > tie;
        if decided && a != b {
            failures.push(format!("{at}[{i}]: got {a}, expected {b}"));
        }
    }
}

fn compare_entities(at: &str, got: &Value, want: &Value, tolerance: f64, failures: &mut Failures) {
    let (got, want) = (list(got), list(want));
    if got.len() != want.len() {
        return failures.push(format!(
            "{at}: {} of them, expected {}",
            got.len(),
            want.len()
        ));
    }
    for (i, (a, b)) in got.iter().zip(want).enumerate() {
        for key in ["type", "start", "end", "text"] {
            failures.equal(&format!("{at}[{i}].{key}"), &a[key], &b[key]);
        }
        failures.close(
            &format!("{at}[{i}].score"),
            &a["score"],
            &b["score"],
            tolerance,
        );
    }
}

/// Every word that must be noted stands in some note, and where nothing must be noted, nothing says that it
/// was truncated.
fn compare_notes(at: &str, got: &Value, want: &Value, failures: &mut Failures) {
    let notes: Vec<&str> = list(got).iter().filter_map(Value::as_str).collect();
    let expected: Vec<&str> = list(want).iter().filter_map(Value::as_str).collect();
    for word in &expected {
        if !notes.iter().any(|note| note.contains(word)) {
            failures.push(format!("{at}: nothing about {word:?} in {notes:?}"));
        }
    }
    if !expected.contains(&"truncated") && notes.iter().any(|note| note.contains("truncated")) {
        failures.push(format!("{at}: {notes:?}, but everything fits"));
    }
}

fn list(value: &Value) -> &[Value] {
    value.as_array().map_or(&[], Vec::as_slice)
}

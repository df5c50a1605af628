//! Two measurements side by side: ratios of medians, and how sure they are.

use super::output::Output;
use super::random::below;
use crate::cli::table::table;
use crate::cli::{Console, Failure, Outcome, print, print_json};
use crate::{Error, Named};
use serde::Serialize;
use serde_json::Value;
use std::path::Path;

/// How often both sides are drawn again, with replacement, for the interval.
const RESAMPLES: usize = 2000;

/// The most bytes of a measurement that are read: some millions of samples.
const LIMIT: u64 = 256 << 20;

/// One module in both measurements; times in µs.
#[derive(Debug, PartialEq, Serialize)]
struct Pair {
    a: f64,
    b: f64,
    /// The median of B over that of A: under 1, B is faster.
    ratio: f64,
    /// The 95 % interval of the ratio, by bootstrap.
    low: f64,
    high: f64,
    /// Whether it is slower by more than was allowed, and slower beyond doubt.
    failed: bool,
}

#[derive(Serialize)]
struct Comparison {
    a: String,
    b: String,
    /// What differs between them and is no time: another device, another machine.
    differences: Vec<String>,
    modules: Named<Pair>,
}

/// Prints the ratios. An error where a module of B is slower than that of A by more than `fail_over`, a share.
pub(super) fn run(
    a: &Path,
    b: &Path,
    fail_over: Option<f64>,
    output: Output,
    console: &Console,
) -> Outcome {
    let (read_a, read_b) = (read(a)?, read(b)?);
    let (rows_a, rows_b) = (samples(&read_a), samples(&read_b));
    let mut modules = Named::new();
    for (name, ours) in rows_a.iter() {
        if let Some(theirs) = rows_b.get(name)
            && let Some(pair) = Pair::of(ours, theirs, fail_over)
        {
            modules.push(name, pair);
        }
    }
    if modules.is_empty() {
        let message = format!(
            "{} and {} have no module in common: expected two files of `morelet bench -o json`",
            a.display(),
            b.display()
        );
        return Err(Error::input(message).into());
    }
    let failed: Vec<String> = modules
        .iter()
        .filter(|(_, pair)| pair.failed)
        .map(|(name, pair)| format!("{name} ({:.2})", pair.ratio))
        .collect();
    let comparison = Comparison {
        a: a.display().to_string(),
        b: b.display().to_string(),
        differences: differences(&read_a, &read_b),
        modules,
    };
    match output {
        Output::Json | Output::Jsonl => print_json(&comparison, console)?,
        Output::Md | Output::Table | Output::Csv => print(&show(&comparison, output))?,
        Output::Svg => {
            return Err(Failure::Usage("--compare makes no picture".to_owned()));
        }
    }
    if failed.is_empty() {
        Ok(())
    } else {
        let message = format!("slower by more than was allowed: {}", failed.join(", "));
        Err(Error::input(message).into())
    }
}

impl Pair {
    fn of(a: &[f64], b: &[f64], fail_over: Option<f64>) -> Option<Self> {
        if a.is_empty() || b.is_empty() {
            return None;
        }
        let (mut left, mut right) = (a.to_vec(), b.to_vec());
        let (median_a, median_b) = (median(&mut left), median(&mut right));
        let floor = |median: f64| median.max(f64::MIN_POSITIVE);
        // The same files give the same interval.
        let mut state = 0x6d6f_7265_6c65_7400;
        let mut drawn: Vec<f64> = (0..RESAMPLES)
            .map(|_| {
                for (sample, from) in [(&mut left, a), (&mut right, b)] {
                    for value in sample.iter_mut() {
                        *value = from[below(&mut state, from.len())];
                    }
                }
                median(&mut right) / floor(median(&mut left))
            })
            .collect();
        drawn.sort_by(f64::total_cmp);
        let ratio = median_b / floor(median_a);
        let (low, high) = (drawn[RESAMPLES / 40], drawn[RESAMPLES - 1 - RESAMPLES / 40]);
        Some(Self {
            a: median_a,
            b: median_b,
            ratio,
            low,
            high,
            failed: fail_over.is_some_and(|share| ratio > 1.0 + share && low > 1.0),
        })
    }
}

/// The middle, or the mean of the two in the middle, of at least one value.
fn median(values: &mut [f64]) -> f64 {
    values.sort_unstable_by(f64::total_cmp);
    let half = values.len() / 2;
    if values.len() % 2 == 1 {
        values[half]
    } else {
        (values[half - 1] + values[half]) / 2.0
    }
}

fn read(path: &Path) -> Result<Value, Failure> {
    let metadata = std::fs::metadata(path).map_err(|error| Error::io(path, error))?;
    if metadata.len() > LIMIT {
        let message = format!("{} bytes are no measurement", metadata.len());
        return Err(Error::input(message).at(path).into());
    }
    let text = std::fs::read(path).map_err(|error| Error::io(path, error))?;
    serde_json::from_slice(&text).map_err(|error| {
        let message = format!("expected a file of `morelet bench -o json`: {error}");
        Error::input(message).at(path).into()
    })
}

/// The samples of every row, by `module` or `group: module`.
fn samples(measured: &Value) -> Named<Vec<f64>> {
    let mut rows = Named::new();
    for group in ["modules", "alone", "batches"] {
        for (module, times) in measured[group].as_object().into_iter().flatten() {
            let samples = times["samples"].as_array().into_iter().flatten();
            let samples: Vec<f64> = samples.filter_map(Value::as_f64).collect();
            let name = match group {
                "modules" => module.clone(),
                group => format!("{group}: {module}"),
            };
            rows.push(name, samples);
        }
    }
    rows
}

fn differences(a: &Value, b: &Value) -> Vec<String> {
    let told = |value: &Value| match value {
        Value::Null => "nothing".to_owned(),
        Value::String(text) => text.clone(),
        other => other.to_string(),
    };
    [
        ("host", "/host/cpu"),
        ("cores", "/host/cores"),
        ("CPU features", "/host/features"),
        ("device", "/session/device/used"),
        ("device", "/device/used"),
        ("threads", "/session/device/threads"),
        ("threads", "/device/threads"),
        ("threads", "/threads"),
        ("effort", "/effort"),
        ("version", "/version"),
        ("commit", "/commit"),
        ("bundle", "/root"),
        ("precision", "/quantization"),
        ("tokens", "/tokens"),
    ]
    .into_iter()
    .filter_map(|(name, place)| {
        let [a, b] = [a, b].map(|value| value.pointer(place).unwrap_or(&Value::Null));
        (a != b).then(|| format!("{name}: {} and {}", told(a), told(b)))
    })
    .collect()
}

fn show(comparison: &Comparison, output: Output) -> String {
    let header = ["module", "A ms", "B ms", "B/A", "95 % from", "to", ""];
    let rows: Vec<Vec<String>> = comparison
        .modules
        .iter()
        .map(|(name, pair)| {
            let verdict = if pair.failed {
                "too slow"
            } else if pair.high < 1.0 {
                "faster"
            } else if pair.low > 1.0 {
                "slower"
            } else {
                ""
            };
            let ms = super::times::ms;
            let ratio = |ratio: f64| format!("{ratio:.3}");
            vec![
                name.to_owned(),
                ms(pair.a),
                ms(pair.b),
                ratio(pair.ratio),
                ratio(pair.low),
                ratio(pair.high),
                verdict.to_owned(),
            ]
        })
        .collect();
    let join = |separator: &str| -> String {
        let header = header.map(str::to_owned).to_vec();
        let lines = std::iter::once(&header).chain(&rows);
        lines
            .map(|row| format!("{}\n", row.join(separator)))
            .collect()
    };
    if output == Output::Csv {
        return join(",");
    }
    let mut text = format!("A: {}\nB: {}\n", comparison.a, comparison.b);
    for difference in &comparison.differences {
        text.push_str(&format!("differs: {difference}\n"));
    }
    text.push('\n');
    if output == Output::Md {
        let lines = join(" | ");
        for (i, line) in lines.lines().enumerate() {
            text.push_str(&format!("| {line} |\n"));
            if i == 0 {
                text.push_str("|---|---:|---:|---:|---:|---:|---|\n");
            }
        }
    } else {
        text.push_str(&table(&header, &[0, 6], &rows));
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn medians_are_those_of_numpy() {
        assert_eq!(median(&mut [3.0, 1.0, 2.0]), 2.0);
        assert_eq!(median(&mut [4.0, 1.0, 2.0, 3.0]), 2.5);
    }

    /// Steady sides have no doubt; the interval of noisy ones holds the truth and is no point.
    #[test]
    fn a_module_fails_only_where_it_is_slower_beyond_doubt() {
        let pair = |a: &[f64], b: &[f64]| Pair::of(a, b, Some(0.05)).unwrap();
        let steady = pair(&[100.0; 9], &[110.0; 9]);
        assert_eq!((steady.ratio, steady.low, steady.high), (1.1, 1.1, 1.1));
        assert!(steady.failed);
        assert!(!pair(&[100.0; 9], &[104.0; 9]).failed);
        assert!(!Pair::of(&[100.0; 9], &[300.0; 9], None).unwrap().failed);
        let noisy: Vec<f64> = (0..20).map(|n| 60.0 + 5.0 * f64::from(n)).collect();
        let shifted: Vec<f64> = noisy.iter().map(|value| value + 9.0).collect();
        let doubtful = pair(&noisy, &shifted);
        assert!(doubtful.ratio > 1.05 && doubtful.low < 1.0 && doubtful.high > 1.1);
        assert!(!doubtful.failed);
        assert_eq!(Pair::of(&[], &[1.0], None), None);
    }

    #[test]
    fn rows_of_all_groups_are_compared_and_other_conditions_told() {
        let measured = |cpu: &str| {
            json!({"host": {"cpu": cpu}, "modules": {"total": {"samples": [1, 2]}},
                "alone": {"clip_image": {"samples": [3]}}})
        };
        let (a, b) = (measured("x"), measured("y"));
        let rows = samples(&a);
        assert_eq!(rows.get("total"), Some(&vec![1.0, 2.0]));
        assert_eq!(rows.get("alone: clip_image"), Some(&vec![3.0]));
        assert_eq!(differences(&a, &b), ["host: x and y"]);
    }
}

//! What quantization cost, tensor by tensor and in sum: `--report`, and the table at the end.

use crate::commands::model::Verdict;
use morelet_models::weights::{ModelKind, Precision, TensorReport};
use morelet_models::{CompiledTokenizer, NotCompiled};
use serde::Serialize;
use std::collections::BTreeMap;
use std::fmt::Write as _;

/// The report of one conversion, as `--report` writes it.
#[derive(Debug, Serialize)]
pub(crate) struct Report {
    pub(crate) checkpoint: String,
    pub(crate) output: String,
    pub(crate) kind: ModelKind,
    /// Hash over the source's tensors.
    pub(crate) identity: String,
    /// Root hash of the output.
    pub(crate) root: String,
    pub(crate) quantization: String,
    /// Absent where the model has no tokenizer.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) tokenizer: Option<TokenizerReport>,
    pub(crate) tensors: Vec<Line>,
    pub(crate) totals: Totals,
    /// Tensors of the checkpoint that the output does not have.
    pub(crate) dropped: Vec<String>,
    /// What it cost in answers, where that was measured.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) gate: Option<Verdict>,
}

/// What became of the tokenizer.
#[derive(Debug, Serialize)]
pub(crate) struct TokenizerReport {
    /// Whether it was compiled, after it gave the same ids as `tokenizers`.
    compiled: bool,
    /// Why not.
    #[serde(skip_serializing_if = "Option::is_none")]
    reason: Option<String>,
}

/// One tensor.
#[derive(Debug, Serialize)]
pub(crate) struct Line {
    pub(crate) name: String,
    /// Its name in the checkpoint.
    pub(crate) source: String,
    pub(crate) shape: Vec<u64>,
    /// The type that it is stored in.
    #[serde(rename = "type")]
    pub(crate) precision: Precision,
    /// The type that it had in the checkpoint.
    pub(crate) source_type: &'static str,
    /// In the output, scales included.
    pub(crate) bytes: u64,
    /// ‖w − v‖ / ‖w‖ between the source w and the stored v.
    pub(crate) relative_error: f64,
    pub(crate) cosine: f64,
}

/// Sums over tensors, of all types and by type.
#[derive(Debug, Default, Serialize)]
pub(crate) struct Totals {
    #[serde(flatten)]
    all: Sum,
    types: BTreeMap<&'static str, Sum>,
}

#[derive(Clone, Debug, Default, Serialize)]
struct Sum {
    tensors: u64,
    weights: u64,
    bytes: u64,
    /// The largest relative error, and the tensor that has it.
    max_relative_error: f64,
    min_cosine: Option<f64>,
    worst: Option<String>,
}

impl TokenizerReport {
    pub(crate) fn new(compiled: &Result<CompiledTokenizer, NotCompiled>) -> Self {
        Self {
            compiled: compiled.is_ok(),
            reason: compiled.as_ref().err().map(ToString::to_string),
        }
    }
}

impl Line {
    pub(crate) fn new(
        name: &str,
        source: &str,
        source_type: &'static str,
        shape: &[u64],
        report: &TensorReport,
    ) -> Self {
        Self {
            name: name.to_owned(),
            source: source.to_owned(),
            shape: shape.to_vec(),
            precision: report.precision,
            source_type,
            bytes: report.bytes,
            relative_error: report.relative_error,
            cosine: report.cosine,
        }
    }
}

impl Totals {
    pub(crate) fn of(lines: &[Line]) -> Self {
        let mut totals = Self::default();
        for line in lines {
            totals.all.add(line);
            totals
                .types
                .entry(type_name(line.precision))
                .or_default()
                .add(line);
        }
        totals
    }

    /// The table for people.
    pub(crate) fn table(&self) -> String {
        let mut text = format!(
            "{:6}{:>9}{:>15}{:>16}  {}",
            "type", "tensors", "weights", "bytes", "largest error"
        );
        for (name, sum) in self
            .types
            .iter()
            .map(|(name, sum)| (*name, sum))
            .chain([("all", &self.all)])
        {
            let worst = match &sum.worst {
                Some(worst) => format!("{:.2e} in {worst}", sum.max_relative_error),
                None => "0".to_owned(),
            };
            // Writing to a string cannot fail.
            let _ = write!(
                text,
                "\n{name:6}{:>9}{:>15}{:>16}  {worst}",
                sum.tensors, sum.weights, sum.bytes
            );
        }
        text
    }
}

impl Sum {
    fn add(&mut self, line: &Line) {
        self.tensors += 1;
        self.weights += line.shape.iter().product::<u64>();
        self.bytes += line.bytes;
        if line.relative_error > self.max_relative_error {
            self.max_relative_error = line.relative_error;
            self.worst = Some(line.name.clone());
        }
        self.min_cosine = Some(
            self.min_cosine
                .map_or(line.cosine, |least| least.min(line.cosine)),
        );
    }
}

fn type_name(precision: Precision) -> &'static str {
    match precision {
        Precision::F32 => "f32",
        Precision::F16 => "f16",
        Precision::Q8 => "q8",
        Precision::Q4 => "q4",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn totals_are_by_type_and_name_the_worst() {
        let line = |name: &str, precision, shape: &[u64], bytes, relative_error, cosine| {
            Line::new(
                name,
                name,
                "f32",
                shape,
                &TensorReport {
                    precision,
                    bytes,
                    relative_error,
                    cosine,
                },
            )
        };
        let totals = Totals::of(&[
            line("a", Precision::F32, &[3], 12, 0.0, 1.0),
            line("b", Precision::Q8, &[2, 5], 18, 0.01, 0.9999),
            line("c", Precision::Q8, &[2, 5], 18, 0.02, 0.9998),
        ]);
        let json = serde_json::to_value(&totals).unwrap();
        assert_eq!(json["tensors"], 3);
        assert_eq!(json["weights"], 23);
        assert_eq!(json["bytes"], 48);
        assert_eq!(json["types"]["q8"]["worst"], "c");
        assert_eq!(json["types"]["q8"]["min_cosine"], 0.9998);
        assert_eq!(json["types"]["f32"]["max_relative_error"], 0.0);
        assert!(totals.table().contains("2.00e-2 in c"));
    }
}

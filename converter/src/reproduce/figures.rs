//! Numbers of several seeds, as one cell of a table.

use serde_json::Value;
use std::fmt;

/// One number for each seed.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Figures(pub(crate) Vec<f64>);

impl Figures {
    /// A number of each score, by its JSON pointer; those that have none are passed over.
    pub(crate) fn of(scores: &[Value], pointer: &str) -> Self {
        let numbers = scores
            .iter()
            .filter_map(|score| score.pointer(pointer)?.as_f64());
        Self(numbers.collect())
    }

    /// Their mean.
    pub(crate) fn mean(&self) -> f64 {
        self.0.iter().sum::<f64>() / self.0.len().max(1) as f64
    }

    /// Their standard deviation, with n − 1.
    pub(crate) fn deviation(&self) -> f64 {
        let mean = self.mean();
        let squares: f64 = self.0.iter().map(|x| (x - mean).powi(2)).sum();
        match self.0.len() {
            0 | 1 => 0.0,
            n => (squares / (n - 1) as f64).sqrt(),
        }
    }
}

impl fmt::Display for Figures {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0.len() {
            0 => f.write_str("–"),
            1 => write!(f, "{:.2}", self.mean()),
            _ => write!(f, "{:.2} ± {:.2}", self.mean(), self.deviation()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn mean_and_deviation_are_those_of_a_sample() {
        let scores = [
            json!({"a": {"f1": 1.0}}),
            json!({"a": {"f1": 2.0}}),
            json!({"a": {"f1": 6.0}}),
            json!({}),
        ];
        let figures = Figures::of(&scores, "/a/f1");
        // statistics.stdev([1, 2, 6]) of Python.
        assert_eq!(figures.mean(), 3.0);
        assert!((figures.deviation() - 2.6457513110645907).abs() < 1e-12);
        assert_eq!(figures.to_string(), "3.00 ± 2.65");
        assert_eq!(Figures::default().to_string(), "–");
    }
}

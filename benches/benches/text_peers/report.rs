//! What was measured, as tables and as JSON.

use std::fmt::Write;
use std::ops::Range;
use std::time::Duration;

use morelet_benches::Samples;
use serde_json::{Value, json};

use crate::Hit;

/// Queries that are reported together.
pub struct Set {
    /// Its name.
    pub name: String,
    /// Which of all queries are its.
    pub queries: Range<usize>,
}

/// The medians of an engine, a query each.
struct Row {
    engine: String,
    sentences: u64,
    wall: Vec<Duration>,
    cpu: Vec<Duration>,
}

/// What was measured.
pub struct Report {
    sets: Vec<Set>,
    passes: usize,
    rows: Vec<Row>,
    agreement: Vec<String>,
    /// By query, the scores of the first engine's best hit and of its last.
    scores: Vec<(f32, f32)>,
}

impl Report {
    /// Nothing yet.
    pub fn new(sets: Vec<Set>, passes: usize) -> Report {
        Report {
            sets,
            passes,
            rows: Vec::new(),
            agreement: Vec::new(),
            scores: Vec::new(),
        }
    }

    /// Adds the times of an engine, the first to be compared with those after it: by the wall and of the processor, of every
    /// query.
    pub fn add(&mut self, engine: &str, sentences: u64, times: Vec<(Samples, Samples)>) {
        self.rows.push(Row {
            engine: engine.to_owned(),
            sentences,
            wall: times.iter().map(|(wall, _)| wall.median()).collect(),
            cpu: times.iter().map(|(_, cpu)| cpu.median()).collect(),
        });
    }

    /// Compares everybody's hits with the first one's.
    pub fn agreement(&mut self, hits: &[(&str, Vec<Vec<Hit>>)]) {
        let Some(((first, ours), others)) = hits.split_first() else {
            return;
        };
        let score = |hit: Option<&Hit>| hit.map_or(0.0, |hit| hit.1);
        self.scores = ours
            .iter()
            .map(|hits| (score(hits.first()), score(hits.last())))
            .collect();
        for (name, theirs) in others {
            // tantivy's scores have the factor k1 + 1, which Lucene left out.
            let factor = if *name == "tantivy" { 2.2 } else { 1.0 };
            let (mut ids, mut scores, mut worst) = (0, 0, 0f64);
            for (ours, theirs) in ours.iter().zip(theirs) {
                ids += usize::from(
                    ours.iter()
                        .map(|hit| hit.0)
                        .eq(theirs.iter().map(|hit| hit.0)),
                );
                scores += usize::from(ours == theirs);
                for (ours, theirs) in ours.iter().zip(theirs) {
                    let expected = f64::from(ours.1) * factor;
                    worst = worst.max((f64::from(theirs.1) - expected).abs() / expected);
                }
                if ours.len() != theirs.len() {
                    worst = f64::INFINITY;
                }
            }
            self.agreement.push(format!(
                "{first} and {name}: of {} queries {ids} have the same sentences in the same order, {scores} with the same \
                 scores to the bit; the scores{} of a rank differ by at most {worst:.1e} of themselves",
                ours.len(),
                if factor == 1.0 { "" } else { " (times 2.2)" },
            ));
        }
    }

    /// Tables.
    pub fn markdown(&self) -> String {
        let mut out = String::new();
        // Writing into a string does not fail.
        for row in &self.rows {
            let _ = writeln!(out, "* {}: {} sentences", row.engine, row.sentences);
        }
        for line in &self.agreement {
            let _ = writeln!(out, "* {line}");
        }
        for set in &self.sets {
            let (best, last) = self.mean_scores(set);
            let _ = writeln!(
                out,
                "* {}: mean score of the best hit {best:.3}, of the last {last:.3}",
                set.name
            );
        }
        for (title, cpu) in [("Processor time", true), ("Time by the wall", false)] {
            let _ = writeln!(
                out,
                "\n{title}, µs a query, median of {} passes; in brackets the first one's share of it.\n",
                self.passes
            );
            let _ = writeln!(out, "| queries | n | engine | mean | p50 | p90 | p99 |");
            let _ = writeln!(out, "|---|---:|---|---:|---:|---:|---:|");
            for set in &self.sets {
                let first = self.rows.first().map(|row| row.figures(set, cpu));
                for (number, row) in self.rows.iter().enumerate() {
                    let name = if number == 0 { &set.name } else { "" };
                    let count = set.queries.len().to_string();
                    let n = if number == 0 { &count } else { "" };
                    let _ = write!(out, "| {name} | {n} | {} ", row.engine);
                    for (at, micros) in row.figures(set, cpu).into_iter().enumerate() {
                        let _ = write!(out, "| {micros:.0}");
                        match &first {
                            Some(first) if number > 0 => {
                                let _ = write!(out, " ({:.3}) ", first[at] / micros);
                            }
                            _ => out.push(' '),
                        }
                    }
                    out.push_str("|\n");
                }
            }
        }
        out
    }

    /// The means of the scores of a set's best and last hits.
    fn mean_scores(&self, set: &Set) -> (f64, f64) {
        let scores = &self.scores[set.queries.clone()];
        let count = scores.len().max(1) as f64;
        let mean = |part: fn(&(f32, f32)) -> f32| {
            scores.iter().map(part).map(f64::from).sum::<f64>() / count
        };
        (mean(|scores| scores.0), mean(|scores| scores.1))
    }

    /// The same for programs, with the medians of every query.
    pub fn json(&self) -> Value {
        let micros = |times: &[Duration]| -> Vec<f64> {
            times
                .iter()
                .map(|time| time.as_nanos() as f64 / 1e3)
                .collect()
        };
        let rows: Vec<Value> = self
            .rows
            .iter()
            .map(|row| {
                let sets: serde_json::Map<String, Value> = self
                    .sets
                    .iter()
                    .map(|set| {
                        let figures = |cpu| {
                            let [mean, p50, p90, p99] = row.figures(set, cpu);
                            json!({"mean": mean, "p50": p50, "p90": p90, "p99": p99})
                        };
                        let figures = json!({"n": set.queries.len(), "cpu_us": figures(true), "wall_us": figures(false)});
                        (set.name.clone(), figures)
                    })
                    .collect();
                json!({
                    "engine": row.engine,
                    "sentences": row.sentences,
                    "sets": sets,
                    "queries_cpu_us": micros(&row.cpu),
                    "queries_wall_us": micros(&row.wall),
                })
            })
            .collect();
        let scores: serde_json::Map<String, Value> = self
            .sets
            .iter()
            .map(|set| {
                let (best, last) = self.mean_scores(set);
                (set.name.clone(), json!({"best": best, "last": last}))
            })
            .collect();
        json!({"passes": self.passes, "scores": scores, "engines": rows, "agreement": self.agreement})
    }
}

impl Row {
    /// Mean, p50, p90 and p99 of a set, in µs.
    fn figures(&self, set: &Set, cpu: bool) -> [f64; 4] {
        let times = if cpu { &self.cpu } else { &self.wall };
        let samples: Samples = times[set.queries.clone()].iter().copied().collect();
        [
            samples.mean(),
            samples.percentile(50.0),
            samples.percentile(90.0),
            samples.percentile(99.0),
        ]
    }
}

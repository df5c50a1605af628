//! What a way to store a checkpoint costs in answers: the same sentences, answered from a file in `f32` and from one that is
//! stored so.
//!
//! Three measures, from coarse to fine. *F1* is what counts, but moves in steps and may stand still by luck. *Changed
//! answers* are entities (or relations) that `f32` finds and the other does not, or the reverse. *Divergence* is the mean
//! over words (or pairs of spans) of KL(p ‖ q) in nats, where p is the distribution over the labels in `f32` and q the other:
//! it is never flat, so that it ranks layers also where no answer changes.

use crate::conversion::{Conversion, Storage, Written};
use crate::keep::Keep;
use crate::train::data::Item;
use crate::train::score::{Answer, answers};
use crate::{Console, Error, Result};
use morelet::{Evaluation, Gold, Score};
use morelet_mapped::{AtomicDir, OpenOptions};
use morelet_models::device::Compute;
use morelet_models::weights::{Precision, Weights};
use morelet_models::{Cancel, Expert, Tokenizer};
use serde::Serialize;
use std::fmt::Write as _;
use std::path::{Path, PathBuf};

/// Sentences that go through an expert between two looks at whether the user wants to stop.
const CHUNK: usize = 16;

/// The least probability that is told from 0, so that no divergence is infinite.
const LEAST: f64 = 1e-12;

/// What one way to store a checkpoint costs.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct Cost {
    /// The way, for people.
    pub(crate) quantization: String,
    /// Of the file.
    pub(crate) bytes: u64,
    /// Against the gold, in percent.
    pub(crate) f1: f64,
    /// F1 in `f32` less this one, in points: below 0 where it is better by luck.
    pub(crate) f1_loss: f64,
    pub(crate) changed: Changes,
    /// The mean divergence from `f32`, in nats.
    pub(crate) divergence: f64,
}

/// Answers that are not those of `f32`. An entity of another type or extent counts as one lost and one new.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub(crate) struct Changes {
    /// Entities, or relations, that only `f32` finds.
    pub(crate) lost: u64,
    /// Those that `f32` does not find.
    pub(crate) new: u64,
    /// All that `f32` finds.
    pub(crate) of: u64,
}

/// A checkpoint, and labelled sentences to measure it on.
pub(crate) struct Measuring<'a> {
    conversion: &'a Conversion<'a>,
    items: &'a [Item],
    compute: &'a Compute,
    console: &'a Console,
    /// Never put in place: it removes itself with what is in it.
    folder: AtomicDir,
    tokenizer: Tokenizer,
    /// The answers in `f32`.
    reference: Vec<Answer>,
    exact: Cost,
}

impl<'a> Measuring<'a> {
    /// Answers the sentences in `f32`. Files are made in a folder beside `target`, which is removed at the end however that
    /// comes, unless the process is killed.
    ///
    /// # Errors
    /// Of kind `Input` where the checkpoint is damaged or an item does not fit it; `Io`, `Device`, `Interrupted`.
    pub(crate) fn new(
        conversion: &'a Conversion<'a>,
        items: &'a [Item],
        compute: &'a Compute,
        target: &Path,
        console: &'a Console,
    ) -> Result<Self> {
        let folder = AtomicDir::create(target.with_file_name(".morelet-measuring"))?;
        let begun = folder.path().to_owned();
        console.at_forced_exit(move || {
            // Whoever does not wait is not told either.
            let _ = std::fs::remove_dir_all(begun);
        });
        let path = folder.path().join("f32.weights");
        let storage = Storage::of(Precision::F32);
        convert(conversion, &storage, &path, console)?;
        let expert = load(&path, compute, None)?;
        let reference = answer(&expert, items, console)?;
        let exact = Cost {
            quantization: storage.to_string(),
            bytes: length(&path)?,
            f1: score(items, &reference)?.f1,
            f1_loss: 0.0,
            changed: changes(items, &reference, &reference)?,
            divergence: 0.0,
        };
        let tokenizer = expert.tokenizer().clone();
        drop(expert);
        // It may be the largest file of all, and is not needed again.
        std::fs::remove_file(&path).map_err(|error| Error::io(&path, error))?;
        Ok(Self {
            conversion,
            items,
            compute,
            console,
            folder,
            tokenizer,
            reference,
            exact,
        })
    }

    /// What `f32` itself costs: nothing.
    pub(crate) fn exact(&self) -> &Cost {
        &self.exact
    }

    /// A place for a file of this name, removed with everything else unless it is moved away.
    pub(crate) fn place(&self, name: &std::ffi::OsStr) -> PathBuf {
        self.folder.path().join(name)
    }

    /// Writes the checkpoint as `storage` says, to `path`.
    pub(crate) fn convert(&self, storage: &Storage, path: &Path) -> Result<Written> {
        convert(self.conversion, storage, path, self.console)
    }

    /// What a file costs that was converted as `storage` says.
    pub(crate) fn cost_of(&self, storage: &Storage, path: &Path) -> Result<Cost> {
        let expert = load(path, self.compute, Some(self.tokenizer.clone()))?;
        let answers = answer(&expert, self.items, self.console)?;
        let f1 = score(self.items, &answers)?.f1;
        Ok(Cost {
            quantization: storage.to_string(),
            bytes: length(path)?,
            f1,
            f1_loss: self.exact.f1 - f1,
            changed: changes(self.items, &self.reference, &answers)?,
            divergence: divergence(self.reference.iter().zip(&answers)),
        })
    }

    /// What a way to store the checkpoint costs.
    ///
    /// # Errors
    /// As [`new`](Self::new).
    pub(crate) fn measure(&self, storage: &Storage) -> Result<Cost> {
        self.trial(storage, self.console, |path| self.cost_of(storage, path))
    }

    /// The divergence alone, on `most` sentences or fewer, evenly drawn.
    pub(crate) fn divergence(&self, storage: &Storage, most: usize) -> Result<f64> {
        let step = self.items.len().div_ceil(most.max(1)).max(1);
        let items: Vec<Item> = self.items.iter().step_by(step).cloned().collect();
        let reference = self.reference.iter().step_by(step);
        let hushed = self.console.hushed();
        self.trial(storage, &hushed, |path| {
            let expert = load(path, self.compute, Some(self.tokenizer.clone()))?;
            let answers = answer(&expert, &items, &hushed)?;
            Ok(divergence(reference.zip(&answers)))
        })
    }

    /// The cost of every type, from the widest to the narrowest; of `known`, which were measured already, as they are. The tensors
    /// in `too_large`, which `f16` cannot hold, stay in `f32` there.
    ///
    /// # Errors
    /// As [`new`](Self::new).
    pub(crate) fn precisions(&self, known: &[&Cost], too_large: &[String]) -> Result<Vec<Cost>> {
        let keep = too_large.iter().map(|name| Keep::new(name, Precision::F32));
        let keep: Vec<Keep> = keep.collect();
        let all = [
            Storage::of(Precision::F16).keeping(&keep),
            Storage::of(Precision::Q8),
            Storage::of(Precision::Q4),
        ];
        let others = all.iter().map(|storage| {
            let name = storage.to_string();
            match known.iter().find(|cost| cost.quantization == name) {
                Some(cost) => Ok((*cost).clone()),
                None => self.measure(storage),
            }
        });
        std::iter::once(Ok(self.exact.clone()))
            .chain(others)
            .collect()
    }

    fn trial<T>(
        &self,
        storage: &Storage,
        console: &Console,
        run: impl FnOnce(&Path) -> Result<T>,
    ) -> Result<T> {
        let path = self.folder.path().join("trial.weights");
        convert(self.conversion, storage, &path, console)?;
        run(&path)
    }
}

impl Cost {
    /// The table for people, a line for each.
    pub(crate) fn table(costs: &[Self]) -> String {
        let mut text = format!(
            "{:6}{:>15}{:>8}{:>8}{:>20}{:>12}",
            "type", "bytes", "F1", "loss", "lost, new, of", "divergence"
        );
        for cost in costs {
            let Changes { lost, new, of } = cost.changed;
            let changed = format!("{lost}, {new}, {of}");
            // Writing to a string cannot fail.
            let _ = write!(
                text,
                "\n{:6}{:>15}{:>8.2}{:>8.2}{changed:>20}{:>12.2e}",
                cost.quantization, cost.bytes, cost.f1, cost.f1_loss, cost.divergence
            );
        }
        text
    }
}

fn convert(
    conversion: &Conversion<'_>,
    storage: &Storage,
    path: &Path,
    console: &Console,
) -> Result<Written> {
    let bar = console.byte_bar("converting", conversion.bytes());
    let written = conversion.write(storage, path, &bar, console);
    bar.finish_and_clear();
    written
}

fn load(path: &Path, compute: &Compute, tokenizer: Option<Tokenizer>) -> Result<Expert> {
    let weights = Weights::open(path, OpenOptions::default())?;
    Ok(Expert::load(weights, compute, tokenizer)?)
}

fn length(path: &Path) -> Result<u64> {
    let metadata = std::fs::metadata(path).map_err(|error| Error::io(path, error))?;
    Ok(metadata.len())
}

fn answer(expert: &Expert, items: &[Item], console: &Console) -> Result<Vec<Answer>> {
    let bar = console.count_bar("answering", items.len() as u64);
    let cancel = Cancel::new();
    let mut all = Vec::with_capacity(items.len());
    for items in items.chunks(CHUNK) {
        console.check()?;
        all.extend(answers(expert, items, &cancel)?);
        bar.inc(items.len() as u64);
    }
    bar.finish_and_clear();
    Ok(all)
}

fn score(items: &[Item], answers: &[Answer]) -> Result<Score> {
    let mut evaluation = Evaluation::new();
    for (item, answer) in items.iter().zip(answers) {
        evaluation.add(&item.query, &answer.prediction)?;
    }
    Ok(evaluation.report(&[]).fused.all)
}

/// What of `reference` is not in `answers`, and the reverse: their score where `reference` is what is right.
fn changes(items: &[Item], reference: &[Answer], answers: &[Answer]) -> Result<Changes> {
    let mut evaluation = Evaluation::new();
    for ((item, right), answer) in items.iter().zip(reference).zip(answers) {
        let gold = match (&right.prediction.labels, &right.prediction.relation) {
            (Some(labels), _) => Gold::Labels(labels.clone()),
            (None, Some(relation)) => Gold::Relation(relation.kind.clone()),
            (None, None) => continue,
        };
        evaluation.add(&item.query.clone().gold(gold), &answer.prediction)?;
    }
    let score = evaluation.report(&[]).fused.all;
    Ok(Changes {
        lost: score.gold - score.correct,
        new: score.predicted - score.correct,
        of: score.gold,
    })
}

/// The mean over all distributions of KL(p ‖ q).
fn divergence<'a>(pairs: impl Iterator<Item = (&'a Answer, &'a Answer)>) -> f64 {
    let (mut sum, mut count) = (0.0, 0_usize);
    for (exact, other) in pairs {
        for (p, q) in exact.distributions.iter().zip(&other.distributions) {
            sum += kl(p, q);
            count += 1;
        }
    }
    if count == 0 { 0.0 } else { sum / count as f64 }
}

fn kl(p: &[f64], q: &[f64]) -> f64 {
    let terms = p
        .iter()
        .zip(q)
        .map(|(p, q)| p * ((p + LEAST) / (q + LEAST)).ln());
    // Rounding may leave a little less than nothing.
    terms.sum::<f64>().max(0.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn divergence_is_that_of_kullback_and_leibler() {
        // scipy.stats.entropy([0.5, 0.5], [0.9, 0.1]) is 0.5108256237659907.
        assert!((kl(&[0.5, 0.5], &[0.9, 0.1]) - 0.510_825_623_765_990_7).abs() < 1e-9);
        assert_eq!(kl(&[0.3, 0.7], &[0.3, 0.7]), 0.0);
        let impossible = kl(&[1.0, 0.0], &[0.0, 1.0]);
        assert!(impossible.is_finite() && impossible > 20.0, "{impossible}");
    }

    #[test]
    fn the_table_has_a_line_for_each_cost() {
        let changed = Changes {
            lost: 3,
            new: 2,
            of: 400,
        };
        let cost = |quantization: &str, f1: f64| Cost {
            quantization: quantization.to_owned(),
            bytes: 1000,
            f1,
            f1_loss: 52.0 - f1,
            changed,
            divergence: 0.001,
        };
        let table = Cost::table(&[cost("f32", 52.0), cost("q8", 51.5)]);
        assert_eq!(table.lines().count(), 3);
        let last = table.lines().last().unwrap();
        let cells: Vec<&str> = last.split_whitespace().collect();
        assert_eq!(
            cells,
            ["q8", "1000", "51.50", "0.50", "3,", "2,", "400", "1.00e-3"]
        );
    }
}

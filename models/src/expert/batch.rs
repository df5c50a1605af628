//! Several inputs in one pass of the encoder.
//!
//! On the CPU short inputs lie one after the other without padding, as many as fit in [`PASS_IDS`]: a layer's weights are
//! read once for all of them, and all threads are kept busy. On a GPU each input has a pass of its own. What an
//! input is answered does not depend on those beside it.

use std::ops::Range;
use std::time::Duration;

use burn::tensor::Tensor;

use super::pooling::{Reads, pool};
use super::{Clock, Expert, Timings};
use crate::cancel::Cancel;
use crate::error::{Error, ErrorKind, Result};
use crate::input::Input;
use crate::weights::ModelKind;
use crate::xlmr::read;

/// How many ids a pass takes on the CPU: one input of full length, or several short ones.
///
/// Measured with XLM-R-base in `q8` on two threads, beside other work: 32 pairs of short inputs, about 20 ids each, take 1.98 s with a pass
/// each and 1.57 to 1.59 s with budgets of 256 to 2,048 ids; 8 pairs of 512 ids take 2.13 to 2.19 s up to 1,024 and 2.28 s
/// at 2,048. A pass of 512 needs no more memory than one input may.
const PASS_IDS: usize = 512;

/// An input with what the head says about it.
pub(super) struct Scored {
    pub input: Input,
    /// A row for each word, or one for the relation; empty where there is nothing to read.
    pub scores: Vec<f32>,
    pub timings: Timings,
}

impl Expert {
    /// Prepares an input for each query, and runs encoder and head over them in as few passes as they fit in.
    pub(super) fn scored<Q>(
        &self,
        kind: ModelKind,
        queries: &[Q],
        prepare: impl Fn(&Q) -> Result<Input>,
        cancel: &Cancel,
    ) -> Vec<Result<Scored>> {
        let prepared = |query: &Q| {
            self.expect(kind)?;
            let mut clock = Clock::start();
            let input = prepare(query)?;
            let timings = Timings {
                tokenizer: clock.lap(),
                ..Timings::default()
            };
            Ok(Scored {
                input,
                scores: Vec::new(),
                timings,
            })
        };
        let mut all: Vec<Result<Scored>> = queries.iter().map(prepared).collect();
        let ids = |scored: &Result<Scored>| match scored {
            Ok(scored) if !units(kind, &scored.input).is_empty() => Some(scored.input.ids.len()),
            _ => None,
        };
        let (members, lengths): (Vec<usize>, Vec<usize>) = all
            .iter()
            .enumerate()
            .filter_map(|(at, scored)| Some((at, ids(scored)?)))
            .unzip();
        let budget = match self.compute.kernels() {
            Some(_) => PASS_IDS,
            None => 0,
        };
        for pass in passes(&lengths, budget) {
            let (members, lengths) = (&members[pass.clone()], &lengths[pass]);
            let inputs = members.iter().filter_map(|&at| all[at].as_ref().ok());
            let inputs: Vec<&Input> = inputs.map(|scored| &scored.input).collect();
            let mut clock = Clock::start();
            let scores = self.pass(kind, &inputs, cancel);
            let time = clock.lap();
            let total: usize = lengths.iter().sum();
            for ((&at, &length), scores) in members.iter().zip(lengths).zip(scores) {
                match (scores, &mut all[at]) {
                    (Ok(scores), Ok(scored)) => {
                        scored.scores = scores;
                        scored.timings.encoder = share(time, length, total);
                    }
                    (Err(error), failed) => *failed = Err(error),
                    // Only inputs that were prepared are in a pass.
                    (Ok(_), Err(_)) => {}
                }
            }
        }
        all
    }

    /// One pass: the scores of each input.
    pub(super) fn pass(
        &self,
        kind: ModelKind,
        inputs: &[&Input],
        cancel: &Cancel,
    ) -> Vec<Result<Vec<f32>>> {
        let pooling = self.config().pooling;
        let reads = inputs
            .iter()
            .map(|input| Reads::new(units(kind, input), pooling));
        let reads: Vec<Reads> = reads.collect();
        let rows: Vec<(&[u32], Vec<usize>)> = inputs
            .iter()
            .zip(&reads)
            .map(|(input, reads)| (&input.ids[..], reads.rows.clone()))
            .collect();
        let scores = self.compute.run_alone(|| {
            let hidden = self.encoder.forward_rows(&rows, cancel)?;
            cancel.check()?;
            let mut start = 0;
            // Pooling and head are small, and done for each input alone: the order in which a library adds up
            // may depend on the number of rows.
            let score = |(reads, length): (&Reads, usize)| {
                let mut of_input = hidden.tensor().clone();
                let count = reads.rows.len();
                if inputs.len() > 1 {
                    of_input = of_input.narrow(0, start, count);
                }
                start += count;
                let mut pooled = pool(of_input, &reads.units, pooling);
                let [rows, d] = pooled.dims();
                if joined(kind) {
                    pooled = pooled.reshape([1, rows * d]);
                } else if self.compute.is_burns_gpu() {
                    // As many rows as the sequence has: then the head's shape, too, is one of a few.
                    let wanted = self.compute.rows(length).max(rows);
                    if wanted > rows {
                        let empty = Tensor::zeros([wanted - rows, d], self.compute.device());
                        pooled = Tensor::cat(vec![pooled, empty], 0);
                    }
                }
                if let Some(norm) = &self.norm {
                    pooled = norm.forward(pooled);
                }
                read(self.head.forward(pooled))
            };
            let lengths = inputs.iter().map(|input| input.ids.len());
            reads
                .iter()
                .zip(lengths)
                .map(score)
                .collect::<Result<Vec<_>>>()
        });
        match scores {
            Ok(scores) => {
                let scores = inputs.iter().zip(scores);
                scores
                    .map(|(input, scores)| self.checked(kind, units(kind, input).len(), scores))
                    .collect()
            }
            Err(error) => inputs.iter().map(|_| Err(error.clone())).collect(),
        }
    }

    /// The scores of an input with so many units, if they can be scores.
    fn checked(&self, kind: ModelKind, units: usize, mut scores: Vec<f32>) -> Result<Vec<f32>> {
        let rows = if joined(kind) { 1 } else { units };
        scores.truncate(rows * self.labels().len());
        if scores.len() == rows * self.labels().len() && scores.iter().all(|s| s.is_finite()) {
            return Ok(scores);
        }
        // Finite weights cannot do this; damaged ones, which are not hashed at every start, can.
        let path = self.weights.container().path().display();
        let used = &self.compute.info().used;
        let kind = match used.as_str() {
            "cpu" => ErrorKind::Model,
            _ => ErrorKind::Device,
        };
        Err(Error::new(
            kind,
            format!(
                "{path}: the scores are not finite numbers: the weights are damaged (check them with \
                 `morelet verify`) or {used} computes wrongly"
            ),
        ))
    }
}

/// What is read of an input: its words, or the two opening markers.
pub(crate) fn units(kind: ModelKind, input: &Input) -> &[Range<usize>] {
    match (kind, &input.markers) {
        (ModelKind::Re, Some(markers)) => markers,
        (ModelKind::Re, None) => &[],
        _ => &input.words,
    }
}

/// Whether the head reads all units side by side.
pub(crate) fn joined(kind: ModelKind) -> bool {
    kind == ModelKind::Re
}

/// The part of a pass that an input of so many ids took, of `total`.
fn share(time: Duration, ids: usize, total: usize) -> Duration {
    time.mul_f64(ids as f64 / total.max(1) as f64)
}

/// Divides inputs of these lengths, in their order, into passes of at most `budget` ids. A longer input has a pass of
/// its own.
fn passes(lengths: &[usize], budget: usize) -> Vec<Range<usize>> {
    let mut passes: Vec<Range<usize>> = Vec::new();
    let mut room = 0_usize;
    for (at, &length) in lengths.iter().enumerate() {
        match passes.last_mut() {
            Some(pass) if length <= room => {
                pass.end = at + 1;
                room -= length;
            }
            _ => {
                passes.push(at..at + 1);
                room = budget.saturating_sub(length);
            }
        }
    }
    passes
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pass_takes_what_fits_in_order_and_at_least_one_input() {
        assert!(passes(&[], 10).is_empty());
        assert_eq!(
            passes(&[4, 6, 1, 9, 1, 30, 2], 10),
            [0..2, 2..4, 4..5, 5..6, 6..7]
        );
        assert_eq!(passes(&[1, 1, 1], 0), [0..1, 1..2, 2..3]);
    }

    #[test]
    fn the_parts_of_a_pass_add_up() {
        let parts = [7, 1].map(|ids| share(Duration::from_micros(80), ids, 8));
        assert_eq!(parts, [70, 10].map(Duration::from_micros));
    }
}

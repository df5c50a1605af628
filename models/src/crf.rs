//! The linear-chain conditional random field over the labels of a sentence.
//!
//! A path y_1 … y_n scores start[y_1] + Σ e_i[y_i] + Σ transitions[y_i, y_{i+1}] + end[y_n]. Everything
//! is summed in log space and in `f64`, so that neither long sentences nor large scores overflow
//! (Lafferty, McCallum, Pereira 2001; forward-backward as in Rabiner 1989, equations 19 to 27).

use crate::error::{Error, Result};

/// The scores of a CRF over t labels.
#[derive(Clone, Debug, PartialEq)]
pub struct Crf {
    t: usize,
    start: Vec<f64>,
    /// `[from, to]`, row-major.
    transitions: Vec<f64>,
    end: Vec<f64>,
}

impl Crf {
    /// A CRF from its scores: `start` and `end` `[t]`, `transitions` `[t, t]` from a row's label to a
    /// column's. `None` where the lengths do not fit, t is 0, or a score is not finite.
    pub fn new(start: &[f32], transitions: &[f32], end: &[f32]) -> Option<Self> {
        let t = start.len();
        let fits = t > 0 && end.len() == t && Some(transitions.len()) == t.checked_mul(t);
        let finite = |scores: &[f32]| scores.iter().all(|score| score.is_finite());
        if !fits || !finite(start) || !finite(transitions) || !finite(end) {
            return None;
        }
        let wide = |scores: &[f32]| scores.iter().map(|&score| f64::from(score)).collect();
        Some(Self {
            t,
            start: wide(start),
            transitions: wide(transitions),
            end: wide(end),
        })
    }

    /// t, the number of labels.
    pub fn labels(&self) -> usize {
        self.t
    }

    /// P(y_i = y | x) for each word and label, `[n, t]`, given emissions `[n, t]`.
    ///
    /// # Errors
    /// Of kind `Input` where a row has not t emissions.
    pub fn marginals<R: AsRef<[f32]>>(&self, emissions: &[R]) -> Result<Vec<Vec<f64>>> {
        self.check(emissions)?;
        let forward = self.forward(emissions);
        let Some(log_z) = forward.last().map(|last| self.log_partition_from(last)) else {
            return Ok(Vec::new());
        };
        let mut beta = self.end.clone();
        let mut scratch = vec![0.0; self.t];
        let mut marginals = Vec::with_capacity(forward.len());
        for (at, alpha) in forward.iter().enumerate().rev() {
            marginals.push(
                alpha
                    .iter()
                    .zip(&beta)
                    .map(|(a, b)| (a + b - log_z).exp())
                    .collect(),
            );
            // β of the word before: over what may follow it.
            let emission = emissions[at].as_ref();
            let next: Vec<f64> = (0..self.t)
                .map(|from| {
                    for to in 0..self.t {
                        scratch[to] = self.score(from, to) + f64::from(emission[to]) + beta[to];
                    }
                    log_sum_exp(&scratch)
                })
                .collect();
            beta = next;
        }
        marginals.reverse();
        Ok(marginals)
    }

    /// The path with the highest score; where several have it, the one whose labels are lowest, from
    /// the last word backwards.
    ///
    /// # Errors
    /// Of kind `Input` where a row has not t emissions.
    pub fn viterbi<R: AsRef<[f32]>>(&self, emissions: &[R]) -> Result<Vec<usize>> {
        self.check(emissions)?;
        let Some((first, rest)) = emissions.split_first() else {
            return Ok(Vec::new());
        };
        let mut best: Vec<f64> = self
            .start
            .iter()
            .zip(first.as_ref())
            .map(|(s, &e)| s + f64::from(e))
            .collect();
        let mut back = Vec::with_capacity(rest.len());
        for emission in rest {
            let mut from_where = Vec::with_capacity(self.t);
            let mut next = Vec::with_capacity(self.t);
            for (to, &e) in emission.as_ref().iter().enumerate() {
                let from = argmax((0..self.t).map(|from| best[from] + self.score(from, to)));
                next.push(best[from] + self.score(from, to) + f64::from(e));
                from_where.push(from);
            }
            best = next;
            back.push(from_where);
        }
        let mut label = argmax(best.iter().zip(&self.end).map(|(b, e)| b + e));
        let mut path = vec![label];
        for from_where in back.iter().rev() {
            label = from_where[label];
            path.push(label);
        }
        path.reverse();
        Ok(path)
    }

    /// log P(y | x) of a path.
    ///
    /// # Errors
    /// Of kind `Input` where a row has not t emissions, the path's length differs from that of the
    /// emissions, or a label is not below t.
    pub fn log_likelihood<R: AsRef<[f32]>>(&self, emissions: &[R], path: &[usize]) -> Result<f64> {
        self.check(emissions)?;
        if path.len() != emissions.len() || path.iter().any(|&label| label >= self.t) {
            let (n, t) = (emissions.len(), self.t);
            return Err(Error::input(format!(
                "expected a path of {n} labels below {t}, got {path:?}"
            )));
        }
        let (Some(&first), Some(&last)) = (path.first(), path.last()) else {
            return Ok(0.0);
        };
        let emitted: f64 = emissions
            .iter()
            .zip(path)
            .map(|(row, &label)| f64::from(row.as_ref()[label]))
            .sum();
        let moved: f64 = path
            .windows(2)
            .map(|pair| self.score(pair[0], pair[1]))
            .sum();
        let score = self.start[first] + emitted + moved + self.end[last];
        let forward = self.forward(emissions);
        // There is a last one: the path has a last label.
        Ok(score
            - forward
                .last()
                .map_or(0.0, |last| self.log_partition_from(last)))
    }

    fn check<R: AsRef<[f32]>>(&self, emissions: &[R]) -> Result<()> {
        match emissions.iter().find(|row| row.as_ref().len() != self.t) {
            None => Ok(()),
            Some(row) => {
                let got = row.as_ref().len();
                Err(Error::input(format!(
                    "expected {} emissions a word, got {got}",
                    self.t
                )))
            }
        }
    }

    /// α of every word: the log of the summed scores of all paths that end there in a label.
    fn forward<R: AsRef<[f32]>>(&self, emissions: &[R]) -> Vec<Vec<f64>> {
        let mut forward: Vec<Vec<f64>> = Vec::with_capacity(emissions.len());
        let mut scratch = vec![0.0; self.t];
        for emission in emissions {
            let emission = emission.as_ref();
            let alpha = match forward.last() {
                None => self
                    .start
                    .iter()
                    .zip(emission)
                    .map(|(s, &e)| s + f64::from(e))
                    .collect(),
                Some(before) => (0..self.t)
                    .map(|to| {
                        for from in 0..self.t {
                            scratch[from] = before[from] + self.score(from, to);
                        }
                        log_sum_exp(&scratch) + f64::from(emission[to])
                    })
                    .collect(),
            };
            forward.push(alpha);
        }
        forward
    }

    fn log_partition_from(&self, last: &[f64]) -> f64 {
        let ends: Vec<f64> = last.iter().zip(&self.end).map(|(a, e)| a + e).collect();
        log_sum_exp(&ends)
    }

    fn score(&self, from: usize, to: usize) -> f64 {
        self.transitions[from * self.t + to]
    }
}

/// log Σ exp(x), without overflow.
pub(crate) fn log_sum_exp(x: &[f64]) -> f64 {
    let max = x.iter().copied().fold(f64::NEG_INFINITY, f64::max);
    if max == f64::NEG_INFINITY {
        return max;
    }
    max + x.iter().map(|x| (x - max).exp()).sum::<f64>().ln()
}

/// Softmax of one row of scores, in `f64`.
pub fn softmax(scores: &[f32]) -> Vec<f64> {
    let max = f64::from(scores.iter().copied().fold(f32::NEG_INFINITY, f32::max));
    let powers: Vec<f64> = scores
        .iter()
        .map(|&score| (f64::from(score) - max).exp())
        .collect();
    let sum: f64 = powers.iter().sum();
    powers.iter().map(|power| power / sum).collect()
}

/// The place of the largest value, the first of several; 0 where there is none.
pub fn argmax(values: impl Iterator<Item = f64>) -> usize {
    let mut best = (0, f64::NEG_INFINITY);
    for (at, value) in values.enumerate() {
        if value > best.1 {
            best = (at, value);
        }
    }
    best.0
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Numbers in −2..2 that look random and are the same everywhere (an LCG by Knuth).
    fn noise(seed: u64) -> impl FnMut() -> f32 {
        let mut state = seed;
        move || {
            state = state
                .wrapping_mul(6364136223846793005)
                .wrapping_add(1442695040888963407);
            ((state >> 40) as f32 / (1 << 24) as f32) * 4.0 - 2.0
        }
    }

    fn random(t: usize, n: usize, seed: u64) -> (Crf, Vec<Vec<f32>>) {
        let mut next = noise(seed);
        let mut draw = |count: usize| -> Vec<f32> { (0..count).map(|_| next()).collect() };
        let crf = Crf::new(&draw(t), &draw(t * t), &draw(t)).unwrap();
        let emissions = (0..n).map(|_| draw(t)).collect();
        (crf, emissions)
    }

    /// Every path with its score, by counting in base t.
    fn paths(crf: &Crf, emissions: &[Vec<f32>]) -> Vec<(Vec<usize>, f64)> {
        let (t, n) = (crf.t, emissions.len());
        (0..t.pow(n as u32))
            .map(|mut number| {
                let path: Vec<usize> = (0..n)
                    .map(|_| {
                        let label = number % t;
                        number /= t;
                        label
                    })
                    .collect();
                let mut score = crf.start[path[0]] + crf.end[path[n - 1]];
                for (at, &label) in path.iter().enumerate() {
                    score += f64::from(emissions[at][label]);
                    if at > 0 {
                        score += crf.transitions[path[at - 1] * t + label];
                    }
                }
                (path, score)
            })
            .collect()
    }

    #[test]
    fn equals_the_enumeration_of_all_paths() {
        for (t, n, seed) in [
            (1, 1, 1),
            (2, 1, 2),
            (3, 2, 3),
            (3, 5, 4),
            (4, 4, 5),
            (2, 9, 6),
            (5, 1, 7),
        ] {
            let (crf, emissions) = random(t, n, seed);
            let all = paths(&crf, &emissions);
            let z: f64 = all.iter().map(|(_, score)| score.exp()).sum();
            let got = crf.marginals(&emissions).unwrap();
            for (at, row) in got.iter().enumerate() {
                for (label, got) in row.iter().enumerate() {
                    let expected: f64 = all
                        .iter()
                        .filter(|(path, _)| path[at] == label)
                        .map(|(_, score)| score.exp() / z)
                        .sum();
                    assert!(
                        (got - expected).abs() < 1e-12,
                        "t {t} n {n} at {at} label {label}"
                    );
                }
            }
            let best = all.iter().max_by(|a, b| a.1.total_cmp(&b.1)).unwrap();
            assert_eq!(crf.viterbi(&emissions).unwrap(), best.0, "t {t} n {n}");
            let likelihood = crf.log_likelihood(&emissions, &best.0).unwrap();
            assert!((likelihood - (best.1 - z.ln())).abs() < 1e-12);
        }
    }

    #[test]
    fn rows_of_marginals_sum_to_one_in_a_long_sentence_with_large_scores() {
        let (crf, mut emissions) = random(9, 500, 8);
        emissions.iter_mut().flatten().for_each(|e| *e *= 400.0);
        for row in crf.marginals(&emissions).unwrap() {
            assert!((row.iter().sum::<f64>() - 1.0).abs() < 1e-9);
        }
    }

    #[test]
    fn a_forbidden_transition_is_not_taken() {
        // Label 1 may follow nothing, and would win every word by itself.
        let transitions = [0.0, -10_000.0, 0.0, -10_000.0];
        let crf = Crf::new(&[0.0, -10_000.0], &transitions, &[0.0, 0.0]).unwrap();
        let emissions = vec![vec![0.0, 5.0]; 4];
        assert_eq!(crf.viterbi(&emissions).unwrap(), [0; 4]);
        assert!(
            crf.marginals(&emissions)
                .unwrap()
                .iter()
                .all(|row| row[1] < 1e-12)
        );
    }

    #[test]
    fn ties_go_to_the_lowest_label() {
        let crf = Crf::new(&[0.0; 3], &[0.0; 9], &[0.0; 3]).unwrap();
        assert_eq!(crf.viterbi(&vec![vec![1.0_f32; 3]; 3]).unwrap(), [0, 0, 0]);
    }

    #[test]
    fn nothing_to_label_gives_nothing() {
        let (crf, _) = random(3, 0, 9);
        let none: [Vec<f32>; 0] = [];
        assert!(crf.marginals(&none).unwrap().is_empty());
        assert!(crf.viterbi(&none).unwrap().is_empty());
        assert_eq!(crf.log_likelihood(&none, &[]).unwrap(), 0.0);
    }

    #[test]
    fn refuses_scores_that_do_not_fit() {
        assert!(Crf::new(&[], &[], &[]).is_none());
        assert!(Crf::new(&[0.0; 2], &[0.0; 3], &[0.0; 2]).is_none());
        assert!(Crf::new(&[0.0; 2], &[0.0; 4], &[0.0; 3]).is_none());
        assert!(Crf::new(&[0.0; 2], &[0.0, f32::NAN, 0.0, 0.0], &[0.0; 2]).is_none());
        let (crf, _) = random(3, 0, 10);
        assert!(crf.marginals(&[[0.0; 3].as_slice(), &[0.0; 2]]).is_err());
        assert!(crf.viterbi(&[[0.0; 4]]).is_err());
        assert!(crf.log_likelihood(&[[0.0; 3]], &[3]).is_err());
        assert!(crf.log_likelihood(&[[0.0; 3]], &[0, 0]).is_err());
    }

    #[test]
    fn softmax_does_not_overflow() {
        assert_eq!(softmax(&[1000.0, 1000.0]), [0.5, 0.5]);
        assert_eq!(softmax(&[-1e30, 0.0]), [0.0, 1.0]);
    }
}

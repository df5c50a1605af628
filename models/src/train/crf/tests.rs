//! Against the CRF of the runtime, which adds up in `f64`, one sentence after the other.

use super::super::reference::{Random, compute};
use super::*;
use crate::crf::Crf;
use crate::xlmr::read;

/// A chain with scores of size `scale`, and the runtime's CRF with the same.
fn chains(random: &mut Random, t: usize, scale: f32) -> (Chain, Crf) {
    let mut scores = |count| -> Vec<f32> {
        let drawn = random.many(count).into_iter();
        drawn.map(|x| scale * x).collect()
    };
    let (start, transitions, end) = (scores(t), scores(t * t), scores(t));
    let crf = Crf::new(&start, &transitions, &end).unwrap();
    let device = compute().device().clone();
    let vector = |values| Tensor::<1>::from_data(TensorData::new(values, [t]), &device);
    let chain = Chain {
        start: vector(start),
        end: vector(end),
        transitions: Tensor::from_data(TensorData::new(transitions, [t, t]), &device),
    };
    (chain, crf)
}

/// A batch of sentences of these lengths, and the emissions of each by itself. What pads is large.
fn batch(random: &mut Random, lengths: &[usize], t: usize) -> (Emissions, Vec<Vec<Vec<f32>>>) {
    let w = *lengths.iter().max().unwrap();
    let mut padded = Vec::new();
    let mut sentences = Vec::new();
    for &length in lengths {
        let rows: Vec<Vec<f32>> = (0..length)
            .map(|_| random.many(t).into_iter().map(|x| 5.0 * x).collect())
            .collect();
        padded.extend(rows.concat());
        padded.resize(padded.len() + (w - length) * t, 70.0);
        sentences.push(rows);
    }
    let data = TensorData::new(padded, [lengths.len(), w, t]);
    let emissions = Emissions {
        scores: Tensor::from_data(data, compute().device()),
        lengths: lengths.to_vec(),
    };
    (emissions, sentences)
}

#[test]
fn marginals_and_likelihoods_of_a_batch_are_those_of_the_runtime() {
    let mut random = Random(7);
    let cases: [(&[usize], usize, f32); 5] = [
        (&[4, 1, 7, 2], 5, 2.0),
        (&[3, 3], 1, 2.0),
        (&[1], 3, 2.0),
        (&[40, 9], 9, 4.0),
        // Transitions that a scheme forbids.
        (&[6, 5, 1], 4, 40.0),
    ];
    for (lengths, t, scale) in cases {
        let (chain, crf) = chains(&mut random, t, scale);
        let (emissions, sentences) = batch(&mut random, lengths, t);
        let paths: Vec<Vec<usize>> = (sentences.iter())
            .map(|rows| (0..rows.len()).map(|at| at * 7 % t).collect())
            .collect();
        let gold: Vec<&[usize]> = paths.iter().map(Vec::as_slice).collect();
        let losses = read(chain.negative_log_likelihood(&emissions, &gold)).unwrap();
        let marginals = read(chain.log_marginals(&emissions)).unwrap();
        let w = emissions.scores.dims()[1];
        for (row, rows) in sentences.iter().enumerate() {
            let want = -crf.log_likelihood(rows, gold[row]).unwrap();
            let apart = (f64::from(losses[row]) - want).abs();
            assert!(apart < 1e-5 * want.abs().max(50.0), "{lengths:?}: {apart}");
            for (word, want) in crf.marginals(rows).unwrap().iter().enumerate() {
                for (label, want) in want.iter().enumerate() {
                    let got = f64::from(marginals[(row * w + word) * t + label]);
                    // Of the logarithm where it says something, else of the probability.
                    let near = (got - want.ln()).abs() < 1e-4 || (got.exp() - want).abs() < 1e-6;
                    assert!(near, "{lengths:?}: log P is {got}, not {}", want.ln());
                }
            }
        }
    }
}

#[test]
fn a_temperature_divides_every_score() {
    let mut random = Random(11);
    let (chain, _) = chains(&mut random, 3, 2.0);
    let (emissions, sentences) = batch(&mut random, &[2], 3);
    let cooled = Emissions {
        scores: emissions.scores.clone().div_scalar(2.0),
        lengths: vec![2],
    };
    let got = read(chain.tempered(2.0).log_marginals(&cooled)).unwrap();
    // P(y) to the power 1/2, made to sum to 1 again: over the nine paths of two words.
    let values = |tensor: &Tensor<1>| read(tensor.clone()).unwrap();
    let (start, end) = (values(&chain.start), values(&chain.end));
    let transitions = read(chain.transitions.clone()).unwrap();
    let rows = &sentences[0];
    let mut weights = [[0.0_f64; 3]; 3];
    for (a, row) in weights.iter_mut().enumerate() {
        for (b, weight) in row.iter_mut().enumerate() {
            let score = start[a] + rows[0][a] + transitions[a * 3 + b] + rows[1][b] + end[b];
            *weight = (f64::from(score) / 2.0).exp();
        }
    }
    let total: f64 = weights.iter().flatten().sum();
    for label in 0..3 {
        let first: f64 = weights[label].iter().sum();
        let second: f64 = weights.iter().map(|row| row[label]).sum();
        for (word, want) in [first, second].into_iter().enumerate() {
            let got = f64::from(got[word * 3 + label]);
            assert!((got - (want / total).ln()).abs() < 1e-5, "{word} {label}");
        }
    }
}

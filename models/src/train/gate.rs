//! The loss of the gate.

use burn::tensor::{Int, Tensor, TensorData, activation};

use super::expert::indices;
use super::optimizer::Loss;
use super::parameters::Parameters;
use crate::error::{Error, Result};
use crate::source::Source;

/// Below this a probability counts as this: the logarithm stays finite.
const LEAST: f64 = 1e-12;

/// What two frozen experts and CLIP say of one sentence, and what is right.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Observation {
    /// The first expert's distributions, `[n, t]` row by row; n is 1 for a relation.
    pub first: Vec<f32>,
    /// The second's.
    pub second: Vec<f32>,
    /// The right label of each row.
    pub gold: Vec<usize>,
    /// CLIP's feature of the text, then that of the picture, each of length 1.
    pub features: Vec<f32>,
}

/// −log Π P(y_i) of the right labels, the mean over sentences, with `P(y) = g_y P₁(y) + (1 − g_y) P₂(y)`: the product of
/// marginals that the paper approximates a sequence's probability by (§2.3).
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct MixtureLoss {
    /// Whether P is divided by its sum over the labels. With a weight for each label the mixture does not sum to 1, and
    /// without the division the best a gate can do is to drive every g to 0 or 1, whatever is right.
    pub normalized: bool,
}

impl MixtureLoss {
    /// The loss over a batch.
    ///
    /// # Errors
    /// Of kind `Input` where an observation does not fit the gate or the number of labels t; `Device`.
    pub fn of(&self, parameters: &Parameters, t: usize, batch: &[&Observation]) -> Result<Loss> {
        let Some(config) = parameters.meta().gate() else {
            let kind = parameters.meta().kind;
            return Err(Error::input(format!("expected a gate, got a {kind}")));
        };
        let (rows, width) = (
            config.rows as usize,
            (config.text_dim + config.image_dim) as usize,
        );
        for observation in batch {
            let cells = observation.gold.len() * t;
            let fits = observation.features.len() == width
                && observation.first.len() == cells
                && observation.second.len() == cells
                && observation.gold.iter().all(|&label| label < t)
                && (rows == 1 || rows == t);
            if !fits {
                let message =
                    "an observation does not fit the gate: it has other features or labels";
                return Err(Error::input(message.to_owned()));
            }
        }
        let words: usize = batch.iter().map(|one| one.gold.len()).sum();
        if words == 0 {
            return Err(Error::input(
                "expected a batch with a word in it".to_owned(),
            ));
        }
        parameters.compute().run(|| {
            let compute = parameters.differentiable();
            let device = compute.device();
            let gathered = |of: fn(&Observation) -> &[f32], shape: [usize; 2]| {
                let values: Vec<f32> = batch.iter().flat_map(|one| of(one)).copied().collect();
                Tensor::<2>::from_data(TensorData::new(values, shape), device)
            };
            let features = gathered(|one| &one.features, [batch.len(), width]);
            let (first, second) = (
                gathered(|one| &one.first, [words, t]),
                gathered(|one| &one.second, [words, t]),
            );
            let linear = parameters
                .source(0.0)
                .head("weight", Some("bias"), compute)?;
            let g = activation::sigmoid(linear.forward(features));
            let owners = batch.iter().enumerate();
            let owners = owners.flat_map(|(at, one)| vec![at as u32; one.gold.len()]);
            let g = g.select(0, indices(owners.collect(), device));
            let mixture = second.clone() + g * (first - second);
            let gold: Vec<i32> = (batch.iter())
                .flat_map(|one| one.gold.iter().map(|&label| label as i32))
                .collect();
            let gold = Tensor::<2, Int>::from_data(TensorData::new(gold, [words, 1]), device);
            let right = mixture.clone().gather(1, gold).clamp_min(LEAST).log();
            let mut log = right.sum();
            if self.normalized {
                log = log - mixture.sum_dim(1).clamp_min(LEAST).log().sum();
            }
            Ok(Loss(log.div_scalar(-(batch.len() as f64))))
        })
    }
}

#[cfg(all(test, feature = "cpu"))]
mod tests;

//! From gradients to parameters.

use std::collections::HashMap;

use burn::optim::{AdamW, AdamWConfig, AdamWState, AdaptiveMomentumState, Optimizer as _};
use burn::tensor::{Tensor, TensorData};

use super::parameters::Parameters;
use crate::error::{Error, Result};
use crate::xlmr::read;

/// β₁, β₂ and ε of AdamW, as PyTorch has them.
const BETAS: (f32, f32) = (0.9, 0.999);
const EPSILON: f32 = 1e-8;

/// AdamW (Loshchilov and Hutter 2019) over gradients that are added up over some batches and clipped by their norm.
///
/// Matrices decay; biases, layer norms and the CRF do not.
pub struct Optimizer {
    decaying: AdamW,
    steady: AdamW,
    states: HashMap<String, AdamWState<1>>,
    gradients: HashMap<String, Tensor<1>>,
}

/// A loss whose gradients can be taken, once.
pub struct Loss(pub(super) Tensor<1>);

impl Loss {
    /// Its value.
    ///
    /// # Errors
    /// `Device`.
    pub fn value(&self) -> Result<f64> {
        let value = read(self.0.clone().without_autodiff())?;
        Ok(f64::from(value.first().copied().unwrap_or(f32::NAN)))
    }
}

/// What AdamW remembers of one tensor.
#[derive(Clone, Debug, PartialEq)]
pub struct Moments {
    /// How many steps have been taken.
    pub time: usize,
    /// The mean of its gradients.
    pub first: Vec<f32>,
    /// The mean of their squares.
    pub second: Vec<f32>,
}

impl Optimizer {
    /// An optimizer whose matrices decay by `weight_decay` times the rate in each step.
    pub fn new(weight_decay: f32) -> Self {
        let adam = |weight_decay| {
            AdamWConfig::new()
                .with_beta_1(BETAS.0)
                .with_beta_2(BETAS.1)
                .with_epsilon(EPSILON)
                .with_weight_decay(weight_decay)
                .build()
        };
        Self {
            decaying: adam(weight_decay),
            steady: adam(0.0),
            states: HashMap::new(),
            gradients: HashMap::new(),
        }
    }

    /// Adds the gradients of a loss to those that wait for the next step, and gives the loss.
    ///
    /// # Errors
    /// Of kind `Input` where the loss is not a finite number: the training has diverged. `Device`.
    pub fn accumulate(&mut self, parameters: &Parameters, loss: Loss) -> Result<f64> {
        parameters.compute().run(|| {
            let value = loss.value()?;
            if !value.is_finite() {
                return Err(Error::input(format!(
                    "the loss is {value}: the training has diverged; a lower rate may help"
                )));
            }
            let mut gradients = loss.0.backward();
            for parameter in parameters.list() {
                let Some(gradient) = parameter.value.grad_remove(&mut gradients) else {
                    continue;
                };
                let sum = match self.gradients.remove(&parameter.name) {
                    Some(before) => before + gradient,
                    None => gradient,
                };
                self.gradients.insert(parameter.name.clone(), sum);
            }
            Ok(value)
        })
    }

    /// Takes one step with what has been added up: the mean over `batches`, scaled so that its norm over all tensors is
    /// at most `clip` (Pascanu et al. 2013). `rate` is asked for each tensor by name. Returns the norm before that.
    ///
    /// # Errors
    /// Of kind `Input` where a gradient is not finite; `Device`.
    pub fn step(
        &mut self,
        parameters: &mut Parameters,
        batches: usize,
        clip: f64,
        rate: impl Fn(&str) -> f64 + Send + Sync,
    ) -> Result<f64> {
        let compute = parameters.compute().clone();
        compute.run(|| {
            let mut squares = Vec::new();
            for parameter in parameters.list() {
                if let Some(gradient) = self.gradients.get(&parameter.name) {
                    squares.push(gradient.clone().square().sum());
                }
            }
            if squares.is_empty() {
                return Ok(0.0);
            }
            let squares = read(Tensor::cat(squares, 0))?;
            let mean = 1.0 / batches.max(1) as f64;
            let norm = mean * squares.iter().map(|&s| f64::from(s)).sum::<f64>().sqrt();
            if !norm.is_finite() {
                return Err(Error::input(format!(
                    "the gradient's norm is {norm}: the training has diverged; a lower rate may help"
                )));
            }
            let scale = mean * if norm > clip { clip / norm } else { 1.0 };
            for parameter in parameters.list_mut() {
                let Some(gradient) = self.gradients.remove(&parameter.name) else {
                    continue;
                };
                let adam = if decays(&parameter.name) {
                    &self.decaying
                } else {
                    &self.steady
                };
                let state = self.states.remove(&parameter.name);
                let value = parameter.value.clone().without_autodiff();
                let rate = rate(&parameter.name);
                let (value, state) = adam.step(rate, value, gradient.mul_scalar(scale), state);
                parameter.value = value.autodiff().require_grad();
                if let Some(state) = state {
                    self.states.insert(parameter.name.clone(), state);
                }
            }
            Ok(norm)
        })
    }

    /// What is remembered of a tensor, to be written down; `None` before its first step.
    ///
    /// # Errors
    /// `Device`.
    pub fn moments(&self, name: &str) -> Result<Option<Moments>> {
        let Some(state) = self.states.get(name) else {
            return Ok(None);
        };
        let momentum = &state.momentum;
        Ok(Some(Moments {
            time: momentum.time,
            first: read(momentum.moment_1.clone())?,
            second: read(momentum.moment_2.clone())?,
        }))
    }

    /// Goes on from what was written down.
    ///
    /// # Errors
    /// Of kind `Input` where the model has no such tensor, or it has another size.
    pub fn remember(
        &mut self,
        parameters: &Parameters,
        name: &str,
        moments: Moments,
    ) -> Result<()> {
        let count = parameters.get(name)?.value.dims()[0];
        if moments.first.len() != count || moments.second.len() != count {
            return Err(Error::input(format!(
                "{name}: expected {count} moments, got {} and {}",
                moments.first.len(),
                moments.second.len()
            )));
        }
        let device = parameters.compute().device();
        let tensor =
            |values: Vec<f32>| Tensor::<1>::from_data(TensorData::new(values, [count]), device);
        let momentum =
            AdaptiveMomentumState::new(moments.time, tensor(moments.first), tensor(moments.second));
        self.states
            .insert(name.to_owned(), AdamWState::new(momentum));
        Ok(())
    }
}

/// Whether a tensor is drawn towards 0.
fn decays(name: &str) -> bool {
    let is_vector = name.ends_with(".bias") || name.contains("norm");
    !is_vector && name != "bias" && !name.starts_with("crf.")
}

#[cfg(all(test, feature = "cpu"))]
mod tests;

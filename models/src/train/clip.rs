//! The loss of CLIP.

use burn::tensor::{Tensor, TensorData, activation};

use super::optimizer::Loss;
use super::parameters::Parameters;
use crate::cancel::Cancel;
use crate::clip::{TextTower, VisionTower};
use crate::error::{Error, Result};

/// A caption with pictures of what it says.
#[derive(Clone, Debug)]
pub struct Pair {
    /// The ids of the caption: start of text, as many as fit, end of text.
    pub ids: Vec<u32>,
    /// Normalized pixels of one picture or more, `[3, image, image]` each.
    pub views: Vec<Vec<f32>>,
}

/// The symmetric cross-entropy of which caption belongs to which picture of a batch (Radford et al. 2021, figure 3). Pairs
/// with the same caption count as right for each other. Where each pair has a second view, which view belongs to which
/// is asked as well, so that pictures of one thing lie close (Mu et al., "SLIP", 2022).
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct ContrastiveLoss {
    /// What cosines are divided by.
    pub temperature: f64,
    /// How much the loss between views counts.
    pub views: f64,
    /// Dropout behind the blocks of each layer.
    pub dropout: f64,
}

impl ContrastiveLoss {
    /// The loss over a batch. `seed` decides what is dropped.
    ///
    /// # Errors
    /// Of kind `Input` where this is no CLIP, or a pair has no picture or one of another size; `Device`, `Cancelled`.
    pub fn of(
        &self,
        parameters: &Parameters,
        batch: &[&Pair],
        seed: u64,
        cancel: &Cancel,
    ) -> Result<Loss> {
        let Some(config) = parameters.meta().clip() else {
            let kind = parameters.meta().kind;
            return Err(Error::input(format!("expected a CLIP, got a {kind}")));
        };
        let side = config.vision.image_size as usize;
        let fits = |pair: &&Pair| {
            !pair.ids.is_empty()
                && pair.ids.len() <= config.text.max_position_embeddings as usize
                && !pair.views.is_empty()
                && pair.views.iter().all(|view| view.len() == 3 * side * side)
        };
        if batch.is_empty() || !batch.iter().all(fits) {
            return Err(Error::input(format!(
                "expected pairs of a caption and pictures of {side} × {side} pixels"
            )));
        }
        parameters.compute().run(|| {
            let (source, compute) = (parameters.source(self.dropout), parameters.differentiable());
            compute.device().seed(seed);
            let text = TextTower::load(&source, config, compute)?;
            let vision = VisionTower::load(&source, config, compute)?;
            let captions: Vec<&[u32]> = batch.iter().map(|pair| &pair.ids[..]).collect();
            let captions = unit(text.forward_batch(&source, &captions, compute, cancel)?);
            let view = |at: usize| -> Result<Tensor<2>> {
                let pixels: Vec<Vec<f32>> =
                    batch.iter().map(|pair| pair.views[at].clone()).collect();
                Ok(unit(vision.forward(&pixels, compute, cancel)?))
            };
            let first = view(0)?;
            let same = |a: &&Pair, b: &&Pair| a.ids == b.ids;
            let mut loss = self.matching(&first, &captions, &targets(batch, same));
            if self.views > 0.0 && batch.iter().all(|pair| pair.views.len() > 1) {
                let itself = |a: &&Pair, b: &&Pair| std::ptr::eq(*a, *b);
                let views = self.matching(&first, &view(1)?, &targets(batch, itself));
                loss = loss + views.mul_scalar(self.views);
            }
            Ok(Loss(loss))
        })
    }

    /// The cross-entropy of matching rows of `a` with those of `b`, both ways.
    fn matching(&self, a: &Tensor<2>, b: &Tensor<2>, targets: &[f32]) -> Tensor<1> {
        let count = a.dims()[0];
        let scores = a.clone().matmul(b.clone().transpose());
        let scores = scores.div_scalar(self.temperature);
        let targets = TensorData::new(targets.to_vec(), [count, count]);
        let targets = Tensor::<2>::from_data(targets, &a.device());
        // The targets of both directions are the same: whether two pairs are alike has no order.
        let rows = (activation::log_softmax(scores.clone(), 1) * targets.clone()).sum();
        let columns = (activation::log_softmax(scores.transpose(), 1) * targets).sum();
        (rows + columns).div_scalar(-2.0 * count as f64)
    }
}

/// For each pair, what share of it belongs to which, `[b, b]`.
fn targets(batch: &[&Pair], alike: impl Fn(&&Pair, &&Pair) -> bool) -> Vec<f32> {
    let mut targets = Vec::with_capacity(batch.len() * batch.len());
    for a in batch {
        let row: Vec<f32> = (batch.iter())
            .map(|b| f32::from(u8::from(alike(a, b))))
            .collect();
        let sum: f32 = row.iter().sum();
        targets.extend(row.into_iter().map(|share| share / sum.max(1.0)));
    }
    targets
}

/// Rows of length 1.
fn unit(x: Tensor<2>) -> Tensor<2> {
    let length = x.clone().square().sum_dim(1).clamp_min(1e-12).sqrt();
    x / length
}

#[cfg(all(test, feature = "cpu"))]
mod tests;

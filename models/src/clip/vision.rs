//! The vision tower, a ViT (Dosovitskiy et al. 2021).

use burn::tensor::{Device, Tensor, TensorData};

use super::layer::{Layers, Shape};
use crate::cancel::Cancel;
use crate::device::Compute;
use crate::error::Result;
use crate::layers::{LayerNorm, Linear, Weight};
use crate::weights::{ClipConfig, Weights};

#[derive(Debug)]
pub(super) struct VisionTower {
    width: usize,
    image: usize,
    patch: usize,
    /// `[d, 3 · patch · patch]`.
    embedding: Weight,
    /// `[1, 1, d]`.
    class: Tensor<3>,
    /// `[1, patches + 1, d]`.
    position: Tensor<3>,
    norm_pre: LayerNorm,
    layers: Layers,
    norm_post: LayerNorm,
    projection: Linear,
}

impl VisionTower {
    pub(super) fn load(weights: &Weights, config: &ClipConfig, compute: &Compute) -> Result<Self> {
        let vision = &config.vision;
        let device = compute.device();
        let (d, patch) = (vision.hidden_size as usize, vision.patch_size as usize);
        let shape = Shape {
            layers: vision.num_hidden_layers,
            heads: vision.num_attention_heads,
            activation: vision.hidden_act,
            eps: vision.layer_norm_eps,
            causal: false,
        };
        // Strides and kernel of the convolution are one patch, so it is a matrix over patches.
        let position = weights.tensor::<2>("vision.embeddings.position", device)?;
        Ok(Self {
            width: d,
            image: vision.image_size as usize,
            patch,
            embedding: Weight::load_matrix(weights, "vision.embeddings.patch", compute)?,
            class: weights
                .tensor::<1>("vision.embeddings.class", device)?
                .reshape([1, 1, d]),
            position: position.unsqueeze(),
            norm_pre: LayerNorm::load(weights, "vision.norm_pre", shape.eps, compute)?,
            layers: Layers::load(weights, "vision", &shape, compute)?,
            norm_post: LayerNorm::load(weights, "vision.norm_post", shape.eps, compute)?,
            projection: Linear::load_projection(weights, "vision.projection", compute)?,
        })
    }

    /// The feature of one picture, `[1, dim]`, before it is normalized. `pixels` are `[3, image, image]`.
    pub(super) fn forward(
        &self,
        pixels: &[f32],
        device: &Device,
        cancel: &Cancel,
    ) -> Result<Tensor<2>> {
        let d = self.width;
        let patches = patches(pixels, self.image, self.patch);
        let n = (self.image / self.patch) * (self.image / self.patch);
        let patches = TensorData::new(patches, [n, 3 * self.patch * self.patch]);
        let patches = Tensor::<2>::from_data(patches, device);
        let patches = self.embedding.forward(patches);
        let x = Tensor::cat(vec![self.class.clone(), patches.unsqueeze()], 1);
        let x = self.norm_pre.forward(x + self.position.clone());
        let class = self.layers.forward(x, 0, cancel)?.reshape([1, d]);
        Ok(self.projection.forward(self.norm_post.forward(class)))
    }
}

/// Cuts `[3, image, image]` into patches row by row, each as `[3, patch, patch]`. What is left over at
/// the right and at the bottom belongs to none.
fn patches(pixels: &[f32], image: usize, patch: usize) -> Vec<f32> {
    let side = image / patch;
    let mut out = Vec::with_capacity(3 * side * side * patch * patch);
    for top in (0..side).map(|at| at * patch) {
        for left in (0..side).map(|at| at * patch) {
            for channel in pixels.chunks_exact(image * image) {
                for y in top..top + patch {
                    out.extend_from_slice(&channel[y * image + left..][..patch]);
                }
            }
        }
    }
    out
}

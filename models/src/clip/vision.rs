//! The vision tower, a ViT (Dosovitskiy et al. 2021).

use burn::tensor::{Tensor, TensorData};

use super::layer::Layers;
use crate::cancel::Cancel;
use crate::device::Compute;
use crate::error::Result;
use crate::layers::{LayerNorm, Linear, Sequences, Weight};
use crate::source::Source;
use crate::stack::{Order, Shape};
use crate::weights::ClipConfig;

#[derive(Debug)]
pub(crate) struct VisionTower {
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
    pub(crate) fn load(
        source: &impl Source,
        config: &ClipConfig,
        compute: &Compute,
    ) -> Result<Self> {
        let vision = &config.vision;
        let device = compute.device();
        let (d, patch) = (vision.hidden_size as usize, vision.patch_size as usize);
        let shape = Shape {
            width: vision.hidden_size as usize,
            heads: vision.num_attention_heads as usize,
            between: vision.intermediate_size as usize,
            activation: vision.hidden_act,
            eps: vision.layer_norm_eps,
            causal: false,
            order: Order::PreNorm,
            longest: ((vision.image_size / vision.patch_size).pow(2) + 1) as usize,
        };
        // Strides and kernel of the convolution are one patch, so it is a matrix over patches.
        let position = source.tensor::<2>("vision.embeddings.position", device)?;
        Ok(Self {
            width: d,
            image: vision.image_size as usize,
            patch,
            embedding: source.weight("vision.embeddings.patch", None, compute)?,
            class: source
                .tensor::<1>("vision.embeddings.class", device)?
                .reshape([1, 1, d]),
            position: position.unsqueeze(),
            norm_pre: LayerNorm::load(source, "vision.norm_pre", shape.eps, compute)?,
            layers: Layers::load(
                source,
                ("vision", vision.num_hidden_layers),
                &shape,
                compute,
            )?,
            norm_post: LayerNorm::load(source, "vision.norm_post", shape.eps, compute)?,
            projection: Linear::load_projection(source, "vision.projection", compute)?,
        })
    }

    /// The features of `b` pictures, `[b, dim]`, before they are normalized. Each of `pixels` is `[3, image, image]`.
    pub(crate) fn forward(
        &self,
        pixels: &[Vec<f32>],
        compute: &Compute,
        cancel: &Cancel,
    ) -> Result<Tensor<2>> {
        let (b, d) = (pixels.len(), self.width);
        let n = (self.image / self.patch) * (self.image / self.patch);
        let mut all = Vec::with_capacity(b * n * 3 * self.patch * self.patch);
        for pixels in pixels {
            patches(pixels, self.image, self.patch, &mut all);
        }
        let all = TensorData::new(all, [b * n, 3 * self.patch * self.patch]);
        let all = Tensor::<2>::from_data(all, compute.device());
        let all = self.embedding.forward(all)?.reshape([b, n, d]);
        let x = Tensor::cat(vec![self.class.clone().expand([b, 1, d]), all], 1);
        let x = self.norm_pre.forward(x + self.position.clone());
        // Burn takes them as a batch on a GPU, our own kernels one after the other.
        let (x, sequences) = if !compute.is_burns_gpu() {
            let packed = (0..b).map(|_| (n + 1, vec![0]));
            (x.reshape([1, b * (n + 1), d]), Sequences::new(packed))
        } else {
            (x, Sequences::new([(n + 1, vec![0])]))
        };
        let class = self.layers.forward(x, &sequences, cancel)?;
        let class = self.norm_post.forward(class.reshape([b, d]));
        if compute.is_burns_gpu() {
            return Ok(self.projection.forward(class));
        }
        // One row for itself: Burn multiplies several in another order, and a feature would depend on its neighbours.
        let rows = class.split(1, 0).into_iter();
        let features = rows.map(|row| self.projection.forward(row)).collect();
        Ok(Tensor::cat(features, 0))
    }

    /// The rows of one picture in the layers: its patches and the class token.
    pub(super) fn rows(&self) -> usize {
        (self.image / self.patch) * (self.image / self.patch) + 1
    }
}

/// Cuts `[3, image, image]` into patches row by row, each as `[3, patch, patch]`, and appends them to `out`. What is
/// left over at the right and at the bottom belongs to none.
fn patches(pixels: &[f32], image: usize, patch: usize, out: &mut Vec<f32>) {
    let side = image / patch;
    for top in (0..side).map(|at| at * patch) {
        for left in (0..side).map(|at| at * patch) {
            for channel in pixels.chunks_exact(image * image) {
                for y in top..top + patch {
                    out.extend_from_slice(&channel[y * image + left..][..patch]);
                }
            }
        }
    }
}

//! CLIP (Radford et al. 2021): a text and a picture as unit vectors of one space.
//!
//! Two pre-norm transformers with a projection each. The text tower sees only what lies to the left and
//! is read at the end-of-text token; the vision tower sees patches of the picture as if they were words,
//! and is read at a class token put before them.

mod layer;
mod text;
mod vision;

use std::time::Instant;

use burn::tensor::Tensor;

pub(crate) use self::text::TextTower;
pub(crate) use self::vision::VisionTower;
use crate::cancel::Cancel;
use crate::device::Compute;
use crate::error::{Error, ErrorKind, Result};
use crate::expert::WarmedUp;
use crate::picture::Picture;
use crate::tokenizer::{Arriving, Tokenizer};
use crate::weights::{ClipConfig, ClipTextConfig, Meta, Preprocess, Weights};
use crate::xlmr::read;

/// The rows of a batch of pictures that Burn sees on a GPU: enough to fill a large one, and few enough for the scores of attention to
/// fit a small one.
const GPU_ROWS: usize = 2048;

/// The same elsewhere; on the CPU, a matrix is read once for all of them.
const CPU_ROWS: usize = 200;

/// CLIP on a device.
#[derive(Debug)]
pub struct Clip {
    weights: Weights,
    config: ClipConfig,
    compute: Compute,
    tokenizer: Arriving,
    text: TextTower,
    vision: VisionTower,
}

impl Clip {
    /// Uploads both towers.
    ///
    /// # Errors
    /// Of kind `Model` where the file holds no CLIP, `Tokenizer` where its tokenizer is missing (one that cannot
    /// be read is told with the first text, because it is read meanwhile), `File` where the weights are damaged, `Device` where they do not fit.
    pub fn load(weights: Weights, compute: &Compute) -> Result<Self> {
        let path = weights.container().path();
        let Some(config) = weights.meta().clip().cloned() else {
            let kind = weights.meta().kind;
            return Err(Error::model(
                path,
                format!("expected a CLIP, got a model of kind {kind}"),
            ));
        };
        let Some(json) = weights.tokenizer() else {
            let message = format!("{}: there is no section tokenizer", path.display());
            return Err(Error::new(ErrorKind::Tokenizer, message));
        };
        let tokenizer = Arriving::new(json);
        let (text, vision) = compute.run(|| {
            let text = TextTower::load(&weights, &config, compute)?;
            Ok((text, VisionTower::load(&weights, &config, compute)?))
        })?;
        Ok(Self {
            config,
            compute: compute.clone(),
            tokenizer,
            text,
            vision,
            weights,
        })
    }

    /// What the file says about the model.
    pub fn meta(&self) -> &Meta {
        self.weights.meta()
    }

    /// Width of a feature.
    pub fn dim(&self) -> usize {
        self.config.projection_dim as usize
    }

    /// What a picture has to go through before [`image`](Self::image).
    pub fn preprocess(&self) -> &Preprocess {
        &self.config.preprocess
    }

    /// The ids of a text: start of text, as many as fit, end of text.
    ///
    /// # Errors
    /// Of kind `Tokenizer`.
    pub fn text_ids(&self, text: &str) -> Result<Vec<u32>> {
        caption_ids(self.tokenizer.get()?, &self.config.text, text)
    }

    /// The feature of a text, `[dim]`, of length 1. `cancel` is looked at before each layer, by our kernels on a GPU
    /// before the pass.
    ///
    /// # Errors
    /// Of kind `Tokenizer`, `Cancelled`, and `Device`; `Input` where the tokenizer gives an id that the
    /// model has no row for.
    pub fn text(&self, text: &str, cancel: &Cancel) -> Result<Vec<f32>> {
        let ids = self.text_ids(text)?;
        let embeddings = self.text.embed(&self.weights, &ids)?;
        let (rows, device) = (self.compute.rows(ids.len()), self.compute.device());
        self.feature(|| self.text.forward(embeddings, &ids, rows, device, cancel))
    }

    /// The feature of a picture, `[dim]`, of length 1. `cancel` is looked at before each layer, by our kernels on a GPU
    /// before the pass.
    ///
    /// # Errors
    /// Of kind `Input` where the picture was prepared for another model; `Cancelled` and `Device`.
    pub fn image(&self, picture: &Picture, cancel: &Cancel) -> Result<Vec<f32>> {
        let pixels = [self.pixels(picture)?];
        self.feature(|| self.vision.forward(&pixels, &self.compute, cancel))
    }

    /// The features of pictures, [`batch`](Self::batch) of them at once. On the CPU, and by our own kernels on
    /// a GPU, each is that which [`image`](Self::image) gives; by Burn on a GPU within rounding of it, and whatever the others are. There,
    /// one takes as long as a batch.
    ///
    /// # Errors
    /// As [`image`](Self::image).
    pub fn images(&self, pictures: &[&Picture], cancel: &Cancel) -> Result<Vec<Vec<f32>>> {
        let (batch, mut features) = (self.batch(), Vec::with_capacity(pictures.len()));
        for pictures in pictures.chunks(batch) {
            let pixels = pictures.iter().map(|picture| self.pixels(picture));
            let mut pixels = pixels.collect::<Result<Vec<_>>>()?;
            // A GPU has a kernel for each shape, and each rounds in its own way: a batch that is not full is filled up.
            if self.compute.is_burns_gpu() {
                pixels.resize(batch, pixels[0].clone());
            }
            let tower = || self.vision.forward(&pixels, &self.compute, cancel);
            features.extend(
                self.features(pixels.len(), tower)?
                    .into_iter()
                    .take(pictures.len()),
            );
        }
        Ok(features)
    }

    /// How many pictures [`images`](Self::images) gives to the device at once.
    pub fn batch(&self) -> usize {
        let rows = self.vision.rows();
        if self.compute.is_burns_gpu() {
            (GPU_ROWS / rows).clamp(1, 32)
        } else {
            (CPU_ROWS / rows).clamp(1, 8)
        }
    }

    fn pixels(&self, picture: &Picture) -> Result<Vec<f32>> {
        let side = self.config.vision.image_size as usize;
        if picture.side() != side {
            return Err(Error::input(format!(
                "expected a picture of {side} × {side} pixels, got {0} × {0}",
                picture.side()
            )));
        }
        Ok(picture.normalized(self.preprocess()))
    }

    /// Runs both towers once for each shape that they can have on a GPU: for each length of a text, and for a picture.
    /// `told` hears of each, with the tower's name. On the CPU nothing is done.
    ///
    /// # Errors
    /// Of kind `Device`, `Cancelled`.
    pub fn warm_up(&self, cancel: &Cancel, told: &mut dyn FnMut(&str, WarmedUp)) -> Result<()> {
        if !self.compute.is_gpu() {
            return Ok(());
        }
        let (text, vision) = (&self.config.text, &self.config.vision);
        let longest = text.max_position_embeddings as usize;
        for rows in self.compute.buckets(longest) {
            let ids = vec![text.end_of_text_id; rows.min(longest)];
            let started = Instant::now();
            let embeddings = self.text.embed(&self.weights, &ids)?;
            let (padded_to, device) = (self.compute.rows(ids.len()), self.compute.device());
            self.feature(|| (self.text).forward(embeddings, &ids, padded_to, device, cancel))?;
            let took = started.elapsed();
            let padded = ids.len() < rows;
            told("text", WarmedUp { rows, padded, took });
        }
        let side = vision.image_size as usize;
        let pixels = [vec![0.0; 3 * side * side]];
        let started = Instant::now();
        self.feature(|| self.vision.forward(&pixels, &self.compute, cancel))?;
        let warmed = WarmedUp {
            rows: self.vision.rows(),
            padded: false,
            took: started.elapsed(),
        };
        told("image", warmed);
        Ok(())
    }

    /// Runs a tower, reads what it says `[1, dim]`, and scales it to length 1.
    fn feature(&self, tower: impl FnOnce() -> Result<Tensor<2>> + Send) -> Result<Vec<f32>> {
        Ok(self.features(1, tower)?.swap_remove(0))
    }

    /// The same for `count` features at once, `[count, dim]`.
    fn features(
        &self,
        count: usize,
        tower: impl FnOnce() -> Result<Tensor<2>> + Send,
    ) -> Result<Vec<Vec<f32>>> {
        let features = self
            .compute
            .run_alone(|| self.compute.run_awake(|| read(tower()?)))?;
        let dim = self.dim();
        if features.len() != count * dim {
            let message = format!("expected {count} × {dim} values, got {}", features.len());
            return Err(Error::device(message));
        }
        features.chunks_exact(dim).map(normalized).collect()
    }
}

/// The ids of a text as CLIP reads it: start of text, as many as fit, end of text.
///
/// # Errors
/// Of kind `Tokenizer`.
pub fn caption_ids(tokenizer: &Tokenizer, config: &ClipTextConfig, text: &str) -> Result<Vec<u32>> {
    let room = (config.max_position_embeddings as usize).saturating_sub(2);
    let mut ids = vec![config.bos_token_id];
    ids.extend(tokenizer.encode(text)?.into_iter().take(room));
    ids.push(config.end_of_text_id);
    Ok(ids)
}

/// A feature, scaled to length 1.
fn normalized(feature: &[f32]) -> Result<Vec<f32>> {
    let squares = feature.iter().map(|&x| f64::from(x) * f64::from(x));
    let length = squares.sum::<f64>().sqrt();
    if !length.is_finite() {
        let message = format!("CLIP's feature has length {length}, expected a finite number");
        return Err(Error::device(message));
    }
    // Zero stays zero.
    let scale = |&x: &f32| match length > 0.0 {
        true => (f64::from(x) / length) as f32,
        false => x,
    };
    Ok(feature.iter().map(scale).collect())
}

#[cfg(test)]
pub(crate) mod tests;

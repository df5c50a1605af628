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

use self::text::TextTower;
use self::vision::VisionTower;
use crate::cancel::Cancel;
use crate::device::Compute;
use crate::error::{Error, ErrorKind, Result};
use crate::expert::WarmedUp;
use crate::gpu::buckets;
use crate::picture::Picture;
use crate::tokenizer::Arriving;
use crate::weights::{ClipConfig, Meta, Preprocess, Weights};
use crate::xlmr::read;

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
        let config = &self.config.text;
        let room = (config.max_position_embeddings as usize).saturating_sub(2);
        let mut ids = vec![config.bos_token_id];
        ids.extend(self.tokenizer.get()?.encode(text)?.into_iter().take(room));
        ids.push(config.end_of_text_id);
        Ok(ids)
    }

    /// The feature of a text, `[dim]`, of length 1. `cancel` is looked at before each layer.
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

    /// The feature of a picture, `[dim]`, of length 1. `cancel` is looked at before each layer.
    ///
    /// # Errors
    /// Of kind `Input` where the picture was prepared for another model; `Cancelled` and `Device`.
    pub fn image(&self, picture: &Picture, cancel: &Cancel) -> Result<Vec<f32>> {
        let side = self.config.vision.image_size as usize;
        if picture.side() != side {
            return Err(Error::input(format!(
                "expected a picture of {side} × {side} pixels, got {0} × {0}",
                picture.side()
            )));
        }
        let pixels = picture.normalized(self.preprocess());
        self.feature(|| self.vision.forward(&pixels, self.compute.device(), cancel))
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
        for rows in buckets(longest) {
            let ids = vec![text.end_of_text_id; rows.min(longest)];
            let started = Instant::now();
            let embeddings = self.text.embed(&self.weights, &ids)?;
            let device = self.compute.device();
            self.feature(|| self.text.forward(embeddings, &ids, rows, device, cancel))?;
            let took = started.elapsed();
            let padded = ids.len() < rows;
            told("text", WarmedUp { rows, padded, took });
        }
        let side = vision.image_size as usize;
        let pixels = vec![0.0; 3 * side * side];
        let patches = side / vision.patch_size as usize;
        let started = Instant::now();
        self.feature(|| self.vision.forward(&pixels, self.compute.device(), cancel))?;
        let warmed = WarmedUp {
            rows: patches * patches + 1,
            padded: false,
            took: started.elapsed(),
        };
        told("image", warmed);
        Ok(())
    }

    /// Runs a tower, reads what it says `[1, dim]`, and scales it to length 1.
    fn feature(&self, tower: impl FnOnce() -> Result<Tensor<2>> + Send) -> Result<Vec<f32>> {
        let mut feature = self
            .compute
            .run_alone(|| self.compute.run_awake(|| read(tower()?)))?;
        let squares = feature.iter().map(|&x| f64::from(x) * f64::from(x));
        let length = squares.sum::<f64>().sqrt();
        if !length.is_finite() {
            let message = format!("CLIP's feature has length {length}, expected a finite number");
            return Err(Error::device(message));
        }
        if length > 0.0 {
            for x in &mut feature {
                *x = (f64::from(*x) / length) as f32;
            }
        }
        Ok(feature)
    }
}

#[cfg(test)]
mod tests;

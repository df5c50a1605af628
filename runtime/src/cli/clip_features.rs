//! CLIP's features of pictures, to search an image index with.

use super::ComputeArgs;
use crate::{Cancel, Error, OpenOptions, Result};
use morelet_indices::ImageIndex;
use morelet_models::device::{Compute, ComputeOptions};
use morelet_models::weights::Weights;
use morelet_models::{Clip, Picture, PictureLimits};
use std::path::Path;

/// The CLIP that made an index, ready to see pictures.
pub(super) struct ClipFeatures {
    clip: Clip,
    compute: Compute,
}

impl ClipFeatures {
    /// Loads the CLIP of a bundle.
    ///
    /// # Errors
    /// `Bundle` where another CLIP has made the index; `Device`.
    pub fn load(weights: Weights, index: &ImageIndex, compute: &ComputeArgs) -> Result<Self> {
        let meta = weights.meta();
        if meta.identity != index.clip_identity() {
            return Err(Error::bundle(format!(
                "is not the CLIP that made the image index: expected identity {}, got {}",
                index.clip_identity(),
                meta.identity
            ))
            .at(weights.container().path()));
        }
        let options = ComputeOptions {
            device: compute.device,
            threads: compute.threads.map(usize::from),
            ..Default::default()
        };
        let compute = Compute::for_models(&options, [meta])?;
        let clip = Clip::load(weights, &compute)?;
        Ok(Self { clip, compute })
    }

    /// Loads the CLIP of a file that was given with an index, at `path`, that stands alone.
    pub fn open(
        clip: Option<&Path>,
        index: &ImageIndex,
        path: &Path,
        compute: &ComputeArgs,
    ) -> Result<Self> {
        let Some(clip) = clip else {
            return Err(Error::unsupported(
                "an image index alone cannot read a picture: add `--clip F.weights`, or name a bundle that has both",
            )
            .at(path));
        };
        Self::load(Weights::open(clip, OpenOptions::default())?, index, compute)
    }

    /// Reads and decodes a picture.
    pub fn picture(&self, path: &Path) -> Result<Picture> {
        let limits = PictureLimits::default();
        Ok(Picture::open(path, self.clip.preprocess(), &limits)?)
    }

    /// The feature of a picture. Whoever else asks waits.
    pub fn of(&self, picture: &Picture, cancel: &Cancel) -> Result<Vec<f32>> {
        Ok(self.compute.run(|| self.clip.image(picture, cancel))?)
    }
}

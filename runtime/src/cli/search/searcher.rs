//! An index that is ready to be asked.

use super::asked::Asked;
use super::line::{Found, HitLine};
use super::text::TextSearch;
use super::{Args, SearchKind, lacks};
use crate::cli::{ComputeArgs, Console, Failure};
use crate::{Bundle, Error, OpenOptions, Result};
use morelet_indices::{ImageIndex, TextIndex};
use morelet_models::device::Compute;
use morelet_models::weights::Weights;
use morelet_models::{Clip, Picture, PictureLimits};
use std::path::Path;
use std::sync::Arc;

pub(super) enum Searcher {
    Text(TextSearch),
    Image(Box<ImageSearch>),
}

pub(super) struct ImageSearch {
    index: Arc<ImageIndex>,
    clip: Clip,
    compute: Compute,
    console: Console,
    k: usize,
    keys: bool,
}

impl Searcher {
    pub fn open(
        args: &Args,
        compute: &ComputeArgs,
        console: &Console,
    ) -> std::result::Result<Self, Failure> {
        let bundle = match args.index.is_dir() {
            true => Some(Bundle::open(&args.index)?),
            false => None,
        };
        match args.kind {
            SearchKind::Text => {
                let index = match &bundle {
                    Some(bundle) => bundle
                        .text_index()
                        .cloned()
                        .ok_or_else(|| lacks(args, "text index"))?,
                    None => {
                        let index = TextIndex::open(&args.index, OpenOptions::default());
                        Arc::new(index.map_err(Error::from)?)
                    }
                };
                Ok(Self::Text(TextSearch::new(index, args, compute)?))
            }
            SearchKind::Image => {
                let (index, clip) = match &bundle {
                    Some(bundle) => {
                        let index = bundle.image_index().cloned();
                        let index = index.ok_or_else(|| lacks(args, "image index"))?;
                        let clip = bundle.clip().cloned().ok_or_else(|| lacks(args, "CLIP"))?;
                        (index, clip)
                    }
                    None => image_files(args)?,
                };
                let search = ImageSearch::new(index, clip, args, compute, console)?;
                Ok(Self::Image(Box::new(search)))
            }
        }
    }

    /// How many queries of a file are answered at the same time; whoever feeds them one by one gets one answer by one.
    pub fn at_a_time(&self) -> usize {
        match self {
            Self::Text(search) => search.at_a_time(),
            Self::Image(_) => 1,
        }
    }

    pub fn answer<'a>(&self, asked: &'a Asked) -> Result<Found<'a>> {
        let hits = match self {
            Self::Text(search) => search.find(&asked.text),
            Self::Image(search) => search.find(&asked.text, &asked.beside),
        };
        Ok(Found {
            id: asked.id.as_ref(),
            query: &asked.text,
            hits: hits.map_err(|error| asked.blame(error))?,
        })
    }

    /// The answers of many queries, in their order.
    pub fn answer_all<'a>(&self, asked: &'a [Asked]) -> Vec<Result<Found<'a>>> {
        match self {
            Self::Text(search) => search.map(asked, |asked| self.answer(asked)),
            Self::Image(_) => asked.iter().map(|asked| self.answer(asked)).collect(),
        }
    }
}

/// An image index that stands alone, and the CLIP that was given with it.
fn image_files(args: &Args) -> Result<(Arc<ImageIndex>, Weights)> {
    let index = ImageIndex::open(&args.index, OpenOptions::default())?;
    let Some(clip) = &args.clip else {
        return Err(Error::unsupported(
            "an image index alone cannot read a picture; search a bundle that has it, or add `--clip F.weights`",
        )
        .at(&args.index));
    };
    let clip = Weights::open(clip, OpenOptions::default())?;
    Ok((Arc::new(index), clip))
}

impl ImageSearch {
    fn new(
        index: Arc<ImageIndex>,
        weights: Weights,
        args: &Args,
        compute: &ComputeArgs,
        console: &Console,
    ) -> Result<Self> {
        let meta = weights.meta();
        if meta.identity != index.clip_identity() {
            return Err(Error::bundle(format!(
                "is not the CLIP that made the image index: expected identity {}, got {}",
                index.clip_identity(),
                meta.identity
            ))
            .at(weights.container().path()));
        }
        let compute = Compute::with_threads(compute.device, compute.threads.map(usize::from))?;
        Ok(Self {
            index,
            clip: Clip::load(weights, &compute)?,
            compute,
            console: console.clone(),
            k: args.k as usize,
            keys: args.keys,
        })
    }

    fn find(&self, query: &str, beside: &Path) -> Result<Vec<HitLine>> {
        let picture = Picture::open(
            beside.join(query),
            self.clip.preprocess(),
            &PictureLimits::default(),
        )?;
        let feature = self
            .compute
            .run(|| self.clip.image(&picture, self.console.cancel()))?;
        let hits = self.index.retrieve(&feature, self.k, self.keys)?;
        Ok(hits.into_iter().map(HitLine::from).collect())
    }
}

//! Searching pictures: what the options ask of an index.

use super::Args;
use super::asked::Asked;
use super::line::HitLine;
use super::threads::Threads;
use crate::cli::clip_features::ClipFeatures;
use crate::cli::retrieval::{ImageSearchArgs, first_given};
use crate::cli::{ComputeArgs, Console};
use crate::prefault::prefault;
use crate::{Bundle, Error, Lines, OpenOptions, Result};
use morelet_indices::{ImageFilter, ImageIndex, ImageSearchOptions};
use std::collections::{HashMap, HashSet};
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// Options of searches for pictures.
#[derive(Debug, clap::Args)]
#[command(next_help_heading = "Image")]
pub(super) struct ImageArgs {
    /// The CLIP that reads pictures, where only an image index is given
    #[arg(long, value_name = "F.weights")]
    pub clip: Option<PathBuf>,
    #[command(flatten)]
    search: ImageSearchArgs,
    /// Search only the pictures whose ids a file lists, one a line; `-` is standard input
    #[arg(long, value_name = "F")]
    pub images: Option<PathBuf>,
}

impl ImageArgs {
    /// The first of these options that was given.
    pub fn first_given(&self) -> Option<&'static str> {
        first_given([
            (self.clip.is_some(), "--clip"),
            (self.images.is_some(), "--images"),
        ])
        .or_else(|| self.search.first_given())
    }
}

/// An image index, and how it is searched.
pub(super) struct ImageSearch {
    index: Arc<ImageIndex>,
    features: ClipFeatures,
    options: ImageSearchOptions<'static>,
    filter: Option<ImageFilter>,
    keys: bool,
    /// Those that decode and search; CLIP sees one picture after the other.
    pub threads: Threads,
    console: Console,
}

impl ImageSearch {
    pub fn open(
        bundle: Option<&Bundle>,
        args: &Args,
        compute: &ComputeArgs,
        console: &Console,
    ) -> Result<Self> {
        let index = match bundle {
            Some(bundle) => {
                let index = bundle.image_index().cloned();
                index.ok_or_else(|| super::lacks(args, "image index"))?
            }
            None => Arc::new(ImageIndex::open(&args.index, OpenOptions::default())?),
        };
        // What cannot be meant is told before CLIP is loaded.
        let options = ImageSearchOptions {
            k: args.k as usize,
            ..args.image.search.effort.effort().options(&index)?
        };
        let filter = args.image.images.as_deref();
        let filter = filter.map(|path| filter_of(&index, path)).transpose()?;
        let features = match bundle {
            Some(bundle) => {
                let clip = bundle.clip().cloned();
                let clip = clip.ok_or_else(|| super::lacks(args, "CLIP"))?;
                ClipFeatures::load(clip, &index, compute)?
            }
            None => ClipFeatures::open(args.image.clip.as_deref(), &index, &args.index, compute)?,
        };
        if args.image.search.prefault {
            prefault(&index)?;
        }
        Ok(Self {
            index,
            features,
            options,
            filter,
            keys: args.keys,
            threads: Threads::start(args, compute)?,
            console: console.clone(),
        })
    }

    pub fn find(&self, asked: &Asked) -> Result<Vec<HitLine>> {
        let picture = self.features.picture(&asked.picture())?;
        let feature = self.features.of(&picture, self.console.cancel())?;
        self.search(&feature)
    }

    /// The hits of many pictures, in their order.
    pub fn find_all(&self, asked: &[Asked]) -> Vec<Result<Vec<HitLine>>> {
        let decode = |asked: &Asked| self.features.picture(&asked.picture());
        let pictures = self.threads.map(asked, decode).into_iter();
        let see = |picture: Result<_>| self.features.of(&picture?, self.console.cancel());
        let features: Vec<Result<Vec<f32>>> = pictures.map(see).collect();
        let search = |feature: &Result<Vec<f32>>| match feature {
            Ok(feature) => self.search(feature),
            // Told below.
            Err(_) => Ok(Vec::new()),
        };
        let found = self.threads.map(&features, search);
        let both = features.into_iter().zip(found);
        both.map(|(feature, found)| feature.and(found)).collect()
    }

    fn search(&self, feature: &[f32]) -> Result<Vec<HitLine>> {
        let options = ImageSearchOptions {
            filter: self.filter.as_ref(),
            ..self.options
        };
        let found = self.index.search_with(feature, &options)?;
        let hits = self.index.hits(&found, self.keys)?;
        Ok(hits.into_iter().map(HitLine::from).collect())
    }
}

/// The filter that a file of ids stands for. Several pictures may have the same id.
fn filter_of(index: &ImageIndex, path: &Path) -> Result<ImageFilter> {
    let mut lines = Lines::open(path)?;
    let mut listed: HashMap<String, u64> = HashMap::new();
    while let Some(line) = lines.next_line()? {
        let id = line.trim().to_owned();
        if !id.is_empty() {
            listed.entry(id).or_insert(lines.number());
        }
    }
    // An index knows the ids of its pictures, and not the other way round.
    let (mut found, mut known) = (Vec::new(), HashSet::new());
    index.for_each_id(|image, id| {
        if let Some((id, _)) = listed.get_key_value(id.trim()) {
            found.push(image);
            known.insert(id.as_str());
        }
    })?;
    let unknown = listed.iter().filter(|(id, _)| !known.contains(id.as_str()));
    if let Some((id, &line)) = unknown.min_by_key(|&(_, line)| line) {
        let got: String = id.chars().take(40).collect();
        let message = format!("expected the id of a picture in the index, got `{got}`");
        return Err(Error::input(message).at(lines.path()).on_line(line));
    }
    Ok(index.filter(found)?)
}

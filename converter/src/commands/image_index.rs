//! `image-index`: pictures become an index of their CLIP features, which gives back titles and
//! introductions.

use crate::checkpoint::{Checkpoint, SourceTensor};
use crate::records::{ImageRecord, Records};
use crate::{Console, Error, ErrorKind, Result};
use indicatif::ProgressBar;
use morelet_indices::{ImageEntry, ImageIndexBuilder, ImageOptions, Vectors};
use morelet_mapped::OpenOptions;
use morelet_models::device::{Compute, DeviceRequest};
use morelet_models::weights::{Preprocess, Weights};
use morelet_models::{Cancel, Clip, Picture, PictureLimits};
use rayon::prelude::*;
use std::path::{Path, PathBuf};

/// Arguments of `image-index`.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// Pictures, one a line; their paths are relative to this file
    #[arg(value_name = "IMAGES.jsonl")]
    images: PathBuf,
    /// The index to write
    #[arg(short, long, value_name = "image.index")]
    output: PathBuf,
    /// The CLIP that looks at the pictures
    #[arg(long, value_name = "F.weights")]
    clip: PathBuf,
    /// How features are stored: f16, or i8 with half the size
    #[arg(long, value_name = "TYPE", default_value_t = Vectors::F16)]
    vectors: Vectors,
    /// Features that this CLIP computed already, [pictures, width] with a row for each line; the
    /// pictures are then not opened
    #[arg(long, value_name = "F.safetensors", conflicts_with = "skip_bad")]
    features: Option<PathBuf>,
    /// Leave out pictures that cannot be read, and say which
    #[arg(long)]
    skip_bad: bool,
    /// Where CLIP runs: auto, cpu, wgpu[:N] or cuda[:N]
    #[arg(long, value_name = "DEVICE", default_value_t = DeviceRequest::Auto)]
    device: DeviceRequest,
}

/// Pictures that are decoded at once.
const BATCH: usize = 64;

/// Computes or reads the features and writes the index.
pub fn run(args: &Args, console: &Console) -> Result<()> {
    let weights = Weights::open(&args.clip, OpenOptions::default())?;
    let Some(config) = weights.meta().clip() else {
        return Err(Error::input(format!(
            "expected weights of kind `clip`, got `{}`",
            weights.meta().kind
        ))
        .at(&args.clip));
    };
    let dim = config.projection_dim as usize;
    let preprocess = config.preprocess.clone();
    let options = ImageOptions {
        vectors: args.vectors,
        ..ImageOptions::new(&weights.meta().identity, dim)
    };
    let mut job = Job {
        records: Records::open(&args.images)?,
        builder: ImageIndexBuilder::create(&args.output, options)?,
        bar: console.counter("pictures"),
        console,
        added: 0,
    };
    match &args.features {
        Some(features) => job.add_features(features, dim)?,
        None => {
            let clip = Clip::load(weights, &Compute::new(args.device)?)?;
            let folder = args.images.parent().unwrap_or(Path::new(""));
            job.add_pictures(&clip, &preprocess, folder, args.skip_bad)?;
        }
    }
    job.bar.finish_and_clear();
    let added = job.added;
    if added == 0 {
        return Err(Error::input("no pictures to index").at(&args.images));
    }
    let bar = console.counter("index");
    job.builder
        .finish(&mut |what, _, _| {
            bar.set_message(what.to_owned());
            console.is_interrupted()
        })?;
    bar.finish_and_clear();
    console.say(format_args!("{}: {added} pictures", args.output.display()));
    Ok(())
}

struct Job<'a> {
    records: Records<ImageRecord>,
    builder: ImageIndexBuilder,
    bar: ProgressBar,
    console: &'a Console,
    added: u64,
}

impl Job<'_> {
    fn add(&mut self, record: ImageRecord, feature: &[f32]) -> Result<()> {
        let id = record.id.into_text();
        let entry = ImageEntry {
            id: &id,
            title: &record.title,
            intro: &record.intro,
        };
        self.builder.add(entry, feature)?;
        self.added += 1;
        self.bar.inc(1);
        self.console.check()
    }

    /// Opens the pictures, in batches on every core, and lets CLIP look at each.
    fn add_pictures(
        &mut self,
        clip: &Clip,
        preprocess: &Preprocess,
        folder: &Path,
        skip_bad: bool,
    ) -> Result<()> {
        let limits = PictureLimits::default();
        loop {
            let mut batch = Vec::new();
            while batch.len() < BATCH
                && let Some(record) = self.records.next_record()?
            {
                batch.push((self.records.place(), record));
            }
            if batch.is_empty() {
                return Ok(());
            }
            let open = |(place, record): (String, ImageRecord)| {
                let picture = Picture::open(folder.join(&record.image), preprocess, &limits);
                (place, record, picture)
            };
            let pictures: Vec<_> = batch.into_par_iter().map(open).collect();
            for (place, record, picture) in pictures {
                match picture {
                    Ok(picture) => {
                        let feature = clip.image(&picture, &Cancel::new())?;
                        self.add(record, &feature)?;
                    }
                    Err(error) if skip_bad => {
                        self.console.say(format_args!("left out: {place}: {error}"))
                    }
                    Err(error) => {
                        return Err(Error::input(format!(
                            "{place}: {error}; --skip-bad leaves such pictures out"
                        )));
                    }
                }
            }
        }
    }

    /// Takes the features from a file, row by row.
    fn add_features(&mut self, path: &Path, dim: usize) -> Result<()> {
        let tensor = features(path, dim)?;
        let mut row = Vec::with_capacity(dim);
        tensor.values(&mut |values| {
            for &value in values {
                row.push(value);
                if row.len() == dim {
                    let number = self.added;
                    let record = self.records.next_record()?.ok_or_else(|| {
                        Error::input(format!(
                            "holds {} rows, but the list of pictures {number} lines",
                            tensor.shape[0]
                        ))
                        .at(path)
                    })?;
                    self.add(record, &row).map_err(|error| match error.kind() {
                        ErrorKind::Input => Error::input(format!("row {number}: {error}")).at(path),
                        _ => error,
                    })?;
                    row.clear();
                }
            }
            Ok(())
        })?;
        match self.records.next_record()? {
            None => Ok(()),
            Some(_) => Err(self.records.error(format!(
                "a picture without a feature: {} holds only {} rows",
                path.display(),
                tensor.shape[0]
            ))),
        }
    }
}

/// The tensor that holds the features: the only one of the file, or the one of that name.
fn features(path: &Path, dim: usize) -> Result<SourceTensor> {
    let checkpoint = Checkpoint::open(path)?;
    let tensor = match checkpoint.tensors() {
        [only] => Some(only),
        several => several.iter().find(|tensor| tensor.name == "features"),
    };
    let Some(tensor) = tensor else {
        let names: Vec<&str> = checkpoint
            .tensors()
            .iter()
            .map(|tensor| tensor.name.as_str())
            .collect();
        return Err(Error::input(format!(
            "expected one tensor, or one called `features`; got {}",
            names.join(", ")
        ))
        .at(path));
    };
    if tensor.shape.len() != 2 || tensor.shape[1] != dim as u64 {
        return Err(Error::input(format!(
            "`{}`: expected the shape [pictures, {dim}], as this CLIP's features have, got {:?}",
            tensor.name, tensor.shape
        ))
        .at(path));
    }
    Ok(tensor.clone())
}

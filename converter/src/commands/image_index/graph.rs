//! How the graph of an index is made, and its making.

use crate::{Console, Error, Result};
use morelet_indices::{ErrorKind, ImageIndex, ImageIndexBuilder, ImageOptions, Vectors};
use morelet_mapped::{OpenOptions, Verify};
use std::path::Path;

/// What `image-index` and `image-index merge` have in common.
#[derive(Debug, clap::Args)]
pub(super) struct Graph {
    /// How features are kept: i8, f16 or f32 [default: i8, or as in the index that is added to or merged first]
    #[arg(long, value_name = "TYPE")]
    vectors: Option<Vectors>,
    /// The most links of a picture in the graph, from 4 to 64: more find more and take more room [default: 40; 24 for fewer than 4096
    /// different pictures]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u16).range(4..=64))]
    links: Option<u16>,
    /// Candidates that each picture's links are chosen from: more make a better graph and take longer
    #[arg(long, value_name = "N", default_value_t = ImageOptions::DEFAULT_EF_CONSTRUCTION as u16, value_parser = clap::value_parser!(u16).range(1..))]
    ef_construction: u16,
    /// Keep only the i8 features, not what they leave beside them: little more than half the size, and less exact scores
    #[arg(long)]
    no_rerank: bool,
    /// Threads to work with; as many as the machine has unless given. The index is the same
    #[arg(long, value_name = "N", default_value_t = 0, hide_default_value = true, value_parser = clap::value_parser!(u16).range(..=1024))]
    threads: u16,
}

impl Graph {
    /// The number of threads.
    pub fn threads(&self) -> usize {
        match self.threads {
            0 => std::thread::available_parallelism().map_or(1, usize::from),
            threads => usize::from(threads),
        }
    }

    /// Options for features of one CLIP, like those of `before` where nothing else was said.
    pub fn options(&self, clip: &str, dim: usize, before: Option<&ImageIndex>) -> ImageOptions {
        let vectors = self.vectors.or(before.map(ImageIndex::vectors));
        ImageOptions {
            vectors: vectors.unwrap_or_default(),
            ef_construction: usize::from(self.ef_construction),
            // What an index had not, cannot be made of it.
            rerank: !self.no_rerank && before.is_none_or(keeps_exact),
            links: self.links.map(usize::from),
            threads: self.threads(),
            ..ImageOptions::new(clip, dim)
        }
    }
}

/// Whether an index has more than integers.
fn keeps_exact(index: &ImageIndex) -> bool {
    index.reranks() || index.vectors() != Vectors::I8
}

/// An index to take pictures from, checked against its hashes.
pub(super) fn open(path: &Path) -> Result<ImageIndex> {
    let options = OpenOptions {
        verify: Verify::Full,
        ..OpenOptions::default()
    };
    Ok(ImageIndex::open(path, options)?)
}

/// Refuses `index`, which is at `path`, where its features cannot be compared with those of `other`'s CLIP.
pub(super) fn check_clip(
    index: &ImageIndex,
    path: &Path,
    (identity, dim, other): (&str, usize, &Path),
) -> Result<()> {
    if index.clip_identity() != identity {
        let short = |identity: &str| identity.chars().take(16).collect::<String>();
        return Err(Error::input(format!(
            "its features were made by the CLIP {}…, those of {} by {}…: they cannot be compared; make both with one CLIP",
            short(index.clip_identity()),
            other.display(),
            short(identity)
        ))
        .at(path));
    }
    if index.dim() != dim {
        return Err(Error::input(format!(
            "its features have {} dimensions, those of {} {dim}: they cannot be compared",
            index.dim(),
            other.display()
        ))
        .at(path));
    }
    Ok(())
}

/// Adds the pictures of a finished index that `keep` wants.
pub(super) fn add_index(
    builder: &mut ImageIndexBuilder,
    index: &ImageIndex,
    keep: &mut dyn FnMut(&str) -> bool,
    console: &Console,
) -> Result<()> {
    let bar = console.count_bar("merge", 0);
    let added = builder.add_index(index, keep, &mut |done, total| {
        bar.set_length(total);
        bar.set_position(done);
        console.is_interrupted()
    });
    bar.finish_and_clear();
    added.map_err(stopped)
}

/// Makes the graph and ends the file.
pub(super) fn finish(builder: ImageIndexBuilder, console: &Console) -> Result<()> {
    let bar = console.count_bar("index", 0);
    let mut doing = String::new();
    let finished = builder.finish(&mut |what, done, total| {
        if doing != what {
            what.clone_into(&mut doing);
            bar.set_message(doing.clone());
        }
        bar.set_length(total);
        bar.set_position(done);
        console.is_interrupted()
    });
    bar.finish_and_clear();
    finished.map(drop).map_err(stopped)
}

/// Nothing but the user stops a builder.
fn stopped(error: morelet_indices::Error) -> Error {
    match error.kind() {
        ErrorKind::Stopped => Error::interrupted(),
        _ => error.into(),
    }
}

/// Says what recall was measured when the index at `path` was made.
pub(super) fn tell_recall(path: &Path, console: &Console) -> Result<()> {
    let index = ImageIndex::open(path, OpenOptions::default())?;
    // What `--recall` can be asked for; `morelet inspect` prints every measurement.
    let told = [0.9, 0.95, 0.99, 0.999].into_iter().filter_map(|recall| {
        let ef = index.ef_for(recall)?;
        Some(format!("{recall} at ef {ef}"))
    });
    let told: Vec<String> = told.collect();
    match (told.is_empty(), index.recall().last()) {
        (_, None) => {}
        (true, Some(last)) => {
            console.say(format_args!("recall@10: {} at ef {}", last.recall, last.ef));
        }
        (false, _) => console.say(format_args!("recall@10: {}", told.join(", "))),
    }
    Ok(())
}

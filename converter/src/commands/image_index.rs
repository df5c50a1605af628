//! `image-index`: pictures become an index of their CLIP features, which gives back titles and
//! introductions.
//!
//! ```text
//! list ──► pictures.rs (decoding) ──► extraction.rs (CLIP) ──► store.rs ──┐
//!     └──► features.rs (--features) ──────────────────────────────────────┤
//!                                      └──► entries.rs ──────────────────► ImageIndexBuilder ──► graph.rs
//! ```
//!
//! First every line is looked at, then the index is built: so what is bad is told before hours are spent on a graph, and
//! features that were computed are kept whatever comes after.

use crate::records::Records;
use crate::shard::Shard;
use crate::{Console, Error, Result};
use indicatif::ProgressBar;
use morelet_indices::{ImageEntry, ImageIndex, ImageIndexBuilder};
use morelet_mapped::OpenOptions;
use morelet_models::device::DeviceRequest;
use morelet_models::weights::Weights;
use std::path::{Path, PathBuf};

mod entries;
mod extraction;
mod features;
mod folder;
mod graph;
mod ids;
mod merge;
mod pictures;
mod store;
mod tally;

use entries::{Entries, Entry, EntryReader};
use extraction::Extraction;
use features::Features;
use folder::{ENTRIES, Folder};
use graph::Graph;
use ids::hash;
use store::{Store, StoreReader};
use tally::Tally;

/// Arguments of `image-index`.
#[derive(Debug, clap::Args)]
#[command(args_conflicts_with_subcommands = true, subcommand_negates_reqs = true)]
#[command(disable_help_subcommand = true)]
#[command(
    subcommand_value_name = "merge",
    subcommand_help_heading = "Instead of pictures"
)]
pub struct Args {
    #[command(subcommand)]
    instead: Option<Instead>,
    #[command(flatten)]
    build: Option<Build>,
    // Not in `Build`: clap finds no optional arguments that have others within them.
    #[command(flatten)]
    graph: Graph,
}

/// What `image-index` does instead of looking at pictures.
#[derive(Debug, clap::Subcommand)]
enum Instead {
    /// Merge finished indexes into one, without looking at a picture again
    #[command(disable_help_subcommand = true)]
    Merge(merge::Args),
}

/// What to build an index from, and how.
#[derive(Debug, clap::Args)]
struct Build {
    /// Pictures, one a line; their paths are relative to this file; - is standard input
    #[arg(required = true, value_name = "IMAGES.jsonl")]
    images: PathBuf,
    /// The index to write. The work is done in a folder beside it, image.index.building; where that is left from a process
    /// that was stopped or killed, the same command goes on with it
    #[arg(short, long, value_name = "image.index")]
    output: PathBuf,
    /// The CLIP that looks at the pictures
    #[arg(long, value_name = "F.weights")]
    clip: PathBuf,
    /// Features that this CLIP computed already, safetensors or .npy, [pictures, width] with a row for each line; the
    /// pictures are then not opened
    #[arg(long, value_name = "F", conflicts_with = "restart")]
    features: Option<PathBuf>,
    /// Leave out pictures that cannot be read, and say which
    #[arg(long)]
    skip_bad: bool,
    /// Add to the pictures of an index, which come first; those with an id of the list are replaced. It may be the index to
    /// write
    #[arg(long, value_name = "OLD.index", conflicts_with = "shard")]
    add_to: Option<PathBuf>,
    /// Index one of N parts of the lines, for a machine of its own; `image-index merge` puts the parts together
    #[arg(long, value_name = "I/N", default_value_t = Shard::ALL, hide_default_value = true)]
    shard: Shard,
    /// Throw away what an earlier process has begun
    #[arg(long)]
    restart: bool,
    /// Where CLIP runs: auto, cpu, wgpu[:N] or cuda[:N]
    #[arg(long, value_name = "DEVICE", default_value_t = DeviceRequest::Auto)]
    device: DeviceRequest,
}

/// Looks at the pictures and writes the index, or merges indexes.
pub fn run(args: &Args, console: &Console) -> Result<()> {
    let graph = &args.graph;
    let args = match (&args.instead, &args.build) {
        (Some(Instead::Merge(args)), _) => return merge::run(args, console),
        (None, Some(build)) => build,
        // clap asks for one of them.
        (None, None) => return Err(Error::usage("expected a list of pictures, or `merge`")),
    };
    check_target(args)?;
    let clip = ClipFile::open(&args.clip)?;
    let old = match &args.add_to {
        Some(path) => {
            let old = graph::open(path)?;
            graph::check_clip(&old, path, (clip.identity(), clip.dim, &args.clip))?;
            Some(old)
        }
        None => None,
    };
    let folder = Folder::open(&args.output, console)?;
    let mut work = Work {
        args,
        graph,
        folder,
        console,
        goes_on: false,
    };
    let built = work.build(clip, old);
    let Work {
        folder, goes_on, ..
    } = work;
    built.map_err(|error| match goes_on && folder.features().exists() {
        true => error.noting(format_args!(
            "what was done is kept in {}: the same command goes on from there",
            folder.path().display()
        )),
        false => error,
    })?;
    if args.features.is_none() {
        folder.clear()?;
    }
    drop(folder);
    graph::tell_recall(&args.output, console)
}

/// Refuses a target that is a folder or something that is read, before any work is done.
fn check_target(args: &Build) -> Result<()> {
    let Ok(target) = args.output.canonicalize() else {
        // It is not there yet.
        return Ok(());
    };
    if target.is_dir() {
        return Err(Error::input("is a folder: expected a file to write").at(&args.output));
    }
    if !target.is_file() {
        let message = "is a device or a pipe: expected a file to write, or nothing";
        return Err(Error::input(message).at(&args.output));
    }
    let read = [
        ("list of pictures", Some(&args.images)),
        ("CLIP", Some(&args.clip)),
        ("file of features", args.features.as_ref()),
    ];
    for (what, path) in read {
        if let Some(path) = path
            && path.canonicalize().is_ok_and(|path| path == target)
        {
            let message = format!("is the {what}: the index would take its place");
            return Err(Error::input(message).at(path));
        }
    }
    Ok(())
}

/// The CLIP whose features are indexed.
struct ClipFile {
    weights: Weights,
    dim: usize,
    preprocess: morelet_models::weights::Preprocess,
}

impl ClipFile {
    fn open(path: &Path) -> Result<Self> {
        let weights = Weights::open(path, OpenOptions::default())?;
        let Some(config) = weights.meta().clip() else {
            return Err(Error::input(format!(
                "expected weights of kind `clip`, got `{}`",
                weights.meta().kind
            ))
            .at(path));
        };
        Ok(Self {
            dim: config.projection_dim as usize,
            preprocess: config.preprocess.clone(),
            weights,
        })
    }

    fn identity(&self) -> &str {
        &self.weights.meta().identity
    }
}

/// The building of one index.
struct Work<'a> {
    args: &'a Build,
    graph: &'a Graph,
    folder: Folder,
    console: &'a Console,
    /// Whether the features that are kept are those that the same command would take.
    goes_on: bool,
}

/// The pictures that will be in the index, and their features.
struct Gathered {
    entries: EntryReader,
    features: Source,
}

/// Where features come from.
enum Source {
    /// What CLIP said; nothing where there is no picture.
    Store(Option<StoreReader>),
    File(Features),
}

impl Work<'_> {
    fn build(&mut self, clip: ClipFile, old: Option<ImageIndex>) -> Result<()> {
        let (args, console) = (self.args, self.console);
        let options = self.graph.options(clip.identity(), clip.dim, old.as_ref());
        let bar = console.counter("pictures");
        let mut tally = Tally::new(console, &bar);
        let gathered = self.gather(clip, &mut tally);
        bar.finish_and_clear();
        let mut gathered = gathered?;
        tally.judge(gathered.entries.len(), args.skip_bad)?;
        if gathered.entries.len() == 0 && args.shard == Shard::ALL {
            return Err(Error::input("no picture is left to index").at(&args.images));
        }
        let mut builder = ImageIndexBuilder::create_in(self.folder.path(), &args.output, options)?;
        if let Some(old) = old {
            let replaced = gathered.entries.ids()?;
            let keep = &mut |id: &str| !replaced.contains_key(&hash(id));
            graph::add_index(&mut builder, &old, keep, console)?;
            // It may be what the new one takes the place of.
            drop(old);
        }
        let bar = console.count_bar("features", gathered.entries.len());
        let added = gathered.add_to(&mut builder, &bar, console);
        bar.finish_and_clear();
        added?;
        let pictures = builder.len();
        graph::finish(builder, console)?;
        let output = args.output.display();
        console.say(format_args!("{output}: {pictures} pictures"));
        Ok(())
    }

    /// Looks at every line of the list.
    fn gather(&mut self, clip: ClipFile, tally: &mut Tally<'_>) -> Result<Gathered> {
        let (args, console) = (self.args, self.console);
        let list = Records::open(&args.images)?;
        let mut entries = Entries::create(self.folder.path().join(ENTRIES))?;
        let (lines, features) = match &args.features {
            Some(path) => {
                let features = Features::open(path, clip.dim)?;
                let lines = features.check(list, args.shard, &mut entries, tally, console)?;
                (lines, Source::File(features))
            }
            None => {
                let extraction = Extraction {
                    weights: clip.weights,
                    preprocess: &clip.preprocess,
                    device: args.device,
                    folder: args.images.parent().unwrap_or(Path::new("")),
                    shard: args.shard,
                    threads: self.graph.threads(),
                };
                let mut store = self.store(&extraction, clip.dim)?;
                let lines = extraction.run(list, &mut store, &mut entries, tally, console)?;
                (lines, Source::Store(store.reader()?))
            }
        };
        if lines == 0 {
            return Err(Error::input("no pictures to index").at(&args.images));
        }
        let entries = entries.reader()?;
        Ok(Gathered { entries, features })
    }

    /// The features that are kept, unless they are to be thrown away.
    fn store(&mut self, extraction: &Extraction<'_>, dim: usize) -> Result<Store> {
        if self.args.restart {
            self.folder.clear()?;
        }
        let plan = extraction.plan(dim);
        let store = Store::open(self.folder.features(), plan, self.console)
            .map_err(|error| error.noting("--restart begins anew"))?;
        self.goes_on = true;
        if store.known().len() > 0 {
            self.console.say(format_args!(
                "going on with {}, which has {} pictures",
                self.folder.path().display(),
                store.known().len()
            ));
        }
        Ok(store)
    }
}

impl Gathered {
    /// Adds the pictures with their features, in order.
    fn add_to(
        &mut self,
        builder: &mut ImageIndexBuilder,
        bar: &ProgressBar,
        console: &Console,
    ) -> Result<()> {
        let mut add = |entry: &Entry, feature: &[f32]| -> Result<()> {
            console.check()?;
            bar.inc(1);
            let Entry {
                id, title, intro, ..
            } = entry;
            Ok(builder.add(ImageEntry { id, title, intro }, feature)?)
        };
        let entries = &mut self.entries;
        match &mut self.features {
            Source::Store(None) => Ok(()),
            Source::Store(Some(store)) => {
                let mut feature = Vec::new();
                while let Some(entry) = entries.next_entry()? {
                    store.read(entry.feature, &mut feature)?;
                    add(&entry, &feature)?;
                }
                Ok(())
            }
            Source::File(features) => {
                let mut next = entries.next_entry()?;
                features.rows(&mut |number, row| {
                    if let Some(entry) = next.take_if(|entry| entry.feature == number) {
                        add(&entry, row)?;
                        next = entries.next_entry()?;
                    }
                    Ok(())
                })
            }
        }
    }
}

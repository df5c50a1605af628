//! `image-index merge`: finished indexes become one.

use super::folder::Folder;
use super::graph::{self, Graph};
use super::ids::{Ids, hash};
use crate::{Console, Error, Result};
use morelet_indices::{ImageIndex, ImageIndexBuilder};
use std::path::PathBuf;

/// Arguments of `image-index merge`.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// Image indexes of features of the same CLIP. Their pictures come in this order
    #[arg(required = true, value_name = "A.index")]
    indexes: Vec<PathBuf>,
    /// The index to write; it may be one of those that are merged
    #[arg(short, long, value_name = "image.index")]
    output: PathBuf,
    /// Let pictures of a later index take the place of those of the same id in earlier ones
    #[arg(long)]
    replace: bool,
    #[command(flatten)]
    graph: Graph,
}

/// Merges the indexes.
pub(super) fn run(args: &Args, console: &Console) -> Result<()> {
    let [first_path, others @ ..] = &args.indexes[..] else {
        // clap asks for one.
        return Err(Error::usage("expected an index to merge"));
    };
    let mut indexes = vec![graph::open(first_path)?];
    for path in others {
        console.check()?;
        let (index, first) = (graph::open(path)?, &indexes[0]);
        graph::check_clip(
            &index,
            path,
            (first.clip_identity(), first.dim(), first_path),
        )?;
        indexes.push(index);
    }
    let first = &indexes[0];
    let options = args
        .graph
        .options(first.clip_identity(), first.dim(), Some(first));
    let ids = match args.replace {
        true => Some(last_indexes(&indexes, console)?),
        false => None,
    };
    let folder = Folder::open(&args.output, console)?;
    let mut builder = ImageIndexBuilder::create_in(folder.path(), &args.output, options)?;
    for (number, index) in (0..).zip(&indexes) {
        let keep = &mut |id: &str| match &ids {
            Some(ids) => ids.get(&hash(id)).is_none_or(|&last| last == number),
            None => true,
        };
        graph::add_index(&mut builder, index, keep, console)?;
    }
    // One of them may be what the new one takes the place of.
    drop(indexes);
    let pictures = builder.len();
    graph::finish(builder, console)?;
    console.say(format_args!(
        "{}: {} indexes merged, {pictures} pictures",
        args.output.display(),
        args.indexes.len()
    ));
    graph::tell_recall(&args.output, console)
}

/// For each id, the number of the last index that has it.
fn last_indexes(indexes: &[ImageIndex], console: &Console) -> Result<Ids> {
    let mut ids = Ids::new();
    for (number, index) in (0..).zip(indexes) {
        console.check()?;
        index.for_each_id(|_, id| {
            ids.insert(hash(id), number);
        })?;
    }
    Ok(ids)
}

//! `text-index merge`: finished indexes become one.

use crate::{Console, Error, Result};
use morelet_indices::{ErrorKind, MergeOptions, TextIndex, merge_text_indexes};
use morelet_mapped::OpenOptions;
use std::collections::HashSet;
use std::path::PathBuf;

/// Arguments of `text-index merge`.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// Text indexes with the same analyzer, k1 and b. Their articles come in this order
    #[arg(required = true, value_name = "A.index")]
    indexes: Vec<PathBuf>,
    /// The index to write; it may be one of those that are merged
    #[arg(short, long, value_name = "text.index")]
    output: PathBuf,
    /// Let articles of a later index take the place of those of the same id in earlier ones
    #[arg(long)]
    replace: bool,
}

/// Merges the indexes.
pub(super) fn run(args: &Args, console: &Console) -> Result<()> {
    let mut known = HashSet::new();
    for index in &args.indexes {
        // One that is not there is told when it is opened.
        let path = index.canonicalize().unwrap_or_else(|_| index.clone());
        if !known.insert(path) {
            let message = format!("{} is given twice", index.display());
            return Err(Error::usage(message));
        }
    }
    let bar = console.count_bar("merge", 0);
    let options = MergeOptions {
        replace: args.replace,
    };
    let merged = merge_text_indexes(&args.indexes, &args.output, &options, &mut |done, total| {
        bar.set_length(total);
        bar.set_position(done);
        console.is_interrupted()
    });
    bar.finish_and_clear();
    merged.map_err(|error| match error.kind() {
        ErrorKind::Stopped => Error::interrupted(),
        _ => error.into(),
    })?;
    let (count, paragraphs) = (
        args.indexes.len(),
        TextIndex::open(&args.output, OpenOptions::default())?.paragraphs(),
    );
    console.say(format_args!(
        "{}: {count} indexes merged, {paragraphs} paragraphs",
        args.output.display()
    ));
    Ok(())
}

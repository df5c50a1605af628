//! `model`: a checkpoint as people have it becomes one `.weights` file.

use crate::{Console, Error, Result};
use std::path::PathBuf;

/// Arguments of `model`.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// Directory of the checkpoint, or the safetensors file of a gate
    checkpoint: PathBuf,
    /// The .weights file to write
    #[arg(short, long, value_name = "F.weights")]
    output: PathBuf,
}

/// Converts one checkpoint.
pub fn run(args: &Args, _console: &Console) -> Result<()> {
    Err(Error::input("not a checkpoint").at(&args.checkpoint))
}

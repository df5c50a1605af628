//! `man`: the manual, from the same definitions as the help.

use crate::{Error, Result};
use std::io::Write as _;
use std::path::PathBuf;

/// Arguments of `man`.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// Write a page for every command into this directory
    #[arg(short, long, value_name = "DIR")]
    output: Option<PathBuf>,
}

/// Prints the man page of `command`, or writes it and those of its subcommands into a directory.
pub fn run(args: &Args, command: clap::Command) -> Result<()> {
    match &args.output {
        Some(directory) => {
            std::fs::create_dir_all(directory).map_err(|error| Error::io(directory, error))?;
            clap_mangen::generate_to(command, directory)
                .map_err(|error| Error::io(directory, error))
        }
        None => {
            let mut page = Vec::new();
            clap_mangen::Man::new(command).render(&mut page)?;
            Ok(std::io::stdout().write_all(&page)?)
        }
    }
}

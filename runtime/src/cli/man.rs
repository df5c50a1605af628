//! `man`: the manual, from the same definitions as the help.

use super::{Outcome, print};
use crate::Error;
use std::path::PathBuf;

/// Arguments of `man`.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// Write a page for every command into this directory
    #[arg(short, long, value_name = "DIR")]
    output: Option<PathBuf>,
}

pub(super) fn run(args: &Args, command: clap::Command) -> Outcome {
    match &args.output {
        Some(directory) => {
            std::fs::create_dir_all(directory).map_err(|error| Error::io(directory, error))?;
            clap_mangen::generate_to(command, directory)
                .map_err(|error| Error::io(directory, error))?;
            Ok(())
        }
        None => {
            let mut page = Vec::new();
            clap_mangen::Man::new(command).render(&mut page)?;
            print(&String::from_utf8_lossy(&page))
        }
    }
}

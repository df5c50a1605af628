//! `completions`: what a shell needs to complete our command lines.

use crate::Result;
use std::io::Write as _;

/// Arguments of `completions`.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// The shell to write for
    shell: clap_complete::Shell,
}

/// Prints the completions of `command` on standard output.
pub fn run(args: &Args, mut command: clap::Command) -> Result<()> {
    let name = command.get_name().to_owned();
    let mut text = Vec::new();
    clap_complete::generate(args.shell, &mut command, name, &mut text);
    Ok(std::io::stdout().write_all(&text)?)
}

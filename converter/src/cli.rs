//! The command line: one definition, from which help, completions and man pages are made.

use crate::{Console, Result, commands};
use clap::{CommandFactory as _, Parser, Subcommand};

/// Prepares what the runtime `morelet` maps: weights, indices and bundles.
#[derive(Debug, Parser)]
#[command(
    name = "morelet-convert",
    version,
    propagate_version = true,
    arg_required_else_help = true
)]
pub struct Cli {
    /// Print errors only
    #[arg(long, short, global = true)]
    pub quiet: bool,
    /// What to do.
    #[command(subcommand)]
    pub command: Command,
}

/// What `morelet-convert` can do, one file each under `commands/`.
#[derive(Debug, Subcommand)]
#[non_exhaustive]
pub enum Command {
    /// Turn a checkpoint into a .weights file
    Model(commands::model::Args),
    /// Turn a MediaWiki dump into corpus.jsonl and images.jsonl
    Corpus(commands::corpus::Args),
    /// Turn a corpus into a text index
    TextIndex(commands::text_index::Args),
    /// Turn pictures into an image index
    ImageIndex(commands::image_index::Args),
    /// Put weights and indices together into a bundle
    Bundle(commands::bundle::Args),
    /// Train an expert, CLIP or a gate
    Train(commands::train::Args),
    /// Make up an encyclopedia, pictures and posts to learn from
    World(commands::world::Args),
    /// Make the paper's tables again
    Reproduce(commands::reproduce::Args),
    /// Make a small bundle from nothing, and see it answer
    Sample(commands::sample::Args),
    /// Print the completions of a shell
    Completions(commands::completions::Args),
    /// Print the man page, or write the page of every command into a directory
    Man(commands::man::Args),
}

/// Runs one command.
///
/// # Errors
/// Whatever the command met; [`Error::exit_code`](crate::Error::exit_code) says how the process should end.
pub fn run(command: &Command, console: &Console) -> Result<()> {
    match command {
        Command::Model(args) => commands::model::run(args, console),
        Command::Corpus(args) => commands::corpus::run(args, console),
        Command::TextIndex(args) => commands::text_index::run(args, console),
        Command::ImageIndex(args) => commands::image_index::run(args, console),
        Command::Bundle(args) => commands::bundle::run(args, console),
        Command::Train(args) => commands::train::run(args, console),
        Command::World(args) => commands::world::run(args, console),
        Command::Reproduce(args) => commands::reproduce::run(args, console),
        Command::Sample(args) => commands::sample::run(args, console),
        Command::Completions(args) => commands::completions::run(args, Cli::command()),
        Command::Man(args) => commands::man::run(args, Cli::command()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_definitions_hold_together() {
        Cli::command().debug_assert();
    }
}

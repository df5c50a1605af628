//! The binary `morelet-convert`: arguments in, an exit code out. Everything else is in the library.
#![forbid(unsafe_code)]

use clap::Parser as _;
use morelet_convert::{Cli, Console, run};
use std::process::ExitCode;

fn main() -> ExitCode {
    let cli = Cli::parse();
    let console = Console::terminal(cli.quiet);
    match run(&cli.command, &console) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) if error.is_closed_pipe() => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("morelet-convert: {}", error.chain());
            ExitCode::from(error.exit_code())
        }
    }
}

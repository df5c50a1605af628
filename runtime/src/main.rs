//! The binary `morelet`: arguments in, an exit code out. Everything else is in the library.
#![forbid(unsafe_code)]

use clap::Parser as _;
use morelet::cli::{Cli, Console, Failure, run};
use std::process::ExitCode;

fn main() -> ExitCode {
    let cli = Cli::parse();
    let console = Console::of_process(cli.quiet);
    match run(&cli, &console) {
        Ok(()) | Err(Failure::ClosedPipe) => ExitCode::SUCCESS,
        Err(failure) => {
            console.fail(&failure);
            ExitCode::from(failure.exit_code())
        }
    }
}

//! The binary `morelet`, as a library: one definition of the command line, from which help, completions and man pages are made, and
//! one module a subcommand.
//!
//! Data goes to standard output, everything else to standard error. A command ends with 0 when it is done, 1 when the input or a file is
//! bad, 2 when the arguments cannot be meant, 3 when the device cannot serve, 130 when it was interrupted.
//!
//! ```no_run
//! use clap::Parser as _;
//! use morelet::cli::{Cli, Console, run};
//!
//! let cli = Cli::parse_from(["morelet", "predict", "news.morelet", "--text", "Kolo loves the sun"]);
//! run(&cli, &Console::of_process(cli.quiet))?;
//! # Ok::<(), morelet::cli::Failure>(())
//! ```
//!
//! Other tools of the project use the pieces: [`Console`], [`Page`], and [`open_text`](crate::open_text) beside them.

mod bench;
mod clip_features;
mod completions;
mod console;
mod devices;
mod eval;
mod failure;
mod html;
mod inspect;
mod man;
mod predict;
mod retrieval;
mod search;
mod sink;
mod table;
mod verify;
mod warm_up;

pub use console::Console;
pub use failure::Failure;
pub use html::Page;

use crate::{Bundle, DeviceRequest, Session, SessionOptions};
use clap::{CommandFactory as _, Parser, Subcommand};
use retrieval::RetrievalArgs;
use std::sync::Arc;

/// What a command comes to.
pub type Outcome = std::result::Result<(), Failure>;

/// Finds entities and relations in sentences with pictures, from a bundle, with no network.
#[derive(Debug, Parser)]
#[command(
    name = "morelet",
    version,
    propagate_version = true,
    arg_required_else_help = true
)]
pub struct Cli {
    /// Print errors only
    #[arg(long, short, global = true)]
    pub quiet: bool,
    /// Where the models run.
    #[command(flatten)]
    pub compute: ComputeArgs,
    /// What to do.
    #[command(subcommand)]
    pub command: Command,
}

/// Where the models run.
#[derive(Clone, Debug, clap::Args)]
pub struct ComputeArgs {
    /// The device: auto, cpu, wgpu, wgpu:N, cuda or cuda:N
    #[arg(
        long,
        global = true,
        value_name = "DEVICE",
        default_value = "auto",
        help_heading = "Compute"
    )]
    pub device: DeviceRequest,
    /// Threads on the CPU [default: one for each processor]
    #[arg(long, global = true, value_name = "N", help_heading = "Compute",
          value_parser = clap::value_parser!(u16).range(1..=1024))]
    pub threads: Option<u16>,
}

/// What `morelet` can do.
#[derive(Debug, Subcommand)]
#[non_exhaustive]
pub enum Command {
    /// Answer a sentence, or every sentence of a file, as JSON lines
    Predict(predict::Args),
    /// Show what a bundle or an index retrieves, as JSON lines
    Search(search::Args),
    /// Compare answers with what is right: precision, recall and F1
    Eval(eval::Args),
    /// Measure the time of each module
    Bench(bench::Args),
    /// Show what a bundle or a part file holds
    Inspect(inspect::Args),
    /// Check every hash of a bundle or of part files
    Verify(verify::Args),
    /// Compile and tune a bundle's kernels on a GPU, once, so that the first answer does not wait for it
    WarmUp(warm_up::Args),
    /// List the devices of this machine, and whether they can serve
    Devices(devices::Args),
    /// Print the completions of a shell
    Completions(completions::Args),
    /// Print the man page, or write the page of every command into a directory
    Man(man::Args),
}

/// Runs one command.
///
/// # Errors
/// Whatever the command met; [`Failure::exit_code`] says how the process should end.
pub fn run(cli: &Cli, console: &Console) -> Outcome {
    let compute = &cli.compute;
    let result = match &cli.command {
        Command::Predict(args) => predict::run(args, compute, console),
        Command::Search(args) => search::run(args, compute, console),
        Command::Eval(args) => eval::run(args, compute, console),
        Command::Bench(args) => bench::run(args, compute, console),
        Command::Inspect(args) => inspect::run(args),
        Command::Verify(args) => verify::run(args, console),
        Command::WarmUp(args) => warm_up::run(args, compute, console),
        Command::Devices(args) => devices::run(args),
        Command::Completions(args) => completions::run(args, Cli::command()),
        Command::Man(args) => man::run(args, Cli::command()),
    };
    match result {
        // Whatever else went wrong because the user wanted to stop is not news.
        Err(failure)
            if console.cancel().is_cancelled() && !matches!(failure, Failure::ClosedPipe) =>
        {
            Err(Failure::Error(crate::Error::cancelled()))
        }
        result => result,
    }
}

impl ComputeArgs {
    /// Starts a session, with a bar over the models that are loaded.
    fn session(
        &self,
        bundle: &Bundle,
        retrieval: &RetrievalArgs,
        console: &Console,
    ) -> std::result::Result<Session, Failure> {
        self.session_with_cache(bundle, retrieval, None, console)
    }

    /// The same with a cache of so many entries.
    fn session_with_cache(
        &self,
        bundle: &Bundle,
        retrieval: &RetrievalArgs,
        cache: Option<usize>,
        console: &Console,
    ) -> std::result::Result<Session, Failure> {
        retrieval.tell_what_changes_nothing(bundle, console);
        let bar = console.count_bar("loading", Some(0));
        let progress = bar.clone();
        let options = SessionOptions {
            device: self.device,
            threads: self.threads.map(usize::from),
            effort: retrieval.effort,
            image_effort: retrieval.image.effort.effort(),
            prefault: retrieval.image.prefault,
            precision: None,
            cache,
            progress: Some(Arc::new(move |model: &str, done, total| {
                progress.set_length(total);
                progress.set_position(done);
                progress.set_message(format!("loading {model}"));
            })),
        };
        let session = bundle.session(&options);
        bar.finish_and_clear();
        let session = session?;
        console.check()?;
        let device = &session.info().device;
        if !device.reasons.is_empty() {
            let reasons = device.reasons.join("; ");
            console.say(format_args!(
                "computing on {} ({}): {reasons}",
                device.used, device.name
            ));
        }
        Ok(session)
    }
}

/// One line of JSON on standard output.
fn print_json(value: &impl serde::Serialize, console: &Console) -> Outcome {
    let mut sink = sink::Sink::open(None, console)?;
    sink.line(&serde_json::to_string(value).map_err(std::io::Error::from)?)?;
    sink.finish()
}

/// Text on standard output.
fn print(text: &str) -> Outcome {
    use std::io::Write as _;
    let mut stdout = std::io::stdout().lock();
    stdout.write_all(text.as_bytes())?;
    Ok(stdout.flush()?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_definitions_hold_together() {
        Cli::command().debug_assert();
    }

    #[test]
    fn arguments_that_cannot_be_meant_are_usage_errors() {
        let cases: &[&[&str]] = &[
            &["predict", "b"],
            &["predict", "b", "--text", "x", "--input", "f.jsonl"],
            &["predict", "b", "--text", "x", "--subject", "0:1"],
            &[
                "predict",
                "b",
                "--text",
                "x",
                "--subject",
                "0",
                "--object",
                "1:2",
            ],
            &[
                "predict",
                "b",
                "--text",
                "x",
                "--subject",
                "2:1",
                "--object",
                "1:2",
            ],
            &["predict", "b", "--text", "x", "--images", "d"],
            &["predict", "b", "--input", "f.jsonl", "--image", "p.jpg"],
            &["predict", "b", "--text", "x", "--detail", "everything"],
            &["predict", "b", "--text", "x", "--device", "gpu"],
            &["predict", "b", "--text", "x", "--threads", "0"],
            &["search", "b", "text"],
            &["search", "b", "words", "x"],
            &["search", "b", "text", "x", "--input", "f"],
            &["search", "b", "text", "x", "-k", "0"],
            &["search", "b", "text", "x", "--effort", "1.5"],
            &["search", "b", "text", "x", "--effort", "NaN"],
            &["predict", "b", "--text", "x", "--effort", "-1"],
            &["bench", "b", "--text", "x", "--effort", "full"],
            &["eval", "b", "--input", "f", "--effort", "2"],
            &["predict", "b", "--text", "x", "--recall", "0"],
            &["predict", "b", "--text", "x", "--ef", "5", "--exact"],
            &["search", "b", "image", "x", "--recall", "1", "--ef", "5"],
            &["eval", "b"],
            &["warm-up"],
            &["predict"],
            &["nonsense"],
        ];
        for arguments in cases {
            let arguments = std::iter::once(&"morelet").chain(arguments.iter());
            let error = Cli::try_parse_from(arguments.clone()).unwrap_err();
            assert_eq!(error.exit_code(), 2, "{:?}", arguments.collect::<Vec<_>>());
        }
    }

    #[test]
    fn common_arguments_may_stand_anywhere() {
        for arguments in [
            ["morelet", "--device", "cpu", "--quiet", "devices"],
            ["morelet", "devices", "--quiet", "--device", "cpu"],
        ] {
            let cli = Cli::try_parse_from(arguments).unwrap();
            assert_eq!((cli.compute.device, cli.quiet), (DeviceRequest::Cpu, true));
        }
    }
}

//! What a command shows while it works, and how it hears that it should stop.
//!
//! Data goes to standard output and belongs to the commands; everything here goes to standard error. Progress bars exist on a
//! terminal only, and nothing but errors is shown under `--quiet`.

use super::Failure;
use crate::{Cancel, Error, Result};
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use std::fmt::Display;
use std::io::{IsTerminal as _, Write as _, stderr};
use std::path::{Path, PathBuf};
use std::process;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

/// How long a command has to stop by itself after Ctrl-C before the process ends anyway: long enough for a layer on a slow
/// machine, short enough for a person.
const GRACE: Duration = Duration::from_secs(2);

/// The exit code of a command that was interrupted: 128 + SIGINT.
const INTERRUPTED: i32 = 130;

/// A command's way to talk to whoever started it. Clones share one state.
#[derive(Clone, Debug)]
pub struct Console {
    quiet: bool,
    bars: bool,
    cancel: Cancel,
    /// Files to remove if the process has to end before its destructors run.
    unfinished: Arc<Mutex<Vec<PathBuf>>>,
}

/// How the threads are named on which CubeCL runs a GPU's work.
const DEVICE_THREADS: &str = "DSD-";

/// While CubeCL tunes, a kernel that does not suit a shape may panic on the device's thread; it is caught there and
/// another one is taken. That is no news for a user. A panic that matters comes back as an error of the run.
fn hush_tried_kernels() {
    let usual = std::panic::take_hook();
    std::panic::set_hook(Box::new(move |info| {
        let thread = std::thread::current();
        match thread.name() {
            Some(name) if name.starts_with(DEVICE_THREADS) => {
                tracing::debug!(thread = name, "a kernel did not work: {info}");
            }
            _ => usual(info),
        }
    }));
}

impl Console {
    /// Says nothing and is never interrupted: for calls from a program and for tests.
    pub fn silent() -> Self {
        Self {
            quiet: true,
            bars: false,
            cancel: Cancel::new(),
            unfinished: Arc::default(),
        }
    }

    /// The console of the process: writes to standard error, sends `tracing` there (`RUST_LOG` filters; warnings by default), and
    /// turns Ctrl-C and a termination signal into a request to stop. Call once.
    pub fn of_process(quiet: bool) -> Self {
        let console = Self {
            quiet,
            bars: !quiet && stderr().is_terminal(),
            ..Self::silent()
        };
        let level = if quiet { "error" } else { "warn" };
        let filter =
            tracing_subscriber::EnvFilter::try_from_default_env().unwrap_or_else(|_| level.into());
        // Both fail only where somebody installed theirs before, which then stays.
        let _ = tracing_subscriber::fmt()
            .with_writer(stderr)
            .with_ansi(stderr().is_terminal())
            .with_env_filter(filter)
            .try_init();
        hush_tried_kernels();
        let handler = console.clone();
        let _ = ctrlc::set_handler(move || handler.interrupt());
        console
    }

    /// Asks the command to stop; a second time, or when it takes too long, ends the process.
    fn interrupt(&self) {
        if self.cancel.is_cancelled() {
            self.end();
        }
        self.cancel.cancel();
        let console = self.clone();
        std::thread::spawn(move || {
            std::thread::sleep(GRACE);
            console.end();
        });
    }

    fn end(&self) -> ! {
        let unfinished = self
            .unfinished
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        for path in unfinished.iter() {
            let _ = std::fs::remove_file(path);
        }
        let _ = writeln!(stderr(), "morelet: interrupted");
        process::exit(INTERRUPTED);
    }

    /// Remembers a temporary file until `forget` is called with it.
    pub(super) fn remember(&self, path: &Path) {
        let mut unfinished = self
            .unfinished
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        unfinished.push(path.to_owned());
    }

    pub(super) fn forget(&self, path: &Path) {
        let mut unfinished = self
            .unfinished
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        unfinished.retain(|other| other != path);
    }

    /// The handle that Ctrl-C cancels, for [`RunOptions`](crate::RunOptions).
    pub fn cancel(&self) -> &Cancel {
        &self.cancel
    }

    /// An error of kind `Cancelled` once the user has asked to stop. Long loops ask often.
    ///
    /// # Errors
    /// That one.
    pub fn check(&self) -> Result<()> {
        if self.cancel.is_cancelled() {
            Err(Error::cancelled())
        } else {
            Ok(())
        }
    }

    /// Whether nothing but errors is shown.
    pub(super) fn is_quiet(&self) -> bool {
        self.quiet
    }

    /// A line on standard error, except under `--quiet`.
    pub fn say(&self, line: impl Display) {
        if !self.quiet {
            // Nobody is left to be told that nobody reads standard error.
            let _ = writeln!(stderr(), "{line}");
        }
    }

    /// Tells of a failure, under `--quiet` too.
    pub fn fail(&self, failure: &Failure) {
        // Not `eprintln!`, which panics where standard error is closed.
        let _ = writeln!(stderr(), "morelet: {failure}");
    }

    /// A bar over `total` bytes, invisible unless standard error is a terminal.
    pub fn byte_bar(&self, message: impl Into<String>, total: u64) -> ProgressBar {
        self.bar(
            message.into(),
            Some(total),
            "{msg:20} {wide_bar} {bytes}/{total_bytes} {eta}",
        )
    }

    /// A bar over `total` things, or a counter where nobody knows how many there are; invisible unless standard error is a terminal.
    pub fn count_bar(&self, message: impl Into<String>, total: Option<u64>) -> ProgressBar {
        let template = match total {
            Some(_) => "{msg:20} {wide_bar} {pos}/{len} {eta}",
            None => "{msg:20} {spinner} {pos} ({per_sec})",
        };
        self.bar(message.into(), total, template)
    }

    fn bar(&self, message: String, total: Option<u64>, template: &str) -> ProgressBar {
        let target = if self.bars {
            ProgressDrawTarget::stderr()
        } else {
            ProgressDrawTarget::hidden()
        };
        let style =
            ProgressStyle::with_template(template).unwrap_or_else(|_| ProgressStyle::default_bar());
        ProgressBar::with_draw_target(total, target)
            .with_style(style)
            .with_message(message)
    }
}

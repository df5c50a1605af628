//! What a command shows while it works, and how it hears that it should stop.
//!
//! Data goes to standard output and belongs to the commands; everything here goes to standard error.
//! Progress bars exist on a terminal only, and nothing but errors is shown under `--quiet`.

use crate::{Error, Result};
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use std::fmt::Display;
use std::io::{IsTerminal, Write as _, stderr};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

/// How long a command has to stop by itself after Ctrl-C before the process ends anyway. What is left
/// behind then is a temporary file, never half a result.
const GRACE: Duration = Duration::from_secs(3);

/// A command's way to talk to whoever started it.
#[derive(Clone)]
pub struct Console {
    quiet: bool,
    bars: bool,
    stop: Arc<AtomicBool>,
    /// What removes the leftovers of a process that ends by force.
    leftovers: Leftovers,
}

type Leftovers = Arc<Mutex<Vec<Box<dyn FnOnce() + Send>>>>;

impl std::fmt::Debug for Console {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Console")
            .field("quiet", &self.quiet)
            .finish_non_exhaustive()
    }
}

impl Console {
    /// Says nothing and is never interrupted: for calls from a program and for tests.
    pub fn quiet() -> Self {
        Self {
            quiet: true,
            bars: false,
            stop: Arc::default(),
            leftovers: Arc::default(),
        }
    }

    /// The console of the process: writes to standard error, sends `tracing` there (`RUST_LOG` filters;
    /// warnings by default), and turns Ctrl-C into a request to stop. Call once.
    pub fn terminal(quiet: bool) -> Self {
        let console = Self {
            quiet,
            bars: !quiet && stderr().is_terminal(),
            stop: Arc::default(),
            leftovers: Arc::default(),
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
        let (stop, leftovers) = (console.stop.clone(), console.leftovers.clone());
        let _ = ctrlc::set_handler(move || {
            let leftovers = leftovers.clone();
            let exit = move || {
                let mut leftovers = leftovers.lock().unwrap_or_else(PoisonError::into_inner);
                leftovers.drain(..).for_each(|remove| remove());
                let _ = writeln!(stderr(), "morelet-convert: interrupted");
                std::process::exit(130);
            };
            if stop.swap(true, Ordering::Relaxed) {
                exit();
            }
            std::thread::spawn(move || {
                std::thread::sleep(GRACE);
                exit();
            });
        });
        console
    }

    /// Has `remove` called where an interrupted process ends without dropping what it holds, as when it waits for input
    /// that does not come.
    pub fn at_forced_exit(&self, remove: impl FnOnce() + Send + 'static) {
        let mut leftovers = self
            .leftovers
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        leftovers.push(Box::new(remove));
    }

    /// The same console, saying nothing: for a command within a command.
    pub fn hushed(&self) -> Self {
        Self {
            quiet: true,
            bars: false,
            stop: self.stop.clone(),
            leftovers: self.leftovers.clone(),
        }
    }

    /// Whether the user asked to stop. Long loops ask often.
    pub fn is_interrupted(&self) -> bool {
        self.stop.load(Ordering::Relaxed)
    }

    /// An error of kind `Interrupted` once the user has asked to stop.
    pub fn check(&self) -> Result<()> {
        if self.is_interrupted() {
            Err(Error::interrupted())
        } else {
            Ok(())
        }
    }

    /// A line on standard error, except under `--quiet`.
    pub fn say(&self, line: impl Display) {
        if !self.quiet {
            eprintln!("{line}");
        }
    }

    /// A bar over `total` bytes, invisible unless standard error is a terminal.
    pub fn byte_bar(&self, message: &'static str, total: u64) -> ProgressBar {
        self.bar(
            message,
            total,
            "{msg:16} {wide_bar} {bytes}/{total_bytes} {eta}",
        )
    }

    /// A bar over `total` things, invisible unless standard error is a terminal.
    pub fn count_bar(&self, message: &'static str, total: u64) -> ProgressBar {
        self.bar(message, total, "{msg:16} {wide_bar} {pos}/{len} {eta}")
    }

    /// A count of things whose total nobody knows, invisible unless standard error is a terminal.
    pub fn counter(&self, message: &'static str) -> ProgressBar {
        self.bar(message, 0, "{msg:16} {human_pos} {elapsed}")
    }

    fn bar(&self, message: &'static str, total: u64, template: &str) -> ProgressBar {
        let target = if self.bars {
            ProgressDrawTarget::stderr()
        } else {
            ProgressDrawTarget::hidden()
        };
        let style =
            ProgressStyle::with_template(template).unwrap_or_else(|_| ProgressStyle::default_bar());
        ProgressBar::with_draw_target(Some(total), target)
            .with_style(style)
            .with_message(message)
    }
}

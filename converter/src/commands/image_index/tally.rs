//! Pictures are counted, and those that cannot be indexed told one by one and judged at the end.

use crate::{Console, Error, Result};
use indicatif::ProgressBar;

/// How many pictures were looked at, and what was wrong with them.
pub(super) struct Tally<'a> {
    console: &'a Console,
    bar: &'a ProgressBar,
    bad: u64,
    /// Told once more in the error, which is all that `--quiet` shows.
    first: Option<String>,
}

impl<'a> Tally<'a> {
    /// Nothing so far. `bar` steps aside for what is told.
    pub fn new(console: &'a Console, bar: &'a ProgressBar) -> Self {
        Self {
            console,
            bar,
            bad: 0,
            first: None,
        }
    }

    /// One more picture was looked at.
    pub fn count(&self) {
        self.bar.inc(1);
    }

    /// Tells of a picture in the line at `place`.
    pub fn tell(&mut self, place: &str, message: &str) {
        let line = format!("{place}: {message}");
        self.bar.suspend(|| self.console.say(&line));
        self.bad += 1;
        self.first.get_or_insert(line);
    }

    /// An error where there was one and none was to be left out.
    pub fn judge(&self, good: u64, skip: bool) -> Result<()> {
        let Some(first) = &self.first else {
            return Ok(());
        };
        let count = match self.bad {
            1 => format!("1 of {} pictures is bad", good + 1),
            count => format!("{count} of {} pictures are bad", good + count),
        };
        if skip {
            self.console.say(format_args!("{count}: left out"));
            return Ok(());
        }
        Err(Error::input(format!(
            "{count}, and no index was written: {first}; --skip-bad leaves such pictures out"
        )))
    }
}

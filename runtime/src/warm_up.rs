//! Running every model once in every shape, so that a GPU's kernels are compiled and tuned before they are needed.

use crate::clock::expert_module;
use crate::{Result, RunOptions, Session};
use morelet_models::WarmedUp;
use serde::Serialize;

/// One shape that a module was run in.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct WarmUp {
    /// The module, as in the timings of an answer.
    pub module: String,
    /// Rows of the sequence, with the padding of a text.
    pub rows: usize,
    /// Whether some of them are padding.
    pub padded: bool,
    /// How long the run took in microseconds, compiling and tuning included.
    pub took_us: u64,
}

impl Session {
    /// Runs every model once for each shape that it can have on a GPU. What is tuned is kept in the user's cache
    /// directory, for this process and those after it; `morelet_models::device::save_tuning` writes it to a file. On the
    /// CPU there is nothing to do, and the list is empty.
    ///
    /// The options' `progress` hears of each run, their handle stops between layers, or passes.
    ///
    /// # Errors
    /// `Device` and `Cancelled`.
    pub fn warm_up(&self, options: &RunOptions) -> Result<Vec<WarmUp>> {
        let mut list = Vec::new();
        let mut add = |module: &str, warmed: WarmedUp| {
            let WarmedUp { rows, padded, took } = warmed;
            list.push(WarmUp {
                module: module.to_owned(),
                rows,
                padded,
                took_us: u64::try_from(took.as_micros()).unwrap_or(u64::MAX),
            });
            if let Some(progress) = &options.progress {
                progress(module, list.len() as u64, 0);
            }
        };
        let entries = &self.bundle().manifest().experts;
        for (entry, expert) in entries.iter().zip(&self.0.experts) {
            let module = expert_module(&entry.name);
            expert.warm_up(&options.cancel, &mut |warmed| add(&module, warmed))?;
        }
        if let Some(clip) = &self.0.clip {
            clip.warm_up(&options.cancel, &mut |tower, warmed| {
                add(&format!("clip_{tower}"), warmed);
            })?;
        }
        Ok(list)
    }
}

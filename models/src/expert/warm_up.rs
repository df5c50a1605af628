//! Meeting every shape ahead of time.

use std::time::{Duration, Instant};

use super::Expert;
use crate::cancel::Cancel;
use crate::error::Result;
use crate::input::Input;

/// One shape that a model was run in so that later runs find it compiled and tuned.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct WarmedUp {
    /// Rows of the sequence, padding included.
    pub rows: usize,
    /// Whether some of them are padding: masked attention is a kernel of its own.
    pub padded: bool,
    /// How long it took, compiling and tuning included.
    pub took: Duration,
}

impl Expert {
    /// Runs the expert once for each shape that it can have on a GPU, so that every kernel is compiled and tuned before
    /// the first sentence comes: for each length, full and padded. `told` hears of each. On the CPU there is nothing
    /// to do, and nothing is done.
    ///
    /// # Errors
    /// Of kind `Device`, `Cancelled`.
    pub fn warm_up(&self, cancel: &Cancel, told: &mut dyn FnMut(WarmedUp)) -> Result<()> {
        if !self.compute.is_gpu() {
            return Ok(());
        }
        let longest = self.config().max_length as usize;
        for rows in self.compute.buckets(longest) {
            // The longest length may lie between two; then its last one is always padded.
            let lengths: &[usize] = match rows > longest {
                true => &[longest],
                // By our own kernels a padded sequence is as any other.
                false if !self.compute.is_burns_gpu() => &[rows],
                false => &[rows, rows - 1],
            };
            for &n in lengths {
                // Padding itself is an id of every vocabulary.
                let input = Input {
                    ids: vec![self.config().pad_token_id; n],
                    words: vec![0..1, 0..1],
                    markers: Some([0..1, 0..1]),
                    truncated: false,
                };
                let started = Instant::now();
                for scores in self.pass(self.meta().kind, &[&input], cancel) {
                    scores?;
                }
                told(WarmedUp {
                    rows,
                    padded: n < rows,
                    took: started.elapsed(),
                });
            }
        }
        Ok(())
    }
}

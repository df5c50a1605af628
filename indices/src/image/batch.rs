//! Many searches at once.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, PoisonError};
use std::thread::Builder;

use super::index::{ImageId, ImageIndex, ImageSearchOptions};
use crate::error::Result;

impl ImageIndex {
    /// Searches for many features on `threads` threads (0: as many as the machine has). The answers are those of
    /// [`ImageIndex::search_with`], in order.
    pub fn search_batch(
        &self,
        features: &[&[f32]],
        options: &ImageSearchOptions<'_>,
        threads: usize,
    ) -> Result<Vec<Vec<(ImageId, f32)>>> {
        let threads = match threads {
            0 => std::thread::available_parallelism().map_or(1, usize::from),
            threads => threads,
        };
        let next = AtomicUsize::new(0);
        let answers = Mutex::new(Vec::with_capacity(features.len()));
        let work = || {
            loop {
                let place = next.fetch_add(1, Ordering::Relaxed);
                let Some(feature) = features.get(place) else {
                    break;
                };
                let answer = self.search_with(feature, options);
                let mut answers = answers.lock().unwrap_or_else(PoisonError::into_inner);
                answers.push((place, answer));
            }
        };
        std::thread::scope(|scope| {
            for _ in 1..threads.min(features.len()) {
                // Where the system has no thread left, fewer do the work.
                if Builder::new().spawn_scoped(scope, work).is_err() {
                    break;
                }
            }
            work();
        });
        let mut answers = answers.into_inner().unwrap_or_else(PoisonError::into_inner);
        answers.sort_unstable_by_key(|&(place, _)| place);
        answers.into_iter().map(|(_, answer)| answer).collect()
    }
}

//! A tokenizer that is read while its session already starts.

use std::sync::{Mutex, OnceLock, PoisonError};
use std::thread::JoinHandle;

use morelet_mapped::Bytes;

use super::Tokenizer;
use crate::error::{Error, ErrorKind, Result};

/// A `tokenizer.json` on its way into the heap. Reading CLIP's takes longer than all else of opening a bundle
/// together, and nobody needs it before the first text: a thread of its own does it, which is joined where
/// the tokenizer is first asked for, or dropped.
pub(crate) struct Arriving {
    thread: Mutex<Option<JoinHandle<Result<Tokenizer>>>>,
    /// The tokenizer, or what was wrong with it.
    arrived: OnceLock<Result<Tokenizer, String>>,
}

impl Arriving {
    /// Begins to read. Where the system has no thread to spare, it is read now.
    pub(crate) fn new(json: Bytes) -> Self {
        let arrived = OnceLock::new();
        let bytes = json.clone();
        let thread = std::thread::Builder::new()
            .name("morelet-tokenizer".to_owned())
            .spawn(move || Tokenizer::new(&bytes));
        let thread = thread.map_err(|_| {
            let _ = arrived.set(Tokenizer::new(&json).map_err(|error| error.to_string()));
        });
        Self {
            thread: Mutex::new(thread.ok()),
            arrived,
        }
    }

    /// The tokenizer; waits until it is there.
    ///
    /// # Errors
    /// Of kind `Tokenizer` where it cannot be read.
    pub(crate) fn get(&self) -> Result<&Tokenizer> {
        let arrived = self.arrived.get_or_init(|| {
            let thread = self
                .thread
                .lock()
                .unwrap_or_else(PoisonError::into_inner)
                .take();
            match thread.map(JoinHandle::join) {
                Some(Ok(read)) => read.map_err(|error| error.to_string()),
                _ => Err("the tokenizer cannot be read: its thread panicked".to_owned()),
            }
        });
        let failed = |message: &String| Error::new(ErrorKind::Tokenizer, message.clone());
        arrived.as_ref().map_err(failed)
    }
}

impl Drop for Arriving {
    fn drop(&mut self) {
        let thread = self
            .thread
            .get_mut()
            .unwrap_or_else(PoisonError::into_inner);
        if let Some(thread) = thread.take() {
            // What it read, or why not, is of no use to anybody now.
            let _ = thread.join();
        }
    }
}

impl std::fmt::Debug for Arriving {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let state = if self.arrived.get().is_some() {
            "there"
        } else {
            "on its way"
        };
        write!(f, "Arriving({state})")
    }
}

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use crate::error::{Error, Result};

/// A handle that stops a run from another thread.
///
/// A run looks at its handle before each layer, so it stops within the time of one layer and returns
/// an error of kind [`Cancelled`](crate::ErrorKind::Cancelled). A GPU is given its layers ahead of time:
/// there, what has been queued is finished, a few milliseconds of work. Clones share one state; a cancelled
/// handle stays cancelled.
#[derive(Clone, Debug, Default)]
pub struct Cancel(Arc<AtomicBool>);

impl Cancel {
    /// A handle that nobody has used yet.
    pub fn new() -> Self {
        Self::default()
    }

    /// Stops every run that was given this handle or a clone of it.
    pub fn cancel(&self) {
        self.0.store(true, Ordering::Relaxed);
    }

    /// Whether [`cancel`](Self::cancel) has been called.
    pub fn is_cancelled(&self) -> bool {
        self.0.load(Ordering::Relaxed)
    }

    /// An error of kind `Cancelled`, if the run should stop here.
    pub fn check(&self) -> Result<()> {
        if self.is_cancelled() {
            Err(Error::cancelled())
        } else {
            Ok(())
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ErrorKind;

    #[test]
    fn a_clone_cancels_the_original() {
        let handle = Cancel::new();
        assert!(handle.check().is_ok());
        handle.clone().cancel();
        assert_eq!(handle.check().unwrap_err().kind(), ErrorKind::Cancelled);
    }
}

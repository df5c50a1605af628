//! Threads, and the caller who is told how far they are and may stop them.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::mpsc::{RecvTimeoutError, channel};
use std::time::Duration;

use rayon::ThreadPool;

use crate::error::{Error, Result};

/// How often the caller is told.
const INTERVAL: Duration = Duration::from_millis(50);

/// The threads of a build, and its caller.
pub(super) struct Work<'a> {
    pool: ThreadPool,
    /// Told what is done, how much of it, and of how much; answers whether to stop.
    progress: &'a mut dyn FnMut(&str, u64, u64) -> bool,
}

/// How far a job is, counted by its threads.
#[derive(Default)]
pub(super) struct Counter {
    done: AtomicU64,
    stop: AtomicBool,
}

impl Counter {
    /// Counts what is done; false once the job is to stop.
    pub fn add(&self, done: u64) -> bool {
        self.done.fetch_add(done, Ordering::Relaxed);
        !self.stop.load(Ordering::Relaxed)
    }
}

impl<'a> Work<'a> {
    /// So many threads; 0 for as many as the machine has.
    pub fn new(
        threads: usize,
        progress: &'a mut dyn FnMut(&str, u64, u64) -> bool,
    ) -> Result<Work<'a>> {
        let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build();
        let pool = pool.map_err(|error| {
            Error::input(format_args!("no threads to build the graph with: {error}"))
        })?;
        Ok(Work { pool, progress })
    }

    /// Tells the caller, who may stop the build.
    pub fn tell(&mut self, what: &str, done: u64, total: u64) -> Result<()> {
        match (self.progress)(what, done, total) {
            true => Err(Error::stopped()),
            false => Ok(()),
        }
    }

    /// Runs `job` on the threads while the caller is told.
    pub fn run<T: Send>(
        &mut self,
        what: &str,
        total: u64,
        job: impl FnOnce(&Counter) -> T + Send,
    ) -> Result<T> {
        self.tell(what, 0, total)?;
        let counter = Counter::default();
        let (sender, receiver) = channel();
        let Work { pool, progress } = self;
        std::thread::scope(|scope| {
            let worker = scope.spawn(|| {
                let result = pool.install(|| job(&counter));
                // The receiver waits until it has this, or nobody can send it any more.
                let _ = sender.send(());
                drop(sender);
                result
            });
            while receiver.recv_timeout(INTERVAL) == Err(RecvTimeoutError::Timeout) {
                if worker.is_finished() {
                    break;
                }
                if progress(what, counter.done.load(Ordering::Relaxed), total) {
                    counter.stop.store(true, Ordering::Relaxed);
                }
            }
            match worker.join() {
                Ok(_) if counter.stop.load(Ordering::Relaxed) => Err(Error::stopped()),
                Ok(result) => Ok(result),
                Err(panic) => std::panic::resume_unwind(panic),
            }
        })
    }
}

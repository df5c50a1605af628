//! The CPU's threads: a pool of our own, joined when the last session that uses it is dropped.

use std::sync::Mutex;
use std::thread::JoinHandle;

use crate::error::{Error, Result};

/// A rayon pool whose threads are joined on drop. Burn's CPU backend computes in the pool that it is
/// called from.
pub(super) struct Pool {
    /// `None` only while it is being dropped.
    pool: Option<rayon::ThreadPool>,
    threads: Mutex<Vec<JoinHandle<()>>>,
}

impl Pool {
    /// A pool of `threads` threads, or of one for each processor that this process may use.
    pub(super) fn new(threads: Option<usize>) -> Result<Self> {
        let count = match threads {
            Some(0) => return Err(Error::device("expected at least one thread, got 0")),
            Some(count) => count,
            None => std::thread::available_parallelism().map_or(1, usize::from),
        };
        let handles = Mutex::new(Vec::with_capacity(count));
        let pool = rayon::ThreadPoolBuilder::new()
            .num_threads(count)
            .thread_name(|at| format!("morelet-cpu-{at}"))
            .spawn_handler(|thread| {
                let name = thread.name().unwrap_or("morelet-cpu").to_owned();
                let handle = std::thread::Builder::new()
                    .name(name)
                    .spawn(|| thread.run())?;
                if let Ok(mut handles) = handles.lock() {
                    handles.push(handle);
                }
                Ok(())
            })
            .build()
            .map_err(|error| Error::device(format!("cannot start {count} threads: {error}")))?;
        Ok(Self {
            pool: Some(pool),
            threads: handles,
        })
    }

    pub(super) fn threads(&self) -> usize {
        self.pool
            .as_ref()
            .map_or(1, rayon::ThreadPool::current_num_threads)
    }

    /// Runs `work` in the pool.
    pub(super) fn run<T: Send>(&self, work: impl FnOnce() -> T + Send) -> T {
        match &self.pool {
            Some(pool) => pool.install(work),
            None => work(),
        }
    }
}

impl Drop for Pool {
    fn drop(&mut self) {
        let inside = self
            .pool
            .as_ref()
            .is_some_and(|pool| pool.current_thread_index().is_some());
        drop(self.pool.take());
        if inside {
            // The last handle was dropped by work in the pool itself: a thread cannot join itself.
            return;
        }
        let Ok(threads) = self.threads.get_mut() else {
            return;
        };
        for thread in threads.drain(..) {
            // A thread that panicked has told its caller so.
            let _ = thread.join();
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;

    #[test]
    fn work_runs_on_as_many_threads_as_were_asked_for() {
        let pool = Pool::new(Some(3)).unwrap();
        assert_eq!(pool.threads(), 3);
        assert_eq!(pool.run(rayon::current_num_threads), 3);
        let name = pool.run(|| std::thread::current().name().unwrap().to_owned());
        assert!(name.starts_with("morelet-cpu-"), "{name}");
    }

    #[test]
    fn refuses_no_threads() {
        assert!(Pool::new(Some(0)).is_err());
    }

    #[test]
    fn threads_have_ended_when_the_pool_is_dropped() {
        use std::cell::RefCell;
        use std::time::Duration;

        /// Takes its time when its thread ends, then lets go of the count.
        struct Slow(#[allow(dead_code)] Arc<()>);
        impl Drop for Slow {
            fn drop(&mut self) {
                std::thread::sleep(Duration::from_millis(50));
            }
        }
        thread_local!(static KEPT: RefCell<Option<Slow>> = const { RefCell::new(None) });

        let alive = Arc::new(());
        let pool = Pool::new(Some(2)).unwrap();
        pool.run(|| {
            rayon::broadcast(|_| KEPT.with(|kept| *kept.borrow_mut() = Some(Slow(alive.clone()))))
        });
        assert_eq!(Arc::strong_count(&alive), 3);
        drop(pool);
        assert_eq!(Arc::strong_count(&alive), 1);
    }

    #[test]
    fn work_in_the_pool_may_drop_it() {
        let pool = Arc::new(Pool::new(Some(1)).unwrap());
        let inside = pool.clone();
        let (send, receive) = std::sync::mpsc::channel();
        pool.run(move || {
            rayon::spawn(move || {
                receive.recv().unwrap();
                drop(inside);
            })
        });
        drop(pool);
        send.send(()).unwrap();
    }
}

//! Threads for work whose results are wanted in the order in which it was given out.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, Sender, TryRecvError, channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;

use crate::error::{Error, Result};

type Job = Box<dyn FnOnce() + Send>;

/// Threads that wait for work. When dropped, they end what they are doing; what they did not begin is not done.
pub(super) struct Pool {
    jobs: Option<Sender<Job>>,
    threads: Vec<JoinHandle<()>>,
    stop: Arc<AtomicBool>,
}

/// Work that was given out.
pub(super) struct Ticket<T>(Receiver<T>);

impl Pool {
    /// `threads` threads. Of one there is none: the work is done where it is given out.
    pub fn new(threads: usize) -> Result<Pool> {
        let (jobs, receiver) = channel::<Job>();
        let receiver = Arc::new(Mutex::new(receiver));
        let mut pool = Pool {
            jobs: (threads > 1).then_some(jobs),
            threads: Vec::new(),
            stop: Arc::default(),
        };
        if pool.jobs.is_some() {
            for number in 0..threads {
                let (receiver, stop) = (receiver.clone(), pool.stop.clone());
                let thread = std::thread::Builder::new()
                    .name(format!("text-index-{number}"))
                    .spawn(move || work(&receiver, &stop))
                    .map_err(|error| {
                        Error::input(format_args!("a thread cannot be started: {error}"))
                    })?;
                pool.threads.push(thread);
            }
        }
        Ok(pool)
    }

    /// How many threads work, at least one.
    pub fn threads(&self) -> usize {
        self.threads.len().max(1)
    }

    /// Gives out `job`.
    pub fn give<T: Send + 'static>(&self, job: impl FnOnce() -> T + Send + 'static) -> Ticket<T> {
        let (sender, receiver) = channel();
        // Nobody may wait for the result any more.
        let job = move || drop(sender.send(job()));
        match &self.jobs {
            // All threads are there until the pool is dropped.
            Some(jobs) => drop(jobs.send(Box::new(job))),
            None => job(),
        }
        Ticket(receiver)
    }
}

fn work(jobs: &Mutex<Receiver<Job>>, stop: &AtomicBool) {
    loop {
        let job = jobs.lock().unwrap_or_else(PoisonError::into_inner).recv();
        match job {
            Ok(_) if stop.load(Ordering::Relaxed) => return,
            // A panic is told to who waits, by a channel without a sender, and the thread goes on.
            Ok(job) => drop(catch_unwind(AssertUnwindSafe(job))),
            Err(_) => return,
        }
    }
}

impl Drop for Pool {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
        self.jobs = None;
        for thread in self.threads.drain(..) {
            let _ = thread.join();
        }
    }
}

impl<T> Ticket<T> {
    /// Waits for the result.
    pub fn wait(&self) -> Result<T> {
        self.0.recv().map_err(|_| broken())
    }

    /// The result if it is there.
    pub fn take(&self) -> Option<Result<T>> {
        match self.0.try_recv() {
            Ok(result) => Some(Ok(result)),
            Err(TryRecvError::Empty) => None,
            Err(TryRecvError::Disconnected) => Some(Err(broken())),
        }
    }
}

fn broken() -> Error {
    Error::input("a thread of the build broke off, which is a fault of Morelet's")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn results_belong_to_their_tickets_whatever_the_order_of_the_work() {
        for threads in [1, 3] {
            let pool = Pool::new(threads).unwrap();
            let tickets: Vec<_> = (0..40u64)
                .map(|number| {
                    pool.give(move || {
                        std::thread::sleep(std::time::Duration::from_millis((40 - number) / 10));
                        number
                    })
                })
                .collect();
            let results: Vec<u64> = tickets.into_iter().map(|t| t.wait().unwrap()).collect();
            assert!(results.into_iter().eq(0..40));
        }
    }

    #[test]
    fn a_panic_is_an_error_for_who_waits() {
        let pool = Pool::new(2).unwrap();
        let ticket = pool.give(|| assert_eq!(1, 2, "on purpose"));
        assert!(ticket.wait().is_err());
        assert_eq!(pool.give(|| 7).wait().unwrap(), 7);
    }
}

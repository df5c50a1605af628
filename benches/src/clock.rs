//! Time by the wall and of the processor.

use std::time::{Duration, Instant};

use rustix::time::{ClockId, Timespec, clock_gettime};

/// A time taken.
#[derive(Clone, Copy, Debug, Default)]
pub struct Taken {
    /// By the wall.
    pub wall: Duration,
    /// Of the processor.
    pub cpu: Duration,
}

/// A time being taken.
pub struct Clock {
    start: Instant,
    cpu_start: Timespec,
    of: ClockId,
}

impl Clock {
    /// Begins with the processor time of this thread.
    pub fn of_thread() -> Clock {
        Clock::of(ClockId::ThreadCPUTime)
    }

    /// Begins with the processor time of all threads.
    pub fn of_process() -> Clock {
        Clock::of(ClockId::ProcessCPUTime)
    }

    fn of(of: ClockId) -> Clock {
        Clock {
            start: Instant::now(),
            cpu_start: clock_gettime(of),
            of,
        }
    }

    /// The time since the beginning.
    pub fn taken(&self) -> Taken {
        let now = clock_gettime(self.of);
        let nanos = (now.tv_sec - self.cpu_start.tv_sec) * 1_000_000_000 + now.tv_nsec
            - self.cpu_start.tv_nsec;
        Taken {
            cpu: Duration::from_nanos(u64::try_from(nanos).unwrap_or(0)),
            wall: self.start.elapsed(),
        }
    }
}

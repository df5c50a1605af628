//! Threads that stay awake between the operations of one pass.
//!
//! A pass through a network is some hundred operations of less than a millisecond each, and waking a sleeping
//! thread for each of them costs as much as a small one takes. So the threads of the session's pool join a
//! team when a pass begins, wait for work by looking for it, and leave when the pass ends. A thread that is
//! busy elsewhere joins later or never: work is taken piece by piece, and the one who began the pass does what
//! nobody else does.
//!
//! A pass must not wait for other work of its pool: the threads that would do it are in the team until the pass ends.

use std::cell::{Cell, UnsafeCell};
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

/// How often a waiting thread looks before it offers its processor to others: some ten to a hundred
/// microseconds, by how long the processor's pause is.
const LOOKS: u32 = 2000;

/// Work that is cut into pieces: what is called with the number of each.
#[derive(Clone, Copy)]
struct Job {
    call: unsafe fn(*const (), usize),
    data: *const (),
    pieces: usize,
}

struct Team {
    /// Odd while there is work; each change is one more.
    state: AtomicUsize,
    job: UnsafeCell<Option<Job>>,
    /// The next piece.
    next: AtomicUsize,
    /// Threads that look at the work, other than the leader.
    inside: AtomicUsize,
    panicked: AtomicBool,
    /// Threads that follow.
    followers: AtomicUsize,
    over: AtomicBool,
}

// SAFETY: `job` is written only by the leader, while `state` is even and nobody is inside, and read only by
// threads that are inside and have seen `state` odd since.
unsafe impl Sync for Team {}

thread_local!(static TEAM: Cell<*const Team> = const { Cell::new(std::ptr::null()) });

/// Runs a pass with the threads of this thread's pool awake.
pub(crate) fn awake<T: Send>(pass: impl FnOnce() -> T + Send) -> T {
    let threads = rayon::current_num_threads();
    if threads < 2 || rayon::current_thread_index().is_none() || !TEAM.get().is_null() {
        return pass();
    }
    let team = Team {
        state: AtomicUsize::new(0),
        job: UnsafeCell::new(None),
        next: AtomicUsize::new(0),
        inside: AtomicUsize::new(0),
        panicked: AtomicBool::new(false),
        followers: AtomicUsize::new(0),
        over: AtomicBool::new(false),
    };
    rayon::in_place_scope(|scope| {
        for _ in 1..threads {
            scope.spawn(|_| team.follow());
        }
        TEAM.set(&team);
        let result = catch_unwind(AssertUnwindSafe(pass));
        TEAM.set(std::ptr::null());
        team.over.store(true, Ordering::SeqCst);
        // Else the scope, which waits for them, would begin other work of the pool underneath this pass.
        let mut looks = 0;
        while team.followers.load(Ordering::SeqCst) > 0 {
            look(&mut looks);
        }
        result.unwrap_or_else(|panic| resume_unwind(panic))
    })
}

/// Calls `work` once for each of some items, on all threads that are awake, or that the pool has.
pub(crate) fn for_each<T: Send>(items: &mut [T], work: impl Fn(usize, &mut T) + Sync) {
    let pieces = items.len();
    let team = TEAM.get();
    if team.is_null() || pieces < 2 {
        use rayon::prelude::*;
        let numbered = items.par_iter_mut().with_max_len(1).enumerate();
        return numbered.for_each(|(at, item)| work(at, item));
    }
    let first = Items(items.as_mut_ptr());
    let piece = |at: usize| {
        // SAFETY: each number below `pieces` is handed out once, so that nobody else has this item.
        work(at, unsafe { &mut *first.at(at) });
    };
    // SAFETY: the team lives on the stack of `awake`, which is above us: it unsets the pointer before it ends.
    unsafe { &*team }.lead(pieces, &piece);
}

/// The first of some items.
struct Items<T>(*mut T);

// SAFETY: threads reach different items through it.
unsafe impl<T: Send> Sync for Items<T> {}

impl<T> Items<T> {
    fn at(&self, at: usize) -> *mut T {
        // Numbers are below the length of the slice.
        self.0.wrapping_add(at)
    }
}

impl Team {
    /// Shares out one job, and comes back when all of it is done.
    fn lead<F: Fn(usize) + Sync>(&self, pieces: usize, work: &F) {
        unsafe fn call<F: Fn(usize)>(data: *const (), at: usize) {
            // SAFETY: `data` is the `work` below, which outlives the job.
            unsafe { (*data.cast::<F>())(at) }
        }
        // What a piece of this job shares out is no job of the team's.
        let _outer = Outer(TEAM.replace(std::ptr::null()));
        let job = Job {
            call: call::<F>,
            data: std::ptr::from_ref(work).cast(),
            pieces,
        };
        // SAFETY: nobody is inside: the last job has been waited for.
        unsafe { *self.job.get() = Some(job) };
        self.next.store(0, Ordering::Relaxed);
        self.state.fetch_add(1, Ordering::SeqCst);
        let done = catch_unwind(AssertUnwindSafe(|| self.take(job)));
        // Whoever comes from here on finds the state even; whoever is inside is waited for.
        self.state.fetch_add(1, Ordering::SeqCst);
        let mut looks = 0;
        while self.inside.load(Ordering::SeqCst) > 0 {
            look(&mut looks);
        }
        let panicked = self.panicked.swap(false, Ordering::Relaxed);
        if let Err(panic) = done {
            resume_unwind(panic);
        }
        if panicked {
            panic!("an operation panicked on another thread");
        }
    }

    /// Helps with one job after the other until the pass is over.
    fn follow(&self) {
        self.followers.fetch_add(1, Ordering::SeqCst);
        let (mut seen, mut looks) = (0, 0);
        while !self.over.load(Ordering::SeqCst) {
            let state = self.state.load(Ordering::SeqCst);
            if state.is_multiple_of(2) || state == seen {
                look(&mut looks);
                continue;
            }
            self.inside.fetch_add(1, Ordering::SeqCst);
            if self.state.load(Ordering::SeqCst) == state {
                // SAFETY: the state is still odd, and the leader waits for us before it writes again.
                let job = unsafe { *self.job.get() };
                if let Some(job) = job
                    && catch_unwind(AssertUnwindSafe(|| self.take(job))).is_err()
                {
                    self.panicked.store(true, Ordering::Relaxed);
                }
                (seen, looks) = (state, 0);
            }
            self.inside.fetch_sub(1, Ordering::SeqCst);
        }
        self.followers.fetch_sub(1, Ordering::SeqCst);
    }

    /// Takes pieces until there are none.
    fn take(&self, job: Job) {
        loop {
            let at = self.next.fetch_add(1, Ordering::Relaxed);
            if at >= job.pieces {
                break;
            }
            // SAFETY: the job's data lives until the leader has seen everybody leave.
            unsafe { (job.call)(job.data, at) };
        }
    }
}

/// Makes a team this thread's again.
struct Outer(*const Team);

impl Drop for Outer {
    fn drop(&mut self) {
        TEAM.set(self.0);
    }
}

/// Waits a moment.
fn look(looks: &mut u32) {
    if *looks < LOOKS {
        *looks += 1;
        std::hint::spin_loop();
    } else {
        std::thread::yield_now();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pool(threads: usize) -> rayon::ThreadPool {
        let builder = rayon::ThreadPoolBuilder::new().num_threads(threads);
        builder.build().unwrap()
    }

    #[test]
    fn every_item_is_worked_on_once_whoever_does_it() {
        for threads in [1, 2, 5] {
            pool(threads).install(|| {
                awake(|| {
                    for round in 0..300 {
                        let mut items = vec![0_usize; round % 40];
                        for_each(&mut items, |at, item| *item += at + 1);
                        let expected: Vec<usize> = (1..=round % 40).collect();
                        assert_eq!(items, expected);
                    }
                });
                let mut items = [1, 2, 3];
                for_each(&mut items, |_, item| *item *= 2);
                assert_eq!(items, [2, 4, 6]);
            });
        }
    }

    #[test]
    fn a_piece_may_share_out_work_of_its_own() {
        pool(3).install(|| {
            awake(|| {
                let mut items = [0; 9];
                for_each(&mut items, |at, item| {
                    let mut inner = [0; 4];
                    for_each(&mut inner, |place, number| *number = place + at);
                    *item = inner.iter().sum();
                });
                let expected: Vec<usize> = (0..9).map(|at| 6 + 4 * at).collect();
                assert_eq!(items[..], expected);
            });
        });
    }

    #[test]
    fn two_passes_in_one_pool_do_not_wait_for_each_other() {
        let pool = pool(2);
        let pass = || {
            pool.install(|| {
                awake(|| {
                    for _ in 0..200 {
                        let mut items = [0; 7];
                        for_each(&mut items, |at, item| *item = at);
                        assert_eq!(items, [0, 1, 2, 3, 4, 5, 6]);
                    }
                })
            })
        };
        std::thread::scope(|scope| {
            for _ in 0..3 {
                scope.spawn(pass);
            }
        });
    }

    #[test]
    fn a_panic_in_a_piece_is_one_of_the_pass_and_the_pool_goes_on() {
        let pool = pool(3);
        for bad in [0, 5, 19] {
            let caught = catch_unwind(AssertUnwindSafe(|| {
                pool.install(|| {
                    awake(|| {
                        let mut items = [0; 20];
                        for_each(&mut items, |at, _| assert_ne!(at, bad));
                    })
                })
            }));
            assert!(caught.is_err());
        }
        assert_eq!(pool.install(|| awake(|| 7)), 7);
    }
}

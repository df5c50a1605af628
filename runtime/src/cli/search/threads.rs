//! Those that search several queries of a file at a time.

use super::Args;
use crate::cli::ComputeArgs;
use crate::{Error, ErrorKind, Result};
use rayon::ThreadPool;
use rayon::iter::{IntoParallelRefIterator as _, ParallelIterator as _};

/// How many queries each thread is given at a time.
const SHARE: usize = 16;

/// As many threads as were asked for: without `--threads`, or for one query, only the one that asks.
pub(super) struct Threads(Option<ThreadPool>);

impl Threads {
    pub fn start(args: &Args, compute: &ComputeArgs) -> Result<Self> {
        let threads = compute.threads.map_or(1, usize::from);
        if args.input.is_none() || threads == 1 {
            return Ok(Self(None));
        }
        let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build();
        Ok(Self(Some(pool.map_err(|error| {
            Error::from_below(ErrorKind::Io, error)
        })?)))
    }

    /// How many queries are worth reading before any is answered.
    pub fn at_a_time(&self) -> usize {
        let pool = self.0.as_ref();
        pool.map_or(1, |pool| pool.current_num_threads() * SHARE)
    }

    /// Does something for each of many. The results are in their order.
    pub fn map<'a, A: Sync, B: Send>(
        &self,
        of: &'a [A],
        work: impl Fn(&'a A) -> B + Sync + Send,
    ) -> Vec<B> {
        match &self.0 {
            Some(pool) => pool.install(|| of.par_iter().map(work).collect()),
            None => of.iter().map(work).collect(),
        }
    }
}

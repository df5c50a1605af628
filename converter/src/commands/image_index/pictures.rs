//! From the lines of a list to decoded pictures, on many threads, in the order of the list.
//!
//! ```text
//! reader ──┬─ path, a channel for the answer ──► workers: stat, known?, read, decode, resize
//!          └─ line, the same channel ──────────► caller, who waits for each answer in turn
//! ```
//!
//! Both queues are short, so however long the list is and however slow the caller, only some pictures per thread are in
//! memory. The workers look up what is known already: such a picture costs a `stat`.

use super::store::{Key, Known};
use crate::records::{ImageRecord, Records};
use crate::shard::Shard;
use crate::{Console, Error, Result};
use morelet_models::weights::Preprocess;
use morelet_models::{Picture, PictureLimits};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, sync_channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::{Builder, Scope, scope};
use std::time::Duration;

/// Pictures that wait, decoded or not: so many per thread, for one of 50 megapixels to hold nobody up, and a batch of a
/// GPU more, which is decoded while it computes the one before.
const WAITING: usize = 4;
const BATCH: usize = 32;

/// How often somebody who waits asks whether the user wants to stop, and tells the caller that nothing comes.
const ASKED: Duration = Duration::from_millis(50);

/// The pictures of a list.
pub(super) struct Pictures<'a> {
    /// What the paths in the list are relative to.
    pub folder: &'a Path,
    pub shard: Shard,
    /// Threads that decode.
    pub threads: usize,
    pub preprocess: &'a Preprocess,
    /// Pictures that need no decoding.
    pub known: &'a Known,
}

/// A line of the list and what its picture is.
pub(super) struct Seen {
    /// File and line.
    pub place: String,
    pub record: ImageRecord,
    pub picture: Look,
}

/// What became of a picture.
pub(super) enum Look {
    /// Its feature is known, by this number.
    Known(u64),
    /// It has to be looked at.
    New(Key, Picture),
    /// It is none, for this reason.
    Bad(String),
}

/// A picture's path in the list, and where to say what it is.
type Job = (String, SyncSender<Look>);
/// A line, and where it is said what its picture is.
type Line = (String, ImageRecord, Receiver<Look>);

impl Pictures<'_> {
    /// Hands over the pictures of the shard that are in `list`, in order, and nothing where none comes for a while and at
    /// the end. Gives the number of lines, those of other shards too.
    ///
    /// # Errors
    /// A line that is no record, once what comes before it was handed over; an interruption; what `take` returns.
    pub fn for_each(
        &self,
        list: Records<ImageRecord>,
        console: &Console,
        take: &mut dyn FnMut(Option<Seen>) -> Result<()>,
    ) -> Result<u64> {
        let (stop, lines) = (AtomicBool::new(false), Arc::new(AtomicU64::new(0)));
        scope(|scope| {
            let done = self.drive(scope, list, (&stop, &lines), console, take);
            // What waits in the queues need not be decoded any more.
            stop.store(true, Ordering::Relaxed);
            done
        })?;
        Ok(lines.load(Ordering::Relaxed))
    }

    fn drive<'scope, 'env: 'scope>(
        &'env self,
        scope: &'scope Scope<'scope, 'env>,
        list: Records<ImageRecord>,
        (stop, lines): (&'env AtomicBool, &Arc<AtomicU64>),
        console: &Console,
        take: &mut dyn FnMut(Option<Seen>) -> Result<()>,
    ) -> Result<()> {
        let waiting = WAITING * self.threads + BATCH;
        let (give_job, jobs) = sync_channel(waiting);
        let (give_line, queue) = sync_channel(waiting);
        let jobs = Arc::new(Mutex::new(jobs));
        let spawned = (0..self.threads).try_for_each(|number| {
            let jobs = jobs.clone();
            let name = Builder::new().name(format!("morelet-decode-{number}"));
            let work = move || self.work(&jobs, stop);
            name.spawn_scoped(scope, work).map(drop)
        });
        drop(jobs);
        let (shard, lines) = (self.shard, lines.clone());
        let reader = move || read(list, shard, &lines, &give_job, &give_line);
        let reader = spawned
            .and_then(|()| {
                let name = Builder::new().name("morelet-list".to_owned());
                // After an error nobody waits for it: it may hang on a pipe that stays open.
                name.spawn(reader)
            })
            .map_err(|error| Error::from(error).noting("the threads cannot be started"))?;
        while let Some(line) = wait(&queue, console, &mut || take(None))? {
            let (place, record, answer) = match line {
                Ok(line) => line,
                Err(error) => return take(None).and(Err(error)),
            };
            // A worker that was told to stop answers nothing.
            let picture = wait(&answer, console, &mut || take(None))?;
            take(Some(Seen {
                place,
                record,
                picture: picture.ok_or_else(Error::interrupted)?,
            }))?;
        }
        // It has ended, or is about to. A panic in it would else look like the end of the list.
        if reader.join().is_err() {
            return Err(Error::input(
                "the list of pictures cannot be read: decoding it failed",
            ));
        }
        take(None)
    }

    /// Looks at pictures until there is none left.
    fn work(&self, jobs: &Mutex<Receiver<Job>>, stop: &AtomicBool) {
        // The reader may never come back from a pipe: whether to stop is asked while nothing comes.
        let next = || {
            let jobs = jobs.lock().unwrap_or_else(PoisonError::into_inner);
            jobs.recv_timeout(ASKED)
        };
        while !stop.load(Ordering::Relaxed) {
            let (image, answer) = match next() {
                Ok(job) => job,
                Err(RecvTimeoutError::Timeout) => continue,
                Err(RecvTimeoutError::Disconnected) => return,
            };
            // One picture that brings a decoder down must not end a day's work.
            let look = catch_unwind(AssertUnwindSafe(|| self.look(&image))).unwrap_or_else(|_| {
                Look::Bad(format!("{image}: the decoder failed on damaged data"))
            });
            // Nobody waits for it after an error.
            let _ = answer.send(look);
        }
    }

    fn look(&self, image: &str) -> Look {
        let path = self.folder.join(image);
        // Where there is no file, opening it says so.
        let file = std::fs::metadata(&path).ok();
        let key = file.and_then(|file| Key::new(image, &file));
        if let Some(number) = key.and_then(|key| self.known.find(key)) {
            return Look::Known(number);
        }
        match (
            Picture::open(&path, self.preprocess, &PictureLimits::default()),
            key,
        ) {
            (Ok(picture), Some(key)) => Look::New(key, picture),
            (Ok(_), None) => Look::Bad(format!(
                "{}: the system does not say when this file was changed",
                path.display()
            )),
            (Err(error), _) => Look::Bad(error.to_string()),
        }
    }
}

/// Reads the list and hands out its pictures, until there is no more or nobody to take them.
fn read(
    mut list: Records<ImageRecord>,
    shard: Shard,
    lines: &AtomicU64,
    give_job: &SyncSender<Job>,
    give_line: &SyncSender<Result<Line>>,
) {
    loop {
        let record = match shard.has(lines.load(Ordering::Relaxed)) {
            true => list.next_record().map(|record| record.map(Some)),
            false => list.pass().map(|more| more.then_some(None)),
        };
        let record = match record {
            Ok(None) => return,
            Ok(Some(record)) => record,
            Err(error) => {
                // Nobody waits for it after another error.
                let _ = give_line.send(Err(error));
                return;
            }
        };
        lines.fetch_add(1, Ordering::Relaxed);
        let Some(record) = record else { continue };
        let (give, answer) = sync_channel(1);
        // In this order: whoever waits for an answer knows that somebody has the question.
        let asked = give_job.send((record.image.clone(), give));
        if asked.is_err() || give_line.send(Ok((list.place(), record, answer))).is_err() {
            return;
        }
    }
}

/// What comes next; `None` once nobody is left to send. Where it does not come at once, `idle` is called.
fn wait<T>(
    from: &Receiver<T>,
    console: &Console,
    idle: &mut dyn FnMut() -> Result<()>,
) -> Result<Option<T>> {
    loop {
        console.check()?;
        match from.recv_timeout(ASKED) {
            Ok(sent) => return Ok(Some(sent)),
            Err(RecvTimeoutError::Timeout) => idle()?,
            Err(RecvTimeoutError::Disconnected) => return Ok(None),
        }
    }
}

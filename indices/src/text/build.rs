//! Building a text index in bounded memory, on several threads, so that it can be killed and go on.
//!
//! Articles come in batches. A thread takes a batch, splits and analyses it and inverts it into a sorted run
//! (`chunk`, with `inversion` and `terms`), numbering its sentences from 0. The results are taken in the order of the
//! batches, which gives every run its first sentence; runs, lengths, sentence counts and compressed texts (`values`) are
//! appended to files in a folder beside the target (`folder`), and now and then a `checkpoint` says how long they are.
//! At the end all runs are merged at once, straight into the index (`merge`). Nothing in the index depends on where
//! batches were cut or which thread did what.

use std::collections::VecDeque;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use super::meta;
use crate::error::{Error, Result};
use crate::spool::Spool;

mod backlog;
mod checkpoint;
mod chunk;
mod finish;
mod folder;
mod inversion;
mod merge;
mod options;
mod pool;
mod runs;
mod splice;
mod terms;
mod values;

pub use options::{Article, ParagraphText, TextOptions};
pub use splice::{MergeOptions, merge_text_indexes};

use checkpoint::{Checkpoint, Plan, State};
use chunk::{Chunk, Settings};
use folder::Folder;
use options::Shares;
use pool::{Pool, Ticket};
use runs::RunPlace;
use values::Values;

/// A checkpoint is written when so many times its cost has passed since the last one: at most 5 % of the time.
const CHECKPOINT_RATIO: u32 = 20;
/// What the first checkpoint is expected to cost. A build that is over sooner writes none on the way.
const CHECKPOINT_COST: Duration = Duration::from_millis(5);
/// The files in the folder that a checkpoint speaks of.
const FILES: [&str; 5] = ["runs", "lengths", "counts", "values", "waiting"];

/// Writes a text index: articles in, one file out. The crate's front page has an example.
///
/// The work is done in a folder beside the target, `text.index.building` for `text.index`, and nothing is at the target
/// before [`TextIndexBuilder::finish`] has renamed the finished file into place. A builder from
/// [`TextIndexBuilder::resume`] leaves checkpoints in the folder, from which the next one goes on.
pub struct TextIndexBuilder {
    target: PathBuf,
    plan: Plan,
    memory: u64,
    shares: Shares,
    settings: Settings,
    /// Whether checkpoints are written.
    resumable: bool,
    /// Articles that were added one by one and make no batch yet, and their bytes.
    articles: Vec<Article>,
    bytes: usize,
    /// Batches that were given out, in order.
    given: VecDeque<Batch>,
    /// The bytes of those.
    flying: usize,
    state: State,
    runs: Spool,
    lengths: Spool,
    counts: Spool,
    values: Values,
    health: Health,
    last_checkpoint: Instant,
    checkpoint_cost: Duration,
    // Dropped last: threads first, then the folder.
    pool: Pool,
    folder: Folder,
}

/// What can still be done after an error.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Health {
    Sound,
    /// A batch is missing: none can be taken after it, and what came before it is whole.
    Failed,
    /// A batch was put by in part.
    Torn,
}

/// Articles that a thread works at.
struct Batch {
    chunk: Ticket<Result<Chunk>>,
    bytes: usize,
    mark: Vec<u8>,
}

impl TextIndexBuilder {
    /// Begins an index at `path`. What an earlier builder left in the folder is thrown away, and nothing is left in
    /// it when this one is dropped.
    pub fn create(path: impl AsRef<Path>, options: TextOptions) -> Result<TextIndexBuilder> {
        TextIndexBuilder::open(path.as_ref(), options, None, true)
    }

    /// Goes on with an index at `path` that an earlier builder, whose process was killed or which failed, has begun
    /// with the same options (but for memory and threads); begins it if there is none. `source` says in words what
    /// the articles are, and must be the same too. [`TextIndexBuilder::mark`] tells where to go on.
    ///
    /// # Errors
    /// [`ErrorKind::Unfinished`](crate::ErrorKind::Unfinished) where what was begun cannot be gone on with:
    /// [`TextIndexBuilder::restart`] throws it away.
    pub fn resume(
        path: impl AsRef<Path>,
        options: TextOptions,
        source: &str,
    ) -> Result<TextIndexBuilder> {
        TextIndexBuilder::open(path.as_ref(), options, Some(source), false)
    }

    /// As [`TextIndexBuilder::resume`], but from the start.
    pub fn restart(
        path: impl AsRef<Path>,
        options: TextOptions,
        source: &str,
    ) -> Result<TextIndexBuilder> {
        TextIndexBuilder::open(path.as_ref(), options, Some(source), true)
    }

    fn open(
        target: &Path,
        options: TextOptions,
        source: Option<&str>,
        restart: bool,
    ) -> Result<TextIndexBuilder> {
        meta::check(options.k1, options.b)?;
        let mut folder = Folder::open(target)?;
        let plan = Plan::new(source.unwrap_or_default(), &options);
        let found = match restart {
            true => None,
            // Whatever is wrong with it, it is not this one's to remove.
            false => Checkpoint::find(&mut folder, &plan)?,
        };
        folder.clear(match found {
            Some(_) => &FILES,
            None => &[],
        })?;
        folder.keep(found.is_some());
        let (state, left) = found.map_or_else(Default::default, |f| (f.state, f.left));
        let spool = |name: &str, len| folder.reopen(name, len);
        let [runs, lengths, counts, values, waiting] = FILES;
        let shares = Shares::of(options.memory, options.threads);
        Ok(TextIndexBuilder {
            runs: spool(runs, state.run_bytes())?,
            lengths: spool(lengths, u64::from(state.sentences))?,
            counts: spool(counts, state.counts)?,
            values: Values::new(
                spool(values, left.finished)?,
                spool(waiting, left.waiting)?,
                left,
            )?,
            target: target.to_owned(),
            plan,
            memory: options.memory,
            settings: Settings {
                analyzer: options.analyzer,
                budget: shares.inversion,
                values: options.values,
            },
            resumable: source.is_some(),
            articles: Vec::new(),
            bytes: 0,
            given: VecDeque::new(),
            flying: 0,
            state,
            health: Health::Sound,
            last_checkpoint: Instant::now(),
            checkpoint_cost: CHECKPOINT_COST,
            pool: Pool::new(shares.threads)?,
            shares,
            folder,
        })
    }

    /// The mark of the last batch that an earlier builder has done, if this one goes on with its work. The articles
    /// of that batch, and of all before it, must not be added again.
    pub fn mark(&self) -> Option<&[u8]> {
        (self.state.articles > 0).then_some(&self.state.mark)
    }

    /// The number of articles that are done, those of earlier builders too. Batches that threads work at are not.
    pub fn done(&self) -> u64 {
        self.state.articles
    }

    /// The number of sentences and of paragraphs that are done.
    pub fn counts(&self) -> (u32, u32) {
        (self.state.sentences, self.state.paragraphs)
    }

    /// How many bytes of text a batch should have.
    pub fn batch_bytes(&self) -> usize {
        // The first ones are smaller, so that all threads soon have one.
        let so_far = self.lengths.len() as usize * 32 + self.flying;
        (so_far / 4).clamp(self.shares.chunk.min(1 << 20), self.shares.chunk)
    }

    /// Adds an article. Paragraphs without a sentence are left out. After an error the builder is good for nothing.
    pub fn add(&mut self, article: &Article) -> Result<()> {
        self.bytes += article.bytes();
        self.articles.push(article.clone());
        if self.bytes >= self.batch_bytes() {
            self.give_articles()?;
        }
        Ok(())
    }

    fn give_articles(&mut self) -> Result<()> {
        if self.articles.is_empty() {
            return Ok(());
        }
        let articles = std::mem::take(&mut self.articles);
        let bytes = std::mem::take(&mut self.bytes);
        let mark = Vec::new();
        self.add_batch(bytes, mark, move || Ok(articles))
    }

    /// Adds the articles that `read` gives, which a thread will call; what it says where it fails becomes an
    /// error of kind `Input`, here or in a later call. `bytes` is about how much memory the articles take,
    /// [`TextIndexBuilder::batch_bytes`] or one article more. `mark` says where in the corpus the batch ends; a builder
    /// that goes on after it is told.
    pub fn add_batch(
        &mut self,
        bytes: usize,
        mark: Vec<u8>,
        read: impl FnOnce() -> Result<Vec<Article>, String> + Send + 'static,
    ) -> Result<()> {
        self.give_articles()?;
        let most = self.shares.chunk.saturating_mul(self.shares.threads);
        while !self.given.is_empty() && self.flying + bytes > most {
            self.take_first()?;
        }
        let settings = self.settings;
        let chunk = self.pool.give(move || {
            let articles = read().map_err(Error::input)?;
            chunk::make(articles, settings)
        });
        self.flying += bytes;
        self.given.push_back(Batch { chunk, bytes, mark });
        while let Some(batch) = self.given.front()
            && let Some(chunk) = batch.chunk.take()
        {
            self.take(chunk)?;
        }
        // A batch that is longer than all others together is worked at alone.
        while self.flying > 2 * most {
            self.take_first()?;
        }
        Ok(())
    }

    /// Waits for the threads.
    pub fn settle(&mut self) -> Result<()> {
        self.give_articles()?;
        while !self.given.is_empty() {
            self.take_first()?;
        }
        Ok(())
    }

    fn take_first(&mut self) -> Result<()> {
        match self.given.front() {
            Some(batch) => {
                let chunk = batch.chunk.wait();
                self.take(chunk)
            }
            None => Ok(()),
        }
    }

    /// Puts by what became of the first batch.
    fn take(&mut self, chunk: Result<Result<Chunk>>) -> Result<()> {
        let Some(batch) = self.given.pop_front() else {
            return Ok(());
        };
        self.flying -= batch.bytes;
        if self.health != Health::Sound {
            return Err(Error::input("the build was gone on with after an error"));
        }
        self.health = Health::Failed;
        let chunk = chunk??;
        let sum = u64::from(self.state.sentences) + u64::from(chunk.sentences);
        if sum >= u64::from(u32::MAX) {
            return Err(chunk::too_many());
        }
        self.health = Health::Torn;
        for (first, run) in chunk.runs {
            if !run.is_empty() {
                self.state.runs.push(RunPlace {
                    start: self.runs.len(),
                    len: run.len() as u64,
                    first: self.state.sentences + first,
                });
                self.runs.put(&run)?;
            }
        }
        self.lengths.put(&chunk.lengths)?;
        self.counts.put(&chunk.counts)?;
        for texts in chunk.values {
            self.values.add(texts, &self.pool)?;
        }
        let state = &mut self.state;
        state.mark = batch.mark;
        state.articles += chunk.articles;
        state.sentences += chunk.sentences;
        state.with_terms += chunk.with_terms;
        // Not more than there are sentences.
        state.paragraphs += chunk.paragraphs;
        state.tokens += chunk.tokens;
        self.health = Health::Sound;
        if self.resumable
            && !self.values.is_learning()
            && self.last_checkpoint.elapsed() >= self.checkpoint_cost * CHECKPOINT_RATIO
        {
            self.checkpoint()?;
        }
        Ok(())
    }

    /// Writes down how far this has come, so that a builder made by [`TextIndexBuilder::resume`] can go on from here.
    /// Gives whether there is anything to go on with.
    pub fn checkpoint(&mut self) -> Result<bool> {
        if !self.resumable || self.state.articles == 0 || self.health == Health::Torn {
            return Ok(false);
        }
        let health = std::mem::replace(&mut self.health, Health::Torn);
        let begin = Instant::now();
        self.runs.sync()?;
        self.lengths.sync()?;
        self.counts.sync()?;
        let left = self.values.checkpoint(&self.pool)?;
        self.state.counts = self.counts.len();
        Checkpoint::save(self.folder.path(), &self.plan, &self.state, &left)?;
        self.values.checkpointed()?;
        self.folder.keep(true);
        self.health = health;
        self.last_checkpoint = Instant::now();
        self.checkpoint_cost = begin.elapsed();
        Ok(true)
    }

    /// Where the work is done.
    pub fn folder(&self) -> &Path {
        self.folder.path()
    }
}

#[cfg(test)]
mod tests;

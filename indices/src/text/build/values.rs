//! The paragraphs' texts on their way into the store: cut into blocks in the order of the corpus, compressed on any
//! thread, put by in that order.
//!
//! What blocks are made of depends on the texts alone, never on how they came or who compressed them. Until there
//! are enough to learn a dictionary from, they wait in a file. The finished blocks wait in another, each
//! behind its length, and are copied into the index at the end.

use std::collections::VecDeque;
use std::sync::Arc;

use morelet_mapped::Writer;

use super::backlog::Backlog;
use super::chunk::Texts;
use super::pool::{Pool, Ticket};
use crate::error::{Error, Result};
use crate::spool::Spool;
use crate::store::{BlockBuilder, Compressor, LEVEL, Learned, PlainBlock, ValueWriter, Waiting};

/// A thread compresses blocks of so many bytes together.
const TOGETHER: usize = 1 << 20;
/// Not more than this waits while a thread is learning.
const MOST_WAITING: u64 = 256 << 20;

/// Texts that are being stored.
pub(super) struct Values {
    /// Finished blocks.
    spool: Spool,
    builder: BlockBuilder,
    learning: Learning,
    /// Blocks that go before those in `closed`.
    backlog: Backlog,
    /// How many bytes of the backlog are to be given out soon.
    due: usize,
    /// Blocks that were cut and not given out yet.
    closed: VecDeque<PlainBlock>,
    closed_bytes: usize,
    /// Blocks that threads compress, with their bytes.
    given: VecDeque<(Ticket<Compressed>, usize)>,
    given_bytes: usize,
}

/// Blocks, compressed.
type Compressed = Result<Vec<Vec<u8>>>;

/// What is known of the corpus when its blocks are compressed.
enum Learning {
    /// Blocks wait until there are enough to learn from; these are the samples among them.
    Wait(Waiting),
    /// A thread is learning.
    Learn(Ticket<Result<Arc<Learned>>>),
    Done(Arc<Learned>),
}

/// What was not put by when a checkpoint was written.
#[derive(Default, bincode::Encode, bincode::Decode)]
pub(super) struct Left {
    /// Bytes of the finished blocks.
    pub finished: u64,
    /// Bytes of the blocks that wait, those that were taken too, and of those that were taken.
    pub waiting: u64,
    taken: u64,
    builder: BlockBuilder,
    /// The dictionary, once it was learned.
    learned: Option<Vec<u8>>,
}

impl Values {
    /// Collects in `finished`, and in `waiting` what waits; goes on from `left`.
    pub fn new(finished: Spool, waiting: Spool, left: Left) -> Result<Values> {
        let mut backlog = Backlog::new(waiting);
        let learning = match left.learned {
            Some(bytes) => {
                backlog.skip_to(left.taken);
                Learning::Done(Learned::new(bytes, LEVEL)?)
            }
            None => {
                let mut samples = Waiting::default();
                while let Some(block) = backlog.take()? {
                    if block.is_sample() {
                        samples.add(block);
                    }
                }
                backlog.skip_to(0);
                Learning::Wait(samples)
            }
        };
        Ok(Values {
            spool: finished,
            builder: left.builder,
            learning,
            backlog,
            due: 0,
            closed: VecDeque::new(),
            closed_bytes: 0,
            given: VecDeque::new(),
            given_bytes: 0,
        })
    }

    /// Adds the texts of an article.
    pub fn add(&mut self, article: Texts, pool: &Pool) -> Result<()> {
        for text in article.texts {
            self.add_one(&article.id, &article.title, &text, pool)?;
        }
        Ok(())
    }

    /// Adds `count` empty values, in place of texts that are not kept.
    pub fn add_empty(&mut self, count: u32, pool: &Pool) -> Result<()> {
        (0..count).try_for_each(|_| self.add_one("", "", "", pool))
    }

    fn add_one(&mut self, id: &str, title: &str, text: &str, pool: &Pool) -> Result<()> {
        let mut blocks = Vec::new();
        self.builder.add(id, title, text, &mut blocks)?;
        for block in blocks {
            self.add_block(block, pool)?;
        }
        Ok(())
    }

    fn add_block(&mut self, block: PlainBlock, pool: &Pool) -> Result<()> {
        if let Learning::Done(_) = self.learning
            && self.backlog.is_empty()
        {
            self.close(block);
            return self.go_on(pool);
        }
        self.backlog.put(&block)?;
        if let Learning::Done(_) = self.learning {
            // Two go for one that comes, until there is none.
            self.due += 2 * block.len();
        }
        if let Learning::Wait(samples) = &mut self.learning
            && block.is_sample()
            && samples.add(block)
        {
            let samples = std::mem::take(samples);
            let learn = move || Ok(samples.learn(LEVEL)?.0);
            self.learning = Learning::Learn(pool.give(learn));
        }
        self.go_on(pool)
    }

    fn close(&mut self, block: PlainBlock) {
        self.closed_bytes += block.len();
        self.closed.push_back(block);
    }

    /// Does what can be done without waiting for a thread, unless the threads have enough to do.
    fn go_on(&mut self, pool: &Pool) -> Result<()> {
        if let Learning::Learn(ticket) = &self.learning {
            let learned = match self.backlog.bytes() > MOST_WAITING {
                true => Some(ticket.wait()),
                false => ticket.take(),
            };
            if let Some(learned) = learned {
                self.learning = Learning::Done(learned??);
            }
        }
        while let Some((ticket, bytes)) = self.given.front()
            && let Some(blocks) = ticket.take()
        {
            self.given_bytes -= bytes;
            self.given.pop_front();
            self.put(&blocks??)?;
        }
        if let Learning::Done(_) = self.learning {
            while self.due > TOGETHER && !self.backlog.is_empty() {
                self.due -= TOGETHER;
                self.give_backlog(pool)?;
                self.put_most(pool)?;
            }
            if self.closed_bytes >= TOGETHER {
                self.give(pool);
            }
            self.put_most(pool)?;
        }
        Ok(())
    }

    /// Gives out some of the backlog.
    fn give_backlog(&mut self, pool: &Pool) -> Result<()> {
        while self.closed_bytes < TOGETHER
            && let Some(block) = self.backlog.take()?
        {
            self.close(block);
        }
        self.give(pool);
        Ok(())
    }

    /// Gives out the blocks that were closed.
    fn give(&mut self, pool: &Pool) {
        if let Learning::Done(learned) = &self.learning
            && !self.closed.is_empty()
        {
            let (learned, blocks) = (learned.clone(), std::mem::take(&mut self.closed));
            let bytes = std::mem::take(&mut self.closed_bytes);
            let ticket = pool.give(move || {
                let mut compressor = Compressor::new(&learned)?;
                let compress = |block: PlainBlock| compressor.compress(&block);
                blocks.into_iter().map(compress).collect()
            });
            self.given.push_back((ticket, bytes));
            self.given_bytes += bytes;
        }
    }

    /// Waits until the threads have no more than a few blocks: long ones take memory.
    fn put_most(&mut self, pool: &Pool) -> Result<()> {
        while self.given_bytes > 4 * TOGETHER * pool.threads() {
            self.put_first()?;
        }
        Ok(())
    }

    fn put_first(&mut self) -> Result<()> {
        match self.given.pop_front() {
            Some((ticket, bytes)) => {
                self.given_bytes -= bytes;
                self.put(&ticket.wait()??)
            }
            None => Ok(()),
        }
    }

    fn put(&mut self, blocks: &[Vec<u8>]) -> Result<()> {
        for block in blocks {
            let len = u32::try_from(block.len())
                .map_err(|_| Error::too_large("a block of values of more than 4 GiB"))?;
            self.spool.put(&len.to_le_bytes())?;
            self.spool.put(block)?;
        }
        Ok(())
    }

    /// Whether a thread is learning, so that it is no time for a checkpoint.
    pub fn is_learning(&self) -> bool {
        matches!(self.learning, Learning::Learn(_))
    }

    /// Waits for the threads and puts by what they have done.
    fn settle(&mut self, pool: &Pool) -> Result<()> {
        if let Learning::Learn(ticket) = &self.learning {
            self.learning = Learning::Done(ticket.wait()??);
        }
        self.give(pool);
        while !self.given.is_empty() {
            self.put_first()?;
        }
        Ok(())
    }

    /// Puts by what the threads have, syncs it, and gives what is [`Left`], encoded.
    pub fn checkpoint(&mut self, pool: &Pool) -> Result<Vec<u8>> {
        self.settle(pool)?;
        self.spool.sync()?;
        let (learned, over) = match &self.learning {
            Learning::Done(learned) => (Some(learned.bytes().to_vec()), self.backlog.is_empty()),
            _ => (None, false),
        };
        let left = Left {
            finished: self.spool.len(),
            waiting: if over { 0 } else { self.backlog.sync()? },
            taken: if over { 0 } else { self.backlog.taken() },
            builder: std::mem::take(&mut self.builder),
            learned,
        };
        let bytes = morelet_mapped::encode(&left);
        self.builder = left.builder;
        Ok(bytes?)
    }

    /// A checkpoint was written: what only the one before needs is not needed any more.
    pub fn checkpointed(&mut self) -> Result<()> {
        match self.learning {
            Learning::Done(_) if self.backlog.is_empty() => self.backlog.clear(),
            _ => Ok(()),
        }
    }

    /// Writes the sections of the store.
    pub fn finish(mut self, pool: &Pool, writer: &mut Writer) -> Result<()> {
        if let Some(block) = self.builder.close() {
            self.add_block(block, pool)?;
        }
        if let Learning::Wait(samples) = &mut self.learning {
            self.learning = Learning::Done(std::mem::take(samples).learn(LEVEL)?.0);
        }
        self.settle(pool)?;
        while !self.backlog.is_empty() {
            self.give_backlog(pool)?;
            self.put_most(pool)?;
        }
        self.settle(pool)?;
        self.spool.flush()?;
        let mut values = ValueWriter::begin(writer)?;
        let dictionary = match &self.learning {
            Learning::Done(learned) => values.dictionary(learned.bytes()),
            _ => None,
        };
        let (mut at, mut block) = (0, Vec::new());
        while at < self.spool.len() {
            let mut len = [0; 4];
            self.spool.read_at(at, &mut len)?;
            block.resize(u32::from_le_bytes(len) as usize, 0);
            self.spool.read_at(at + 4, &mut block)?;
            values.put(writer, &block, dictionary)?;
            at += 4 + block.len() as u64;
        }
        values.finish(writer)
    }
}

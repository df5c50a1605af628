//! The paragraphs' texts on their way into the store: cut into blocks in the order of the corpus, compressed on any
//! thread, put by in that order.
//!
//! What blocks are made of depends on the texts alone, never on how they came or who compressed them. The
//! finished blocks wait in a file, each behind its length, and are copied into the index at the end.

use std::collections::VecDeque;
use std::sync::Arc;

use morelet_mapped::Writer;

use super::chunk::Texts;
use super::pool::{Pool, Ticket};
use crate::error::{Error, Result};
use crate::spool::Spool;
use crate::store::{BlockBuilder, Compressor, LEVEL, Learned, PlainBlock, ValueWriter, Waiting};

/// Blocks are compressed by so many together.
const TOGETHER: usize = 64;

/// Texts that are being stored.
pub(super) struct Values {
    spool: Spool,
    builder: BlockBuilder,
    learning: Learning,
    /// Blocks that were cut and not given out yet.
    closed: Vec<PlainBlock>,
    given: VecDeque<Ticket<Result<Vec<Vec<u8>>>>>,
}

/// What is known of the corpus when its blocks are compressed.
enum Learning {
    /// Blocks wait until there are enough to learn from.
    Wait(Waiting),
    /// A thread is learning; the blocks come back then.
    Learn(Ticket<Result<(Arc<Learned>, Vec<PlainBlock>)>>),
    Done(Arc<Learned>),
}

/// What was not put by when a checkpoint was written.
#[derive(bincode::Encode, bincode::Decode)]
pub(super) struct Left {
    builder: BlockBuilder,
    waiting: Waiting,
    /// The dictionary, once it was learned.
    learned: Option<Vec<u8>>,
}

impl Values {
    /// Collects in `spool`; goes on from `left`, if there is any.
    pub fn new(spool: Spool, left: Option<Left>) -> Result<Values> {
        let left = left.unwrap_or_else(|| Left {
            builder: BlockBuilder::default(),
            waiting: Waiting::default(),
            learned: None,
        });
        Ok(Values {
            spool,
            builder: left.builder,
            learning: match left.learned {
                None => Learning::Wait(left.waiting),
                Some(bytes) => Learning::Done(Learned::new(bytes, LEVEL)?),
            },
            closed: Vec::new(),
            given: VecDeque::new(),
        })
    }

    /// Adds the texts of an article.
    pub fn add(&mut self, article: &Texts, pool: &Pool) -> Result<()> {
        for text in &article.texts {
            let before = self.closed.len();
            self.builder
                .add(&article.id, &article.title, text, &mut self.closed)?;
            if self.closed.len() > before {
                self.go_on(pool)?;
            }
        }
        Ok(())
    }

    /// Adds `count` empty values, in place of texts that are not kept.
    pub fn add_empty(&mut self, count: u32, pool: &Pool) -> Result<()> {
        for _ in 0..count {
            self.builder.add("", "", "", &mut self.closed)?;
        }
        self.go_on(pool)
    }

    /// Does what can be done without waiting for a thread, unless there is too much to do.
    fn go_on(&mut self, pool: &Pool) -> Result<()> {
        match &mut self.learning {
            Learning::Wait(waiting) => {
                let mut enough = false;
                for block in self.closed.drain(..) {
                    enough |= waiting.add(block);
                }
                if enough {
                    let waiting = std::mem::take(waiting);
                    self.learning = Learning::Learn(pool.give(move || waiting.learn(LEVEL)));
                }
            }
            Learning::Learn(ticket) => {
                // Not more than waited before.
                if self.closed.len() < 16 * TOGETHER {
                    if let Some(learned) = ticket.take() {
                        self.learned(learned??, pool);
                    }
                } else {
                    self.wait_for_learning(pool)?;
                }
            }
            Learning::Done(_) => {
                if self.closed.len() >= TOGETHER {
                    self.give(pool);
                }
                while let Some(ticket) = self.given.front()
                    && let Some(blocks) = ticket.take()
                {
                    self.given.pop_front();
                    self.put(&blocks??)?;
                }
                while self.given.len() > 2 * pool.threads() {
                    self.put_first()?;
                }
            }
        }
        Ok(())
    }

    fn wait_for_learning(&mut self, pool: &Pool) -> Result<()> {
        if let Learning::Learn(ticket) = &self.learning {
            let learned = ticket.wait()??;
            self.learned(learned, pool);
        }
        Ok(())
    }

    /// The blocks that waited go before those that came since.
    fn learned(&mut self, (learned, mut blocks): (Arc<Learned>, Vec<PlainBlock>), pool: &Pool) {
        self.learning = Learning::Done(learned);
        blocks.append(&mut self.closed);
        self.closed = blocks;
        self.give(pool);
    }

    /// Gives out the blocks that were cut.
    fn give(&mut self, pool: &Pool) {
        let Learning::Done(learned) = &self.learning else {
            return;
        };
        let mut blocks = std::mem::take(&mut self.closed).into_iter();
        while blocks.len() > 0 {
            let some: Vec<PlainBlock> = blocks.by_ref().take(TOGETHER).collect();
            let learned = learned.clone();
            self.given.push_back(pool.give(move || {
                let mut compressor = Compressor::new(&learned)?;
                some.iter()
                    .map(|block| compressor.compress(block))
                    .collect()
            }));
        }
    }

    fn put_first(&mut self) -> Result<()> {
        match self.given.pop_front() {
            Some(ticket) => self.put(&ticket.wait()??),
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

    /// Puts by whatever can be, waiting for the threads.
    fn settle(&mut self, pool: &Pool) -> Result<()> {
        self.wait_for_learning(pool)?;
        self.give(pool);
        while !self.given.is_empty() {
            self.put_first()?;
        }
        Ok(())
    }

    /// Puts by whatever can be, syncs it, and gives its length and, encoded, what is [`Left`].
    pub fn checkpoint(&mut self, pool: &Pool) -> Result<(u64, Vec<u8>)> {
        self.settle(pool)?;
        self.spool.sync()?;
        let mut left = Left {
            builder: std::mem::take(&mut self.builder),
            waiting: Waiting::default(),
            learned: None,
        };
        match &mut self.learning {
            Learning::Wait(waiting) => left.waiting = std::mem::take(waiting),
            Learning::Done(learned) => left.learned = Some(learned.bytes().to_vec()),
            // `settle` waited for it.
            Learning::Learn(_) => {}
        }
        let bytes = morelet_mapped::encode(&left);
        self.builder = left.builder;
        if let Learning::Wait(waiting) = &mut self.learning {
            *waiting = left.waiting;
        }
        Ok((self.spool.len(), bytes?))
    }

    /// Writes the sections of the store.
    pub fn finish(mut self, pool: &Pool, writer: &mut Writer) -> Result<()> {
        self.closed.extend(self.builder.close());
        self.go_on(pool)?;
        if let Learning::Wait(waiting) = &mut self.learning {
            let learned = std::mem::take(waiting).learn(LEVEL)?;
            self.learned(learned, pool);
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

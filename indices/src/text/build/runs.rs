//! Sorted runs: what was inverted in memory, on its way to the merge.
//!
//! All runs lie in one temporary file, one after the other, each made of
//!
//! ```text
//! length of the term | term | length of its postings | postings
//! ```
//!
//! in the order of the terms, where the postings are pairs as in [`super::super::postings`] and the first gap counts
//! from sentence 0. Lengths are variable-length integers. Runs hold ascending ranges of sentences.

use std::ops::Range;

use super::inversion::Inversion;
use crate::error::{Error, Result};
use crate::spool::Spool;
use crate::varint;

/// All runs so far.
pub(super) struct Runs {
    spool: Spool,
    ranges: Vec<Range<u64>>,
}

impl Runs {
    /// No runs, to be kept in `spool`.
    pub fn new(spool: Spool) -> Runs {
        Runs {
            spool,
            ranges: Vec::new(),
        }
    }

    /// Writes what `inversion` holds as one more run.
    pub fn add(&mut self, inversion: Inversion) -> Result<()> {
        let start = self.spool.len();
        let mut head = Vec::new();
        for (term, postings) in inversion.into_sorted() {
            head.clear();
            varint::put(&mut head, term.len() as u64);
            head.extend_from_slice(term.as_bytes());
            varint::put(&mut head, postings.len() as u64);
            self.spool.put(&head)?;
            self.spool.put(&postings)?;
        }
        if self.spool.len() > start {
            self.ranges.push(start..self.spool.len());
        }
        Ok(())
    }

    /// The bytes of all runs.
    pub fn bytes(&self) -> u64 {
        self.spool.len()
    }

    /// Reads all runs at once, with about `memory` bytes for their buffers together.
    pub fn read(self, memory: u64) -> (Spool, Vec<Run>) {
        let each = memory / self.ranges.len().max(1) as u64;
        let buffer = each.clamp(4 << 10, 256 << 10) as usize;
        let runs = self.ranges.into_iter().map(|range| Run {
            start: range.start,
            range,
            buffer: Vec::new(),
            at: 0,
            capacity: buffer,
            term: Vec::new(),
            left: 0,
        });
        (self.spool, runs.collect())
    }
}

/// One run that is being read.
pub(super) struct Run {
    /// Where it begins in the file.
    start: u64,
    /// What of the file is not in the buffer yet.
    range: Range<u64>,
    buffer: Vec<u8>,
    at: usize,
    capacity: usize,
    /// The term whose postings come next.
    pub term: Vec<u8>,
    /// The bytes of its postings that were not read.
    left: u64,
}

impl Run {
    /// The bytes that were read.
    pub fn done(&self) -> u64 {
        self.range.start - self.start
    }

    /// Goes to the next term. `false` at the end.
    pub fn next_term(&mut self, spool: &mut Spool) -> Result<bool> {
        if self.at == self.buffer.len() && self.range.is_empty() {
            return Ok(false);
        }
        let len = self.integer(spool)?;
        self.term.clear();
        for _ in 0..len {
            let byte = self.byte(spool)?;
            self.term.push(byte);
        }
        self.left = self.integer(spool)?;
        Ok(true)
    }

    /// Calls `act` with every sentence and tf of the term.
    pub fn postings(
        &mut self,
        spool: &mut Spool,
        mut act: impl FnMut(u32, u32) -> Result<()>,
    ) -> Result<()> {
        let mut next = 0u64;
        while self.left > 0 {
            let pair = self.integer(spool)?;
            let tf = match pair & 1 {
                0 => 1,
                _ => self.integer(spool)? + 2,
            };
            next += pair >> 1;
            // Both were u32 when they were written.
            act(next as u32, tf as u32)?;
            next += 1;
        }
        Ok(())
    }

    fn integer(&mut self, spool: &mut Spool) -> Result<u64> {
        let (mut value, mut shift) = (0, 0);
        loop {
            let byte = self.byte(spool)?;
            value |= u64::from(byte & 0x7f) << shift;
            shift += 7;
            if byte < 0x80 {
                return Ok(value);
            }
        }
    }

    #[inline]
    fn byte(&mut self, spool: &mut Spool) -> Result<u8> {
        if self.at == self.buffer.len() {
            let step = (self.range.end - self.range.start).min(self.capacity as u64);
            if step == 0 {
                return Err(Error::input(
                    "the temporary file beside the index was changed while it was read",
                ));
            }
            self.buffer.resize(step as usize, 0);
            spool.read_at(self.range.start, &mut self.buffer)?;
            self.range.start += step;
            self.at = 0;
        }
        let byte = self.buffer[self.at];
        self.at += 1;
        self.left = self.left.saturating_sub(1);
        Ok(byte)
    }
}

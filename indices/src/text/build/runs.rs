//! Sorted runs: what was inverted in memory, on its way to the merge.
//!
//! All runs lie in one file, one after the other, each made of
//!
//! ```text
//! shared | rest | bytes of the term | length of its postings | postings
//! ```
//!
//! in the order of the terms. `shared` is how many bytes the term has in common with the one before, `rest` how
//! many follow. Postings are pairs as in [`super::super::postings`]; the first gap counts from the run's first
//! sentence. Integers are of variable length. Runs hold ascending ranges of sentences, of which the last of one may
//! be the first of the next.

use super::terms::prefix;
use crate::error::{Error, Result};
use crate::spool::Spool;
use crate::varint;

/// Where a run lies, and its first sentence.
#[derive(Clone, Copy, Debug, PartialEq, bincode::Encode, bincode::Decode)]
pub(super) struct RunPlace {
    pub start: u64,
    pub len: u64,
    pub first: u32,
}

/// A pair of variable-length integers takes no more.
const PAIR: usize = 20;

/// What the merge reads: terms in ascending order, each with its sentences.
pub(super) trait Source {
    /// Goes to the next term. `false` at the end.
    fn next_term(&mut self) -> Result<bool>;
    /// The term.
    fn term(&self) -> &[u8];
    /// Calls `act` with every sentence of the term, ascending, and its tf. To be called once for each term.
    fn postings(&mut self, act: impl FnMut(u32, u32) -> Result<()>) -> Result<()>;
    /// How many bytes were read.
    fn done(&self) -> u64;
}

/// One run that is being read.
pub(super) struct Run<'a> {
    spool: &'a Spool,
    place: RunPlace,
    /// Where in the file the next bytes are.
    next: u64,
    buffer: Vec<u8>,
    at: usize,
    capacity: usize,
    term: Vec<u8>,
    /// The bytes of its postings that were not read.
    left: u64,
}

impl<'a> Run<'a> {
    /// The run at `place`, read through a buffer of `capacity` bytes.
    pub fn new(spool: &'a Spool, place: RunPlace, capacity: usize) -> Run<'a> {
        Run {
            spool,
            place,
            next: place.start,
            buffer: Vec::new(),
            at: 0,
            capacity,
            term: Vec::new(),
            left: 0,
        }
    }

    /// Makes sure that `bytes` bytes are in the buffer, or all that are left.
    #[inline]
    fn fill(&mut self, bytes: usize) -> Result<()> {
        if self.buffer.len() - self.at >= bytes {
            return Ok(());
        }
        self.read_on(bytes)
    }

    #[cold]
    fn read_on(&mut self, bytes: usize) -> Result<()> {
        self.buffer.drain(..self.at);
        self.at = 0;
        let have = self.buffer.len();
        let end = self.place.start + self.place.len;
        let step = (end - self.next).min((self.capacity.max(bytes) - have) as u64);
        self.buffer.resize(have + step as usize, 0);
        self.spool.read_at(self.next, &mut self.buffer[have..])?;
        self.next += step;
        Ok(())
    }

    fn integer(&mut self) -> Result<u64> {
        self.fill(PAIR)?;
        let mut rest = &self.buffer[self.at..];
        let value = varint::take(&mut rest).ok_or_else(|| self.changed())?;
        self.at = self.buffer.len() - rest.len();
        Ok(value)
    }

    fn changed(&self) -> Error {
        Error::input(format_args!(
            "{}: it was changed since it was written",
            self.spool.path().display()
        ))
    }
}

impl Source for Run<'_> {
    fn next_term(&mut self) -> Result<bool> {
        // Postings that nobody wanted are passed over.
        while self.left > 0 {
            self.fill(1)?;
            let step = self.left.min((self.buffer.len() - self.at) as u64);
            if step == 0 {
                return Err(self.changed());
            }
            self.at += step as usize;
            self.left -= step;
        }
        self.fill(1)?;
        if self.at == self.buffer.len() {
            return Ok(false);
        }
        let (shared, rest) = (self.integer()? as usize, self.integer()? as usize);
        // A term is at most 255 UTF-16 units, but nothing here depends on it.
        if shared > self.term.len() || rest > 1 << 16 {
            return Err(self.changed());
        }
        self.fill(rest)?;
        let bytes = self.buffer.get(self.at..self.at + rest);
        let bytes = bytes.ok_or_else(|| self.changed())?;
        self.term.truncate(shared);
        self.term.extend_from_slice(bytes);
        self.at += rest;
        self.left = self.integer()?;
        Ok(true)
    }

    fn term(&self) -> &[u8] {
        &self.term
    }

    fn postings(&mut self, mut act: impl FnMut(u32, u32) -> Result<()>) -> Result<()> {
        let mut next = self.place.first;
        while self.left > 0 {
            self.fill(PAIR)?;
            let have = &self.buffer[self.at..];
            let (have, keep) = match usize::try_from(self.left) {
                Ok(left) if left <= have.len() => (&have[..left], 0),
                _ => (have, PAIR - 1),
            };
            let mut rest = have;
            while rest.len() > keep {
                let pair = varint::take(&mut rest).ok_or_else(|| self.changed())?;
                let tf = match pair & 1 {
                    0 => 1,
                    _ => varint::take(&mut rest).ok_or_else(|| self.changed())? + 2,
                };
                // Both were u32 when they were written; a changed file gives other numbers, in range.
                let sentence = next.wrapping_add((pair >> 1) as u32);
                act(sentence, tf as u32)?;
                next = sentence.wrapping_add(1);
            }
            let read = have.len() - rest.len();
            if read == 0 {
                return Err(self.changed());
            }
            self.at += read;
            self.left -= read as u64;
        }
        Ok(())
    }

    fn done(&self) -> u64 {
        self.next - self.place.start
    }
}

/// Sources in the order of their next terms; of equal terms, the earlier source comes first.
pub(super) struct Tournament<S> {
    sources: Vec<S>,
    /// The first bytes of each source's term, by which most are told apart.
    prefixes: Vec<u64>,
    /// A heap of the sources that have a term.
    heap: Vec<usize>,
}

impl<S: Source> Tournament<S> {
    /// Reads the first term of each of `sources`.
    pub fn new(sources: Vec<S>) -> Result<Tournament<S>> {
        let mut tournament = Tournament {
            prefixes: vec![0; sources.len()],
            heap: Vec::with_capacity(sources.len()),
            sources,
        };
        for number in 0..tournament.sources.len() {
            if tournament.sources[number].next_term()? {
                tournament.prefixes[number] = prefix(tournament.sources[number].term());
                tournament.heap.push(number);
            }
        }
        for at in (0..tournament.heap.len() / 2).rev() {
            tournament.sink(at);
        }
        Ok(tournament)
    }

    /// The source that comes first.
    pub fn first(&mut self) -> Option<&mut S> {
        let &number = self.heap.first()?;
        Some(&mut self.sources[number])
    }

    /// Moves the source that comes first to its next term.
    pub fn advance(&mut self) -> Result<()> {
        let Some(&number) = self.heap.first() else {
            return Ok(());
        };
        if self.sources[number].next_term()? {
            self.prefixes[number] = prefix(self.sources[number].term());
        } else {
            self.heap.swap_remove(0);
        }
        self.sink(0);
        Ok(())
    }

    /// How many bytes were read of all.
    pub fn done(&self) -> u64 {
        self.sources.iter().map(S::done).sum()
    }

    fn sink(&mut self, mut at: usize) {
        loop {
            let mut least = at;
            for child in [2 * at + 1, 2 * at + 2] {
                if child < self.heap.len() && self.before(self.heap[child], self.heap[least]) {
                    least = child;
                }
            }
            if least == at {
                return;
            }
            self.heap.swap(at, least);
            at = least;
        }
    }

    #[inline]
    fn before(&self, a: usize, b: usize) -> bool {
        self.prefixes[a]
            .cmp(&self.prefixes[b])
            .then_with(|| self.sources[a].term().cmp(self.sources[b].term()))
            .then(a.cmp(&b))
            .is_lt()
    }
}

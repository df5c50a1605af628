//! Taking a graph out of `instant-distance`, whose fields are private but can be serialized.
//!
//! bincode's fixed-length encoding of its `Hnsw` is: `ef` (u64); the points (their number, u64, and nothing
//! each, as ours write nothing); the lowest layer (its number, 64 × u32 a node); the layers above (their number; for each
//! a count, 32 × u32 a node), which are not needed. So it is never in memory twice.

use std::io::{self, Write};

use instant_distance::{Hnsw, Point};
use serde::Serialize;

use crate::error::{Error, Result};

/// Links of a node in the lowest layer.
const DEGREE: usize = 64;
/// Where a node has fewer links.
const NONE: u32 = u32::MAX;

/// Calls `node` with each node of the lowest layer and its neighbours, nearest first.
pub(super) fn relay<P: Point + Serialize>(
    hnsw: &Hnsw<P>,
    len: u32,
    node: &mut dyn FnMut(u32, &[u32]),
) -> Result<()> {
    let mut splitter = Splitter {
        node,
        len,
        word: Vec::with_capacity(4 * DEGREE),
        field: Field::Ef,
    };
    let config = bincode::config::legacy();
    bincode::serde::encode_into_std_write(hnsw, &mut splitter, config)
        .map_err(|error| Error::input(format_args!("the graph cannot be taken out: {error}")))?;
    match splitter.field {
        Field::Upper => Ok(()),
        _ => Err(Error::input(
            "the graph cannot be taken out: it ended early",
        )),
    }
}

/// Where in the stream we are.
#[derive(Clone, Copy)]
enum Field {
    Ef,
    Points,
    ZeroCount,
    Zero(u32),
    Upper,
}

struct Splitter<'a> {
    node: &'a mut dyn FnMut(u32, &[u32]),
    len: u32,
    /// The bytes of a count or a node so far.
    word: Vec<u8>,
    field: Field,
}

impl Splitter<'_> {
    /// Takes a whole word, and gives the field after it.
    fn take(&mut self) -> io::Result<Field> {
        if let Field::Zero(node) = self.field {
            let mut links = [NONE; DEGREE];
            let (words, _) = self.word.as_chunks::<4>();
            for (link, &word) in links.iter_mut().zip(words) {
                *link = u32::from_le_bytes(word);
            }
            let degree = links
                .iter()
                .position(|&link| link == NONE)
                .unwrap_or(DEGREE);
            if links[..degree].iter().any(|&link| link >= self.len) {
                return Err(unexpected());
            }
            (self.node)(node, &links[..degree]);
            return Ok(self.zero(node + 1));
        }
        let count = self
            .word
            .as_slice()
            .try_into()
            .map_or(0, u64::from_le_bytes);
        let expected = count == u64::from(self.len);
        match self.field {
            Field::Ef => Ok(Field::Points),
            Field::Points if expected => Ok(Field::ZeroCount),
            Field::ZeroCount if expected => Ok(self.zero(0)),
            _ => Err(unexpected()),
        }
    }

    fn zero(&self, node: u32) -> Field {
        if node < self.len {
            Field::Zero(node)
        } else {
            Field::Upper
        }
    }
}

fn unexpected() -> io::Error {
    io::Error::other("the graph has another form than that of instant-distance 0.6")
}

impl Write for Splitter<'_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let size = match self.field {
            Field::Upper => return Ok(bytes.len()),
            Field::Zero(_) => 4 * DEGREE,
            _ => 8,
        };
        let taken = bytes.len().min(size - self.word.len());
        self.word.extend_from_slice(&bytes[..taken]);
        if self.word.len() == size {
            self.field = self.take()?;
            self.word.clear();
        }
        Ok(taken)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

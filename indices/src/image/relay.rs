//! Taking a graph out of `instant-distance`.
//!
//! Its fields are private, but it can be serialized, and with integers of fixed size what comes out is a stream of
//! known form: `ef` (u64), the points (a count; ours are nothing), the lowest layer (a count, 64 × u32 a node), the
//! upper layers (their number; for each a count, 32 × u32 a node). So it is never in memory twice: the lowest layer
//! goes to the file as it comes.

use std::io::{self, Write};

use instant_distance::{Hnsw, Point};
use morelet_mapped::SectionWriter;
use serde::Serialize;

use super::graph::{DEGREE, UPPER_DEGREE};
use crate::error::{Error, Result};

/// The layers above the lowest, from below: their sizes and all of their links.
pub(crate) struct UpperLayers {
    pub sizes: Vec<u32>,
    pub links: Vec<u8>,
}

/// Writes the links of the lowest layer to `zero`, in the format's order, and gives the others.
pub(crate) fn relay<P: Point + Serialize>(
    hnsw: &Hnsw<P>,
    len: u32,
    zero: &mut SectionWriter<'_>,
) -> Result<UpperLayers> {
    let mut splitter = Splitter {
        zero,
        failure: None,
        len,
        word: Vec::with_capacity(8),
        field: Field::Ef,
        upper: UpperLayers {
            sizes: Vec::new(),
            links: Vec::new(),
        },
    };
    let config = bincode::config::legacy();
    let written = bincode::serde::encode_into_std_write(hnsw, &mut splitter, config);
    if let Some(failure) = splitter.failure {
        return Err(failure.into());
    }
    written
        .map_err(|error| Error::input(format_args!("the graph cannot be taken out: {error}")))?;
    match splitter.field {
        Field::UpperCount { left: 0 } => Ok(splitter.upper),
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
    Zero { left: u64 },
    LayerCount,
    UpperCount { left: u64 },
    Upper { left: u64, layers: u64 },
}

struct Splitter<'a, 'w> {
    zero: &'a mut SectionWriter<'w>,
    /// Why `zero` could not be written: inside the serializer's error it would lose its kind.
    failure: Option<morelet_mapped::Error>,
    len: u32,
    /// The bytes of a count so far.
    word: Vec<u8>,
    field: Field,
    upper: UpperLayers,
}

impl Splitter<'_, '_> {
    /// The field after a count.
    fn count(&mut self, count: u64) -> io::Result<Field> {
        let expect = |expected: u64, next| {
            if count == expected {
                Ok(next)
            } else {
                Err(unexpected())
            }
        };
        match self.field {
            Field::Ef => Ok(Field::Points),
            Field::Points => expect(u64::from(self.len), Field::ZeroCount),
            Field::ZeroCount if count == 0 => expect(u64::from(self.len), Field::LayerCount),
            Field::ZeroCount => expect(
                u64::from(self.len),
                Field::Zero {
                    left: count * DEGREE as u64 * 4,
                },
            ),
            Field::LayerCount => Ok(Field::UpperCount { left: count }),
            Field::UpperCount { left } if left > 0 => {
                self.upper
                    .sizes
                    .push(u32::try_from(count).map_err(|_| unexpected())?);
                let links = count * UPPER_DEGREE as u64 * 4;
                Ok(Field::Upper {
                    left: links,
                    layers: left - 1,
                })
            }
            _ => Err(unexpected()),
        }
    }
}

fn unexpected() -> io::Error {
    io::Error::other("the graph has another form than that of instant-distance 0.6")
}

impl Write for Splitter<'_, '_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        match self.field {
            Field::Zero { left } => {
                let taken = bytes.len().min(left as usize);
                if let Err(error) = self.zero.put(&bytes[..taken]) {
                    self.failure = Some(error);
                    return Err(io::Error::other("the file cannot be written"));
                }
                let left = left - taken as u64;
                self.field = if left == 0 {
                    Field::LayerCount
                } else {
                    Field::Zero { left }
                };
                Ok(taken)
            }
            Field::Upper { left, layers } => {
                let taken = bytes.len().min(left as usize);
                self.upper.links.extend_from_slice(&bytes[..taken]);
                let left = left - taken as u64;
                self.field = if left == 0 {
                    Field::UpperCount { left: layers }
                } else {
                    Field::Upper { left, layers }
                };
                Ok(taken)
            }
            _ => {
                let taken = bytes.len().min(8 - self.word.len());
                self.word.extend_from_slice(&bytes[..taken]);
                if let Ok(word) = <[u8; 8]>::try_from(self.word.as_slice()) {
                    self.word.clear();
                    self.field = self.count(u64::from_le_bytes(word))?;
                }
                Ok(taken)
            }
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

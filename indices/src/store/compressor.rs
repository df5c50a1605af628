//! What zstd learns from the first blocks of a corpus, and what it makes of each block.

use std::sync::Arc;

use zstd::zstd_safe::{CCtx, CDict, compress_bound, get_error_name};

use super::block::{Coding, Stored};
use super::records::PlainBlock;
use super::{MAX_RATIO, PLAIN_CAP};
use crate::error::{Error, Result};

/// The level of compression unless told otherwise. On Wikipedia's text 12 compresses 20 MB/s; 16 makes the values 4 %
/// shorter in four times the time, 9 makes them 0.4 % longer in two thirds of it. Reading costs the same at every level.
pub(crate) const LEVEL: i32 = 12;
/// The levels that zstd takes: the greatest ones need no more memory than 16 does, for blocks of this size.
pub(super) const LEVELS: std::ops::RangeInclusive<i32> = 1..=19;

/// Blocks wait for the dictionary until there are this many bytes of them.
const WAITING_BYTES: usize = 32 << 20;
/// About how many of these the dictionary is made from: every block, every second, …
const SAMPLE_BYTES: usize = 16 << 20;
/// Long values are no sample. Where most are long, this much is enough to give up.
const MOST_WAITING: usize = 4 * WAITING_BYTES;
/// How long a dictionary is at most. Of Wikipedia's values, one of 112 KiB (about zstd's default) saves 18 %, one of this
/// length 19 %, and one of twice it 20 %, at more memory for each that is open.
const DICTIONARY_BYTES: usize = 256 << 10;
/// A shorter dictionary is made where there is less text, so that it is never longer than what it saves.
const BYTES_PER_DICTIONARY_BYTE: usize = WAITING_BYTES / DICTIONARY_BYTES;
/// A dictionary shorter than this is not worth having.
const LEAST_DICTIONARY_BYTES: usize = 4 << 10;

/// A dictionary and a level: all that decides what becomes of a block. It is shared by the [`Compressor`]s.
pub(crate) struct Learned {
    /// Empty where there was too little to learn from.
    bytes: Vec<u8>,
    prepared: CDict<'static>,
}

impl Learned {
    /// From a dictionary's bytes, such as [`Learned::bytes`] gave them before the process was killed, or none.
    pub fn new(bytes: Vec<u8>, level: i32) -> Result<Arc<Learned>> {
        if !LEVELS.contains(&level) {
            return Err(Error::input(format_args!(
                "a level of compression is {} to {}, not {level}",
                LEVELS.start(),
                LEVELS.end()
            )));
        }
        let prepared = CDict::try_create(&bytes, level).ok_or_else(no_memory)?;
        Ok(Arc::new(Learned { bytes, prepared }))
    }

    /// The dictionary, empty if there is none.
    pub fn bytes(&self) -> &[u8] {
        &self.bytes
    }
}

/// The first blocks of a corpus, in order, until there are enough to learn from.
#[derive(Default)]
pub(crate) struct Waiting {
    blocks: Vec<PlainBlock>,
    sample_bytes: usize,
    bytes: usize,
}

impl Waiting {
    /// Adds a block. Says whether that is enough: then it is time for [`Waiting::learn`].
    pub fn add(&mut self, block: PlainBlock) -> bool {
        self.bytes += block.len();
        if block.is_sample() {
            self.sample_bytes += block.len();
        }
        self.blocks.push(block);
        self.sample_bytes >= WAITING_BYTES || self.bytes >= MOST_WAITING
    }

    /// Whether nothing waits.
    pub fn is_empty(&self) -> bool {
        self.blocks.is_empty()
    }

    /// Makes the dictionary (a short one, or none, where this is all of a small corpus) and gives the blocks back.
    pub fn learn(self, level: i32) -> Result<(Arc<Learned>, Vec<PlainBlock>)> {
        let len = (self.sample_bytes / BYTES_PER_DICTIONARY_BYTE).min(DICTIONARY_BYTES);
        let mut bytes = Vec::new();
        if len >= LEAST_DICTIONARY_BYTES {
            let step = self.sample_bytes.div_ceil(SAMPLE_BYTES);
            let samples = || {
                let all = self.blocks.iter().filter(|block| block.is_sample());
                all.step_by(step).map(|block| &block.bytes[..])
            };
            let sizes: Vec<usize> = samples().map(<[u8]>::len).collect();
            let sample = samples().collect::<Vec<_>>().concat();
            // zstd refuses to learn from too little, or from what is all the same. Then there is none.
            bytes = zstd::dict::from_continuous(&sample, &sizes, len).unwrap_or_default();
        }
        Ok((Learned::new(bytes, level)?, self.blocks))
    }
}

/// Compresses blocks, one thread's.
pub(crate) struct Compressor {
    learned: Arc<Learned>,
    context: CCtx<'static>,
    buffer: Vec<u8>,
}

impl Compressor {
    /// One that compresses as `learned` says. All such ones make the same bytes of a block.
    pub fn new(learned: &Arc<Learned>) -> Result<Compressor> {
        Ok(Compressor {
            learned: learned.clone(),
            context: CCtx::try_create().ok_or_else(no_memory)?,
            buffer: Vec::new(),
        })
    }

    /// The block as [`ValueWriter::put`](super::ValueWriter::put) takes it. Whoever puts it by in between must
    /// keep its length.
    pub fn compress(&mut self, block: &PlainBlock) -> Result<Vec<u8>> {
        let plain = &block.bytes[..];
        self.buffer.clear();
        self.buffer.reserve(compress_bound(plain.len()));
        self.context
            .compress_using_cdict(&mut self.buffer, plain, &self.learned.prepared)
            .map_err(|code| {
                let why = get_error_name(code);
                Error::input(format_args!("zstd cannot compress a block: {why}"))
            })?;
        let plain_len = plain.len() as u64;
        let cap = PLAIN_CAP.max(self.buffer.len() as u64 * MAX_RATIO);
        let (coding, body) = match () {
            () if self.buffer.len() >= plain.len() || plain_len > cap => (Coding::Plain, plain),
            () if self.learned.bytes.is_empty() => (Coding::Zstd, &self.buffer[..]),
            () => (Coding::Dictionary(0), &self.buffer[..]),
        };
        let stored = Stored {
            coding,
            records: block.records,
            plain_len,
            body,
        };
        // Dictionary 0 has a byte.
        let stored = stored.bytes().unwrap_or_default();
        if self.buffer.capacity() > 1 << 20 {
            self.buffer = Vec::new();
        }
        Ok(stored)
    }
}

fn no_memory() -> Error {
    Error::input("zstd does not start: out of memory")
}

//! What goes into a stack: one copy from the host for each pass, as small as the file has it.
//!
//! The table of words, half of a large model, stays in the map. The rows of an input go up as they lie there, and are expanded on the
//! device, where the positions are added, whose table is small enough to be there.

use cudarc::driver::PinnedHostSlice;

use super::driver::{Driver, Memory};
use super::kernels::Rows;
use super::{Given, failed};
use crate::error::{Error, Result};
use crate::weights::{Precision, StoredMatrix, Weights, finite};

/// Bytes before the positions: the number of rows that are not padding, and room.
pub(super) const HEADER: usize = 16;

/// Embeddings of words, with positions and the first token type.
#[derive(Debug)]
pub(crate) struct Embeddings {
    weights: Weights,
    name: String,
    /// The words, where the device can expand them.
    stored: Option<StoredMatrix>,
    /// Position + token type, `[most, d]`.
    pub(super) table: Memory<f32>,
}

/// A sequence as it is sent.
#[derive(Debug)]
pub(super) struct Input {
    host: PinnedHostSlice<u8>,
    pub(super) device: Memory<u8>,
    width: usize,
    /// Bytes of the sequence that was put together last.
    filled: usize,
}

impl Embeddings {
    /// Reads `NAME.word`, `NAME.position` and `NAME.token_type`.
    pub(crate) fn load(driver: &Driver, weights: &Weights, name: &str) -> Result<Self> {
        let mut table = weights.f32s(&format!("{name}.position"))?;
        let token_type = weights.rows(&format!("{name}.token_type"), &[0])?;
        for row in table.chunks_exact_mut(token_type.len().max(1)) {
            for (position, token_type) in row.iter_mut().zip(&token_type) {
                *position += token_type;
            }
        }
        let name = format!("{name}.word");
        let stored = weights.stored_matrix(&name)?;
        Ok(Self {
            weights: weights.clone(),
            // What cannot be expanded there is read number by number.
            stored: stored.filter(|stored| match stored.precision {
                Precision::F32 | Precision::F16 => true,
                Precision::Q8 => stored.scales.is_some(),
                Precision::Q4 => false,
            }),
            name,
            table: driver.upload(&table)?,
        })
    }

    /// How the rows of an input are sent.
    pub(super) fn rows(&self) -> Rows {
        match self.stored.as_ref().map(|stored| stored.precision) {
            Some(Precision::F16) => Rows::F16,
            Some(Precision::Q8) => Rows::Q8,
            _ => Rows::F32,
        }
    }

    /// How many positions there are.
    pub(super) fn positions(&self, width: usize) -> usize {
        self.table.len() / width.max(1)
    }

    /// Puts the rows of `ids` into `words`, and their scales, where they have some, into `scales`.
    fn gather(&self, ids: &[u32], words: &mut [u8], scales: &mut [u8]) -> Result<()> {
        let Some(stored) = &self.stored else {
            return copy_f32(&self.weights.rows(&self.name, ids)?, words);
        };
        let size = stored.width * self.rows().bytes();
        let rows = words.chunks_exact_mut(size.max(1));
        for ((row, scale), &id) in rows.zip(scales.chunks_exact_mut(4)).zip(ids) {
            let id = id as usize;
            let Some(word) = stored.weights.get(id * size..(id + 1) * size) else {
                let (name, count) = (&self.name, stored.rows);
                let message = format!("id {id} is not a row of {name}, which has {count}");
                return Err(Error::input(message));
            };
            row.copy_from_slice(word);
            if let Some(scales) = &stored.scales {
                let bytes = scales.slice(id as u64 * 4..id as u64 * 4 + 4)?;
                finite(&bytes, &self.name, f32::is_finite)?;
                scale.copy_from_slice(&bytes);
            }
        }
        Ok(())
    }
}

impl Given<'_> {
    /// The number of rows.
    pub(super) fn rows(&self, width: usize) -> usize {
        match self {
            Self::Rows(rows) => rows.len() / width,
            Self::Ids(ids, _) => ids.len(),
        }
    }
}

impl Input {
    /// Room for sequences of up to `rows` rows.
    pub(super) fn new(driver: &Driver, rows: usize, width: usize) -> Result<Self> {
        let bytes = Self::words_at(rows) + rows * width * 4;
        Ok(Self {
            host: driver.pinned(bytes)?,
            device: driver.zeros(bytes)?,
            width,
            filled: 0,
        })
    }

    /// Where the positions of `rows` rows are.
    pub(super) fn places_at() -> usize {
        HEADER
    }

    /// Where the scales are.
    pub(super) fn scales_at(rows: usize) -> usize {
        HEADER + rows * 4
    }

    /// Where the words are.
    pub(super) fn words_at(rows: usize) -> usize {
        HEADER + rows * 8
    }

    /// Puts a sequence together, padded to `rows` rows. What is padded is some finite numbers.
    pub(super) fn fill(
        &mut self,
        given: Given<'_>,
        embeddings: Option<&Embeddings>,
        rows: usize,
    ) -> Result<()> {
        let n = given.rows(self.width);
        let kind = embeddings.map_or(Rows::F32, Embeddings::rows);
        let host = self.host.as_mut_slice().map_err(failed("pinned memory"))?;
        let total = Self::words_at(rows) + rows * self.width * kind.bytes();
        let (head, words) = host[..total].split_at_mut(Self::words_at(rows));
        let (head, scales) = head.split_at_mut(Self::scales_at(rows));
        let (seen, places) = head.split_at_mut(Self::places_at());
        seen[..4].copy_from_slice(&(n as i32).to_ne_bytes());
        let (row, padding) = words.split_at_mut(n * self.width * kind.bytes());
        padding.fill(0);
        scales[n * 4..].fill(0);
        places[n * 4..].fill(0);
        match (given, embeddings) {
            (Given::Ids(ids, positions), Some(embeddings)) => {
                embeddings.gather(ids, row, scales)?;
                let most = embeddings.positions(self.width);
                for (place, &position) in places.chunks_exact_mut(4).zip(positions) {
                    if position as usize >= most {
                        let message = format!("position {position} of a model that has {most}");
                        return Err(Error::input(message));
                    }
                    place.copy_from_slice(&position.to_ne_bytes());
                }
            }
            (Given::Rows(given), None) => copy_f32(given, row)?,
            _ => return Err(Error::device("CUDA: input of another kind".to_owned())),
        }
        self.filled = total;
        Ok(())
    }

    /// What there is to send, and where it goes.
    pub(super) fn sent(&mut self) -> Result<(&[u8], &mut Memory<u8>)> {
        let host = self.host.as_slice().map_err(failed("pinned memory"))?;
        Ok((&host[..self.filled], &mut self.device))
    }
}

fn copy_f32(from: &[f32], to: &mut [u8]) -> Result<()> {
    if from.len() * 4 != to.len() {
        return Err(Error::device("CUDA: input of another length".to_owned()));
    }
    for (to, from) in to.chunks_exact_mut(4).zip(from) {
        to.copy_from_slice(&from.to_ne_bytes());
    }
    Ok(())
}

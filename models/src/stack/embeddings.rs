//! What goes into a stack: one copy from the host for each pass, as small as the file has it.
//!
//! The table of words, half of a large model, stays in the map. The rows of an input go up as they lie there, and are expanded on the
//! device, where the positions are added, whose table is small enough to be there.
//!
//! A sequence is sent as: the number of rows that are not padding (`i32`), and room, 16 bytes; for each row its position (`u32`); for each
//! its scale (`f32`); the rows.

use super::Given;
use crate::error::{Error, Result};
use crate::weights::{Precision, StoredMatrix, Weights, finite};

/// Bytes before the positions.
const HEADER: usize = 16;

/// How the rows of a sequence are sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Rows {
    F32,
    F16,
    /// Integers of 8 bits, and a scale for each row.
    Q8,
}

impl Rows {
    /// Bytes of a number.
    pub(crate) fn bytes(self) -> usize {
        match self {
            Self::F32 => 4,
            Self::F16 => 2,
            Self::Q8 => 1,
        }
    }
}

/// Embeddings of words, with positions and the first token type.
#[derive(Debug)]
pub(crate) struct Embeddings {
    weights: Weights,
    name: String,
    /// The words, where a device can expand them.
    stored: Option<StoredMatrix>,
    /// How many positions there are.
    positions: usize,
}

/// Where the positions of a sequence are.
pub(crate) fn places_at() -> usize {
    HEADER
}

/// Where the scales are.
pub(crate) fn scales_at(rows: usize) -> usize {
    HEADER + rows * 4
}

/// Where the words are.
pub(crate) fn words_at(rows: usize) -> usize {
    HEADER + rows * 8
}

impl Embeddings {
    /// Reads `NAME.word`, `NAME.position` and `NAME.token_type`. With them comes what is added to words, position + token type,
    /// `[positions, d]`.
    pub(crate) fn load(weights: &Weights, name: &str) -> Result<(Self, Vec<f32>)> {
        let mut table = weights.f32s(&format!("{name}.position"))?;
        let token_type = weights.rows(&format!("{name}.token_type"), &[0])?;
        let width = token_type.len().max(1);
        for row in table.chunks_exact_mut(width) {
            for (position, token_type) in row.iter_mut().zip(&token_type) {
                *position += token_type;
            }
        }
        let name = format!("{name}.word");
        let stored = weights.stored_matrix(&name)?;
        let embeddings = Self {
            weights: weights.clone(),
            // What cannot be expanded there is read number by number.
            stored: stored.filter(|stored| match stored.precision {
                Precision::F32 | Precision::F16 => true,
                Precision::Q8 => stored.scales.is_some(),
                Precision::Q4 => false,
            }),
            name,
            positions: table.len() / width,
        };
        Ok((embeddings, table))
    }

    /// How the rows of an input are sent.
    pub(crate) fn rows(&self) -> Rows {
        match self.stored.as_ref().map(|stored| stored.precision) {
            Some(Precision::F16) => Rows::F16,
            Some(Precision::Q8) => Rows::Q8,
            _ => Rows::F32,
        }
    }

    /// How many positions there are.
    pub(crate) fn positions(&self) -> usize {
        self.positions
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

/// Puts a sequence together, padded to `rows` rows of `width` numbers, and gives the bytes of it. What is padded is some finite numbers.
pub(crate) fn fill(
    host: &mut [u8],
    given: Given<'_>,
    embeddings: Option<&Embeddings>,
    (rows, width): (usize, usize),
) -> Result<usize> {
    let n = given.rows(width);
    let kind = embeddings.map_or(Rows::F32, Embeddings::rows);
    let total = words_at(rows) + rows * width * kind.bytes();
    let (head, words) = host[..total].split_at_mut(words_at(rows));
    let (head, scales) = head.split_at_mut(scales_at(rows));
    let (seen, places) = head.split_at_mut(places_at());
    seen[..4].copy_from_slice(&(n as i32).to_ne_bytes());
    let (row, padding) = words.split_at_mut(n * width * kind.bytes());
    padding.fill(0);
    scales[n * 4..].fill(0);
    places[n * 4..].fill(0);
    match (given, embeddings) {
        (Given::Ids(ids, positions), Some(embeddings)) => {
            embeddings.gather(ids, row, scales)?;
            let most = embeddings.positions();
            for (place, &position) in places.chunks_exact_mut(4).zip(positions) {
                if position as usize >= most {
                    let message = format!("position {position} of a model that has {most}");
                    return Err(Error::input(message));
                }
                place.copy_from_slice(&position.to_ne_bytes());
            }
        }
        (Given::Rows(given), None) => copy_f32(given, row)?,
        _ => {
            return Err(Error::device(
                "a stack got input of another kind".to_owned(),
            ));
        }
    }
    Ok(total)
}

fn copy_f32(from: &[f32], to: &mut [u8]) -> Result<()> {
    if from.len() * 4 != to.len() {
        return Err(Error::device(
            "a stack got input of another length".to_owned(),
        ));
    }
    for (to, from) in to.chunks_exact_mut(4).zip(from) {
        to.copy_from_slice(&from.to_ne_bytes());
    }
    Ok(())
}

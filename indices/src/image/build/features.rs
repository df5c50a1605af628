//! The features as they come: each once.

use std::collections::HashMap;
use std::hash::{DefaultHasher, Hasher};
use std::path::Path;

use morelet_mapped::{Scratch, ScratchMap};

use crate::error::Result;
use crate::image::vectors::normalize;

/// Features of length 1, in a scratch file, one after the other.
pub(super) struct Features {
    dim: usize,
    scratch: Scratch,
    len: u32,
    /// By a hash of its bits, the number of a feature.
    seen: HashMap<u128, u32>,
    unit: Vec<f32>,
    bytes: Vec<u8>,
}

impl Features {
    /// None, on the disk of `folder`.
    pub fn create_in(folder: &Path, dim: usize) -> Result<Features> {
        Ok(Features {
            dim,
            scratch: Scratch::create_in(folder)?,
            len: 0,
            seen: HashMap::new(),
            unit: Vec::new(),
            bytes: Vec::new(),
        })
    }

    /// The features so far.
    pub fn len(&self) -> u32 {
        self.len
    }

    /// Takes a feature, or refuses it.
    pub fn prepare(&mut self, feature: &[f32]) -> Result<()> {
        normalize(feature, &mut self.unit)?;
        // Adding zero makes −0 a plain 0.
        self.unit.iter_mut().for_each(|value| *value += 0.0);
        Ok(())
    }

    /// The number of the feature that was prepared, which is added if it is new.
    pub fn put(&mut self) -> Result<u32> {
        self.bytes.clear();
        self.bytes
            .extend(self.unit.iter().flat_map(|value| value.to_le_bytes()));
        // 128 bits: of four thousand million features, two are taken for each other once in 10¹⁹ times.
        let half = |seed: u8| {
            let mut hasher = DefaultHasher::new();
            hasher.write_u8(seed);
            hasher.write(&self.bytes);
            u128::from(hasher.finish())
        };
        let hash = half(0) << 64 | half(1);
        if let Some(&known) = self.seen.get(&hash) {
            return Ok(known);
        }
        self.scratch.put(&self.bytes)?;
        self.seen.insert(hash, self.len);
        self.len += 1;
        Ok(self.len - 1)
    }

    /// All of them, `[n, dim]`.
    pub fn finish(self) -> Result<ScratchMap<f32>> {
        Ok(self.scratch.map()?)
    }

    /// The length of a feature.
    pub fn dim(&self) -> usize {
        self.dim
    }
}

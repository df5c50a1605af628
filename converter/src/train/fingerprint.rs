//! What tells one training from another: a hash of everything that decides its result.

use crate::Result;
use morelet_models::train::Parameters;

/// The hash, so far. What is added is kept apart by its length.
pub(crate) struct Fingerprint(blake3::Hasher);

impl Fingerprint {
    /// That of a model with its first values.
    ///
    /// # Errors
    /// `Device`, where they cannot be read.
    pub(crate) fn of(parameters: &Parameters) -> Result<Self> {
        let mut hash = Self(blake3::Hasher::new());
        // No tensor has another shape for another number of heads.
        hash.text(&format!("{:?}", parameters.meta().architecture));
        for (name, shape) in parameters.shapes() {
            hash.text(&format!("{name} {shape:?}"));
            hash.floats(&parameters.values(name)?);
        }
        Ok(hash)
    }

    pub(crate) fn bytes(&mut self, bytes: &[u8]) {
        self.0.update(&(bytes.len() as u64).to_le_bytes());
        self.0.update(bytes);
    }

    pub(crate) fn text(&mut self, text: &str) {
        self.bytes(text.as_bytes());
    }

    pub(crate) fn floats(&mut self, floats: &[f32]) {
        self.0.update(&(floats.len() as u64).to_le_bytes());
        for float in floats {
            self.0.update(&float.to_le_bytes());
        }
    }

    pub(crate) fn numbers(&mut self, numbers: impl IntoIterator<Item = u64>) {
        let bytes = numbers.into_iter().flat_map(u64::to_le_bytes);
        self.bytes(&bytes.collect::<Vec<u8>>());
    }

    pub(crate) fn finish(&self) -> String {
        self.0.finalize().to_hex().to_string()
    }
}

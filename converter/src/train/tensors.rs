//! Writing a safetensors file.

use crate::{Error, Result};
use safetensors::Dtype;
use safetensors::tensor::{View, serialize_to_file};
use std::borrow::Cow;
use std::collections::HashMap;
use std::path::Path;

/// A tensor of floats, by its shape.
struct Floats {
    shape: Vec<usize>,
    bytes: Vec<u8>,
}

impl View for &Floats {
    fn dtype(&self) -> Dtype {
        Dtype::F32
    }

    fn shape(&self) -> &[usize] {
        &self.shape
    }

    fn data(&self) -> Cow<'_, [u8]> {
        Cow::Borrowed(&self.bytes)
    }

    fn data_len(&self) -> usize {
        self.bytes.len()
    }
}

/// Tensors on their way to a file.
#[derive(Default)]
pub(crate) struct Tensors(Vec<(String, Floats)>);

impl Tensors {
    pub(crate) fn add(&mut self, name: impl Into<String>, shape: &[u64], values: &[f32]) {
        let bytes = values
            .iter()
            .flat_map(|value| value.to_le_bytes())
            .collect();
        let shape = shape.iter().map(|&n| n as usize).collect();
        self.0.push((name.into(), Floats { shape, bytes }));
    }

    /// Writes the file whole or not at all.
    pub(crate) fn write(&self, path: &Path, metadata: HashMap<String, String>) -> Result<()> {
        let file = morelet_mapped::AtomicFile::create(path)?;
        let views = self.0.iter().map(|(name, floats)| (name.as_str(), floats));
        // `transformers` refuses a file that does not say which library its layout is from. One that says more is read by
        // us alone: the order in which a file has several words is another each time.
        let metadata = match metadata.is_empty() {
            true => HashMap::from([("format".to_owned(), "pt".to_owned())]),
            false => metadata,
        };
        serialize_to_file(views, Some(metadata), file.temporary_path())
            .map_err(|error| Error::input(error.to_string()).at(path))?;
        Ok(file.commit()?)
    }
}

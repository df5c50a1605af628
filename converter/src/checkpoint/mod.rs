//! Checkpoints as people have them, read as data.
//!
//! A checkpoint is a directory (or, for a gate, one file):
//!
//! ```text
//! config.json                     hyper-parameters                    config/
//! labels.json                     labels, in the head's order         labels.rs
//! tokenizer.json                  or sentencepiece.bpe.model,         tokenizer/
//!                                 or vocab.json and merges.txt
//! preprocessor_config.json        CLIP's pictures                     config/preprocessor.rs
//! model.safetensors               or model.safetensors.index.json,    safetensors.rs, shards.rs
//!                                 or pytorch_model.bin,               torch/
//!                                 or pytorch_model.bin.index.json
//! ```
//!
//! Opening one lists its tensors with their shapes and places; their values are read one tensor at a time.
//! Every count and offset of a file is checked before it is used, and nothing in a file is ever executed.

pub(crate) mod config;
mod foreign;
pub(crate) mod json;
pub(crate) mod labels;
pub(crate) mod npy;
mod safetensors;
mod shards;
mod tensor;
pub(crate) mod tokenizer;
mod torch;

pub(crate) use tensor::{Dtype, SourceTensor};

use crate::{Error, Result};
use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use tensor::SourceFile;

/// What holds the weights in a directory, by the names that `transformers` gives, in its order.
const WEIGHTS: [&str; 4] = [
    "model.safetensors",
    "model.safetensors.index.json",
    "pytorch_model.bin",
    "pytorch_model.bin.index.json",
];

/// The tensors of a checkpoint, and where the rest of it is.
#[derive(Debug)]
pub(crate) struct Checkpoint {
    directory: PathBuf,
    weights: PathBuf,
    /// Sorted by name.
    tensors: Vec<SourceTensor>,
    /// Entries of a pickle that are no tensors.
    others: Vec<String>,
}

impl Checkpoint {
    /// Opens a directory, or a file of weights whose directory holds the rest.
    pub(crate) fn open(path: &Path) -> Result<Self> {
        let metadata = std::fs::metadata(path).map_err(|error| match error.kind() {
            std::io::ErrorKind::NotFound => {
                Error::input("no such checkpoint: expected a directory or a safetensors file")
                    .at(path)
            }
            _ => Error::io(path, error),
        })?;
        let (directory, weights) = if metadata.is_dir() {
            (path.to_owned(), find_weights(path)?)
        } else {
            (
                path.parent().unwrap_or(Path::new("")).to_owned(),
                path.to_owned(),
            )
        };
        let (mut tensors, others) = if weights
            .extension()
            .is_some_and(|extension| extension == "json")
        {
            let torch = weights.to_string_lossy().ends_with(".bin.index.json");
            shards::tensors(&weights, if torch { torch::tensors } else { safe_tensors })?
        } else {
            read_file(&SourceFile::open(&weights)?)?
        };
        if tensors.is_empty() {
            return Err(Error::input("it holds no tensor").at(&weights));
        }
        tensors.sort_by(|a, b| a.name.cmp(&b.name));
        Ok(Self {
            directory,
            weights,
            tensors,
            others,
        })
    }

    /// The file of weights, or the index of its shards.
    pub(crate) fn weights(&self) -> &Path {
        &self.weights
    }

    /// All tensors, sorted by name.
    pub(crate) fn tensors(&self) -> &[SourceTensor] {
        &self.tensors
    }

    /// The tensors by name.
    pub(crate) fn by_name(&self) -> HashMap<&str, &SourceTensor> {
        self.tensors
            .iter()
            .map(|tensor| (tensor.name.as_str(), tensor))
            .collect()
    }

    /// Entries beside the tensors that are none, by name.
    pub(crate) fn others(&self) -> &[String] {
        &self.others
    }

    /// A file of the checkpoint, whether it exists or not.
    pub(crate) fn file(&self, name: &str) -> PathBuf {
        self.directory.join(name)
    }

    /// A file of the checkpoint, where it exists.
    pub(crate) fn existing(&self, name: &str) -> Option<PathBuf> {
        Some(self.file(name)).filter(|path| path.exists())
    }
}

fn find_weights(directory: &Path) -> Result<PathBuf> {
    if let Some(name) = WEIGHTS.iter().find(|name| directory.join(name).exists()) {
        return Ok(directory.join(name));
    }
    // A gate alone in its directory may have any name.
    let mut names = Vec::new();
    for entry in std::fs::read_dir(directory).map_err(|error| Error::io(directory, error))? {
        let entry = entry.map_err(|error| Error::io(directory, error))?;
        names.push(entry.file_name().to_string_lossy().into_owned());
    }
    names.sort();
    let mut safetensors = names.iter().filter(|name| name.ends_with(".safetensors"));
    if let (Some(name), None) = (safetensors.next(), safetensors.next()) {
        return Ok(directory.join(name));
    }
    let other = names.iter().find_map(|name| match name.as_str() {
        "tf_model.h5" => Some("; tf_model.h5 is TensorFlow's: save the model from PyTorch"),
        "flax_model.msgpack" => Some("; flax_model.msgpack is Flax's: save the model from PyTorch"),
        name if name.ends_with(".gguf") => Some("; a GGUF file cannot be converted back"),
        name if name.ends_with(".onnx") => Some("; an ONNX file cannot be converted back"),
        _ => None,
    });
    let message = format!(
        "no weights: expected one of {}{}",
        WEIGHTS.join(", "),
        other.unwrap_or_default()
    );
    Err(Error::input(message).at(directory))
}

/// Reads a file of either family, whichever it is.
fn read_file(file: &Arc<SourceFile>) -> Result<(Vec<SourceTensor>, Vec<String>)> {
    let named_torch = file
        .path
        .extension()
        .is_some_and(|extension| extension != "safetensors");
    let head = file.head(9)?;
    let safe = head.get(8) == Some(&b'{');
    if named_torch && !safe {
        torch::tensors(file)
    } else {
        safe_tensors(file)
    }
}

fn safe_tensors(file: &Arc<SourceFile>) -> Result<(Vec<SourceTensor>, Vec<String>)> {
    Ok((safetensors::tensors(file)?, Vec::new()))
}

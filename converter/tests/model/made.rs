//! Checkpoints put together from the files of `tests/data`, and what becomes of them.

use clap::Parser as _;
use morelet_convert::{Cli, Console, Error, run};
use morelet_mapped::OpenOptions;
use morelet_models::weights::Weights;
use serde_json::Value;
use std::path::{Path, PathBuf};
use tempfile::TempDir;

pub(crate) fn data(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("tests/data")
        .join(name)
}

/// A checkpoint made of some files of one directory of the data, perhaps under other names.
pub(crate) struct Made(TempDir);

impl Made {
    pub(crate) fn of(from: &str, files: &[(&str, &str)]) -> Self {
        let made = Self(tempfile::tempdir().unwrap());
        for (source, target) in files {
            std::fs::copy(data(from).join(source), made.path().join(target)).unwrap();
        }
        made
    }

    /// An NER model whose weights are in one file of `ner/`.
    pub(crate) fn ner(weights: &str, name: &str) -> Self {
        Self::of(
            "ner",
            &[
                ("config.json", "config.json"),
                ("labels.json", "labels.json"),
                ("tokenizer.json", "tokenizer.json"),
                (weights, name),
            ],
        )
    }

    /// A whole directory of the data.
    pub(crate) fn all(from: &str) -> Self {
        let names: Vec<String> = std::fs::read_dir(data(from))
            .unwrap()
            .map(|entry| entry.unwrap().file_name().into_string().unwrap())
            .collect();
        let files: Vec<_> = names
            .iter()
            .map(|name| (name.as_str(), name.as_str()))
            .collect();
        Self::of(from, &files)
    }

    pub(crate) fn path(&self) -> &Path {
        self.0.path()
    }

    pub(crate) fn write(self, name: &str, text: &str) -> Self {
        std::fs::write(self.path().join(name), text).unwrap();
        self
    }

    pub(crate) fn remove(self, name: &str) -> Self {
        std::fs::remove_file(self.path().join(name)).unwrap();
        self
    }

    /// Changes keys of config.json; `null` removes one.
    pub(crate) fn config(self, changes: Value) -> Self {
        let path = self.path().join("config.json");
        let mut config: Value = serde_json::from_slice(&std::fs::read(&path).unwrap()).unwrap();
        for (key, value) in changes.as_object().unwrap() {
            if value.is_null() {
                config.as_object_mut().unwrap().remove(key);
            } else {
                config[key] = value.clone();
            }
        }
        self.write("config.json", &config.to_string())
    }

    pub(crate) fn convert(&self, options: &[&str]) -> Result<Weights, Error> {
        convert(self.path(), options)
    }

    pub(crate) fn refusal(&self, options: &[&str]) -> Error {
        self.convert(options).unwrap_err()
    }
}

pub(crate) fn convert(checkpoint: &Path, options: &[&str]) -> Result<Weights, Error> {
    let output = tempfile::tempdir().unwrap();
    let output = output.path().join("out.weights");
    let (checkpoint, path) = (checkpoint.to_str().unwrap(), output.to_str().unwrap());
    let arguments = ["morelet-convert", "model", checkpoint, "-o", path];
    let cli = Cli::try_parse_from(arguments.iter().chain(options)).unwrap();
    let result = run(&cli.command, &Console::quiet());
    if result.is_err() {
        let left = std::fs::read_dir(output.parent().unwrap()).unwrap().count();
        assert_eq!(left, 0, "a failed conversion leaves nothing behind");
    }
    result.map(|()| {
        let options = OpenOptions {
            load: morelet_mapped::Load::Copy,
            ..OpenOptions::default()
        };
        Weights::open(&output, options).unwrap()
    })
}

/// Numbers of one tensor as the safetensors crate reads them.
fn reference(file: &Path, tensor: &str) -> (Vec<u64>, Vec<f32>) {
    let bytes = std::fs::read(file).unwrap();
    let file = safetensors::SafeTensors::deserialize(&bytes).unwrap();
    let tensor = file.tensor(tensor).unwrap();
    let values = tensor
        .data()
        .as_chunks()
        .0
        .iter()
        .map(|bytes| f32::from_le_bytes(*bytes));
    (
        tensor.shape().iter().map(|side| *side as u64).collect(),
        values.collect(),
    )
}

pub(crate) fn assert_same(weights: &Weights, name: &str, file: &Path, source: &str) {
    let (shape, values) = reference(file, source);
    let info = weights.tensors().iter().find(|tensor| tensor.name == name);
    assert_eq!(
        info.unwrap_or_else(|| panic!("{name}")).shape,
        shape,
        "{name}"
    );
    assert_eq!(weights.f32s(name).unwrap(), values, "{name}");
}

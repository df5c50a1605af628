//! `bundle.json`: what a bundle holds, for people and tools.
//!
//! ```json
//! {
//!   "format_version": 1,
//!   "producer": "morelet-convert 0.1.0",
//!   "task": "ner",
//!   "labels": ["O", "B-PER", "I-PER"],
//!   "experts": [
//!     {"name": "text", "model": "expert-text.weights", "context": "text"},
//!     {"name": "image", "model": "expert-image.weights", "context": "image"}
//!   ],
//!   "fusion": {"kind": "gate", "weights": "gate.weights"},
//!   "decode": "marginals",
//!   "seed": 0,
//!   "clip": "clip.weights",
//!   "text_index": "text.index",
//!   "image_index": "image.index",
//!   "parts": [
//!     {"file": "expert-text.weights", "kind": "ner", "length": 2239148032,
//!      "root": "5d0c…", "licence": "MIT"}
//!   ]
//! }
//! ```
//!
//! `text_index` is a list where there are several, which are searched as one: `["text.index", "text-2.index"]`.
//!
//! Every file that something names is in `parts`, and every file of the directory too: what is not listed makes
//! [`Bundle::verify`](crate::Bundle::verify) fail. Keys that this version does not know are kept when a manifest
//! is read and written again.

mod kinds;
mod one_or_many;

pub use kinds::{ContextKind, Decode, FusionKind, PartKind, Task};

use crate::{Error, Result};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use std::collections::HashSet;
use std::path::{Component, Path, PathBuf};

/// The version of `bundle.json` that this library writes, and the newest that it reads.
pub const MANIFEST_FORMAT: u32 = 1;

/// The name of the manifest in a bundle.
pub const MANIFEST_FILE: &str = "bundle.json";

/// The longest manifest that is read, in bytes. Ours have a few kilobytes.
const MANIFEST_LIMIT: u64 = 16 << 20;

/// One expert of a bundle.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ExpertEntry {
    /// The name under which results speak of it.
    pub name: String,
    /// Its `.weights` file.
    pub model: String,
    /// Where its context comes from.
    pub context: ContextKind,
    /// Keys that this version does not know.
    #[serde(flatten)]
    pub extra: Map<String, Value>,
}

/// How the answers of the experts become one, and by what weights.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Fusion {
    /// The rule.
    pub kind: FusionKind,
    /// The `.weights` file of the gate, where there is one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub weights: Option<String>,
    /// Keys that this version does not know.
    #[serde(flatten)]
    pub extra: Map<String, Value>,
}

/// One file of a bundle.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Part {
    /// Its path, relative to the bundle; it never leaves the directory.
    pub file: String,
    /// What it is.
    pub kind: PartKind,
    /// Its length, in bytes.
    pub length: u64,
    /// BLAKE3 over its header and section table, which holds the hash of each section: 64 hexadecimal digits.
    pub root: String,
    /// SPDX expression, where it was told.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub licence: Option<String>,
    /// Whom to thank, where it was told.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub attribution: Option<String>,
    /// The hyper-parameters of weights, repeated for the reader.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub architecture: Option<Value>,
    /// Keys that this version does not know.
    #[serde(flatten)]
    pub extra: Map<String, Value>,
}

/// The manifest of a bundle.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Manifest {
    /// Version of the manifest: [`MANIFEST_FORMAT`].
    pub format_version: u32,
    /// The program that wrote the bundle, with its version.
    pub producer: String,
    /// What the bundle answers.
    pub task: Task,
    /// The labels of the experts, repeated for the reader.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub labels: Vec<String>,
    /// One or two experts.
    pub experts: Vec<ExpertEntry>,
    /// How their answers become one.
    pub fusion: Fusion,
    /// How labels are chosen.
    #[serde(default)]
    pub decode: Decode,
    /// Seeds the contexts `random-text` and `random-image`, together with a query's id.
    #[serde(default)]
    pub seed: u64,
    /// The `.weights` file of CLIP, where there is one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub clip: Option<String>,
    /// The text indexes, searched as one; most bundles have one or none. One is written as a string, several as a list.
    #[serde(default, skip_serializing_if = "Vec::is_empty", with = "one_or_many")]
    pub text_index: Vec<String>,
    /// The image index, where there is one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub image_index: Option<String>,
    /// Every file of the bundle but this one.
    pub parts: Vec<Part>,
    /// Keys that this version does not know.
    #[serde(flatten)]
    pub extra: Map<String, Value>,
}

impl Manifest {
    /// Reads and checks the manifest of the bundle in `directory`.
    ///
    /// # Errors
    /// `Io` where it cannot be read; `Bundle` where it is no manifest, is of a later format, or contradicts itself.
    pub fn read(directory: impl AsRef<Path>) -> Result<Self> {
        let directory = directory.as_ref();
        let path = directory.join(MANIFEST_FILE);
        let metadata = match std::fs::metadata(&path) {
            Ok(metadata) => metadata,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound && directory.is_dir() => {
                return Err(Error::bundle(format!(
                    "is no bundle: it has no {MANIFEST_FILE}; `morelet-convert bundle` makes one"
                ))
                .at(directory));
            }
            Err(_) if directory.is_file() => {
                return Err(
                    Error::bundle("is a file; a bundle is a directory, NAME.morelet/")
                        .at(directory),
                );
            }
            Err(error) => return Err(Error::io(&path, error)),
        };
        if !metadata.is_file() || metadata.len() > MANIFEST_LIMIT {
            return Err(Error::bundle(format!(
                "expected a file of at most {MANIFEST_LIMIT} bytes, got {}",
                if metadata.is_file() {
                    format!("{} bytes", metadata.len())
                } else {
                    "something else".into()
                }
            ))
            .at(&path));
        }
        let bytes = std::fs::read(&path).map_err(|error| Error::io(&path, error))?;
        Self::parse(&bytes).map_err(|error| error.at(&path))
    }

    /// Reads and checks the text of a manifest.
    ///
    /// # Errors
    /// As [`read`](Self::read).
    pub fn parse(bytes: &[u8]) -> Result<Self> {
        // The version first: a later format may differ in anything else.
        #[derive(Deserialize)]
        struct Version {
            format_version: u32,
        }
        if let Ok(Version {
            format_version: format,
        }) = serde_json::from_slice(bytes)
            && format != MANIFEST_FORMAT
        {
            return Err(Error::bundle(format!(
                "`format_version` is {format}; expected {MANIFEST_FORMAT}: {}",
                if format > MANIFEST_FORMAT {
                    "a later version of morelet wrote this bundle; update morelet"
                } else {
                    "no version of morelet ever wrote that"
                }
            )));
        }
        let manifest: Self = serde_json::from_slice(bytes)
            .map_err(|error| Error::bundle(format!("not a manifest: {error}")))?;
        manifest.check()?;
        Ok(manifest)
    }

    /// Checks what can be checked without the parts.
    ///
    /// # Errors
    /// `Bundle`, with the first contradiction.
    pub fn check(&self) -> Result<()> {
        let mut files = HashSet::new();
        for part in &self.parts {
            part.path()?;
            if part.file == MANIFEST_FILE || !files.insert(part.file.as_str()) {
                return Err(Error::bundle(format!("`parts` lists {} twice", part.file)));
            }
        }
        self.check_experts()?;
        for (i, file) in self.text_index.iter().enumerate() {
            if self.text_index[..i].contains(file) {
                return Err(Error::bundle(format!("`text_index` lists {file} twice")));
            }
        }
        for (role, file, kinds) in self.roles() {
            let Some(part) = self.part(file) else {
                return Err(Error::bundle(format!(
                    "{role} is {file}, which `parts` does not list"
                )));
            };
            if !kinds.contains(&part.kind) {
                let expected = kinds.iter().map(|kind| kind.as_str()).collect::<Vec<_>>();
                return Err(Error::bundle(format!(
                    "{role} is {file}, of kind `{}`; expected `{}`",
                    part.kind,
                    expected.join("` or `")
                )));
            }
        }
        Ok(())
    }

    fn check_experts(&self) -> Result<()> {
        let names: Vec<&str> = self
            .experts
            .iter()
            .map(|expert| expert.name.as_str())
            .collect();
        if names.iter().any(|name| name.is_empty()) || (names.len() == 2 && names[0] == names[1]) {
            return Err(Error::bundle("each expert needs a name of its own"));
        }
        let experts = match names.len() {
            n @ (1 | 2) => n,
            n => {
                return Err(Error::bundle(format!(
                    "`experts` has {n} entries; expected 1 or 2"
                )));
            }
        };
        match (self.fusion.kind, experts, &self.fusion.weights) {
            (FusionKind::Single, 1, None) | (FusionKind::Average, 2, None) => {}
            (FusionKind::Gate, 2, Some(_)) if self.clip.is_some() => {}
            (FusionKind::Gate, 2, Some(_)) => {
                return Err(Error::bundle(
                    "`fusion` is `gate`, which reads the features of CLIP, but the bundle has no `clip`",
                ));
            }
            (FusionKind::Gate, _, None) => {
                return Err(Error::bundle("`fusion` is `gate` without its `weights`"));
            }
            (FusionKind::Single | FusionKind::Average, _, Some(_)) => {
                return Err(Error::bundle(
                    "`fusion` has `weights`, which only `gate` reads",
                ));
            }
            (kind, n, _) => {
                let (kind, needs) = match kind {
                    FusionKind::Single => ("single", "one expert"),
                    FusionKind::Average => ("average", "two experts"),
                    FusionKind::Gate => ("gate", "two experts"),
                };
                return Err(Error::bundle(format!(
                    "`fusion` is `{kind}`, which takes {needs}; got {n}"
                )));
            }
        }
        if self.decode == Decode::Viterbi && (experts != 1 || self.task != Task::Ner) {
            return Err(Error::bundle(
                "`decode` is `viterbi`, which takes one NER expert; use `marginals`",
            ));
        }
        Ok(())
    }

    /// Each file that the manifest gives a part to play, with what it must be.
    fn roles(&self) -> Vec<(String, &str, &'static [PartKind])> {
        let expert: &[PartKind] = match self.task {
            Task::Ner => &[PartKind::Ner],
            Task::Re => &[PartKind::Re],
        };
        let mut roles: Vec<(String, &str, &'static [PartKind])> = Vec::new();
        for entry in &self.experts {
            roles.push((format!("the expert `{}`", entry.name), &entry.model, expert));
        }
        let others: [(&str, &[String], &'static [PartKind]); 4] = [
            (
                "the gate",
                self.fusion.weights.as_slice(),
                &[PartKind::Gate],
            ),
            ("`clip`", self.clip.as_slice(), &[PartKind::Clip]),
            ("`text_index`", &self.text_index, &[PartKind::TextIndex]),
            (
                "`image_index`",
                self.image_index.as_slice(),
                &[PartKind::ImageIndex],
            ),
        ];
        for (role, files, kinds) in others {
            for file in files {
                roles.push((role.to_owned(), file, kinds));
            }
        }
        roles
    }

    /// The entry of a file in `parts`.
    pub fn part(&self, file: &str) -> Option<&Part> {
        self.parts.iter().find(|part| part.file == file)
    }

    /// The manifest as the text of a `bundle.json`.
    pub fn to_json(&self) -> String {
        // A struct of strings, numbers and JSON values has no way to fail.
        let mut text = serde_json::to_string_pretty(self).unwrap_or_default();
        text.push('\n');
        text
    }
}

impl Part {
    /// The part's path below the bundle.
    ///
    /// # Errors
    /// `Bundle` where the path is absolute, empty, or leaves the directory.
    pub fn path(&self) -> Result<PathBuf> {
        let path = Path::new(&self.file);
        let stays = path
            .components()
            .all(|part| matches!(part, Component::Normal(_)));
        // Paths are written with `/` on every system; a backslash leaves the directory on one of them.
        if self.file.is_empty() || !stays || self.file.contains(['\\', '\0', ':']) {
            return Err(Error::bundle(format!(
                "`parts` names the file {:?}; expected a path that stays inside the bundle",
                self.file
            )));
        }
        Ok(path.to_owned())
    }
}

#[cfg(test)]
mod tests;

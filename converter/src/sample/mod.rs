//! Everything that the sample is made from: texts and scenes from `sample/` in this crate, and models
//! whose weights are drawn at random.
//!
//! The Lantern Isles and everything on them are made up, so that whoever runs the sample may do with
//! its files what they like. Nothing here is a shortcut: what is written are files as people have them
//! (a MediaWiki dump, pictures, checkpoints as `transformers` and AdaSeq save them), and the command
//! `sample` sends them through the same commands as anybody's.

mod checkpoints;
mod scenes;
mod vocabulary;

use crate::{Error, Result};
use std::path::Path;

/// The dump of an encyclopedia, forty-six articles long.
const ENCYCLOPEDIA: &str = include_str!("../../sample/encyclopedia.xml");
/// What to draw for its pictures.
const SCENES: &str = include_str!("../../sample/pictures.txt");
/// Sentences to try.
const QUERIES: &str = include_str!("../../sample/queries.jsonl");

/// Writes what the commands start from:
///
/// ```text
/// wiki/encyclopedia.xml, wiki/*.png
/// checkpoints/{expert-text,expert-image,clip}/, checkpoints/gate.safetensors
/// queries.jsonl
/// ```
pub fn write(directory: &Path) -> Result<()> {
    let wiki = directory.join("wiki");
    write_file(&wiki.join("encyclopedia.xml"), ENCYCLOPEDIA)?;
    for scene in scenes::read(SCENES)? {
        scene.draw(&wiki)?;
    }
    checkpoints::write(&directory.join("checkpoints"), ENCYCLOPEDIA)?;
    write_file(&directory.join("queries.jsonl"), QUERIES)
}

/// Writes a file, in a directory that is made if it is not there.
fn write_file(path: &Path, content: impl AsRef<[u8]>) -> Result<()> {
    if let Some(parent) = path.parent() {
        std::fs::create_dir_all(parent).map_err(|error| Error::io(parent, error))?;
    }
    std::fs::write(path, content).map_err(|error| Error::io(path, error))
}

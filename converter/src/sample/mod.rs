//! Everything that the sample is made from: a world that a program makes up, and weights that were trained on it.
//!
//! Nobody owns the world, so whoever runs the sample may do with its files what they like. Nothing here is a shortcut:
//! what is written are files as people have them (a MediaWiki dump, pictures, checkpoints as `transformers` and AdaSeq save
//! them), and the command `sample` sends them through the same commands as anybody's.
//!
//! The weights lie in `models/sample/`, where it is written how they are made again.

use crate::Result;
use crate::world::{Size, World, write_file};
use std::path::Path;

/// The world that the weights have learned from. Its test posts they have not seen, nor the things in them.
pub const WORLD: u64 = 7;

/// Posts of each task that are written and scored.
const POSTS: usize = 200;

macro_rules! files {
    ($($name:literal),* $(,)?) => {
        [$(($name, include_bytes!(concat!("../../../models/sample/", $name)) as &[u8])),*]
    };
}

/// The checkpoints, file by file.
const CHECKPOINTS: [(&str, &[u8]); 22] = files![
    "clip/config.json",
    "clip/model.safetensors",
    "clip/preprocessor_config.json",
    "clip/tokenizer.json",
    "ner-text/config.json",
    "ner-text/labels.json",
    "ner-text/model.safetensors",
    "ner-text/tokenizer.json",
    "ner-image/config.json",
    "ner-image/labels.json",
    "ner-image/model.safetensors",
    "ner-image/tokenizer.json",
    "ner-gate.safetensors",
    "re-text/config.json",
    "re-text/labels.json",
    "re-text/model.safetensors",
    "re-text/tokenizer.json",
    "re-image/config.json",
    "re-image/labels.json",
    "re-image/model.safetensors",
    "re-image/tokenizer.json",
    "re-gate.safetensors",
];

/// Writes what the commands start from:
///
/// ```text
/// wiki/encyclopedia.xml, wiki/*.png
/// ner/test.jsonl, re/test.jsonl, pictures/*.png
/// checkpoints/{clip,ner-text,ner-image,re-text,re-image}/, checkpoints/{ner,re}-gate.safetensors
/// ```
pub fn write(directory: &Path) -> Result<()> {
    World::new(WORLD, &Size::default()).write_sample(POSTS, directory)?;
    for (name, bytes) in CHECKPOINTS {
        write_file(&directory.join("checkpoints").join(name), bytes)?;
    }
    Ok(())
}

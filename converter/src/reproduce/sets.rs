//! What is learned from: a task with its sentences and with what is looked up for them.

use super::jobs::{Job, Jobs};
use crate::Result;
use morelet_models::weights::ModelKind;
use std::path::{Path, PathBuf};

/// A set of sentences of one task.
pub(crate) struct Set {
    pub(crate) name: String,
    /// As people write it.
    pub(crate) title: String,
    pub(crate) kind: ModelKind,
    pub(crate) train: PathBuf,
    pub(crate) dev: PathBuf,
    pub(crate) test: PathBuf,
    /// What gates learn from; absent where there are no pictures.
    pub(crate) gate: Option<PathBuf>,
    pub(crate) tokenizer: PathBuf,
    /// Absent where every line brings its contexts.
    pub(crate) text_index: Option<PathBuf>,
    /// The image index and the CLIP that made it; absent where there are no pictures.
    pub(crate) pictures: Option<(PathBuf, PathBuf)>,
    /// Options of `train task`.
    pub(crate) training: &'static str,
}

impl Set {
    /// `ner` or `re`.
    pub(crate) fn task(&self) -> &'static str {
        match self.kind {
            ModelKind::Re => "re",
            _ => "ner",
        }
    }
}

/// Options of `train task` on the world: found by trying, on another world than those that are reported.
pub(crate) const WORLD_TRAINING: &str = "--init random --hidden 64 --layers 2 --heads 4 --max-length 64 --epochs 8 \
     --batch 32 --rate 2e-3 --dropout 0.1 --word-dropout 0.1";

/// Options of `train clip` on the world.
pub(crate) const WORLD_CLIP: &str = "--init random --hidden 64 --layers 2 --heads 4 --projection 32 --image-size 64 \
     --patch-size 16 --epochs 28 --batch 256 --rate 3e-3 --weight-decay 0.05 --views 0.4";

/// Makes a world and everything that is looked up in it.
pub(crate) fn world_sets(jobs: &Jobs<'_>, folder: &Path, seed: u64) -> Result<Vec<Set>> {
    let at = |path: &str| folder.join(path);
    let arg = |path: &str| folder.join(path).into_os_string();
    let text = |words: &[&str]| {
        words
            .iter()
            .map(Into::into)
            .collect::<Vec<std::ffi::OsString>>()
    };
    jobs.run(vec![
        Job::new(
            at("world"),
            text(&["world", "--seed", &seed.to_string(), "-o"]),
        )
        .with([arg("world")]),
    ])?;
    jobs.run(vec![
        // Pictures are looked for beside the list of them.
        Job::new(at("world/wiki/images.jsonl"), text(&["corpus"])).with([
            arg("world/wiki/encyclopedia.xml"),
            "-o".into(),
            arg("world/wiki"),
        ]),
        Job::new(at("clip"), text(&["train", "clip", "-o"]))
            .with([arg("clip"), "--train".into(), arg("world/clip/train.jsonl")])
            .with([
                "--dev".into(),
                arg("world/clip/dev.jsonl"),
                "--tokenizer".into(),
                arg("world/clip/tokenizer.json"),
            ])
            .with(WORLD_CLIP.split_whitespace())
            .with(["--seed", "1", "--device", "cpu", "--threads", "1"]),
    ])?;
    jobs.run(vec![
        Job::new(at("clip.weights"), text(&["model"])).with([
            arg("clip"),
            "-o".into(),
            arg("clip.weights"),
        ]),
        Job::new(at("text.index"), text(&["text-index"])).with([
            arg("world/wiki/corpus.jsonl"),
            "-o".into(),
            arg("text.index"),
        ]),
    ])?;
    jobs.run(vec![
        Job::new(at("image.index"), text(&["image-index"])).with([
            arg("world/wiki/images.jsonl"),
            "-o".into(),
            arg("image.index"),
            "--clip".into(),
            arg("clip.weights"),
        ]),
    ])?;
    let set = |kind: ModelKind, name: &str, title: &str| Set {
        name: format!("world-{name}"),
        title: title.to_owned(),
        kind,
        train: at(&format!("world/{name}/train.jsonl")),
        dev: at(&format!("world/{name}/dev.jsonl")),
        test: at(&format!("world/{name}/test.jsonl")),
        gate: Some(at(&format!("world/{name}/gate.jsonl"))),
        tokenizer: at("world/tokenizer.json"),
        text_index: Some(at("text.index")),
        pictures: Some((at("image.index"), at("clip.weights"))),
        training: WORLD_TRAINING,
    };
    Ok(vec![
        set(ModelKind::Ner, "ner", "entities"),
        set(ModelKind::Re, "re", "relations"),
    ])
}

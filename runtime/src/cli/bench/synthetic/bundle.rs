//! The parts put together: a bundle with both experts, or the weights of one.

use super::corpus::{Author, image_index, text_index};
use super::models::Model;
use super::{Plan, picture, tokenizers};
use crate::cli::Console;
use crate::cli::table::bytes;
use crate::{
    Bundle, ContextKind, Decode, Error, ExpertEntry, Fusion, FusionKind, MANIFEST_FILE,
    MANIFEST_FORMAT, Manifest, Part, Query, Result, Task,
};
use morelet_models::weights::Precision;
use std::path::{Path, PathBuf};
use tempfile::TempDir;

/// How many queries are made.
const QUERIES: u64 = 8;

/// What was made, in a folder that is removed with it unless it was to be kept.
pub(in crate::cli::bench) struct Made {
    folder: PathBuf,
    _temporary: Option<TempDir>,
}

impl Made {
    /// A folder to make things in: `keep`, which must be empty or new, or a temporary one.
    pub fn folder(keep: Option<&Path>) -> Result<Self> {
        match keep {
            Some(folder) => {
                std::fs::create_dir_all(folder).map_err(|error| Error::io(folder, error))?;
                let mut entries =
                    std::fs::read_dir(folder).map_err(|error| Error::io(folder, error))?;
                if entries.next().is_some() {
                    return Err(Error::input("expected an empty folder").at(folder));
                }
                Ok(Self {
                    folder: folder.to_owned(),
                    _temporary: None,
                })
            }
            None => {
                let parent = std::env::temp_dir();
                let made = TempDir::with_prefix("morelet-bench-");
                let temporary = made.map_err(|error| Error::io(parent, error))?;
                Ok(Self {
                    folder: temporary.path().to_owned(),
                    _temporary: Some(temporary),
                })
            }
        }
    }

    /// The weights of one expert.
    pub fn expert(&self, plan: &Plan, console: &Console) -> Result<()> {
        let model = Model::expert(plan.size, plan.precision, plan.seed, "text");
        say_size(&[&model], plan, &self.folder, console);
        let tokenizer = tokenizers::unigram(plan.seed)?;
        model.write(
            &self.weights(),
            plan.precision,
            plan.target,
            Some(&tokenizer.tokenizer),
            console,
        )?;
        Ok(())
    }

    /// A bundle with two experts, CLIP, a gate, both indices, and queries with pictures.
    pub fn bundle(&self, plan: &Plan, console: &Console) -> Result<()> {
        let Plan {
            size,
            precision,
            target,
            seed,
            ..
        } = *plan;
        let experts = ["text", "image"].map(|name| Model::expert(size, precision, seed, name));
        let clip = Model::clip(size, precision, seed);
        let gate = Model::gate(size, seed);
        say_size(
            &[&experts[0], &experts[1], &clip],
            plan,
            &self.folder,
            console,
        );
        let folder = self.bundle_folder();
        std::fs::create_dir(&folder).map_err(|error| Error::io(&folder, error))?;
        let unigram = tokenizers::unigram(seed)?;
        for (name, model) in ["text", "image"].iter().zip(&experts) {
            let path = folder.join(format!("expert-{name}.weights"));
            model.write(&path, precision, target, Some(&unigram.tokenizer), console)?;
        }
        let bpe = tokenizers::bpe(seed)?;
        clip.write(
            &folder.join("clip.weights"),
            precision,
            target,
            Some(&bpe),
            console,
        )?;
        gate.write(
            &folder.join("gate.weights"),
            Precision::F32,
            target,
            None,
            console,
        )?;
        text_index(&folder.join("text.index"), plan, &unigram.words, console)?;
        let path = folder.join("image.index");
        image_index(&path, plan, &unigram.words, &clip, console)?;
        manifest(&folder, experts[0].labels().to_vec())?;
        Bundle::open(&folder)?;
        let mut author = Author::new(&unigram.words, seed ^ 0x7175_6572);
        let mut lines = String::new();
        for number in 0..QUERIES {
            let name = format!("{number}.jpg");
            picture::write(&self.folder.join(&name), seed ^ number)?;
            let sentence = author.sentence();
            let query = serde_json::json!({"id": number, "text": sentence, "image": name});
            lines.push_str(&format!("{query}\n"));
        }
        morelet_mapped::write_file_atomically(self.queries_file(), lines.as_bytes())?;
        Ok(())
    }

    /// Where it is.
    pub fn path(&self) -> &Path {
        &self.folder
    }

    fn weights(&self) -> PathBuf {
        self.folder.join("expert.weights")
    }

    /// The `.weights` file of [`expert`](Self::expert).
    pub fn expert_file(&self) -> PathBuf {
        self.weights()
    }

    /// The bundle of [`bundle`](Self::bundle).
    pub fn bundle_folder(&self) -> PathBuf {
        self.folder.join("synthetic.morelet")
    }

    /// Queries for the bundle, as JSON lines.
    pub fn queries_file(&self) -> PathBuf {
        self.folder.join("queries.jsonl")
    }

    /// The same, read.
    pub fn queries(&self) -> Result<Vec<Query>> {
        crate::Queries::open(self.queries_file(), None, None)?.collect()
    }
}

fn say_size(models: &[&Model], plan: &Plan, folder: &Path, console: &Console) {
    let sum: u64 = models.iter().map(|model| model.bytes(plan.precision)).sum();
    console.say(format_args!(
        "making {} with random weights: {} in {}",
        plan.size.name(),
        bytes(sum),
        folder.display()
    ));
}

fn manifest(target: &Path, labels: Vec<String>) -> Result<()> {
    let part = |file: &str| Part::describe(target.join(file), file);
    let expert = |name: &str, context| ExpertEntry {
        name: name.to_owned(),
        model: format!("expert-{name}.weights"),
        context,
        extra: serde_json::Map::new(),
    };
    let manifest = Manifest {
        format_version: MANIFEST_FORMAT,
        producer: concat!("morelet bench ", env!("CARGO_PKG_VERSION")).to_owned(),
        task: Task::Ner,
        labels,
        experts: vec![
            expert("text", ContextKind::Text),
            expert("image", ContextKind::Image),
        ],
        fusion: Fusion {
            kind: FusionKind::Gate,
            weights: Some("gate.weights".to_owned()),
            extra: serde_json::Map::new(),
        },
        decode: Decode::Marginals,
        seed: 0,
        clip: Some("clip.weights".to_owned()),
        text_index: vec!["text.index".to_owned()],
        image_index: Some("image.index".to_owned()),
        parts: [
            "expert-text.weights",
            "expert-image.weights",
            "gate.weights",
            "clip.weights",
            "text.index",
            "image.index",
        ]
        .into_iter()
        .map(part)
        .collect::<Result<_>>()?,
        extra: serde_json::Map::new(),
    };
    morelet_mapped::write_file_atomically(
        target.join(MANIFEST_FILE),
        manifest.to_json().as_bytes(),
    )?;
    Ok(())
}

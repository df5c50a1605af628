//! How far a build has come, written down so that it can go on after the process is killed.
//!
//! A checkpoint is a container with three sections, replaced as a whole. The files that it speaks of only grow, so what
//! lies in them behind the lengths that it gives was written after it, and is cut off when a build goes on.

use std::path::Path;

use morelet_mapped::{Container, Kind, Load, OpenOptions, Writer, decode, encode};

use super::TextOptions;
use super::folder::Folder;
use super::runs::RunPlace;
use super::values::Left;
use crate::error::{Error, Result};

/// The name of the file.
pub(super) const FILE: &str = "checkpoint";
/// Its sections: what is built, how far it has come, and what of the values was not put by.
const PLAN: &str = "plan";
const STATE: &str = "state";
const LEFT: &str = "values";
const REVISION: u32 = 1;

/// How far a build has come.
#[derive(Clone, Debug, Default, PartialEq, bincode::Encode, bincode::Decode)]
pub(super) struct State {
    /// The caller's note of where in the corpus this is.
    pub mark: Vec<u8>,
    pub articles: u64,
    pub sentences: u32,
    /// Sentences that have a term.
    pub with_terms: u32,
    pub paragraphs: u32,
    /// Terms of all sentences, repetitions counted.
    pub tokens: u64,
    pub runs: Vec<RunPlace>,
    /// Bytes of the file of the paragraphs' numbers of sentences.
    pub counts: u64,
}

impl State {
    /// Bytes of the runs' file.
    pub fn run_bytes(&self) -> u64 {
        self.runs.last().map_or(0, |run| run.start + run.len)
    }
}

/// A checkpoint that was found.
pub(super) struct Checkpoint {
    pub state: State,
    /// What of the values was not put by.
    pub left: Left,
}

/// What must be the same for a build to go on.
#[derive(Clone, Debug, PartialEq, bincode::Encode, bincode::Decode)]
pub(super) struct Plan {
    /// The caller's words for what the articles are.
    pub source: String,
    pub analyzer: String,
    pub k1: f32,
    pub b: f32,
    pub values: bool,
}

impl Plan {
    /// That of `options`.
    pub fn new(source: &str, options: &TextOptions) -> Plan {
        Plan {
            source: source.to_owned(),
            analyzer: options.analyzer.to_string(),
            k1: options.k1,
            b: options.b,
            values: options.values,
        }
    }

    /// What is different in `other`, in words; nothing where they are equal.
    pub fn differences(&self, other: &Plan) -> Vec<String> {
        let shown = |plan: &Plan| {
            [
                ("source", plan.source.clone()),
                ("analyzer", plan.analyzer.clone()),
                ("k1", plan.k1.to_string()),
                ("b", plan.b.to_string()),
                ("values", plan.values.to_string()),
            ]
        };
        shown(self)
            .into_iter()
            .zip(shown(other))
            .filter(|((_, a), (_, b))| a != b)
            .map(|((name, a), (_, b))| format!("{name} ({a} there, {b} here)"))
            .collect()
    }
}

impl Checkpoint {
    /// Writes one into `folder`, in place of the one before. `left` is [`Left`], encoded.
    pub fn save(folder: &Path, plan: &Plan, state: &State, left: &[u8]) -> Result<()> {
        let mut writer = Writer::create(folder.join(FILE), Kind::TextIndex)?;
        for (name, bytes) in [
            (PLAN, &encode(plan)?[..]),
            (STATE, &encode(state)?),
            (LEFT, left),
        ] {
            let mut section = writer.section(name, REVISION, false)?;
            section.put(bytes)?;
            section.finish()?;
        }
        writer.finish()?;
        Ok(())
    }

    /// The one in `folder`, if there is one. It is an error if that is of another plan or cannot be read, and the
    /// folder is kept then.
    pub fn find(folder: &mut Folder, plan: &Plan) -> Result<Option<Checkpoint>> {
        let path = folder.path().join(FILE);
        let there = path
            .try_exists()
            .map_err(|error| Error::io("cannot be examined", &path, error))?;
        if !there {
            return Ok(None);
        }
        folder.keep(true);
        let found = Checkpoint::read(&path, plan).map_err(|error| {
            Error::unfinished(format_args!(
                "{error}; what was begun cannot be gone on with"
            ))
        })?;
        Ok(Some(found))
    }

    fn read(path: &Path, plan: &Plan) -> Result<Checkpoint> {
        let options = OpenOptions {
            load: Load::Copy,
            ..OpenOptions::default()
        };
        let container = Container::open(path, Kind::TextIndex, options)?;
        let section = |name| container.section(name, REVISION..=REVISION);
        let found: Plan = decode(&section(PLAN)?)?;
        let differences = found.differences(plan);
        if !differences.is_empty() {
            return Err(Error::input(format_args!(
                "{}: was begun with another {}",
                path.parent().unwrap_or(path).display(),
                differences.join("; another ")
            )));
        }
        Ok(Checkpoint {
            state: decode(&section(STATE)?)?,
            left: decode(&section(LEFT)?)?,
        })
    }
}

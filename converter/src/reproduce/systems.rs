//! The systems of the tables: which experts, and how two become one.

use super::jobs::{Job, Jobs};
use super::sets::Set;
use crate::{Console, Error, Result};
use morelet::{
    Bundle, Detail, DeviceRequest, Evaluation, Queries, Query, RunOptions, SessionOptions,
};
use morelet_mapped::write_file_atomically;
use serde_json::Value;
use std::collections::BTreeMap;
use std::ffi::OsString;
use std::path::{Path, PathBuf};

/// A system: one expert, or two and how they are fused.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum System {
    /// An expert with this context.
    Single(&'static str),
    /// Two experts with these contexts by average.
    Average(&'static str, &'static str),
    /// Two by a gate.
    Gate(&'static str, &'static str),
    /// Text and image by a gate that learned with an option of `train gate`.
    Learned(&'static str),
}

impl System {
    /// The name of its files.
    pub(crate) fn name(&self) -> String {
        match self {
            Self::Single(context) => (*context).to_owned(),
            Self::Average(first, second) => format!("average-{first}-{second}"),
            Self::Gate(first, second) => format!("gate-{first}-{second}"),
            Self::Learned(option) => format!("gate-text-image-{option}"),
        }
    }

    /// The contexts of its two experts, where it has a gate over them, and the options that it learns with.
    fn gate(&self) -> Option<([&'static str; 2], Option<String>)> {
        match self {
            Self::Gate(first, second) => Some(([first, second], None)),
            Self::Learned(option) => Some((["text", "image"], Some(format!("--{option}")))),
            Self::Single(_) | Self::Average(..) => None,
        }
    }

    /// What is in the tables of a set with pictures, and of one without.
    pub(crate) fn all(pictures: bool) -> Vec<Self> {
        let mut all = vec![Self::Single("none"), Self::Single("text")];
        if pictures {
            all.extend(["image", "random-text", "random-image"].map(Self::Single));
            for (first, second) in [("text", "text"), ("image", "image"), ("text", "image")] {
                all.extend([Self::Average(first, second), Self::Gate(first, second)]);
            }
            all.extend(["scalar", "unnormalized"].map(Self::Learned));
        }
        all
    }
}

/// The scores of each system, one for each seed.
pub(crate) type Scores = BTreeMap<System, Vec<Value>>;

/// A set, being worked on in a folder of its own.
struct Work<'a> {
    set: &'a Set,
    folder: PathBuf,
    seeds: u64,
}

/// Trains every expert and gate of a set, and scores every system on its test sentences.
pub(crate) fn run_systems(jobs: &Jobs<'_>, set: &Set, folder: &Path, seeds: u64) -> Result<Scores> {
    let work = Work {
        set,
        folder: folder.join(&set.name),
        seeds,
    };
    let systems = System::all(set.pictures.is_some());
    let each = |make: &dyn Fn(&System, u64) -> Option<Job>| -> Vec<Job> {
        let all = systems
            .iter()
            .flat_map(|system| (1..=seeds).map(move |seed| (system, seed)));
        all.filter_map(|(system, seed)| make(system, seed))
            .collect()
    };
    jobs.run(each(&|system, seed| work.train(system, seed)))?;
    jobs.run(each(&|system, seed| work.convert(system, seed)))?;
    jobs.run(each(&|system, seed| work.bundle(system, seed, false)))?;
    jobs.run(each(&|system, seed| work.train_gate(system, seed)))?;
    jobs.run(each(&|system, seed| work.convert_gate(system, seed)))?;
    jobs.run(each(&|system, seed| work.bundle(system, seed, true)))?;
    let mut scores = Scores::new();
    for system in systems {
        for seed in 1..=seeds {
            let path = work.file(&system.name(), seed, "json");
            let bundle = work.file(&system.name(), seed, "morelet");
            let score = scored(&path, &bundle, &set.test, jobs.console)?;
            scores.entry(system.clone()).or_default().push(score);
        }
    }
    Ok(scores)
}

impl Work<'_> {
    fn file(&self, name: &str, seed: u64, extension: &str) -> PathBuf {
        self.folder.join(format!("{name}-{seed}.{extension}"))
    }

    fn train(&self, system: &System, seed: u64) -> Option<Job> {
        let System::Single(context) = system else {
            return None;
        };
        let target = self.folder.join(format!("{context}-{seed}"));
        let set = self.set;
        let mut job = Job::new(
            &target,
            ["train", "task", "--kind", set.task(), "--context", context],
        )
        .with([
            "-o".into(),
            target.clone().into_os_string(),
            "--train".into(),
            set.train.clone().into(),
            "--dev".into(),
            set.dev.clone().into(),
            "--tokenizer".into(),
            OsString::from(&set.tokenizer),
        ]);
        job = job
            .with(set.training.split_whitespace())
            .with(["--seed".to_owned(), seed.to_string()]);
        job = job.with(["--device", "cpu", "--threads", "1"]);
        if let Some(index) = &set.text_index {
            job = job.with(["--text-index".into(), OsString::from(index)]);
        }
        if let Some((index, clip)) = &set.pictures {
            job = job.with(["--image-index".into(), OsString::from(index)]);
            job = job.with(["--clip".into(), OsString::from(clip)]);
        }
        Some(job)
    }

    fn convert(&self, system: &System, seed: u64) -> Option<Job> {
        let System::Single(context) = system else {
            return None;
        };
        let target = self.file(context, seed, "weights");
        let checkpoint = self.folder.join(format!("{context}-{seed}"));
        Some(Job::new(
            &target,
            [
                "model".into(),
                checkpoint.into_os_string(),
                "-o".into(),
                target.clone().into(),
            ],
        ))
    }

    /// The bundle of a system. For a gate first the average of its experts, which the gate learns from, then itself.
    fn bundle(&self, system: &System, seed: u64, gated: bool) -> Option<Job> {
        let is_gate = system.gate().is_some();
        if gated != is_gate {
            return None;
        }
        let target = self.file(&system.name(), seed, "morelet");
        let mut job = Job::new(
            &target,
            [
                "bundle".into(),
                "-o".into(),
                target.clone().into_os_string(),
            ],
        );
        // Two experts with one kind of context are those of two seeds.
        let other = seed % self.seeds + 1;
        let two = match system {
            System::Average(first, second) => Some([*first, *second]),
            _ => system.gate().map(|(two, _)| two),
        };
        let experts = match (system, two) {
            (_, Some([a, b])) if a == b => vec![(a, a, seed), ("other", b, other)],
            (_, Some([a, b])) => vec![(a, a, seed), (b, b, seed)],
            (System::Single(context), None) => vec![(*context, *context, seed)],
            (_, None) => return None,
        };
        for (name, context, seed) in experts {
            let weights = self.file(context, seed, "weights");
            let expert = format!("{name}:{context}:{}", weights.display());
            job = job.with(["--expert".to_owned(), expert]);
        }
        job = match system {
            System::Single(_) => job,
            System::Average(..) => job.with(["--average"]),
            System::Gate(..) | System::Learned(_) => {
                let gate = self.file(&format!("{}-gate", system.name()), seed, "weights");
                job.with(["--gate".into(), gate.into_os_string()])
            }
        };
        if let Some(index) = &self.set.text_index {
            job = job.with(["--text-index".into(), OsString::from(index)]);
        }
        if let Some((index, clip)) = &self.set.pictures {
            job = job.with(["--image-index".into(), OsString::from(index)]);
            job = job.with(["--clip".into(), OsString::from(clip)]);
        }
        Some(job)
    }

    fn train_gate(&self, system: &System, seed: u64) -> Option<Job> {
        let ([first, second], option) = system.gate()?;
        let average = System::Average(first, second);
        let bundle = self.file(&average.name(), seed, "morelet");
        let target = self.file(&system.name(), seed, "safetensors");
        let job = Job::new(
            &target,
            ["train".into(), "gate".into(), bundle.into_os_string()],
        )
        .with([
            "-o".into(),
            target.clone().into_os_string(),
            "--train".into(),
            self.set.train.clone().into(),
            "--dev".into(),
            self.set.dev.clone().into(),
        ]);
        Some(job.with(["--device", "cpu", "--threads", "1"]).with(option))
    }

    fn convert_gate(&self, system: &System, seed: u64) -> Option<Job> {
        system.gate()?;
        let gate = self.file(&system.name(), seed, "safetensors");
        let target = self.file(&format!("{}-gate", system.name()), seed, "weights");
        Some(Job::new(
            &target,
            [
                "model".into(),
                gate.into_os_string(),
                "-o".into(),
                target.clone().into(),
            ],
        ))
    }
}

/// The score of a bundle on some sentences, as `morelet eval --json` has it; kept in a file.
pub(crate) fn scored(path: &Path, bundle: &Path, test: &Path, console: &Console) -> Result<Value> {
    if let Ok(text) = std::fs::read_to_string(path) {
        return serde_json::from_str(&text)
            .map_err(|error| Error::input(error.to_string()).at(path));
    }
    let session = Bundle::open(bundle)?.session(&SessionOptions {
        device: DeviceRequest::Cpu,
        ..SessionOptions::default()
    })?;
    let queries: Vec<Query> = Queries::open(test, None, None)?.collect::<morelet::Result<_>>()?;
    let options = RunOptions {
        detail: Detail::Labels,
        ..RunOptions::default()
    };
    let mut evaluation = Evaluation::new();
    for queries in queries.chunks(64) {
        console.check()?;
        for (query, prediction) in queries.iter().zip(session.predict_batch(queries, &options)) {
            evaluation.add(query, &prediction?)?;
        }
    }
    let names = session
        .bundle()
        .manifest()
        .experts
        .iter()
        .map(|expert| expert.name.as_str());
    let report = evaluation.report(&names.collect::<Vec<_>>());
    let value = serde_json::to_value(&report).map_err(|error| Error::input(error.to_string()))?;
    write_file_atomically(path, value.to_string().as_bytes())?;
    Ok(value)
}

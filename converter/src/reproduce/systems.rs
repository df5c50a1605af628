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
    /// Two experts with these contexts, as they are trained.
    Fused([&'static str; 2], Fusion),
    /// Text and image as they are deployed: in `q8`.
    Deployed(Fusion),
}

/// How two distributions become one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Fusion {
    Average,
    Gate,
    /// A gate with one weight for all labels.
    Scalar,
    /// A gate that learned by the mixture as it is, not divided by its sum.
    Unnormalized,
}

impl Fusion {
    fn name(self) -> &'static str {
        match self {
            Self::Average => "average",
            Self::Gate => "gate",
            Self::Scalar => "scalar",
            Self::Unnormalized => "unnormalized",
        }
    }

    /// The option of `train gate`.
    fn option(self) -> Option<String> {
        matches!(self, Self::Scalar | Self::Unnormalized).then(|| format!("--{}", self.name()))
    }
}

/// The experts of the paper's system.
pub(crate) const TEXT_AND_IMAGE: [&str; 2] = ["text", "image"];
/// The paper's system.
pub(crate) const MOE: System = System::Fused(TEXT_AND_IMAGE, Fusion::Gate);
/// Which experts are fused.
pub(crate) const PAIRS: [[&str; 2]; 3] = [["text", "text"], ["image", "image"], TEXT_AND_IMAGE];

impl System {
    /// The name of its files.
    pub(crate) fn name(&self) -> String {
        match self {
            Self::Single(context) => (*context).to_owned(),
            Self::Fused([first, second], fusion) => format!("{}-{first}-{second}", fusion.name()),
            Self::Deployed(fusion) => format!("{}-{}", fusion.name(), self.precision()),
        }
    }

    /// The contexts of its two experts and how they are fused, where it has two.
    fn fused(&self) -> Option<([&'static str; 2], Fusion)> {
        match self {
            Self::Single(_) => None,
            Self::Fused(experts, fusion) => Some((*experts, *fusion)),
            Self::Deployed(fusion) => Some((TEXT_AND_IMAGE, *fusion)),
        }
    }

    /// What its experts' weights are stored in.
    fn precision(&self) -> &'static str {
        match self {
            Self::Single(_) | Self::Fused(..) => "f32",
            Self::Deployed(_) => "q8",
        }
    }

    /// The average of the same experts, which a gate learns over.
    fn averaged(&self) -> Option<Self> {
        match self {
            Self::Single(_) | Self::Fused(_, Fusion::Average) | Self::Deployed(Fusion::Average) => {
                None
            }
            Self::Fused(experts, _) => Some(Self::Fused(*experts, Fusion::Average)),
            Self::Deployed(_) => Some(Self::Deployed(Fusion::Average)),
        }
    }

    /// What is in the tables of a set with pictures, and of one without.
    pub(crate) fn all(pictures: bool) -> Vec<Self> {
        let mut all = vec![Self::Single("none"), Self::Single("text")];
        if pictures {
            all.extend(["image", "random-text", "random-image"].map(Self::Single));
            let plain = [Fusion::Average, Fusion::Gate];
            all.extend(
                PAIRS
                    .iter()
                    .flat_map(|&two| plain.map(|by| Self::Fused(two, by))),
            );
            all.extend(
                [Fusion::Scalar, Fusion::Unnormalized].map(|by| Self::Fused(TEXT_AND_IMAGE, by)),
            );
            all.extend(plain.map(Self::Deployed));
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
    jobs.run(each(&|system, seed| work.convert(system, seed, "f32")))?;
    if set.pictures.is_some() {
        let deployed = |system: &&System| TEXT_AND_IMAGE.map(System::Single).contains(system);
        jobs.run(each(&|system, seed| {
            Some(system).filter(deployed)?;
            work.convert(system, seed, "q8")
        }))?;
    }
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

    fn convert(&self, system: &System, seed: u64, precision: &str) -> Option<Job> {
        let System::Single(context) = system else {
            return None;
        };
        let target = self.weights(context, precision, seed);
        let checkpoint = self.folder.join(format!("{context}-{seed}"));
        let job = Job::new(&target, ["model".into(), checkpoint.into_os_string()]);
        Some(
            job.with(["-o".into(), OsString::from(&target)])
                .with(["--quantize", precision]),
        )
    }

    fn weights(&self, context: &str, precision: &str, seed: u64) -> PathBuf {
        self.file(&format!("{context}-{precision}"), seed, "weights")
    }

    /// The bundle of a system: of those with a gate, which learns over the bundle of an average, in a second turn.
    fn bundle(&self, system: &System, seed: u64, gated: bool) -> Option<Job> {
        if gated != system.averaged().is_some() {
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
        let experts = match (system, system.fused()) {
            (_, Some(([a, b], _))) if a == b => vec![(a, a, seed), ("other", b, other)],
            (_, Some(([a, b], _))) => vec![(a, a, seed), (b, b, seed)],
            (System::Single(context), None) => vec![(*context, *context, seed)],
            (_, None) => return None,
        };
        for (name, context, seed) in experts {
            let weights = self.weights(context, system.precision(), seed);
            let expert = format!("{name}:{context}:{}", weights.display());
            job = job.with(["--expert".to_owned(), expert]);
        }
        job = match system.fused() {
            None => job,
            Some((_, Fusion::Average)) => job.with(["--average"]),
            Some(_) => {
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
        let (_, fusion) = system.fused()?;
        let bundle = self.file(&system.averaged()?.name(), seed, "morelet");
        let target = self.file(&system.name(), seed, "safetensors");
        let job = Job::new(
            &target,
            ["train".into(), "gate".into(), bundle.into_os_string()],
        )
        .with([
            "-o".into(),
            target.clone().into_os_string(),
            "--train".into(),
            self.set.gate.clone()?.into(),
            "--dev".into(),
            self.set.dev.clone().into(),
        ]);
        let job = job.with(["--device", "cpu", "--threads", "1"]);
        Some(job.with(fusion.option()))
    }

    fn convert_gate(&self, system: &System, seed: u64) -> Option<Job> {
        system.averaged()?;
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

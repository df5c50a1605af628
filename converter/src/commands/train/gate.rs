//! `train gate`: U and b over two frozen experts (MoRe §2.3, equations 5 to 7).

use crate::train::fingerprint::Fingerprint;
use crate::train::observations::Observations;
use crate::train::run::{self, OBSERVED, RunArgs, Task};
use crate::train::tensors::Tensors;
use crate::{Console, Error, Result};
use morelet::{
    Bundle, DeviceRequest, Evaluation, ImageSource, Prediction, Queries, Relation, Session,
    SessionOptions, Task as Asked,
};
use morelet_mapped::AtomicFile;
use morelet_models::Cancel;
use morelet_models::argmax;
use morelet_models::train::{Loss, MixtureLoss, Observation, Parameters};
use morelet_models::weights::{Architecture, GateConfig, ModelKind};
use serde_json::{Value, json};
use std::collections::HashMap;
use std::path::{Path, PathBuf};

/// How much the likelihood counts beside F1 where the best epoch is chosen: it decides between equals.
const LIKELIHOOD: f64 = 1e-3;

/// Arguments of `train gate`.
#[derive(Debug, clap::Args)]
#[command(
    after_help = "\
The bundle is taken as it will be used, quantized or not: two experts, made with --average, a CLIP, and whatever their \
contexts need. What they say of each sentence is computed once and kept until the gate is done. The result is a safetensors \
file: `morelet-convert model GATE.safetensors -o gate.weights`, then `bundle` with --gate instead of --average.",
    mut_arg("epochs", |arg| arg.default_value("30")),
    mut_arg("rate", |arg| arg.default_value("0.05")),
    // A gate has more inputs than it is shown kinds of pictures: without this it learns those by heart.
    mut_arg("weight_decay", |arg| arg.default_value("1")),
    mut_arg("batch", |arg| arg.default_value("64"))
)]
pub(super) struct Args {
    /// The bundle whose two experts are weighed
    bundle: PathBuf,
    /// The safetensors file to write
    #[arg(short, long, value_name = "GATE.safetensors")]
    output: PathBuf,
    /// Sentences with `gold` and pictures to learn from: best others than the experts have learned from
    #[arg(long, value_name = "FILE")]
    train: PathBuf,
    /// Sentences that decide which epoch is the best
    #[arg(long, value_name = "FILE")]
    dev: PathBuf,
    /// Where the pictures of the files lie
    #[arg(long, value_name = "DIR")]
    images: Option<PathBuf>,
    /// One weight for all labels instead of one for each
    #[arg(long)]
    scalar: bool,
    /// Learn by the mixture as it is, not divided by its sum over the labels
    #[arg(long)]
    unnormalized: bool,
    #[command(flatten)]
    run: RunArgs,
    /// Where the models run: auto, cpu, wgpu[:N] or cuda[:N]
    #[arg(long, value_name = "DEVICE", default_value = "auto")]
    device: DeviceRequest,
    /// Threads on the CPU [default: one for each processor]
    #[arg(long, value_name = "N")]
    threads: Option<usize>,
}

pub(super) fn run(args: &Args, console: &Console) -> Result<()> {
    args.run.check()?;
    // Whether the file can be written is told before the work.
    drop(AtomicFile::create(&args.output)?);
    let bundle = Bundle::open(&args.bundle)?;
    let experts = bundle.experts().len();
    if experts != 2 {
        let message = format!("a gate weighs two experts; this bundle has {experts}");
        return Err(Error::input(message).at(&args.bundle));
    }
    let Some(clip) = bundle.clip().and_then(|clip| clip.meta().clip().cloned()) else {
        let message =
            "a gate looks at the features of CLIP, and this bundle has none: give `bundle` --clip";
        return Err(Error::input(message).at(&args.bundle));
    };
    let session = bundle.session(&SessionOptions {
        device: args.device,
        threads: args.threads,
        ..SessionOptions::default()
    })?;
    let folder = run::folder(&args.output)?;
    let observe = |path: &Path, name: &str| {
        let key = key(&bundle, path, args.images.as_deref())?;
        let cache = folder.join(name);
        Observations::make(
            &session,
            (path, args.images.as_deref()),
            (&cache, &key),
            console,
        )
    };
    let train = observe(&args.train, OBSERVED[0])?;
    let dev = observe(&args.dev, OBSERVED[1])?;
    let labels = bundle.manifest().labels.len();
    let config = GateConfig {
        rows: if args.scalar { 1 } else { labels as u32 },
        text_dim: clip.projection_dim,
        image_dim: clip.projection_dim,
    };
    let meta = crate::plan::meta(
        ModelKind::Gate,
        Architecture::Gate(config.clone()),
        Vec::new(),
    );
    let compute = super::compute(args.device, args.threads)?;
    // All zeros: the first mixture is the average.
    let zeros = |_: &str, shape: &[u64]| -> Result<Vec<f32>> {
        Ok(vec![0.0; shape.iter().product::<u64>() as usize])
    };
    let mut parameters = Parameters::new(meta, &compute, zeros)?;
    let task = Gate {
        args,
        train,
        dev,
        session: &session,
        config,
        labels,
    };
    let before = task.scores(&parameters)?;
    console.say(format_args!(
        "{} sentences, {} to choose by; F1 there: average {:.2}{}",
        task.train.all.len(),
        task.dev.all.len(),
        before.f1,
        task.alone()?
    ));
    let fingerprint = fingerprint(args, &task, &parameters)?;
    let output = &args.output;
    let mut done = run::train(
        &args.run,
        &task,
        &mut parameters,
        output,
        &fingerprint,
        console,
    )?;
    if before.score() > done.best {
        console.say("no epoch was better than the average: the gate stays at one half");
    } else {
        for (name, values) in done.values.drain() {
            parameters.set(&name, values)?;
        }
    }
    let after = task.scores(&parameters)?;
    let mut tensors = Tensors::default();
    for (name, shape) in parameters.shapes() {
        tensors.add(name, shape, &parameters.values(name)?);
    }
    let told = json!({
        "bundle": bundle.experts().iter().map(|e| e.meta().identity.clone()).collect::<Vec<_>>(),
        "run": args.run, "unnormalized": args.unnormalized,
        "dev": {"average": before.told(), "gate": after.told()},
    });
    tensors.write(
        output,
        HashMap::from([("training".to_owned(), told.to_string())]),
    )?;
    done.forget();
    console.say(format_args!(
        "{}: F1 {:.2} on {}, average {:.2}; −log P {:.4} a sentence ({:.4} not normalized), average {:.4}",
        output.display(),
        after.f1,
        args.dev.display(),
        before.f1,
        after.normalized,
        after.plain,
        before.normalized
    ));
    Ok(())
}

/// What tells one set of observations from another: this program, the bundle, the file, and the pictures that it names.
fn key(bundle: &Bundle, path: &Path, images: Option<&Path>) -> Result<String> {
    let mut hasher = blake3::Hasher::new();
    hasher.update(env!("CARGO_PKG_VERSION").as_bytes());
    // With the seed of random contexts, and the hashes of all parts.
    hasher.update(bundle.manifest().to_json().as_bytes());
    let bytes = std::fs::read(path).map_err(|error| Error::io(path, error))?;
    hasher.update(&bytes);
    for query in Queries::open(path, None, images)? {
        if let Some(ImageSource::File(picture)) = query?.image {
            // One that is not there is told when it is shown.
            let bytes = std::fs::read(&picture).unwrap_or_default();
            hasher.update(blake3::hash(&bytes).as_bytes());
        }
    }
    Ok(hasher.finalize().to_hex().to_string())
}

fn fingerprint(args: &Args, task: &Gate<'_>, parameters: &Parameters) -> Result<String> {
    let mut hash = Fingerprint::of(parameters)?;
    hash.text(&json!([args.run, args.unnormalized]).to_string());
    for one in task.train.all.iter().chain(&task.dev.all) {
        for values in [&one.first, &one.second, &one.features] {
            hash.floats(values);
        }
        hash.numbers(one.gold.iter().map(|&label| label as u64));
    }
    Ok(hash.finish())
}

/// A gate in training.
struct Gate<'a> {
    args: &'a Args,
    train: Observations,
    dev: Observations,
    session: &'a Session,
    config: GateConfig,
    labels: usize,
}

/// How good a gate is.
struct Scores {
    f1: f64,
    /// −log of the mixture divided by its sum, a sentence.
    normalized: f64,
    /// The same, not divided.
    plain: f64,
}

impl Scores {
    fn score(&self) -> f64 {
        self.f1 - LIKELIHOOD * self.normalized
    }

    fn told(&self) -> Value {
        json!({"f1": self.f1, "nll": self.normalized, "nll_unnormalized": self.plain})
    }
}

impl Gate<'_> {
    fn scores(&self, parameters: &Parameters) -> Result<Scores> {
        let (matrix, bias) = (parameters.values("weight")?, parameters.values("bias")?);
        let t = self.labels;
        let gate = morelet_models::Gate::new(&self.config, matrix, bias)?;
        let weights = |one: &Observation| -> Result<Vec<f64>> {
            let (text, image) = one.features.split_at(self.config.text_dim as usize);
            Ok(gate.weights(text, image, t)?)
        };
        let f1 = self.f1(weights)?;
        let all: Vec<&Observation> = self.dev.all.iter().collect();
        let loss = |normalized| MixtureLoss { normalized }.of(parameters, t, &all)?.value();
        Ok(Scores {
            f1,
            normalized: loss(true)?,
            plain: loss(false)?,
        })
    }

    /// F1 on the sentences to choose by, where `weights` gives that of the first expert for each label.
    fn f1(&self, weights: impl Fn(&Observation) -> Result<Vec<f64>>) -> Result<f64> {
        let manifest = self.session.bundle().manifest();
        let mut evaluation = Evaluation::new();
        for (query, one) in self.dev.queries.iter().zip(&self.dev.all) {
            let g = weights(one)?;
            let rows = one
                .first
                .chunks_exact(self.labels)
                .zip(one.second.chunks_exact(self.labels));
            let labels = rows.map(|(first, second)| {
                let rows = g.iter().zip(first).zip(second);
                let mixed = rows.map(|((g, &first), &second)| {
                    g * f64::from(first) + (1.0 - g) * f64::from(second)
                });
                manifest.labels[argmax(mixed)].clone()
            });
            let mut labels: Vec<String> = labels.collect();
            let mut prediction = Prediction::default();
            match manifest.task {
                Asked::Re => {
                    prediction.relation = labels.pop().map(|kind| Relation { kind, score: 1.0 });
                }
                _ => {
                    labels.resize(morelet::Sentence::new(&query.words).len(), "O".to_owned());
                    prediction.labels = Some(labels);
                }
            }
            evaluation.add(query, &prediction)?;
        }
        Ok(evaluation.report(&[]).fused.all.f1)
    }

    /// What each expert reaches by itself, for people.
    fn alone(&self) -> Result<String> {
        let mut text = String::new();
        for (at, expert) in self.session.bundle().manifest().experts.iter().enumerate() {
            let g = if at == 0 { 1.0 } else { 0.0 };
            let f1 = self.f1(|_| Ok(vec![g; self.labels]))?;
            text.push_str(&format!(", {} alone {f1:.2}", expert.name));
        }
        Ok(text)
    }
}

impl Task for Gate<'_> {
    fn len(&self) -> usize {
        self.train.all.len()
    }

    fn length(&self, example: usize) -> usize {
        self.train.all[example].gold.len()
    }

    fn loss(
        &self,
        parameters: &Parameters,
        examples: &[usize],
        _: u64,
        _: &Cancel,
    ) -> Result<Loss> {
        let loss = MixtureLoss {
            normalized: !self.args.unnormalized,
        };
        let batch: Vec<&Observation> = examples.iter().map(|&at| &self.train.all[at]).collect();
        Ok(loss.of(parameters, self.labels, &batch)?)
    }

    fn score(&self, parameters: &Parameters, _: &Path) -> Result<(f64, Value)> {
        let scores = self.scores(parameters)?;
        Ok((scores.score(), scores.told()))
    }
}

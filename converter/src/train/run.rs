//! The loop: batches in an order that the seed decides, steps, and after each epoch a score.

use super::checkpoint::Trained;
use super::schedule::Schedule;
use super::state::{self, Position, Values};
use crate::random::Random;
use crate::{Console, Error, Result};
use morelet_mapped::remove_temporary_files;
use morelet_models::Cancel;
use morelet_models::train::{Loss, Optimizer, Parameters};
use serde_json::{Value, json};
use std::path::{Path, PathBuf};
use std::time::Instant;

/// What a state is called, in the folder that stands beside the target while a run lasts.
const STATE: &str = "state.safetensors";
/// The weights of an epoch, while they are scored.
pub(crate) const NOW: &str = "now.weights";
/// What the experts said of the sentences to learn from, and of those to choose by, while a gate learns.
pub(crate) const OBSERVED: [&str; 2] = ["train.safetensors", "dev.safetensors"];
/// All that lies in that folder.
const WRITTEN: [&str; 4] = [STATE, NOW, OBSERVED[0], OBSERVED[1]];
/// Batches that are formed together, so that inputs of one batch have about one length.
const BUCKET: usize = 16;

/// How to train, whatever is trained.
#[derive(Clone, Debug, clap::Args, serde::Serialize)]
pub(crate) struct RunArgs {
    /// Times that everything is shown
    #[arg(long, value_name = "N", default_value_t = 10)]
    pub(crate) epochs: usize,
    /// Examples in a batch
    #[arg(long, value_name = "N", default_value_t = 16)]
    pub(crate) batch: usize,
    /// Batches whose gradients make one step
    #[arg(long, value_name = "N", default_value_t = 1)]
    pub(crate) accumulate: usize,
    /// The largest rate
    #[arg(long, value_name = "X", default_value_t = 1e-3)]
    pub(crate) rate: f64,
    /// The part of all steps in which the rate rises to its largest; then it falls linearly to 0
    #[arg(long, value_name = "PART", default_value_t = 0.1)]
    pub(crate) warmup: f64,
    /// How much matrices decay in a step, times the rate
    #[arg(long, value_name = "X", default_value_t = 0.01)]
    pub(crate) weight_decay: f32,
    /// The largest norm of a step's gradient; larger ones are scaled down
    #[arg(long, value_name = "NORM", default_value_t = 1.0)]
    pub(crate) clip_norm: f64,
    /// Seed of everything random
    #[arg(long, value_name = "N", default_value_t = 0)]
    pub(crate) seed: u64,
    /// Steps after which the run is written down, beside the end of each epoch
    #[arg(long, value_name = "N", default_value_t = 1000)]
    #[serde(skip)]
    pub(crate) save_every: usize,
    /// Begin anew where an earlier run of the same target was not finished, instead of going on with it
    #[arg(long)]
    #[serde(skip)]
    pub(crate) restart: bool,
}

impl RunArgs {
    /// Refuses what no training can mean.
    pub(crate) fn check(&self) -> Result<()> {
        let counts = [
            ("--epochs", self.epochs),
            ("--batch", self.batch),
            ("--accumulate", self.accumulate),
            ("--save-every", self.save_every),
        ];
        for (name, count) in counts {
            if count == 0 {
                return Err(Error::usage(format!("{name}: expected at least 1, got 0")));
            }
        }
        let positive = |x: f64| x.is_finite() && x > 0.0;
        let fits = [
            ("--rate", positive(self.rate)),
            ("--clip-norm", positive(self.clip_norm)),
            ("--warmup", (0.0..=1.0).contains(&self.warmup)),
            (
                "--weight-decay",
                self.weight_decay.is_finite() && self.weight_decay >= 0.0,
            ),
        ];
        match fits.iter().find(|(_, fits)| !fits) {
            Some((name, _)) => Err(Error::usage(format!("{name}: not a possible value"))),
            None => Ok(()),
        }
    }
}

/// What is trained.
pub(crate) trait Task: Sync {
    /// How many examples there are.
    fn len(&self) -> usize;

    /// The length of an example: those of a batch are about as long as each other.
    fn length(&self, example: usize) -> usize;

    /// The loss over some examples.
    fn loss(
        &self,
        parameters: &Parameters,
        examples: &[usize],
        seed: u64,
        cancel: &Cancel,
    ) -> Result<Loss>;

    /// How much faster than the others a tensor learns.
    fn rate(&self, name: &str) -> f64 {
        let _ = name;
        1.0
    }

    /// The score after an epoch, more is better, with what to write down about it.
    fn score(&self, parameters: &Parameters, folder: &Path) -> Result<(f64, Value)>;
}

/// A model that was trained.
pub(crate) struct Done {
    pub(crate) values: Values,
    pub(crate) metrics: Vec<Value>,
    pub(crate) best_epoch: usize,
    pub(crate) best: f64,
    folder: PathBuf,
}

impl Done {
    /// Writes the checkpoint, and then forgets the run.
    pub(crate) fn finish(
        &mut self,
        parameters: &Parameters,
        tokenizer: &[u8],
        training: Value,
        target: &Path,
    ) -> Result<()> {
        let tensors = parameters.shapes().map(|(name, shape)| {
            let values = self.values.remove(name).unwrap_or_default();
            (name.to_owned(), shape.to_vec(), values)
        });
        let trained = Trained {
            meta: parameters.meta(),
            tokenizer,
            tensors: tensors.collect(),
            metrics: &self.metrics,
            training,
        };
        trained.write(target)?;
        self.forget();
        Ok(())
    }

    /// Removes what was written down of the run: its result is written.
    pub(crate) fn forget(&self) {
        // Only what a training writes: the folder may have been there before, with files of somebody else's. What cannot be
        // removed is found by the next run of this target, and told.
        for name in WRITTEN {
            let _ = std::fs::remove_file(self.folder.join(name));
        }
        remove_temporary_files(&self.folder);
        let _ = std::fs::remove_dir(&self.folder);
    }
}

/// Trains `parameters` on a task for the checkpoint `target`. `fingerprint` tells trainings apart: a state of another one
/// is not gone on with.
///
/// # Errors
/// Of kind `Input` where the training diverges, or an unfinished one of other options is there; `Interrupted`.
pub(crate) fn train(
    args: &RunArgs,
    task: &dyn Task,
    parameters: &mut Parameters,
    target: &Path,
    fingerprint: &str,
    console: &Console,
) -> Result<Done> {
    let folder = folder(target)?;
    let path = folder.join(STATE);
    if args.restart && path.exists() {
        std::fs::remove_file(&path).map_err(|error| Error::io(&path, error))?;
    }
    let mut optimizer = Optimizer::new(args.weight_decay);
    let (mut position, mut best) =
        match state::load(&path, fingerprint, parameters, &mut optimizer)? {
            Some(found) => {
                console.say(format_args!("going on after step {}", found.0.step));
                found
            }
            None => <(Position, Values)>::default(),
        };
    let batches = task.len().div_ceil(args.batch);
    let steps_each = batches.div_ceil(args.accumulate);
    let schedule = Schedule::new(steps_each * args.epochs, args.warmup);
    let cancel = Cancel::new();
    let bar = console.count_bar("training", (steps_each * args.epochs) as u64);
    bar.set_position(position.step as u64);
    while position.metrics.len() < args.epochs {
        let epoch = position.metrics.len() + 1;
        let started = Instant::now();
        let order = order(task, args, epoch as u64);
        let mut norm = 0.0;
        for step in order
            .chunks(args.accumulate)
            .skip(position.step - (epoch - 1) * steps_each)
        {
            let factor = schedule.factor(position.step);
            for (at, examples) in step.iter().enumerate() {
                if console.is_interrupted() {
                    // Gradients that wait for the rest of their step are not written down.
                    if at == 0 {
                        state::save(&path, fingerprint, &position, parameters, &optimizer, &best)?;
                    }
                    return Err(interrupted());
                }
                let number = (position.step * args.accumulate + at) as u64;
                let seed = mixed(args.seed, number);
                let loss = task.loss(parameters, examples, seed, &cancel)?;
                position.loss += optimizer.accumulate(parameters, loss)?;
                position.batches += 1;
            }
            let rate = |name: &str| args.rate * factor * task.rate(name);
            norm = optimizer.step(parameters, step.len(), args.clip_norm, rate)?;
            position.step += 1;
            bar.inc(1);
            bar.set_message(format!(
                "epoch {epoch}/{} loss {:.3}",
                args.epochs,
                position.loss / position.batches as f64
            ));
            let over = position.step == epoch * steps_each;
            if position.step.is_multiple_of(args.save_every) && !over {
                state::save(&path, fingerprint, &position, parameters, &optimizer, &best)?;
            }
        }
        let loss = position.loss / position.batches.max(1) as f64;
        let mut line = json!({
            "epoch": epoch, "step": position.step, "loss": loss, "gradient_norm": norm,
            "rate": args.rate * schedule.factor(position.step.saturating_sub(1)),
        });
        let (score, told) = task.score(parameters, &folder)?;
        line["dev"] = told;
        line["seconds"] = json!((started.elapsed().as_secs_f64() * 10.0).round() / 10.0);
        if position.best_epoch == 0 || score > position.best {
            best = state::values(parameters)?;
            (position.best_epoch, position.best) = (epoch, score);
        }
        bar.suspend(|| console.say(&line));
        position.metrics.push(line);
        (position.loss, position.batches) = (0.0, 0);
        state::save(&path, fingerprint, &position, parameters, &optimizer, &best)?;
        if console.is_interrupted() {
            return Err(interrupted());
        }
    }
    bar.finish_and_clear();
    Ok(Done {
        values: best,
        metrics: position.metrics,
        best_epoch: position.best_epoch,
        best: position.best,
        folder,
    })
}

fn interrupted() -> Error {
    Error::interrupted().noting("the same command goes on with the training")
}

/// The batches of an epoch: shuffled, then sorted by length within a few batches, so that little is padded, and the
/// batches shuffled again.
fn order(task: &dyn Task, args: &RunArgs, epoch: u64) -> Vec<Vec<usize>> {
    let mut random = Random::new(mixed(args.seed ^ 0x006f_7264_6572, epoch));
    let mut examples: Vec<usize> = (0..task.len()).collect();
    random.shuffle(&mut examples);
    let mut batches = Vec::new();
    for bucket in examples.chunks_mut(args.batch * BUCKET) {
        bucket.sort_by_key(|&example| task.length(example));
        batches.extend(bucket.chunks(args.batch).map(<[usize]>::to_vec));
    }
    random.shuffle(&mut batches);
    batches
}

/// One seed out of two numbers.
fn mixed(seed: u64, number: u64) -> u64 {
    Random::new(seed ^ number.wrapping_mul(0xd129_2f7b_36c4_5c09)).next()
}

/// The folder beside the target in which a run is written down.
pub(crate) fn folder(target: &Path) -> Result<PathBuf> {
    let Some(name) = target.file_name() else {
        return Err(Error::usage(format!(
            "--output: expected a name, got {}",
            target.display()
        )));
    };
    let mut name = name.to_owned();
    name.push(".training");
    let folder = target.with_file_name(name);
    std::fs::create_dir_all(&folder).map_err(|error| Error::io(&folder, error))?;
    Ok(folder)
}

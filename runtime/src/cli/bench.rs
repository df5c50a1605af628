//! `bench`: the time of each module, over answers to real queries or with models made on the spot.
//!
//! What is measured decides the module: `bundle` answers queries, `model` runs one model's weights alone, `text_index` and `image_index`
//! search one index, `synthetic` makes a bundle or an expert first. `compare` puts two measurements side by side.

mod agreement;
mod alone;
mod bundle;
mod compare;
mod hidden;
mod host;
mod image_index;
mod model;
mod output;
mod paper;
mod random;
mod svg;
mod synthetic;
mod text_index;
mod times;
mod turns;

use super::predict::InputFormat;
use super::retrieval::{RetrievalArgs, first_given};
use super::table::bytes;
use super::{ComputeArgs, Console, Failure, Outcome};
use crate::{Error, Named, Queries, Query, Result};
use host::Memory;
use morelet_mapped::{Container, Kind, OpenOptions};
use morelet_models::device::Compute;
use morelet_models::weights::{Precision, Target};
use output::Output;
use std::path::PathBuf;
use std::process::{Command, Stdio};
use synthetic::{Made, Plan, Size};
use times::Times;

/// The commit that was checked out when this program was built, where there was one.
const COMMIT: Option<&str> = option_env!("MORELET_COMMIT");

const HELP: &str = "\
A bundle is measured with queries (--text or --input), an expert's weights with --tokens N, CLIP's with --image F, a text index with \
queries, an image index with --clip F.weights and pictures (--image, or --input with one a line). With nothing at hand: --synthetic xlm-r-large. Times are by the wall; every sample is in the JSON. A percentile is told where \
a sample lies beyond it: p90 from 10, p99 from 100.";

/// Arguments of `bench`.
#[derive(Debug, clap::Args)]
#[command(
    after_help = HELP,
    group(clap::ArgGroup::new("subject").required(true).args(["target", "synthetic", "compare"])),
    group(clap::ArgGroup::new("what").args(["text", "input"]))
)]
pub struct Args {
    /// A bundle; or the weights of an expert or of CLIP, or an index, each measured alone
    #[arg(value_name = "BUNDLE|F.weights|F.index")]
    target: Option<PathBuf>,
    /// The sentence to answer
    #[arg(long, value_name = "S")]
    text: Option<String>,
    /// The picture of the sentence; with CLIP's weights or an image index the picture
    #[arg(long, value_name = "F", conflicts_with = "input")]
    image: Option<PathBuf>,
    /// Sentences to answer, .jsonl or .conll; with an image index pictures, one a line or as `predict` reads them
    #[arg(long, value_name = "F")]
    input: Option<PathBuf>,
    /// How the file is written, where its name does not tell
    #[arg(long, conflicts_with = "text", value_name = "FORMAT")]
    format: Option<InputFormat>,
    /// The directory of the pictures that the file names
    #[arg(long, conflicts_with = "text", value_name = "DIR")]
    images: Option<PathBuf>,
    /// How often every query is answered
    #[arg(long, value_name = "N", default_value_t = 10, value_parser = clap::value_parser!(u32).range(1..))]
    repeat: u32,
    /// How many answers come before the first one that counts
    #[arg(long, value_name = "N", default_value_t = 2)]
    warm_up: u32,
    #[command(flatten)]
    retrieval: RetrievalArgs,
    /// The CLIP that reads pictures, where an image index is measured
    #[arg(long, value_name = "F.weights")]
    clip: Option<PathBuf>,
    /// Measure each module of a bundle with nothing beside it too
    #[arg(long)]
    alone: bool,
    /// Answer in batches too, of each of these sizes; of an image index, each shared among --threads
    #[arg(long, value_name = "N,..", value_delimiter = ',', value_parser = clap::value_parser!(u16).range(1..))]
    batch: Vec<u16>,

    /// Make full-size models with random weights, and indexes, and measure with them
    #[arg(long, value_name = "SIZE", help_heading = "Made on the spot", conflicts_with_all = ["text", "input"])]
    synthetic: Option<Size>,
    /// How the weights are stored: f32, f16, q8 or q4
    #[arg(long, value_name = "TYPE", default_value_t = Precision::Q8, help_heading = "Made on the spot")]
    precision: Precision,
    /// Make and measure the encoder of one expert only
    #[arg(
        long,
        value_enum,
        value_name = "MODULE",
        requires = "synthetic",
        requires = "tokens",
        help_heading = "Made on the spot"
    )]
    module: Option<Module>,
    /// Paragraphs of the text index
    #[arg(long, value_name = "N", default_value_t = 20_000, help_heading = "Made on the spot",
          value_parser = clap::value_parser!(u32).range(1..=10_000_000))]
    paragraphs: u32,
    /// Pictures of the image index
    #[arg(long, value_name = "N", default_value_t = 4_000, help_heading = "Made on the spot",
          value_parser = clap::value_parser!(u32).range(1..=1_000_000))]
    pictures: u32,
    /// What is made is the same for the same number
    #[arg(
        long,
        value_name = "N",
        default_value_t = 0,
        help_heading = "Made on the spot"
    )]
    seed: u64,
    /// Keep what is made in a new folder, which can be measured again as a bundle
    #[arg(
        long,
        value_name = "DIR",
        requires = "synthetic",
        help_heading = "Made on the spot"
    )]
    keep: Option<PathBuf>,

    /// Make it, and measure nothing
    #[arg(long, requires = "keep", help_heading = "Made on the spot")]
    make_only: bool,

    /// Ids of an input of an expert's encoder, drawn at random
    #[arg(long, value_name = "N", help_heading = "One model", conflicts_with_all = ["text", "input"])]
    tokens: Option<u16>,
    /// Inputs of one model, a JSON list: lists of ids, or files of pictures
    #[arg(long, value_name = "F.json", help_heading = "One model", conflicts_with_all = ["tokens", "text", "input", "image", "synthetic"])]
    requests: Option<PathBuf>,
    /// Compare hidden states with those in a folder: NAME.json with ids and shape, NAME.f32
    #[arg(long, value_name = "DIR", help_heading = "One model")]
    agree: Option<PathBuf>,
    /// Take turns with other programs: read lines {"repeat":N}, answer each with a line {"samples_us":[..]}
    #[arg(long, help_heading = "One model", conflicts_with_all = ["text", "input", "agree"])]
    turns: bool,

    /// Compare two measurements (files of -o json): ratios of medians with 95 % intervals
    #[arg(long, num_args = 2, value_names = ["A.json", "B.json"], help_heading = "Comparing")]
    compare: Option<Vec<PathBuf>>,
    /// End with 1 where a module of B is slower by more than this, and slower beyond doubt
    #[arg(long, value_name = "5%", requires = "compare", value_parser = share, help_heading = "Comparing")]
    fail_over: Option<f64>,

    /// How to print
    #[arg(
        short,
        long = "output",
        value_enum,
        value_name = "FORMAT",
        default_value_t
    )]
    output: Output,
    /// Print JSON: -o json
    #[arg(long, conflicts_with = "output")]
    json: bool,
}

/// A module that can be made and measured alone.
#[derive(Clone, Copy, Debug, clap::ValueEnum)]
enum Module {
    /// The encoder of an expert, from ids to hidden states
    Expert,
}

pub(super) fn run(args: &Args, compute: &ComputeArgs, console: &Console) -> Outcome {
    // What an argument requires is not asked for where something else excludes it, so that it is asked for here.
    let (made, compared) = (args.synthetic.is_some(), args.compare.is_some());
    for (given, needed, message) in [
        (
            args.keep.is_some(),
            made,
            "--keep keeps what --synthetic makes",
        ),
        (
            args.module.is_some(),
            made,
            "--module chooses what --synthetic makes",
        ),
        (
            args.fail_over.is_some(),
            compared,
            "--fail-over judges what --compare finds",
        ),
    ] {
        if given && !needed {
            return Err(Failure::Usage(message.to_owned()));
        }
    }
    if let Some([a, b]) = args.compare.as_deref() {
        return compare::run(a, b, args.fail_over, args.form(), console);
    }
    if let Some(size) = args.synthetic {
        return synthetic(size, args, compute, console);
    }
    let Some(target) = args.target.as_deref() else {
        return Err(Failure::Usage("there is nothing to measure".to_owned()));
    };
    let kind = match target.is_file() {
        true => {
            let container = Container::open_any(target, OpenOptions::default());
            Some(container.map_err(Error::from)?.kind())
        }
        false => None,
    };
    let other = match kind {
        Some(Kind::Weights) => return model::run(target, args, compute, console),
        Some(Kind::TextIndex) => "a text index",
        Some(Kind::ImageIndex) => "an image index",
        None => "a bundle",
    };
    let of_a_model = first_given([
        (args.tokens.is_some(), "--tokens"),
        (args.requests.is_some(), "--requests"),
        (args.agree.is_some(), "--agree"),
        (args.turns, "--turns"),
    ]);
    if let Some(flag) = of_a_model {
        let message = format!("{flag} is for the weights of one model, not for {other}");
        return Err(Failure::Usage(message));
    }
    match kind {
        Some(Kind::TextIndex) => text_index::run(target, args, compute, console),
        Some(_) => image_index::run(target, args, compute, console),
        None if args.clip.is_some() => {
            let message = format!("--clip is for an image index, not for {other}");
            Err(Failure::Usage(message))
        }
        None => bundle::run(target, &args.queries()?, args, compute, console),
    }
}

fn synthetic(size: Size, args: &Args, compute: &ComputeArgs, console: &Console) -> Outcome {
    if args.module.is_none() && (args.tokens.is_some() || args.turns) {
        let message = "--tokens and --turns measure one model: add --module expert";
        return Err(Failure::Usage(message.to_owned()));
    }
    let mut plan = Plan {
        size,
        precision: args.precision,
        target: Target::Any,
        paragraphs: args.paragraphs,
        pictures: args.pictures,
        seed: args.seed,
    };
    let keep = args.keep.as_deref();
    // A device that cannot serve is told before weights are made for it.
    let threads = compute.threads.map(usize::from);
    let device = Compute::with_threads(compute.device, threads).map_err(Error::from)?;
    plan.target = match device.info().used.as_str() {
        "cpu" => Target::Cpu,
        _ => Target::Gpu,
    };
    drop(device);
    let made = Made::folder(keep)?;
    if args.make_only {
        match args.module {
            Some(Module::Expert) => made.expert(&plan, console)?,
            None => made.bundle(&plan, console)?,
        }
        return Ok(());
    }
    make_elsewhere(&made, args, compute, console)?;
    match args.module {
        Some(Module::Expert) => model::run(&made.expert_file(), args, compute, console),
        None => bundle::run(
            &made.bundle_folder(),
            &made.queries()?,
            args,
            compute,
            console,
        ),
    }
}

/// Has another process of this program make everything, so that the memory that it takes is not counted here.
fn make_elsewhere(made: &Made, args: &Args, compute: &ComputeArgs, console: &Console) -> Outcome {
    let program = std::env::current_exe().map_err(|error| Error::io("this program", error))?;
    let mut command = Command::new(program);
    command.args(["bench", "--make-only", "--synthetic"]);
    command.arg(args.synthetic.map_or("", Size::name));
    let numbers = [
        ("--precision", args.precision.to_string()),
        ("--paragraphs", args.paragraphs.to_string()),
        ("--pictures", args.pictures.to_string()),
        ("--seed", args.seed.to_string()),
        ("--device", compute.device.to_string()),
    ];
    for (flag, value) in numbers {
        command.args([flag, &value]);
    }
    if let (Some(Module::Expert), Some(tokens)) = (args.module, args.tokens) {
        command.args(["--module", "expert", "--tokens", &tokens.to_string()]);
    }
    if console.is_quiet() {
        command.arg("--quiet");
    }
    command.arg("--keep").arg(made.path());
    let status = command
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .status()
        .map_err(|error| Error::io("this program", error))?;
    console.check()?;
    if status.success() {
        return Ok(());
    }
    let message = format!("the models could not be made: {status}");
    Err(Error::input(message).at(made.path()).into())
}

impl Args {
    fn form(&self) -> Output {
        if self.json { Output::Json } else { self.output }
    }

    /// What is asked. There is at least one query.
    fn queries(&self) -> std::result::Result<Vec<Query>, Failure> {
        let queries: Vec<Query> = match (&self.input, &self.text) {
            (Some(input), _) => {
                let format = self.format.map(Into::into);
                Queries::open(input, format, self.images.as_deref())?.collect::<Result<_>>()?
            }
            (None, Some(text)) => {
                let query = Query::text(text.clone());
                vec![match &self.image {
                    Some(image) => query.image_file(image),
                    None => query,
                }]
            }
            (None, None) => {
                let message = "there is nothing to ask: give --text S or --input F";
                return Err(Failure::Usage(message.to_owned()));
            }
        };
        if queries.is_empty() {
            return Err(Error::input("there is no sentence to measure with").into());
        }
        Ok(queries)
    }
}

/// The times of each module.
fn times_of(samples: &Named<Vec<u64>>) -> Named<Times> {
    samples
        .iter()
        .map(|(name, samples)| (name.to_owned(), Times::of(samples)))
        .collect()
}

/// What the process took, in words.
fn memory_remark(memory: &Memory) -> String {
    let mut text = String::new();
    let parts = [
        ("resident at most", memory.peak_resident),
        ("of it now not mapped", memory.resident_anonymous),
        ("on the device", memory.device),
    ];
    for (name, count) in parts {
        if let Some(count) = count {
            let separator = if text.is_empty() { "; " } else { ", " };
            text.push_str(&format!("{separator}{} {name}", bytes(count)));
        }
    }
    text
}

/// A share as people write it: `5%` or `0.05`.
fn share(text: &str) -> std::result::Result<f64, String> {
    let (number, unit) = match text.strip_suffix('%') {
        Some(number) => (number, 100.0),
        None => (text, 1.0),
    };
    match number.trim().parse::<f64>() {
        Ok(number) if number.is_finite() && number >= 0.0 => Ok(number / unit),
        _ => Err("expected a share such as 5% or 0.05".to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shares_are_read_with_and_without_a_percent_sign() {
        assert_eq!(
            (share("5%"), share("0.05"), share("0")),
            (Ok(0.05), Ok(0.05), Ok(0.0))
        );
        for text in ["", "%", "-1%", "x", "inf", "NaN%"] {
            assert!(share(text).is_err(), "{text}");
        }
    }
}

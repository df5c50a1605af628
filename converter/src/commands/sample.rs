//! `sample`: the whole way, from a dump and checkpoints to answers, with nothing from outside.
//!
//! It writes small files of every kind that the other commands take, runs those commands, and answers
//! a handful of sentences with the bundle that comes out.

use crate::{Cli, Console, Error, Result, sample};
use clap::Parser as _;
use morelet::cli::Page;
use morelet::{
    Bundle, Detail, DeviceRequest, Prediction, Queries, Query, RunOptions, SessionOptions, Words,
};
use std::ffi::OsStr;
use std::fmt::Write as _;
use std::io::Write as _;
use std::path::{Path, PathBuf};

/// Arguments of `sample`.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// Directory for everything
    #[arg(short, long, value_name = "DIR", default_value = "sample.out")]
    output: PathBuf,
    /// Where the models run: auto, cpu, wgpu[:N] or cuda[:N]
    #[arg(long, value_name = "DEVICE", default_value = "cpu")]
    device: DeviceRequest,
    /// Print the answers as JSON lines
    #[arg(long)]
    json: bool,
}

/// What must be said wherever the answers are shown.
const UNTRAINED: &str = "The weights of this sample are random: nobody has trained them. So the answers, their scores and the gate \
                         mean nothing; what is real is the way from a sentence to them, and the time that it takes.";

/// Makes the sample and shows what it answers.
pub fn run(args: &Args, console: &Console) -> Result<()> {
    let directory = &args.output;
    check_replaceable(directory)?;
    sample::write(directory)?;
    let bundle = build(directory, args.device, console)?;
    let answers = answer(
        &bundle,
        &directory.join("queries.jsonl"),
        args.device,
        console,
    )?;

    let mut page = Page::new("Morelet: a sample", UNTRAINED);
    let mut lines = String::new();
    for (query, prediction) in &answers {
        page.add(query, prediction);
        lines.push_str(&prediction.to_json());
        lines.push('\n');
    }
    let page_path = directory.join("answers.html");
    morelet_mapped::write_file_atomically(directory.join("answers.jsonl"), lines.as_bytes())?;
    morelet_mapped::write_file_atomically(&page_path, page.finish().as_bytes())?;

    if args.json {
        std::io::stdout().write_all(lines.as_bytes())?;
        console.say(UNTRAINED);
    } else {
        writeln!(std::io::stdout(), "{}\n{UNTRAINED}", table(&answers))?;
    }
    console.say(format_args!(
        "\nA page to look at: {}\nTo ask it yourself: morelet predict {} --text \"Kolo loves the sun\" --image {}",
        page_path.display(),
        bundle.display(),
        directory.join("wiki/Kolo.png").display(),
    ));
    Ok(())
}

/// Refuses a directory with files in it that no sample made.
fn check_replaceable(directory: &Path) -> Result<()> {
    let occupied = std::fs::read_dir(directory).is_ok_and(|mut files| files.next().is_some());
    if occupied && !directory.join("checkpoints").is_dir() {
        return Err(Error::input(format!(
            "{}: expected an earlier sample, an empty directory or none, got one with other files: give another path",
            directory.display()
        )));
    }
    Ok(())
}

/// Runs the commands that lead to a bundle, and returns its path.
fn build(directory: &Path, device: DeviceRequest, console: &Console) -> Result<PathBuf> {
    let at = |path: &str| directory.join(path);
    let (wiki, checkpoints, parts) = (at("wiki"), at("checkpoints"), at("parts"));
    std::fs::create_dir_all(&parts).map_err(|error| Error::io(&parts, error))?;
    step(
        console,
        &[&"corpus", &wiki.join("encyclopedia.xml"), &"-o", &wiki],
    )?;
    for (checkpoint, name) in [
        ("expert-text", "expert-text"),
        ("expert-image", "expert-image"),
        ("clip", "clip"),
        ("gate.safetensors", "gate"),
    ] {
        let weights = parts.join(name).with_extension("weights");
        step(
            console,
            &[
                &"model",
                &checkpoints.join(checkpoint),
                &"-o",
                &weights,
                &"--licence",
                &"MIT OR Apache-2.0",
            ],
        )?;
    }
    let (clip, gate) = (parts.join("clip.weights"), parts.join("gate.weights"));
    let (text_index, image_index) = (parts.join("text.index"), parts.join("image.index"));
    step(
        console,
        &[
            &"text-index",
            &wiki.join("corpus.jsonl"),
            &"-o",
            &text_index,
        ],
    )?;
    let device = device.to_string();
    step(
        console,
        &[
            &"image-index",
            &wiki.join("images.jsonl"),
            &"-o",
            &image_index,
            &"--clip",
            &clip,
            &"--device",
            &device,
        ],
    )?;
    let expert = |name: &str, file: &str| format!("{name}:{name}:{}", parts.join(file).display());
    let bundle = at("sample.morelet");
    step(
        console,
        &[
            &"bundle",
            &"-o",
            &bundle,
            &"--expert",
            &expert("text", "expert-text.weights"),
            &"--expert",
            &expert("image", "expert-image.weights"),
            &"--clip",
            &clip,
            &"--gate",
            &gate,
            &"--text-index",
            &text_index,
            &"--image-index",
            &image_index,
        ],
    )?;
    Ok(bundle)
}

/// Shows a command line of this tool and runs it.
fn step(console: &Console, arguments: &[&dyn AsRef<OsStr>]) -> Result<()> {
    let arguments: Vec<&OsStr> = std::iter::once("morelet-convert".as_ref())
        .chain(arguments.iter().map(|one| (*one).as_ref()))
        .collect();
    let quoted = arguments
        .iter()
        .map(|one| one.to_string_lossy())
        .map(|one| {
            if one.contains(' ') {
                format!("\"{one}\"")
            } else {
                one.into()
            }
        });
    console.say(format_args!("$ {}", quoted.collect::<Vec<_>>().join(" ")));
    let cli = Cli::try_parse_from(arguments).map_err(|error| Error::usage(error.to_string()))?;
    crate::run(&cli.command, &console.hushed())
}

fn answer(
    bundle: &Path,
    queries: &Path,
    device: DeviceRequest,
    console: &Console,
) -> Result<Vec<(Query, Prediction)>> {
    let session = Bundle::open(bundle)?.session(&SessionOptions {
        device,
        ..SessionOptions::default()
    })?;
    let options = RunOptions {
        detail: Detail::Labels,
        ..RunOptions::default()
    };
    let mut answers = Vec::new();
    for query in Queries::open(queries, None, None)? {
        console.check()?;
        let query = query?;
        let prediction = session.predict_with(&query, &options)?;
        answers.push((query, prediction));
    }
    Ok(answers)
}

/// Entities and gate of each sentence, then the time of each module, for people.
fn table(answers: &[(Query, Prediction)]) -> String {
    let mut text = String::new();
    let mut modules: Vec<(&str, Vec<u64>)> = Vec::new();
    for (query, prediction) in answers {
        // Writing to a string has no way to fail.
        let _ = writeln!(text, "\n{}", sentence(query));
        let entities: Vec<String> = prediction
            .entities
            .iter()
            .flatten()
            .map(|entity| format!("{} {} ({:.2})", entity.kind, entity.text, entity.score))
            .collect();
        let gate = prediction.gate.as_ref().map(|gate| {
            let weights = gate
                .iter()
                .map(|(name, weight)| format!("{name} {:.0} %", 100.0 * weight));
            weights.collect::<Vec<_>>().join(", ")
        });
        let rows = [("entities", Some(entities.join(", "))), ("gate", gate)];
        let notes = prediction
            .notes
            .iter()
            .map(|note| ("note", Some(note.clone())));
        for (name, value) in rows.into_iter().chain(notes) {
            let value = value
                .filter(|value| !value.is_empty())
                .unwrap_or_else(|| "-".to_owned());
            let _ = writeln!(text, "  {name:10}{value}");
        }
        for (module, micros) in prediction.timings_us.iter() {
            match modules.iter_mut().find(|(name, _)| *name == module) {
                Some((_, all)) => all.push(*micros),
                None => modules.push((module, vec![*micros])),
            }
        }
    }
    let _ = writeln!(
        text,
        "\n{:24}{:>8}{:>12}{:>12}",
        "module", "runs", "mean ms", "most ms"
    );
    for (module, micros) in modules {
        let millis = |micros: u64| micros as f64 / 1000.0;
        let mean = millis(micros.iter().sum()) / micros.len() as f64;
        let most = millis(micros.iter().copied().max().unwrap_or(0));
        let _ = writeln!(
            text,
            "{module:24}{:>8}{mean:>12.2}{most:>12.2}",
            micros.len()
        );
    }
    text
}

fn sentence(query: &Query) -> String {
    match &query.words {
        Words::Text(text) => text.clone(),
        Words::Tokens(tokens) => tokens.join(" "),
    }
}

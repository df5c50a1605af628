//! `sample`: the whole way, from a dump and checkpoints to answers, with nothing from outside.
//!
//! It writes small files of every kind that the other commands take, runs those commands, answers a handful of posts with
//! the bundles that come out, and scores them on some more.

use crate::{Cli, Console, Error, Result, sample};
use clap::Parser as _;
use morelet::cli::Page;
use morelet::{
    Bundle, Detail, DeviceRequest, Evaluation, Gold, Prediction, Queries, Query, Report,
    RunOptions, Sentence, SessionOptions, spans,
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
const ABOUT: &str = "Everybody and everything here is made up by a program. The experts are small and have learned from a few thousand \
                     posts in a minute each; the things in these posts they have never met, and must look up: some can be found by \
                     the text alone, some by the picture alone.";

/// What a post's answer depends on: its kind stands at the end of its id. Two of each are shown.
const GROUPS: [&str; 4] = ["text", "image", "both", "cue"];
const SHOWN: usize = 2;

/// A task with its answers and how right they are.
struct Answered {
    bundle: PathBuf,
    shown: Vec<(Query, Prediction)>,
    report: Report,
}

/// Makes the sample and shows what it answers.
pub fn run(args: &Args, console: &Console) -> Result<()> {
    let directory = &args.output;
    check_replaceable(directory)?;
    sample::write(directory)?;
    prepare(directory, args.device, console)?;
    let mut answered = Vec::new();
    for task in ["ner", "re"] {
        let bundle = bundle(directory, task, console)?;
        answered.push(answer(directory, bundle, task, args.device, console)?);
    }

    let mut page = Page::new("Morelet: a sample", ABOUT);
    let mut lines = String::new();
    for (query, prediction) in answered.iter().flat_map(|one| &one.shown) {
        page.add(query, prediction);
        lines.push_str(&prediction.to_json());
        lines.push('\n');
    }
    let page_path = directory.join("answers.html");
    morelet_mapped::write_file_atomically(directory.join("answers.jsonl"), lines.as_bytes())?;
    morelet_mapped::write_file_atomically(&page_path, page.finish().as_bytes())?;

    if args.json {
        std::io::stdout().write_all(lines.as_bytes())?;
        console.say(ABOUT);
    } else {
        let text = format!("{}{}\n{ABOUT}", table(&answered), scores(&answered));
        writeln!(std::io::stdout(), "{text}")?;
    }
    let (first, _) = &answered[0].shown[0];
    console.say(format_args!(
        "\nA page to look at: {}\nTo ask it yourself: morelet predict {} --text \"{}\"",
        page_path.display(),
        answered[0].bundle.display(),
        Sentence::new(&first.words).text(),
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

/// Runs the commands that lead to weights and indices.
fn prepare(directory: &Path, device: DeviceRequest, console: &Console) -> Result<()> {
    let at = |path: &str| directory.join(path);
    let (wiki, checkpoints, parts) = (at("wiki"), at("checkpoints"), at("parts"));
    std::fs::create_dir_all(&parts).map_err(|error| Error::io(&parts, error))?;
    let dump = wiki.join("encyclopedia.xml");
    step(console, &[&"corpus", &dump, &"-o", &wiki])?;
    for (checkpoint, precision) in [
        ("clip", "f32"),
        ("ner-text", "q8"),
        ("ner-image", "q8"),
        ("ner-gate.safetensors", "f32"),
        ("re-text", "q8"),
        ("re-image", "q8"),
        ("re-gate.safetensors", "f32"),
    ] {
        let (from, to) = (
            checkpoints.join(checkpoint),
            parts.join(checkpoint).with_extension("weights"),
        );
        let licence = "MIT OR Apache-2.0";
        step(
            console,
            &[
                &"model",
                &from,
                &"-o",
                &to,
                &"--quantize",
                &precision,
                &"--licence",
                &licence,
            ],
        )?;
    }
    let (clip, corpus) = (parts.join("clip.weights"), wiki.join("corpus.jsonl"));
    let (text_index, image_index) = (parts.join("text.index"), parts.join("image.index"));
    step(console, &[&"text-index", &corpus, &"-o", &text_index])?;
    let (images, device) = (wiki.join("images.jsonl"), device.to_string());
    step(
        console,
        &[
            &"image-index",
            &images,
            &"-o",
            &image_index,
            &"--clip",
            &clip,
            &"--device",
            &device,
        ],
    )
}

/// Puts the bundle of a task together, and returns its path.
fn bundle(directory: &Path, task: &str, console: &Console) -> Result<PathBuf> {
    let part = |name: &str| directory.join("parts").join(name);
    let expert = |context: &str| {
        let weights = part(&format!("{task}-{context}.weights"));
        format!("{context}:{context}:{}", weights.display())
    };
    let name = match task {
        "ner" => "entities.morelet",
        _ => "relations.morelet",
    };
    let bundle = directory.join(name);
    let gate = part(&format!("{task}-gate.weights"));
    step(
        console,
        &[
            &"bundle",
            &"-o",
            &bundle,
            &"--expert",
            &expert("text"),
            &"--expert",
            &expert("image"),
            &"--clip",
            &part("clip.weights"),
            &"--gate",
            &gate,
            &"--text-index",
            &part("text.index"),
            &"--image-index",
            &part("image.index"),
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

/// Answers all posts of a task.
fn answer(
    directory: &Path,
    bundle: PathBuf,
    task: &str,
    device: DeviceRequest,
    console: &Console,
) -> Result<Answered> {
    let session = Bundle::open(&bundle)?.session(&SessionOptions {
        device,
        ..SessionOptions::default()
    })?;
    let options = RunOptions {
        detail: Detail::Labels,
        ..RunOptions::default()
    };
    let posts = directory.join(format!("{task}/test.jsonl"));
    let mut evaluation = Evaluation::new();
    let mut shown: Vec<(Query, Prediction)> = Vec::new();
    for query in Queries::open(posts, None, None)? {
        console.check()?;
        let query = query?;
        let prediction = session.predict_with(&query, &options)?;
        evaluation.add(&query, &prediction)?;
        let of_group = |query: &Query| group(query);
        let same = shown
            .iter()
            .filter(|(other, _)| of_group(other) == of_group(&query));
        if same.count() < SHOWN {
            shown.push((query, prediction));
        }
    }
    shown.sort_by_key(|(query, _)| GROUPS.iter().position(|name| Some(*name) == group(query)));
    let names = session
        .bundle()
        .manifest()
        .experts
        .iter()
        .map(|expert| expert.name.as_str());
    let report = evaluation.report(&names.collect::<Vec<_>>());
    Ok(Answered {
        bundle,
        shown,
        report,
    })
}

/// The group of a post, from its id.
fn group(query: &Query) -> Option<&'static str> {
    let id = query.id.to_string();
    GROUPS
        .into_iter()
        .find(|name| id.ends_with(&format!("-{name}")))
}

/// What was found in each post shown, and what is right; then the time of each module, for people.
fn table(answered: &[Answered]) -> String {
    let mut text = String::new();
    let mut modules: Vec<(&str, Vec<u64>)> = Vec::new();
    for (query, prediction) in answered.iter().flat_map(|one| &one.shown) {
        let sentence = Sentence::new(&query.words);
        // Writing to a string has no way to fail.
        let _ = writeln!(
            text,
            "\n{}   [{}]",
            sentence.text(),
            group(query).unwrap_or_default()
        );
        let found = match &prediction.relation {
            Some(relation) => {
                let spans = [&query.subject, &query.object].map(|span| {
                    span.as_ref()
                        .map_or_else(String::new, |span| sentence.span_text(span))
                });
                format!(
                    "{} {} {} ({:.2})",
                    spans[0], relation.kind, spans[1], relation.score
                )
            }
            None => {
                let entities = prediction.entities.iter().flatten();
                let entities = entities
                    .map(|entity| format!("{} {} ({:.2})", entity.kind, entity.text, entity.score));
                entities.collect::<Vec<_>>().join(", ")
            }
        };
        let gate = prediction.gate.as_ref().map(|gate| {
            let weights = gate
                .iter()
                .map(|(name, weight)| format!("{name} {:.0} %", 100.0 * weight));
            weights.collect::<Vec<_>>().join(", ")
        });
        let rows = [
            ("found", Some(found)),
            ("right", right(query, &sentence)),
            ("gate", gate),
        ];
        for (name, value) in rows {
            let value = value.filter(|value| !value.is_empty());
            let _ = writeln!(
                text,
                "  {name:10}{}",
                value.unwrap_or_else(|| "-".to_owned())
            );
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

/// The right answer of a post, for people.
fn right(query: &Query, sentence: &Sentence) -> Option<String> {
    Some(match query.gold.as_ref()? {
        Gold::Relation(relation) => relation.clone(),
        Gold::Labels(labels) => {
            let spans = spans(labels).into_iter();
            let spans =
                spans.map(|span| format!("{} {}", span.kind, sentence.span_text(&span.words)));
            spans.collect::<Vec<_>>().join(", ")
        }
        Gold::Entities(_) => return None,
    })
}

/// F1 of each expert and of both together.
fn scores(answered: &[Answered]) -> String {
    let mut text = format!(
        "\n{:24}{:>8}{:>8}{:>8}{:>10}\n",
        "F1", "posts", "text", "image", "together"
    );
    for (name, one) in ["entities", "relations"].iter().zip(answered) {
        let expert = |name: &str| {
            let scores = one.report.experts.get(name);
            scores.map_or(0.0, |scores| scores.scores.all.f1)
        };
        let _ = writeln!(
            text,
            "{name:24}{:>8}{:>8.1}{:>8.1}{:>10.1}",
            one.report.n,
            expert("text"),
            expert("image"),
            one.report.fused.all.f1
        );
    }
    text
}

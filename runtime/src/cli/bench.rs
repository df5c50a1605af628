//! `bench`: the time of each module, over answers to real queries.

mod agreement;
mod index;
mod times;

use super::predict::InputFormat;
use super::table::table;
use super::{ComputeArgs, Console, EffortArgs, Outcome, print, print_json};
use crate::{
    Bundle, Effort, Error, Named, Queries, Query, Result, RunOptions, Sentence, SessionInfo,
};
use agreement::Agreement;
use serde::Serialize;
use std::path::PathBuf;
use std::time::Instant;
use times::{HEADER, Times, micros, ms};

/// Arguments of `bench`.
#[derive(Debug, clap::Args)]
#[command(group(clap::ArgGroup::new("what").required(true).args(["text", "input"])))]
pub struct Args {
    /// The bundle, or a text index, which is then measured alone
    #[arg(value_name = "BUNDLE|F.index")]
    bundle: PathBuf,
    /// The sentence to answer
    #[arg(long, value_name = "S")]
    text: Option<String>,
    /// The picture of the sentence
    #[arg(long, value_name = "F", conflicts_with = "input")]
    image: Option<PathBuf>,
    /// Sentences to answer, .jsonl or .conll
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
    effort: EffortArgs,
    /// Print JSON
    #[arg(long)]
    json: bool,
}

/// What was measured. All times are in µs, by the wall.
#[derive(Serialize)]
struct Measured {
    version: &'static str,
    bundle: String,
    /// The root of each part file.
    parts: Named<String>,
    session: SessionInfo,
    effort: Effort,
    /// Mapping and checking the bundle.
    open_us: u64,
    /// Loading the models.
    session_us: u64,
    /// The first answer.
    first_us: u64,
    /// The answers that count.
    answers: usize,
    modules: Named<Times>,
    sentences_per_second: f64,
    /// With an effort below 1, where an expert reads what is retrieved by the sentence.
    #[serde(skip_serializing_if = "Option::is_none")]
    text_search: Option<Agreement>,
}

pub(super) fn run(args: &Args, compute: &ComputeArgs, console: &Console) -> Outcome {
    if args.bundle.is_file() {
        return index::run(args, compute, console);
    }
    let queries = queries(args)?;
    let start = Instant::now();
    let bundle = Bundle::open(&args.bundle)?;
    let open_us = micros(start);
    let start = Instant::now();
    let session = compute.session(&bundle, args.effort, console)?;
    let session_us = micros(start);
    let options = RunOptions {
        cancel: console.cancel().clone(),
        ..RunOptions::default()
    };
    let mut first_us = None;
    let mut samples: Named<Vec<u64>> = Named::new();
    let answers = queries.len() * args.repeat as usize;
    let bar = console.count_bar("measuring", Some(answers as u64));
    let warm_up = queries.iter().cycle().take(args.warm_up as usize);
    for query in warm_up {
        let start = Instant::now();
        session.predict_with(query, &options)?;
        first_us.get_or_insert_with(|| micros(start));
    }
    let measuring = Instant::now();
    for query in (0..args.repeat).flat_map(|_| &queries) {
        let start = Instant::now();
        let prediction = session.predict_with(query, &options)?;
        first_us.get_or_insert_with(|| micros(start));
        for (module, &time) in prediction.timings_us.iter() {
            samples.get_mut_or(module, Vec::new).push(time);
        }
        bar.inc(1);
    }
    let seconds = measuring.elapsed().as_secs_f64();
    bar.finish_and_clear();
    let parts = &bundle.manifest().parts;
    let measured = Measured {
        version: env!("CARGO_PKG_VERSION"),
        bundle: args.bundle.display().to_string(),
        parts: parts
            .iter()
            .map(|part| (part.file.clone(), part.root.clone()))
            .collect(),
        session: session.info().clone(),
        effort: args.effort.effort,
        open_us,
        session_us,
        first_us: first_us.unwrap_or_default(),
        answers,
        modules: samples
            .iter()
            .map(|(name, samples)| (name.to_owned(), Times::of(samples)))
            .collect(),
        sentences_per_second: answers as f64 / seconds.max(f64::MIN_POSITIVE),
        text_search: agreement(&bundle, &queries, args.effort.effort)?,
    };
    if args.json {
        print_json(&measured, console)
    } else {
        print(&show(&measured))
    }
}

/// What the effort costs on these queries, if it can cost anything.
fn agreement(bundle: &Bundle, queries: &[Query], effort: Effort) -> Result<Option<Agreement>> {
    match bundle.text_index() {
        Some(index) if !effort.is_exact() && bundle.reads_text_index() => {
            let sentences = queries.iter().map(|query| Sentence::new(&query.words));
            let sentences: Vec<Sentence> = sentences.collect();
            Agreement::measure(index, sentences.iter().map(Sentence::text), effort)
        }
        _ => Ok(None),
    }
}

fn queries(args: &Args) -> Result<Vec<Query>> {
    let queries: Vec<Query> = match (&args.input, &args.text) {
        (Some(input), _) => {
            Queries::open(input, args.format.map(Into::into), args.images.as_deref())?
                .collect::<Result<_>>()?
        }
        (None, text) => {
            let query = Query::text(text.clone().unwrap_or_default());
            vec![match &args.image {
                Some(image) => query.image_file(image),
                None => query,
            }]
        }
    };
    if queries.is_empty() {
        return Err(Error::input("there is no sentence to measure with"));
    }
    Ok(queries)
}

fn show(measured: &Measured) -> String {
    let modules = measured.modules.iter();
    let rows: Vec<Vec<String>> = modules.map(|(name, times)| times.row(name)).collect();
    let device = &measured.session.device;
    let mut text = format!(
        "{} on {} ({}), in ms by the wall\n\n",
        measured.bundle, device.used, device.name
    );
    text.push_str(&table(&HEADER, &[0], &rows));
    text.push_str(&format!(
        "\nopen {}, load {}, first answer {}; {:.1} sentences a second, one after the other\n",
        ms(measured.open_us as f64),
        ms(measured.session_us as f64),
        ms(measured.first_us as f64),
        measured.sentences_per_second
    ));
    if let Some(agreement) = &measured.text_search {
        text.push_str(&agreement.line(measured.effort));
    }
    text
}

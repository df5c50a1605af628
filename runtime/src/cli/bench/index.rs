//! A text index measured alone.

use super::agreement::Agreement;
use super::times::{HEADER, Times, micros, ms};
use super::{Args, queries};
use crate::cli::table::table;
use crate::cli::{ComputeArgs, Console, Failure, Outcome, print, print_json};
use crate::{Effort, Error, Named, OpenOptions, RETRIEVED_KEYS, Sentence};
use morelet_indices::{SearchOptions, TextIndex};
use serde::Serialize;
use std::time::Instant;

/// What was measured. All times are in µs, by the wall.
#[derive(Serialize)]
struct Measured {
    version: &'static str,
    index: String,
    root: String,
    sentences: u32,
    effort: Effort,
    /// How many threads share a query.
    threads: usize,
    /// Mapping and checking the index.
    open_us: u64,
    /// The first search, with reading what it found.
    first_us: u64,
    /// The searches that count.
    answers: usize,
    modules: Named<Times>,
    /// With an effort below 1.
    #[serde(skip_serializing_if = "Option::is_none")]
    text_search: Option<Agreement>,
}

pub(super) fn run(args: &Args, compute: &ComputeArgs, console: &Console) -> Outcome {
    if args.image.is_some() || args.images.is_some() {
        return Err(Failure::Usage(
            "--image and --images are for bundles: a text index reads no pictures".to_owned(),
        ));
    }
    let queries = queries(args)?;
    let texts: Vec<String> = queries
        .iter()
        .map(|query| Sentence::new(&query.words).text().to_owned())
        .collect();
    let start = Instant::now();
    let index = TextIndex::open(&args.bundle, OpenOptions::default()).map_err(Error::from)?;
    let open_us = micros(start);
    let effort = args.effort.effort;
    let options = SearchOptions {
        k: RETRIEVED_KEYS,
        effort: effort.get(),
        threads: compute.threads.map_or(1, usize::from),
        ..SearchOptions::default()
    };
    let search = |text: &str| -> Result<[u64; 2], Error> {
        let start = Instant::now();
        let found = index.search_with(text, &options)?;
        let searched = micros(start);
        index.hits(&found, false)?;
        Ok([searched, micros(start).saturating_sub(searched)])
    };
    let mut first_us = None;
    for text in texts.iter().cycle().take(args.warm_up as usize) {
        let times = search(text)?;
        first_us.get_or_insert(times.iter().sum());
    }
    let answers = texts.len() * args.repeat as usize;
    let bar = console.count_bar("measuring", Some(answers as u64));
    let (mut searching, mut reading) = (Vec::new(), Vec::new());
    for text in (0..args.repeat).flat_map(|_| &texts) {
        console.check()?;
        let [searched, read] = search(text)?;
        first_us.get_or_insert(searched + read);
        searching.push(searched);
        reading.push(read);
        bar.inc(1);
    }
    bar.finish_and_clear();
    let text_search = if effort.is_exact() {
        None
    } else {
        Agreement::measure(&index, texts.iter().map(String::as_str), effort)?
    };
    let modules = [("search", &searching), ("paragraphs", &reading)];
    let measured = Measured {
        version: env!("CARGO_PKG_VERSION"),
        index: args.bundle.display().to_string(),
        root: index.roots().map(|root| root.to_string()).collect(),
        sentences: index.len(),
        effort,
        threads: options.threads,
        open_us,
        first_us: first_us.unwrap_or_default(),
        answers,
        modules: modules
            .into_iter()
            .map(|(name, samples)| (name.to_owned(), Times::of(samples)))
            .collect(),
        text_search,
    };
    if args.json {
        print_json(&measured, console)
    } else {
        print(&show(&measured))
    }
}

fn show(measured: &Measured) -> String {
    let modules = measured.modules.iter();
    let rows: Vec<Vec<String>> = modules.map(|(name, times)| times.row(name)).collect();
    let mut text = format!(
        "{}, {} sentences, {} thread{}, in ms by the wall\n\n{}\nopen {}, first search {}\n",
        measured.index,
        measured.sentences,
        measured.threads,
        if measured.threads == 1 { "" } else { "s" },
        table(&HEADER, &[0], &rows),
        ms(measured.open_us as f64),
        ms(measured.first_us as f64),
    );
    if let Some(agreement) = &measured.text_search {
        text.push_str(&agreement.line(measured.effort));
    }
    text
}

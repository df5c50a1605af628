//! A text index measured alone.

use super::Args;
use super::agreement::Agreement;
use super::host::{Host, Memory};
use super::output::{self, Measurement};
use super::times::{Times, micros, ms};
use crate::cli::retrieval::first_given;
use crate::cli::{ComputeArgs, Console, Failure, Outcome};
use crate::{Effort, Error, Named, OpenOptions, RETRIEVED_KEYS, Sentence};
use morelet_indices::{SearchOptions, TextIndex};
use serde::Serialize;
use std::path::Path;
use std::time::Instant;

/// What was measured. All times are in µs, by the wall.
#[derive(Serialize)]
struct Measured {
    version: &'static str,
    commit: Option<&'static str>,
    host: Host,
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
    memory: Memory,
    /// With an effort below 1.
    #[serde(skip_serializing_if = "Option::is_none")]
    text_search: Option<Agreement>,
}

pub(super) fn run(path: &Path, args: &Args, compute: &ComputeArgs, console: &Console) -> Outcome {
    let given = first_given([
        (args.image.is_some(), "--image"),
        (args.images.is_some(), "--images"),
        (args.clip.is_some(), "--clip"),
    ]);
    if let Some(flag) = given.or_else(|| args.retrieval.image.first_given()) {
        let message = format!("{flag} is for pictures, which a text index does not read");
        return Err(Failure::Usage(message));
    }
    let given = first_given([(args.alone, "--alone"), (!args.batch.is_empty(), "--batch")]);
    if let Some(flag) = given {
        let message = format!("{flag} is not for a text index, which is searched query by query");
        return Err(Failure::Usage(message));
    }
    let queries = args.queries()?;
    let texts: Vec<String> = queries
        .iter()
        .map(|query| Sentence::new(&query.words).text().to_owned())
        .collect();
    let start = Instant::now();
    let index = TextIndex::open(path, OpenOptions::default()).map_err(Error::from)?;
    let open_us = micros(start);
    let effort = args.retrieval.effort;
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
        commit: super::COMMIT,
        host: Host::of_this_machine(),
        index: path.display().to_string(),
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
        memory: Memory::of_this_process("cpu"),
        text_search,
    };
    output::write(&measured, args.form(), console)
}

impl Measurement for Measured {
    fn title(&self) -> String {
        format!(
            "{}, {} sentences, {} thread{}",
            self.index,
            self.sentences,
            self.threads,
            if self.threads == 1 { "" } else { "s" }
        )
    }

    fn groups(&self) -> Vec<(&str, &Named<Times>)> {
        vec![("", &self.modules)]
    }

    fn remarks(&self) -> String {
        let mut text = format!(
            "open {}, first search {}{}\n",
            ms(self.open_us as f64),
            ms(self.first_us as f64),
            super::memory_remark(&self.memory)
        );
        if let Some(agreement) = &self.text_search {
            text.push_str(&agreement.line(self.effort));
        }
        text
    }
}

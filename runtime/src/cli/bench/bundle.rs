//! A bundle measured as a whole.

use super::agreement::Agreement;
use super::host::{Host, Memory};
use super::image_index::ImageSearched;
use super::output::{self, Measurement};
use super::paper::{self, Beside};
use super::times::{Times, micros, ms};
use super::{Args, alone};
use crate::cli::{ComputeArgs, Console, Outcome};
use crate::{
    Bundle, Effort, Error, MANIFEST_FILE, Named, Query, Result, RunOptions, Sentence, Session,
    SessionInfo,
};
use morelet_mapped::Hash;
use serde::Serialize;
use std::path::Path;
use std::time::Instant;

/// What was measured. All times are in µs, by the wall.
#[derive(Serialize)]
struct Measured {
    version: &'static str,
    /// What the program was built from.
    commit: Option<&'static str>,
    host: Host,
    bundle: String,
    /// The hash of its `bundle.json`, which holds the root of each part.
    root: String,
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
    /// The modules of the pipeline, batch 1; `total` is the answer from end to end. Those of the sentence and of the picture
    /// run at the same time.
    modules: Named<Times>,
    /// Each module with nothing beside it.
    #[serde(skip_serializing_if = "Named::is_empty")]
    alone: Named<Times>,
    /// Batches by their size, each as a whole.
    #[serde(skip_serializing_if = "Named::is_empty")]
    batches: Named<Times>,
    sentences_per_second: f64,
    /// Modules a second beside the paper's.
    #[serde(skip_serializing_if = "Named::is_empty")]
    paper: Named<Beside>,
    memory: Memory,
    /// With an effort below 1, where an expert reads what is retrieved by the sentence.
    #[serde(skip_serializing_if = "Option::is_none")]
    text_search: Option<Agreement>,
    /// Where an expert reads what is retrieved by the picture.
    #[serde(skip_serializing_if = "Option::is_none")]
    image_search: Option<ImageSearched>,
}

pub(super) fn run(
    path: &Path,
    queries: &[Query],
    args: &Args,
    compute: &ComputeArgs,
    console: &Console,
) -> Outcome {
    let start = Instant::now();
    let bundle = Bundle::open(path)?;
    let open_us = micros(start);
    let start = Instant::now();
    let session = compute.session(&bundle, &args.retrieval, console)?;
    let session_us = micros(start);
    let options = RunOptions {
        cancel: console.cancel().clone(),
        ..RunOptions::default()
    };
    let mut first_us = None;
    let mut samples: Named<Vec<u64>> = Named::new();
    let answers = queries.len() * args.repeat as usize;
    let bar = console.count_bar("measuring", Some(answers as u64));
    for query in queries.iter().cycle().take(args.warm_up as usize) {
        let start = Instant::now();
        session.predict_with(query, &options)?;
        first_us.get_or_insert_with(|| micros(start));
    }
    let measuring = Instant::now();
    for query in (0..args.repeat).flat_map(|_| queries) {
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
    let memory = Memory::of_this_process(&session.info().device.used);
    let modules = super::times_of(&samples);
    let alone = if args.alone {
        alone(&session, queries, args.repeat, console)?
    } else {
        Named::new()
    };
    let batches = batches(&session, queries, args, &options, console)?;
    let parts = &bundle.manifest().parts;
    let measured = Measured {
        version: env!("CARGO_PKG_VERSION"),
        commit: super::COMMIT,
        host: Host::of_this_machine(),
        bundle: path.display().to_string(),
        root: root(path)?,
        parts: parts
            .iter()
            .map(|part| (part.file.clone(), part.root.clone()))
            .collect(),
        session: session.info().clone(),
        effort: args.retrieval.effort,
        open_us,
        session_us,
        first_us: first_us.unwrap_or_default(),
        answers,
        paper: paper::beside(if alone.is_empty() { &modules } else { &alone }),
        modules,
        alone,
        batches,
        sentences_per_second: answers as f64 / seconds.max(f64::MIN_POSITIVE),
        memory,
        text_search: agreement(&bundle, queries, args.retrieval.effort)?,
        image_search: bundle.reads_image_index().then(|| {
            let effort = args.retrieval.image.effort.effort();
            ImageSearched::new(effort, &session.inner().image_search)
        }),
    };
    output::write(&measured, args.form(), console)
}

fn root(bundle: &Path) -> Result<String> {
    let path = bundle.join(MANIFEST_FILE);
    let bytes = std::fs::read(&path).map_err(|error| Error::io(path, error))?;
    Ok(Hash::of(&bytes).to_string())
}

fn alone(
    session: &Session,
    queries: &[Query],
    repeat: u32,
    console: &Console,
) -> Result<Named<Times>> {
    let total = queries.len() as u64 * u64::from(repeat);
    let bar = console.count_bar("each module alone", Some(total));
    let mut samples = Named::new();
    for query in (0..repeat).flat_map(|_| queries) {
        alone::measure(session.inner(), query, console.cancel(), &mut samples)?;
        bar.inc(1);
    }
    bar.finish_and_clear();
    Ok(super::times_of(&samples))
}

fn batches(
    session: &Session,
    queries: &[Query],
    args: &Args,
    options: &RunOptions,
    console: &Console,
) -> Result<Named<Times>> {
    let mut batches = Named::new();
    for &size in &args.batch {
        let size = usize::from(size);
        let bar = console.count_bar(format!("batches of {size}"), Some(args.repeat.into()));
        let mut samples = Vec::new();
        let mut next = queries.iter().cycle();
        for _ in 0..args.repeat {
            let batch: Vec<Query> = next.by_ref().take(size).cloned().collect();
            let start = Instant::now();
            for prediction in session.predict_batch(&batch, options) {
                prediction?;
            }
            samples.push(micros(start));
            bar.inc(1);
        }
        bar.finish_and_clear();
        batches.push(size.to_string(), Times::of(&samples));
    }
    Ok(batches)
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

impl Measurement for Measured {
    fn title(&self) -> String {
        let device = &self.session.device;
        format!("{} on {} ({})", self.bundle, device.used, device.name)
    }

    fn groups(&self) -> Vec<(&str, &Named<Times>)> {
        let mut groups = vec![("", &self.modules)];
        for (name, rows) in [("alone", &self.alone), ("batches", &self.batches)] {
            if !rows.is_empty() {
                groups.push((name, rows));
            }
        }
        groups
    }

    fn remarks(&self) -> String {
        let warm = self.modules.get("total").map_or(0.0, |total| total.mean);
        let mut text = format!(
            "open {}, load {}, first answer {}, a later one {}; {:.1} sentences a second, one after the other{}\n",
            ms(self.open_us as f64),
            ms(self.session_us as f64),
            ms(self.first_us as f64),
            ms(warm),
            self.sentences_per_second,
            super::memory_remark(&self.memory)
        );
        for (size, times) in self.batches.iter() {
            let sentences = size.parse::<f64>().unwrap_or(0.0) * times.per_second();
            text.push_str(&format!(
                "batches of {size}: {sentences:.1} sentences a second\n"
            ));
        }
        text.push_str(&paper::lines(&self.paper));
        if let Some(agreement) = &self.text_search {
            text.push_str(&agreement.line(self.effort));
        }
        if let Some(image_search) = &self.image_search {
            text.push_str(&image_search.line());
        }
        text
    }
}

//! An image index measured alone. CLIP sees the pictures before anything is timed.

use super::Args;
use super::agreement::{Share, share};
use super::host::{Host, Memory};
use super::output::{self, Measurement};
use super::times::{Times, micros, ms};
use crate::cli::clip_features::ClipFeatures;
use crate::cli::search::{Asking, SearchKind};
use crate::cli::{ComputeArgs, Console, Failure, Outcome};
use crate::prefault::prefault;
use crate::{Error, ImageEffort, Named, OpenOptions, Result};
use morelet_indices::{ImageIndex, ImageSearchOptions};
use serde::Serialize;
use std::path::{Path, PathBuf};
use std::time::Instant;

/// What was measured. All times are in µs, by the wall.
#[derive(Serialize)]
struct Measured {
    version: &'static str,
    commit: Option<&'static str>,
    host: Host,
    index: String,
    root: String,
    pictures: u32,
    dimension: usize,
    vectors: String,
    /// How many threads share a batch; other searches are one thread's.
    threads: usize,
    /// Mapping and checking the index.
    open_us: u64,
    /// Reading it into memory, with `--prefault`.
    #[serde(skip_serializing_if = "Option::is_none")]
    prefault_us: Option<u64>,
    /// The first search, with reading what it found.
    first_us: u64,
    /// The searches that count.
    answers: usize,
    modules: Named<Times>,
    /// Batches by their size, each as a whole, without reading what was found.
    #[serde(skip_serializing_if = "Named::is_empty")]
    batches: Named<Times>,
    memory: Memory,
    image_search: ImageSearched,
}

/// How pictures were searched.
#[derive(Serialize)]
pub(super) struct ImageSearched {
    effort: ImageEffort,
    /// The candidates that were kept, where not every picture was compared.
    ef: Option<usize>,
    /// What that misses, where it was measured.
    #[serde(flatten)]
    found: Option<Found>,
}

/// Recall@10 over the queries of a measurement.
#[derive(Serialize)]
struct Found {
    /// The share of the true ten nearest that was found; the mean over the queries. A picture with the score of the tenth
    /// counts as well as the tenth.
    recall_at_10: f64,
    /// That of the query that lost most.
    worst: f64,
    queries: usize,
}

impl ImageSearched {
    pub fn new(effort: ImageEffort, options: &ImageSearchOptions<'_>) -> Self {
        Self {
            effort,
            ef: (!options.exact).then_some(options.ef),
            found: None,
        }
    }
}

pub(super) fn run(path: &Path, args: &Args, compute: &ComputeArgs, console: &Console) -> Outcome {
    let pictures = pictures(args)?;
    let effort = args.retrieval.image.effort.effort();
    let start = Instant::now();
    let index = ImageIndex::open(path, OpenOptions::default()).map_err(Error::from)?;
    let open_us = micros(start);
    let options = effort.options(&index)?;
    let features = features(&pictures, &index, path, args, compute, console)?;
    let prefault_us = match args.retrieval.image.prefault {
        true => {
            let start = Instant::now();
            prefault(&index)?;
            Some(micros(start))
        }
        false => None,
    };
    let search = |feature: &[f32]| -> Result<[u64; 2]> {
        console.check()?;
        let start = Instant::now();
        let found = index.search_with(feature, &options)?;
        let searched = micros(start);
        index.hits(&found, false)?;
        Ok([searched, micros(start).saturating_sub(searched)])
    };
    let mut first_us = None;
    for feature in features.iter().cycle().take(args.warm_up as usize) {
        let times = search(feature)?;
        first_us.get_or_insert(times.iter().sum());
    }
    let answers = features.len() * args.repeat as usize;
    let bar = console.count_bar("measuring", Some(answers as u64));
    let (mut searching, mut reading) = (Vec::new(), Vec::new());
    for feature in (0..args.repeat).flat_map(|_| &features) {
        let [searched, read] = search(feature)?;
        first_us.get_or_insert(searched + read);
        searching.push(searched);
        reading.push(read);
        bar.inc(1);
    }
    bar.finish_and_clear();
    let threads = compute.threads.map_or(1, usize::from);
    let modules = [("search", &searching), ("values", &reading)];
    let measured = Measured {
        version: env!("CARGO_PKG_VERSION"),
        commit: super::COMMIT,
        host: Host::of_this_machine(),
        index: path.display().to_string(),
        root: index.container().root().to_string(),
        pictures: index.len(),
        dimension: index.dim(),
        vectors: index.vectors().to_string(),
        threads,
        open_us,
        prefault_us,
        first_us: first_us.unwrap_or_default(),
        answers,
        modules: modules
            .into_iter()
            .map(|(name, samples)| (name.to_owned(), Times::of(samples)))
            .collect(),
        batches: batches(&index, &features, &options, threads, args, console)?,
        memory: Memory::of_this_process("cpu"),
        image_search: ImageSearched {
            found: found(&index, &features, &options, console)?,
            ..ImageSearched::new(effort, &options)
        },
    };
    output::write(&measured, args.form(), console)
}

/// The pictures that are searched with.
fn pictures(args: &Args) -> std::result::Result<Vec<PathBuf>, Failure> {
    for (given, flag) in [
        (args.text.is_some(), "--text"),
        (args.images.is_some(), "--images"),
        (args.format.is_some(), "--format"),
        (!args.retrieval.effort.is_exact(), "--effort"),
        (args.alone, "--alone"),
    ] {
        if given {
            let message =
                format!("{flag} is not for an image index, which is searched with pictures");
            return Err(Failure::Usage(message));
        }
    }
    let pictures: Vec<PathBuf> = match (&args.input, &args.image) {
        (Some(input), _) => Asking::open(input, SearchKind::Image)?
            .map(|asked| Ok(asked?.picture()))
            .collect::<Result<_>>()?,
        (None, Some(image)) => vec![image.clone()],
        (None, None) => {
            let message =
                "there is nothing to search with: give --image F or --input F, a list of pictures";
            return Err(Failure::Usage(message.to_owned()));
        }
    };
    if pictures.is_empty() {
        return Err(Error::input("there is no picture to measure with").into());
    }
    Ok(pictures)
}

/// What CLIP makes of the pictures.
fn features(
    pictures: &[PathBuf],
    index: &ImageIndex,
    path: &Path,
    args: &Args,
    compute: &ComputeArgs,
    console: &Console,
) -> Result<Vec<Vec<f32>>> {
    let clip = ClipFeatures::open(args.clip.as_deref(), index, path, compute)?;
    let bar = console.count_bar("looking at pictures", Some(pictures.len() as u64));
    let features = pictures.iter().map(|picture| {
        let feature = clip.of(&clip.picture(picture)?, console.cancel())?;
        bar.inc(1);
        Ok(feature)
    });
    let features = features.collect();
    bar.finish_and_clear();
    features
}

/// Batches of the sizes that were asked for; with several threads and no size, one of all queries.
fn batches(
    index: &ImageIndex,
    features: &[Vec<f32>],
    options: &ImageSearchOptions<'_>,
    threads: usize,
    args: &Args,
    console: &Console,
) -> Result<Named<Times>> {
    let mut sizes: Vec<usize> = args.batch.iter().copied().map(usize::from).collect();
    if sizes.is_empty() && threads > 1 {
        sizes.push(features.len());
    }
    let mut batches = Named::new();
    for size in sizes {
        let mut next = features.iter().map(Vec::as_slice).cycle();
        let mut samples = Vec::new();
        for _ in 0..args.repeat {
            console.check()?;
            let batch: Vec<&[f32]> = next.by_ref().take(size).collect();
            let start = Instant::now();
            index.search_batch(&batch, options, threads)?;
            samples.push(micros(start));
        }
        batches.push(size.to_string(), Times::of(&samples));
    }
    Ok(batches)
}

/// How much of the truth is found, unless all of it is.
fn found(
    index: &ImageIndex,
    features: &[Vec<f32>],
    options: &ImageSearchOptions<'_>,
    console: &Console,
) -> Result<Option<Found>> {
    if options.exact || index.is_empty() {
        return Ok(None);
    }
    let exact = ImageSearchOptions {
        exact: true,
        ..*options
    };
    let mut shares = Share::default();
    for feature in features {
        console.check()?;
        let scored = |options| -> Result<Vec<(u32, f32)>> {
            let found = index.search_with(feature, options)?.into_iter();
            Ok(found.map(|(image, score)| (image.0, score)).collect())
        };
        shares.add(share(&scored(&exact)?, &scored(options)?));
    }
    Ok(shares.mean().map(|recall_at_10| Found {
        recall_at_10,
        worst: shares.worst(),
        queries: shares.count(),
    }))
}

impl Measurement for Measured {
    fn title(&self) -> String {
        format!(
            "{}: {} pictures, {} of {} dimensions",
            self.index, self.pictures, self.vectors, self.dimension
        )
    }

    fn groups(&self) -> Vec<(&str, &Named<Times>)> {
        let mut groups = vec![("", &self.modules)];
        if !self.batches.is_empty() {
            groups.push(("batches", &self.batches));
        }
        groups
    }

    fn remarks(&self) -> String {
        let searches = self.modules.get("search").map_or(0.0, Times::per_second);
        let mut text = format!("open {}", ms(self.open_us as f64));
        if let Some(us) = self.prefault_us {
            text.push_str(&format!(", prefault {}", ms(us as f64)));
        }
        text.push_str(&format!(
            ", first search {}; {searches:.0} searches a second, one after the other{}\n",
            ms(self.first_us as f64),
            super::memory_remark(&self.memory)
        ));
        for (size, times) in self.batches.iter() {
            let queries = size.parse::<f64>().unwrap_or(0.0) * times.per_second();
            text.push_str(&format!(
                "batches of {size} on {} thread{}: {queries:.0} searches a second\n",
                self.threads,
                if self.threads == 1 { "" } else { "s" }
            ));
        }
        text.push_str(&self.image_search.line());
        text
    }
}

impl ImageSearched {
    /// A line of a report.
    pub fn line(&self) -> String {
        let how = match self.ef {
            Some(ef) => format!("with an ef of {ef}"),
            None => "exactly".to_owned(),
        };
        let found = self.found.as_ref().map_or_else(String::new, |found| {
            format!(
                ": recall@10 {:.4} over {} queries, {:.1} at worst",
                found.recall_at_10, found.queries, found.worst
            )
        });
        format!("pictures were searched {how} ({}){found}\n", self.effort)
    }
}

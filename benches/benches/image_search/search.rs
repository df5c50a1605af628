//! Searches in an index that is warm.

use std::io::{BufRead, Write};
use std::thread;
use std::time::Instant;

use morelet_benches::{Clock, Result, Samples, Taken};
use morelet_indices::{ImageIndex, ImageSearchOptions};
use serde_json::{Value, json};

use crate::USAGE;
use crate::truth::Queries;

/// How often the index is opened.
const OPENED: usize = 21;

/// What `search` and `serve` are told.
struct Told {
    index: String,
    queries: Queries,
    efs: Vec<usize>,
    passes: usize,
    threads: usize,
    exact: bool,
}

impl Told {
    fn by(args: Vec<String>) -> Result<Told> {
        let (mut k, mut passes, mut threads, mut exact) = (10, 3, 1, false);
        let (mut truth, mut scores) = (None, None);
        let (mut efs, mut paths) = (Vec::new(), Vec::new());
        let mut args = args.into_iter().peekable();
        while let Some(arg) = args.next() {
            let mut value = || args.next_if(|value| !value.starts_with('-'));
            match arg.as_str() {
                "--truth" => truth = value(),
                "--scores" => scores = value(),
                "-k" | "--k" => k = value().ok_or(USAGE)?.parse()?,
                "--passes" => passes = value().ok_or(USAGE)?.parse()?,
                "--threads" => threads = value().ok_or(USAGE)?.parse()?,
                "--exact" => exact = true,
                "--ef" => {
                    while let Some(ef) = value() {
                        efs.push(ef.parse()?);
                    }
                }
                _ => paths.push(arg),
            }
        }
        let ([index, queries], Some(truth)) = (paths.as_slice(), truth) else {
            return Err(USAGE.into());
        };
        Ok(Told {
            index: index.clone(),
            queries: Queries::read(queries, &truth, scores.as_deref(), k)?,
            efs,
            passes,
            threads,
            exact,
        })
    }
}

/// `search`.
pub fn run(args: Vec<String>) -> Result<()> {
    let told = Told::by(args)?;
    let start = Instant::now();
    let mut index = ImageIndex::open(&told.index, Default::default())?;
    let first = start.elapsed();
    let mut opened = Samples::default();
    for _ in 0..OPENED {
        let start = Instant::now();
        index = ImageIndex::open(&told.index, Default::default())?;
        opened.add(start.elapsed());
    }

    let mut rows = Vec::new();
    for &ef in &told.efs {
        rows.push(measure(&index, &told, ef, told.threads, false)?);
    }
    if told.exact {
        rows.push(measure(&index, &told, 0, told.threads, true)?);
    }
    let mut answer = of_index(&index);
    answer["open_us"] = json!(opened.percentile(50.0));
    answer["first_open_us"] = json!(first.as_secs_f64() * 1e6);
    answer["threads"] = json!(told.threads);
    answer["rows"] = json!(rows);
    println!("{answer}");
    Ok(())
}

/// What the index says of itself, and its bytes. What a graph and the vectors that it is searched with take is
/// `search_bytes`; apart from it are vectors for the last candidates only, and the pictures' ids and texts.
fn of_index(index: &ImageIndex) -> Value {
    let sections = index.container().sections();
    let bytes = |kind: fn(&str) -> bool| -> u64 {
        let sections = sections.iter().filter(|section| kind(&section.name));
        sections.map(|section| section.len).sum()
    };
    let is_value = |name: &str| name.starts_with("values");
    let is_rerank = |name: &str| name.starts_with("rerank");
    json!({
        "pictures": index.len(), "dim": index.dim(), "vectors": index.vectors().to_string(),
        "measured": index.recall().iter().map(|row| json!([row.ef, row.recall])).collect::<Vec<_>>(),
        "file_bytes": index.container().len(),
        "search_bytes": bytes(|name| !name.starts_with("values") && !name.starts_with("rerank")),
        "rerank_bytes": bytes(is_rerank), "value_bytes": bytes(is_value),
        "sections": sections.iter().map(|section| (section.name.clone(), json!(section.len))).collect::<serde_json::Map<_, _>>(),
    })
}

/// A row of `search`: passes after one that does not count, every query timed by itself.
fn measure(
    index: &ImageIndex,
    told: &Told,
    ef: usize,
    threads: usize,
    exact: bool,
) -> Result<Value> {
    let options = ImageSearchOptions {
        k: told.queries.k(),
        ef,
        exact,
        ..Default::default()
    };
    let queries = &told.queries;
    // Thread `at` takes every query whose number leaves `at`.
    let pass = |at: usize, samples: &mut Samples| -> Result<usize> {
        let mut found = 0;
        for (number, feature) in queries
            .features
            .iter()
            .enumerate()
            .skip(at)
            .step_by(threads)
        {
            let start = Instant::now();
            let hits = index.search_with(feature, &options)?;
            samples.add(start.elapsed());
            found += queries.found(number, &hits);
        }
        Ok(found)
    };
    let (mut samples, mut found) = (Samples::default(), 0);
    let mut seconds = Vec::new();
    for counts in 0..=told.passes {
        let start = Instant::now();
        let parts = thread::scope(|scope| {
            let workers: Vec<_> = (0..threads)
                .map(|at| {
                    scope.spawn(move || {
                        let mut samples = Samples::default();
                        pass(at, &mut samples).map(|found| (found, samples))
                    })
                })
                .collect();
            let joined = workers
                .into_iter()
                .map(|worker| worker.join().map_err(|_| "a thread panicked")?);
            joined.collect::<Result<Vec<_>>>()
        })?;
        let pass_seconds = start.elapsed().as_secs_f64();
        found = parts.iter().map(|part| part.0).sum();
        if counts > 0 {
            seconds.push(pass_seconds);
            for (_, part) in parts {
                samples.extend(part.times());
            }
        }
    }
    seconds.sort_by(f64::total_cmp);
    let median = seconds.get(seconds.len() / 2).copied().unwrap_or(f64::NAN);
    Ok(json!({
        "ef": if exact { json!("exact") } else { json!(ef) }, "recall": queries.recall(found),
        "qps": queries.features.len() as f64 / median, "p50_us": samples.percentile(50.0), "p99_us": samples.percentile(99.0),
    }))
}

/// `serve`: the protocol is that of `benches/peers/images/worker.py`.
pub fn serve(args: Vec<String>) -> Result<()> {
    let told = Told::by(args)?;
    let index = ImageIndex::open(&told.index, Default::default())?;
    let mut answer = of_index(&index);
    answer["ready"] = json!(true);
    say(&answer)?;
    for line in std::io::stdin().lock().lines() {
        let line = line?;
        if line.trim().is_empty() {
            continue;
        }
        let ef = line.trim().parse()?;
        let (taken, recall) = pass(&index, &told.queries, ef)?;
        let queries = told.queries.features.len();
        say(&json!({
            "ef": ef, "recall": recall, "queries": queries,
            "seconds": taken.wall.as_secs_f64(), "cpu_seconds": taken.cpu.as_secs_f64(),
            "qps": queries as f64 / taken.wall.as_secs_f64(),
        }))?;
    }
    Ok(())
}

/// All queries on this thread. Answers are compared with the truth afterwards, as peers' are.
fn pass(index: &ImageIndex, queries: &Queries, ef: usize) -> Result<(Taken, f64)> {
    let options = ImageSearchOptions {
        k: queries.k(),
        ef,
        ..Default::default()
    };
    let mut all = Vec::with_capacity(queries.features.len());
    let clock = Clock::of_thread();
    for feature in &queries.features {
        all.push(index.search_with(feature, &options)?);
    }
    let taken = clock.taken();
    let found = all
        .iter()
        .enumerate()
        .map(|(number, hits)| queries.found(number, hits));
    Ok((taken, queries.recall(found.sum())))
}

fn say(answer: &Value) -> Result<()> {
    let mut out = std::io::stdout().lock();
    writeln!(out, "{answer}")?;
    Ok(out.flush()?)
}

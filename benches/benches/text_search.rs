//! The time of a search by BM25, one query after the other, from an index that is warm.
//!
//! ```text
//! cargo bench -p morelet-benches --no-default-features --bench text_search -- TEXT.INDEX QUERIES [--passes 3]
//!     [--effort .9 .8 …] [--threads 2 …] [--paragraphs 10000]
//! ```
//!
//! `QUERIES` has a query a line. Searches for the best 10 sentences, without reading their paragraphs: safely on one
//! thread, then with every `--effort` on one thread, then safely with every `--threads`. All take turns, pass by pass, after
//! one pass that does not count. Of each query the fastest pass counts, as what else the machine does only ever slows.
//! *The same* is the mean share of the safe search's hits that this one has as well.
//!
//! Says how long it takes to open the index, and what memory the process has that is not a mapped file: before,
//! with the index open, and after all searches (Linux). `--paragraphs` reads so many paragraphs from all over the index, twice,
//! and gives the times of the second reading.

use std::time::{Duration, Instant};

use morelet_benches::{Result, Samples, open};
use morelet_indices::{ParagraphId, SearchOptions, TextIndex};

const USAGE: &str =
    "usage: text_search TEXT.INDEX QUERIES [--passes 3] [--effort .9 .8 …] [--threads 2 …]
                   [--paragraphs 10000]";

/// How often the index is opened.
const OPENED: usize = 21;

/// A way to search.
struct Way {
    options: SearchOptions<'static>,
    /// The fastest pass of every query.
    fastest: Vec<Duration>,
    /// The hits of every query.
    hits: Vec<Vec<u32>>,
}

impl Way {
    fn new(effort: f32, threads: usize) -> Way {
        Way {
            options: SearchOptions {
                effort,
                threads,
                ..SearchOptions::default()
            },
            fastest: Vec::new(),
            hits: Vec::new(),
        }
    }

    /// Searches once for every query.
    fn pass(&mut self, index: &TextIndex, queries: &[String]) -> Result<()> {
        self.fastest.resize(queries.len(), Duration::MAX);
        self.hits.clear();
        for (query, fastest) in queries.iter().zip(&mut self.fastest) {
            let start = Instant::now();
            let hits = index.search_with(query, &self.options)?;
            *fastest = start.elapsed().min(*fastest);
            self.hits
                .push(hits.iter().map(|hit| hit.sentence.0).collect());
        }
        Ok(())
    }

    /// The mean share of `safe`'s hits that are among these, and of how many queries they are the same in order.
    fn the_same(&self, safe: &[Vec<u32>]) -> (f64, usize) {
        let (mut shares, mut equal) = (0.0, 0);
        for (hits, safe) in self.hits.iter().zip(safe) {
            let found = safe.iter().filter(|hit| hits.contains(hit)).count();
            shares += if safe.is_empty() {
                1.0
            } else {
                found as f64 / safe.len() as f64
            };
            equal += usize::from(hits == safe);
        }
        (shares / self.hits.len().max(1) as f64, equal)
    }
}

fn main() -> Result<()> {
    let mut passes = 3;
    let mut paragraphs = 0;
    let mut ways = vec![Way::new(1.0, 1)];
    let mut paths = Vec::new();
    let mut args = std::env::args().skip(1).peekable();
    while let Some(arg) = args.next() {
        let mut value = || args.next_if(|value| !value.starts_with("--"));
        match arg.as_str() {
            // What `cargo bench` and `cargo test` add.
            "--bench" => {}
            "--passes" => passes = value().ok_or(USAGE)?.parse()?,
            "--effort" => {
                while let Some(effort) = value() {
                    ways.push(Way::new(effort.parse()?, 1));
                }
            }
            "--threads" => {
                while let Some(threads) = value() {
                    ways.push(Way::new(1.0, threads.parse()?));
                }
            }
            "--paragraphs" => paragraphs = value().ok_or(USAGE)?.parse()?,
            _ => paths.push(arg),
        }
    }
    let [path, queries] = paths.as_slice() else {
        // Run with the other benchmarks, without arguments: nothing to measure.
        println!("{USAGE}");
        return Ok(());
    };

    let queries = open(queries)?.all()?;
    let before = memory();
    let mut opened = Samples::default();
    let start = Instant::now();
    let mut index = TextIndex::open(path, Default::default())?;
    let first = start.elapsed();
    let open_memory = memory();
    for _ in 0..OPENED {
        let start = Instant::now();
        index = TextIndex::open(path, Default::default())?;
        opened.add(start.elapsed());
    }

    for pass in 0..=passes {
        for way in &mut ways {
            way.pass(&index, &queries)?;
            if pass == 0 {
                way.fastest.clear();
            }
        }
    }

    println!(
        "{} sentences in the index, opened in {} µs the first time, then in {:.0} µs (median of {OPENED})",
        index.len(),
        first.as_micros(),
        opened.percentile(50.0)
    );
    println!(
        "memory beyond mapped files: {before} before, {open_memory} with the index open, {} after all searches",
        memory()
    );
    println!(
        "{} queries, the fastest of {passes} passes of each\n",
        queries.len()
    );
    println!(
        "| effort | threads | n | p50 µs | p90 µs | p99 µs | mean µs | the same | queries equal |"
    );
    println!("|---:|---:|---:|---:|---:|---:|---:|---:|---:|");
    for way in &ways {
        let samples: Samples = way.fastest.iter().copied().collect();
        let (share, equal) = way.the_same(&ways[0].hits);
        println!(
            "| {} | {} | {samples} | {share:.4} | {equal} |",
            way.options.effort, way.options.threads
        );
    }
    if paragraphs > 0 {
        let samples = read(&index, paragraphs)?;
        println!("\n| paragraphs read | p50 µs | p90 µs | p99 µs | mean µs |");
        println!("|---:|---:|---:|---:|---:|");
        println!("| {samples} |");
    }
    Ok(())
}

/// Reads `count` paragraphs from all over the index, twice: the times of the second reading.
fn read(index: &TextIndex, count: u64) -> Result<Samples> {
    // A prime number of steps apart, more or less in the golden section: neighbours in time are far from each other in the file.
    let number = |at: u64| at * 2_654_435_761 % u64::from(index.paragraphs().max(1));
    let mut samples = Samples::default();
    for pass in 0..2 {
        for at in 0..count {
            let id = ParagraphId(u32::try_from(number(at))?);
            let start = Instant::now();
            index.paragraph(id)?;
            if pass > 0 {
                samples.add(start.elapsed());
            }
        }
    }
    Ok(samples)
}

/// What the system says of the memory of this process that is no mapped file.
fn memory() -> String {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status
        .lines()
        .find_map(|line| line.strip_prefix("RssAnon:"));
    line.map_or("?", str::trim).to_owned()
}

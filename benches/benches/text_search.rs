//! The time of a search by BM25, one query after the other on one thread, from an index that is warm.
//!
//! ```text
//! cargo bench -p morelet-benches --no-default-features --bench text_search -- TEXT.INDEX QUERIES [--passes N]
//! ```
//!
//! `QUERIES` has a query a line. Searches all of them once unmeasured, then `--passes` times more (3 unless told
//! otherwise), for the best 10 sentences, without reading their paragraphs. Prints a Markdown table.

use std::time::Instant;

use morelet_benches::{Result, Samples, open};
use morelet_indices::TextIndex;

const USAGE: &str = "usage: text_search TEXT.INDEX QUERIES [--passes N]";

fn main() -> Result<()> {
    let mut passes = 3;
    let mut paths = Vec::new();
    let mut args = std::env::args().skip(1);
    while let Some(arg) = args.next() {
        match arg.as_str() {
            // What `cargo bench` and `cargo test` add.
            "--bench" => {}
            "--passes" => passes = args.next().ok_or(USAGE)?.parse()?,
            _ => paths.push(arg),
        }
    }
    let [index, queries] = paths.as_slice() else {
        // Run with the other benchmarks, without arguments: nothing to measure.
        println!("{USAGE}");
        return Ok(());
    };

    let start = Instant::now();
    let index = TextIndex::open(index, Default::default())?;
    let opened = start.elapsed();
    let queries = open(queries)?.all()?;

    let mut samples = Samples::default();
    for pass in 0..=passes {
        for query in &queries {
            let start = Instant::now();
            index.search(query, 10)?;
            if pass > 0 {
                samples.add(start.elapsed());
            }
        }
    }

    println!(
        "{} sentences in the index, opened in {} µs",
        index.len(),
        opened.as_micros()
    );
    println!("{} queries, {passes} passes\n", queries.len());
    println!("| n | p50 µs | p90 µs | p99 µs | mean µs |");
    println!("|---:|---:|---:|---:|---:|");
    println!("| {samples} |");
    Ok(())
}

//! The same index built, and the same searches done, by us, by tantivy 0.27 and by Lucene 9.5.
//!
//! ```text
//! B="cargo bench -p morelet-benches --no-default-features --features peers --bench text_peers --"
//! $B build ours|tantivy|lucene CORPUS.lines INDEX [--threads N] [--memory-mib N] [--english]
//! $B search --queries NAME=FILE.lines… [--ours INDEX] [--tantivy INDEX] [--lucene INDEX] [-k 10] [--passes 5]
//!           [--warm-up 4] [--json FILE]
//! ```
//!
//! `--memory-mib` and `--english` (its analyzer, over the terms of the other) are for ours alone.
//!
//! All read the same lines of terms (see the crate's documentation) into one segment: documents and frequencies, no
//! positions, nothing stored; BM25 with k1 = 1.2 and b = 0.75. A query is the disjunction of its terms; a term that is
//! there twice counts twice (tantivy is given it once with a boost of 2, Lucene joins them itself, we do).
//!
//! The time of a query is that of everything from its line to its hits, on one thread, from a warm cache. Engines take
//! turns: a pass over all queries by the first, one by the second, …, so that all feel what else the machine does.
//! Processor time of the thread is what is compared; time by the wall is given as well. Of each query's passes the
//! median counts. Lucene runs in a JVM of its own and does `--warm-up` passes first, as everybody does.

mod build;
mod lucene;
mod ours;
mod parts;
mod report;
mod search;
mod tantivy;

use morelet_benches::Result;

/// A hit: the number of the sentence, and its score.
type Hit = (u32, f32);

const USAGE: &str = "usage: text_peers build ours|tantivy|lucene CORPUS.lines INDEX [--threads N]
                  [--memory-mib N] [--english]
       text_peers search --queries NAME=FILE.lines… [--ours INDEX] [--tantivy INDEX] [--lucene INDEX] [-k 10]
                  [--passes 5] [--warm-up 4] [--json FILE]";

fn main() -> Result<()> {
    // What `cargo bench` adds.
    let args: Vec<String> = std::env::args()
        .skip(1)
        .filter(|arg| arg != "--bench")
        .collect();
    match args.first().map(String::as_str) {
        Some("build") => build::run(&args[1..]),
        Some("search") => search::run(&args[1..]),
        // Run with the other benchmarks, without arguments: nothing to measure.
        _ => {
            println!("{USAGE}");
            Ok(())
        }
    }
}

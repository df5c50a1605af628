//! Building: how long it takes, and how large the index is.

use std::collections::BTreeMap;
use std::path::Path;

use morelet_benches::Result;
use morelet_indices::Analyzer;

use crate::{USAGE, lucene, ours, parts, tantivy};
use morelet_benches::Taken;

/// What came of a build.
pub struct Built {
    /// Until it can be searched.
    pub searchable: Taken,
    /// Until it is in one segment as well.
    pub merged: Taken,
    /// The bytes of its parts.
    pub parts: BTreeMap<String, u64>,
    /// The names of the parts that are dictionary, postings and lengths.
    pub compared: &'static [&'static str],
}

/// `text_peers build …`
pub fn run(args: &[String]) -> Result<()> {
    let mut threads = 1;
    let mut ours_only = ours::Options::default();
    let mut paths = Vec::new();
    let mut args = args.iter();
    while let Some(arg) = args.next() {
        match arg.as_str() {
            "--threads" => threads = args.next().ok_or(USAGE)?.parse()?,
            "--memory-mib" => {
                ours_only.memory = args.next().ok_or(USAGE)?.parse::<u64>()? << 20;
            }
            "--english" => ours_only.analyzer = Analyzer::English,
            other => paths.push(other),
        }
    }
    let [engine, corpus, index] = paths.as_slice() else {
        return Err(USAGE.into());
    };
    let (corpus, index) = (Path::new(corpus), Path::new(index));
    let built = match *engine {
        "ours" => ours::build(corpus, index, threads, ours_only)?,
        "tantivy" => tantivy::build(corpus, index, threads)?,
        "lucene" => lucene::build(corpus, index, threads)?,
        _ => return Err(USAGE.into()),
    };
    let list: Vec<String> = built
        .parts
        .iter()
        .map(|(name, bytes)| format!("{name} {bytes}"))
        .collect();
    println!(
        "| engine | threads | CPU s | wall s | in one segment, CPU s | wall s | dictionary + postings + lengths |"
    );
    println!("|---|---:|---:|---:|---:|---:|---:|");
    println!(
        "| {engine} | {threads} | {:.1} | {:.1} | {:.1} | {:.1} | {} |",
        built.searchable.cpu.as_secs_f64(),
        built.searchable.wall.as_secs_f64(),
        built.merged.cpu.as_secs_f64(),
        built.merged.wall.as_secs_f64(),
        parts::sum(&built.parts, built.compared)
    );
    println!(
        "\nBytes, of which {} compared: {}",
        built.compared.join(", "),
        list.join(", ")
    );
    // Lucene is a process of its own.
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    if let Some(peak) = status.lines().find_map(|line| line.strip_prefix("VmHWM:"))
        && *engine != "lucene"
    {
        println!(
            "Most memory at a time, mapped files included: {}",
            peak.trim()
        );
    }
    Ok(())
}

//! The first searches in an index that nobody has read yet.

use std::time::Instant;

use morelet_benches::{Npy, Result, major_faults};
use morelet_indices::{DEFAULT_EF, ImageIndex, ImageSearchOptions};
use serde_json::json;

use crate::USAGE;

/// How many searches.
const SEARCHES: usize = 10;

/// `cold`.
pub fn run(args: Vec<String>) -> Result<()> {
    let (mut ef, mut prefault, mut paths) = (DEFAULT_EF, false, Vec::new());
    let mut args = args.into_iter();
    while let Some(arg) = args.next() {
        match arg.as_str() {
            "--ef" => ef = args.next().ok_or(USAGE)?.parse()?,
            "--prefault" => prefault = true,
            _ => paths.push(arg),
        }
    }
    let [index, queries] = paths.as_slice() else {
        return Err(USAGE.into());
    };
    let mut features = Vec::new();
    let mut queries = Npy::<f32>::open(queries)?;
    while let Some(feature) = queries.next()?
        && features.len() < SEARCHES
    {
        features.push(feature.to_vec());
    }
    let options = ImageSearchOptions {
        ef,
        ..Default::default()
    };

    let faults = major_faults();
    let start = Instant::now();
    let index = ImageIndex::open(index, Default::default())?;
    let opened = start.elapsed();
    if prefault {
        // What a search reads; not the texts.
        for section in index.container().sections() {
            if !section.name.starts_with("values") {
                index.container().prefault(&section.name)?;
            }
        }
    }
    let faulted = start.elapsed();
    let mut times = Vec::new();
    for feature in &features {
        let start = Instant::now();
        std::hint::black_box(index.search_with(feature, &options)?);
        times.push(start.elapsed().as_secs_f64() * 1e6);
    }
    let answer = json!({
        "open_us": opened.as_secs_f64() * 1e6, "prefault_us": (faulted - opened).as_secs_f64() * 1e6,
        "first_query_us": times.first(), "ten_queries_us": times.iter().sum::<f64>(), "queries_us": times,
        "until_first_answer_us": faulted.as_secs_f64() * 1e6 + times.first().unwrap_or(&0.0),
        "major_faults": major_faults().zip(faults).map(|(after, before)| after - before),
    });
    println!("{answer}");
    Ok(())
}

//! The latency of every module of a bundle.
//!
//!     cargo bench -p morelet-benches --bench modules -- BUNDLE QUERIES.jsonl [--device cpu] [--threads N] [--passes N]
//!
//! Opens the bundle, starts a session, answers all queries once unmeasured, then `--passes` times more, and prints a
//! Markdown table of what `timings_us` says of each module.

use std::collections::BTreeMap;
use std::error::Error;
use std::time::Instant;

use morelet::{Bundle, Queries, RunOptions, SessionOptions};
use morelet_benches::Samples;

const USAGE: &str =
    "usage: modules BUNDLE QUERIES.jsonl [--device DEVICE] [--threads N] [--passes N]";

fn main() -> Result<(), Box<dyn Error>> {
    let mut options = SessionOptions::default();
    let mut passes = 5;
    let mut paths = Vec::new();
    let mut args = std::env::args().skip(1);
    while let Some(arg) = args.next() {
        match arg.as_str() {
            // What `cargo bench` and `cargo test` add.
            "--bench" => {}
            "--device" => options.device = args.next().ok_or(USAGE)?.parse()?,
            "--threads" => options.threads = Some(args.next().ok_or(USAGE)?.parse()?),
            "--passes" => passes = args.next().ok_or(USAGE)?.parse()?,
            _ => paths.push(arg),
        }
    }
    let [bundle, queries] = paths.as_slice() else {
        // Run with the other benchmarks, without arguments: nothing to measure.
        println!("{USAGE}");
        return Ok(());
    };

    let start = Instant::now();
    let bundle = Bundle::open(bundle)?;
    let opened = start.elapsed();
    let session = bundle.session(&options)?;
    let ready = start.elapsed();
    let queries = Queries::open(queries, None, None)?.collect::<Result<Vec<_>, _>>()?;

    let mut modules: Vec<String> = Vec::new();
    let mut samples: BTreeMap<String, Samples> = BTreeMap::new();
    for pass in 0..=passes {
        for answer in session.predict_batch(&queries, &RunOptions::default()) {
            for (module, &micros) in answer?.timings_us.iter() {
                if pass == 0 {
                    continue;
                }
                if !samples.contains_key(module) {
                    modules.push(module.to_owned());
                }
                samples.entry(module.to_owned()).or_default().add(micros);
            }
        }
    }

    let device = &session.info().device;
    println!("device: {} (asked for: {})", device.used, device.requested);
    for reason in &device.reasons {
        println!("  {reason}");
    }
    println!(
        "open: {} µs; session: {} ms\n",
        opened.as_micros(),
        (ready - opened).as_millis()
    );
    println!("| module | n | p50 µs | p90 µs | p99 µs | mean µs |");
    println!("|---|---:|---:|---:|---:|---:|");
    for module in &modules {
        println!("| {module} | {} |", samples[module]);
    }
    Ok(())
}

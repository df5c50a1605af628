//! Building, with what it takes.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread;
use std::time::Duration;
use std::time::Instant;

use morelet_benches::{Clock, Npy, Result, memory};
use morelet_indices::{ImageEntry, ImageIndexBuilder, ImageOptions};
use serde_json::json;

use crate::USAGE;

/// How long between two looks at the memory.
const LOOK: Duration = Duration::from_millis(20);

/// `build`.
pub fn run(args: Vec<String>) -> Result<()> {
    // Whose features these are matters to nobody here.
    let mut options = ImageOptions::new("0".repeat(64), 0);
    let mut paths = Vec::new();
    let mut args = args.into_iter();
    while let Some(arg) = args.next() {
        let mut value = || args.next().ok_or(USAGE);
        match arg.as_str() {
            "--threads" => options.threads = value()?.parse()?,
            "--vectors" => options.vectors = value()?.parse()?,
            "--links" => options.links = Some(value()?.parse()?),
            "--ef-construction" => options.ef_construction = value()?.parse()?,
            "--no-rerank" => options.rerank = false,
            _ => paths.push(arg),
        }
    }
    let [features, output] = paths.as_slice() else {
        return Err(USAGE.into());
    };

    let mut features = Npy::<f32>::open(features)?;
    options.dim = features.columns();
    let told = json!({
        "threads": options.threads, "vectors": options.vectors.to_string(), "links": options.links.map_or_else(|| "default".into(), |links| json!(links)),
        "ef_construction": options.ef_construction, "rerank": options.rerank,
    });
    let before = memory("RssAnon");
    let clock = Clock::of_process();
    let (built, most_beyond_maps) = with_most_memory(|most| {
        let mut builder = ImageIndexBuilder::create(output, options)?;
        let mut row = 0;
        while let Some(feature) = features.next()? {
            let entry = ImageEntry {
                id: &row.to_string(),
                title: "a picture",
                intro: "",
            };
            builder.add(entry, feature)?;
            row += 1;
        }
        let added = clock.taken();
        let mut of_texts = None;
        let mut stages: Vec<(String, f64)> = Vec::new();
        let mut last = Instant::now();
        builder.finish(&mut |what, _, _| {
            // What texts took, the dictionary of zstd above all, has nothing to do with the graph.
            of_texts.get_or_insert_with(|| most.swap(0, Ordering::Relaxed));
            let now = Instant::now();
            // What was told before took the time until now.
            if let Some((_, seconds)) = stages.last_mut() {
                *seconds += (now - last).as_secs_f64();
            }
            last = now;
            if stages.last().is_none_or(|(stage, _)| stage != what) {
                stages.push((what.to_owned(), 0.0));
            }
            false
        })?;
        if let Some((_, seconds)) = stages.last_mut() {
            *seconds += last.elapsed().as_secs_f64();
        }
        Ok((added, stages, of_texts))
    });
    let ((added, stages, of_texts), taken) = (built?, clock.taken());
    let answer = json!({
        "rows": features.rows(), "dim": features.columns(), "options": told,
        "seconds": taken.wall.as_secs_f64(), "cpu_seconds": taken.cpu.as_secs_f64(), "add_seconds": added.wall.as_secs_f64(),
        "stages": stages,
        "peak_bytes": memory("VmHWM"), "peak_anonymous_bytes": most_beyond_maps, "anonymous_bytes_before": before,
        "texts_peak_anonymous_bytes": of_texts,
        "file_bytes": std::fs::metadata(output)?.len(),
    });
    println!("{answer}");
    Ok(())
}

/// What `work` gives, and the most memory beyond mapped files that the process had meanwhile, or since `work` took what it was
/// given, as far as it was seen.
fn with_most_memory<T>(work: impl FnOnce(&AtomicU64) -> Result<T>) -> (Result<T>, Option<u64>) {
    /// Ends the looking, also where the work panics.
    struct Done<'a>(&'a AtomicBool);
    impl Drop for Done<'_> {
        fn drop(&mut self) {
            self.0.store(true, Ordering::Relaxed);
        }
    }

    let (done, most) = (AtomicBool::new(false), AtomicU64::new(0));
    let result = thread::scope(|scope| {
        scope.spawn(|| {
            while !done.load(Ordering::Relaxed) {
                most.fetch_max(memory("RssAnon").unwrap_or(0), Ordering::Relaxed);
                thread::sleep(LOOK);
            }
        });
        let _done = Done(&done);
        work(&most)
    });
    let most = most.into_inner();
    (result, (most > 0).then_some(most))
}

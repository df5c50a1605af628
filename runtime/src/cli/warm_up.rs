//! `warm-up`: what a GPU would otherwise do while the first sentences wait.

use super::retrieval::RetrievalArgs;
use super::table::table;
use super::{ComputeArgs, Console, Outcome, print, print_json};
use crate::{Bundle, RunOptions, Session, WarmUp};
use serde::Serialize;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// Arguments of `warm-up`.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// The bundle
    bundle: PathBuf,
    /// Where Burn computes on the GPU: write the tuning results to a file too. Beside the bundle, as NAME.tuning beside NAME.morelet, it is read by
    /// whoever opens the bundle on a GPU of the same kind
    #[arg(long, value_name = "FILE")]
    save: Option<PathBuf>,
    /// Print JSON
    #[arg(long)]
    json: bool,
}

/// What was done.
#[derive(Serialize)]
struct Report<'a> {
    device: &'a crate::DeviceInfo,
    runs: &'a [WarmUp],
    saved: Option<&'a Path>,
}

pub(super) fn run(args: &Args, compute: &ComputeArgs, console: &Console) -> Outcome {
    let retrieval = RetrievalArgs::default();
    let session = compute.session(&Bundle::open(&args.bundle)?, &retrieval, console)?;
    let bar = console.count_bar("warming up", None);
    let progress = bar.clone();
    let options = RunOptions {
        cancel: console.cancel().clone(),
        progress: Some(Arc::new(move |module: &str, done, _| {
            progress.set_position(done);
            progress.set_message(module.to_owned());
        })),
        ..Default::default()
    };
    let runs = session.warm_up(&options);
    bar.finish_and_clear();
    let runs = runs?;
    let on_cpu = session.info().device.threads.is_some();
    if on_cpu {
        console.say("the CPU compiles and tunes nothing: there is nothing to do");
    }
    let tunes = session.info().device.tuned;
    if args.save.is_some() && !on_cpu && !tunes {
        console.say("our kernels tune nothing: there is nothing to save");
    }
    let saved = args.save.as_deref().filter(|_| tunes);
    if let Some(path) = saved {
        save(path)?;
    }
    if args.json {
        let report = Report {
            device: &session.info().device,
            runs: &runs,
            saved,
        };
        return print_json(&report, console);
    }
    if on_cpu {
        return Ok(());
    }
    tell(&session, &runs, console)
}

fn tell(session: &Session, runs: &[WarmUp], console: &Console) -> Outcome {
    let device = &session.info().device;
    let (used, name, precision) = (&device.used, &device.name, &device.precision);
    console.say(format_args!("{used} ({name}), computing in {precision}"));
    let rows: Vec<Vec<String>> = runs
        .iter()
        .map(|run| {
            vec![
                run.module.clone(),
                run.rows.to_string(),
                if run.padded { "yes" } else { "no" }.to_owned(),
                format!("{:.1}", run.took_us as f64 / 1000.0),
            ]
        })
        .collect();
    print(&table(&["module", "rows", "padded", "ms"], &[0, 2], &rows))
}

#[cfg(any(feature = "wgpu", feature = "cuda-burn"))]
fn save(path: &Path) -> Outcome {
    morelet_models::device::save_tuning(path).map_err(crate::Error::from)?;
    Ok(())
}

/// Never called: without a GPU built in there is no session on one.
#[cfg(not(any(feature = "wgpu", feature = "cuda-burn")))]
fn save(_: &Path) -> Outcome {
    Ok(())
}

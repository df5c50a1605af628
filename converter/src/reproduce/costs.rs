//! What quantization costs: each checkpoint in every type, on sentences that bring their contexts.

use super::jobs::{Job, Jobs};
use super::markdown::{head, line, row};
use super::sets::Set;
use crate::{Error, Result};
use morelet::{Bundle, Detail, DeviceRequest, Queries, Query, RunOptions, SessionOptions};
use morelet_mapped::write_file_atomically;
use serde_json::{Value, json};
use std::ffi::OsString;
use std::fs::read_to_string;
use std::path::{Path, PathBuf};

/// A checkpoint, measured.
pub(crate) struct Cost {
    pub(crate) title: String,
    /// The report of `model --gate-on --report`.
    pub(crate) report: Value,
}

/// The experts of the first seed of a set that retrieves.
pub(crate) fn world_costs(jobs: &Jobs<'_>, set: &Set, folder: &Path) -> Result<Vec<Cost>> {
    let folder = folder.join(&set.name);
    let mut asked = Vec::new();
    for context in ["none", "text", "image"] {
        let checkpoint = folder.join(format!("{context}-1"));
        let gold = folder.join(format!("{context}-1.test.jsonl"));
        let bundle = folder.join(format!("{context}-1.morelet"));
        with_contexts(&bundle, context, &set.test, &gold)?;
        asked.push((
            format!("{}, {context}", set.title),
            checkpoint,
            gold,
            context,
        ));
    }
    measured(jobs, &folder, asked)
}

/// The checkpoints under a folder, each with a `test.jsonl` whose lines bring their contexts.
pub(crate) fn real_costs(jobs: &Jobs<'_>, data: &Path, folder: &Path) -> Result<Vec<Cost>> {
    let checkpoints = ["ner2017", "mnre"].map(|name| (name, data.join("checkpoints").join(name)));
    let there = checkpoints
        .into_iter()
        .filter(|(_, path)| path.join("test.jsonl").exists());
    let asked = there.map(|(name, path)| {
        let gold = path.join("test.jsonl");
        (format!("{name}, trained by PyTorch"), path, gold, "text")
    });
    measured(jobs, folder, asked.collect())
}

fn measured(
    jobs: &Jobs<'_>,
    folder: &Path,
    asked: Vec<(String, PathBuf, PathBuf, &str)>,
) -> Result<Vec<Cost>> {
    let report = |checkpoint: &Path| {
        let name = checkpoint.file_name().unwrap_or_default().to_string_lossy();
        folder.join(format!("{name}.cost.json"))
    };
    let each = asked.iter().map(|(_, checkpoint, gold, context)| {
        let report = report(checkpoint);
        Job::new(&report, ["model"])
            .with([
                checkpoint.clone().into_os_string(),
                "-o".into(),
                report.with_extension("weights").into(),
                "--gate-on".into(),
                gold.clone().into(),
                "--report".into(),
                OsString::from(&report),
            ])
            .with([
                "--gate-context",
                context,
                "--quantize",
                "q8",
                "--target",
                "cpu",
                "--max-f1-loss",
                "100",
            ])
    });
    jobs.run(each.collect())?;
    let read = asked.iter().map(|(title, checkpoint, ..)| {
        let path = report(checkpoint);
        let text = read_to_string(&path).map_err(|error| Error::io(&path, error))?;
        let report = serde_json::from_str(&text)
            .map_err(|error| Error::input(error.to_string()).at(&path))?;
        Ok(Cost {
            title: title.clone(),
            report,
        })
    });
    read.collect()
}

/// Copies sentences with the contexts that an expert of a bundle is shown.
fn with_contexts(bundle: &Path, expert: &str, from: &Path, to: &Path) -> Result<()> {
    if to.exists() {
        return Ok(());
    }
    let session = Bundle::open(bundle)?.session(&SessionOptions {
        device: DeviceRequest::Cpu,
        ..SessionOptions::default()
    })?;
    let queries: Vec<Query> = Queries::open(from, None, None)?.collect::<morelet::Result<_>>()?;
    let options = RunOptions {
        detail: Detail::Labels,
        ..RunOptions::default()
    };
    let text = read_to_string(from).map_err(|error| Error::io(from, error))?;
    let mut lines = text.lines().filter(|line| !line.trim().is_empty());
    let mut out = String::new();
    for prediction in session.predict_batch(&queries, &options) {
        let prediction = prediction?;
        let details = prediction
            .experts
            .as_ref()
            .and_then(|experts| experts.get(expert));
        let contexts = details.map_or(&[][..], |detail| &detail.contexts);
        let contexts: Vec<&str> = contexts
            .iter()
            .map(|context| context.text.as_str())
            .collect();
        let mut line: Value = serde_json::from_str(lines.next().unwrap_or("{}"))
            .map_err(|error| Error::input(error.to_string()).at(from))?;
        line["contexts"] = json!({expert: contexts});
        out.push_str(&format!("{line}\n"));
    }
    Ok(write_file_atomically(to, out.as_bytes())?)
}

/// Writes what is told of them.
pub(crate) fn write(text: &mut String, costs: &[Cost]) {
    line(text, "\n## What quantization costs\n");
    line(
        text,
        "Each checkpoint in every type, on its test sentences, on the CPU (which multiplies `q8` and `q4` with activations of 8 \
         bits): answers that are lost and new against `f32`, of how many; and the Kullback-Leibler divergence from what \
         `f32` says, the mean over words (or pairs of spans), in nats. Then the layers that it comes from: how much of the divergence of `q8` is \
         gone where one alone is kept wider. `morelet-convert model --gate-on` measures the same for any checkpoint.\n",
    );
    let cells = [
        "Checkpoint",
        "Type",
        "Bytes",
        "F1",
        "Loss",
        "Lost, new, of",
        "Divergence",
        "Layers",
    ];
    head(text, &cells.map(str::to_owned));
    for cost in costs {
        let of = |pointer: &str| cost.report.pointer(pointer).and_then(Value::as_array);
        let layers = of("/gate/layers")
            .into_iter()
            .flatten()
            .take(2)
            .filter_map(|layer| {
                let share = 100.0 * layer["share"].as_f64()?;
                let name = layer["keep"].as_str()?.split('=').next()?.to_owned();
                Some(format!("`{name}` {share:.0} %"))
            });
        let layers = layers.collect::<Vec<_>>().join(", ");
        for (at, one) in of("/gate/types").into_iter().flatten().enumerate() {
            let number = |key: &str| one[key].as_f64().unwrap_or(f64::NAN);
            let changed = |key: &str| one["changed"][key].as_u64().unwrap_or(0);
            let is_q8 = one["quantization"] == "q8";
            row(
                text,
                [
                    if at == 0 {
                        cost.title.clone()
                    } else {
                        String::new()
                    },
                    one["quantization"].as_str().unwrap_or_default().to_owned(),
                    one["bytes"].to_string(),
                    format!("{:.2}", number("f1")),
                    format!("{:.2}", number("f1_loss")),
                    format!("{}, {}, {}", changed("lost"), changed("new"), changed("of")),
                    format!("{:.1e}", number("divergence")),
                    if is_q8 { layers.clone() } else { String::new() },
                ],
            );
        }
    }
}

//! `--gate-on`: a conversion that may cost only so much, and what mends one that costs more.

use crate::conversion::{Conversion, Storage, Written};
use crate::layer_cost::{self, LayerCost, Mending};
use crate::quantization_cost::{Changes, Cost, Measuring};
use crate::train::data::{self, Item};
use crate::{Console, Error, Result};
use morelet::{DeviceRequest, Queries, Query};
use morelet_mapped::AtomicFile;
use morelet_models::device::{Compute, ComputeOptions};
use morelet_models::weights::ModelKind;
use serde::Serialize;
use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

/// The keys of contexts that are looked for, in this order, where the user names none.
const KEYS: [&str; 3] = ["text", "image", "given"];

/// What `--gate-context` calls a sentence alone.
const ALONE: &str = "none";

/// Points of F1 that may be lost where the user does not say.
const MAX_F1_LOSS: f64 = 0.2;

/// The layers that an error names.
const NAMED: usize = 3;

/// Arguments of the gate.
#[derive(Debug, clap::Args)]
#[command(next_help_heading = "Gate")]
pub(super) struct GateArgs {
    /// Write only what answers these labelled sentences (.jsonl or .conll, with `gold`) about as well as f32 does. An
    /// expert is converted to f32 too, and both answer, with the contexts that the lines give. Where too much is lost, nothing
    /// is written, and the error names the layers that hurt most and the --keep that mends it, which was tried. With
    /// --report every type and every layer is measured
    #[arg(long, value_name = "GOLD")]
    gate_on: Option<PathBuf>,
    /// The most points of F1 that may be lost [default: 0.2]
    #[arg(long, value_name = "POINTS", requires = "gate_on", value_parser = points)]
    max_f1_loss: Option<f64>,
    /// The key of the contexts that the expert is shown, an expert's name or a kind; `none` for the sentence alone
    /// [default: the first of text, image and given that there is]
    #[arg(long, value_name = "KEY", requires = "gate_on")]
    gate_context: Option<String>,
    /// Where the sentences are answered: auto, cpu, wgpu[:N] or cuda[:N] [default: cpu]. A GPU computes otherwise, and
    /// loses otherwise
    #[arg(long, value_name = "DEVICE", requires = "gate_on")]
    gate_device: Option<DeviceRequest>,
}

/// A gate, and the sentences to measure on.
pub(super) struct Gate<'a> {
    path: &'a Path,
    context: String,
    items: Vec<Item>,
    max_f1_loss: f64,
    kind: ModelKind,
    device: DeviceRequest,
}

/// What the gate found, for the report.
#[derive(Debug, Serialize)]
pub(crate) struct Verdict {
    gold: String,
    context: String,
    sentences: usize,
    max_f1_loss: f64,
    passed: bool,
    f32: Cost,
    /// Of the file that was asked for.
    cost: Cost,
    /// Of every type, with no more exceptions than it needs.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    types: Vec<Cost>,
    /// From the layer that hurts most to the one that hurts least.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    layers: Vec<LayerCost>,
    /// The fewest of them that bring the loss within the limit, or all.
    #[serde(skip_serializing_if = "Option::is_none")]
    mending: Option<Mending>,
}

impl GateArgs {
    /// Reads the sentences, where there is a gate.
    ///
    /// # Errors
    /// Of kind `Usage` where the model is no expert; `Input` where a line is bad, its gold is missing or of another task, or it
    /// has no contexts.
    pub(super) fn open(&self, kind: ModelKind, console: &Console) -> Result<Option<Gate<'_>>> {
        let Some(path) = &self.gate_on else {
            return Ok(None);
        };
        if !matches!(kind, ModelKind::Ner | ModelKind::Re) {
            return Err(Error::usage(format!(
                "--gate-on is for experts, which answer sentences; this is a model of kind {kind}"
            )));
        }
        // Pictures are named in such files, and not looked at.
        let mut queries = Vec::new();
        for query in Queries::open(path, None, Some(Path::new("")))? {
            console.check()?;
            queries.push(query?);
        }
        if queries.is_empty() {
            return Err(Error::input("there is no sentence in it").at(path));
        }
        let context = self.context(&queries)?;
        let read = queries.into_iter().map(|query| {
            let item = data::item(query, kind, |query, _| contexts(query, &context).map(Some));
            item.map_err(|error| error.at(path))
        });
        // Contexts are there or an error, so no item is missing.
        let items = read.filter_map(Result::transpose);
        Ok(Some(Gate {
            path,
            items: items.collect::<Result<_>>()?,
            context,
            max_f1_loss: self.max_f1_loss.unwrap_or(MAX_F1_LOSS),
            kind,
            device: self.gate_device.unwrap_or(DeviceRequest::Cpu),
        }))
    }

    /// The key of the contexts.
    fn context(&self, queries: &[Query]) -> Result<String> {
        if let Some(key) = &self.gate_context {
            return Ok(key.clone());
        }
        let keys: BTreeSet<&str> = queries
            .iter()
            .flat_map(|query| query.contexts.keys())
            .map(String::as_str)
            .collect();
        let only = keys.first().filter(|_| keys.len() == 1);
        match KEYS.iter().find(|key| keys.contains(*key)).or(only) {
            Some(key) => Ok((*key).to_owned()),
            None if keys.is_empty() => Ok(ALONE.to_owned()),
            None => Err(Error::usage(format!(
                "the sentences have contexts of {}; say by --gate-context which the expert is shown",
                keys.into_iter().collect::<Vec<_>>().join(", ")
            ))),
        }
    }
}

fn contexts(query: &Query, key: &str) -> Result<Vec<String>> {
    match query.contexts.get(key) {
        Some(contexts) => Ok(contexts.clone()),
        None if key == ALONE => Ok(Vec::new()),
        None => Err(Error::input(format!(
            "it has no contexts of `{key}`, with which the expert is to see it; give them (an empty list where nothing \
             was found), or choose others by --gate-context, `{ALONE}` for the sentence alone"
        ))),
    }
}

impl Gate<'_> {
    /// Converts a checkpoint, and puts the file to `output` if it is good enough. With `all`, everything is measured that a
    /// report may want to tell.
    ///
    /// Where it is not good enough, what is at `output` stays, and the last part of the result is the reason.
    ///
    /// # Errors
    /// As [`Measuring::new`]; of kind `Input` where F1 is 0 in `f32`, from where nothing can be lost.
    pub(super) fn convert(
        &self,
        conversion: &Conversion<'_>,
        storage: &Storage,
        output: &Path,
        all: bool,
        console: &Console,
    ) -> Result<(Written, Verdict, Option<Error>)> {
        // Whether a file can be put there is told before the work.
        drop(AtomicFile::create(output)?);
        let options = ComputeOptions {
            device: self.device,
            ..Default::default()
        };
        let compute = Compute::for_models(&options, [&conversion.plan.meta])?;
        let measuring = Measuring::new(conversion, &self.items, &compute, output, console)?;
        if measuring.exact().f1 == 0.0 {
            return Err(Error::input(format!(
                "in f32 the expert finds nothing of the gold, so nothing can be lost: are these its labels ({}), and \
                 its contexts (`{}`)?",
                conversion.plan.meta.labels.join(", "),
                self.context
            ))
            .at(self.path));
        }
        let mut name = std::ffi::OsString::from("new.");
        name.push(output.file_name().unwrap_or_default());
        let path = measuring.place(&name);
        let written = measuring.convert(storage, &path)?;
        let cost = measuring.cost_of(storage, &path)?;
        let passed = self.allows(&cost);
        let layers = if all || !passed {
            layer_cost::rank(&measuring, conversion, storage, &written, console)?
        } else {
            Vec::new()
        };
        let mending = if passed {
            None
        } else {
            layer_cost::mend(&measuring, storage, &layers, |cost| self.allows(cost))?
        };
        let types = if all {
            measuring.precisions(&[&cost], &written.too_large)?
        } else {
            Vec::new()
        };
        if !types.is_empty() {
            console.say(Cost::table(&types));
        }
        let verdict = Verdict {
            gold: self.path.display().to_string(),
            context: self.context.clone(),
            sentences: self.items.len(),
            max_f1_loss: self.max_f1_loss,
            passed,
            f32: measuring.exact().clone(),
            cost,
            types,
            layers,
            mending,
        };
        if !passed {
            let refusal = self.refusal(&verdict).at(output);
            return Ok((written, verdict, Some(refusal)));
        }
        std::fs::rename(&path, output).map_err(|error| Error::io(output, error))?;
        console.say(format_args!("gate: {}", self.told(&verdict)));
        Ok((written, verdict, None))
    }

    /// Whether so much may be lost. A loss that is written as the limit is within it.
    fn allows(&self, cost: &Cost) -> bool {
        cost.f1_loss <= self.max_f1_loss + 1e-9
    }

    /// F1 before and after, and what changed.
    fn told(&self, verdict: &Verdict) -> String {
        let Verdict { f32, cost, .. } = verdict;
        let Changes { lost, new, of } = cost.changed;
        let answers = match self.kind {
            ModelKind::Re => "relations",
            _ => "entities",
        };
        format!(
            "F1 {:.2} in f32, {:.2} ({:+.2}) in {} on {}; of {of} {answers} {lost} are lost, {new} are new",
            f32.f1,
            cost.f1,
            cost.f1 - f32.f1,
            cost.quantization,
            self.path.display()
        )
    }

    /// Why a file was not written, and how to have it written.
    fn refusal(&self, verdict: &Verdict) -> Error {
        let limit = self.max_f1_loss;
        let mut message = format!(
            "not written, as more than {limit} points of F1 are lost: {}",
            self.told(verdict)
        );
        let hurt = verdict.layers.iter().filter(|layer| layer.share > 0.0);
        let hurt = hurt.take(NAMED).map(|layer| {
            let share = 100.0 * layer.share;
            format!("\n  {}, and {share:.0} % of it is gone", layer.keep)
        });
        let hurt: String = hurt.collect();
        if !hurt.is_empty() {
            message += "\nthe layers that hurt most, by the divergence from f32 that is gone where one alone is kept:";
            message += &hurt;
        }
        message += &match &verdict.mending {
            Some(Mending { keep, cost, mends }) if *mends => {
                let keep = keep.iter().map(|keep| format!(" --keep '{keep}'"));
                format!(
                    "\nwith these it is written, with F1 {:.2} ({:+.2}), in {:.2} of the bytes of f32:\n {}",
                    cost.f1,
                    cost.f1 - verdict.f32.f1,
                    cost.bytes as f64 / verdict.f32.bytes as f64,
                    keep.collect::<String>()
                )
            }
            Some(Mending { cost, .. }) => format!(
                "\nno --keep mends it: with all layers kept F1 is still {:.2} ({:+.2}); try a wider type",
                cost.f1,
                cost.f1 - verdict.f32.f1
            ),
            None => "\nno --keep mends it: every layer is kept already".to_owned(),
        };
        Error::input(message)
    }
}

/// The points of `--max-f1-loss`.
fn points(text: &str) -> std::result::Result<f64, String> {
    match text.parse::<f64>() {
        Ok(points) if points.is_finite() && points >= 0.0 => Ok(points),
        _ => Err("expected points of F1 such as 0.2, not below 0".to_owned()),
    }
}

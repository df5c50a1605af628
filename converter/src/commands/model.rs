//! `model`: a checkpoint as people have it becomes one `.weights` file.
//!
//! Two passes over the tensors. The first looks for values that are no numbers and hashes the rest, which
//! gives the model its identity; the second quantizes and writes. Neither holds more than one tensor.

mod gate;

use self::gate::GateArgs;
pub(crate) use self::gate::Verdict;
use crate::checkpoint::Checkpoint;
use crate::checkpoint::tokenizer::TokenizerFile;
use crate::conversion::{Conversion, Storage};
use crate::keep::Keep;
use crate::plan::{Plan, Wishes};
use crate::quantize_report::{Report, TokenizerReport, Totals};
use crate::{Console, Error, Result};
use clap::ValueEnum;
use morelet_models::weights::{self, ModelKind, Pooling, Precision};
use morelet_models::{CompiledTokenizer, NotCompiled, Tokenizer};
use std::path::{Path, PathBuf};

/// Arguments of `model`.
#[derive(Debug, clap::Args)]
#[command(after_long_help = "\
A checkpoint is a directory with config.json, a tokenizer (tokenizer.json; sentencepiece.bpe.model; \
vocab.json and merges.txt) and weights (model.safetensors or its shards; pytorch_model.bin or its shards, \
which are read as data and never executed). Models: AdaSeq's task models, XLMRobertaForTokenClassification, \
XLMRobertaModel, CLIPModel. A gate is a safetensors file with `weight` and `bias`.

Layer norms, biases, the CRF and the gate stay f32 whatever is asked.")]
pub struct Args {
    /// Directory of the checkpoint, or the safetensors file of a gate
    checkpoint: PathBuf,
    /// The .weights file to write; replaced only once the new one is whole
    #[arg(short, long, value_name = "F.weights")]
    output: PathBuf,
    /// What the model is for [default: what its tensors tell]
    #[arg(long)]
    kind: Option<Kind>,
    /// The type to store matrices in
    #[arg(long, value_name = "TYPE", default_value = "f32")]
    quantize: Quantize,
    /// The device to lay the weights out for: `cpu` puts the matrices of the layers in panels, which the CPU
    /// multiplies from the map; the others write row-major, which every device reads and the CPU packs into memory
    /// when a session starts
    #[arg(long, default_value = "any")]
    target: Target,
    /// Store the tensors whose names match PATTERN (`*` any run of characters, `?` one) as TYPE; the last that
    /// matches counts
    #[arg(long, value_name = "PATTERN=TYPE")]
    keep: Vec<Keep>,
    /// The labels in the order of the head's rows: a JSON list, or one a line [default: labels.json, else
    /// id2label of config.json]
    #[arg(long, value_name = "FILE")]
    labels: Option<PathBuf>,
    /// Which sub-tokens represent a word: first, last or mean [default: first]
    #[arg(long, value_name = "P")]
    pooling: Option<Pooling>,
    /// The ids between the words and what was retrieved, by commas [default: the id of `</s>`]
    #[arg(long, value_name = "IDS")]
    separator: Option<String>,
    /// The most ids of one input [default: max_position_embeddings − 2]
    #[arg(long, value_name = "N")]
    max_length: Option<u32>,
    /// Leave out tensors that the model has no place for, instead of refusing
    #[arg(long)]
    ignore_extra: bool,
    /// Licence of the weights, as an SPDX expression
    #[arg(long, value_name = "SPDX")]
    licence: Option<String>,
    /// Whom to thank for the weights
    #[arg(long, value_name = "TEXT")]
    attribution: Option<String>,
    /// Write what each tensor became, and what that cost, as JSON; with --gate-on also what every type and every layer
    /// costs in answers, also where nothing else is written
    #[arg(long, value_name = "FILE.json")]
    report: Option<PathBuf>,
    #[command(flatten)]
    gate: GateArgs,
}

/// What a model is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Kind {
    /// Named entities
    Ner,
    /// Relations
    Re,
    /// CLIP
    Clip,
    /// The gate between two experts
    Gate,
}

/// A type to store matrices in.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Quantize {
    /// 4 bytes a weight
    F32,
    /// 2 bytes a weight
    F16,
    /// 1 byte a weight, one scale a row
    Q8,
    /// Half a byte a weight, one scale for 32, for the matrices of the layers; the others become q8
    Q4,
}

/// What weights are laid out for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Target {
    /// Every device
    Any,
    /// The CPU
    Cpu,
    /// A GPU
    Gpu,
}

/// Converts one checkpoint.
///
/// # Errors
/// Of kind `Usage` for options that contradict the model, `Input` for a checkpoint that is damaged, not
/// complete, or of an unknown kind.
pub fn run(args: &Args, console: &Console) -> Result<()> {
    let storage = Storage {
        precision: args.precision(),
        keep: args.keep.clone(),
    };
    let wishes = args.wishes()?;
    let checkpoint = Checkpoint::open(&args.checkpoint)?;
    let mut plan = Plan::new(&checkpoint, &wishes, console)?;
    for keep in &args.keep {
        if !plan.tensors.iter().any(|(name, _)| keep.matches(name)) {
            let names = plan
                .tensors
                .iter()
                .take(3)
                .map(|(name, _)| name.as_str())
                .collect::<Vec<_>>();
            return Err(Error::usage(format!(
                "--keep {keep}: no tensor has such a name; some are {}",
                names.join(", ")
            )));
        }
    }
    let gate = args.gate.open(plan.meta.kind, console)?;
    let compiled = plan.tokenizer.as_ref().map(compile).transpose()?;
    console.check()?;

    let tensors = plan.tensors.iter();
    let bytes = tensors.map(|(_, tensor)| tensor.count() * 4).sum::<u64>();
    let bar = console.byte_bar("checking", bytes);
    let identity = identity(&plan, console, &bar)?;
    bar.finish_and_clear();
    plan.meta.identity = identity.to_string();
    plan.meta.licence.clone_from(&args.licence);
    plan.meta.attribution.clone_from(&args.attribution);

    let conversion = Conversion {
        plan: &plan,
        compiled: compiled
            .as_ref()
            .and_then(|compiled| compiled.as_ref().ok()),
        target: match args.target {
            Target::Any => weights::Target::Any,
            Target::Cpu => weights::Target::Cpu,
            Target::Gpu => weights::Target::Gpu,
        },
    };
    let (written, verdict, refusal) = match &gate {
        Some(gate) => {
            let all = args.report.is_some();
            let (written, verdict, refusal) =
                gate.convert(&conversion, &storage, &args.output, all, console)?;
            (written, Some(verdict), refusal)
        }
        None => {
            let bar = console.byte_bar("writing", conversion.bytes());
            let written = conversion.write(&storage, &args.output, &bar, console)?;
            bar.finish_and_clear();
            (written, None, None)
        }
    };

    let report = Report {
        checkpoint: args.checkpoint.display().to_string(),
        output: args.output.display().to_string(),
        kind: plan.meta.kind,
        identity: plan.meta.identity.clone(),
        root: written.root.to_string(),
        quantization: storage.to_string(),
        tokenizer: compiled.as_ref().map(TokenizerReport::new),
        totals: Totals::of(&written.lines),
        tensors: written.lines,
        dropped: plan.dropped.clone(),
        gate: verdict,
    };
    if let Some(path) = &args.report {
        write_report(path, &report)?;
    }
    if let Some(refusal) = refusal {
        return Err(refusal);
    }
    let Report {
        kind, quantization, ..
    } = &report;
    console.say(format_args!(
        "{}: {kind}, {quantization}, identity {identity}",
        args.output.display()
    ));
    console.say(report.totals.table());
    if let (Some(Err(reason)), true) = (&compiled, plan.meta.xlmr().is_some()) {
        console.say(format_args!(
            "the tokenizer is kept as tokenizer.json, which opens slowly: {reason}"
        ));
    }
    if !report.dropped.is_empty() {
        console.say(format_args!("left out: {}", report.dropped.join(", ")));
    }
    Ok(())
}

/// The compiled form of a tokenizer, or why there is none.
fn compile(
    tokenizer: &TokenizerFile,
) -> Result<std::result::Result<CompiledTokenizer, NotCompiled>> {
    let reference =
        Tokenizer::new(&tokenizer.json).map_err(|error| Error::from(error).at(&tokenizer.path))?;
    Ok(CompiledTokenizer::new(&tokenizer.json, &reference))
}

impl Args {
    fn precision(&self) -> Precision {
        match self.quantize {
            Quantize::F32 => Precision::F32,
            Quantize::F16 => Precision::F16,
            Quantize::Q8 => Precision::Q8,
            Quantize::Q4 => Precision::Q4,
        }
    }

    fn wishes(&self) -> Result<Wishes> {
        for (option, text) in [
            ("--licence", &self.licence),
            ("--attribution", &self.attribution),
        ] {
            if text.as_ref().is_some_and(|text| text.trim().is_empty()) {
                return Err(Error::usage(format!("{option}: expected some text")));
            }
        }
        Ok(Wishes {
            kind: self.kind.map(|kind| match kind {
                Kind::Ner => ModelKind::Ner,
                Kind::Re => ModelKind::Re,
                Kind::Clip => ModelKind::Clip,
                Kind::Gate => ModelKind::Gate,
            }),
            labels: self.labels.clone(),
            pooling: self.pooling,
            separator: self.separator.as_deref().map(ids).transpose()?,
            max_length: self.max_length,
            ignore_extra: self.ignore_extra,
        })
    }
}

/// The ids of `--separator`: `2,2`, or with spaces.
fn ids(text: &str) -> Result<Vec<u32>> {
    let ids = text
        .split([',', ' '])
        .filter(|id| !id.is_empty())
        .map(|id| {
            let fail = |_| {
                Error::usage(format!(
                    "--separator: expected ids such as `2,2`, got `{id}`"
                ))
            };
            id.parse::<u32>().map_err(fail)
        });
    ids.collect()
}

/// The hash over names, shapes and values of the source's tensors, sorted by our names: whatever a
/// checkpoint is packed in and however it is quantized afterwards, it is the same.
///
/// # Errors
/// Where a value is NaN or infinite.
fn identity(
    plan: &Plan<'_>,
    console: &Console,
    bar: &indicatif::ProgressBar,
) -> Result<blake3::Hash> {
    let mut tensors: Vec<_> = plan.tensors.iter().collect();
    tensors.sort_by(|(a, _), (b, _)| a.cmp(b));
    let mut hasher =
        blake3::Hasher::new_derive_key("morelet 2026 identity of a checkpoint's tensors");
    let mut bytes = Vec::new();
    for (name, tensor) in tensors {
        hasher
            .update(&(name.len() as u64).to_le_bytes())
            .update(name.as_bytes());
        hasher.update(&(tensor.shape.len() as u64).to_le_bytes());
        for dimension in &tensor.shape {
            hasher.update(&dimension.to_le_bytes());
        }
        let mut at = 0_u64;
        tensor.values(&mut |values| {
            if let Some(bad) = values.iter().position(|value| !value.is_finite()) {
                let value = values[bad];
                let message = format!(
                    "tensor `{}` ({name}): element {} is {value}: the checkpoint is damaged, or its training diverged",
                    tensor.name,
                    at + bad as u64
                );
                return Err(Error::input(message).at(tensor.path()));
            }
            bytes.clear();
            bytes.extend(values.iter().flat_map(|value| value.to_le_bytes()));
            hasher.update(&bytes);
            at += values.len() as u64;
            bar.inc(bytes.len() as u64);
            console.check()
        })?;
    }
    Ok(hasher.finalize())
}

fn write_report(path: &Path, report: &Report) -> Result<()> {
    let mut json = serde_json::to_vec_pretty(report)
        .map_err(|error| Error::input(error.to_string()).at(path).caused_by(error))?;
    json.push(b'\n');
    Ok(morelet_mapped::write_file_atomically(path, &json)?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn separators_are_ids_by_commas_or_spaces() {
        assert_eq!(ids("2").unwrap(), [2]);
        assert_eq!(ids("2,2").unwrap(), [2, 2]);
        assert_eq!(ids("2, 250001").unwrap(), [2, 250_001]);
        assert!(ids("").unwrap().is_empty());
        for text in ["</s>", "-1", "2;2", "99999999999"] {
            assert_eq!(ids(text).unwrap_err().exit_code(), 2, "{text}");
        }
    }
}

//! What a checkpoint becomes, decided before a weight is read: its kind, its hyper-parameters, its labels,
//! and which tensor of it is which of ours.

use crate::checkpoint::config::{self, Fields};
use crate::checkpoint::tokenizer::TokenizerFile;
use crate::checkpoint::{Checkpoint, Dtype, SourceTensor, labels};
use crate::names::Naming;
use crate::{Console, Error, Result};
use morelet_models::weights::{
    Architecture, ClipConfig, GateConfig, Meta, ModelKind, Pooling, XlmrConfig, expected_tensors,
};
use std::collections::{BTreeMap, HashMap};
use std::path::PathBuf;

/// What the user may say about the model; the checkpoint says the rest.
#[derive(Clone, Debug, Default)]
pub(crate) struct Wishes {
    pub(crate) kind: Option<ModelKind>,
    pub(crate) labels: Option<PathBuf>,
    pub(crate) pooling: Option<Pooling>,
    pub(crate) separator: Option<Vec<u32>>,
    pub(crate) max_length: Option<u32>,
    pub(crate) ignore_extra: bool,
}

/// A conversion, ready to run.
#[derive(Debug)]
pub(crate) struct Plan<'a> {
    /// Everything but `identity`, `quantization` and the words about the licence.
    pub(crate) meta: Meta,
    pub(crate) tokenizer: Option<TokenizerFile>,
    /// Our name and the source of every tensor, in the order of the output.
    pub(crate) tensors: Vec<(String, &'a SourceTensor)>,
    /// What the checkpoint has and the output will not have.
    pub(crate) dropped: Vec<String>,
}

impl<'a> Plan<'a> {
    /// Decides everything about a checkpoint.
    ///
    /// # Errors
    /// Of kind `Usage` where a wish cannot be met by any checkpoint of this kind; otherwise of kind `Input`,
    /// with all missing, extra and misshapen tensors at once.
    pub(crate) fn new(
        checkpoint: &'a Checkpoint,
        wishes: &Wishes,
        console: &Console,
    ) -> Result<Self> {
        let tensors = checkpoint.by_name();
        let alone =
            tensors.len() == 2 && tensors.contains_key("weight") && tensors.contains_key("bias");
        if wishes.kind.map_or(alone, |kind| kind == ModelKind::Gate) {
            return gate(checkpoint, wishes);
        }
        let path = checkpoint.file("config.json");
        if !path.exists() {
            let message = "no such file: a checkpoint needs its config.json beside the weights";
            return Err(Error::input(message).at(path));
        }
        let config = Fields::open(&path)?;
        let xlmr = match config.str("model_type")? {
            Some("xlm-roberta") => Some(true),
            Some("clip") => Some(false),
            None => None,
            Some(other) => {
                let message = format!(
                    "expected `xlm-roberta` or `clip`, got `{other}`: no such model can be read"
                );
                return Err(config.error("model_type", message));
            }
        };
        let kind = match wishes.kind {
            Some(kind) => kind,
            None => detect(checkpoint, &tensors, &config)?,
        };
        if xlmr.is_some_and(|xlmr| xlmr == (kind == ModelKind::Clip)) {
            let got = config.str("model_type")?.unwrap_or_default();
            return Err(config.error(
                "model_type",
                format_args!("`{got}` does not fit a model of kind {kind}"),
            ));
        }
        match kind {
            ModelKind::Clip => clip(checkpoint, wishes, &config, console),
            _ => xlm_r(checkpoint, wishes, &config, kind, console),
        }
    }
}

/// The kind that the tensors tell.
fn detect(
    checkpoint: &Checkpoint,
    tensors: &HashMap<&str, &SourceTensor>,
    config: &Fields,
) -> Result<ModelKind> {
    if tensors.keys().any(|name| name.starts_with("text_model.")) {
        return Ok(ModelKind::Clip);
    }
    if tensors.keys().any(|name| name.starts_with("crf.")) {
        return Ok(ModelKind::Ner);
    }
    let naming = Naming::of(ModelKind::Ner, |name| tensors.contains_key(name));
    let name = naming.source("head.weight");
    let Some(head) = tensors.get(name.as_str()) else {
        return Ok(ModelKind::Encoder);
    };
    let d = u64::from(config.u32("hidden_size", 768)?);
    match head.shape.get(1) {
        Some(width) if *width == d => Ok(ModelKind::Ner),
        Some(width) if *width == 2 * d => Ok(ModelKind::Re),
        _ => {
            let message = format!(
                "{name}: expected [t, {d}] (entities) or [t, {}] (relations) for hidden_size {d}, got {:?}; say which \
                 by --kind to see what else does not fit",
                2 * d,
                head.shape
            );
            Err(Error::input(message).at(checkpoint.weights()))
        }
    }
}

pub(crate) fn meta(kind: ModelKind, architecture: Architecture, labels: Vec<String>) -> Meta {
    Meta {
        kind,
        producer: concat!("morelet-convert ", env!("CARGO_PKG_VERSION")).to_owned(),
        // Set once the tensors have been hashed.
        identity: "0".repeat(64),
        licence: None,
        attribution: None,
        quantization: String::new(),
        architecture,
        labels,
    }
}

fn gate<'a>(checkpoint: &'a Checkpoint, wishes: &Wishes) -> Result<Plan<'a>> {
    refuse_wishes(wishes, ModelKind::Gate)?;
    let tensors = checkpoint.by_name();
    let shape = tensors
        .get("weight")
        .map_or(&[][..], |tensor| &tensor.shape);
    let &[rows, width] = shape else {
        let message = match tensors.get("weight") {
            None => "missing: weight [t or 1, d_T + d_I]: not a gate".to_owned(),
            Some(_) => format!("misshapen: weight: expected [t or 1, d_T + d_I], got {shape:?}"),
        };
        return Err(Error::input(message).at(checkpoint.weights()));
    };
    let (Ok(rows), Ok(width)) = (u32::try_from(rows), u32::try_from(width)) else {
        return Err(Error::input(format!(
            "misshapen: weight: {shape:?} is too large for a gate"
        ))
        .at(checkpoint.weights()));
    };
    if !width.is_multiple_of(2) {
        let message = format!(
            "misshapen: weight: expected two features of one width, CLIP's of the text and of the picture, got {width} \
             columns"
        );
        return Err(Error::input(message).at(checkpoint.weights()));
    }
    let config = GateConfig {
        rows,
        text_dim: width / 2,
        image_dim: width / 2,
    };
    let meta = meta(ModelKind::Gate, Architecture::Gate(config), Vec::new());
    fit(checkpoint, meta, Naming::Gate, wishes, None, Vec::new())
}

fn clip<'a>(
    checkpoint: &'a Checkpoint,
    wishes: &Wishes,
    config: &Fields,
    console: &Console,
) -> Result<Plan<'a>> {
    refuse_wishes(wishes, ModelKind::Clip)?;
    let config::ClipFields {
        projection_dim,
        mut text,
        vision,
    } = config::clip(config)?;
    let tokenizer = TokenizerFile::clip(checkpoint)?;
    text.bos_token_id = tokenizer.required("<|startoftext|>")?;
    text.end_of_text_id = tokenizer.required("<|endoftext|>")?;
    let (preprocess, found) = config::preprocess(checkpoint, vision.image_size)?;
    if !found {
        console.say(format_args!(
            "no preprocessor_config.json: pictures are resized and cropped to {0} × {0} pixels and normalized as for \
             every published CLIP",
            vision.image_size
        ));
    }
    warn_of_large_ids(&tokenizer, text.vocab_size, console);
    let config = ClipConfig {
        projection_dim,
        text,
        vision,
        preprocess,
    };
    let meta = meta(ModelKind::Clip, Architecture::Clip(config), Vec::new());
    fit(
        checkpoint,
        meta,
        Naming::Clip,
        wishes,
        Some(tokenizer),
        Vec::new(),
    )
}

fn xlm_r<'a>(
    checkpoint: &'a Checkpoint,
    wishes: &Wishes,
    fields: &Fields,
    kind: ModelKind,
    console: &Console,
) -> Result<Plan<'a>> {
    let tensors = checkpoint.by_name();
    let naming = Naming::of(kind, |name| tensors.contains_key(name));
    let mut config: XlmrConfig = config::xlmr(fields)?;
    let tokenizer = TokenizerFile::xlmr(checkpoint)?;
    config.unk_token_id = tokenizer.unk()?;
    config.crf = kind == ModelKind::Ner && tensors.keys().any(|name| name.starts_with("crf."));
    config.head_norm =
        kind == ModelKind::Re && tensors.keys().any(|name| name.starts_with("layer_norm."));
    config.pooling = wishes.pooling.unwrap_or_default();
    if let Some(separator) = &wishes.separator {
        if let Some(id) = separator.iter().find(|id| **id >= config.vocab_size) {
            let message = format!(
                "--separator: expected ids below the vocabulary's {}, got {id}",
                config.vocab_size
            );
            return Err(Error::usage(message));
        }
        config.separator.clone_from(separator);
    }
    if let Some(max_length) = wishes.max_length {
        if !(2..=config.max_length).contains(&max_length) {
            let message = format!(
                "--max-length: expected 2 to {} (max_position_embeddings {} − 2), got {max_length}",
                config.max_length, config.max_position_embeddings
            );
            return Err(Error::usage(message));
        }
        config.max_length = max_length;
    }
    for (token, id, key) in [
        ("<s>", config.bos_token_id, "bos_token_id"),
        ("</s>", config.eos_token_id, "eos_token_id"),
    ] {
        if let Some(other) = tokenizer.id(token).filter(|other| *other != id) {
            console.say(format_args!(
                "warning: config.json says {key} {id}, but `{token}` is {other} in {}; config.json is followed",
                tokenizer.path.display()
            ));
        }
    }
    warn_of_large_ids(&tokenizer, config.vocab_size, console);
    let mut problems = Vec::new();
    let mut names = Vec::new();
    if kind == ModelKind::Encoder {
        refuse_head_wishes(wishes, kind)?;
    } else {
        let labels = labels::find(wishes.labels.as_deref(), checkpoint, fields)?;
        names = labels.names;
        let rows = tensors
            .get(naming.source("head.weight").as_str())
            .and_then(|head| head.shape.first());
        if let Some(rows) = rows.filter(|rows| **rows != names.len() as u64) {
            problems.push(format!(
                "labels: {} has {}, but {} has {rows} rows",
                labels.path.display(),
                names.len(),
                naming.source("head.weight")
            ));
        }
    }
    if let Some(prefix) = naming.unknown_prefix(tensors.keys().copied()) {
        problems.push(format!(
            "names begin with `{prefix}`, which no model's do; take it off, as by \
             `{{k.removeprefix({prefix:?}): v for k, v in state_dict.items()}}`"
        ));
    }
    let meta = meta(kind, Architecture::Xlmr(config), names);
    fit(checkpoint, meta, naming, wishes, Some(tokenizer), problems)
}

/// Finds the source of every tensor of `meta`, and adds all that does not fit to `problems`.
fn fit<'a>(
    checkpoint: &'a Checkpoint,
    meta: Meta,
    naming: Naming,
    wishes: &Wishes,
    tokenizer: Option<TokenizerFile>,
    mut problems: Vec<String>,
) -> Result<Plan<'a>> {
    let unsound = meta.problems();
    if !unsound.is_empty() {
        let path = if meta.kind == ModelKind::Gate {
            checkpoint.weights().to_owned()
        } else {
            checkpoint.file("config.json")
        };
        return Err(Error::input(listed("hyper-parameters that cannot be:", &unsound)).at(path));
    }
    let mut left: BTreeMap<&str, &SourceTensor> = checkpoint
        .tensors()
        .iter()
        .map(|tensor| (tensor.name.as_str(), tensor))
        .collect();
    // With labels of another number, the head's rows would all be misshapen, which says nothing new.
    let labels_fit = !problems
        .iter()
        .any(|problem| problem.starts_with("labels:"));
    let (mut tensors, mut missing, mut misshapen) = (Vec::new(), Vec::new(), Vec::new());
    for (name, shape) in expected_tensors(&meta) {
        let source = naming.source(&name);
        let Some(tensor) = left.remove(source.as_str()) else {
            missing.push(format!("missing: {source} {shape:?} ({name})"));
            continue;
        };
        let of_labels = !labels_fit
            && (name == "head.weight" || name == "head.bias" || name.starts_with("crf."));
        if tensor.shape != shape && !of_labels {
            misshapen.push(format!(
                "misshapen: {source}: expected {shape:?}, got {:?} ({name})",
                tensor.shape
            ));
        }
        if let Dtype::Other(got, _) = tensor.dtype {
            misshapen.push(format!(
                "{source}: expected f32, f64, f16 or bf16, got {got} ({name})"
            ));
        }
        tensors.push((name, tensor));
    }
    let mut dropped: Vec<String> = checkpoint.others().to_vec();
    let mut extra = Vec::new();
    for (name, tensor) in left {
        if wishes.ignore_extra || naming.is_dropped(name) {
            dropped.push(name.to_owned());
        } else {
            extra.push(format!("extra: {name} {:?}", tensor.shape));
        }
    }
    if !extra.is_empty() && missing.is_empty() && misshapen.is_empty() && problems.is_empty() {
        extra.push("--ignore-extra leaves extra tensors out".to_owned());
    }
    for list in [missing, misshapen, extra] {
        problems.extend(list);
    }
    if !problems.is_empty() {
        let heading = format!(
            "the tensors are not those of a model of kind {} with this config.json:",
            meta.kind
        );
        return Err(Error::input(listed(&heading, &problems)).at(checkpoint.weights()));
    }
    dropped.sort();
    Ok(Plan {
        meta,
        tokenizer,
        tensors,
        dropped,
    })
}

/// Options that only an expert has.
fn refuse_wishes(wishes: &Wishes, kind: ModelKind) -> Result<()> {
    for (given, option) in [
        (wishes.pooling.is_some(), "--pooling"),
        (wishes.separator.is_some(), "--separator"),
        (wishes.max_length.is_some(), "--max-length"),
    ] {
        if given {
            return Err(Error::usage(format!(
                "{option} is for experts; this is a model of kind {kind}"
            )));
        }
    }
    refuse_head_wishes(wishes, kind)
}

fn refuse_head_wishes(wishes: &Wishes, kind: ModelKind) -> Result<()> {
    if wishes.labels.is_some() {
        return Err(Error::usage(format!(
            "--labels is for experts; this is a model of kind {kind}, which has none"
        )));
    }
    Ok(())
}

fn warn_of_large_ids(tokenizer: &TokenizerFile, vocab_size: u32, console: &Console) {
    if tokenizer.largest() >= vocab_size {
        console.say(format_args!(
            "warning: {} has ids up to {}, but the model has {vocab_size} embeddings: a text that needs one of the \
             others cannot be answered",
            tokenizer.path.display(),
            tokenizer.largest()
        ));
    }
}

/// A heading, then one indented line a problem.
fn listed(heading: &str, problems: &[String]) -> String {
    problems.iter().fold(heading.to_owned(), |text, problem| {
        format!("{text}\n  {problem}")
    })
}

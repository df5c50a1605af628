//! `train task`: an expert (MoRe §2.4).

use crate::checkpoint::json;
use crate::checkpoint::tokenizer::TokenizerFile;
use crate::plan;
use crate::train::checkpoint::check_target;
use crate::train::contexts::{ContextArgs, Contexts};
use crate::train::data::{self, Item, Reader};
use crate::train::fingerprint::Fingerprint;
use crate::train::initial::Start;
use crate::train::run::{self, RunArgs, Task};
use crate::train::score;
use crate::{Console, Error, Result};
use clap::ValueEnum;
use morelet::DeviceRequest;
use morelet_models::device::Compute;
use morelet_models::train::{Example, ExpertLoss, Loss, Parameters};
use morelet_models::weights::{Activation, Architecture, ModelKind, Pooling, XlmrConfig};
use morelet_models::{Cancel, Tokenizer};
use serde_json::{Value, json};
use std::path::{Path, PathBuf};

/// Arguments of `train task`.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
The checkpoint is laid out as AdaSeq's: config.json, tokenizer.json, labels.json and model.safetensors, beside \
metrics.jsonl and training.json. `morelet-convert model DIR` makes weights of it.
Example: morelet-convert train task --kind ner --init xlm-roberta-large --train train.jsonl --dev dev.jsonl \
--context text --text-index text.index --rate 2e-5 --crf-rate 5e-2 -o expert-text")]
pub(super) struct Args {
    /// Directory of the checkpoint to write; a checkpoint that is there is replaced when the new one is whole
    #[arg(short, long, value_name = "DIR")]
    output: PathBuf,
    /// Entities or relations
    #[arg(long)]
    kind: Kind,
    /// The checkpoint of an XLM-R to start from, or `random`
    #[arg(long, value_name = "CHECKPOINT|random")]
    init: PathBuf,
    /// Sentences to learn from, with `gold`: .jsonl or .conll
    #[arg(long, value_name = "FILE")]
    train: PathBuf,
    /// Sentences that decide which epoch is the best
    #[arg(long, value_name = "FILE")]
    dev: PathBuf,
    /// Where the pictures of the files lie
    #[arg(long, value_name = "DIR")]
    images: Option<PathBuf>,
    #[command(flatten)]
    context: ContextArgs,
    /// The labels in the order of the head's rows, a JSON list [default: those of the training sentences]
    #[arg(long, value_name = "FILE")]
    labels: Option<PathBuf>,
    /// With `--init random`: a tokenizer.json, whose ids the model has rows for
    #[arg(long, value_name = "FILE")]
    tokenizer: Option<PathBuf>,
    /// With `--init random`: width of hidden states
    #[arg(long, value_name = "D", default_value_t = 64)]
    hidden: u32,
    /// With `--init random`: number of layers
    #[arg(long, value_name = "N", default_value_t = 2)]
    layers: u32,
    /// With `--init random`: attention heads of a layer
    #[arg(long, value_name = "N", default_value_t = 4)]
    heads: u32,
    /// With `--init random`: width of the feed-forward blocks [default: 4 D]
    #[arg(long, value_name = "F")]
    intermediate: Option<u32>,
    /// L, the most ids of an input [default: what the checkpoint has; 128 with `--init random`]
    #[arg(long, value_name = "N")]
    max_length: Option<u32>,
    /// Classify each word by itself, without a CRF
    #[arg(long)]
    no_crf: bool,
    #[command(flatten)]
    run: RunArgs,
    /// The largest rate of the CRF [default: that of everything else]
    #[arg(long, value_name = "X")]
    crf_rate: Option<f64>,
    /// The probability with which an element of a block's result is set to 0
    #[arg(long, value_name = "P", default_value_t = 0.1)]
    dropout: f64,
    /// The probability with which all of a word's representation is
    #[arg(long, value_name = "P", default_value_t = 0.0)]
    word_dropout: f64,
    /// How much it counts that the same is said without contexts as with them; needs a second pass for each batch
    #[arg(long, value_name = "WEIGHT", default_value_t = 0.0)]
    cross_view: f64,
    /// The temperature of the distributions that are compared for that
    #[arg(long, value_name = "T", default_value_t = 1.0)]
    temperature: f64,
    /// Where to train: auto, cpu, wgpu[:N] or cuda[:N]
    #[arg(long, value_name = "DEVICE", default_value = "auto")]
    device: DeviceRequest,
    /// Threads on the CPU [default: one for each processor]
    #[arg(long, value_name = "N")]
    threads: Option<usize>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Kind {
    /// Named entities
    Ner,
    /// The relation of two spans
    Re,
}

pub(super) fn run(args: &Args, console: &Console) -> Result<()> {
    args.check()?;
    check_target(&args.output)?;
    let kind = match args.kind {
        Kind::Ner => ModelKind::Ner,
        Kind::Re => ModelKind::Re,
    };
    let compute = super::compute(args.device, args.threads)?;
    let contexts = Contexts::open(&args.context, &compute)?;
    let images = args.images.as_deref();
    let train = data::read(&args.train, images, kind, &contexts, console)?;
    let dev = data::read(&args.dev, images, kind, &contexts, console)?;
    let labels = match &args.labels {
        Some(path) => labels_of(path)?,
        None => data::labels(&train),
    };
    let mut start = args.start(kind, &labels, console)?;
    let tokenizer = start.open_tokenizer()?;
    let mut parameters = start.parameters(&compute, args.run.seed)?;
    let meta = parameters.meta().clone();
    let Some(config) = meta.xlmr() else {
        return Err(Error::input("expected an XLM-R").at(&args.init));
    };
    if tokenizer.vocabulary() > config.vocab_size as usize {
        return Err(Error::input(format!(
            "the tokenizer has {} pieces, the model {} rows for them",
            tokenizer.vocabulary(),
            config.vocab_size
        )));
    }
    let reader = Reader {
        kind,
        labels: &labels,
        tokenizer: &tokenizer,
        config,
        plain: args.cross_view > 0.0,
    };
    let mut examples = Vec::with_capacity(train.len());
    for item in &train {
        console.check()?;
        examples.extend(reader.example(item)?);
    }
    // A label that the model has not would never be predicted, and be noticed late.
    let chosen_by = dev.iter().map(|item| reader.example(item));
    let chosen_by: Vec<_> = chosen_by.collect::<Result<_>>()?;
    if examples.len() < train.len() {
        console.say(format_args!(
            "{} of {} sentences are too long to learn from",
            train.len() - examples.len(),
            train.len()
        ));
    }
    if examples.is_empty() {
        return Err(Error::input("no sentence to learn from").at(&args.train));
    }
    console.say(format_args!(
        "{} sentences, {} to choose by, {} labels; {} layers of {}, on {}",
        examples.len(),
        dev.len(),
        labels.len(),
        config.num_hidden_layers,
        config.hidden_size,
        compute.info().used,
    ));
    let training = args.described(&labels);
    let all = examples.iter().chain(chosen_by.iter().flatten());
    let fingerprint = fingerprint(&training, all, &parameters)?;
    let task = Expert {
        args,
        examples,
        dev,
        tokenizer: (&start.tokenizer, &tokenizer),
        compute: &compute,
    };
    let output = &args.output;
    let mut done = run::train(
        &args.run,
        &task,
        &mut parameters,
        output,
        &fingerprint,
        console,
    )?;
    done.finish(&parameters, &start.tokenizer, training, output)?;
    console.say(format_args!(
        "{}: F1 {:.2} on {}, after epoch {}",
        output.display(),
        done.best,
        args.dev.display(),
        done.best_epoch
    ));
    Ok(())
}

impl Args {
    fn check(&self) -> Result<()> {
        self.run.check()?;
        let is_random = self.init == Path::new("random");
        if is_random && self.tokenizer.is_none() {
            let message = "--init random needs a tokenizer: give --tokenizer tokenizer.json";
            return Err(Error::usage(message));
        }
        if !is_random && self.tokenizer.is_some() {
            return Err(Error::usage(
                "--tokenizer goes with --init random; a checkpoint has its own",
            ));
        }
        let probability = |p: f64| (0.0..1.0).contains(&p);
        let positive = |x: f64| x.is_finite() && x > 0.0;
        let fits = [
            ("--dropout", probability(self.dropout)),
            ("--word-dropout", probability(self.word_dropout)),
            (
                "--cross-view",
                self.cross_view == 0.0 || positive(self.cross_view),
            ),
            ("--temperature", positive(self.temperature)),
            ("--crf-rate", self.crf_rate.is_none_or(positive)),
        ];
        match fits.iter().find(|(_, fits)| !fits) {
            Some((name, _)) => Err(Error::usage(format!("{name}: not a possible value"))),
            None => Ok(()),
        }
    }

    fn start(&self, kind: ModelKind, labels: &[String], console: &Console) -> Result<Start> {
        let crf = kind == ModelKind::Ner && !self.no_crf;
        let Some(tokenizer) = &self.tokenizer else {
            let path = &self.init;
            return Start::from_checkpoint(path, kind, labels, crf, self.max_length, console);
        };
        let tokenizer = TokenizerFile::read(tokenizer.clone())?;
        let pad = tokenizer.required("<pad>")?;
        let end = tokenizer.required("</s>")?;
        let max_length = self.max_length.unwrap_or(128);
        let config = XlmrConfig {
            vocab_size: tokenizer.largest().saturating_add(1),
            hidden_size: self.hidden,
            num_hidden_layers: self.layers,
            num_attention_heads: self.heads,
            intermediate_size: self.intermediate.unwrap_or(self.hidden.saturating_mul(4)),
            // Positions are counted from the padding id plus 1.
            max_position_embeddings: max_length.saturating_add(pad).saturating_add(1),
            type_vocab_size: 1,
            layer_norm_eps: 1e-5,
            hidden_act: Activation::Gelu,
            pad_token_id: pad,
            bos_token_id: tokenizer.required("<s>")?,
            eos_token_id: end,
            unk_token_id: tokenizer.unk()?,
            max_length,
            pooling: Pooling::First,
            separator: vec![end],
            crf,
            head_norm: false,
        };
        let meta = plan::meta(kind, Architecture::Xlmr(config), labels.to_vec());
        Ok(Start::of(meta, tokenizer.json))
    }

    /// Everything that decides the result, but the data and the device.
    fn described(&self, labels: &[String]) -> Value {
        json!({
            "producer": concat!("morelet-convert ", env!("CARGO_PKG_VERSION")),
            "context": self.context.context.as_str(),
            "labels": labels.len(),
            "run": self.run,
            "crf_rate": self.crf_rate,
            "dropout": self.dropout,
            "word_dropout": self.word_dropout,
            "cross_view": self.cross_view,
            "temperature": self.temperature,
        })
    }
}

/// A hash of what decides the result. `examples` are those to learn from, then those that decide which epoch is the best.
fn fingerprint<'a>(
    training: &Value,
    examples: impl Iterator<Item = &'a Example>,
    parameters: &Parameters,
) -> Result<String> {
    let mut hash = Fingerprint::of(parameters)?;
    hash.text(&training.to_string());
    for example in examples {
        hash.numbers(example.input.ids.iter().map(|&id| u64::from(id)));
        hash.numbers(example.gold.iter().map(|&label| label as u64));
    }
    Ok(hash.finish())
}

fn labels_of(path: &Path) -> Result<Vec<String>> {
    let value = json::read(path, 1 << 20)?;
    serde_json::from_value(value)
        .map_err(|_| Error::input("expected a JSON list of labels").at(path))
}

/// An expert in training.
struct Expert<'a> {
    args: &'a Args,
    examples: Vec<Example>,
    dev: Vec<Item>,
    tokenizer: (&'a [u8], &'a Tokenizer),
    compute: &'a Compute,
}

impl Task for Expert<'_> {
    fn len(&self) -> usize {
        self.examples.len()
    }

    fn length(&self, example: usize) -> usize {
        self.examples[example].input.ids.len()
    }

    fn loss(
        &self,
        parameters: &Parameters,
        examples: &[usize],
        seed: u64,
        cancel: &Cancel,
    ) -> Result<Loss> {
        let loss = ExpertLoss {
            dropout: self.args.dropout,
            word_dropout: self.args.word_dropout,
            cross_view: self.args.cross_view,
            temperature: self.args.temperature,
        };
        let batch: Vec<&Example> = examples.iter().map(|&at| &self.examples[at]).collect();
        Ok(loss.of(parameters, &batch, seed, cancel)?)
    }

    fn rate(&self, name: &str) -> f64 {
        match self.args.crf_rate {
            Some(rate) if name.starts_with("crf.") => rate / self.args.run.rate,
            _ => 1.0,
        }
    }

    fn score(&self, parameters: &Parameters, folder: &Path) -> Result<(f64, Value)> {
        let cancel = Cancel::new();
        let score = score::expert(
            parameters,
            self.tokenizer,
            &self.dev,
            self.compute,
            folder,
            &cancel,
        )?;
        let told = json!({"precision": score.precision, "recall": score.recall, "f1": score.f1});
        Ok((score.f1, told))
    }
}

//! `train clip`: two towers on pictures and captions (Radford et al. 2021), for features of a world that no published CLIP
//! has seen.

use crate::checkpoint::Checkpoint;
use crate::checkpoint::tokenizer::TokenizerFile;
use crate::plan::{Plan, Wishes, meta};
use crate::records::Records;
use crate::train::checkpoint::check_target;
use crate::train::fingerprint::Fingerprint;
use crate::train::initial::Start;
use crate::train::run::{self, NOW, RunArgs, Task};
use crate::train::score::write_weights;
use crate::{Console, Error, Result};
use morelet::DeviceRequest;
use morelet_mapped::OpenOptions;
use morelet_models::device::Compute;
use morelet_models::train::{ContrastiveLoss, Loss, Pair, Parameters};
use morelet_models::weights::{
    Activation, Architecture, ClipConfig, ClipTextConfig, ClipVisionConfig, ModelKind, Preprocess,
    Resample, Weights,
};
use morelet_models::{Cancel, Clip, Picture, PictureLimits, Tokenizer, caption_ids};
use serde::Deserialize;
use serde_json::{Value, json};
use std::collections::HashMap;
use std::path::{Path, PathBuf};

/// The most ids of a caption, both ends included, in every published CLIP.
const CAPTION: u32 = 77;

/// Arguments of `train clip`.
#[derive(Debug, clap::Args)]
#[command(
    after_help = "\
A line of the input is {\"text\", \"images\": [paths]}: a caption and one picture or more of what it says; or a line of \
images.jsonl, whose introduction is the caption. Where a line has several pictures, two of them are drawn in each epoch.",
    mut_arg("batch", |arg| arg.default_value("128")),
    mut_arg("epochs", |arg| arg.default_value("20"))
)]
pub(super) struct Args {
    /// Directory of the checkpoint to write; a checkpoint that is there is replaced when the new one is whole
    #[arg(short, long, value_name = "DIR")]
    output: PathBuf,
    /// The checkpoint of a CLIP to start from, or `random`
    #[arg(long, value_name = "CHECKPOINT|random")]
    init: PathBuf,
    /// Captions with pictures to learn from
    #[arg(long, value_name = "F.jsonl")]
    train: PathBuf,
    /// Captions with pictures that decide which epoch is the best
    #[arg(long, value_name = "F.jsonl")]
    dev: PathBuf,
    /// With `--init random`: a tokenizer.json with `<|startoftext|>` and `<|endoftext|>`
    #[arg(long, value_name = "FILE")]
    tokenizer: Option<PathBuf>,
    /// With `--init random`: width of both towers
    #[arg(long, value_name = "D", default_value_t = 64)]
    hidden: u32,
    /// With `--init random`: layers of each tower
    #[arg(long, value_name = "N", default_value_t = 2)]
    layers: u32,
    /// With `--init random`: attention heads of a layer
    #[arg(long, value_name = "N", default_value_t = 4)]
    heads: u32,
    /// With `--init random`: width of a feature
    #[arg(long, value_name = "N", default_value_t = 32)]
    projection: u32,
    /// With `--init random`: side of a picture, in pixels
    #[arg(long, value_name = "PIXELS", default_value_t = 64)]
    image_size: u32,
    /// With `--init random`: side of a patch, in pixels
    #[arg(long, value_name = "PIXELS", default_value_t = 16)]
    patch_size: u32,
    #[command(flatten)]
    run: RunArgs,
    /// What cosines are divided by
    #[arg(long, value_name = "T", default_value_t = 0.07)]
    temperature: f64,
    /// How much it counts that two pictures of one line lie close
    #[arg(long, value_name = "WEIGHT", default_value_t = 1.0)]
    views: f64,
    /// The probability with which an element of a block's result is set to 0
    #[arg(long, value_name = "P", default_value_t = 0.0)]
    dropout: f64,
    /// Where to train: auto, cpu, wgpu[:N] or cuda[:N]
    #[arg(long, value_name = "DEVICE", default_value = "auto")]
    device: DeviceRequest,
    /// Threads on the CPU [default: one for each processor]
    #[arg(long, value_name = "N")]
    threads: Option<usize>,
}

/// A line of the input.
#[derive(Debug, Deserialize)]
#[serde(expecting = "an object with `text` (or `intro`) and `images` (or `image`)")]
struct Record {
    #[serde(alias = "intro")]
    text: String,
    #[serde(default)]
    images: Vec<String>,
    #[serde(default)]
    image: Option<String>,
}

/// A caption with its pictures, as 8-bit pixels: they are most of the memory.
struct Captioned {
    text: String,
    ids: Vec<u32>,
    pictures: Vec<Picture>,
}

pub(super) fn run(args: &Args, console: &Console) -> Result<()> {
    args.check()?;
    check_target(&args.output)?;
    let compute = super::compute(args.device, args.threads)?;
    let mut start = args.start(console)?;
    let tokenizer = start.open_tokenizer()?;
    let mut parameters = start.parameters(&compute, args.run.seed)?;
    let meta = parameters.meta().clone();
    let Some(config) = meta.clip() else {
        return Err(Error::input("expected a CLIP").at(&args.init));
    };
    let train = read(&args.train, config, &tokenizer, console)?;
    let dev = read(&args.dev, config, &tokenizer, console)?;
    console.say(format_args!(
        "{} captions, {} to choose by; {} layers of {}, on {}",
        train.len(),
        dev.len(),
        config.vision.num_hidden_layers,
        config.vision.hidden_size,
        compute.info().used,
    ));
    let training = json!({
        "producer": concat!("morelet-convert ", env!("CARGO_PKG_VERSION")),
        "run": args.run, "temperature": args.temperature, "views": args.views, "dropout": args.dropout,
    });
    let mut hash = Fingerprint::of(&parameters)?;
    hash.text(&training.to_string());
    for one in train.iter().chain(&dev) {
        hash.numbers(one.ids.iter().map(|&id| u64::from(id)));
        hash.numbers([one.pictures.len() as u64]);
        one.pictures
            .iter()
            .for_each(|picture| hash.bytes(picture.rgb()));
    }
    let fingerprint = hash.finish();
    let task = Towers {
        args,
        train,
        dev,
        preprocess: &config.preprocess,
        tokenizer: &start.tokenizer,
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
        "{}: {:.1} % of the nearest are right on {}, after epoch {}",
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
        if is_random != self.tokenizer.is_some() {
            return Err(Error::usage(
                "--init random needs --tokenizer tokenizer.json; a checkpoint has its own",
            ));
        }
        let fits = [
            (
                "--temperature",
                self.temperature.is_finite() && self.temperature > 0.0,
            ),
            ("--views", self.views.is_finite() && self.views >= 0.0),
            ("--dropout", (0.0..1.0).contains(&self.dropout)),
        ];
        match fits.iter().find(|(_, fits)| !fits) {
            Some((name, _)) => Err(Error::usage(format!("{name}: not a possible value"))),
            None => Ok(()),
        }
    }

    fn start(&self, console: &Console) -> Result<Start> {
        let Some(path) = &self.tokenizer else {
            let checkpoint = Checkpoint::open(&self.init)?;
            let wishes = Wishes {
                kind: Some(ModelKind::Clip),
                ..Wishes::default()
            };
            return Start::read(Plan::new(&checkpoint, &wishes, console)?, console);
        };
        let tokenizer = TokenizerFile::read(path.clone())?;
        let (d, layers, heads) = (self.hidden, self.layers, self.heads);
        let end = tokenizer.required("<|endoftext|>")?;
        let config = ClipConfig {
            projection_dim: self.projection,
            text: ClipTextConfig {
                vocab_size: tokenizer.largest() + 1,
                hidden_size: d,
                num_hidden_layers: layers,
                num_attention_heads: heads,
                intermediate_size: d.saturating_mul(4),
                max_position_embeddings: CAPTION,
                layer_norm_eps: 1e-5,
                hidden_act: Activation::QuickGelu,
                bos_token_id: tokenizer.required("<|startoftext|>")?,
                end_of_text_id: end,
                eos_token_id: end,
            },
            vision: ClipVisionConfig {
                hidden_size: d,
                num_hidden_layers: layers,
                num_attention_heads: heads,
                intermediate_size: d.saturating_mul(4),
                image_size: self.image_size,
                patch_size: self.patch_size,
                layer_norm_eps: 1e-5,
                hidden_act: Activation::QuickGelu,
            },
            preprocess: Preprocess {
                resize: self.image_size,
                crop: self.image_size,
                resample: Resample::Bicubic,
                mean: [0.5; 3],
                std: [0.25; 3],
            },
        };
        let meta = meta(ModelKind::Clip, Architecture::Clip(config), Vec::new());
        Ok(Start::of(meta, tokenizer.json))
    }
}

/// Reads captions and decodes their pictures.
fn read(
    path: &Path,
    config: &ClipConfig,
    tokenizer: &Tokenizer,
    console: &Console,
) -> Result<Vec<Captioned>> {
    let beside = path.parent().unwrap_or(Path::new(""));
    let mut records = Records::<Record>::open(path)?;
    let mut all = Vec::new();
    let bar = console.counter("pictures");
    while let Some(record) = records.next_record()? {
        console.check()?;
        let images = record.images.iter().chain(&record.image);
        let limits = PictureLimits::default();
        let pictures = images.map(|image| {
            bar.inc(1);
            let picture = Picture::open(beside.join(image), &config.preprocess, &limits);
            picture.map_err(|error| Error::from(error).noting(records.place()))
        });
        let pictures = pictures.collect::<Result<Vec<_>>>()?;
        if pictures.is_empty() {
            return Err(records.error("expected a picture with each caption"));
        }
        let ids = caption_ids(tokenizer, &config.text, &record.text)?;
        if let Some(id) = ids.iter().find(|&&id| id >= config.text.vocab_size) {
            let message = format!("the tokenizer gives id {id}, which the model has no row for");
            return Err(records.error(message));
        }
        all.push(Captioned {
            text: record.text,
            ids,
            pictures,
        });
    }
    bar.finish_and_clear();
    if all.len() < 2 {
        return Err(Error::input("expected two captions at least").at(path));
    }
    Ok(all)
}

/// Both towers in training.
struct Towers<'a> {
    args: &'a Args,
    train: Vec<Captioned>,
    dev: Vec<Captioned>,
    preprocess: &'a Preprocess,
    tokenizer: &'a [u8],
    compute: &'a Compute,
}

impl Task for Towers<'_> {
    fn len(&self) -> usize {
        self.train.len()
    }

    fn length(&self, _: usize) -> usize {
        // Pictures are of one size, and similar captions in one batch would be told apart by their length.
        0
    }

    fn loss(
        &self,
        parameters: &Parameters,
        examples: &[usize],
        seed: u64,
        cancel: &Cancel,
    ) -> Result<Loss> {
        let mut random = crate::random::Random::new(seed);
        let pairs = examples.iter().map(|&at| {
            let one = &self.train[at];
            let count = one.pictures.len();
            let first = random.below(count);
            let mut drawn = vec![first];
            if count > 1 {
                drawn.push((first + 1 + random.below(count - 1)) % count);
            }
            let views = drawn
                .into_iter()
                .map(|at| one.pictures[at].normalized(self.preprocess));
            Pair {
                ids: one.ids.clone(),
                views: views.collect(),
            }
        });
        let pairs: Vec<Pair> = pairs.collect();
        let loss = ContrastiveLoss {
            temperature: self.args.temperature,
            views: self.args.views,
            dropout: self.args.dropout,
        };
        let batch: Vec<&Pair> = pairs.iter().collect();
        Ok(loss.of(parameters, &batch, seed, cancel)?)
    }

    /// How often the nearest caption of a picture is its own, and the nearest first picture of a second one; in percent,
    /// and their mean.
    fn score(&self, parameters: &Parameters, folder: &Path) -> Result<(f64, Value)> {
        let path = folder.join(NOW);
        write_weights(parameters, self.tokenizer, &path)?;
        let clip = Clip::load(Weights::open(&path, OpenOptions::default())?, self.compute)?;
        let cancel = Cancel::new();
        let images = |at: usize| -> Result<Vec<Option<Vec<f32>>>> {
            let pictures: Vec<Option<&Picture>> =
                self.dev.iter().map(|one| one.pictures.get(at)).collect();
            let there: Vec<&Picture> = pictures.iter().copied().flatten().collect();
            let mut features = clip.images(&there, &cancel)?.into_iter();
            Ok(pictures
                .iter()
                .map(|one| one.and_then(|_| features.next()))
                .collect())
        };
        let (first, second) = (images(0)?, images(1)?);
        // Captions that say the same are one.
        let mut numbers: HashMap<&str, usize> = HashMap::new();
        let mut captions = Vec::new();
        let mut own = Vec::new();
        for one in &self.dev {
            let next = captions.len();
            let number = *numbers.entry(&one.text).or_insert(next);
            if number == next {
                captions.push(clip.text(&one.text, &cancel)?);
            }
            own.push(number);
        }
        let all: Vec<Vec<f32>> = first.iter().flatten().cloned().collect();
        let right = |queries: &[Option<Vec<f32>>], keys: &[Vec<f32>], own: &[usize]| {
            let asked = queries
                .iter()
                .zip(own)
                .filter_map(|(query, own)| Some((query.as_ref()?, *own)));
            let hits: Vec<bool> = asked
                .map(|(query, own)| nearest(query, keys) == own)
                .collect();
            let right = hits.iter().filter(|&&hit| hit).count();
            (!hits.is_empty()).then(|| 100.0 * right as f64 / hits.len() as f64)
        };
        let places: Vec<usize> = (0..self.dev.len()).collect();
        let captions = right(&first, &captions, &own).unwrap_or(0.0);
        let views = right(&second, &all, &places);
        let score = views.map_or(captions, |views| (captions + views) / 2.0);
        Ok((score, json!({"captions": captions, "views": views})))
    }
}

/// The number of the key with the largest inner product.
fn nearest(query: &[f32], keys: &[Vec<f32>]) -> usize {
    let dot = |key: &Vec<f32>| -> f32 { query.iter().zip(key).map(|(a, b)| a * b).sum() };
    let mut best = (0, f32::NEG_INFINITY);
    for (at, key) in keys.iter().enumerate() {
        let dot = dot(key);
        if dot > best.1 {
            best = (at, dot);
        }
    }
    best.0
}

//! The weights of one model measured alone: an encoder from ids to hidden states, or CLIP from a picture's file to its feature.

use super::host::{Host, Memory};
use super::output::{self, Measurement};
use super::random::below;
use super::times::{Times, micros, ms};
use super::{Args, hidden, turns};
use crate::cli::retrieval::first_given;
use crate::cli::{ComputeArgs, Console, Failure, Outcome};
use crate::{Cancel, DeviceInfo, Error, Named, Result};
use morelet_mapped::OpenOptions;
use morelet_models::device::{Compute, ComputeOptions};
use morelet_models::weights::Weights;
use morelet_models::xlmr::Encoder;
use morelet_models::{Clip, Picture, PictureLimits};
use serde::Serialize;
use serde_json::json;
use std::path::{Path, PathBuf};
use std::time::Instant;

/// The most bytes of a file of requests that are read.
const LIMIT: u64 = 64 << 20;

/// What was measured. All times are in µs, by the wall.
#[derive(Serialize)]
struct Measured {
    version: &'static str,
    commit: Option<&'static str>,
    host: Host,
    file: String,
    root: String,
    quantization: String,
    device: DeviceInfo,
    /// Ids of an input, where the model is an encoder and all inputs have as many.
    #[serde(skip_serializing_if = "Option::is_none")]
    tokens: Option<usize>,
    /// Mapping and checking the file.
    open_us: u64,
    /// Loading the model.
    load_us: u64,
    /// The first run.
    first_us: u64,
    modules: Named<Times>,
    memory: Memory,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    hidden_states: Vec<hidden::Nearness>,
}

/// A model that is ready, and what it is asked in turn.
enum Subject {
    Encoder(Box<Encoder>, Vec<Vec<u32>>),
    Clip(Box<Clip>, Vec<PathBuf>),
}

/// The times of one run by module; the whole is the last.
type Laps = Vec<(&'static str, u64)>;

pub(super) fn run(path: &Path, args: &Args, compute: &ComputeArgs, console: &Console) -> Outcome {
    let given = first_given([
        (args.clip.is_some(), "--clip"),
        (!args.retrieval.effort.is_exact(), "--effort"),
        (args.text.is_some(), "--text"),
        (args.input.is_some(), "--input"),
        (args.images.is_some(), "--images"),
        (args.format.is_some(), "--format"),
        (args.alone, "--alone"),
        (!args.batch.is_empty(), "--batch"),
    ]);
    if let Some(flag) = given.or_else(|| args.retrieval.image.first_given()) {
        let message = format!("{flag} is not for the weights of a model, which answer no queries");
        return Err(Failure::Usage(message));
    }
    let start = Instant::now();
    let weights = Weights::open(path, OpenOptions::default()).map_err(Error::from)?;
    let open_us = micros(start);
    let root = weights.container().root().to_string();
    let quantization = weights.meta().quantization.clone();
    let start = Instant::now();
    let threads = compute.threads.map(usize::from);
    let options = ComputeOptions {
        device: compute.device,
        threads,
        ..Default::default()
    };
    let device = Compute::for_models(&options, [weights.meta()]).map_err(Error::from)?;
    let subject = Subject::load(weights, &device, args)?;
    let load_us = micros(start);
    let cancel = console.cancel();
    let mut position = 0;
    let mut sample = || {
        console.check()?;
        let laps = subject.run(position, cancel)?;
        position += 1;
        Ok::<Laps, Error>(laps)
    };
    let mut first_us = None;
    for _ in 0..args.warm_up.max(1) {
        let laps = sample()?;
        first_us.get_or_insert(whole(&laps));
    }
    let info = device.info().clone();
    if args.turns {
        let facts = json!({"version": env!("CARGO_PKG_VERSION"), "commit": super::COMMIT, "root": root,
            "quantization": quantization, "device": info, "open_us": open_us, "load_us": load_us,
            "memory": Memory::of_this_process(&info.used)});
        let facts = facts.as_object().cloned().unwrap_or_default();
        return turns::serve(facts, || Ok(whole(&sample()?)), console);
    }
    let answers = subject.requests() as u64 * u64::from(args.repeat);
    let bar = console.count_bar("measuring", Some(answers));
    let mut samples: Named<Vec<u64>> = Named::new();
    for _ in 0..answers {
        for (module, time) in sample()? {
            samples.get_mut_or(module, Vec::new).push(time);
        }
        bar.inc(1);
    }
    bar.finish_and_clear();
    let memory = Memory::of_this_process(&info.used);
    let hidden_states = match (&args.agree, &subject) {
        (Some(folder), Subject::Encoder(encoder, _)) => hidden::compare(folder, encoder, cancel)?,
        _ => Vec::new(),
    };
    let measured = Measured {
        version: env!("CARGO_PKG_VERSION"),
        commit: super::COMMIT,
        host: Host::of_this_machine(),
        file: path.display().to_string(),
        root,
        quantization,
        device: info,
        tokens: subject.tokens(),
        open_us,
        load_us,
        first_us: first_us.unwrap_or_default(),
        modules: super::times_of(&samples),
        memory,
        hidden_states,
    };
    output::write(&measured, args.form(), console)
}

fn whole(laps: &Laps) -> u64 {
    laps.last().map_or(0, |(_, time)| *time)
}

impl Subject {
    fn load(
        weights: Weights,
        compute: &Compute,
        args: &Args,
    ) -> std::result::Result<Self, Failure> {
        let path = weights.container().path().to_owned();
        if let Some(config) = weights.meta().xlmr() {
            let most = config.max_length as usize;
            let requests = match (&args.requests, args.tokens) {
                (Some(requests), _) => read_requests(requests)?,
                (None, Some(tokens)) if (2..=most).contains(&usize::from(tokens)) => {
                    let (bos, eos) = (config.bos_token_id, config.eos_token_id);
                    vec![random_ids(tokens.into(), config.vocab_size, [bos, eos])]
                }
                (None, Some(tokens)) => {
                    let message = format!("--tokens {tokens}: the model reads 2 to {most} ids");
                    return Err(Failure::Usage(message));
                }
                (None, None) => {
                    let message =
                        "an expert's weights are measured with --tokens N or --requests F.json";
                    return Err(Failure::Usage(message.to_owned()));
                }
            };
            let encoder = Encoder::load(&weights, compute).map_err(Error::from)?;
            return Ok(Self::Encoder(Box::new(encoder), requests));
        }
        if weights.meta().clip().is_some() {
            let requests = match (&args.requests, &args.image) {
                (Some(requests), _) => read_requests(requests)?,
                (None, Some(image)) => vec![image.clone()],
                (None, None) => {
                    let message = "CLIP's weights are measured with --image F or --requests F.json";
                    return Err(Failure::Usage(message.to_owned()));
                }
            };
            let clip = Clip::load(weights, compute).map_err(Error::from)?;
            return Ok(Self::Clip(Box::new(clip), requests));
        }
        let message = "expected an expert or CLIP: a gate takes no time worth measuring";
        Err(Error::input(message).at(path).into())
    }

    fn requests(&self) -> usize {
        match self {
            Self::Encoder(_, requests) => requests.len(),
            Self::Clip(_, requests) => requests.len(),
        }
    }

    fn tokens(&self) -> Option<usize> {
        match self {
            Self::Encoder(_, requests) => {
                let tokens = requests.first()?.len();
                let same = requests.iter().all(|ids| ids.len() == tokens);
                same.then_some(tokens)
            }
            Self::Clip(..) => None,
        }
    }

    /// Does the work once.
    fn run(&self, position: usize, cancel: &Cancel) -> Result<Laps> {
        let start = Instant::now();
        match self {
            Self::Encoder(encoder, requests) => {
                let ids = &requests[position % requests.len()];
                let hidden = encoder.forward(ids, cancel)?.into_vec()?;
                std::hint::black_box(hidden);
                Ok(vec![("encoder", micros(start))])
            }
            Self::Clip(clip, requests) => {
                let path = &requests[position % requests.len()];
                let picture = Picture::open(path, clip.preprocess(), &PictureLimits::default())?;
                let decoded = micros(start);
                std::hint::black_box(clip.image(&picture, cancel)?);
                let total = micros(start);
                Ok(vec![
                    ("image_decode", decoded),
                    ("clip_image", total.saturating_sub(decoded)),
                    ("total", total),
                ])
            }
        }
    }
}

/// Reads a JSON list of requests: lists of ids, or names of files. There is at least one.
fn read_requests<T: serde::de::DeserializeOwned>(path: &Path) -> Result<Vec<T>> {
    let metadata = std::fs::metadata(path).map_err(|error| Error::io(path, error))?;
    if metadata.len() > LIMIT {
        let message = format!("{} bytes are no list of requests", metadata.len());
        return Err(Error::input(message).at(path));
    }
    let bytes = std::fs::read(path).map_err(|error| Error::io(path, error))?;
    let requests: Vec<T> = serde_json::from_slice(&bytes).map_err(|error| {
        let expected = "expected a list of lists of ids (for an encoder) or of files (for CLIP)";
        Error::input(format!("{expected}: {error}")).at(path)
    })?;
    if requests.is_empty() {
        return Err(Error::input("the list of requests is empty").at(path));
    }
    Ok(requests)
}

/// `<s>`, ids from all over the vocabulary, `</s>`.
fn random_ids(tokens: usize, vocabulary: u32, [bos, eos]: [u32; 2]) -> Vec<u32> {
    let mut state = 0x6964_7300;
    let mut ids = vec![bos];
    // The first five ids are special where there are so many.
    let first = 5.min(vocabulary.saturating_sub(1));
    let count = (vocabulary - first) as usize;
    ids.extend((2..tokens).map(|_| first + below(&mut state, count) as u32));
    ids.push(eos);
    ids
}

impl Measurement for Measured {
    fn title(&self) -> String {
        let tokens = self
            .tokens
            .map_or_else(String::new, |tokens| format!(", {tokens} ids"));
        format!(
            "{} ({}){tokens} on {} ({})",
            self.file, self.quantization, self.device.used, self.device.name
        )
    }

    fn groups(&self) -> Vec<(&str, &Named<Times>)> {
        vec![("", &self.modules)]
    }

    fn remarks(&self) -> String {
        let mut text = format!(
            "open {}, load {}, first run {}{}\n",
            ms(self.open_us as f64),
            ms(self.load_us as f64),
            ms(self.first_us as f64),
            super::memory_remark(&self.memory)
        );
        for near in &self.hidden_states {
            text.push_str(&format!(
                "hidden states of {} ({} ids): cosine {:.6} at worst, {:.6} in the mean, relative error {:.2e}\n",
                near.name, near.tokens, near.worst_cosine, near.mean_cosine, near.relative_error
            ));
        }
        text
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn random_ids_are_inside_the_vocabulary_and_have_both_ends() {
        let ids = random_ids(512, 250_002, [0, 2]);
        assert_eq!((ids.len(), ids[0], ids[511]), (512, 0, 2));
        assert!(ids[1..511].iter().all(|id| (5..250_002).contains(id)));
        assert!(ids.iter().max() > Some(&240_000));
        assert_eq!(random_ids(2, 250_002, [0, 2]), [0, 2]);
        assert!(random_ids(9, 3, [0, 2]).iter().all(|&id| id < 3));
    }
}

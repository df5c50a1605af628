//! `search`: what a bundle or an index retrieves.

use super::sink::Sink;
use super::{ComputeArgs, Console, Failure, Outcome};
use crate::query::ImageSource;
use crate::{
    Bundle, Error, Lines, OpenOptions, Queries, Query, QueryFormat, QueryId, RETRIEVED_KEYS,
    Result, Sentence,
};
use morelet_indices::{Hit, ImageIndex, TextIndex};
use morelet_models::device::Compute;
use morelet_models::weights::Weights;
use morelet_models::{Clip, Picture, PictureLimits};
use serde::Serialize;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// Arguments of `search`.
#[derive(Debug, clap::Args)]
#[command(group(clap::ArgGroup::new("what").required(true).args(["query", "input"])))]
pub struct Args {
    /// The bundle, or one index
    index: PathBuf,
    /// Which index of the bundle, and so what a query is
    kind: SearchKind,
    /// A sentence, or the path of a picture
    query: Option<String>,
    /// A file of queries, one a line, plain or a JSON object as `predict` reads it; or .conll; `-` is standard input
    #[arg(long, value_name = "F")]
    input: Option<PathBuf>,
    /// How many keys to retrieve
    #[arg(short, value_name = "K", default_value_t = RETRIEVED_KEYS as u32, value_parser = clap::value_parser!(u32).range(1..))]
    k: u32,
    /// Return every key, without joining equal values
    #[arg(long)]
    keys: bool,
    /// The CLIP that reads pictures, where only an image index is given
    #[arg(long, value_name = "F.weights")]
    clip: Option<PathBuf>,
}

/// What a query is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
enum SearchKind {
    /// A sentence
    Text,
    /// A picture
    Image,
}

/// A line of the output.
#[derive(Serialize)]
struct Found<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    id: Option<&'a QueryId>,
    query: &'a str,
    hits: Vec<HitLine<'a>>,
}

#[derive(Serialize)]
struct HitLine<'a> {
    rank: usize,
    score: f32,
    key: &'a str,
    id: &'a str,
    title: &'a str,
    value: &'a str,
}

pub(super) fn run(args: &Args, compute: &ComputeArgs, console: &Console) -> Outcome {
    let searcher = Searcher::open(args, compute, console)?;
    let mut sink = Sink::open(None, console)?;
    let mut answer = |id: Option<&QueryId>, query: &str, search: Result<Vec<Hit>>| -> Outcome {
        let hits = search?;
        let hits = hits.iter().map(|hit| HitLine {
            rank: hit.rank,
            score: hit.score,
            key: &hit.key,
            id: &hit.id,
            title: &hit.title,
            value: &hit.value,
        });
        let found = Found {
            id,
            query,
            hits: hits.collect(),
        };
        sink.line(&serde_json::to_string(&found).map_err(std::io::Error::from)?)?;
        Ok(console.check()?)
    };
    if let Some(query) = &args.query {
        answer(None, query, searcher.find(query, Path::new("")))?;
    } else if let Some(input) = &args.input {
        match format(input) {
            Some(format) => {
                for query in Queries::open(input, Some(format), None)? {
                    let query = query?;
                    let asked = searcher.asked(&query);
                    let found =
                        asked.and_then(|asked| Ok((searcher.find(&asked, Path::new(""))?, asked)));
                    let (hits, asked) = found.map_err(|error| error.of_query(&query))?;
                    answer(Some(&query.id), &asked, Ok(hits))?;
                }
            }
            None => {
                let beside = input.parent().unwrap_or(Path::new(""));
                let mut lines = Lines::open(input)?;
                while let Some(line) = lines.next_line()?.map(str::to_owned) {
                    if line.trim().is_empty() {
                        continue;
                    }
                    let asked = searcher.asked_by(&line);
                    let found = asked
                        .and_then(|(id, asked)| Ok((searcher.find(&asked, beside)?, id, asked)));
                    let (hits, id, asked) =
                        found.map_err(|error| error.at(lines.path()).on_line(lines.number()))?;
                    answer(id.as_ref(), &asked, Ok(hits))?;
                }
            }
        }
    }
    sink.finish()
}

/// CoNLL is told by the name; anything else holds one query a line. A `.txt` is more likely to be a list of sentences
/// here than columns.
fn format(input: &Path) -> Option<QueryFormat> {
    let name = input.file_name()?.to_str()?.to_lowercase();
    let plain = [".zst", ".gz", ".bz2"]
        .iter()
        .find_map(|end| name.strip_suffix(end))
        .unwrap_or(&name);
    QueryFormat::of_path(input).filter(|_| !plain.ends_with(".txt"))
}

/// An index that is ready to be asked.
struct Searcher {
    source: Source,
    k: usize,
    keys: bool,
}

enum Source {
    Text(Arc<TextIndex>),
    Image {
        index: Arc<ImageIndex>,
        clip: Box<Clip>,
        compute: Compute,
        console: Console,
    },
}

impl Searcher {
    fn open(
        args: &Args,
        compute: &ComputeArgs,
        console: &Console,
    ) -> std::result::Result<Self, Failure> {
        let source = if args.index.is_dir() {
            let bundle = Bundle::open(&args.index)?;
            match args.kind {
                SearchKind::Text => Source::Text(
                    bundle
                        .text_index()
                        .cloned()
                        .ok_or_else(|| lacks(args, "text index"))?,
                ),
                SearchKind::Image => {
                    let index = bundle
                        .image_index()
                        .cloned()
                        .ok_or_else(|| lacks(args, "image index"))?;
                    let clip = bundle.clip().cloned().ok_or_else(|| lacks(args, "CLIP"))?;
                    Source::image(index, clip, compute, console)?
                }
            }
        } else {
            match args.kind {
                SearchKind::Text => {
                    let index = TextIndex::open(&args.index, OpenOptions::default());
                    Source::Text(Arc::new(index.map_err(Error::from)?))
                }
                SearchKind::Image => {
                    let index = ImageIndex::open(&args.index, OpenOptions::default());
                    let index = Arc::new(index.map_err(Error::from)?);
                    let Some(clip) = &args.clip else {
                        return Err(Error::unsupported(
                            "an image index alone cannot read a picture; search a bundle that has it, or add `--clip F.weights`",
                        )
                        .at(&args.index)
                        .into());
                    };
                    let clip = Weights::open(clip, OpenOptions::default()).map_err(Error::from)?;
                    Source::image(index, clip, compute, console)?
                }
            }
        };
        Ok(Self {
            source,
            k: args.k as usize,
            keys: args.keys,
        })
    }

    /// What a query of a file asks this index.
    fn asked(&self, query: &Query) -> Result<String> {
        match (&self.source, &query.image) {
            (Source::Text(_), _) => Ok(Sentence::new(&query.words).text().to_owned()),
            (Source::Image { .. }, Some(ImageSource::File(path))) => {
                Ok(path.to_string_lossy().into_owned())
            }
            (Source::Image { .. }, _) => Err(Error::input("there is no `image` to search with")),
        }
    }

    /// The name, where it has one, and the query of a line: a JSON object as `predict` reads it, or the query itself.
    fn asked_by(&self, line: &str) -> Result<(Option<QueryId>, String)> {
        if !line.trim_start().starts_with('{') {
            return Ok((None, line.to_owned()));
        }
        let query = Query::from_json(line)?;
        let id = Some(query.id.clone()).filter(|id| *id != QueryId::default());
        Ok((id, self.asked(&query)?))
    }

    fn find(&self, query: &str, beside: &Path) -> Result<Vec<Hit>> {
        match &self.source {
            Source::Text(index) => Ok(index.retrieve(query, self.k, self.keys)?),
            Source::Image {
                index,
                clip,
                compute,
                console,
            } => {
                let picture = Picture::open(
                    beside.join(query),
                    clip.preprocess(),
                    &PictureLimits::default(),
                )?;
                let feature = compute.run(|| clip.image(&picture, console.cancel()))?;
                Ok(index.retrieve(&feature, self.k, self.keys)?)
            }
        }
    }
}

impl Source {
    fn image(
        index: Arc<ImageIndex>,
        weights: Weights,
        compute: &ComputeArgs,
        console: &Console,
    ) -> Result<Self> {
        let meta = weights.meta();
        if meta.identity != index.clip_identity() {
            return Err(Error::bundle(format!(
                "is not the CLIP that made the image index: expected identity {}, got {}",
                index.clip_identity(),
                meta.identity
            ))
            .at(weights.container().path()));
        }
        let compute = Compute::with_threads(compute.device, compute.threads.map(usize::from))?;
        let clip = Box::new(Clip::load(weights, &compute)?);
        Ok(Self::Image {
            index,
            clip,
            compute,
            console: console.clone(),
        })
    }
}

fn lacks(args: &Args, what: &str) -> Error {
    Error::unsupported(format!("the bundle has no {what}")).at(&args.index)
}

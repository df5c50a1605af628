//! `predict`: one sentence, or a file of them, answered as JSON lines.

use super::html::Page;
use super::retrieval::RetrievalArgs;
use super::sink::Sink;
use super::{ComputeArgs, Console, Failure, Outcome};
use crate::{Bundle, Detail, Prediction, Queries, Query, QueryFormat, Result, RunOptions};
use std::ops::Range;
use std::path::{Path, PathBuf};

/// Arguments of `predict`.
#[derive(Debug, clap::Args)]
#[command(group(clap::ArgGroup::new("what").required(true).args(["text", "input"])))]
pub struct Args {
    /// The bundle
    bundle: PathBuf,
    /// The sentence
    #[arg(long, value_name = "S")]
    text: Option<String>,
    /// The picture of the sentence: JPEG, PNG, WebP or GIF
    #[arg(long, value_name = "F", conflicts_with = "input")]
    image: Option<PathBuf>,
    /// The subject of the relation, in characters of the sentence, end exclusive
    #[arg(long, value_name = "A:B", value_parser = span, requires = "object", conflicts_with = "input")]
    subject: Option<Range<usize>>,
    /// The object of the relation
    #[arg(long, value_name = "C:D", value_parser = span, requires = "subject", conflicts_with = "input")]
    object: Option<Range<usize>>,
    /// A file of sentences, .jsonl or .conll, perhaps compressed; `-` is standard input
    #[arg(long, value_name = "F")]
    input: Option<PathBuf>,
    /// How the file is written, where its name does not tell
    #[arg(long, conflicts_with = "text", value_name = "FORMAT")]
    format: Option<InputFormat>,
    /// The directory of the pictures that the file names
    #[arg(long, conflicts_with = "text", value_name = "DIR")]
    images: Option<PathBuf>,
    /// Write the answers to a file, which appears when it is whole
    #[arg(long, short, value_name = "F")]
    output: Option<PathBuf>,
    /// How much to tell
    #[arg(long, value_name = "HOW", default_value = "answer")]
    detail: DetailArg,
    /// Write a page to look at, too
    #[arg(long, value_name = "F")]
    html: Option<PathBuf>,
    /// Remember so many sentences and pictures: CLIP does not run, and nothing is searched, for one that came before
    #[arg(long, value_name = "N", conflicts_with = "text")]
    cache: Option<usize>,
    #[command(flatten)]
    retrieval: RetrievalArgs,
}

/// How much an answer tells.
#[derive(Clone, Copy, Debug, clap::ValueEnum)]
enum DetailArg {
    /// The answer
    Answer,
    /// Each expert's labels and contexts too
    Labels,
    /// Input ids, emissions, marginals, logits, the mixture, the gate by label, CLIP's features too
    Full,
}

/// How a file of sentences is written.
#[derive(Clone, Copy, Debug, clap::ValueEnum)]
pub(super) enum InputFormat {
    /// A JSON object a line
    Jsonl,
    /// A word a line with its label, a blank line after each sentence
    Conll,
}

impl From<InputFormat> for QueryFormat {
    fn from(format: InputFormat) -> Self {
        match format {
            InputFormat::Jsonl => Self::JsonLines,
            InputFormat::Conll => Self::Conll,
        }
    }
}

pub(super) fn run(args: &Args, compute: &ComputeArgs, console: &Console) -> Outcome {
    let output = args.output.as_ref().filter(|path| *path != Path::new("-"));
    if output.is_some() && (output == args.html.as_ref() || output == args.input.as_ref()) {
        let message =
            "--output names a file that is read, or written by --html: give it a name of its own";
        return Err(Failure::Usage(message.to_owned()));
    }
    let queries = queries(args)?;
    let mut sink = Sink::open(args.output.as_deref(), console)?;
    let mut page = match &args.html {
        // Opened before the models are loaded, so that a folder that is not there is known at once.
        Some(path) => Some((
            Sink::open(Some(path), console)?,
            Page::new(title(&args.bundle), ""),
        )),
        None => None,
    };
    let bundle = Bundle::open(&args.bundle)?;
    let session = compute.session_with_cache(&bundle, &args.retrieval, args.cache, console)?;
    let wanted = match args.detail {
        DetailArg::Answer => Detail::Answer,
        DetailArg::Labels => Detail::Labels,
        DetailArg::Full => Detail::Full,
    };
    let options = RunOptions {
        detail: if page.is_some() {
            wanted.max(Detail::Labels)
        } else {
            wanted
        },
        cancel: console.cancel().clone(),
        progress: None,
    };
    let bar = console.count_bar("predicting", None);
    for query in queries {
        let query = query?;
        let prediction = session.predict_with(&query, &options)?;
        if let Some((_, page)) = &mut page {
            page.add(&query, &prediction);
        }
        let told = if wanted == Detail::Answer {
            Prediction {
                experts: None,
                ..prediction
            }
        } else {
            prediction
        };
        sink.line(&told.to_json())?;
        bar.inc(1);
    }
    bar.finish_and_clear();
    console.check()?;
    if let Some((mut file, page)) = page {
        file.text(&page.finish())?;
        file.finish()?;
    }
    sink.finish()
}

type QueryIterator = Box<dyn Iterator<Item = Result<Query>>>;

fn queries(args: &Args) -> std::result::Result<QueryIterator, Failure> {
    match (&args.input, &args.text) {
        (Some(input), _) => {
            let format = args.format.map(QueryFormat::from);
            Ok(Box::new(Queries::open(
                input,
                format,
                args.images.as_deref(),
            )?))
        }
        (None, text) => {
            let mut query = Query::text(text.clone().unwrap_or_default()).id("1");
            if let Some(image) = &args.image {
                query = query.image_file(image);
            }
            query.subject = args.subject.clone();
            query.object = args.object.clone();
            Ok(Box::new(std::iter::once(Ok(query))))
        }
    }
}

/// The bundle's name without its ending.
fn title(bundle: &Path) -> String {
    let name = bundle.file_stem().unwrap_or(bundle.as_os_str());
    format!("Morelet: {}", name.to_string_lossy())
}

/// `A:B`, a span with its end exclusive.
fn span(text: &str) -> std::result::Result<Range<usize>, String> {
    let expected = || String::from("expected A:B, two numbers with A < B");
    let (start, end) = text.split_once(':').ok_or_else(expected)?;
    let range = start.parse().ok().zip(end.parse().ok());
    range
        .map(|(start, end)| start..end)
        .filter(|range: &Range<usize>| !range.is_empty())
        .ok_or_else(expected)
}

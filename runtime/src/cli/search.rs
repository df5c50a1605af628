//! `search`: what a bundle or an index retrieves.

mod asked;
mod image;
mod line;
mod pretty;
mod searcher;
mod text;
mod threads;

use super::sink::Sink;
use super::{ComputeArgs, Console, Failure, Outcome};
use crate::{Error, RETRIEVED_KEYS};
pub(super) use asked::{Asked, Asking};
use image::ImageArgs;
use line::Found;
use searcher::Searcher;
use std::io::{IsTerminal as _, stdout};
use std::path::PathBuf;
use text::TextArgs;

const HELP: &str = "\
Text is searched by one thread, query by query. With --threads N, N threads share a query that stands on the \
command line; of a file, N queries are searched at a time. The answers are the same, in the same order. Pictures are seen by CLIP \
one after the other, on N threads, and decoded and searched N at a time.";

/// Arguments of `search`.
#[derive(Debug, clap::Args)]
#[command(override_usage = "morelet search [OPTIONS] <BUNDLE|F.index> <KIND> <QUERY|--input <F>>")]
#[command(after_help = HELP, group(clap::ArgGroup::new("what").required(true).args(["query", "input"])))]
pub struct Args {
    /// The bundle, or one index
    index: PathBuf,
    /// What is searched, and so what a query is; also where the index is alone
    kind: SearchKind,
    /// A sentence, or the path of a picture
    query: Option<String>,
    /// A file of queries, one a line, plain or a JSON object as `predict` reads it (a picture needs no sentence); sentences also
    /// in .conll; `-` is standard input
    #[arg(long, value_name = "F")]
    input: Option<PathBuf>,
    /// How many keys to retrieve
    #[arg(short, value_name = "K", default_value_t = RETRIEVED_KEYS as u32, value_parser = clap::value_parser!(u32).range(1..))]
    k: u32,
    /// Return every key, without joining equal values
    #[arg(long)]
    keys: bool,
    /// Print for people to read, not JSON
    #[arg(long)]
    pretty: bool,
    #[command(flatten)]
    text: TextArgs,
    #[command(flatten)]
    image: ImageArgs,
}

/// What a query is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub(super) enum SearchKind {
    /// A sentence
    Text,
    /// A picture
    Image,
}

/// Writes answers.
struct Output {
    sink: Sink,
    pretty: bool,
    colours: bool,
    console: Console,
}

pub(super) fn run(args: &Args, compute: &ComputeArgs, console: &Console) -> Outcome {
    args.check()?;
    let searcher = Searcher::open(args, compute, console)?;
    let mut output = Output {
        sink: Sink::open(None, console)?,
        pretty: args.pretty,
        colours: stdout().is_terminal() && std::env::var_os("NO_COLOR").is_none(),
        console: console.clone(),
    };
    if let Some(query) = &args.query {
        output.write(&searcher.answer(&Asked::by_hand(query))?)?;
    } else if let Some(input) = &args.input {
        let mut asking = Asking::open(input, args.kind)?;
        loop {
            // A query that cannot be read ends the run, after those before it are answered.
            let mut failed = None;
            let mut asked = Vec::with_capacity(searcher.at_a_time());
            while asked.len() < searcher.at_a_time() {
                match asking.next() {
                    Some(Ok(next)) => asked.push(next),
                    Some(Err(error)) => {
                        failed = Some(error);
                        break;
                    }
                    None => break,
                }
            }
            let last = asked.len() < searcher.at_a_time();
            for found in searcher.answer_all(&asked) {
                output.write(&found?)?;
            }
            match failed {
                Some(error) => return Err(error.into()),
                None if last => break,
                None => {}
            }
        }
    }
    output.sink.finish()
}

impl Args {
    fn check(&self) -> Outcome {
        let strange = match self.kind {
            SearchKind::Text => self.image.first_given().map(|flag| {
                format!("{flag} is for pictures: sentences are searched by their words")
            }),
            SearchKind::Image => self
                .text
                .first_given()
                .map(|flag| format!("{flag} is for text: pictures are not searched by words")),
        };
        if let Some(message) = strange {
            return Err(Failure::Usage(message));
        }
        if self.index.is_dir() && self.image.clip.is_some() {
            let message = "--clip is for an image index alone: a bundle has a CLIP of its own";
            return Err(Failure::Usage(message.to_owned()));
        }
        let is_stdin = |path: &Option<PathBuf>| path.as_deref() == Some("-".as_ref());
        for (flag, list) in [
            ("--paragraphs", &self.text.paragraphs),
            ("--images", &self.image.images),
        ] {
            if is_stdin(&self.input) && is_stdin(list) {
                return Err(Failure::Usage(format!(
                    "--input and {flag} cannot both be standard input: give one of them a file"
                )));
            }
        }
        Ok(())
    }
}

impl Output {
    fn write(&mut self, found: &Found<'_>) -> Outcome {
        if self.pretty {
            self.sink.line(&pretty::show(found, self.colours))?;
        } else {
            let line = serde_json::to_string(found).map_err(std::io::Error::from)?;
            self.sink.line(&line)?;
        }
        Ok(self.console.check()?)
    }
}

fn lacks(args: &Args, what: &str) -> Error {
    Error::unsupported(format!("the bundle has no {what}")).at(&args.index)
}

//! `text-index`: articles become an index of their sentences, which gives back paragraphs.

use crate::shard::Shard;
use crate::{Console, Error, Result};
use morelet_indices::{Analyzer, ErrorKind, TextIndexBuilder, TextOptions};
use std::path::PathBuf;

mod input;
mod memory;
mod merge;

use input::Input;
use memory::Memory;

/// Arguments of `text-index`.
#[derive(Debug, clap::Args)]
#[command(args_conflicts_with_subcommands = true, subcommand_negates_reqs = true)]
#[command(disable_help_subcommand = true)]
#[command(
    subcommand_value_name = "merge",
    subcommand_help_heading = "Instead of a corpus"
)]
pub struct Args {
    #[command(subcommand)]
    instead: Option<Instead>,
    #[command(flatten)]
    build: Option<Build>,
}

/// What `text-index` does instead of reading a corpus.
#[derive(Debug, clap::Subcommand)]
enum Instead {
    /// Merge finished indexes into one, without reading a corpus again
    #[command(disable_help_subcommand = true)]
    Merge(merge::Args),
}

/// What to build an index from, and how.
#[derive(Debug, clap::Args)]
struct Build {
    /// Articles, one a line, plain or compressed by bzip2, gzip or zstd; - is standard input
    #[arg(required = true, value_name = "CORPUS.jsonl")]
    corpora: Vec<PathBuf>,
    /// The index to write. The work is done in a folder beside it, text.index.building; where that is left from a process
    /// that was stopped or killed, the same command goes on with it
    #[arg(short, long, value_name = "text.index")]
    output: PathBuf,
    /// How a sentence becomes terms: standard (words in lower case) or english (stemmed, no stop words)
    #[arg(long, value_name = "NAME", default_value_t = Analyzer::Standard)]
    analyzer: Analyzer,
    /// BM25's saturation of repeated terms
    #[arg(
        long,
        value_name = "X",
        default_value_t = 1.2,
        allow_negative_numbers = true
    )]
    k1: f32,
    /// BM25's weight of a sentence's length, from 0 to 1
    #[arg(
        long,
        value_name = "X",
        default_value_t = 0.75,
        allow_negative_numbers = true
    )]
    b: f32,
    /// Memory to build in; what does not fit goes through files in the folder beside the index. The process
    /// takes up to 256 MB more
    #[arg(long, value_name = "BYTES", default_value = "4G")]
    memory: Memory,
    /// Threads to build with; as many as the machine has unless given. The index is the same
    #[arg(long, value_name = "N", default_value_t = 0, hide_default_value = true)]
    threads: usize,
    /// Index one of N parts of the articles, for a machine of its own; `text-index merge` puts the parts together
    #[arg(long, value_name = "I/N", default_value_t = Shard::ALL, hide_default_value = true)]
    shard: Shard,
    /// Throw away what an earlier process has begun
    #[arg(long)]
    restart: bool,
}

/// Reads the corpora in order and writes the index, or merges indexes.
pub fn run(args: &Args, console: &Console) -> Result<()> {
    let args = match (&args.instead, &args.build) {
        (Some(Instead::Merge(args)), _) => return merge::run(args, console),
        (None, Some(build)) => build,
        // clap asks for one of them.
        (None, None) => return Err(Error::usage("expected a corpus, or `merge`")),
    };
    let mut folder = None;
    build(args, console, &mut folder).map_err(|error| match folder {
        Some(folder) if folder.join("checkpoint").exists() => error.noting(format_args!(
            "what was done is kept in {}: the same command goes on from there",
            folder.display()
        )),
        _ => error,
    })
}

/// Refuses a target that is a folder or one of the corpora, before any work is done.
fn check_target(args: &Build) -> Result<()> {
    let Ok(target) = args.output.canonicalize() else {
        // It is not there yet.
        return Ok(());
    };
    if target.is_dir() {
        return Err(Error::input("is a folder: expected a file to write").at(&args.output));
    }
    let is_read = |corpus: &&PathBuf| corpus.canonicalize().is_ok_and(|path| path == target);
    match args.corpora.iter().find(is_read) {
        Some(corpus) => {
            Err(Error::input("is the corpus: the index would take its place").at(corpus))
        }
        None => Ok(()),
    }
}

/// `folder` becomes where the work is done.
fn build(args: &Build, console: &Console, folder: &mut Option<PathBuf>) -> Result<()> {
    check_target(args)?;
    let options = TextOptions {
        analyzer: args.analyzer,
        k1: args.k1,
        b: args.b,
        memory: args.memory.0,
        threads: args.threads,
        values: true,
    };
    let source = match args.shard {
        Shard::ALL => "the whole corpus".to_owned(),
        shard => format!("shard {shard} of the corpus"),
    };
    let mut builder = match args.restart {
        true => TextIndexBuilder::restart(&args.output, options, &source),
        false => TextIndexBuilder::resume(&args.output, options, &source),
    }
    .map_err(|error| match error.kind() {
        ErrorKind::Input => Error::usage(error.to_string()),
        ErrorKind::Unfinished => Error::from(error).noting("--restart begins anew"),
        _ => error.into(),
    })?;
    *folder = Some(builder.folder().to_owned());
    let begun = builder.folder().to_owned();
    console.at_forced_exit(move || {
        // Without a checkpoint there is nothing to go on with.
        if !begun.join("checkpoint").exists() {
            let _ = std::fs::remove_dir_all(begun);
        }
    });
    if builder.done() > 0 {
        console.say(format_args!(
            "going on with {}, which has {} articles",
            builder.folder().display(),
            builder.done()
        ));
    }
    let bar = console.counter("articles");
    let added = Input::new(&mut builder, args.shard, console, &bar)
        .and_then(|input| input.add(&args.corpora));
    bar.finish_and_clear();
    let read = added.inspect_err(|_| {
        // What took no time to do is not worth keeping. Whatever keeps this from being written is what was wrong before.
        if builder.folder().join("checkpoint").exists() {
            let _ = builder.checkpoint();
        }
    })?;
    let Some(read) = read else {
        let builder = folder.take().unwrap_or_default();
        return Err(Error::input("was begun from another corpus: the articles that it has done are not those that are read now; --restart begins anew")
            .at(builder));
    };
    if read == 0 {
        return Err(Error::input("no articles to index").at(&args.corpora[0]));
    }
    let (articles, (_, paragraphs)) = (builder.done(), builder.counts());
    finish(builder, console)?;
    console.say(format_args!(
        "{}: {articles} articles, {paragraphs} paragraphs",
        args.output.display()
    ));
    Ok(())
}

fn finish(builder: TextIndexBuilder, console: &Console) -> Result<()> {
    let bar = console.count_bar("index", 0);
    let finished = builder.finish_unless(&mut |done, total| {
        bar.set_length(total);
        bar.set_position(done);
        console.is_interrupted()
    });
    bar.finish_and_clear();
    match finished {
        Ok(_) => Ok(()),
        Err(error) if error.kind() == ErrorKind::Stopped => Err(Error::interrupted()),
        Err(error) => Err(error.into()),
    }
}

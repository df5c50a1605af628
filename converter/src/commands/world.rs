//! `world`: an encyclopedia, pictures and posts that a program has made up.

use crate::world::{Size, World};
use crate::{Console, Error, Result};
use morelet_mapped::AtomicDir;
use std::path::PathBuf;

/// What every world has, and marks its directory.
const MARKER: &str = "tokenizer.json";
/// Names that a world may need; a few thousand more can be made.
const NAMES: usize = 16_000;

/// Arguments of `world`.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Written are: wiki/ (encyclopedia.xml as MediaWiki exports it, and a picture of each article); pictures/ (those of the \
posts); ner/ and re/ (train.jsonl, dev.jsonl and test.jsonl, whose entities are not each other's, and gate.jsonl, more \
about those of dev); clip/ (captions with pictures, and a tokenizer); tokenizer.json for experts. The same \
options give the same files on every machine.")]
pub struct Args {
    /// Directory for everything
    #[arg(short, long, value_name = "DIR")]
    output: PathBuf,
    /// Which world
    #[arg(long, value_name = "N", default_value_t = 1)]
    seed: u64,
    /// Articles of the encyclopedia
    #[arg(long, value_name = "N", default_value_t = Size::default().articles)]
    articles: usize,
    /// Posts of each task to learn from
    #[arg(long, value_name = "N", default_value_t = Size::default().train)]
    train: usize,
    /// Posts of each task to choose by
    #[arg(long, value_name = "N", default_value_t = Size::default().dev)]
    dev: usize,
    /// Posts of each task that a gate learns from, about the things of those to choose by
    #[arg(long, value_name = "N", default_value_t = Size::default().gate)]
    gate: usize,
    /// Posts of each task to test with
    #[arg(long, value_name = "N", default_value_t = Size::default().test)]
    test: usize,
}

/// Makes the world and writes it.
///
/// # Errors
/// Of kind `Usage` for a world that cannot be, `Input` where the directory holds something else, `Io`.
pub fn run(args: &Args, console: &Console) -> Result<()> {
    // Fewer would not have a thing of each kind in each part; more would run out of names.
    if !(200..=8000).contains(&args.articles) {
        let message = format!("--articles: expected 200 to 8000, got {}", args.articles);
        return Err(Error::usage(message));
    }
    let size = Size {
        articles: args.articles,
        train: args.train,
        dev: args.dev,
        gate: args.gate,
        test: args.test,
    };
    // A name is used once, and there are only so many; a post in four of two tasks has nicknames, which are names.
    let posts = args
        .train
        .saturating_add(args.dev)
        .saturating_add(args.gate)
        .saturating_add(args.test);
    let names = args.articles.saturating_add(posts).saturating_mul(3) / 2;
    if names > NAMES {
        let message = format!("too large a world: {names} names are needed, and there are {NAMES}");
        return Err(Error::usage(message));
    }
    let directory = AtomicDir::replace(&args.output, MARKER)?;
    let world = World::new(args.seed, &size);
    world.write(directory.path())?;
    console.check()?;
    world.write_learning(args.seed, directory.path())?;
    directory.commit()?;
    console.say(format_args!(
        "{}: {} articles, {} facts between them, {} posts of each task",
        args.output.display(),
        world.articles.len(),
        world.facts.len(),
        posts
    ));
    Ok(())
}

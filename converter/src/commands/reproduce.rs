//! `reproduce`: the paper's tables, made again.

use crate::reproduce::{
    Findings, Jobs, Set, real_costs, real_sets, run_systems, world_costs, world_sets,
    write_document,
};
use crate::{Console, Error, Result};
use morelet_mapped::write_file_atomically;
use std::path::{Path, PathBuf};

/// Arguments of `reproduce`.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Every step but the scoring is a command of this program, one of them on each processor at a time. What is made stays in the \
folder, and is not made again where the command is given again. Files that were made with other options are refused; files \
that somebody has put there are taken as they are. A folder belongs to one version of this program.")]
pub struct Args {
    /// The document to write
    #[arg(short, long, value_name = "F.md", default_value = "docs/tables.md")]
    output: PathBuf,
    /// Where everything is made
    #[arg(long, value_name = "DIR", default_value = "reproduce.out")]
    work: PathBuf,
    /// Trainings of each expert; another number wants another --work
    #[arg(long, value_name = "N", default_value_t = 3, value_parser = clap::value_parser!(u64).range(2..=20))]
    seeds: u64,
    /// Seed of the world
    #[arg(long, value_name = "N", default_value_t = 7)]
    world_seed: u64,
    /// A folder with the paper's sentences: mner/twitter2015, mner/twitter2017, mnre
    #[arg(long, value_name = "DIR", requires_all = ["tokenizer", "text_index"])]
    data: Option<PathBuf>,
    /// With `--data`: the tokenizer.json of the experts on real sentences
    #[arg(long, value_name = "FILE", requires = "data")]
    tokenizer: Option<PathBuf>,
    /// With `--data`: the text index that their contexts come from
    #[arg(long, value_name = "F.index", requires = "data")]
    text_index: Option<PathBuf>,
    /// Only the real sentences
    #[arg(long, requires = "data")]
    no_world: bool,
    /// Steps at a time [default: one for each processor]
    #[arg(long, value_name = "N")]
    jobs: Option<usize>,
}

/// Makes what has not been made, and writes the document.
///
/// # Errors
/// Those of the commands that it runs.
pub fn run(args: &Args, console: &Console) -> Result<()> {
    std::fs::create_dir_all(&args.work).map_err(|error| Error::io(&args.work, error))?;
    // What is made is known by how it was made, wherever this is called from.
    let absolute = |path: &PathBuf| path.canonicalize().map_err(|error| Error::io(path, error));
    let work = absolute(&args.work)?;
    let processors = std::thread::available_parallelism().map_or(1, usize::from);
    let jobs = Jobs {
        at_once: args.jobs.unwrap_or(processors).max(1),
        work: work.clone(),
        console,
    };
    let folder = work.join(format!("world-{}", args.world_seed));
    let world = match args.no_world {
        true => Vec::new(),
        false => world_sets(&jobs, &folder, args.world_seed)?,
    };
    let real = match (&args.data, &args.tokenizer, &args.text_index) {
        (Some(data), Some(tokenizer), Some(index)) => {
            let [data, tokenizer, index] = [data, tokenizer, index].map(absolute);
            real_sets(&data?, &tokenizer?, &index?, &work.join("real"), &jobs)?
        }
        _ => Vec::new(),
    };
    let scored = |sets: Vec<Set>, folder: &Path| {
        let scored = sets.into_iter().map(|set| {
            let scores = run_systems(&jobs, &set, folder, args.seeds)?;
            Ok((set, scores))
        });
        scored.collect::<Result<Vec<_>>>()
    };
    let world = scored(world, &folder)?;
    let real = scored(real, &work.join("real"))?;
    let mut costs = Vec::new();
    for (set, _) in &world {
        costs.extend(world_costs(&jobs, set, &folder)?);
    }
    if let Some(data) = &args.data {
        costs.extend(real_costs(&jobs, &absolute(data)?, &work.join("real"))?);
    }
    let mut command = format!(
        "morelet-convert reproduce --world-seed {} --seeds {}",
        args.world_seed, args.seeds
    );
    if args.data.is_some() {
        command.push_str(" --data DIR --tokenizer FILE --text-index F.index");
    }
    let text = write_document(&Findings {
        world: world.iter().map(|(set, scores)| (set, scores)).collect(),
        real: real.iter().map(|(set, scores)| (set, scores)).collect(),
        costs,
        seeds: args.seeds,
        command,
    });
    write_file_atomically(&args.output, text.as_bytes())?;
    console.say(format_args!("{}: written", args.output.display()));
    Ok(())
}

//! Searching: all engines in turns, and whether they agree.

use std::path::PathBuf;

use morelet_benches::{Result, Samples, open};

use crate::lucene::Lucene;
use crate::ours::Ours;
use crate::report::{Report, Set};
use crate::tantivy::Tantivy;
use crate::{Hit, USAGE};
use morelet_benches::Taken;

/// An index open in some engine, with the queries.
pub trait Engine {
    /// The number of sentences in the index.
    fn sentences(&self) -> u64;
    /// Searches for every query, one after the other: the time of each.
    fn pass(&mut self) -> Result<Vec<Taken>>;
    /// The hits of every query.
    fn hits(&mut self) -> Result<Vec<Vec<Hit>>>;
}

/// The command line.
struct Options {
    indices: Vec<(&'static str, String)>,
    sets: Vec<(String, String)>,
    k: usize,
    passes: usize,
    warm_up: usize,
    json: Option<String>,
}

impl Options {
    fn read(args: &[String]) -> Result<Options> {
        let mut options = Options {
            indices: Vec::new(),
            sets: Vec::new(),
            k: 10,
            passes: 5,
            warm_up: 4,
            json: None,
        };
        let mut args = args.iter().peekable();
        while let Some(arg) = args.next() {
            let mut value = || args.next_if(|value| !value.starts_with("--")).ok_or(USAGE);
            match arg.as_str() {
                "--ours" => options.indices.push(("ours", value()?.clone())),
                "--tantivy" => options.indices.push(("tantivy", value()?.clone())),
                "--lucene" => options.indices.push(("lucene", value()?.clone())),
                "--queries" => {
                    while let Ok(set) = value() {
                        let (name, path) = set.split_once('=').ok_or(USAGE)?;
                        options.sets.push((name.to_owned(), path.to_owned()));
                    }
                }
                "-k" => options.k = value()?.parse()?,
                "--passes" => options.passes = value()?.parse()?,
                "--warm-up" => options.warm_up = value()?.parse()?,
                "--json" => options.json = Some(value()?.clone()),
                _ => return Err(USAGE.into()),
            }
        }
        match options.sets.is_empty() || options.indices.is_empty() {
            true => Err(USAGE.into()),
            false => Ok(options),
        }
    }
}

/// The queries of all sets in one file, for Lucene to read. Gone with it.
struct Joined(PathBuf);

impl Joined {
    fn new(queries: &[String]) -> Result<Joined> {
        let name = format!("morelet-text-peers-{}.lines", std::process::id());
        let joined = Joined(std::env::temp_dir().join(name));
        std::fs::write(&joined.0, queries.join("\n") + "\n")?;
        Ok(joined)
    }
}

impl Drop for Joined {
    fn drop(&mut self) {
        let _ = std::fs::remove_file(&self.0);
    }
}

/// `text_peers search …`
pub fn run(args: &[String]) -> Result<()> {
    let options = Options::read(args)?;
    let mut queries = Vec::new();
    let mut sets = Vec::new();
    for (name, path) in &options.sets {
        let start = queries.len();
        queries.extend(open(path)?.all()?);
        let queries = start..queries.len();
        let name = name.clone();
        sets.push(Set { name, queries });
    }
    if sets.len() > 1 {
        sets.push(Set {
            name: "all".into(),
            queries: 0..queries.len(),
        });
    }

    let joined = Joined::new(&queries)?;
    let mut engines: Vec<(&str, Box<dyn Engine>)> = Vec::new();
    for (name, path) in &options.indices {
        let engine: Box<dyn Engine> = match *name {
            "tantivy" => Box::new(Tantivy::open(path, &queries, options.k)?),
            "lucene" => Box::new(Lucene::open(path, &joined.0, queries.len(), options.k)?),
            _ => Box::new(Ours::open(path, &queries, options.k)?),
        };
        engines.push((name, engine));
    }

    let mut report = Report::new(sets, options.passes);
    let mut hits: Vec<(&str, Vec<Vec<Hit>>)> = Vec::new();
    for (name, engine) in &mut engines {
        // One pass to fetch what is needed from the disk; a JVM needs some to compile itself, too.
        let passes = if *name == "lucene" {
            options.warm_up
        } else {
            1
        };
        for _ in 0..passes {
            engine.pass()?;
        }
        hits.push((name, engine.hits()?));
    }
    let mut times =
        vec![vec![(Samples::default(), Samples::default()); queries.len()]; engines.len()];
    for pass in 0..options.passes {
        for ((name, engine), times) in engines.iter_mut().zip(&mut times) {
            eprintln!("pass {} of {}: {name}", pass + 1, options.passes);
            for (taken, (wall, cpu)) in engine.pass()?.into_iter().zip(times) {
                wall.add(taken.wall);
                cpu.add(taken.cpu);
            }
        }
    }
    for ((name, engine), times) in engines.iter().zip(times) {
        report.add(name, engine.sentences(), times);
    }
    report.agreement(&hits);
    print!("{}", report.markdown());
    if let Some(path) = options.json {
        std::fs::write(path, report.json().to_string())?;
    }
    Ok(())
}

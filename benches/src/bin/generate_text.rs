//! Writes a corpus of any size with the statistics of a real one, as lines of terms (see `morelet_benches::grow`).
//!
//! ```text
//! generate_text CORPUS.lines OUT.lines --sentences N [--piece 8] [--seed 1] [--every 1]
//! ```
//!
//! `--every 10` reads every tenth article of the corpus only: what it grows to can be compared with the whole. `-` as
//! output is standard output.

use std::fs::File;
use std::io::{BufWriter, Write};

use morelet_benches::{GrowthOptions, Result, Source, grow, open};

const USAGE: &str =
    "usage: generate_text CORPUS.lines OUT.lines --sentences N [--piece 8] [--seed 1] [--every 1]";

fn main() -> Result<()> {
    let mut options = GrowthOptions::default();
    let mut every = 1;
    let mut paths = Vec::new();
    let mut args = std::env::args().skip(1);
    while let Some(arg) = args.next() {
        let mut value = || args.next().ok_or(USAGE);
        match arg.as_str() {
            "--sentences" => options.sentences = value()?.parse()?,
            "--piece" => options.piece = value()?.parse()?,
            "--seed" => options.seed = value()?.parse()?,
            "--every" => every = value()?.parse()?,
            _ => paths.push(arg),
        }
    }
    let ([corpus, output], true) = (paths.as_slice(), options.sentences < u64::MAX) else {
        return Err(USAGE.into());
    };
    let source = Source::read(open(corpus)?, every)?;
    let file: Box<dyn Write> = match output.as_str() {
        "-" => Box::new(std::io::stdout()),
        path => Box::new(File::create(path)?),
    };
    let mut out = BufWriter::with_capacity(1 << 20, file);
    let grown = grow(source, options, &mut out)?;
    out.flush()?;
    eprintln!(
        "{} sentences in {} real and {} made articles, with {} new terms",
        grown.sentences, grown.real, grown.made, grown.new_terms
    );
    Ok(())
}

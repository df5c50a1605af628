//! Draws how the time of a search grows with the corpus, from what `text_peers search --json` wrote for several sizes.
//!
//! ```text
//! text_plot OUT.svg RESULT.json… [--set all] [--wall]
//! ```
//!
//! Mean and p99 of every engine over the number of sentences; processor time unless `--wall` is given. Prints the
//! same as a Markdown table, with the exponent of the growth since the size before: 1 where the time grows as the corpus
//! does.

use std::collections::BTreeMap;

use morelet_benches::{Line, Plot, Result};
use serde_json::Value;

const USAGE: &str = "usage: text_plot OUT.svg RESULT.json… [--set all] [--wall]";

/// Of an engine: by sentences, mean and p99 in µs.
type Curve = BTreeMap<u64, (f64, f64)>;

fn main() -> Result<()> {
    let (mut set, mut clock) = ("all".to_owned(), "cpu_us");
    let mut paths = Vec::new();
    let mut args = std::env::args().skip(1);
    while let Some(arg) = args.next() {
        match arg.as_str() {
            "--set" => set = args.next().ok_or(USAGE)?,
            "--wall" => clock = "wall_us",
            _ => paths.push(arg),
        }
    }
    let Some((output, results)) = paths.split_first() else {
        return Err(USAGE.into());
    };
    // In the order in which they were measured: ours first.
    let mut engines: Vec<(String, Curve)> = Vec::new();
    for path in results {
        let result: Value = serde_json::from_reader(std::fs::File::open(path)?)?;
        let missing =
            || format!("{path}: not what `text_peers search --json` writes for the set {set}");
        for row in result["engines"].as_array().ok_or_else(missing)? {
            let name = row["engine"].as_str().ok_or_else(missing)?;
            let figures = &row["sets"][&set][clock];
            let figure = |name: &str| figures[name].as_f64().ok_or_else(missing);
            let sentences = row["sentences"].as_u64().ok_or_else(missing)?;
            let point = (figure("mean")?, figure("p99")?);
            match engines.iter_mut().find(|(known, _)| known == name) {
                Some((_, curve)) => {
                    curve.insert(sentences, point);
                }
                None => engines.push((name.to_owned(), Curve::from([(sentences, point)]))),
            }
        }
    }
    let plot = Plot {
        title: "A search among ever more sentences".into(),
        x: "sentences in the index".into(),
        y: match clock {
            "cpu_us" => "processor time of a query, ms",
            _ => "time of a query, ms",
        }
        .into(),
        lines: engines.iter().zip(0..).flat_map(lines).collect(),
    };
    std::fs::write(output, plot.svg())?;
    table(&engines);
    Ok(())
}

/// The two lines of an engine.
fn lines(((name, curve), colour): (&(String, Curve), usize)) -> [Line; 2] {
    let line = |what: &str, dashed, figure: fn(&(f64, f64)) -> f64| Line {
        name: format!("{name}, {what}"),
        colour,
        dashed,
        points: curve
            .iter()
            .map(|(sentences, figures)| (*sentences as f64, figure(figures) / 1e3))
            .collect(),
    };
    [
        line("mean", false, |figures| figures.0),
        line("p99", true, |figures| figures.1),
    ]
}

fn table(engines: &[(String, Curve)]) {
    println!("| engine | sentences | mean µs | grows with | p99 µs | grows with |");
    println!("|---|---:|---:|---:|---:|---:|");
    for (name, curve) in engines {
        let mut before: Option<(u64, (f64, f64))> = None;
        for (&sentences, &(mean, p99)) in curve {
            let exponents = before.map(|(fewer, (mean_before, p99_before))| {
                let size = (sentences as f64 / fewer as f64).ln();
                (
                    (mean / mean_before).ln() / size,
                    (p99 / p99_before).ln() / size,
                )
            });
            let [of_mean, of_p99] = match exponents {
                Some((mean, p99)) => [mean, p99].map(|exponent| format!("N^{exponent:.2}")),
                None => [const { String::new() }; 2],
            };
            println!("| {name} | {sentences} | {mean:.0} | {of_mean} | {p99:.0} | {of_p99} |");
            before = Some((sentences, (mean, p99)));
        }
    }
}

//! `eval`: answers against what is right.

use super::predict::InputFormat;
use super::retrieval::RetrievalArgs;
use super::table::table;
use super::{ComputeArgs, Console, Outcome, print, print_json};
use crate::{
    Bundle, Detail, Error, Evaluation, Queries, Query, Report, Result, RunOptions, Score, Scores,
    Task,
};
use std::path::PathBuf;

/// Arguments of `eval`.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// The bundle
    bundle: PathBuf,
    /// Sentences with what is right: .conll, or .jsonl with `gold`; `-` is standard input
    #[arg(long, value_name = "GOLD")]
    input: PathBuf,
    /// How the file is written, where its name does not tell
    #[arg(long, value_name = "FORMAT")]
    format: Option<InputFormat>,
    /// The directory of the pictures that the file names
    #[arg(long, value_name = "DIR")]
    images: Option<PathBuf>,
    #[command(flatten)]
    retrieval: RetrievalArgs,
    /// Print JSON
    #[arg(long)]
    json: bool,
}

pub(super) fn run(args: &Args, compute: &ComputeArgs, console: &Console) -> Outcome {
    // All of it is read first, so that a line that cannot be read is known before the work begins.
    let queries: Vec<Query> = Queries::open(
        &args.input,
        args.format.map(Into::into),
        args.images.as_deref(),
    )?
    .collect::<Result<_>>()?;
    if queries.is_empty() {
        return Err(Error::input("holds no sentences to compare with")
            .at(&args.input)
            .into());
    }
    let session = compute.session(&Bundle::open(&args.bundle)?, &args.retrieval, console)?;
    let options = RunOptions {
        detail: Detail::Labels,
        cancel: console.cancel().clone(),
        progress: None,
    };
    let mut evaluation = Evaluation::new();
    let bar = console.count_bar("evaluating", Some(queries.len() as u64));
    for query in &queries {
        evaluation.add(query, &session.predict_with(query, &options)?)?;
        bar.inc(1);
    }
    bar.finish_and_clear();
    let manifest = session.bundle().manifest();
    let names: Vec<&str> = manifest
        .experts
        .iter()
        .map(|expert| expert.name.as_str())
        .collect();
    let report = evaluation.report(&names);
    if args.json {
        print_json(&report, console)
    } else {
        print(&show(&report, manifest.task))
    }
}

/// The table: each system, and its labels below it.
fn show(report: &Report, task: Task) -> String {
    let mut rows = Vec::new();
    add(&mut rows, "fused", &report.fused);
    for (name, expert) in report.experts.iter() {
        match (&expert.viterbi, task) {
            (Some(viterbi), _) => {
                add(&mut rows, &format!("{name}, marginals"), &expert.scores);
                add(&mut rows, &format!("{name}, Viterbi"), viterbi);
            }
            (None, _) => add(&mut rows, name, &expert.scores),
        }
    }
    let header = ["", "precision", "recall", "F1", "right", "found", "gold"];
    let mut text = table(&header, &[0], &rows);
    let what = match task {
        Task::Ner => "entities as conlleval counts them",
        Task::Re => "relations, micro-averaged without the no-relation label",
    };
    text.push_str(&format!("\n{} sentences; {what}; in percent\n", report.n));
    for (name, expert) in report
        .experts
        .iter()
        .filter(|(_, expert)| expert.ran < report.n)
    {
        text.push_str(&format!("expert {name} ran on {} of them\n", expert.ran));
    }
    text
}

fn add(rows: &mut Vec<Vec<String>>, name: &str, scores: &Scores) {
    let mut row = |name: String, score: &Score| {
        let percent = |value: f64| format!("{value:.2}");
        rows.push(vec![
            name,
            percent(score.precision),
            percent(score.recall),
            percent(score.f1),
            score.correct.to_string(),
            score.predicted.to_string(),
            score.gold.to_string(),
        ]);
    };
    row(name.to_owned(), &scores.all);
    for (label, score) in &scores.labels {
        row(format!("  {label}"), score);
    }
}

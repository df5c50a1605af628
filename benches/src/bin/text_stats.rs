//! Says what a search has to do with in a corpus of lines of terms: to compare a made corpus with a real one.
//!
//! ```text
//! text_stats CORPUS.lines… [--queries QUERIES.lines] [--at N,N,…]
//! ```
//!
//! Prints a Markdown table with a row for each corpus, and one for its first N sentences each. `terms by df` are the
//! shares of all different terms that are in so many sentences; `postings by df` are the shares of all postings that are
//! those terms'. `burst` is the number of an article's sentences that have a term, of those articles that have it at
//! all, averaged over the terms in 10 to 1,000 sentences. `postings per query` are those of its different terms.

use std::collections::HashMap;

use morelet_benches::{Result, open};

const USAGE: &str = "usage: text_stats CORPUS.lines… [--queries QUERIES.lines] [--at N,N,…]";
/// Classes of document frequency, each up to the next.
const CLASSES: [(u32, &str); 5] = [
    (1, "1"),
    (2, "2–9"),
    (10, "10–99"),
    (100, "100–9,999"),
    (10_000, "≥ 10,000"),
];

/// What is known of a term.
#[derive(Clone, Copy, Default)]
struct Term {
    sentences: u32,
    articles: u32,
    last_sentence: u64,
    last_article: u64,
}

/// What is known of a corpus.
#[derive(Default)]
struct Stats {
    terms: HashMap<Box<str>, Term>,
    sentences: u64,
    articles: u64,
    tokens: u64,
    /// By length up to the last, the number of sentences.
    lengths: Vec<u64>,
}

fn main() -> Result<()> {
    let (mut paths, mut queries, mut at) = (Vec::new(), None, Vec::new());
    let mut args = std::env::args().skip(1);
    while let Some(arg) = args.next() {
        let mut value = || args.next().ok_or(USAGE);
        match arg.as_str() {
            "--queries" => queries = Some(value()?),
            "--at" => {
                at = value()?
                    .split(',')
                    .map(str::parse::<u64>)
                    .collect::<std::result::Result<_, _>>()?;
            }
            _ => paths.push(arg),
        }
    }
    if paths.is_empty() {
        return Err(USAGE.into());
    }
    let queries = queries.map_or(Ok(Vec::new()), |path| open(path)?.all())?;
    let classes = |what: &str| {
        CLASSES
            .map(|(_, name)| format!(" {what} {name} |"))
            .concat()
    };
    println!(
        "| corpus | sentences | terms a sentence | p50, p90, p99 | different terms |{}{} burst | postings a query |",
        classes("terms by df"),
        classes("postings by df"),
    );
    println!(
        "|---|---:|---:|---:|---:|{}---:|---:|",
        "---:|".repeat(2 * CLASSES.len())
    );
    for path in &paths {
        let mut stats = Stats::default();
        let mut lines = open(path)?;
        while let Some(line) = lines.next()? {
            if line.is_empty() {
                stats.articles += 1;
            } else {
                stats.add(line);
                if at.contains(&stats.sentences) {
                    stats.print(path, &queries);
                }
            }
        }
        stats.print(path, &queries);
    }
    Ok(())
}

impl Stats {
    fn add(&mut self, line: &str) {
        self.sentences += 1;
        let mut length = 0;
        for name in line.split(' ') {
            length += 1;
            let term = match self.terms.get_mut(name) {
                Some(term) => term,
                None => self.terms.entry(name.into()).or_default(),
            };
            if term.last_sentence != self.sentences {
                term.last_sentence = self.sentences;
                term.sentences += 1;
            }
            if term.last_article != self.articles + 1 {
                term.last_article = self.articles + 1;
                term.articles += 1;
            }
        }
        self.tokens += length as u64;
        if self.lengths.len() <= length {
            self.lengths.resize(length + 1, 0);
        }
        self.lengths[length] += 1;
    }

    /// The length that `percent` of the sentences do not exceed.
    fn length(&self, percent: f64) -> usize {
        let mut seen = 0;
        let reached = self.lengths.iter().position(|&sentences| {
            seen += sentences;
            seen as f64 >= percent / 100.0 * self.sentences as f64
        });
        reached.unwrap_or(0)
    }

    fn print(&self, path: &str, queries: &[String]) {
        let mut terms = [0u64; CLASSES.len()];
        let mut postings = [0u64; CLASSES.len()];
        let (mut in_sentences, mut in_articles) = (0u64, 0u64);
        for term in self.terms.values() {
            let class = CLASSES.partition_point(|&(from, _)| from <= term.sentences) - 1;
            terms[class] += 1;
            postings[class] += u64::from(term.sentences);
            if (10..=1000).contains(&term.sentences) {
                in_sentences += u64::from(term.sentences);
                in_articles += u64::from(term.articles);
            }
        }
        let per_query = queries.iter().map(|query| {
            let mut terms: Vec<&str> = query.split_terminator(' ').collect();
            terms.sort_unstable();
            terms.dedup();
            let df = |term| {
                self.terms
                    .get(term)
                    .map_or(0, |term| u64::from(term.sentences))
            };
            terms.into_iter().map(df).sum::<u64>()
        });
        let shares = |counts: [u64; CLASSES.len()]| {
            let all = counts.iter().sum::<u64>().max(1) as f64;
            counts
                .map(|count| format!(" {:.3} |", count as f64 / all))
                .concat()
        };
        println!(
            "| {path} | {} | {:.2} | {}, {}, {} | {} |{}{} {:.3} | {:.0} |",
            self.sentences,
            self.tokens as f64 / self.sentences.max(1) as f64,
            self.length(50.0),
            self.length(90.0),
            self.length(99.0),
            self.terms.len(),
            shares(terms),
            shares(postings),
            in_sentences as f64 / in_articles.max(1) as f64,
            per_query.sum::<u64>() as f64 / queries.len().max(1) as f64,
        );
    }
}

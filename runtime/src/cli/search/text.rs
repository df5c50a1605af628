//! Searching text: what the options ask of an index, and what they add to its hits.

use super::Args;
use super::line::HitLine;
use super::threads::Threads;
use crate::cli::ComputeArgs;
use crate::cli::retrieval::first_given;
use crate::{Effort, Error, ErrorKind, Lines, Result};
use morelet_indices::{Filter, Hit, ParagraphId, SearchOptions, SentenceId, TextIndex};
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// `SNIPPET_CHARACTERS`, as an argument.
const DEFAULT_SNIPPET: &str = "200";

/// Options of text searches.
#[derive(Debug, clap::Args)]
#[command(next_help_heading = "Text")]
pub(super) struct TextArgs {
    /// How hard to try, from 0 to 1. 1 finds exactly the best; less is an unsafe mode for hard time limits, which is
    /// faster and may miss some: `morelet bench --effort` measures how many [default: 1]
    #[arg(long, value_name = "X", allow_negative_numbers = true)]
    effort: Option<Effort>,
    /// Add to each hit its score, term by term
    #[arg(long)]
    explain: bool,
    /// Add to each hit the part of its value that says best why it was found, CHARS characters long [default: 200]
    #[arg(long, value_name = "CHARS", num_args = 0..=1, require_equals = true, default_missing_value = DEFAULT_SNIPPET,
          value_parser = clap::value_parser!(u32).range(1..))]
    snippets: Option<u32>,
    /// Search only the paragraphs whose numbers a file lists, one a line; `-` is standard input. Hits tell theirs,
    /// `paragraph`, with this option, --explain or --snippets
    #[arg(long, value_name = "F")]
    pub paragraphs: Option<PathBuf>,
}

impl TextArgs {
    /// The first of these options that was given.
    pub fn first_given(&self) -> Option<&'static str> {
        first_given([
            (self.effort.is_some(), "--effort"),
            (self.explain, "--explain"),
            (self.snippets.is_some(), "--snippets"),
            (self.paragraphs.is_some(), "--paragraphs"),
        ])
    }
}

/// A text index, and how it is searched.
pub(super) struct TextSearch {
    index: Arc<TextIndex>,
    filter: Option<Filter>,
    effort: Effort,
    explain: bool,
    snippets: Option<usize>,
    k: usize,
    keys: bool,
    /// How many threads share a query.
    sharing: usize,
    pub threads: Threads,
}

impl TextSearch {
    pub fn new(index: Arc<TextIndex>, args: &Args, compute: &ComputeArgs) -> Result<Self> {
        let filter = args.text.paragraphs.as_deref();
        let filter = filter.map(|path| filter_of(&index, path)).transpose()?;
        let sharing = match args.input {
            Some(_) => 1,
            None => compute.threads.map_or(1, usize::from),
        };
        Ok(Self {
            index,
            filter,
            effort: args.text.effort.unwrap_or_default(),
            explain: args.text.explain,
            snippets: args.text.snippets.map(|characters| characters as usize),
            k: args.k as usize,
            keys: args.keys,
            sharing,
            threads: Threads::start(args, compute)?,
        })
    }

    pub fn find(&self, query: &str) -> Result<Vec<HitLine>> {
        let options = SearchOptions {
            k: self.k,
            effort: self.effort.get(),
            filter: self.filter.as_ref(),
            threads: self.sharing,
        };
        let found = self.index.search_with(query, &options)?;
        let hits = self.index.hits(&found, self.keys)?;
        hits.into_iter().map(|hit| self.line(query, hit)).collect()
    }

    fn line(&self, query: &str, hit: Hit) -> Result<HitLine> {
        let mut line = HitLine::from(hit);
        if let Some(characters) = self.snippets {
            let snippet = self.index.snippet(query, &line.value, characters)?;
            line.snippet = Some(snippet.into());
        } else if !self.explain && self.filter.is_none() {
            return Ok(line);
        }
        // The key of a sentence is its number.
        let sentence = line.key.parse().map(SentenceId);
        let sentence = sentence.map_err(|error| Error::from_below(ErrorKind::Internal, error))?;
        line.paragraph = Some(self.index.paragraph_of(sentence)?.0);
        if self.explain {
            line.explanation = Some(self.index.explain(query, sentence)?.into());
        }
        Ok(line)
    }
}

/// The filter that a file of numbers stands for.
fn filter_of(index: &TextIndex, path: &Path) -> Result<Filter> {
    let mut lines = Lines::open(path)?;
    let mut paragraphs = Vec::new();
    while let Some(line) = lines.next_line()? {
        let line = line.trim();
        if line.is_empty() {
            continue;
        }
        match line.parse() {
            Ok(number) if number < index.paragraphs() => paragraphs.push(ParagraphId(number)),
            _ => {
                let got: String = line.chars().take(40).collect();
                return Err(lines.error(format!(
                    "expected the number of a paragraph, below {}, got `{got}`",
                    index.paragraphs()
                )));
            }
        }
    }
    Ok(index.filter(paragraphs)?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn snippets_are_as_long_as_the_library_makes_them() {
        assert_eq!(
            DEFAULT_SNIPPET.parse(),
            Ok(morelet_indices::SNIPPET_CHARACTERS)
        );
    }
}

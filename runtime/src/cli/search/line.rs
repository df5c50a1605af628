//! A line of the output.

use crate::QueryId;
use morelet_indices::{Explanation, Hit, Snippet};
use serde::Serialize;

/// What a query found.
#[derive(Serialize)]
pub(super) struct Found<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub id: Option<&'a QueryId>,
    pub query: &'a str,
    pub hits: Vec<HitLine>,
}

/// One hit. What follows `value` is there only when it was asked for.
#[derive(Serialize)]
pub(super) struct HitLine {
    pub rank: usize,
    pub score: f32,
    pub key: String,
    pub id: String,
    pub title: String,
    pub value: String,
    /// The number of the paragraph, as `--paragraphs` takes it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub paragraph: Option<u32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub snippet: Option<SnippetLine>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub explanation: Option<ExplanationLine>,
}

impl From<Hit> for HitLine {
    fn from(hit: Hit) -> Self {
        Self {
            rank: hit.rank,
            score: hit.score,
            key: hit.key,
            id: hit.id,
            title: hit.title,
            value: hit.value,
            paragraph: None,
            snippet: None,
            explanation: None,
        }
    }
}

/// A part of the value, and where in it the query's words stand, in characters, end exclusive.
#[derive(Debug, PartialEq, Serialize)]
pub(super) struct SnippetLine {
    pub text: String,
    pub matches: Vec<[usize; 2]>,
}

impl From<Snippet> for SnippetLine {
    fn from(Snippet { text, matches }: Snippet) -> Self {
        // Both go on from match to match: snippets may be as long as paragraphs.
        let (mut bytes, mut characters) = (0, 0);
        let mut character_of = |byte: usize| {
            let passed = text.get(bytes..byte).unwrap_or_default();
            characters += passed.chars().count();
            bytes += passed.len();
            characters
        };
        let matches = matches
            .into_iter()
            .map(|place| [character_of(place.start), character_of(place.end)])
            .collect();
        Self { text, matches }
    }
}

/// The score, term by term.
#[derive(Serialize)]
pub(super) struct ExplanationLine {
    pub length: u32,
    pub average_length: f32,
    pub terms: Vec<TermLine>,
}

#[derive(Serialize)]
pub(super) struct TermLine {
    pub term: String,
    pub times: u32,
    pub tf: u32,
    pub df: u64,
    pub idf: f32,
    pub score: f32,
}

impl From<Explanation> for ExplanationLine {
    fn from(explanation: Explanation) -> Self {
        let terms = explanation.terms.into_iter().map(|term| TermLine {
            term: term.term,
            times: term.times,
            tf: term.tf,
            df: term.df,
            idf: term.idf,
            score: term.score,
        });
        Self {
            length: explanation.length,
            average_length: explanation.average_length,
            terms: terms.collect(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn matches_are_counted_in_characters() {
        let text = "…größer als Öl…".to_owned();
        let at = |word: &str| {
            let start = text.find(word).unwrap();
            start..start + word.len()
        };
        let snippet = Snippet {
            matches: vec![at("größer"), at("Öl")],
            text: text.clone(),
        };
        let line = SnippetLine::from(snippet);
        assert_eq!(line.matches, [[1, 7], [12, 14]]);
        assert_eq!(line.text, text);
    }
}

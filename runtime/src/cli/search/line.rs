//! A line of the output.

use crate::QueryId;
use morelet_indices::{Explanation, Hit};
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
            explanation: None,
        }
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

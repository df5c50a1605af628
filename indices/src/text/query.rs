//! A query: text into terms, and terms into what each of them weighs.

use std::collections::HashMap;

use super::analyzer::Analyzer;
use super::bm25::Bm25;
use super::postings::List;
use super::segment::Segment;
use crate::error::Result;

/// A term that at least one segment has.
pub(super) struct QueryTerm<'a> {
    pub text: String,
    /// How often it occurs in the query.
    pub times: u32,
    /// The sentences that have it, in all segments.
    pub df: u64,
    /// `times` times its idf.
    pub weight: f32,
    /// Its postings in each segment that has it.
    pub lists: Vec<Option<List<'a>>>,
}

/// The different terms of `query`, in the order of their first occurrence, and how often each occurs.
fn count_terms(analyzer: Analyzer, query: &str) -> Vec<(String, u32)> {
    let mut counts: Vec<(String, u32)> = Vec::new();
    let mut places: HashMap<String, usize> = HashMap::new();
    analyzer.for_each_term(query, |term| match places.get(term) {
        Some(&place) => counts[place].1 = counts[place].1.saturating_add(1),
        None => {
            places.insert(term.to_owned(), counts.len());
            counts.push((term.to_owned(), 1));
        }
    });
    counts
}

/// The different terms of `query` that `segments` have, in the order of their first occurrence.
pub(super) fn terms<'a>(
    analyzer: Analyzer,
    segments: &'a [Segment],
    bm25: &Bm25,
    query: &str,
) -> Result<Vec<QueryTerm<'a>>> {
    let mut terms = Vec::new();
    for (text, times) in count_terms(analyzer, query) {
        let mut df = 0;
        let mut lists = Vec::with_capacity(segments.len());
        for segment in segments {
            let number = segment.dictionary.get(&text)?;
            let list = number.map(|number| segment.list(number)).transpose()?;
            df += list.as_ref().map_or(0, |list| u64::from(list.df));
            lists.push(list);
        }
        if df > 0 {
            terms.push(QueryTerm {
                weight: bm25.weight(df, times),
                text,
                times,
                df,
                lists,
            });
        }
    }
    Ok(terms)
}

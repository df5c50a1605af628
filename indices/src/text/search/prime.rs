//! A score that k sentences are known to reach before the search begins.
//!
//! A search that knows nothing goes, in its first windows, through lists that it can do without later. The rarest terms of
//! a query have few postings, and the best sentences mostly have them: what these terms alone add up to in a sentence
//! bounds its score from below, and the k-th largest of these sums is a threshold to begin with.

use super::cursor::Cursor;
use super::maxscore::{Clause, Part};
use crate::error::Result;

/// Postings that are read at most, in an index of few sentences …
const POSTINGS: u32 = 512;
/// … and one more for so many sentences.
const SENTENCES_A_POSTING: u32 = 4096;

/// What the rarest terms add in the sentences that have them; kept for the next search.
pub(super) type Sums = Vec<(u32, f64)>;

/// A score that at least `k` sentences of the part reach; 0 where nothing is known. The clauses are in the order of what
/// they add at most, the least first.
pub(super) fn known_score(
    clauses: &[Clause<'_>],
    part: &Part<'_>,
    k: usize,
    sums: &mut Sums,
) -> Result<f32> {
    sums.clear();
    let mut left = POSTINGS + part.lengths.len() as u32 / SENTENCES_A_POSTING;
    for clause in clauses.iter().rev() {
        let list = clause.list();
        let Some(rest) = left.checked_sub(list.df) else {
            break;
        };
        left = rest;
        let mut cursor = Cursor::new(list.clone())?;
        cursor.skip_to(part.sentences.start)?;
        cursor.take_until(part.sentences.end, |sentences, tfs| {
            for (at, &sentence) in sentences.iter().enumerate() {
                if part.allows(sentence) {
                    let tf = tfs.map_or(1, |tfs| tfs[at]);
                    let score = clause.score(tf, part.lengths[sentence as usize]);
                    sums.push((sentence, f64::from(score)));
                }
            }
        })?;
    }
    sums.sort_unstable_by_key(|&(sentence, _)| sentence);
    sums.dedup_by(|later, sum| {
        let same = later.0 == sum.0;
        if same {
            sum.1 += later.1;
        }
        same
    });
    let Some(place) = k.checked_sub(1).filter(|&place| place < sums.len()) else {
        return Ok(0.0);
    };
    let (_, &mut (_, sum), _) = sums.select_nth_unstable_by(place, |a, b| b.1.total_cmp(&a.1));
    // The search adds up in another order, which may round the other way.
    Ok((sum as f32).next_down().max(0.0))
}

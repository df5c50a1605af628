//! The best sentences for a query, by scoring all that have a term of it: what `maxscore.rs` is compared with.

use std::collections::BTreeMap;

use super::best::Scored;
use super::maxscore::Part;
use crate::error::Result;
use crate::text::bm25::TermScores;
use crate::text::postings::List;

/// The best `k` of a part for these terms, best first.
pub(super) fn best(
    terms: &[(List<'_>, TermScores<'_>)],
    part: &Part<'_>,
    k: usize,
) -> Result<Vec<Scored>> {
    let mut sums: BTreeMap<u32, f64> = BTreeMap::new();
    for (list, scores) in terms {
        list.for_each(|sentence, tf| {
            if part.sentences.contains(&sentence) && part.allows(sentence) {
                let score = scores.score(tf, part.lengths[sentence as usize]);
                *sums.entry(sentence).or_default() += f64::from(score);
            }
            Ok(())
        })?;
    }
    let mut scored: Vec<Scored> = sums
        .into_iter()
        .map(|(sentence, sum)| Scored {
            score: sum as f32,
            sentence,
        })
        .collect();
    scored.sort_by(|a, b| b.cmp(a));
    scored.truncate(k);
    Ok(scored)
}

//! One answer of an index.

/// One answer of [`TextIndex::retrieve`](crate::TextIndex::retrieve) or `ImageIndex::retrieve`: the key that
/// matched and the value that stands behind it.
#[derive(Clone, Debug, PartialEq)]
pub struct Hit {
    /// The place among the answers, from 1.
    pub rank: usize,
    /// The BM25 score, or the inner product of normalized features. Higher is better.
    pub score: f32,
    /// What matched: the sentence's number, or the image's id.
    pub key: String,
    /// The id of the article or image that the value belongs to.
    pub id: String,
    /// The title of that article or image.
    pub title: String,
    /// The context: a paragraph with its anchors, or title and introduction.
    pub value: String,
}

/// Leaves out every hit whose value an earlier one has, and numbers the rest again.
pub(crate) fn join_equal_values(hits: Vec<Hit>) -> Vec<Hit> {
    let mut kept: Vec<Hit> = Vec::with_capacity(hits.len());
    let mut seen = std::collections::HashSet::new();
    for mut hit in hits {
        if seen.insert(hit.value.clone()) {
            hit.rank = kept.len() + 1;
            kept.push(hit);
        }
    }
    kept
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_best_of_equal_values_stays_and_ranks_have_no_gaps() {
        let hit = |rank, key: &str, value: &str| Hit {
            rank,
            score: 9.0 - rank as f32,
            key: key.into(),
            id: "1".into(),
            title: "T".into(),
            value: value.into(),
        };
        let joined = join_equal_values(vec![hit(1, "7", "a"), hit(2, "3", "a"), hit(3, "9", "b")]);
        assert_eq!(
            joined,
            [
                hit(1, "7", "a"),
                Hit {
                    rank: 2,
                    ..hit(3, "9", "b")
                }
            ]
        );
    }
}

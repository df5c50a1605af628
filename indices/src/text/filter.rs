//! A filter: which sentences a search may find.

use super::paragraphs::Paragraphs;
use crate::error::Result;

/// A set of paragraphs, made by [`TextIndex::filter`](crate::TextIndex::filter) for the index that it filters: a
/// search with it finds their sentences only. N, df and lengths stay those of the whole index, as in Lucene.
///
/// It takes a bit for every sentence of the index.
#[derive(Clone)]
pub struct Filter {
    /// For each segment, a bit for each sentence.
    segments: Vec<Vec<u64>>,
}

impl Filter {
    /// No sentences, of segments with so many sentences each.
    pub(super) fn none(sentences: impl Iterator<Item = u32>) -> Filter {
        let words = |count: u32| vec![0; count.div_ceil(64) as usize];
        Filter {
            segments: sentences.map(words).collect(),
        }
    }

    /// Adds the sentences of `paragraph`, a number inside segment number `segment`.
    pub(super) fn add(
        &mut self,
        segment: usize,
        paragraphs: &Paragraphs,
        paragraph: u32,
    ) -> Result<()> {
        for sentence in paragraphs.sentences(paragraph)? {
            if let Some(word) = self.segments[segment].get_mut(sentence as usize / 64) {
                *word |= 1 << (sentence % 64);
            }
        }
        Ok(())
    }

    /// The bits of segment number `segment`.
    pub(super) fn segment(&self, segment: usize) -> &[u64] {
        self.segments.get(segment).map_or(&[], Vec::as_slice)
    }

    /// Whether this was made for segments with so many sentences each.
    pub(super) fn fits(&self, sentences: impl ExactSizeIterator<Item = u32>) -> bool {
        self.segments.len() == sentences.len()
            && self
                .segments
                .iter()
                .zip(sentences)
                .all(|(bits, count)| bits.len() == count.div_ceil(64) as usize)
    }
}

impl std::fmt::Debug for Filter {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let count = |bits: &Vec<u64>| {
            bits.iter()
                .map(|word| u64::from(word.count_ones()))
                .sum::<u64>()
        };
        let sentences: u64 = self.segments.iter().map(count).sum();
        f.debug_struct("Filter")
            .field("sentences", &sentences)
            .finish_non_exhaustive()
    }
}

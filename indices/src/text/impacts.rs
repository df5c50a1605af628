//! Impacts: what a term can add to a score at most.
//!
//! A term adds the more the more often the sentence has it, and the shorter the sentence is. So the largest
//! tf among the sentences of each of a few classes of length bounds what the term adds in any sentence, and bounds it
//! well for sentences whose length is known. Unlike scores, these numbers hold whatever the statistics: they stay
//! right when several indexes are searched as one.

use super::bm25::TermScores;

/// The number of classes.
pub(super) const CLASSES: usize = 12;

/// The first length byte of each class, and one past the last.
const STARTS: [usize; CLASSES + 1] = [0, 3, 5, 7, 9, 12, 15, 19, 24, 30, 38, 46, 256];

/// The class of each length byte.
#[cfg(feature = "build")]
const CLASS: [u8; 256] = {
    let mut classes = [0; 256];
    let mut class = 0;
    while class < CLASSES {
        let mut byte = STARTS[class];
        while byte < STARTS[class + 1] {
            classes[byte] = class as u8;
            byte += 1;
        }
        class += 1;
    }
    classes
};

/// The largest tf of a term in each class of length: 0 where no sentence has the term, 255 for 255 and more.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Impacts(pub [u8; CLASSES]);

impl Impacts {
    /// Of a list in which no tf is above `tf`, and nothing else is known.
    pub fn of_any_length(tf: u32) -> Impacts {
        Impacts([u8::try_from(tf).unwrap_or(u8::MAX); CLASSES])
    }

    /// Takes a posting into account.
    #[cfg(feature = "build")]
    pub fn add(&mut self, tf: u32, length: u8) {
        let most = &mut self.0[usize::from(CLASS[usize::from(length)])];
        *most = (*most).max(u8::try_from(tf).unwrap_or(u8::MAX));
    }

    /// The most that the term adds in a sentence of each length byte.
    pub fn bounds(&self, scores: &TermScores<'_>, bounds: &mut [f32; 256]) {
        for (class, &tf) in self.0.iter().enumerate() {
            let bounds = &mut bounds[STARTS[class]..STARTS[class + 1]];
            match tf {
                0 => bounds.fill(0.0),
                u8::MAX => scores.fill(u32::MAX, STARTS[class], bounds),
                tf => scores.fill(u32::from(tf), STARTS[class], bounds),
            }
        }
    }

    /// Of the same list as if every tf were 1.
    pub fn once(&self) -> Impacts {
        Impacts(self.0.map(|tf| tf.min(1)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::text::bm25::Bm25;

    #[test]
    fn no_posting_adds_more_than_its_bound() {
        let postings = [(1, 1), (2, 9), (300, 250), (7, 40), (254, 46), (1, 255)];
        let mut impacts = Impacts([0; CLASSES]);
        for (tf, length) in postings {
            impacts.add(tf, length);
        }
        for (k1, b) in [(1.2, 0.75), (0.0, 0.0), (3.0, 1.0), (1e30, 0.5)] {
            let bm25 = Bm25::new(k1, b, 1000, 17_000);
            let scores = bm25.term(3.5);
            let mut bounds = [f32::NAN; 256];
            impacts.bounds(&scores, &mut bounds);
            for (tf, length) in postings {
                let score = scores.score(tf, length);
                assert!(score <= bounds[usize::from(length)]);
                let mut any = [f32::NAN; 256];
                Impacts::of_any_length(300).bounds(&scores, &mut any);
                assert!(score <= any[usize::from(length)]);
                let mut once = [f32::NAN; 256];
                impacts.once().bounds(&scores, &mut once);
                assert_eq!(once[usize::from(length)], scores.score(1, length));
            }
            // No sentence of six terms has it.
            assert_eq!(bounds[6], 0.0);
            assert!(bounds.iter().all(|bound| bound.is_finite()));
        }
    }

    #[test]
    fn classes_cover_every_length() {
        assert!(CLASS.is_sorted());
        assert_eq!((CLASS[0], CLASS[255]), (0, CLASSES as u8 - 1));
    }
}

//! What one sequence of postings adds to scores.

use std::ops::Range;

use super::cursor::Cursor;
use super::window::{WINDOW, Window};
use crate::error::Result;
use crate::kernels::sums::Span;
use crate::text::bm25::TermScores;
use crate::text::impacts::Impacts;
use crate::text::packing::LEAST_TF;
use crate::text::postings::{BLOCK, List, Sequence};

/// More repeats than this have what they add looked up, not computed …
const WORTH_TABLES: u32 = 1024;
/// … for so many tfs from 2 on.
const TABLES: usize = 4;

/// Going through this many postings costs as much as looking one sentence up.
const SCAN_FACTOR: f64 = 32.0;

/// A term of the query whose list is short, or a half of one: its sentences as if each had it once, or its
/// repeats.
pub(super) struct Clause<'a> {
    sequence: Sequence<'a>,
    impacts: Impacts,
    scores: TermScores<'a>,
    share: Share,
}

/// What of a term's score a clause adds.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Share {
    /// All.
    Whole,
    /// What it would be if every sentence had the term once: then it is what bounds it, too. (In a damaged file whose
    /// impacts say that no sentence of its length has the term, 0.)
    Once,
    /// What it is more than that.
    Repeats,
}

impl<'a> Clause<'a> {
    /// Adds to `clauses` what the term adds whose postings are `list`: one or two.
    pub fn put(list: &List<'a>, scores: TermScores<'a>, clauses: &mut Vec<Clause<'a>>) {
        let mut put = |sequence: &Sequence<'a>, share| {
            clauses.push(Clause {
                sequence: sequence.clone(),
                impacts: list.impacts,
                scores,
                share,
            });
        };
        if list.df < BLOCK as u32 {
            return put(&list.sentences, Share::Whole);
        }
        put(&list.sentences, Share::Once);
        if let Some(repeats) = &list.repeats {
            put(repeats, Share::Repeats);
        }
    }

    /// The number of its postings.
    pub fn len(&self) -> u32 {
        self.sequence.len()
    }

    /// What it adds where the sentence has `length` and the term `tf` times.
    #[inline]
    fn gain(&self, tf: u32, length: u8) -> f64 {
        match self.share {
            Share::Repeats => self.scores.repeats(tf, length),
            _ => f64::from(self.scores.score(tf, length)),
        }
    }

    /// The most that it adds in a sentence of each length byte.
    fn bounds(&self) -> Box<[f64; 256]> {
        let bounds = |impacts: &Impacts| {
            let mut bounds = [0.0; 256];
            impacts.bounds(&self.scores, &mut bounds);
            Box::new(bounds.map(f64::from))
        };
        match self.share {
            Share::Whole => bounds(&self.impacts),
            Share::Once => bounds(&self.impacts.once()),
            Share::Repeats => {
                let mut more = bounds(&self.impacts);
                let once = bounds(&self.impacts.once());
                more.iter_mut()
                    .zip(*once)
                    .for_each(|(more, once)| *more -= once);
                more
            }
        }
    }

    /// What repeats add for the smallest tfs.
    fn tables(&self) -> Box<Tables> {
        let (mut once, mut scores) = ([0.0; 256], [0.0; 256]);
        self.scores.fill(1, 0, &mut once);
        let mut tables = Box::new([[0.0; 256]; TABLES]);
        for (table, tf) in tables.iter_mut().zip(LEAST_TF..) {
            self.scores.fill(tf, 0, &mut scores);
            for ((gain, score), once) in table.iter_mut().zip(scores).zip(once) {
                *gain = f64::from(score) - f64::from(once);
            }
        }
        tables
    }

    /// Calls `act` with the sentences of `range` and what it adds to each.
    pub fn for_each(
        &self,
        range: Range<u32>,
        lengths: &[u8],
        mut act: impl FnMut(u32, f64),
    ) -> Result<()> {
        let mut cursor = Cursor::new(self.sequence.clone())?;
        cursor.skip_to(range.start)?;
        cursor.take_until(range.end, |sentences, tfs| {
            for (at, &sentence) in sentences.iter().enumerate() {
                let tf = tfs.map_or(1, |tfs| tfs[at]);
                act(sentence, self.gain(tf, lengths[sentence as usize]));
            }
        })
    }
}

/// What repeats add for small tfs and every length byte.
type Tables = [[f64; 256]; TABLES];

/// A clause with what is known of it before its postings are.
pub(super) struct Bounded<'a> {
    clause: Clause<'a>,
    /// The most that it adds in a sentence of each length byte.
    pub bounds: Box<[f64; 256]>,
    /// The most that it adds to any score.
    pub most: f64,
    tables: Option<Box<Tables>>,
}

impl<'a> Bounded<'a> {
    /// Of this clause.
    pub fn new(clause: Clause<'a>) -> Bounded<'a> {
        let bounds = clause.bounds();
        let worth_it = clause.share == Share::Repeats && clause.len() > WORTH_TABLES;
        Bounded {
            // A sentence that has a term has a length of at least 1.
            most: bounds[1..].iter().copied().fold(0.0, f64::max),
            bounds,
            tables: worth_it.then(|| clause.tables()),
            clause,
        }
    }

    /// The most that it adds for a posting of it.
    pub fn density(&self) -> f64 {
        self.most / f64::from(self.clause.len())
    }

    /// What it adds where the sentence has `length` and the term `tf` times.
    #[inline]
    fn gain(&self, tf: u32, length: u8) -> f64 {
        match (self.clause.share, &self.tables) {
            (Share::Once, _) => self.bounds[usize::from(length)],
            (Share::Repeats, Some(tables)) => {
                match tables.get(tf.wrapping_sub(LEAST_TF) as usize) {
                    Some(table) => table[usize::from(length)],
                    None => self.clause.gain(tf, length),
                }
            }
            _ => self.clause.gain(tf, length),
        }
    }
}

/// A clause on the way through its sentences.
pub(super) struct Walk<'a> {
    cursor: Cursor<'a>,
    bounded: Bounded<'a>,
}

impl<'a> Walk<'a> {
    /// To the first posting of `bounded` that is not before `sentence`.
    pub fn begin(bounded: Bounded<'a>, sentence: u32) -> Result<Walk<'a>> {
        let mut cursor = Cursor::new(bounded.clause.sequence.clone())?;
        cursor.skip_to(sentence)?;
        Ok(Walk { cursor, bounded })
    }

    /// The next sentence that it adds to.
    #[inline]
    pub fn next(&mut self) -> Result<Option<u32>> {
        self.cursor.next()
    }

    /// Adds to the sentences before `end` in a window.
    pub fn add_to(&mut self, window: &mut Window, end: u32, span: Span<'_>) -> Result<()> {
        let Walk { cursor, bounded } = self;
        match bounded.clause.share {
            Share::Once => cursor.take_until(end, |sentences, _| {
                window.add(sentences, span, &bounded.bounds);
            }),
            _ => cursor.take_until(end, |sentences, tfs| {
                let tf = |at: usize| tfs.map_or(1, |tfs| tfs[at]);
                window.add_each(sentences, span, |at, length| bounded.gain(tf(at), length));
            }),
        }
    }

    /// Adds to the candidates of a window, which ends at `end`.
    pub fn complete(&mut self, window: &mut Window, end: u32, span: Span<'_>) -> Result<()> {
        let share = f64::from(self.bounded.clause.len()) / span.lengths.len() as f64;
        let postings = share * f64::from(WINDOW);
        if postings < SCAN_FACTOR * window.len() as f64 {
            return self.scan(window, end, span);
        }
        window.sort();
        for at in 0..window.len() {
            let (place, length) = window.candidate(at);
            let tf = self.cursor.tf(span.start + place)?;
            if tf > 0 {
                let gain = self.bounded.gain(tf, length);
                window.add_to_candidate(place, gain);
            }
        }
        Ok(())
    }

    /// The same, by going through all postings of the window.
    fn scan(&mut self, window: &mut Window, end: u32, span: Span<'_>) -> Result<()> {
        let Walk { cursor, bounded } = self;
        let mut members = [0; BLOCK];
        window.mark(true);
        cursor.skip_to(span.start)?;
        cursor.take_until(end, |sentences, tfs| {
            let count = window.members(sentences, span.start, &mut members);
            for &at in &members[..count] {
                let sentence = sentences[usize::from(at)];
                let tf = tfs.map_or(1, |tfs| tfs[usize::from(at)]);
                let gain = bounded.gain(tf, span.lengths[sentence as usize]);
                window.add_to_candidate(sentence - span.start, gain);
            }
        })?;
        window.mark(false);
        Ok(())
    }
}

//! The best way to cut a text into pieces: the one whose scores have the largest sum (Kudo 2018, "Subword
//! Regularization", equation 4), found by dynamic programming over the places where pieces may begin.
//!
//! Sums are formed from the left in `f64`, of two equal ones the first found counts, and a character that is no
//! piece scores 10 less than the worst piece: as `tokenizers` has it, to the bit.
//!
//! A piece is at most `longest` bytes long, so only that many sums are alive at once, in a ring; what is kept of
//! every place is the length of the best piece that ends there, 2 bytes. A text of n bytes costs at most n times
//! `longest` steps, whatever it is made of.

use super::trie::Trie;
use super::{Damage, Scores};

/// The longest piece: what the 2 bytes of a length can say.
pub(super) const MOST_PIECE: usize = u16::MAX as usize;

/// The longest character, in bytes.
const MOST_CHARACTER: usize = 4;

/// What a text is cut by.
#[derive(Clone, Copy)]
pub(super) struct Pieces<'a> {
    pub(super) trie: Trie<'a>,
    pub(super) scores: Scores<'a>,
    /// The longest piece, in bytes.
    pub(super) longest: usize,
    pub(super) unk: u32,
    pub(super) unk_score: f64,
    /// Whether what is unknown becomes the pieces of its bytes, `<0x00>` to `<0xFF>`, where all are there.
    pub(super) byte_fallback: bool,
}

/// The best way to a place: its sum, and the length of its last piece, 0 where none is known.
#[derive(Clone, Copy, Default)]
struct Best {
    sum: f64,
    len: u16,
}

/// Memory for one text after the other.
pub(super) struct Viterbi {
    ring: Vec<Best>,
    /// For each place the length of the piece that ends there.
    lengths: Vec<u16>,
    /// Where the pieces of the best way end, the last first.
    ends: Vec<usize>,
}

impl Viterbi {
    /// For pieces of at most `longest` bytes.
    pub(super) fn new(longest: usize) -> Self {
        let alive = longest.clamp(MOST_CHARACTER, MOST_PIECE) + 1;
        Self {
            ring: vec![Best::default(); alive.next_power_of_two()],
            lengths: Vec::new(),
            ends: Vec::new(),
        }
    }

    /// Appends the ids of a text's pieces.
    pub(super) fn encode(
        &mut self,
        text: &str,
        pieces: &Pieces<'_>,
        ids: &mut Vec<u32>,
    ) -> Result<(), Damage> {
        if text.is_empty() {
            return Ok(());
        }
        self.forward(text.as_bytes(), pieces)?;
        self.back(text.len(), pieces)?;
        let text = text.as_bytes();
        let mut start = 0;
        // Where what is unknown began; neighbours become one.
        let mut unknown = None;
        while let Some(end) = self.ends.pop() {
            match pieces.get(&text[start..end])? {
                Some(id) if id != pieces.unk => {
                    if let Some(from) = unknown.take() {
                        pieces.unknown(&text[from..start], ids)?;
                    }
                    ids.push(id);
                }
                _ => {
                    unknown.get_or_insert(start);
                }
            }
            start = end;
        }
        if let Some(from) = unknown {
            pieces.unknown(&text[from..start], ids)?;
        }
        Ok(())
    }

    /// Finds the length of the best piece that ends at each place.
    fn forward(&mut self, text: &[u8], pieces: &Pieces<'_>) -> Result<(), Damage> {
        self.lengths.clear();
        self.lengths.resize(text.len() + 1, 0);
        let mask = self.ring.len() - 1;
        let longest = pieces.longest.min(self.ring.len() - 1);
        let mut start = 0;
        while start < text.len() {
            let here = std::mem::take(&mut self.ring[start & mask]);
            self.lengths[start] = here.len;
            let width = width(text[start]);
            let mut is_piece = false;
            let mut missing = None;
            let ring = &mut self.ring;
            let mut offer = |len: usize, score: f64| {
                let best = &mut ring[(start + len) & mask];
                let sum = score + here.sum;
                if best.len == 0 || sum > best.sum {
                    // A ring that is longer than `longest` makes this fit.
                    *best = Best {
                        sum,
                        len: len as u16,
                    };
                }
            };
            pieces.trie.prefixes(&text[start..], longest, |len, id| {
                match pieces.scores.get(id) {
                    Some(score) => offer(len, score),
                    None => missing = Some(id),
                }
                is_piece |= len == width;
            })?;
            if let Some(id) = missing {
                return Err(pieces.scores.damage(id));
            }
            if !is_piece {
                offer(width, pieces.unk_score);
            }
            start += width;
        }
        self.lengths[text.len()] = std::mem::take(&mut self.ring[text.len() & mask]).len;
        Ok(())
    }

    /// Collects the ends of the best way's pieces, from the last one back.
    fn back(&mut self, len: usize, pieces: &Pieces<'_>) -> Result<(), Damage> {
        self.ends.clear();
        let mut end = len;
        while end > 0 {
            let len = usize::from(self.lengths[end]);
            if len == 0 || len > end {
                // Only a piece that ends inside a character leads here.
                return Err(pieces.scores.damage(0));
            }
            self.ends.push(end);
            end -= len;
        }
        Ok(())
    }
}

impl Pieces<'_> {
    fn get(&self, text: &[u8]) -> Result<Option<u32>, Damage> {
        self.trie.get(text, self.longest)
    }

    /// Appends the ids of what is unknown: of the piece that it makes together, of its bytes, or one of `<unk>`.
    fn unknown(&self, text: &[u8], ids: &mut Vec<u32>) -> Result<(), Damage> {
        if let Some(id) = self.get(text)? {
            ids.push(id);
            return Ok(());
        }
        if self.byte_fallback {
            let before = ids.len();
            for &byte in text {
                const DIGITS: &[u8; 16] = b"0123456789ABCDEF";
                let [high, low] = [byte >> 4, byte & 15].map(|digit| DIGITS[usize::from(digit)]);
                let Some(id) = self.get(&[b'<', b'0', b'x', high, low, b'>'])? else {
                    ids.truncate(before);
                    ids.push(self.unk);
                    return Ok(());
                };
                ids.push(id);
            }
            return Ok(());
        }
        ids.push(self.unk);
        Ok(())
    }
}

/// The length of the character that begins with this byte.
fn width(first: u8) -> usize {
    match first {
        0..0xc0 => 1,
        0xc0..0xe0 => 2,
        0xe0..0xf0 => 3,
        _ => 4,
    }
}

//! The compiled tokenizer: a Unigram model that is read where it lies in the map.
//!
//! `tokenizers` needs 0.6 s and 280 MB to read the 250,002 pieces of XLM-R. Here nothing is read but a head of a
//! few hundred bytes; the pieces are a trie in the file, and a text touches the pages that its words need.
//!
//! # What a text goes through
//!
//! ```text
//! text ──► added tokens ──► normalizer ──► added tokens ──► words ──► marks ──► Viterbi ──► ids
//!          as it came       steps          normalized       by white  ▁ for     by words
//!                                                           space     spaces
//! ```
//!
//! Each stage gives what `tokenizers` 0.22 gives, its oddities included. The converter compiles only what it
//! knows to do so, and compares the two before it writes ([`Compiled::new`]); everything else keeps its
//! `tokenizer.json` alone.
//!
//! # The sections
//!
//! ```text
//! unigram   bincode, a Head: the stages and their parameters, and where in `pieces` everything lies
//! pieces    bulk, each at a multiple of 64 bytes:
//!             trie of the pieces            u32 units        piece → id
//!             scores                        f64              by id
//!             tries of the added tokens     u32 units        text → place in the head's list
//!             for each map of characters    u32 units, text  SentencePiece's own
//! ```
//!
//! `pieces` is bulk, so its hash is not checked when the file is opened. Nothing in it is trusted: each look is
//! checked against the section's range, each id against the number of pieces, and the number of steps is bounded
//! by the text alone. Damage is an error or a wrong id, and never more.

mod added;
mod charsmap;
mod compile;
mod double_array;
mod normalizer;
mod stages;
#[cfg(test)]
mod tests;
mod trie;
mod verify;
mod viterbi;

use std::ops::Deref;
use std::sync::Arc;

use bincode::{Decode, Encode};
use morelet_mapped::Bytes;

use crate::error::{Error, ErrorKind, Result};
use added::{Added, Part};
pub use compile::{Compiled, NotCompiled};
use normalizer::{Step, Text};
use trie::{MOST_UNITS, Trie};
use viterbi::{MOST_PIECE, Pieces, Viterbi};

/// Each range of the section `pieces` begins at a multiple of this, in bytes.
const ALIGNMENT: usize = 64;

/// A range of the section `pieces`, in bytes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Encode, Decode)]
struct Span {
    offset: u64,
    len: u64,
}

/// The section `unigram`.
#[derive(Clone, Debug, PartialEq, Encode, Decode)]
struct Head {
    /// How many pieces there are; their ids count from 0.
    pieces: u32,
    /// How many ids there are, added tokens included.
    vocabulary: u32,
    /// The id of what is unknown, and its score.
    unk: u32,
    unk_score: f64,
    byte_fallback: bool,
    /// The longest piece, in bytes.
    longest: u32,
    trie: Span,
    scores: Span,
    /// Added tokens that are found in the text as it came, and in the normalized one.
    raw: Added,
    normalized: Added,
    steps: Vec<Step>,
    /// Whether words end at white space, which is taken away.
    split_white: bool,
    metaspace: Option<Metaspace>,
}

/// How spaces become marks.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Encode, Decode)]
struct Metaspace {
    mark: char,
    /// Which words get a mark in front.
    prepend: Prepend,
    /// Whether words end before a mark.
    split: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Encode, Decode)]
enum Prepend {
    Always,
    /// Those that begin with the first character of a text.
    First,
    Never,
}

/// The bytes of the section `pieces`: mapped, or in memory right after they were compiled.
#[derive(Clone)]
enum Data {
    Mapped(Bytes),
    Memory(Arc<[u8]>),
}

/// Bytes that contradict each other, and where, in bytes from the start of the section `pieces`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Damage {
    at: u64,
    message: &'static str,
}

/// The scores of pieces, by id.
#[derive(Clone, Copy)]
struct Scores<'a> {
    scores: &'a [[u8; 8]],
    start: u64,
}

/// A compiled tokenizer.
pub(super) struct Unigram {
    head: Head,
    data: Data,
}

impl Unigram {
    /// Over the two sections of a file.
    ///
    /// # Errors
    /// Of kind `File` where the head does not fit the pieces.
    pub(super) fn open(head: &Bytes, pieces: Bytes) -> Result<Self> {
        let parsed: Head = morelet_mapped::decode(head)?;
        parsed
            .check(pieces.len() as u64)
            .map_err(|message| head.corrupt(0, message))?;
        Ok(Self {
            head: parsed,
            data: Data::Mapped(pieces),
        })
    }

    /// How many ids the tokenizer knows, added tokens included.
    pub(super) fn vocabulary(&self) -> usize {
        self.head.vocabulary as usize
    }

    /// The ids of a text, without special tokens.
    ///
    /// # Errors
    /// Of kind `File` where the pieces are damaged.
    pub(super) fn encode(&self, text: &str) -> Result<Vec<u32>> {
        let mut ids = Vec::with_capacity(text.len() / 4 + 4);
        self.run(text, &mut ids)
            .map_err(|damage| match &self.data {
                Data::Mapped(bytes) => bytes.corrupt(damage.at, damage.message).into(),
                Data::Memory(_) => Error::new(ErrorKind::Tokenizer, damage.message),
            })?;
        Ok(ids)
    }

    fn run(&self, text: &str, ids: &mut Vec<u32>) -> Result<(), Damage> {
        let (head, data): (&Head, &[u8]) = (&self.head, &self.data);
        let pieces = Pieces {
            trie: Trie::new(head.trie.of(data)?, head.trie.offset, head.pieces),
            scores: Scores {
                scores: head.scores.of(data)?.as_chunks().0,
                start: head.scores.offset,
            },
            longest: head.longest as usize,
            unk: head.unk,
            unk_score: head.unk_score,
            byte_fallback: head.byte_fallback,
        };
        let mut words = Words {
            head,
            pieces,
            viterbi: Viterbi::new(pieces.longest),
            marked: String::new(),
            ids,
        };
        head.raw.parts(text, data, |part| {
            let range = match part {
                Part::Token(id) => {
                    words.ids.push(id);
                    return Ok(());
                }
                Part::Text(range) => range,
            };
            let is_first = range.start == 0;
            let mut normal = Text::new(&text[range]);
            for step in &head.steps {
                normal.step(step, data)?;
            }
            let zero = if is_first { normal.zero } else { 0 };
            head.normalized
                .parts(&normal.text, data, |part| match part {
                    Part::Token(id) => {
                        words.ids.push(id);
                        Ok(())
                    }
                    Part::Text(range) => {
                        let zero = zero.saturating_sub(range.start);
                        words.split(&normal.text[range], zero)
                    }
                })
        })
    }
}

/// The last stages: what lies between added tokens becomes words, and words become ids.
struct Words<'a> {
    head: &'a Head,
    pieces: Pieces<'a>,
    viterbi: Viterbi,
    /// The word at hand, with its marks.
    marked: String,
    ids: &'a mut Vec<u32>,
}

impl Words<'_> {
    /// Splits a text by white space. Its first `zero` bytes came from the first character of the original.
    fn split(&mut self, text: &str, zero: usize) -> Result<(), Damage> {
        if !self.head.split_white {
            return self.mark(text, zero > 0);
        }
        let mut start = 0;
        for part in text.split_inclusive(char::is_whitespace) {
            let word = part.strip_suffix(char::is_whitespace).unwrap_or(part);
            if !word.is_empty() {
                self.mark(word, start < zero)?;
            }
            start += part.len();
        }
        Ok(())
    }

    /// Puts marks in the place of spaces, and one in front.
    fn mark(&mut self, word: &str, is_first: bool) -> Result<(), Damage> {
        let Some(metaspace) = self.head.metaspace else {
            return self.viterbi.encode(word, &self.pieces, self.ids);
        };
        let mark = metaspace.mark;
        let prepend = match metaspace.prepend {
            Prepend::Always => true,
            Prepend::First => is_first,
            Prepend::Never => false,
        };
        self.marked.clear();
        if prepend && !word.starts_with([' ', mark]) {
            self.marked.push(mark);
        }
        for (at, part) in word.split(' ').enumerate() {
            if at > 0 {
                self.marked.push(mark);
            }
            self.marked.push_str(part);
        }
        let mut rest = self.marked.as_str();
        while metaspace.split && !rest.is_empty() {
            let first = rest.chars().next().map_or(0, char::len_utf8);
            let end = rest[first..].find(mark).map_or(rest.len(), |at| first + at);
            let (part, behind) = rest.split_at(end);
            self.viterbi.encode(part, &self.pieces, self.ids)?;
            rest = behind;
        }
        self.viterbi.encode(rest, &self.pieces, self.ids)
    }
}

impl Head {
    /// What does not fit a section `pieces` of `len` bytes, or in itself.
    fn check(&self, len: u64) -> std::result::Result<(), String> {
        if self.pieces as usize > MOST_UNITS {
            return Err(format!(
                "expected at most {MOST_UNITS} pieces, got {}",
                self.pieces
            ));
        }
        if self.unk >= self.pieces {
            return Err(format!(
                "expected an unknown piece below {}, got {}",
                self.pieces, self.unk
            ));
        }
        if self.longest as usize > MOST_PIECE {
            return Err(format!(
                "expected pieces of at most {MOST_PIECE} bytes, got {}",
                self.longest
            ));
        }
        if self.scores.len != 8 * u64::from(self.pieces) {
            return Err(format!(
                "expected {} scores of 8 bytes, got {} bytes",
                self.pieces, self.scores.len
            ));
        }
        let maps = self.steps.iter().filter_map(|step| match step {
            Step::Charsmap { units, text, .. } => Some([*units, *text]),
            _ => None,
        });
        let spans = [self.trie, self.scores, self.raw.trie, self.normalized.trie];
        for span in spans.into_iter().chain(maps.flatten()) {
            let end = span.offset.checked_add(span.len);
            if end.is_none_or(|end| end > len) {
                return Err(format!(
                    "expected ranges inside the {len} bytes of the section `pieces`, got {} bytes at {}",
                    span.len, span.offset
                ));
            }
        }
        Ok(())
    }
}

impl Span {
    /// These bytes of the section.
    fn of(self, data: &[u8]) -> Result<&[u8], Damage> {
        let start = usize::try_from(self.offset).ok();
        let end = self.offset.checked_add(self.len);
        let end = end.and_then(|end| usize::try_from(end).ok());
        let range = start.zip(end).and_then(|(start, end)| data.get(start..end));
        range.ok_or(Damage {
            at: self.offset,
            message: "a range points outside its section",
        })
    }
}

impl Scores<'_> {
    #[inline]
    fn get(&self, id: u32) -> Option<f64> {
        self.scores
            .get(id as usize)
            .map(|&score| f64::from_le_bytes(score))
    }

    /// The error for a piece whose score is not there, or that does not end where a character does.
    #[cold]
    fn damage(&self, id: u32) -> Damage {
        Damage {
            at: self.start + 8 * u64::from(id),
            message: "the pieces contradict their scores, or the text's characters",
        }
    }
}

impl Deref for Data {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        match self {
            Self::Mapped(bytes) => bytes,
            Self::Memory(bytes) => bytes,
        }
    }
}

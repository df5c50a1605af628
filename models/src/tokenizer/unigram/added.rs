//! Added tokens: texts such as `</s>` that are found before anything else and have ids of their own.

use std::ops::Range;

use bincode::{Decode, Encode};

use super::trie::Trie;
use super::{Damage, Span};

/// Added tokens that are looked for together: in the text as it came, or in the normalized one.
#[derive(Clone, Debug, Default, PartialEq, Encode, Decode)]
pub(super) struct Added {
    /// The trie of their texts; its values are places in `tokens`.
    pub(super) trie: Span,
    /// The longest text, in bytes.
    pub(super) longest: u32,
    pub(super) tokens: Vec<AddedToken>,
}

/// What one added token becomes.
#[derive(Clone, Debug, PartialEq, Encode, Decode)]
pub(super) struct AddedToken {
    pub(super) id: u32,
    /// Whether white space before it, and behind it, belongs to it.
    pub(super) lstrip: bool,
    pub(super) rstrip: bool,
}

/// A part of a text.
#[derive(Debug, PartialEq)]
pub(super) enum Part {
    /// An added token.
    Token(u32),
    /// What lies between two, never empty.
    Text(Range<usize>),
}

impl Added {
    /// Cuts a text into added tokens and what lies between: at each place the longest, from the left.
    pub(super) fn parts(
        &self,
        text: &str,
        data: &[u8],
        mut take: impl FnMut(Part) -> Result<(), Damage>,
    ) -> Result<(), Damage> {
        let mut done = 0;
        if !self.tokens.is_empty() {
            let trie = Trie::new(
                self.trie.of(data)?,
                self.trie.offset,
                self.tokens.len() as u32,
            );
            // Where the white space ends that was looked at last: no run of it is walked twice.
            let mut white = 0;
            let mut at = 0;
            while at < text.len() {
                let rest = &text.as_bytes()[at..];
                let Some((len, token)) = trie.longest(rest, self.longest as usize)? else {
                    at += 1;
                    continue;
                };
                let (mut start, mut end) = (at, at + len);
                at = end;
                let (Some(token), true) = (
                    self.tokens.get(token as usize),
                    text.is_char_boundary(start) && text.is_char_boundary(end),
                ) else {
                    return Err(Damage {
                        at: self.trie.offset,
                        message: "an added token is not UTF-8",
                    });
                };
                if token.lstrip && start > done {
                    let before = &text[done..start];
                    start = done + before.trim_end_matches(char::is_whitespace).len();
                }
                if token.rstrip {
                    if end >= white {
                        let behind = text[end..].trim_start_matches(char::is_whitespace);
                        white = text.len() - behind.len();
                    }
                    end = white;
                }
                if done < start {
                    take(Part::Text(done..start))?;
                }
                take(Part::Token(token.id))?;
                done = end;
            }
        }
        if done < text.len() {
            take(Part::Text(done..text.len()))?;
        }
        Ok(())
    }
}

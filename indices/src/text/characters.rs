//! The class of every character, as Lucene's standard tokenizer sees it.

use std::collections::HashMap;
use std::sync::LazyLock;

use super::character_ranges::RANGES;

/// The number of classes.
pub(super) const CLASSES: usize = 29;

/// What a character does in a word: its `Word_Break` property, told apart further where emoji or scripts that
/// are not broken at word boundaries need it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub(super) enum Class {
    Other,
    DoubleQuote,
    /// `#` and `*`, which begin keycap emoji, as digits do.
    KeycapBase,
    SingleQuote,
    MidNum,
    MidNumLet,
    /// ASCII digits.
    Digit,
    MidLetter,
    Letter,
    ExtendNumLet,
    Emoji,
    Extend,
    Hebrew,
    Numeric,
    /// `Line_Break=Complex_Context`: Thai, Lao, Khmer, Myanmar and others that write no spaces.
    Complex,
    /// The same, but it extends the character before it.
    ComplexExtend,
    Hangul,
    Joiner,
    Keycap,
    /// A letter that is an emoji too, as ℹ.
    EmojiLetter,
    Han,
    Katakana,
    Hiragana,
    TextSelector,
    EmojiSelector,
    Regional,
    SkinTone,
    Tag,
    TagEnd,
}

/// Characters that share a block of the table.
const BLOCK: usize = 256;

/// Classes in two stages: blocks of characters that have the same classes are kept once.
struct Table {
    stages: Vec<u16>,
    blocks: Vec<[Class; BLOCK]>,
}

static TABLE: LazyLock<Table> = LazyLock::new(|| {
    let mut flat = vec![[Class::Other; BLOCK]; (char::MAX as usize + 1) / BLOCK];
    for &(class, ranges) in &RANGES {
        for range in ranges.chunks_exact(2) {
            for code in range[0] as usize..=range[1] as usize {
                flat[code / BLOCK][code % BLOCK] = class;
            }
        }
    }
    let mut blocks: Vec<[Class; BLOCK]> = Vec::new();
    let mut numbers = HashMap::new();
    let stages = flat
        .into_iter()
        .map(|block| {
            *numbers
                .entry(block.map(|class| class as u8))
                .or_insert_with(|| {
                    blocks.push(block);
                    // 4,352 blocks at most.
                    (blocks.len() - 1) as u16
                })
        })
        .collect();
    Table { stages, blocks }
});

/// The class of `character`.
#[inline]
pub(super) fn class(character: char) -> Class {
    let (table, code) = (&*TABLE, character as usize);
    table.blocks[table.stages[code / BLOCK] as usize][code % BLOCK]
}

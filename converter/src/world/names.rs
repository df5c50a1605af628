//! Names that no dictionary knows, made of syllables.
//!
//! Nothing about a name says what it names: a river and a football club draw from
//! the same syllables, so that the only way to a label is to look the name up, in a
//! text or in a picture. Every word of a name is used once in the whole world, which
//! makes it rare in the sense of BM25. The syllables, on the other hand, are few: a
//! tokenizer that has them as its pieces writes every name, also those of the test
//! split, in pieces that a small model has seen a thousand times.

use crate::random::Random;
use std::collections::BTreeSet;

/// What a syllable begins with.
const ONSETS: [&str; 20] = [
    "b", "br", "ch", "d", "f", "g", "h", "k", "kr", "l", "m", "n", "p", "r", "s", "sh", "t", "v",
    "w", "z",
];
/// What a syllable ends with.
const VOWELS: [&str; 7] = ["a", "ai", "e", "i", "o", "ou", "u"];

/// Every syllable that a name can have, in lower case: consonants and vowels.
pub fn syllables() -> impl Iterator<Item = String> {
    ONSETS
        .iter()
        .flat_map(|onset| VOWELS.iter().map(move |vowel| format!("{onset}{vowel}")))
}

/// Short English words that two syllables could spell by accident.
const ENGLISH: [&str; 72] = [
    "baby", "bake", "bite", "bone", "brave", "brake", "bride", "broke", "cute", "dare", "date",
    "done", "dove", "duke", "face", "fade", "fame", "fate", "file", "fine", "fire", "five", "game",
    "gate", "gave", "give", "gone", "hate", "have", "here", "hero", "hide", "home", "hope", "hole",
    "joke", "kite", "lake", "lame", "late", "life", "like", "line", "live", "lone", "lose", "love",
    "made", "make", "male", "mate", "mine", "more", "move", "name", "nice", "nine", "none", "nose",
    "note", "pale", "rare", "ride", "same", "shame", "shine", "shore", "some", "take", "time",
    "were", "zero",
];

/// Makes words and remembers them, so that it never makes one twice.
pub struct Names {
    random: Random,
    used: BTreeSet<String>,
}

impl Names {
    /// A source of words; the same seed gives the same words in the same order.
    pub fn new(seed: u64) -> Self {
        Self {
            random: Random::new(seed),
            used: ENGLISH.iter().map(|&word| word.to_owned()).collect(),
        }
    }

    /// A capitalized word of two syllables that this source has not made before. There are 19,600.
    pub fn word(&mut self) -> String {
        loop {
            let mut word = String::new();
            for _ in 0..2 {
                word.push_str(self.random.pick::<&str>(&ONSETS));
                word.push_str(self.random.pick::<&str>(&VOWELS));
            }
            if self.used.insert(word.clone()) {
                return capitalized(&word);
            }
        }
    }

    /// A name of one or two words.
    pub fn name(&mut self) -> Vec<String> {
        let count = if self.random.chance(0.8) { 1 } else { 2 };
        (0..count).map(|_| self.word()).collect()
    }
}

/// The word with a capital letter in front.
pub fn capitalized(word: &str) -> String {
    let mut characters = word.chars();
    characters
        .next()
        .map(|first| first.to_uppercase().chain(characters).collect())
        .unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_word_is_made_twice() {
        let mut names = Names::new(3);
        let words: BTreeSet<String> = (0..5000).map(|_| names.word()).collect();
        assert_eq!(words.len(), 5000);
    }

    #[test]
    fn names_are_made_of_the_syllables() {
        let syllables: BTreeSet<String> = syllables().collect();
        let word = Names::new(4).word().to_lowercase();
        let halves = |at: usize| [&word[..at], &word[at..]];
        assert!((1..word.len()).any(|at| halves(at).iter().all(|half| syllables.contains(*half))));
    }
}

//! A small tokenizer for a world: words that are common are one piece, names are written in syllables.
//!
//! A tokenizer that had every word of the encyclopedia as a piece would know the names
//! of the test split, each by a piece of its own that no training ever moved. Written in
//! syllables, an unknown name looks in a sentence as it looks in a paragraph, and that is
//! all that a look-up needs. So a word that two syllables of names spell is never a piece,
//! however common the name; everything else that occurs at least twice is.

use super::names::{capitalized, syllables};
use serde_json::{Map, Value, json};
use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;

/// XLM-R's marks, in the order of their ids.
const MARKS: [&str; 4] = ["<s>", "<pad>", "</s>", "<unk>"];
/// What anchors of paragraphs and the markers of relations are made of.
const TAGS: [&str; 6] = ["<e:", "</e>", "<S>", "</S>", "<O>", "</O>"];
/// How often a word occurs at least that is a piece.
const LEAST: u32 = 2;
/// How often a word occurs at least that is a piece although syllables spell it, where it is in
/// lower case: names are rarely, and none that often.
const LEAST_SYLLABLES: u32 = 20;

/// The logarithm of a common piece's probability. All are alike probable, so that the fewest win.
const COMMON: f64 = -7.0;
/// The same for a single character, the last resort.
const CHARACTER: f64 = -10.5;
/// The same for a tag, which is one piece whatever its characters would cost.
const TAG: f64 = -4.0;

/// The pieces for a text, in the order of their ids, with the logarithms of their probabilities. The
/// text should be all of the encyclopedia's paragraphs and the training posts, no other.
pub fn pieces(text: &str) -> Vec<(String, f64)> {
    let syllables: BTreeSet<String> = syllables().collect();
    let spelled = |word: &str| {
        let word = word.to_lowercase();
        let split = |at: usize| word.is_char_boundary(at) && at < word.len();
        (1..word.len()).any(|at| {
            split(at) && syllables.contains(&word[..at]) && syllables.contains(&word[at..])
        })
    };
    let mut counts = BTreeMap::new();
    for token in text.split_whitespace() {
        // A word as it stands in running text, and a mark or a tag that stands by itself.
        for word in token.split(|c: char| !c.is_alphanumeric()) {
            if !word.is_empty() {
                *counts.entry(word).or_insert(0_u32) += 1;
            }
        }
        let letters = token.trim_start_matches(|c: char| !c.is_alphanumeric());
        if letters.len() < token.len()
            && letters.chars().all(char::is_alphanumeric)
            && !token.starts_with('<')
        {
            let mark = if spelled(letters) {
                &token[..token.len() - letters.len()]
            } else {
                token
            };
            *counts.entry(mark).or_insert(0) += 1;
        }
    }
    let whole = counts
        .into_iter()
        .filter(|&(word, count)| match spelled(word) {
            true => count >= LEAST_SYLLABLES && word.starts_with(char::is_lowercase),
            false => count >= LEAST,
        });
    let characters: BTreeSet<char> = text.chars().filter(|c| !c.is_whitespace()).collect();

    let mut pieces: Vec<(String, f64)> = MARKS.iter().map(|mark| (mark.to_string(), 0.0)).collect();
    let mut seen = BTreeSet::new();
    let mut add = |piece: String, probability: f64| {
        if seen.insert(piece.clone()) {
            pieces.push((piece, probability));
        }
    };
    for tag in TAGS {
        add(format!("▁{tag}"), TAG);
    }
    for (word, _) in whole {
        add(format!("▁{word}"), COMMON);
    }
    for syllable in &syllables {
        for form in [syllable.clone(), capitalized(syllable)] {
            add(format!("▁{form}"), COMMON);
            add(form, COMMON);
        }
    }
    add("▁".to_owned(), CHARACTER);
    for character in characters {
        add(character.to_string(), CHARACTER);
    }
    pieces
}

/// The same as a `tokenizer.json` with a Unigram model, as XLM-R has it; and the number of pieces.
pub fn unigram(text: &str) -> (Value, usize) {
    let pieces = pieces(text);
    let marks: Vec<Value> = MARKS
        .iter()
        .enumerate()
        .map(|(id, mark)| added(id, mark))
        .collect();
    let spaces =
        json!({"type": "Metaspace", "replacement": "▁", "prepend_scheme": "always", "split": true});
    let vocabulary: Vec<Value> = pieces.iter().map(|(piece, p)| json!([piece, p])).collect();
    let tokenizer = json!({
        "version": "1.0", "truncation": null, "padding": null, "added_tokens": marks, "normalizer": null,
        "pre_tokenizer": spaces, "post_processor": null, "decoder": spaces,
        "model": {"type": "Unigram", "unk_id": 3, "vocab": vocabulary, "byte_fallback": false},
    });
    (tokenizer, pieces.len())
}

fn added(id: usize, mark: &str) -> Value {
    json!({
        "id": id, "content": mark, "single_word": false, "lstrip": false, "rstrip": false,
        "normalized": false, "special": true,
    })
}

/// A `vocab.json` and a `merges.txt` as CLIP has them, with the `merges` most frequent pairs of the
/// text (Sennrich et al., "Neural machine translation of rare words with subword units", 2016).
pub fn bpe(text: &str, merges: usize) -> (Value, String) {
    let mut counts = BTreeMap::new();
    for word in words(text).filter(|word| word.is_ascii()) {
        let mut pieces: Vec<String> = word.to_lowercase().chars().map(String::from).collect();
        if let Some(last) = pieces.last_mut() {
            last.push_str("</w>");
        }
        *counts.entry(pieces).or_insert(0_u32) += 1;
    }
    let mut words: Vec<(Vec<String>, u32)> = counts.into_iter().collect();
    let bytes: Vec<String> = byte_characters().map(String::from).collect();
    let ends = bytes.iter().map(|byte| format!("{byte}</w>"));
    let mut vocabulary: Vec<String> = bytes.iter().cloned().chain(ends).collect();
    let mut lines = "#version: 0.2\n".to_owned();
    for _ in 0..merges {
        let mut pairs = BTreeMap::new();
        for (pieces, count) in &words {
            for pair in pieces.windows(2) {
                *pairs.entry((pair[0].clone(), pair[1].clone())).or_insert(0) += count;
            }
        }
        let Some(((left, right), _)) = pairs.into_iter().max_by_key(|&(_, count)| count) else {
            break;
        };
        for (pieces, _) in &mut words {
            let mut at = 0;
            while at + 1 < pieces.len() {
                if pieces[at] == left && pieces[at + 1] == right {
                    let tail = pieces.remove(at + 1);
                    pieces[at].push_str(&tail);
                }
                at += 1;
            }
        }
        // Writing to memory has no way to fail.
        let _ = writeln!(lines, "{left} {right}");
        vocabulary.push(left + &right);
    }
    vocabulary.extend(["<|startoftext|>", "<|endoftext|>"].map(str::to_owned));
    let entries = vocabulary
        .into_iter()
        .enumerate()
        .map(|(id, piece)| (piece, json!(id)));
    (Value::Object(entries.collect::<Map<_, _>>()), lines)
}

/// The character that stands for each byte in a byte-level vocabulary: itself where it can be seen,
/// else one of those after U+0100.
fn byte_characters() -> impl Iterator<Item = char> {
    let mut unseen = '\u{100}'..;
    (0..=255_u8).map(char::from).map(move |c| match c {
        '!'..='~' | '¡'..='¬' | '®'..='ÿ' => c,
        _ => unseen.next().unwrap_or(c),
    })
}

fn words(text: &str) -> impl Iterator<Item = &str> {
    text.split(|c: char| !c.is_alphanumeric())
        .filter(|word| !word.is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_no_pieces_and_common_words_are() {
        let text = "The dog Kradu , the dog Kradu saw @kradu and @kradu . The dog <e: Kradu> Kradu </e>. #mood #mood";
        let pieces: BTreeSet<String> = pieces(text).into_iter().map(|(piece, _)| piece).collect();
        for piece in [
            "▁dog", "▁Kra", "▁kra", "du", "Du", "▁@", "▁#mood", "▁<e:", ">", "▁</e>",
        ] {
            assert!(pieces.contains(piece), "{piece}");
        }
        for piece in ["▁Kradu", "▁kradu", "▁@kradu", "▁saw"] {
            assert!(!pieces.contains(piece), "{piece}");
        }
    }

    #[test]
    fn no_piece_comes_twice() {
        let pieces = pieces("a b c . , some text some text");
        let distinct: BTreeSet<&String> = pieces.iter().map(|(piece, _)| piece).collect();
        assert_eq!(distinct.len(), pieces.len());
    }
}

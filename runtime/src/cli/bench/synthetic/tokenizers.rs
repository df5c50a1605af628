//! Tokenizers of the right size, of made-up words.

use super::super::random::below;
use crate::Result;
use morelet_models::{CompiledTokenizer, Tokenizer};
use serde_json::{Value, json};
use std::collections::HashSet;

/// Pieces of XLM-R, and of CLIP.
pub(super) const UNIGRAM: usize = 250_002;
pub(super) const BPE: usize = 49_408;

const CONSONANTS: [&str; 26] = [
    "b", "c", "d", "f", "g", "h", "j", "k", "l", "m", "n", "p", "q", "r", "s", "t", "v", "w", "x",
    "z", "ch", "sh", "th", "st", "tr", "br",
];
const VOWELS: [&str; 10] = ["a", "e", "i", "o", "u", "ai", "ea", "ou", "en", "ar"];
const LETTERS: &str =
    "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789.,:;!?'\"()-#@&/";

/// A tokenizer as a file of weights holds it.
pub(super) struct TokenizerFile {
    pub json: Vec<u8>,
    /// Its compiled form, where it has one.
    pub compiled: Option<CompiledTokenizer>,
}

impl TokenizerFile {
    fn new(json: Vec<u8>) -> Result<Self> {
        let reference = Tokenizer::new(&json)?;
        let compiled = CompiledTokenizer::new(&json, &reference).ok();
        Ok(Self { json, compiled })
    }
}

/// A Unigram as XLM-R has it: special pieces at both ends, letters, and pieces between, most of which begin a word.
pub(super) struct Unigram {
    pub tokenizer: TokenizerFile,
    /// The pieces that begin a word and are one, in the order of their ids.
    pub words: Vec<String>,
}

pub(super) fn unigram(seed: u64) -> Result<Unigram> {
    let mut state = seed;
    let mut pieces: Vec<(String, f64)> = ["<s>", "<pad>", "</s>", "<unk>"]
        .map(|piece| (piece.to_owned(), 0.0))
        .into();
    pieces.push(("▁".to_owned(), -3.0));
    pieces.extend(LETTERS.chars().map(|letter| (letter.to_string(), -9.0)));
    let mut seen: HashSet<String> = pieces.iter().map(|(piece, _)| piece.clone()).collect();
    let mut words = Vec::new();
    while pieces.len() < UNIGRAM - 1 {
        let syllables = 1 + below(&mut state, 5);
        let word: String = (0..syllables)
            .map(|_| {
                let first = CONSONANTS[below(&mut state, CONSONANTS.len())];
                [first, VOWELS[below(&mut state, VOWELS.len())]].concat()
            })
            .collect();
        let begins = below(&mut state, 10) < 6;
        let piece = if begins {
            format!("▁{word}")
        } else {
            word.clone()
        };
        if seen.insert(piece.clone()) {
            // The last is still likelier than any two.
            let score = -6.0 - pieces.len() as f64 / 100_000.0;
            pieces.push((piece, score));
            if begins {
                words.push(word);
            }
        }
    }
    pieces.push(("<mask>".to_owned(), 0.0));
    let special = [
        (0, "<s>"),
        (1, "<pad>"),
        (2, "</s>"),
        (3, "<unk>"),
        (UNIGRAM - 1, "<mask>"),
    ];
    let json = json!({
        "version": "1.0", "truncation": null, "padding": null,
        "added_tokens": special.map(|(id, token)| added(id, token, token == "<mask>", false)),
        "normalizer": null,
        "pre_tokenizer": {"type": "Sequence", "pretokenizers": [
            {"type": "WhitespaceSplit"},
            {"type": "Metaspace", "replacement": "▁", "prepend_scheme": "always", "split": true},
        ]},
        "post_processor": null,
        "decoder": {"type": "Metaspace", "replacement": "▁", "prepend_scheme": "always", "split": true},
        "model": {"type": "Unigram", "unk_id": 3, "vocab": pieces, "byte_fallback": false},
    });
    let tokenizer = TokenizerFile::new(json.to_string().into_bytes())?;
    Ok(Unigram { tokenizer, words })
}

/// A byte-level BPE as CLIP has it. `<|startoftext|>` and `<|endoftext|>` are its last two pieces.
pub(super) fn bpe(seed: u64) -> Result<TokenizerFile> {
    let mut state = seed;
    let letters: Vec<String> = byte_characters().map(|letter| letter.to_string()).collect();
    let mut pieces = letters.clone();
    pieces.extend(letters.iter().map(|letter| format!("{letter}</w>")));
    let mut seen: HashSet<String> = pieces.iter().cloned().collect();
    let mut merges = Vec::new();
    while pieces.len() < BPE - 2 {
        let left = pieces[below(&mut state, pieces.len())].clone();
        let right = &pieces[below(&mut state, pieces.len())];
        let merged = format!("{left}{right}");
        if left.ends_with("</w>") || merged.chars().count() > 16 || seen.contains(&merged) {
            continue;
        }
        merges.push(format!("{left} {right}"));
        seen.insert(merged.clone());
        pieces.push(merged);
    }
    pieces.extend(["<|startoftext|>", "<|endoftext|>"].map(str::to_owned));
    let vocabulary: serde_json::Map<String, Value> = pieces
        .iter()
        .enumerate()
        .map(|(id, piece)| (piece.clone(), json!(id)))
        .collect();
    let (start, end) = (BPE - 2, BPE - 1);
    let words = r"'s|'t|'re|'ve|'m|'ll|'d|[\p{L}]+|[\p{N}]|[^\s\p{L}\p{N}]+";
    let json = json!({
        "version": "1.0", "truncation": null, "padding": null,
        "added_tokens": [added(start, "<|startoftext|>", false, true), added(end, "<|endoftext|>", false, true)],
        "normalizer": {"type": "Sequence", "normalizers": [
            {"type": "NFC"},
            {"type": "Replace", "pattern": {"Regex": "\\s+"}, "content": " "},
            {"type": "Lowercase"},
        ]},
        "pre_tokenizer": {"type": "Sequence", "pretokenizers": [
            {"type": "Split", "pattern": {"Regex": words}, "behavior": "Removed", "invert": true},
            {"type": "ByteLevel", "add_prefix_space": false, "trim_offsets": true, "use_regex": true},
        ]},
        "post_processor": null,
        "decoder": {"type": "ByteLevel", "add_prefix_space": true, "trim_offsets": true, "use_regex": true},
        "model": {"type": "BPE", "dropout": null, "unk_token": "<|endoftext|>", "continuing_subword_prefix": "",
            "end_of_word_suffix": "</w>", "fuse_unk": false, "byte_fallback": false,
            "vocab": vocabulary, "merges": merges},
    });
    TokenizerFile::new(json.to_string().into_bytes())
}

fn added(id: usize, token: &str, lstrip: bool, normalized: bool) -> Value {
    json!({"id": id, "content": token, "single_word": false, "lstrip": lstrip, "rstrip": false,
        "normalized": normalized, "special": true})
}

/// The 256 characters that stand for bytes in a byte-level BPE.
fn byte_characters() -> impl Iterator<Item = char> {
    let printable = || (33..127_u32).chain(161..173).chain(174..256);
    let others = 256 - printable().count() as u32;
    printable()
        .chain(256..256 + others)
        .filter_map(char::from_u32)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_word_is_one_piece_and_has_the_id_of_its_place() {
        let made = unigram(1).unwrap();
        let tokenizer = made.tokenizer.compiled.as_ref().unwrap().tokenizer();
        assert_eq!(tokenizer.vocabulary(), UNIGRAM);
        let json: Value = serde_json::from_slice(&made.tokenizer.json).unwrap();
        let pieces = json["model"]["vocab"].as_array().unwrap();
        for word in made.words.iter().step_by(20_000) {
            let [id] = tokenizer.encode(word).unwrap()[..] else {
                panic!("{word}");
            };
            assert_eq!(pieces[id as usize][0], format!("▁{word}"));
        }
        assert!(!tokenizer.encode("Xyz, 1984!").unwrap().contains(&3));
    }

    #[test]
    fn bytes_are_pieces_and_merges_are_used() {
        let tokenizer = Tokenizer::new(&bpe(1).unwrap().json).unwrap();
        assert_eq!(tokenizer.vocabulary(), BPE);
        // Letters alone would be as many as there are bytes.
        let text = "tripaste benubaiche stou ".repeat(20);
        let ids = tokenizer.encode(&text).unwrap();
        assert!(!ids.is_empty() && ids.len() < text.len());
        assert!(ids.iter().all(|&id| (id as usize) < BPE - 2));
    }
}

//! The compiled tokenizer against `tokenizers`, on texts and tokenizers drawn at random, and on damaged bytes.

mod damage;
mod random;
mod tries;
mod unusual;

use std::path::PathBuf;

use serde_json::{Value, json};

use super::{Compiled, NotCompiled};
use crate::tokenizer::Tokenizer;
use crate::tokenizer::tests::SMALL;

/// A generator of random numbers (SplitMix64), the same on every machine.
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ z >> 30).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ z >> 27).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ z >> 31
    }

    /// A number below `end`.
    fn below(&mut self, end: usize) -> usize {
        (self.next() % end as u64) as usize
    }

    fn one<'a, T: ?Sized>(&mut self, of: &[&'a T]) -> &'a T {
        of[self.below(of.len())]
    }
}

/// A `tokenizer.json` of the repository's golden tests.
fn golden(name: &str) -> Vec<u8> {
    let home = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../tests/data/golden/tokenizers");
    let path = home.join(name).join("tokenizer.json");
    std::fs::read(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

/// The map of characters of XLM-R (`nmt_nfkc`), as a normalizer.
fn charsmap() -> Value {
    let xlmr: Value = serde_json::from_slice(&golden("xlmr")).unwrap();
    xlmr["normalizer"]["normalizers"][0].clone()
}

/// A map of three characters in the form of SentencePiece's, each node in a block of units of its own.
fn small_charsmap() -> Value {
    const KEYS: [(&str, u32); 3] = [("\u{1}", 0), ("½", 1), ("Ａ", 7)];
    const TEXT: &[u8] = "\u{0}1⁄2\0A\0".as_bytes();
    const BLOCK: usize = 256;
    // A node's base lies where its block begins, and a unit says how far that is from itself.
    let mut nodes: Vec<Vec<u8>> = vec![Vec::new()];
    for (key, _) in KEYS {
        nodes.extend((1..=key.len()).map(|len| key.as_bytes()[..len].to_vec()));
    }
    let base = |path: &[u8]| (1 + nodes.iter().position(|node| node == path).unwrap()) * BLOCK;
    let mut units = vec![0_u32; (nodes.len() + 1) * BLOCK];
    for path in &nodes {
        let (at, label) = match path.split_last() {
            Some((&label, before)) => (base(before) ^ usize::from(label), u32::from(label)),
            None => (0, 0),
        };
        units[at] = ((at ^ base(path)) as u32) << 10 | label;
        if let Some((_, place)) = KEYS.iter().find(|(key, _)| key.as_bytes() == path) {
            units[at] |= 1 << 8;
            units[base(path)] = 1 << 31 | place;
        }
    }
    let mut bytes = (4 * units.len() as u32).to_le_bytes().to_vec();
    bytes.extend(units.iter().flat_map(|unit| unit.to_le_bytes()));
    bytes.extend(TEXT);
    json!({"type": "Precompiled", "precompiled_charsmap": base64(&bytes)})
}

fn base64(bytes: &[u8]) -> String {
    const DIGITS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let mut text = String::new();
    for chunk in bytes.chunks(3) {
        let bits = (0..3).fold(0, |bits, at| {
            bits << 8 | u32::from(*chunk.get(at).unwrap_or(&0))
        });
        for digit in 0..4 {
            let shown = digit <= chunk.len();
            let value = (bits >> (18 - 6 * digit) & 63) as usize;
            text.push(if shown {
                char::from(DIGITS[value])
            } else {
                '='
            });
        }
    }
    text
}

/// A small tokenizer with a map of characters added tokens of both kinds, and bytes.
fn with_everything() -> Vec<u8> {
    let mut json: Value = serde_json::from_str(SMALL).unwrap();
    let token = |content: &str, normalized: bool| {
        json!({"id": 0, "content": content, "single_word": false, "lstrip": true, "rstrip": true,
            "normalized": normalized, "special": normalized})
    };
    let added = json["added_tokens"].as_array_mut().unwrap();
    added.extend([token("<mask>", false), token("xyz", true)]);
    json["normalizer"] = json!({"type": "Sequence", "normalizers": [small_charsmap(),
        {"type": "Replace", "pattern": {"Regex": " {2,}"}, "content": " "}]});
    json["model"]["byte_fallback"] = json!(true);
    let pieces = json["model"]["vocab"].as_array_mut().unwrap();
    pieces.extend((0..256).map(|byte| json!([format!("<0x{byte:02X}>"), -9.0])));
    serde_json::to_vec(&json).unwrap()
}

/// Compiles and compares.
fn compile(json: &[u8]) -> Result<Compiled, NotCompiled> {
    Compiled::new(json, &Tokenizer::new(json).unwrap())
}

/// Both tokenizers of a `tokenizer.json`, the compiled one unverified.
fn both(json: &[u8]) -> (Tokenizer, Tokenizer) {
    let reference = Tokenizer::new(json).unwrap();
    let compiled = Compiled::unverified(json, &reference).unwrap();
    (reference, compiled.tokenizer())
}

/// Asserts that both give a text the same ids, unless the library panics; says whether it did not.
#[track_caller]
fn same(reference: &Tokenizer, compiled: &Tokenizer, text: &str, about: &str) -> bool {
    let got = compiled.encode(text).unwrap();
    let Ok(expected) = reference.encode(text) else {
        return false;
    };
    assert_eq!(got, expected, "{about}: {text:?}");
    true
}

//! CLIP's `vocab.json` and `merges.txt`, put together as `CLIPTokenizer` of `transformers` 5.17 does.

use super::super::json;
use crate::{Error, Result};
use serde_json::{Map, Value, json};
use std::path::Path;

/// The first and the last token of a text.
const MARKS: [&str; 2] = ["<|startoftext|>", "<|endoftext|>"];

/// How a text is cut before the merges apply.
const WORDS: &str =
    r"<\|startoftext\|>|<\|endoftext\|>|'s|'t|'re|'ve|'m|'ll|'d|[\p{L}]+|[\p{N}]|[^\s\p{L}\p{N}]+";

/// The tokenizer.json of a vocabulary and its merges.
pub(super) fn tokenizer(vocab: &Path, merges: &Path, limit: u64) -> Result<Value> {
    let vocabulary: Map<String, Value> = json::read(vocab, limit)?;
    let mut ids = Vec::new();
    for mark in MARKS {
        let id = vocabulary.get(mark).and_then(Value::as_u64);
        ids.push(id.ok_or_else(|| {
            Error::input(format!("expected the token `{mark}`, got none")).at(vocab)
        })?);
    }
    let pairs = pairs(merges, limit)?;
    let added: Vec<Value> = MARKS
        .iter()
        .zip(&ids)
        .map(|(token, id)| {
            json!({
                "id": id, "content": token, "single_word": false, "lstrip": false, "rstrip": false,
                "normalized": false, "special": true,
            })
        })
        .collect();
    Ok(json!({
        "version": "1.0",
        "truncation": null,
        "padding": null,
        "added_tokens": added,
        "normalizer": {"type": "Sequence", "normalizers": [
            {"type": "NFC"},
            {"type": "Replace", "pattern": {"Regex": r"\s+"}, "content": " "},
            {"type": "Lowercase"},
        ]},
        "pre_tokenizer": {"type": "Sequence", "pretokenizers": [
            {"type": "Split", "pattern": {"Regex": WORDS}, "behavior": "Removed", "invert": true},
            {"type": "ByteLevel", "add_prefix_space": false, "trim_offsets": true, "use_regex": true},
        ]},
        "post_processor": {
            "type": "RobertaProcessing", "sep": [MARKS[1], ids[1]], "cls": [MARKS[0], ids[0]],
            "trim_offsets": false, "add_prefix_space": false,
        },
        "decoder": {"type": "ByteLevel", "add_prefix_space": true, "trim_offsets": true, "use_regex": true},
        "model": {
            "type": "BPE", "dropout": null, "unk_token": MARKS[1], "continuing_subword_prefix": "",
            "end_of_word_suffix": "</w>", "fuse_unk": false, "byte_fallback": false, "ignore_merges": false,
            "vocab": vocabulary, "merges": pairs,
        },
    }))
}

/// The merges, a pair a line, in the order in which they apply.
fn pairs(path: &Path, limit: u64) -> Result<Vec<Value>> {
    let text = String::from_utf8(json::read_bytes(path, limit)?)
        .map_err(|_| Error::input("expected UTF-8").at(path))?;
    let mut pairs = Vec::new();
    for (number, line) in text.lines().enumerate() {
        if line.is_empty() || (number == 0 && line.starts_with("#version")) {
            continue;
        }
        let Some((left, right)) = line
            .split_once(' ')
            .filter(|(_, right)| !right.contains(' '))
        else {
            let message = format!("line {}: expected two tokens, got `{line}`", number + 1);
            return Err(Error::input(message).at(path));
        };
        pairs.push(json!([left, right]));
    }
    Ok(pairs)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn builds_what_transformers_builds() {
        let data = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data");
        let (vocab, merges) = (data.join("clip/vocab.json"), data.join("clip/merges.txt"));
        let expected = std::fs::read(data.join("clip-expected/tokenizer.json")).unwrap();
        let expected: Value = serde_json::from_slice(&expected).unwrap();
        let got = tokenizer(&vocab, &merges, 1 << 20).unwrap();
        for (key, value) in expected.as_object().unwrap() {
            assert_eq!(&got[key], value, "{key}");
        }
    }

    #[test]
    fn refuses_a_merge_of_one_token() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("merges.txt");
        std::fs::write(&path, "#version: 0.2\na b\nabc\n").unwrap();
        let error = pairs(&path, 1 << 20).unwrap_err().to_string();
        assert!(error.contains("line 3: expected two tokens"), "{error}");
    }
}

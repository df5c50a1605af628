//! Small tokenizers, made from the words of a text: one as XLM-R's, one as CLIP's.

use serde_json::{Map, Value, json};
use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;

/// XLM-R's marks, in the order of their ids.
const MARKS: [&str; 4] = ["<s>", "<pad>", "</s>", "<unk>"];

/// A `tokenizer.json` with a Unigram model: each word of the text is a piece, and so is each character.
/// Returns its number of pieces, too.
pub fn unigram(text: &str) -> (Value, usize) {
    let mut counts = BTreeMap::new();
    for word in words(text) {
        *counts.entry(format!("▁{word}")).or_insert(0_u32) += 1;
    }
    let characters: BTreeSet<char> = text
        .chars()
        .filter(|c| !c.is_whitespace() && !c.is_control())
        .chain(['▁'])
        .collect();
    let total = f64::from(counts.values().sum::<u32>());
    let mut vocabulary: Vec<Value> = MARKS.iter().map(|mark| json!([mark, 0.0])).collect();
    // A character costs more than any word, so a word of several characters is one piece where it can be.
    vocabulary.extend(characters.iter().map(|c| json!([c.to_string(), -20.0])));
    vocabulary.extend(
        counts
            .iter()
            .map(|(word, &count)| json!([word, (f64::from(count) / total).ln()])),
    );
    let marks: Vec<Value> = MARKS
        .iter()
        .enumerate()
        .map(|(id, mark)| added(id, mark))
        .collect();
    let len = vocabulary.len();
    let spaces =
        json!({"type": "Metaspace", "replacement": "▁", "prepend_scheme": "always", "split": true});
    let tokenizer = json!({
        "version": "1.0", "truncation": null, "padding": null, "added_tokens": marks, "normalizer": null,
        "pre_tokenizer": spaces, "post_processor": null, "decoder": spaces,
        "model": {"type": "Unigram", "unk_id": 3, "vocab": vocabulary, "byte_fallback": false},
    });
    (tokenizer, len)
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

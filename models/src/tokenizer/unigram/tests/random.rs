//! Texts over many scripts, drawn at random.

use serde_json::{Value, json};

use super::{Random, both, charsmap, golden, same};

/// Ranges of characters: scripts, marks that combine, compatibility forms, emoji, all that breaks lines or joins.
const RANGES: [(u32, u32); 34] = [
    (0x20, 0x7e),
    (0x61, 0x7a),
    (0x61, 0x7a),
    (0x00, 0x1f),
    (0x7f, 0xff),
    (0x100, 0x24f),
    (0x300, 0x36f),
    (0x370, 0x3ff),
    (0x400, 0x4ff),
    (0x590, 0x5ff),
    (0x600, 0x6ff),
    (0x900, 0x97f),
    (0xb80, 0xbff),
    (0xe00, 0xe7f),
    (0xf00, 0xfff),
    (0x1100, 0x11ff),
    (0x1780, 0x17ff),
    (0x1e00, 0x1fff),
    (0x2000, 0x206f),
    (0x2070, 0x218f),
    (0x2460, 0x24ff),
    (0x2580, 0x27bf),
    (0x3000, 0x30ff),
    (0x3200, 0x33ff),
    (0x4e00, 0x9fff),
    (0xac00, 0xd7a3),
    (0xe000, 0xe0ff),
    (0xf900, 0xfaff),
    (0xfb00, 0xfdff),
    (0xfe00, 0xffff),
    (0x1d400, 0x1d7ff),
    (0x1f1e6, 0x1f1ff),
    (0x1f300, 0x1faff),
    (0x20000, 0x2a6df),
];

const MARKED: [&str; 26] = [
    " ", "  ", "\t", "\n", "\r\n", "\r", "▁", "\u{a0}", "\u{3000}", "\u{200b}", "\u{200d}",
    "\u{ad}", "\u{feff}", "\u{fe0f}", "<s>", "</s>", "<mask>", "<unk>", "<pad>", "<S>", "</O>",
    "<", "<0x41>", "＜s＞", "\u{301}", "ﷺ",
];

const WORDS: [&str; 14] = [
    "the",
    "Kolo",
    "loves",
    "sun",
    "lighthouse",
    "of",
    "RT",
    "@user",
    "http://t.co/x",
    "don't",
    "ing",
    "ﬁne",
    "Ｗｉｄｅ",
    "naïve",
];

pub(super) fn text(random: &mut Random) -> String {
    let mut text = String::new();
    for _ in 0..random.below(24) {
        match random.below(10) {
            0..3 => text.push_str(random.one(&MARKED)),
            3..6 => {
                text.push_str(random.one(&WORDS));
                if random.below(2) == 0 {
                    text.push(' ');
                }
            }
            _ => {
                let (first, last) = RANGES[random.below(RANGES.len())];
                for _ in 0..random.below(6) {
                    let point = first + random.below((last - first + 1) as usize) as u32;
                    text.extend(char::from_u32(point));
                }
            }
        }
    }
    text
}

/// A vocabulary of short pieces over a few characters, with scores that often tie.
fn vocabulary(random: &mut Random) -> Vec<Value> {
    let special = ["<s>", "<pad>", "</s>", "<unk>"];
    let mut vocabulary: Vec<Value> = special.iter().map(|piece| json!([piece, 0.0])).collect();
    let characters = [
        "▁", "a", "b", "c", "é", "水", "👍", " ", "\u{301}", "1", "⁄", "2",
    ];
    let shift = [0.0, 0.0, 0.0, 20.0][random.below(4)];
    for _ in 0..random.below(120) {
        let length = 1 + random.below(4);
        let piece: String = (0..length).map(|_| random.one(&characters)).collect();
        let score = [-1.0, -2.0, -3.0, -1.1, -2.2, -4.4, -0.1, -13.7][random.below(8)];
        vocabulary.push(json!([piece, score + shift]));
    }
    if random.below(3) == 0 {
        for byte in 0..if random.below(2) == 0 { 256 } else { 200 } {
            vocabulary.push(json!([format!("<0x{byte:02X}>"), -9.0]));
        }
    }
    vocabulary
}

fn flag(random: &mut Random) -> bool {
    random.below(2) == 0
}

/// A tokenizer of stages drawn at random from those that can be compiled.
fn tokenizer(random: &mut Random, charsmap: &Value) -> Value {
    let steps = [
        charsmap.clone(),
        charsmap.clone(),
        json!({"type": "Replace", "pattern": {"Regex": " {2,}"}, "content": " "}),
        json!({"type": "Replace", "pattern": {"Regex": " {2,}"}, "content": "▁"}),
        json!({"type": "Replace", "pattern": {"Regex": "\\s+"}, "content": " "}),
        json!({"type": "Replace", "pattern": {"String": "ab"}, "content": ""}),
        json!({"type": "Replace", "pattern": {"String": "a"}, "content": "a b"}),
        json!({"type": "Strip", "strip_left": flag(random), "strip_right": flag(random)}),
    ];
    let count = random.below(4);
    let steps: Vec<Value> = (0..count)
        .map(|_| steps[random.below(steps.len())].clone())
        .collect();
    let normalizer = match steps.len() {
        0 => Value::Null,
        1 if flag(random) => steps[0].clone(),
        _ => json!({"type": "Sequence", "normalizers": steps}),
    };
    let white = json!({"type": "WhitespaceSplit"});
    let prepend = random.one(&["always", "first", "first", "never"]);
    let mark = random.one(&["▁", "▁", "_"]);
    let metaspace = json!({"type": "Metaspace", "replacement": mark, "prepend_scheme": prepend,
        "split": flag(random)});
    let pre_tokenizer = match random.below(6) {
        0 => Value::Null,
        1 => white,
        2 => metaspace,
        3 => json!({"type": "Sequence", "pretokenizers": [metaspace]}),
        _ => json!({"type": "Sequence", "pretokenizers": [white, metaspace]}),
    };
    let vocabulary = vocabulary(random);
    let contents = [
        "<s>", "</s>", "<mask>", "<S>", "a", "ab b", "ﬁ", "é", "<unk>", " x",
    ];
    let mut added = Vec::new();
    for content in contents {
        if random.below(3) == 0 {
            added.push(
                json!({"id": 0, "content": content, "single_word": false, "lstrip": flag(random),
                "rstrip": flag(random), "normalized": flag(random), "special": flag(random)}),
            );
        }
    }
    json!({"version": "1.0", "truncation": null, "padding": null, "added_tokens": added,
        "normalizer": normalizer, "pre_tokenizer": pre_tokenizer, "post_processor": null, "decoder": null,
        "model": {"type": "Unigram", "unk_id": 3, "byte_fallback": flag(random), "vocab": vocabulary}})
}

#[test]
fn random_tokenizers_agree_with_the_library() {
    let mut random = Random(1);
    let charsmap = charsmap();
    let (mut compared, mut panicked, mut refused) = (0, 0, 0);
    for number in 0..400 {
        let json = tokenizer(&mut random, &charsmap);
        let bytes = serde_json::to_vec(&json).unwrap();
        let reference = crate::tokenizer::Tokenizer::new(&bytes).unwrap();
        let Ok(compiled) = super::Compiled::unverified(&bytes, &reference) else {
            // An added token that is normalized to nothing.
            refused += 1;
            continue;
        };
        let compiled = compiled.tokenizer();
        let mut about = json.clone();
        about["model"]["vocab"] = Value::Null;
        let about = about.to_string();
        let about = format!(
            "tokenizer {number}, {}",
            &about[about.len().saturating_sub(900)..]
        );
        for _ in 0..60 {
            let text = text(&mut random);
            match same(&reference, &compiled, &text, &about) {
                true => compared += 1,
                false => panicked += 1,
            }
        }
    }
    assert!(
        compared > 20_000,
        "{compared} compared, {panicked} panicked, {refused} refused"
    );
}

#[test]
fn random_texts_agree_with_the_library() {
    let mut random = Random(2);
    for name in ["xlmr", "xlmr-markers"] {
        let (reference, compiled) = both(&golden(name));
        assert_eq!(compiled.vocabulary(), reference.vocabulary());
        for _ in 0..5_000 {
            let text = text(&mut random);
            assert!(same(&reference, &compiled, &text, name), "{text:?}");
        }
    }
}

//! Tokenizers that are not compiled, and texts that nobody writes.

use serde_json::{Value, json};

use super::{both, charsmap, compile, golden, same};
use crate::tokenizer::Tokenizer;
use crate::tokenizer::tests::SMALL;

fn small(change: impl FnOnce(&mut Value)) -> Vec<u8> {
    let mut json: Value = serde_json::from_str(SMALL).unwrap();
    change(&mut json);
    serde_json::to_vec(&json).unwrap()
}

#[test]
fn compiles_the_tokenizers_of_the_golden_tests() {
    for name in ["xlmr", "xlmr-markers"] {
        let compiled = compile(&golden(name)).unwrap();
        assert!(compiled.tokenizer().is_compiled());
    }
    let small = compile(SMALL.as_bytes()).unwrap().tokenizer();
    // As the library has it, in the tests of the tokenizer.
    assert_eq!(small.encode("a b ab a").unwrap(), [4, 5, 4, 8, 4]);
    assert!(small.encode("").unwrap().is_empty());
}

#[test]
fn says_what_cannot_be_compiled() {
    let refusal = |json: &[u8]| compile(json).unwrap_err();
    assert!(refusal(&golden("clip")).to_string().contains("BPE"));
    let replace =
        |regex: &str| json!({"type": "Replace", "pattern": {"Regex": regex}, "content": " "});
    let cases: [(&str, Vec<u8>); 8] = [
        (
            "unk_id",
            small(|json| json["model"]["unk_id"] = Value::Null),
        ),
        (
            "Lowercase",
            small(|json| json["normalizer"] = json!({"type": "Lowercase"})),
        ),
        (
            "NFKC",
            small(|json| json["normalizer"] = json!({"type": "NFKC"})),
        ),
        (
            "Replace of",
            small(|json| json["normalizer"] = replace("a*")),
        ),
        (
            "Digits",
            small(|json| {
                json["pre_tokenizer"] = json!({"type": "Digits", "individual_digits": true});
            }),
        ),
        (
            "not supported together",
            small(|json| {
                let metaspace = json["pre_tokenizer"].take();
                json["pre_tokenizer"] = json!({"type": "Sequence",
                "pretokenizers": [metaspace, {"type": "WhitespaceSplit"}]});
            }),
        ),
        (
            "single word",
            small(|json| json["added_tokens"][1]["single_word"] = json!(true)),
        ),
        (
            "zero byte",
            small(|json| {
                json["model"]["vocab"]
                    .as_array_mut()
                    .unwrap()
                    .push(json!(["a\u{0}", -1.0]));
            }),
        ),
    ];
    for (expected, json) in cases {
        let refusal = refusal(&json).to_string();
        assert!(
            refusal.contains(expected),
            "{expected:?} should be in {refusal}"
        );
    }
}

#[test]
fn a_difference_is_found_before_anything_is_written() {
    // Two tokenizers that differ in one score.
    let other = small(|json| json["model"]["vocab"][4][1] = json!(-9.0));
    let reference = Tokenizer::new(&other).unwrap();
    let compiled = both(SMALL.as_bytes()).1;
    let difference = super::super::verify::verify(&reference, &compiled, &[]);
    assert!(difference.unwrap_err().contains("expected the ids"));
}

#[test]
fn two_equal_pieces_are_the_last_one() {
    let json = small(|json| {
        json["model"]["vocab"]
            .as_array_mut()
            .unwrap()
            .push(json!(["a", -7.0]));
    });
    let (reference, compiled) = both(&json);
    assert!(same(&reference, &compiled, "aa ba", "equal pieces"));
    assert_eq!(compiled.encode("ba").unwrap(), [5, 9]);
}

#[test]
fn what_is_unknown_may_be_a_piece_together() {
    // With scores above 10, two unknown characters beat the piece that they are.
    let json = small(|json| {
        json["model"]["vocab"] = json!([
            ["<s>", 50.0],
            ["<pad>", 50.0],
            ["</s>", 50.0],
            ["<unk>", 50.0],
            ["▁", 50.0],
            ["xy", 50.5]
        ]);
    });
    let (reference, compiled) = both(&json);
    for text in ["xy", "xyz", "xyxy", "x", "a<unk>b", "<unk>"] {
        assert!(same(&reference, &compiled, text, "unknown"));
    }
    assert_eq!(compiled.encode("xy").unwrap(), [4, 5]);
}

#[test]
fn a_long_word_costs_what_its_length_says() {
    // A megabyte without a space, made of pieces that overlap everywhere: squared, it would take hours.
    let json = small(|json| {
        let vocabulary = json["model"]["vocab"].as_array_mut().unwrap();
        (2..40).for_each(|n| vocabulary.push(json!(["a".repeat(n), -1.5 - 0.01 * n as f64])));
        json["normalizer"] = charsmap();
    });
    let (reference, compiled) = both(&json);
    for unit in [
        "a",
        "ab",
        "水",
        "\u{301}",
        "a ",
        "▁",
        "ﷺ",
        "\r",
        "<s>",
        "<",
        "👩\u{200d}",
    ] {
        let text = unit.repeat((1 << 20) / unit.len());
        assert!(!compiled.encode(&text).unwrap().is_empty());
        let part = unit.repeat((1 << 12) / unit.len());
        assert!(same(&reference, &compiled, &part, "long"));
    }
}

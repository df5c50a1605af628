//! `sentencepiece.bpe.model` of XLM-R: a protocol buffer of pieces, scores and a map of characters.
//!
//! The file's ids are not XLM-R's: fairseq put `<s> <pad> </s> <unk>` in front of the pieces and `<mask>`
//! behind them, and dropped the file's own first three (`<unk> <s> </s>`). What is built here is what
//! `transformers` 5.17 builds of the same file (`XLMRobertaTokenizer`).

use serde_json::{Value, json};

/// The pieces of the file that fairseq replaced.
const REPLACED: usize = 3;

/// `model_type` of a unigram model, the only kind that XLM-R has.
const UNIGRAM: u64 = 1;

/// The tokenizer.json of a SentencePiece model.
pub(super) fn tokenizer(bytes: &[u8]) -> Result<Value, String> {
    let model = Model::parse(bytes)?;
    if model.kind != UNIGRAM {
        return Err(format!(
            "expected a unigram model (type {UNIGRAM}), got type {}",
            model.kind
        ));
    }
    if model.pieces.len() <= REPLACED {
        return Err(format!(
            "expected more than {REPLACED} pieces, got {}: not a SentencePiece model",
            model.pieces.len()
        ));
    }
    let special = ["<s>", "<pad>", "</s>", "<unk>"];
    let mut vocabulary: Vec<Value> = special.iter().map(|piece| json!([piece, 0.0])).collect();
    let mut added: Vec<Value> = special
        .iter()
        .enumerate()
        .map(|(id, token)| added_token(id, token, true))
        .collect();
    for piece in &model.pieces[REPLACED..] {
        if !piece.score.is_finite() {
            return Err(format!(
                "piece `{}`: expected a finite score, got {}",
                piece.text, piece.score
            ));
        }
        if piece.kind == Piece::USER_DEFINED {
            added.push(added_token(vocabulary.len(), &piece.text, false));
        }
        vocabulary.push(json!([piece.text, f64::from(piece.score)]));
    }
    added.push(added_token(vocabulary.len(), "<mask>", true));
    vocabulary.push(json!(["<mask>", 0.0]));
    let normalizer = match model.characters {
        [] => Value::Null,
        characters => json!({"type": "Precompiled", "precompiled_charsmap": base64(characters)}),
    };
    let metaspace =
        json!({"type": "Metaspace", "replacement": "▁", "prepend_scheme": "always", "split": true});
    let mark = |token: &str| json!({"SpecialToken": {"id": token, "type_id": 0}});
    let sequence = |id: &str| json!({"Sequence": {"id": id, "type_id": 0}});
    Ok(json!({
        "version": "1.0",
        "truncation": null,
        "padding": null,
        "added_tokens": added,
        "normalizer": normalizer,
        "pre_tokenizer": {"type": "Sequence", "pretokenizers": [{"type": "WhitespaceSplit"}, metaspace]},
        "post_processor": {
            "type": "TemplateProcessing",
            "single": [mark("<s>"), sequence("A"), mark("</s>")],
            "pair": [mark("<s>"), sequence("A"), mark("</s>"), mark("</s>"), sequence("B"), mark("</s>")],
            "special_tokens": {
                "<s>": {"id": "<s>", "ids": [0], "tokens": ["<s>"]},
                "</s>": {"id": "</s>", "ids": [2], "tokens": ["</s>"]},
            },
        },
        "decoder": metaspace,
        "model": {"type": "Unigram", "unk_id": 3, "vocab": vocabulary, "byte_fallback": false},
    }))
}

fn added_token(id: usize, content: &str, special: bool) -> Value {
    json!({
        "id": id, "content": content, "single_word": false, "lstrip": false, "rstrip": false,
        "normalized": false, "special": special,
    })
}

struct Piece {
    text: String,
    score: f32,
    kind: u64,
}

impl Piece {
    const NORMAL: u64 = 1;
    const USER_DEFINED: u64 = 4;
}

/// The fields of `ModelProto` that matter here.
struct Model<'a> {
    pieces: Vec<Piece>,
    kind: u64,
    /// The map from characters to their normal form, compiled.
    characters: &'a [u8],
}

impl<'a> Model<'a> {
    fn parse(bytes: &'a [u8]) -> Result<Self, String> {
        let mut model = Self {
            pieces: Vec::new(),
            kind: UNIGRAM,
            characters: &[],
        };
        for field in Message(bytes) {
            match field? {
                // repeated SentencePiece pieces = 1
                (1, Field::Bytes(piece)) => model.pieces.push(Self::piece(piece)?),
                // TrainerSpec trainer_spec = 2, whose model_type = 3
                (2, Field::Bytes(spec)) => {
                    for field in Message(spec) {
                        if let (3, Field::Number(kind)) = field? {
                            model.kind = kind;
                        }
                    }
                }
                // NormalizerSpec normalizer_spec = 3, whose precompiled_charsmap = 2
                (3, Field::Bytes(spec)) => {
                    for field in Message(spec) {
                        if let (2, Field::Bytes(characters)) = field? {
                            model.characters = characters;
                        }
                    }
                }
                _ => {}
            }
        }
        Ok(model)
    }

    /// string piece = 1, float score = 2, Type type = 3
    fn piece(bytes: &[u8]) -> Result<Piece, String> {
        let mut piece = Piece {
            text: String::new(),
            score: 0.0,
            kind: Piece::NORMAL,
        };
        for field in Message(bytes) {
            match field? {
                (1, Field::Bytes(text)) => {
                    let text = std::str::from_utf8(text)
                        .map_err(|_| "a piece that is not UTF-8".to_owned())?;
                    text.clone_into(&mut piece.text);
                }
                (2, Field::Four(bytes)) => piece.score = f32::from_le_bytes(bytes),
                (3, Field::Number(kind)) => piece.kind = kind,
                _ => {}
            }
        }
        Ok(piece)
    }
}

/// The fields of a message of protocol buffers, in their order.
struct Message<'a>(&'a [u8]);

enum Field<'a> {
    Number(u64),
    Four([u8; 4]),
    Eight,
    Bytes(&'a [u8]),
}

impl<'a> Iterator for Message<'a> {
    type Item = Result<(u64, Field<'a>), String>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.0.is_empty() {
            return None;
        }
        let field = self.field();
        if field.is_none() {
            self.0 = &[];
        }
        Some(field.ok_or_else(|| "not a SentencePiece model, or one that was cut short".to_owned()))
    }
}

impl<'a> Message<'a> {
    fn field(&mut self) -> Option<(u64, Field<'a>)> {
        let key = self.varint()?;
        let field = match key & 7 {
            0 => Field::Number(self.varint()?),
            1 => {
                self.take(8)?;
                Field::Eight
            }
            2 => {
                let len = usize::try_from(self.varint()?).ok()?;
                Field::Bytes(self.take(len)?)
            }
            5 => Field::Four(self.take(4)?.try_into().ok()?),
            _ => return None,
        };
        Some((key >> 3, field))
    }

    fn take(&mut self, len: usize) -> Option<&'a [u8]> {
        let (taken, rest) = self.0.split_at_checked(len)?;
        self.0 = rest;
        Some(taken)
    }

    fn varint(&mut self) -> Option<u64> {
        let mut number = 0_u64;
        for shift in (0..64).step_by(7) {
            let [byte] = *self.take(1)? else { return None };
            number |= u64::from(byte & 0x7f).checked_shl(shift)?;
            if byte & 0x80 == 0 {
                return Some(number);
            }
        }
        None
    }
}

/// RFC 4648, with padding: how a tokenizer.json holds bytes.
fn base64(bytes: &[u8]) -> String {
    const DIGITS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let mut text = String::with_capacity(bytes.len().div_ceil(3) * 4);
    for chunk in bytes.chunks(3) {
        let mut group = [0; 4];
        group[1..=chunk.len()].copy_from_slice(chunk);
        let group = u32::from_be_bytes(group);
        for digit in 0..4 {
            let at = (group >> (18 - 6 * digit)) & 63;
            text.push(if digit <= chunk.len() {
                char::from(DIGITS[at as usize])
            } else {
                '='
            });
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::path::Path;

    #[test]
    fn base64_as_in_the_rfc() {
        // RFC 4648, section 10.
        for (bytes, text) in [
            ("", ""),
            ("f", "Zg=="),
            ("fo", "Zm8="),
            ("foo", "Zm9v"),
            ("foob", "Zm9vYg=="),
            ("foobar", "Zm9vYmFy"),
        ] {
            assert_eq!(base64(bytes.as_bytes()), text);
        }
    }

    #[test]
    fn builds_what_transformers_builds() {
        let data = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data/sentencepiece");
        let model = std::fs::read(data.join("sentencepiece.bpe.model")).unwrap();
        let expected = std::fs::read(data.join("expected.json")).unwrap();
        let expected: Value = serde_json::from_slice(&expected).unwrap();
        let got = tokenizer(&model).unwrap();
        // Part by part, so that a difference is short.
        for (key, value) in expected.as_object().unwrap() {
            assert_eq!(&got[key], value, "{key}");
        }
    }

    #[test]
    fn a_model_cut_short_is_an_error_or_has_fewer_pieces() {
        let data = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data/sentencepiece");
        let model = std::fs::read(data.join("sentencepiece.bpe.model")).unwrap();
        let pieces = |bytes: &[u8]| {
            let read = tokenizer(bytes).ok()?;
            Some(read["model"]["vocab"].as_array().unwrap().len())
        };
        let whole = pieces(&model).unwrap();
        let (mut last, mut fewer) = (0, 0);
        for len in 0..model.len() {
            if let Some(pieces) = pieces(&model[..len]) {
                assert!((last..=whole).contains(&pieces), "{pieces} pieces at {len}");
                fewer += usize::from(pieces < whole);
                last = pieces;
            }
        }
        // The pieces come first: some cuts fall between two of them.
        assert!(fewer > 0);
    }

    #[test]
    fn refuses_what_is_no_sentencepiece_model() {
        for bytes in [
            &b""[..],
            b"{\"version\":1}",
            b"\x0a\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01",
            b"\x0a\x05ab",
        ] {
            assert!(tokenizer(bytes).is_err(), "{bytes:?}");
        }
    }
}

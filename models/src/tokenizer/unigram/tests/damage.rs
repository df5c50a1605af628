//! Damaged bytes: an error or ids that are in range, and never more.

use morelet_mapped::{Container, Kind, OpenOptions, Writer};

use super::super::{Compiled, Data, Head, Span, Unigram};
use super::{compile, with_everything};
use crate::error::ErrorKind;
use crate::tokenizer::Tokenizer;

const TEXTS: [&str; 5] = [
    "a b ab a",
    "abba \u{1}½ ﬁ <s> b",
    "  <mask>  xyz",
    "Ａ水 e\u{301} a▁b",
    "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa",
];

/// A small tokenizer with everything in it.
fn compiled() -> Compiled {
    compile(&with_everything()).unwrap()
}

/// Writes both sections and opens them.
fn open(path: &std::path::Path, head: &[u8], pieces: &[u8]) -> crate::Result<Tokenizer> {
    let mut writer = Writer::create(path, Kind::Weights)?;
    for (name, bytes, bulk) in [("unigram", head, false), ("pieces", pieces, true)] {
        let mut section = writer.section(name, 1, bulk)?;
        section.put(bytes)?;
        section.finish()?;
    }
    writer.finish()?;
    let container = Container::open(path, Kind::Weights, OpenOptions::default())?;
    let head = container.section("unigram", 1..=1)?;
    Tokenizer::mapped(&head, container.section("pieces", 1..=1)?)
}

#[test]
fn every_flipped_byte_of_the_pieces_is_harmless() {
    let compiled = compiled();
    let head = &compiled.head;
    let largest = head.raw.tokens.iter().chain(&head.normalized.tokens);
    let largest = largest.map(|token| token.id + 1).max().unwrap();
    let largest = largest.max(head.pieces);
    let intact = compiled.tokenizer();
    let intact: Vec<_> = TEXTS
        .iter()
        .map(|text| intact.encode(text).unwrap())
        .collect();
    let (mut errors, mut others) = (0, 0);
    for at in 0..compiled.pieces.len() {
        for flip in [0x01, 0x80, 0xff] {
            let mut bytes = compiled.pieces.to_vec();
            bytes[at] ^= flip;
            let unigram = Unigram {
                head: head.clone(),
                data: Data::Memory(bytes.into()),
            };
            for (text, intact) in TEXTS.iter().zip(&intact) {
                match unigram.encode(text) {
                    Ok(ids) => {
                        assert!(ids.iter().all(|&id| id < largest), "{at}: {ids:?}");
                        others += usize::from(ids != *intact);
                    }
                    Err(error) => {
                        assert_eq!(error.kind(), ErrorKind::Tokenizer);
                        errors += 1;
                    }
                }
            }
        }
    }
    assert!(
        errors > 100 && others > 100,
        "{errors} errors, {others} other ids"
    );
}

#[test]
fn a_head_that_was_changed_is_refused_or_harmless() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a.weights");
    let compiled = compiled();
    let (head, pieces) = (compiled.head().unwrap(), compiled.pieces());
    let tokenizer = open(&path, &head, pieces).unwrap();
    for text in TEXTS {
        assert_eq!(
            tokenizer.encode(text).unwrap(),
            compiled.tokenizer().encode(text).unwrap()
        );
    }
    let mut refused = 0;
    for at in 0..head.len() {
        for flip in [0x01, 0x10, 0xff] {
            let mut head = head.clone();
            head[at] ^= flip;
            match open(&path, &head, pieces) {
                // Whatever it says now, each look is checked.
                Ok(tokenizer) => TEXTS.iter().for_each(|text| drop(tokenizer.encode(text))),
                Err(error) => {
                    assert_eq!(error.kind(), ErrorKind::File, "{error}");
                    refused += 1;
                }
            }
        }
    }
    assert!(refused > 20, "{refused}");
    for cut in [0, 1, head.len() / 2, head.len() - 1] {
        assert!(open(&path, &head[..cut], pieces).is_err());
    }
}

#[test]
fn pieces_that_were_cut_short_are_refused_by_name() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a.weights");
    let compiled = compiled();
    let (head, pieces) = (compiled.head().unwrap(), compiled.pieces());
    for cut in [0, 64, pieces.len() / 2, pieces.len() - 1] {
        let error = open(&path, &head, &pieces[..cut]).unwrap_err().to_string();
        assert!(error.contains("section `pieces`"), "{error}");
    }
}

#[test]
fn refuses_a_head_that_contradicts_itself() {
    type Change = fn(&mut Head);
    let cases: [(&str, Change); 7] = [
        ("expected at most 4194304 pieces", |head| {
            head.pieces = u32::MAX
        }),
        ("unknown piece", |head| head.unk = head.pieces),
        ("scores of 8 bytes", |head| head.scores.len -= 1),
        ("pieces of at most", |head| head.longest = 1 << 16),
        ("inside the", |head| head.trie.len = u64::MAX),
        ("inside the", |head| head.raw.trie.offset = u64::MAX),
        ("inside the", |head| {
            head.normalized.trie = Span {
                offset: 1 << 40,
                len: 1,
            }
        }),
    ];
    let compiled = compiled();
    for (expected, change) in cases {
        let mut head = compiled.head.clone();
        change(&mut head);
        let message = head.check(compiled.pieces.len() as u64).unwrap_err();
        assert!(
            message.contains(expected),
            "{expected:?} should be in {message}"
        );
    }
}

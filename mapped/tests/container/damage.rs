//! Every way to cut a small file and every way to flip one of its bytes: never a panic, never a wrong answer.

use std::io::{Seek, SeekFrom, Write};

use morelet_mapped::{Container, ErrorKind, Kind, Load, OpenOptions, Verify, decode};

use crate::forge::{DATA, Forge, META, folder_with};

const FULL: OpenOptions = OpenOptions {
    load: Load::Map,
    verify: Verify::Full,
};

#[test]
fn a_file_cut_anywhere_is_refused() {
    let whole = Forge::small().bytes();
    let (_folder, path) = folder_with("x.weights", &whole);
    let file = std::fs::File::options().write(true).open(&path).unwrap();
    for len in (0..whole.len()).rev() {
        file.set_len(len as u64).unwrap();
        for options in [
            OpenOptions::default(),
            OpenOptions {
                load: Load::Copy,
                verify: Verify::Quick,
            },
        ] {
            let error = Container::open(&path, Kind::Weights, options).unwrap_err();
            let kind = if len == 0 {
                ErrorKind::NotThisFormat
            } else {
                ErrorKind::Truncated
            };
            assert_eq!(error.kind(), kind, "cut to {len}: {error}");
            let got = if len == 0 {
                "an empty file".to_owned()
            } else {
                len.to_string()
            };
            assert_eq!(error.got(), Some(&*got), "cut to {len}: {error}");
        }
    }
}

/// Flips each byte in three ways. Under full verification all of them are found; under quick verification only
/// those in the bulk section are not, and nothing outside of it ever reads differently.
#[test]
fn a_file_with_any_byte_flipped_is_refused() {
    let sound = Forge::small().bytes();
    let (_folder, path) = folder_with("x.weights", &sound);
    let mut file = std::fs::File::options().write(true).open(&path).unwrap();
    let mut set = |at: usize, byte: u8| {
        file.seek(SeekFrom::Start(at as u64)).unwrap();
        file.write_all(&[byte]).unwrap();
    };
    let bulk = 12288..sound.len();
    for (at, &byte) in sound.iter().enumerate() {
        for flip in [0x01, 0x80, 0xff] {
            set(at, byte ^ flip);
            let flipped = format!("byte {at} by {flip:#x}");
            let error = Container::open(&path, Kind::Weights, FULL).expect_err(&flipped);
            assert!(
                error.path().is_some() && error.offset().is_some(),
                "{flipped}: {error}"
            );
            let quick = Container::open(&path, Kind::Weights, OpenOptions::default());
            assert_eq!(quick.is_ok(), bulk.contains(&at), "{flipped}");
            if let Ok(container) = quick {
                assert_eq!(*container.section("meta", 1..=1).unwrap(), *META);
                assert_eq!(container.section("data", 2..=2).unwrap().len(), DATA.len());
                container.verify(&mut |_, _| {}).unwrap_err();
            }
        }
        set(at, byte);
    }
}

/// What a section holds can be damaged by somebody who repairs the hashes. Decoding must then stand alone.
#[test]
fn a_structure_cut_or_flipped_anywhere_decodes_or_is_an_error() {
    type Structure = (String, Vec<(u32, Vec<u64>)>, Option<Vec<String>>, bool);
    let value: Structure = (
        "tokenizer".to_owned(),
        vec![(7, vec![1, 300, 1 << 40]), (0, vec![])],
        Some(vec!["a".to_owned(), "é".to_owned()]),
        true,
    );
    let sound = morelet_mapped::encode(&value).unwrap();
    let mut variants: Vec<Vec<u8>> = (0..sound.len()).map(|len| sound[..len].to_vec()).collect();
    for at in 0..sound.len() {
        for replacement in 0..=255 {
            let mut bytes = sound.clone();
            bytes[at] = replacement;
            variants.push(bytes);
        }
        // A count of 2^63 in place of each byte.
        let mut bytes = sound.clone();
        bytes.splice(at..=at, [253, 0, 0, 0, 0, 0, 0, 0, 0x80]);
        variants.push(bytes);
    }
    for bytes in variants {
        let (_folder, container) = container_with(&bytes);
        match decode::<Structure>(&container.section("meta", 1..=1).unwrap()) {
            Ok(decoded) => assert_eq!(decoded == value, bytes == sound),
            Err(error) => {
                assert_eq!(error.kind(), ErrorKind::Corrupt);
                assert_eq!(error.section(), Some("meta"));
                assert!((8192..=8192 + bytes.len() as u64).contains(&error.offset().unwrap()));
            }
        }
    }
}

/// A count of ten million numbers in a section of a few bytes: bincode would ask for 80 MB before it looks.
#[test]
fn a_large_count_is_refused_before_memory_is_asked_for() {
    let (_folder, container) = container_with(&[252, 0x80, 0x96, 0x98, 0x00, 1, 2, 3]);
    let error = decode::<Vec<u64>>(&container.section("meta", 1..=1).unwrap()).unwrap_err();
    assert_eq!(
        (error.kind(), error.offset()),
        (ErrorKind::Corrupt, Some(8192))
    );
    assert_eq!(
        error.expected(),
        Some("a value that takes at most 256 bytes in memory")
    );
    assert_eq!(error.got(), Some("LimitExceeded"));
}

#[test]
fn the_smallest_encodings_of_the_largest_structures_are_within_the_limit() {
    for count in [0, 1, 2, 1000] {
        let value: Vec<(String, Vec<u8>)> = vec![Default::default(); count];
        let (_folder, container) = container_with(&morelet_mapped::encode(&value).unwrap());
        let decoded: Vec<(String, Vec<u8>)> =
            decode(&container.section("meta", 1..=1).unwrap()).unwrap();
        assert_eq!(decoded, value);
    }
}

#[test]
fn bytes_left_over_are_an_error() {
    let (_folder, container) = container_with(&[5, 6]);
    let error = decode::<u8>(&container.section("meta", 1..=1).unwrap()).unwrap_err();
    assert_eq!(
        (error.kind(), error.offset()),
        (ErrorKind::Corrupt, Some(8193))
    );
    assert_eq!(
        (error.expected(), error.got()),
        (Some("1 bytes"), Some("2"))
    );
}

/// A sound file whose first section is `content`.
fn container_with(content: &[u8]) -> (tempfile::TempDir, Container) {
    let mut forge = Forge::small();
    forge.entries.truncate(1);
    forge.entries[0].len = content.len() as u64;
    forge.entries[0].hash = morelet_mapped::Hash::of(content);
    forge.body = content.to_vec();
    let (folder, path) = folder_with("x.weights", &forge.bytes());
    let container = Container::open(&path, Kind::Weights, FULL).unwrap();
    (folder, container)
}

use std::path::Path;

use morelet_mapped::{Kind, OpenOptions, Writer};

use super::*;

mod copying;
mod damage;

fn write(path: &Path, values: &[Value]) {
    write_at(path, values, LEVEL);
}

fn write_at(path: &Path, values: &[Value], level: i32) {
    let mut writer = Writer::create(path, Kind::TextIndex).unwrap();
    let mut store = ValueWriter::begin_at(&mut writer, level).unwrap();
    for (number, value) in values.iter().enumerate() {
        let got = store
            .add(&mut writer, &value.id, &value.title, &value.text)
            .unwrap();
        assert_eq!(got as usize, number);
    }
    store.finish(&mut writer).unwrap();
    writer.finish().unwrap();
}

fn open(path: &Path, len: usize) -> Result<ValueStore> {
    let container = Container::open(path, Kind::TextIndex, OpenOptions::default())?;
    ValueStore::open(&container, len as u32)
}

fn value(number: usize, text: String) -> Value {
    Value {
        id: format!("{number}"),
        title: format!("Title {}", number % 7),
        text,
    }
}

#[test]
fn every_value_is_read_back_whatever_its_length() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("text.index");
    let mut values: Vec<Value> = (0..3000)
        .map(|n| value(n, format!("paragraph {n} ").repeat(n % 40)))
        .collect();
    values.push(value(3000, "long ".repeat(1 << 16)));
    values.push(value(3001, "é".into()));
    write(&path, &values);
    let store = open(&path, values.len()).unwrap();
    assert_eq!(store.len() as usize, values.len());
    assert!(store.block_count() > 20);
    for (number, value) in values.iter().enumerate() {
        assert_eq!(store.get(number as u32).unwrap(), *value);
    }
    assert_eq!(store.get(3002).unwrap_err().kind(), crate::ErrorKind::Input);
}

#[test]
fn an_empty_store_opens_and_holds_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("text.index");
    write(&path, &[]);
    assert!(open(&path, 0).unwrap().get(0).is_err());
    assert!(open(&path, 1).is_err());
}

#[test]
fn a_paragraph_of_fifty_megabytes_that_compresses_to_nothing_works() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("text.index");
    let values = [
        value(0, "before".into()),
        value(1, "a ".repeat(25 << 20)),
        value(2, "after".into()),
    ];
    write(&path, &values);
    let store = open(&path, 3).unwrap();
    for (number, value) in values.iter().enumerate() {
        assert!(store.get(number as u32).unwrap() == *value);
    }
}

/// A file with one block and a dictionary.
fn write_block(path: &Path, stored: Stored<'_>, dictionary: &[u8]) {
    let block = stored.bytes().unwrap();
    let mut writer = Writer::create(path, Kind::TextIndex).unwrap();
    let mut section = writer.section(VALUES, REVISION, true).unwrap();
    section.put(&block).unwrap();
    section.finish().unwrap();
    let mut section = writer.section(BLOCKS, REVISION, true).unwrap();
    for word in [0, 0, 0, block.len() as u32, 0, stored.records] {
        section.put(&word.to_le_bytes()).unwrap();
    }
    section.finish().unwrap();
    if !dictionary.is_empty() {
        let mut section = writer.section(DICTIONARY, REVISION, true).unwrap();
        section
            .put(&dictionaries::section([dictionary].into_iter()))
            .unwrap();
        section.finish().unwrap();
    }
    writer.finish().unwrap();
}

#[test]
fn a_block_that_claims_too_much_is_refused_before_memory_is_taken() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("text.index");
    let compressed = zstd::bulk::compress(&[1; 1 << 16], 3).unwrap();
    for (coding, records, plain_len, part) in [
        (Coding::Zstd, 1, u64::MAX, "claims"),
        (Coding::Zstd, 1, u64::from(u32::MAX), "claims"),
        (Coding::Zstd, 1 << 16, 1 << 16, "claims"),
        (Coding::Zstd, 1, 1 << 15, "decompressed"),
        (Coding::Zstd, 1, 1 << 17, "decompressed"),
        (Coding::Plain, 1, 1 << 17, "decompressed"),
        (Coding::Dictionary(0), 1, 1 << 16, "no dictionary 0"),
        (Coding::Dictionary(253), 1, 1 << 16, "no dictionary 253"),
    ] {
        let stored = Stored {
            coding,
            records,
            plain_len,
            body: &compressed,
        };
        write_block(&path, stored, &[]);
        let error = open(&path, records as usize).unwrap().get(0).unwrap_err();
        assert_eq!(error.section(), Some(VALUES), "{error}");
        assert_eq!(error.offset(), Some(8192), "{error}");
        assert!(error.to_string().contains(part), "{plain_len}: {error}");
    }
}

#[test]
fn a_long_value_is_compressed_by_itself() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("text.index");
    let long: String = paragraphs(60_000)
        .iter()
        .map(|value| &value.text[..])
        .collect();
    // More than a block may always be long.
    assert!(long.len() as u64 > 2 * PLAIN_CAP);
    let mut values = paragraphs(500);
    values.insert(200, value(3, long));
    write_at(&path, &values, 3);
    let store = open(&path, values.len()).unwrap();
    assert!(store.values.len() < values[200].text.len() / 2);
    for (number, value) in values.iter().enumerate() {
        assert!(store.get(number as u32).unwrap() == *value);
    }
    let block = store.block(store.find(200)).unwrap();
    assert_eq!((block.first, block.stored.records), (200, 1));
}

#[test]
fn records_that_are_not_made_as_they_should_be_are_errors() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("text.index");
    for (plain, right) in [
        (&[2, 1, b'i', b't', 1, b'x'][..], true),
        // The first record says that it has the id of the one before.
        (&[0, 1, b'x'], false),
        // Not UTF-8.
        (&[2, 1, b'i', 0xff, 1, b'x'], false),
        // Lengths beyond the block.
        (&[2, 1, b'i', b't', 2, b'x'], false),
        (&[2, 200, 200, 200, 200, 200, 200, 200, 200, 1, b'i'], false),
        (&[255; 12], false),
    ] {
        let stored = Stored {
            coding: Coding::Plain,
            records: 1,
            plain_len: plain.len() as u64,
            body: plain,
        };
        write_block(&path, stored, &[]);
        let got = open(&path, 1).unwrap().get(0);
        assert_eq!(got.is_ok(), right, "{plain:?}");
        if let Err(error) = got {
            assert_eq!(error.section(), Some(VALUES), "{error}");
        }
    }
}

/// Text with something to learn from it, the same every time.
fn paragraphs(count: usize) -> Vec<Value> {
    let words = [
        "the", "river", "of", "history", "flows", "in", "northern", "province", "century", "which",
        "was",
    ];
    let mut state = 1u32;
    let mut word = move || {
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        format!(
            "{}{} ",
            words[(state >> 20) as usize % words.len()],
            (state >> 16) % 97
        )
    };
    (0..count)
        .map(|number| value(number / 5, (0..60).map(|_| word()).collect()))
        .collect()
}

#[test]
fn values_are_read_back_with_the_dictionary_that_they_taught() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("text.index");
    // More than wait for a dictionary, so that the last ones are compressed as they come.
    let mut values = paragraphs(100_000);
    values.insert(3, value(3, "long ".repeat(1 << 20)));
    write(&path, &values);
    let container = Container::open(&path, Kind::TextIndex, OpenOptions::default()).unwrap();
    let dictionary = container.section(DICTIONARY, REVISION..=REVISION).unwrap();
    assert!(dictionary.len() > 100_000, "{}", dictionary.len());
    let store = ValueStore::open(&container, values.len() as u32).unwrap();
    for (number, value) in values.iter().enumerate().step_by(9) {
        assert!(store.get(number as u32).unwrap() == *value);
    }
    let bytes = std::fs::read(&path).unwrap();
    write(&path, &values);
    assert!(
        bytes == std::fs::read(&path).unwrap(),
        "the same values make the same bytes"
    );
}

#[test]
fn a_dictionary_that_zstd_refuses_is_an_error() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("text.index");
    // A dictionary's magic number, and nothing that a dictionary has.
    let dictionary = [0x37, 0xa4, 0x30, 0xec, 1, 0, 0, 0, 255, 255, 255, 255];
    let stored = Stored {
        coding: Coding::Dictionary(0),
        records: 1,
        plain_len: 100,
        body: &[0; 20],
    };
    write_block(&path, stored, &dictionary);
    let error = open(&path, 1).unwrap().get(0).unwrap_err();
    assert_eq!(error.section(), Some(DICTIONARY), "{error}");
}

#[test]
fn a_file_without_values_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("text.index");
    Writer::create(&path, Kind::TextIndex)
        .unwrap()
        .finish()
        .unwrap();
    let container = Container::open(&path, Kind::TextIndex, OpenOptions::default()).unwrap();
    assert!(ValueStore::open(&container, 7).is_err());
}

#[test]
fn every_level_is_read_back_and_higher_ones_are_not_longer() {
    let folder = tempfile::tempdir().unwrap();
    let values = paragraphs(3000);
    let mut lens = Vec::new();
    for level in [1, 6, 12, 19] {
        let path = folder.path().join("text.index");
        write_at(&path, &values, level);
        let store = open(&path, values.len()).unwrap();
        for (number, value) in values.iter().enumerate() {
            assert!(store.get(number as u32).unwrap() == *value);
        }
        lens.push(store.values.len());
    }
    assert!(lens.is_sorted_by(|a, b| a > b), "{lens:?}");
    let mut writer = Writer::create(folder.path().join("bad.index"), Kind::TextIndex).unwrap();
    for level in [0, -7, 20] {
        assert!(Learned::new(Vec::new(), level).is_err());
    }
    let mut store = ValueWriter::begin_at(&mut writer, 20).unwrap();
    store.add(&mut writer, "1", "T", "text").unwrap();
    assert!(store.finish(&mut writer).is_err());
}

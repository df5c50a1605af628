use std::path::Path;

use morelet_mapped::{Kind, OpenOptions, Writer};

use super::*;

fn write(path: &Path, values: &[Value]) {
    let mut writer = Writer::create(path, Kind::TextIndex).unwrap();
    let mut store = ValueWriter::begin(&mut writer).unwrap();
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

#[test]
fn a_block_that_claims_too_much_is_refused_before_memory_is_taken() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("text.index");
    let compressed = zstd::bulk::compress(&[0; 1 << 16], 3).unwrap();
    for (claimed, part) in [
        (u32::MAX, "claims"),
        (1 << 15, "decompressed"),
        (1 << 17, "decompressed"),
    ] {
        let mut writer = Writer::create(&path, Kind::TextIndex).unwrap();
        let mut section = writer.section(VALUES, REVISION, true).unwrap();
        section.put(&compressed).unwrap();
        section.finish().unwrap();
        let mut section = writer.section(BLOCKS, REVISION, true).unwrap();
        for word in [0, u64::from(claimed) << 32, compressed.len() as u64, 1] {
            section.put(&word.to_le_bytes()).unwrap();
        }
        section.finish().unwrap();
        writer.finish().unwrap();
        let error = open(&path, 1).unwrap().get(0).unwrap_err();
        assert!(error.to_string().contains(part), "{claimed}: {error}");
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
        .map(|number| value(number, (0..60).map(|_| word()).collect()))
        .collect()
}

#[test]
fn values_are_read_back_with_the_dictionary_that_they_taught() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("text.index");
    let mut values = paragraphs(25_000);
    values.insert(3, value(3, "long ".repeat(1 << 20)));
    write(&path, &values);
    let container = Container::open(&path, Kind::TextIndex, OpenOptions::default()).unwrap();
    assert!(
        container
            .optional(DICTIONARY, 1..=1)
            .unwrap()
            .unwrap()
            .len()
            > 10_000
    );
    let store = ValueStore::open(&container, values.len() as u32).unwrap();
    for (number, value) in values.iter().enumerate() {
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
    let mut writer = Writer::create(&path, Kind::TextIndex).unwrap();
    let store = ValueWriter::begin(&mut writer).unwrap();
    store.finish(&mut writer).unwrap();
    let mut section = writer.section(DICTIONARY, REVISION, false).unwrap();
    // A dictionary's magic number, and nothing that a dictionary has.
    section
        .put(&[0x37, 0xa4, 0x30, 0xec, 1, 0, 0, 0, 255, 255, 255, 255])
        .unwrap();
    section.finish().unwrap();
    writer.finish().unwrap();
    let error = open(&path, 0).unwrap_err();
    assert_eq!(error.section(), Some(DICTIONARY), "{error}");
}

//! Bits that flipped: every reading gives the value that was written, or an error that says where.

use super::*;

/// Numbers without a pattern, the same every time.
fn random(state: &mut u64) -> u64 {
    *state ^= *state << 13;
    *state ^= *state >> 7;
    *state ^= *state << 17;
    *state
}

#[test]
fn a_flipped_bit_in_any_section_is_an_error_or_changes_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("text.index");
    let mut values = paragraphs(1500);
    // What zstd cannot make shorter is stored as it is.
    let mut state = 88_172_645_463_325_252;
    let noise = |_| char::from_u32(0x4e00 + (random(&mut state) % 20_000) as u32);
    values.push(value(7, (0..9000).filter_map(noise).collect()));
    write(&path, &values);
    let whole = std::fs::read(&path).unwrap();
    let sections = Container::open(&path, Kind::TextIndex, OpenOptions::default())
        .unwrap()
        .sections()
        .to_vec();
    assert_eq!(sections.len(), 3);
    let damaged = folder.path().join("damaged.index");
    for section in sections {
        let (mut errors, mut tries) = (0, 0);
        // Every bit of the first bytes, and random ones of the others.
        let first = (0..section.len.min(40) * 8).map(|bit| section.offset * 8 + bit);
        let others = (0..80).map(|_| section.offset * 8 + random(&mut state) % (section.len * 8));
        for bit in first.chain(others.collect::<Vec<_>>()) {
            let mut bytes = whole.clone();
            bytes[(bit / 8) as usize] ^= 1 << (bit % 8);
            std::fs::write(&damaged, &bytes).unwrap();
            tries += 1;
            let store = match open(&damaged, values.len()) {
                Ok(store) => store,
                Err(error) => {
                    assert!(
                        error.section().is_some() && error.offset().is_some(),
                        "{error}"
                    );
                    errors += 1;
                    continue;
                }
            };
            let before = errors;
            // Some of every block, the last one alone in its own.
            for (number, value) in values.iter().enumerate().rev().step_by(7) {
                match store.get(number as u32) {
                    Ok(got) => assert!(got == *value, "bit {bit} of {} lies", section.name),
                    Err(error) => {
                        assert!(
                            error.section().is_some() && error.offset().is_some(),
                            "{error}"
                        );
                        errors = before + 1;
                    }
                }
            }
        }
        // No section has bits that nobody looks at.
        assert_eq!(errors, tries, "{}", section.name);
    }
}

#[test]
fn a_flipped_bit_is_not_copied() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("text.index");
    let values = paragraphs(500);
    write(&path, &values);
    let container = Container::open(&path, Kind::TextIndex, OpenOptions::default()).unwrap();
    let whole = std::fs::read(&path).unwrap();
    for section in container.sections() {
        let mut bytes = whole.clone();
        bytes[(section.offset + section.len / 2) as usize] ^= 4;
        let damaged = folder.path().join("damaged.index");
        std::fs::write(&damaged, &bytes).unwrap();
        let copied = open(&damaged, values.len()).and_then(|store| {
            let mut writer = Writer::create(folder.path().join("copy.index"), Kind::TextIndex)?;
            ValueWriter::begin(&mut writer)?.copy(&mut writer, &store, |_| true)
        });
        let error = copied.unwrap_err();
        assert!(error.offset().is_some(), "{error}");
    }
}

#[test]
fn a_table_whose_every_word_is_wrong_ends_in_errors() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("text.index");
    let values = paragraphs(600);
    write(&path, &values);
    let container = Container::open(&path, Kind::TextIndex, OpenOptions::default()).unwrap();
    let table = container
        .sections()
        .iter()
        .find(|section| section.name == BLOCKS)
        .unwrap()
        .clone();
    let whole = std::fs::read(&path).unwrap();
    let damaged = folder.path().join("damaged.index");
    let mut state = 3;
    for _ in 0..50 {
        let mut bytes = whole.clone();
        // The first and the last entry are looked at when the file is opened.
        let inner = table.offset as usize + 12..(table.offset + table.len) as usize - 12;
        for byte in &mut bytes[inner] {
            *byte = random(&mut state) as u8;
        }
        std::fs::write(&damaged, &bytes).unwrap();
        let store = open(&damaged, values.len()).unwrap();
        for number in 0..values.len() as u32 {
            let error = store.get(number).unwrap_err();
            assert!(error.section().is_some(), "{error}");
        }
    }
}

#[test]
fn a_block_that_somebody_made_with_a_right_checksum_is_an_error_or_some_value() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("text.index");
    let dictionary = "the river of history ".repeat(500).into_bytes();
    let learned = Learned::new(dictionary.clone(), LEVEL).unwrap();
    let (mut builder, mut blocks) = (BlockBuilder::default(), Vec::new());
    for value in paragraphs(30) {
        let (id, title, text) = (&value.id, &value.title, &value.text);
        builder.add(id, title, text, &mut blocks).unwrap();
    }
    let block = builder.close().unwrap();
    let good = Compressor::new(&learned).unwrap().compress(&block).unwrap();
    let good = Stored::read(&good).unwrap();
    let (mut errors, mut state) = (0, 5);
    for _ in 0..1000 {
        let mut body = good.body.to_vec();
        for _ in 0..=random(&mut state) % 3 {
            let place = random(&mut state) as usize % body.len();
            // More often than not among the first bytes, which say what the others are.
            let place = place % (1 << (random(&mut state) % 14));
            body[place] = random(&mut state) as u8;
        }
        let bad = Stored {
            body: &body,
            plain_len: match random(&mut state) % 4 {
                0 => random(&mut state) % 40_000,
                _ => good.plain_len,
            },
            ..good
        };
        write_block(&path, bad, &dictionary);
        let store = open(&path, 30).unwrap();
        for number in [0, 15, 29] {
            if let Err(error) = store.get(number) {
                assert_eq!(error.section(), Some(VALUES), "{error}");
                errors += 1;
            }
        }
    }
    assert!(errors > 1000, "{errors}");
}

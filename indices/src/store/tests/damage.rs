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
    let mut values = paragraphs(900);
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
        let others = (0..100).map(|_| section.offset * 8 + random(&mut state) % (section.len * 8));
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

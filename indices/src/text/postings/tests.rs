//! Lists at the borders of their layout, and damaged ones.

use std::io::{Seek, SeekFrom, Write};
use std::path::Path;

use morelet_mapped::{Container, Kind, OpenOptions, Writer};

use super::*;
use crate::spool::Spool;

const SENTENCES: u32 = 300_000;

type Postings = Vec<(u32, u32)>;

/// `df` postings of which the first `repeats` have more than one, a gap of `far` at every fifth.
fn list(df: u32, repeats: u32, far: u32) -> Postings {
    let tfs = [2, 3, 8, 9, 10, 255, 256, u32::MAX];
    let mut next = 0;
    (0..df)
        .map(|at| {
            let sentence = next + if at % 5 == 4 { far } else { at % 3 };
            next = sentence + 1;
            let tf = if at < repeats {
                tfs[at as usize % 8]
            } else {
                1
            };
            (sentence, tf)
        })
        .collect()
}

/// Lists on both sides of every border: bitmaps, one and two classes of gaps, repeats as pairs and in blocks.
fn lists() -> Vec<Postings> {
    let mut lists = Vec::new();
    for df in [1, 2, 127, 128, 129, 255, 256, 257, 700] {
        for repeats in [0, 1, 127, 128, 129, df] {
            for far in [0, 9, 400, 2000] {
                lists.push(list(df, repeats.min(df), far));
            }
        }
    }
    lists
}

fn write(path: &Path, lists: &[Postings]) {
    let lengths = vec![9; SENTENCES as usize];
    let mut writer = Writer::create(path, Kind::TextIndex).unwrap();
    let mut section = writer.section(POSTINGS, REVISION, true).unwrap();
    let spool = |name: &str| Spool::create(path.with_extension(name)).unwrap();
    let mut terms = TermsWriter::new(spool("terms"), spool("groups"));
    let mut list = ListWriter::new(&lengths);
    for postings in lists {
        for &(sentence, tf) in postings {
            list.add(sentence, tf, &mut section).unwrap();
        }
        list.end(&mut section, &mut terms).unwrap();
    }
    ListWriter::finish(&mut section).unwrap();
    section.finish().unwrap();
    terms.finish(&mut writer).unwrap();
    writer.finish().unwrap();
}

fn open(path: &Path) -> (Container, PostingsStore) {
    let container = Container::open(path, Kind::TextIndex, OpenOptions::default()).unwrap();
    let store = PostingsStore::open(&container, lists().len() as u32, SENTENCES).unwrap();
    (container, store)
}

#[test]
fn lists_of_every_size_are_read_back() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("postings");
    write(&path, &lists());
    let (_container, store) = open(&path);
    for (number, expected) in (0..).zip(lists()) {
        let list = store.list(number).unwrap();
        assert_eq!(list.df as usize, expected.len());
        let mut got = Vec::new();
        let take = |sentence, tf| {
            got.push((sentence, tf));
            Ok(())
        };
        list.for_each(take).unwrap();
        assert_eq!(got, expected);
        let mut before = None;
        for (sentence, tf) in expected {
            assert_eq!(list.tf(sentence).unwrap(), tf);
            if sentence > before.map_or(0, |before| before + 1) {
                assert_eq!(list.tf(sentence - 1).unwrap(), 0);
            }
            before = Some(sentence);
        }
    }
}

#[test]
fn damage_anywhere_gives_an_error_or_ascending_sentences() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("postings");
    // Some of each form.
    let some: Vec<Postings> = lists().into_iter().skip(3).step_by(7).collect();
    write(&path, &some);
    let check = || -> Result<()> {
        let container = Container::open(&path, Kind::TextIndex, OpenOptions::default())?;
        let store = PostingsStore::open(&container, some.len() as u32, SENTENCES)?;
        for number in 0..some.len() as u32 {
            let Ok(list) = store.list(number) else {
                continue;
            };
            let mut next = 0;
            let ended = list.for_each(|sentence, tf| {
                assert!(sentence >= next && sentence < SENTENCES && tf > 0);
                next = sentence + 1;
                Ok(())
            });
            let _ = (ended, list.tf(next / 2), list.tf(next), list.tf(SENTENCES));
        }
        Ok(())
    };
    check().unwrap();
    let container = Container::open(&path, Kind::TextIndex, OpenOptions::default()).unwrap();
    let mut places = Vec::new();
    for section in container.sections() {
        let bytes = container.section(&section.name, 0..=REVISION).unwrap();
        let bytes = bytes.iter().copied().enumerate();
        places.extend(bytes.map(|(at, byte)| (section.offset + at as u64, byte)));
    }
    drop(container);
    assert!(places.len() > 5000);
    let mut file = std::fs::OpenOptions::new().write(true).open(&path).unwrap();
    let mut put = |at: u64, byte: u8| {
        file.seek(SeekFrom::Start(at)).unwrap();
        file.write_all(&[byte]).unwrap();
    };
    for (at, byte) in places {
        for damaged in [0, 0xff, byte ^ 1 << (at % 8)] {
            put(at, damaged);
            let _ = check();
        }
        put(at, byte);
    }
    check().unwrap();
}

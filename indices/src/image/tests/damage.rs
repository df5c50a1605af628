//! Files that are damaged, and files that lie.

use morelet_mapped::{Kind, OpenOptions, Verify, Writer, encode};

use super::super::meta::{CENTRE, IDS, META, Meta, NODES, RERANK, REVISION, STARTS};
use super::*;
use crate::kernels::rows::OFFSET;
use crate::store::ValueWriter;

#[test]
fn a_damaged_file_gives_an_error_or_an_answer_and_never_a_panic() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("image.index");
    let mut features = clustered(120, 8, 6);
    features.extend_from_within(20..60);
    for vectors in [Vectors::F16, Vectors::I8] {
        build(&path, vectors, &features).unwrap();
        let whole = std::fs::read(&path).unwrap();
        let right = ImageIndex::open(&path, OpenOptions::default())
            .unwrap()
            .retrieve(&features[0], 10, true)
            .unwrap();
        let damaged = folder.path().join("damaged");
        let full = OpenOptions {
            verify: Verify::Full,
            ..OpenOptions::default()
        };
        let mut random = Random(9);
        for _ in 0..600 {
            let mut bytes = whole.clone();
            let at = (random.next() * bytes.len() as f32) as usize % bytes.len();
            bytes[at] ^= 1 << (random.next() * 8.0) as u32;
            std::fs::write(&damaged, &bytes).unwrap();
            // Without all hashes: whatever it says, it says it.
            if let Ok(index) = ImageIndex::open(&damaged, OpenOptions::default()) {
                let _ = index.retrieve(&features[0], 10, true);
                let _ = index.search_exact(&features[0], 10);
            }
            // With them: the truth or an error.
            if let Ok(index) = ImageIndex::open(&damaged, full) {
                assert_eq!(
                    index.retrieve(&features[0], 10, true).unwrap(),
                    right,
                    "byte {at}"
                );
            }
        }
        for len in (0..whole.len()).step_by(997) {
            std::fs::write(&damaged, &whole[..len]).unwrap();
            assert!(ImageIndex::open(&damaged, OpenOptions::default()).is_err());
        }
    }
}

/// An index of four nodes in two dimensions, around a circle, with these links. `change` may do what it likes to the
/// sections, which are then hashed as they are.
fn forge(path: &Path, links: [&[u32]; 4], change: impl Fn(&str, &mut Vec<u8>)) {
    let meta = Meta {
        clip_identity: "ab".into(),
        dim: 2,
        nodes: 4,
        pictures: 4,
        vectors: Vectors::I8,
        rerank: true,
        links: 8,
        entries: 1,
        recall: Vec::new(),
    };
    let layout = meta.layout();
    let mut writer = Writer::create(path, Kind::ImageIndex).unwrap();
    let mut values = ValueWriter::begin(&mut writer).unwrap();
    for id in ["a", "b", "c", "d"] {
        values.add(&mut writer, id, id, "").unwrap();
    }
    values.finish(&mut writer).unwrap();
    let corners = [[127i8, 0], [0, 127], [-127, 0], [0, -127]];
    let (mut nodes, mut record) = (Vec::new(), Vec::new());
    for (corner, links) in corners.iter().zip(links) {
        let mut row = vec![OFFSET; layout.row];
        for (byte, value) in row.iter_mut().zip(corner) {
            *byte = value.cast_unsigned() ^ OFFSET;
        }
        layout.write(&row, (1.0 / 127.0, 0.0), links, &mut record);
        nodes.extend_from_slice(&record);
    }
    let numbers = |numbers: &[u32]| {
        numbers
            .iter()
            .flat_map(|n| n.to_le_bytes())
            .collect::<Vec<u8>>()
    };
    let sections = [
        (NODES, nodes),
        (CENTRE, vec![0; 8]),
        (RERANK, vec![128; 4 * 64]),
        (IDS, numbers(&[0, 1, 2, 3])),
        (STARTS, numbers(&[0, 1, 2, 3, 4])),
        (META, encode(&meta).unwrap()),
    ];
    for (name, mut bytes) in sections {
        change(name, &mut bytes);
        let mut section = writer.section(name, REVISION, name != META).unwrap();
        section.put(&bytes).unwrap();
        section.finish().unwrap();
    }
    writer.finish().unwrap();
}

#[test]
fn links_in_circles_and_nodes_that_nobody_links_to_end_a_search() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("image.index");
    // To itself, twice to the same, and back; nobody links to the last.
    forge(&path, [&[0, 1, 1], &[0, 2, 1], &[1], &[0]], |_, _| {});
    let index = ImageIndex::open(
        &path,
        OpenOptions {
            verify: Verify::Full,
            ..OpenOptions::default()
        },
    )
    .unwrap();
    let ids = |hits: Vec<(ImageId, f32)>| {
        hits.into_iter()
            .map(|(image, _)| image.0)
            .collect::<Vec<_>>()
    };
    assert_eq!(ids(index.search(&[0.0, -1.0], 10, 10).unwrap()), [0, 2, 1]);
    assert_eq!(ids(index.search_exact(&[0.0, -1.0], 1).unwrap()), [3]);
}

#[test]
fn a_file_that_lies_is_refused_by_section() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("image.index");
    let links: [&[u32]; 4] = [&[1], &[2], &[3], &[0]];
    // What is wrong, in which section, and whether opening tells.
    type Change = fn(&mut Vec<u8>);
    let cases: [(&str, Change, bool); 8] = [
        // Links of two bits lead everywhere; nine of them are too many.
        (NODES, |bytes| bytes[72] = 9, false),
        (NODES, |bytes| bytes[72..76].fill(255), false),
        (NODES, |bytes| bytes.truncate(64), true),
        (CENTRE, |bytes| bytes.clear(), true),
        (RERANK, |bytes| bytes.push(0), true),
        (IDS, |bytes| bytes[0] = 4, false),
        (STARTS, |bytes| bytes[4] = 200, false),
        (STARTS, |bytes| bytes[0] = 3, false),
    ];
    for (section, change, at_open) in cases {
        forge(&path, links, |name, bytes| {
            if name == section {
                change(bytes);
            }
        });
        let error = match ImageIndex::open(&path, OpenOptions::default()) {
            Err(error) if at_open => error,
            Ok(index) if !at_open => index.search(&[1.0, 0.0], 4, 4).unwrap_err(),
            other => panic!("{section}: {other:?}"),
        };
        assert_eq!(error.section(), Some(section), "{error}");
        assert!(error.offset().is_some(), "{error}");
    }
}

/// What walks over the whole index believes it no more than a search does.
#[test]
fn pictures_of_two_nodes_or_of_none_are_refused() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("image.index");
    let links: [&[u32]; 4] = [&[1], &[2], &[3], &[0]];
    type Change = fn(&mut Vec<u8>);
    let cases: [(&str, Change); 4] = [
        (IDS, |bytes| bytes[0] = 4),
        (STARTS, |bytes| bytes[0] = 1),
        // Everybody has all of them.
        (STARTS, |bytes| {
            (4..20).step_by(8).for_each(|at| bytes[at] = 4)
        }),
        (STARTS, |bytes| bytes[16] = 3),
    ];
    for (place, (section, change)) in cases.into_iter().enumerate() {
        forge(&path, links, |name, bytes| {
            if name == section {
                change(bytes);
            }
        });
        let index = ImageIndex::open(&path, OpenOptions::default()).unwrap();
        let target = folder.path().join("new.index");
        let mut builder = ImageIndexBuilder::create(target, ImageOptions::new("ab", 2)).unwrap();
        let error = builder
            .add_index(&index, &mut |_| true, &mut |_, _| false)
            .unwrap_err();
        assert!(
            error.section().is_some_and(|name| name.starts_with("ids")),
            "{place}: {error}"
        );
        let filter = index.filter([ImageId(0)]);
        // That the last picture is of no node, a filter does not see.
        assert_eq!(filter.is_err(), place < 3, "{place}");
    }
}

#[test]
fn numbers_that_are_none_are_worse_than_all_others() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("image.index");
    let links: [&[u32]; 4] = [&[1, 2, 3], &[0], &[0], &[0]];
    // Scale and bias of the second node.
    for at in [128 + 64, 128 + 68] {
        forge(&path, links, |name, bytes| {
            if name == NODES {
                bytes[at..at + 4].fill(255);
            }
        });
        let index = ImageIndex::open(&path, OpenOptions::default()).unwrap();
        for hits in [
            index.search(&[0.0, 1.0], 4, 4),
            index.search_exact(&[0.0, 1.0], 4),
        ] {
            let hits = hits.unwrap();
            assert_eq!(hits.len(), 4, "{at}");
            assert!(hits.iter().all(|(_, score)| !score.is_nan()));
        }
    }
    // And a centre that is none makes all of them so.
    forge(&path, links, |name, bytes| {
        if name == CENTRE {
            bytes.fill(255);
        }
    });
    let index = ImageIndex::open(&path, OpenOptions::default()).unwrap();
    assert_eq!(index.search(&[0.0, 1.0], 4, 4).unwrap().len(), 4);
}

//! How indexes are built: the same each time, from parts, of awkward features.

use std::collections::VecDeque;

use morelet_mapped::OpenOptions;

use super::*;
use crate::ErrorKind;

#[test]
fn the_same_pictures_make_the_same_bytes() {
    let folder = tempfile::tempdir().unwrap();
    let features = clustered(500, 16, 3);
    let paths = ["a", "b"].map(|name| folder.path().join(name));
    for path in &paths {
        build(path, Vectors::I8, &features).unwrap();
    }
    let [a, b] = paths.map(|path| std::fs::read(path).unwrap());
    assert!(a == b);
}

/// Adds features to a builder, with ids from `first` on.
fn add(builder: &mut ImageIndexBuilder, first: usize, features: &[Vec<f32>]) {
    for (number, feature) in (first..).zip(features) {
        let entry = ImageEntry {
            id: &number.to_string(),
            title: "A picture",
            intro: "",
        };
        builder.add(entry, feature).unwrap();
    }
}

/// How many nodes can be reached from the entries.
fn reached(index: &ImageIndex) -> usize {
    let nodes = index.nodes();
    let mut seen: Vec<bool> = (0..nodes.len).map(|node| node < nodes.entries).collect();
    let mut waiting: VecDeque<u32> = (0..nodes.entries).collect();
    let mut links = Vec::new();
    while let Some(node) = waiting.pop_front() {
        links.clear();
        assert!(nodes.links(node, &mut links).is_ok());
        assert!(!links.contains(&node), "{node} links to itself");
        for &link in &links {
            if !std::mem::replace(&mut seen[link as usize], true) {
                waiting.push_back(link);
            }
        }
    }
    seen.iter().filter(|&&seen| seen).count()
}

/// Of queries that are pictures of the index, how many find themselves first.
fn find_themselves(index: &ImageIndex, features: &[Vec<f32>]) -> usize {
    let first = |(number, feature): &(usize, &Vec<f32>)| {
        let hits = index.search(feature, 1, 64).unwrap();
        hits[0].0 == ImageId(*number as u32) || hits[0].1 > 0.9999
    };
    features.iter().enumerate().filter(first).count()
}

#[test]
fn shards_give_one_graph_whatever_the_number_of_threads() {
    let folder = tempfile::tempdir().unwrap();
    let features = clustered(4000, 32, 1);
    let file = |threads: usize, shard_rows: u32| {
        let path = folder.path().join(format!("{threads}-{shard_rows}"));
        let options = ImageOptions {
            threads,
            ..ImageOptions::new("ab", 32)
        };
        let mut builder = ImageIndexBuilder::create(&path, options).unwrap();
        builder.shard_rows = shard_rows;
        add(&mut builder, 0, &features);
        builder.finish(&mut |_, _, _| false).unwrap();
        path
    };
    let read = |path: &Path| std::fs::read(path).unwrap();
    let one = file(1, 400);
    for threads in [2, 3, 7] {
        assert!(read(&one) == read(&file(threads, 400)), "{threads} threads");
    }
    let queries = clustered(100, 32, 2);
    let recall = |path: &Path| {
        let index = ImageIndex::open(path, OpenOptions::default()).unwrap();
        assert_eq!(reached(&index), 4000);
        assert!(find_themselves(&index, &features) >= 3995);
        let found = queries.iter().map(|query| {
            let truth = index.search_exact(query, 10).unwrap();
            let found = index.search(query, 10, 40).unwrap();
            found.iter().filter(|hit| truth.contains(hit)).count()
        });
        found.sum::<usize>()
    };
    // Of 1000. Ten shards find what one does.
    let (many, whole) = (recall(&one), recall(&file(2, 100_000)));
    assert!(
        many >= 970 && many + 15 >= whole,
        "{many} of shards, {whole} of one"
    );
}

#[test]
fn a_build_stops_when_it_is_told_to_and_leaves_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let features = clustered(1500, 16, 1);
    for stage in [
        "rounding features",
        "grouping",
        "building graphs",
        "refining",
        "writing",
        "measuring",
    ] {
        let path = folder.path().join("image.index");
        let mut builder = ImageIndexBuilder::create(&path, ImageOptions::new("ab", 16)).unwrap();
        add(&mut builder, 0, &features);
        let error = builder.finish(&mut |what, _, _| what == stage).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Stopped, "{stage}");
        assert_eq!(
            std::fs::read_dir(folder.path()).unwrap().count(),
            0,
            "{stage}"
        );
    }
}

#[test]
fn finished_indexes_become_one() {
    let folder = tempfile::tempdir().unwrap();
    let features = clustered(3000, 32, 1);
    let options = || ImageOptions::new("ab", 32);
    let at = |name: &str| folder.path().join(name);
    for vectors in [Vectors::I8, Vectors::F16, Vectors::F32] {
        // Equal parts, and a large one with a small: then the graph of the large one is gone on with.
        for cut in [1500, 2800] {
            let parts = [(0, &features[..cut]), (cut, &features[cut..])];
            for (place, (first, features)) in parts.into_iter().enumerate() {
                let options = ImageOptions {
                    vectors,
                    ..options()
                };
                let mut builder =
                    ImageIndexBuilder::create(at(&place.to_string()), options).unwrap();
                add(&mut builder, first, features);
                builder.finish(&mut |_, _, _| false).unwrap();
            }
            let mut builder = ImageIndexBuilder::create(
                at("both"),
                ImageOptions {
                    vectors,
                    ..options()
                },
            )
            .unwrap();
            for part in ["0", "1"] {
                let part = ImageIndex::open(at(part), OpenOptions::default()).unwrap();
                let keep = &mut |id: &str| id != "7";
                let mut told = Vec::new();
                let mut progress = |done, total| {
                    told.push((done, total));
                    false
                };
                builder.add_index(&part, keep, &mut progress).unwrap();
                let total = u64::from(part.nodes().len);
                assert!(told.is_sorted() && told.len() >= 2);
                assert_eq!((told[0], told.last()), ((0, total), Some(&(total, total))));
            }
            // And some that are new, of which one was left out above.
            add(&mut builder, 9000, &features[7..8]);
            builder.finish(&mut |_, _, _| false).unwrap();
            let both = ImageIndex::open(at("both"), OpenOptions::default()).unwrap();
            // What was rounded twice is still near what it was.
            let tolerance = if vectors == Vectors::F16 { 2e-3 } else { 1e-5 };
            for feature in features.iter().step_by(100) {
                let (_, score) = both.search_exact(feature, 1).unwrap()[0];
                assert!((score - 1.0).abs() < tolerance, "{vectors}: {score}");
            }
            assert_eq!(
                (both.len(), reached(&both)),
                (3000, 3000),
                "{vectors} {cut}"
            );
            let mut found = 0;
            for (number, feature) in features.iter().enumerate() {
                let hit = &both.retrieve(feature, 1, true).unwrap()[0];
                let expected = if number == 7 {
                    "9000".to_owned()
                } else {
                    number.to_string()
                };
                found += usize::from(hit.id == expected);
            }
            assert!(found >= 2990, "{vectors} {cut}: {found}");
        }
    }
    let other = ImageIndexBuilder::create(at("other"), ImageOptions::new("cd", 32));
    let part = ImageIndex::open(at("0"), OpenOptions::default()).unwrap();
    let error = other
        .unwrap()
        .add_index(&part, &mut |_| true, &mut |_, _| false)
        .unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Input);
    let stopped = ImageIndexBuilder::create(at("other"), options())
        .unwrap()
        .add_index(&part, &mut |_| true, &mut |_, _| true)
        .unwrap_err();
    assert_eq!(stopped.kind(), ErrorKind::Stopped);
    let mut left: Vec<_> = std::fs::read_dir(folder.path())
        .unwrap()
        .map(|entry| entry.unwrap().file_name())
        .collect();
    left.sort();
    assert_eq!(left, ["0", "1", "both"]);
}

/// Pictures that are nearly equal are nodes of their own, at distance 0 of each other once rounded.
#[test]
fn thousands_that_are_nearly_equal_hide_no_others() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("image.index");
    let others = clustered(700, 32, 1);
    let flag = clustered(1, 32, 11).remove(0);
    let mut random = Random(5);
    let mut features = others.clone();
    for _ in 0..2500 {
        features.push(flag.iter().map(|x| x + 1e-6 * random.next()).collect());
    }
    build(&path, Vectors::I8, &features).unwrap();
    let index = ImageIndex::open(&path, OpenOptions::default()).unwrap();
    assert_eq!(reached(&index), index.nodes().len as usize);
    assert!(find_themselves(&index, &others) >= 698);
    let hits = index.search(&flag, 10, 100).unwrap();
    assert!(hits.len() == 10 && hits.iter().all(|(_, score)| *score > 0.999_99));
}

/// All are equally far from each other: the heuristic has nothing to go by.
#[test]
fn features_that_are_all_equally_far_can_be_reached() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("image.index");
    let features: Vec<Vec<f32>> = (0..300)
        .map(|i| (0..300).map(|j| f32::from(u8::from(i == j))).collect())
        .collect();
    build(&path, Vectors::I8, &features).unwrap();
    let index = ImageIndex::open(&path, OpenOptions::default()).unwrap();
    assert_eq!(reached(&index), 300);
    assert_eq!(
        index.search(&features[17], 1, 300).unwrap()[0].0,
        ImageId(17)
    );
}

/// Few nodes have fewer links, unless they are asked for; and the nodes of an index that grows get more.
#[test]
fn how_many_links_a_node_has() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("image.index");
    let grown = folder.path().join("grown.index");
    let features = clustered(ImageOptions::FEW as usize, 16, 1);
    let (few, last) = features.split_at(features.len() - 1);
    let most = |path: &Path| {
        let index = ImageIndex::open(path, OpenOptions::default()).unwrap();
        index.nodes().layout.links
    };
    build(&path, Vectors::I8, few).unwrap();
    assert_eq!(most(&path), ImageOptions::FEW_LINKS);
    let index = ImageIndex::open(&path, OpenOptions::default()).unwrap();
    for (links, expected) in [(None, ImageOptions::DEFAULT_LINKS), (Some(12), 12)] {
        let options = ImageOptions {
            links,
            ..ImageOptions::new("ab".repeat(32), 16)
        };
        let mut builder = ImageIndexBuilder::create(&grown, options).unwrap();
        builder
            .add_index(&index, &mut |_| true, &mut |_, _| false)
            .unwrap();
        let entry = ImageEntry {
            id: "last",
            title: "",
            intro: "",
        };
        builder.add(entry, &last[0]).unwrap();
        builder.finish(&mut |_, _, _| false).unwrap();
        assert_eq!(most(&grown), expected);
        let index = ImageIndex::open(&grown, OpenOptions::default()).unwrap();
        assert_eq!(reached(&index), features.len());
        assert!(find_themselves(&index, &features) + 8 >= features.len());
    }
}

#[test]
fn refuses_options_that_no_index_can_have() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("image.index");
    let good = ImageOptions::new("ab", 8);
    for bad in [
        ImageOptions {
            dim: 0,
            ..good.clone()
        },
        ImageOptions {
            dim: 65_537,
            ..good.clone()
        },
        ImageOptions {
            links: Some(3),
            ..good.clone()
        },
        ImageOptions {
            links: Some(65),
            ..good.clone()
        },
        ImageOptions {
            ef_construction: 0,
            ..good.clone()
        },
    ] {
        let error = ImageIndexBuilder::create(&path, bad.clone()).err().unwrap();
        assert_eq!(error.kind(), ErrorKind::Input, "{bad:?}");
    }
    assert!(!path.exists());
}

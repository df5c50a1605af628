//! What searches find, against inner products in double precision.

use morelet_mapped::OpenOptions;

use super::super::marks::Marks;
use super::super::search::{Scratch, nearest};
use super::*;

#[test]
fn finds_the_nearest_neighbours_of_clustered_vectors() {
    let folder = tempfile::tempdir().unwrap();
    let features = clustered(3000, 64, 1);
    let queries = clustered(100, 64, 2);
    for (vectors, tolerance, exact_recall) in [(Vectors::F16, 1e-3, 970), (Vectors::I8, 1e-5, 1000)]
    {
        let path = folder.path().join("image.index");
        build(&path, vectors, &features).unwrap();
        let index = ImageIndex::open(&path, OpenOptions::default()).unwrap();
        assert_eq!(
            (index.len(), index.dim(), index.vectors()),
            (3000, 64, vectors)
        );
        assert_eq!(index.clip_identity(), "ab".repeat(32));
        let (mut found, mut exact_found) = (0, 0);
        for query in &queries {
            let truth = truth(&features, query);
            let best: Vec<u32> = truth[..10].iter().map(|&(_, i)| i).collect();
            let hits = index.search(query, 10, 100).unwrap();
            assert!(hits.windows(2).all(|pair| pair[0].1 >= pair[1].1));
            for &(image, score) in &hits {
                let (true_score, _) = truth.iter().find(|&&(_, i)| i == image.0).unwrap();
                assert!(
                    (f64::from(score) - true_score).abs() < tolerance,
                    "{vectors}: {score} for {true_score}"
                );
            }
            found += hits
                .iter()
                .filter(|(image, _)| best.contains(&image.0))
                .count();
            let exact = index.search_exact(query, 10).unwrap();
            exact_found += exact
                .iter()
                .filter(|(image, _)| best.contains(&image.0))
                .count();
        }
        // Of 1000. What the precision costs, the exact scan shows; what the graph costs, the difference.
        assert!(
            exact_found >= exact_recall,
            "{vectors}: exact recall {exact_found}"
        );
        assert!(found >= 950, "{vectors}: recall {found}");
    }
}

/// Of rows that are rounded, exact scores are as exact as single precision.
#[test]
fn exact_scores_are_those_of_what_the_index_holds() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("image.index");
    build(&path, Vectors::I8, &clustered(500, 70, 1)).unwrap();
    let index = ImageIndex::open(&path, OpenOptions::default()).unwrap();
    let (nodes, mut scratch) = (index.nodes(), Scratch::default());
    let rows = nodes.layout.rows(nodes.records);
    let integer = |byte: u8| f64::from(i32::from(byte) - 128);
    let numbers: Vec<u32> = (0..nodes.len).collect();
    for query in clustered(20, 70, 2) {
        scratch.query.set(&query, &nodes).unwrap();
        let scores = nodes.exact_scores(&scratch.query, &numbers, &mut scratch.products);
        let norm = query
            .iter()
            .map(|&x| f64::from(x).powi(2))
            .sum::<f64>()
            .sqrt();
        let pairs = query.iter().zip(nodes.centre);
        let difference: Vec<f64> = pairs
            .map(|(&x, &c)| f64::from(x) / norm - f64::from(c))
            .collect();
        let centre = nodes.centre.iter().map(|&c| f64::from(c));
        let offset: f64 = difference.iter().zip(centre).map(|(a, b)| a * b).sum();
        for (&node, &score) in numbers.iter().zip(scores) {
            let (scale, bias) = nodes.layout.scale(nodes.records, node);
            let left = &nodes.rerank[node as usize * nodes.layout.row..];
            let values = rows.row(node).iter().zip(left);
            let values = values.map(|(&row, &left)| integer(row) + integer(left) / 254.0);
            let product: f64 = difference.iter().zip(values).map(|(a, b)| a * b).sum();
            let expected = f64::from(scale) * product + f64::from(bias) + offset;
            assert!(
                (f64::from(score) - expected).abs() < 2.5e-7,
                "{score} for {expected}"
            );
        }
    }
}

#[test]
fn an_index_of_integers_alone_is_searched_by_them() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("image.index");
    let (features, queries) = (clustered(2000, 64, 1), clustered(50, 64, 2));
    let options = ImageOptions {
        rerank: false,
        ..ImageOptions::new("ab", 64)
    };
    let mut builder = ImageIndexBuilder::create(&path, options).unwrap();
    for (number, feature) in features.iter().enumerate() {
        let id = &number.to_string();
        let (title, intro) = ("", "");
        builder
            .add(ImageEntry { id, title, intro }, feature)
            .unwrap();
    }
    builder.finish(&mut |_, _, _| false).unwrap();
    let index = ImageIndex::open(&path, OpenOptions::default()).unwrap();
    assert!(!index.reranks());
    let mut found = 0;
    for query in &queries {
        let truth = truth(&features, query);
        let hits = index.search(query, 10, 100).unwrap();
        for &(image, score) in &hits {
            let (true_score, _) = truth.iter().find(|&&(_, i)| i == image.0).unwrap();
            assert!((f64::from(score) - true_score).abs() < 0.01);
            found += usize::from(truth[..10].iter().any(|&(_, i)| i == image.0));
        }
    }
    assert!((440..500).contains(&found), "{found} of 500");
}

#[test]
fn takes_few_pictures_and_many_equal_ones() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("image.index");
    let one = vec![0.3, -0.4, 0.5, 0.0, 0.0, 0.1, 0.2, 0.9];
    for n in [0, 1, 2, 3000] {
        build(&path, Vectors::F16, &vec![one.clone(); n]).unwrap();
        let index = ImageIndex::open(&path, OpenOptions::default()).unwrap();
        let hits = index.search(&one, 10, 100).unwrap();
        assert_eq!(hits.len(), n.min(10));
        assert!(hits.iter().all(|(_, score)| (score - 1.0).abs() < 1e-3));
        assert_eq!(index.search_exact(&one, 10).unwrap().len(), n.min(10));
    }
}

/// In a graph, thousands of equal nodes would link to nothing but each other.
#[test]
fn many_equal_pictures_hide_no_others() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("image.index");
    let mut features = clustered(700, 32, 1);
    let flags = clustered(3, 32, 11);
    for at in (0..2400).rev() {
        features.insert(at * 700 / 2400, flags[at % 3].clone());
    }
    for vectors in [Vectors::F16, Vectors::I8] {
        build(&path, vectors, &features).unwrap();
        let index = ImageIndex::open(&path, OpenOptions::default()).unwrap();
        assert_eq!(index.len(), 3100);
        for query in clustered(50, 32, 2).iter().chain(&flags) {
            let scores = |hits: Vec<(ImageId, f32)>| -> Vec<f32> {
                hits.into_iter().map(|(_, score)| score).collect()
            };
            let exact = index.search_exact(query, 10).unwrap();
            let found = index.search(query, 10, 100).unwrap();
            assert_eq!(scores(found), scores(exact));
        }
        // Of equal pictures, those that were added first.
        let found = index.search(&flags[0], 10, 100).unwrap();
        let first: Vec<u32> = (0..)
            .zip(&features)
            .filter(|(_, feature)| **feature == flags[0])
            .map(|(image, _)| image)
            .take(10)
            .collect();
        assert_eq!(
            found.iter().map(|(image, _)| image.0).collect::<Vec<_>>(),
            first
        );
        assert_eq!(index.search(&flags[0], 5000, 1).unwrap().len(), 3100);
    }
}

#[test]
fn returns_equal_values_once_unless_asked_for_keys() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("image.index");
    let features = clustered(40, 8, 4);
    build(&path, Vectors::F16, &features).unwrap();
    let index = ImageIndex::open(&path, OpenOptions::default()).unwrap();
    let keys = index.retrieve(&features[5], 40, true).unwrap();
    let joined = index.retrieve(&features[5], 40, false).unwrap();
    // Two pictures share each title.
    assert_eq!((keys.len(), joined.len()), (40, 20));
    assert_eq!((keys[0].rank, keys[0].key.as_str()), (1, "image-5"));
    assert_eq!(joined[0].value, "Thing 2 It is a thing.");
    assert_eq!(
        joined.iter().map(|hit| hit.rank).collect::<Vec<_>>(),
        (1..=20).collect::<Vec<_>>()
    );
}

#[test]
fn refuses_features_without_a_direction_or_of_another_length() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("image.index");
    for bad in [
        vec![0.0; 8],
        vec![f32::NAN; 8],
        vec![f32::INFINITY; 8],
        vec![1.0; 7],
        vec![],
    ] {
        let mut builder = ImageIndexBuilder::create(&path, ImageOptions::new("x", 8)).unwrap();
        let entry = ImageEntry {
            id: "a",
            title: "A",
            intro: "",
        };
        assert_eq!(
            builder.add(entry, &bad).unwrap_err().kind(),
            crate::ErrorKind::Input
        );
    }
    build(&path, Vectors::F16, &clustered(10, 8, 5)).unwrap();
    let index = ImageIndex::open(&path, OpenOptions::default()).unwrap();
    assert!(index.search(&[0.0; 8], 1, 10).is_err());
    assert!(index.search(&[1.0; 9], 1, 10).is_err());
}

/// A search that follows links finds nearly all of what comparing with each finds, and nothing else.
#[test]
fn a_filter_leaves_only_what_it_has() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("image.index");
    let mut features = clustered(6000, 48, 1);
    // Pictures that share a node: some of them are wanted.
    features.extend_from_within(100..160);
    build(&path, Vectors::I8, &features).unwrap();
    let index = ImageIndex::open(&path, OpenOptions::default()).unwrap();
    for (one_of, least) in [(1, 490), (2, 490), (40, 500), (7000, 500)] {
        let wanted: Vec<ImageId> = (0..index.len())
            .filter(|i| i % one_of == 0)
            .map(ImageId)
            .collect();
        let filter = index.filter(wanted.iter().copied()).unwrap();
        let k = wanted.len().min(10);
        let mut found = 0;
        for query in clustered(50, 48, 2) {
            let options = |exact| ImageSearchOptions {
                k: 10,
                ef: 64,
                exact,
                filter: Some(&filter),
            };
            let truth: Vec<u32> = truth(&features, &query)
                .into_iter()
                .map(|(_, i)| i)
                .filter(|i| i % one_of == 0)
                .take(k)
                .collect();
            let exact = index.search_with(&query, &options(true)).unwrap();
            let hits = index.search_with(&query, &options(false)).unwrap();
            assert!(hits.iter().all(|(image, _)| image.0 % one_of == 0));
            assert_eq!((exact.len(), hits.len()), (k, k), "one of {one_of}");
            let has = |image: &ImageId| truth.contains(&image.0);
            assert!(exact.iter().filter(|(image, _)| has(image)).count() + 1 >= k);
            found += hits.iter().filter(|(image, _)| has(image)).count();
        }
        assert!(found >= least.min(50 * k) - 5, "one of {one_of}: {found}");
    }
    let none = index.filter([ImageId(u32::MAX)]).unwrap();
    let options = ImageSearchOptions {
        filter: Some(&none),
        ..Default::default()
    };
    assert!(
        index
            .search_with(&features[0], &options)
            .unwrap()
            .is_empty()
    );
    build(&path, Vectors::I8, &features[..20]).unwrap();
    let other = ImageIndex::open(&path, OpenOptions::default()).unwrap();
    assert!(other.search_with(&features[0], &options).is_err());
}

/// Where nothing that is wanted lies around the query, following links finds none of it.
#[test]
fn a_filter_of_what_is_far_away_finds_it_all_the_same() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("image.index");
    let features = clustered(6000, 48, 1);
    build(&path, Vectors::I8, &features).unwrap();
    let index = ImageIndex::open(&path, OpenOptions::default()).unwrap();
    // There are 40 clusters. Queries are of one that is not wanted.
    let wanted = (0..6000).filter(|i| i % 40 < 16).map(ImageId);
    let filter = index.filter(wanted).unwrap();
    for query in features.iter().skip(20).step_by(40).take(30) {
        let options = |exact| ImageSearchOptions {
            k: 10,
            ef: 10,
            exact,
            filter: Some(&filter),
        };
        let exact = index.search_with(query, &options(true)).unwrap();
        assert_eq!(exact.len(), 10);
        assert_eq!(index.search_with(query, &options(false)).unwrap().len(), 10);
    }
}

#[test]
fn a_batch_answers_as_single_searches_do_from_any_number_of_threads() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("image.index");
    let features = clustered(2000, 32, 1);
    build(&path, Vectors::I8, &features).unwrap();
    let index = ImageIndex::open(&path, OpenOptions::default()).unwrap();
    let queries = clustered(90, 32, 2);
    let queries: Vec<&[f32]> = queries.iter().map(Vec::as_slice).collect();
    let options = ImageSearchOptions {
        ef: 40,
        ..Default::default()
    };
    let single: Vec<_> = queries
        .iter()
        .map(|query| index.search_with(query, &options).unwrap())
        .collect();
    for threads in [0, 1, 2, 8] {
        assert_eq!(
            index.search_batch(&queries, &options, threads).unwrap(),
            single
        );
    }
    assert!(index.search_batch(&[&[0.0; 32]], &options, 2).is_err());
    // A very large `ef` or `k` is as much as there is.
    let all = ImageSearchOptions {
        k: usize::MAX,
        ef: usize::MAX,
        ..Default::default()
    };
    assert_eq!(index.search_with(queries[0], &all).unwrap().len(), 2000);
}

/// Eight threads search while another reads the whole file to verify it.
#[test]
fn searches_go_on_while_the_file_is_verified() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("image.index");
    let features = clustered(3000, 64, 1);
    build(&path, Vectors::I8, &features).unwrap();
    let index = ImageIndex::open(&path, OpenOptions::default()).unwrap();
    let expected: Vec<_> = features[..200]
        .iter()
        .map(|f| index.search(f, 10, 50).unwrap())
        .collect();
    std::thread::scope(|scope| {
        for first in 0..8 {
            let (index, features, expected) = (&index, &features, &expected);
            scope.spawn(move || {
                for place in (first..200).chain(0..first) {
                    assert_eq!(
                        index.search(&features[place], 10, 50).unwrap(),
                        expected[place]
                    );
                }
            });
        }
        for _ in 0..3 {
            index.container().verify(&mut |_, _| {}).unwrap();
        }
    });
}

/// The recall that is stored was measured with pictures left out; searches for pictures that never were in find as much.
#[test]
fn the_measured_recall_holds_for_other_pictures() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("image.index");
    let features = clustered(8000, 64, 1);
    build(&path, Vectors::I8, &features).unwrap();
    let index = ImageIndex::open(&path, OpenOptions::default()).unwrap();
    assert!(index.recall().is_sorted_by(|a, b| a.ef < b.ef));
    let queries = clustered(200, 64, 2);
    for wanted in [0.9, 0.99] {
        let ef = index.ef_for(wanted).unwrap();
        let found: usize = queries
            .iter()
            .map(|query| {
                let best: Vec<u32> = truth(&features, query)[..10]
                    .iter()
                    .map(|&(_, i)| i)
                    .collect();
                let hits = index.search(query, 10, ef).unwrap();
                hits.iter()
                    .filter(|(image, _)| best.contains(&image.0))
                    .count()
            })
            .sum();
        let recall = found as f32 / 2000.0;
        assert!(recall > wanted - 0.02, "{recall} for {wanted} at ef {ef}");
    }
    assert_eq!(index.ef_for(1.1), None);
    // Too few to measure.
    build(&path, Vectors::I8, &features[..100]).unwrap();
    let few = ImageIndex::open(&path, OpenOptions::default()).unwrap();
    assert!(few.recall().is_empty() && few.ef_for(0.5).is_none());
}

/// What is left out is neither found nor passed through.
#[test]
fn nodes_that_are_left_out_are_not_found() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("image.index");
    let features = clustered(1000, 32, 1);
    build(&path, Vectors::F32, &features).unwrap();
    let index = ImageIndex::open(&path, OpenOptions::default()).unwrap();
    let (nodes, mut scratch) = (index.nodes(), Scratch::default());
    // Every third node, of which some are entries.
    let mut without = Marks::none(1000);
    for node in (0..1000).step_by(3) {
        without.mark(node);
    }
    for feature in &features[..50] {
        scratch.query.set(feature, &nodes).unwrap();
        assert!(nearest(&nodes, 100, Some(&without), &mut scratch).is_ok());
        let found = &scratch.beam.candidates;
        assert!(found.len() == 100 && found.iter().all(|candidate| candidate.node() % 3 != 0));
        // The next search has all of them again.
        assert!(nearest(&nodes, 100, None, &mut scratch).is_ok());
        assert!(
            scratch
                .beam
                .candidates
                .iter()
                .any(|candidate| candidate.node() % 3 == 0)
        );
    }
}

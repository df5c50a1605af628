//! Tests of the image index against an exact scan, and of damaged files.

use std::path::Path;

use morelet_mapped::{OpenOptions, Verify};

use super::*;
use crate::error::Result;

/// Numbers from 0 to 1: SplitMix64.
struct Random(u64);

impl Random {
    fn next(&mut self) -> f32 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        ((z ^ (z >> 31)) >> 40) as f32 / (1u64 << 24) as f32
    }

    fn vector(&mut self, dim: usize) -> Vec<f32> {
        (0..dim)
            .map(|_| (0..6).map(|_| self.next()).sum::<f32>() - 3.0)
            .collect()
    }
}

/// Vectors around centres, as features of pictures are.
fn clustered(n: usize, dim: usize, seed: u64) -> Vec<Vec<f32>> {
    let mut random = Random(seed);
    let mut centres_from = Random(7);
    let centres: Vec<_> = (0..40).map(|_| centres_from.vector(dim)).collect();
    (0..n)
        .map(|i| {
            let noise = random.vector(dim);
            centres[i % centres.len()]
                .iter()
                .zip(noise)
                .map(|(c, x)| c + 0.6 * x)
                .collect()
        })
        .collect()
}

fn build(path: &Path, vectors: Vectors, features: &[Vec<f32>]) -> Result<morelet_mapped::Hash> {
    let dim = features.first().map_or(8, Vec::len);
    let options = ImageOptions {
        vectors,
        ..ImageOptions::new("ab".repeat(32), dim)
    };
    let mut builder = ImageIndexBuilder::create(path, options)?;
    for (i, feature) in features.iter().enumerate() {
        let (id, title) = (format!("image-{i}"), format!("Thing {}", i / 2));
        builder.add(
            ImageEntry {
                id: &id,
                title: &title,
                intro: "It is a thing.",
            },
            feature,
        )?;
    }
    builder.finish(&mut |_, _, _| false)
}

/// The inner products of normalized vectors in f64, best first: what every answer is compared with.
fn truth(features: &[Vec<f32>], query: &[f32]) -> Vec<(f64, u32)> {
    let unit = |v: &[f32]| {
        let norm = v.iter().map(|&x| f64::from(x).powi(2)).sum::<f64>().sqrt();
        v.iter().map(|&x| f64::from(x) / norm).collect::<Vec<_>>()
    };
    let query = unit(query);
    let mut all: Vec<_> = (0..)
        .zip(features)
        .map(|(i, v)| {
            (
                unit(v).iter().zip(&query).map(|(a, b)| a * b).sum::<f64>(),
                i,
            )
        })
        .collect();
    all.sort_by(|a, b| b.0.total_cmp(&a.0));
    all
}

#[test]
fn finds_the_nearest_neighbours_of_clustered_vectors() {
    let folder = tempfile::tempdir().unwrap();
    let features = clustered(3000, 64, 1);
    let queries = clustered(100, 64, 2);
    for (vectors, tolerance) in [(Vectors::F16, 1e-3), (Vectors::I8, 1e-2)] {
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
        assert!(exact_found >= 970, "{vectors}: exact recall {exact_found}");
        assert!(found >= 950, "{vectors}: recall {found}");
    }
}

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

//! Tests of the image index.

mod building;
mod damage;
mod finding;

use std::path::Path;

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

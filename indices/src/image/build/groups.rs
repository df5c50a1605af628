//! Groups of rows that are alike, each around one of them, its medoid.

use rayon::prelude::*;

use super::rows::{GraphRows, RowQuery};
use super::work::Work;
use crate::error::Result;

/// There are as many groups as the square root of the number of rows, up to so many.
const MOST_GROUPS: u32 = 1024;
/// The medoids are moved so many times.
const ROUNDS: usize = 3;
/// For that, this many rows for each group are looked at.
const SAMPLE: u32 = 64;
/// What a thread takes at a time.
const PIECE: usize = 256;

/// Rows in groups.
pub(super) struct Groups {
    /// A row for each group.
    pub medoids: Vec<u32>,
    /// The group of each row.
    pub of: Vec<u32>,
}

impl Groups {
    /// Groups all rows.
    pub fn new(rows: &GraphRows, work: &mut Work<'_>) -> Result<Groups> {
        let len = rows.len();
        let count = len.isqrt().clamp(u32::from(len > 0), MOST_GROUPS);
        let spread =
            |index: u32, count: u32| (u64::from(index) * u64::from(len) / u64::from(count)) as u32;
        let mut medoids: Vec<u32> = (0..count).map(|group| spread(group, count)).collect();
        let sample = (count * SAMPLE).min(len);
        let sample: Vec<u32> = (0..sample).map(|index| spread(index, sample)).collect();
        let total = ROUNDS as u64 * sample.len() as u64 + u64::from(len);
        let of = work.run("grouping", total, |counter| {
            let nearest = |numbers: &[u32], medoids: &[u32]| -> Vec<u32> {
                let pieces = numbers.par_chunks(PIECE).map(|piece| {
                    if counter.add(piece.len() as u64) {
                        nearest(rows, piece, medoids)
                    } else {
                        vec![0; piece.len()]
                    }
                });
                pieces.flatten_iter().collect()
            };
            for _ in 0..ROUNDS {
                let of = nearest(&sample, &medoids);
                move_medoids(rows, &sample, &of, &mut medoids);
            }
            let all: Vec<u32> = (0..len).collect();
            nearest(&all, &medoids)
        })?;
        Ok(Groups { medoids, of }.without_empty())
    }

    /// How many rows each group has.
    pub fn sizes(&self) -> Vec<u32> {
        let mut sizes = vec![0; self.medoids.len()];
        for &group in &self.of {
            sizes[group as usize] += 1;
        }
        sizes
    }

    /// A medoid that is equal to another one has a group without rows.
    fn without_empty(mut self) -> Groups {
        let sizes = self.sizes();
        let mut next = 0;
        let renamed: Vec<u32> = sizes
            .iter()
            .map(|&size| {
                let name = next;
                next += u32::from(size > 0);
                name
            })
            .collect();
        let mut sizes = sizes.iter();
        self.medoids
            .retain(|_| sizes.next().is_some_and(|&size| size > 0));
        for group in &mut self.of {
            *group = renamed[*group as usize];
        }
        self
    }

    /// For each group the medoids of the groups nearest to it, its own first.
    pub fn neighbours(&self, rows: &GraphRows, count: usize) -> Vec<Vec<u32>> {
        let (mut query, mut distances) = (RowQuery::default(), Vec::new());
        let neighbours = self.medoids.iter().map(|&medoid| {
            query.set(medoid, rows);
            rows.distances(&mut query, &self.medoids, &mut distances);
            let mut near: Vec<(f32, u32)> = distances
                .iter()
                .copied()
                .zip(self.medoids.iter().copied())
                .collect();
            near.sort_unstable_by(|a, b| a.0.total_cmp(&b.0).then(a.1.cmp(&b.1)));
            near.iter().take(count).map(|&(_, medoid)| medoid).collect()
        });
        neighbours.collect()
    }

    /// The rows in shards of about `size`, each of groups that lie near each other.
    pub fn shards(&self, rows: &GraphRows, size: u32) -> Vec<Vec<u32>> {
        let count = rows.len().div_ceil(size).max(1);
        let size = rows.len().div_ceil(count);
        let sizes = self.sizes();
        let mut shard_of: Vec<Option<usize>> = vec![None; sizes.len()];
        let mut shards = 0;
        while let Some(first) = shard_of.iter().position(Option::is_none) {
            let mut left: Vec<(f32, usize)> = (0..sizes.len())
                .filter(|&group| shard_of[group].is_none())
                .map(|group| {
                    (
                        rows.distance(self.medoids[first], self.medoids[group]),
                        group,
                    )
                })
                .collect();
            left.sort_unstable_by(|a, b| a.0.total_cmp(&b.0).then(a.1.cmp(&b.1)));
            let mut taken = 0;
            for (_, group) in left {
                // The last shard takes what is left.
                if taken >= size && shards + 1 < count as usize {
                    break;
                }
                shard_of[group] = Some(shards);
                taken += sizes[group];
            }
            shards += 1;
        }
        let mut members = vec![Vec::new(); shards];
        for (row, &group) in (0..).zip(&self.of) {
            if let Some(shard) = shard_of[group as usize] {
                members[shard].push(row);
            }
        }
        members
    }
}

/// For each of some rows the place of the nearest medoid; among equals the first.
fn nearest(rows: &GraphRows, numbers: &[u32], medoids: &[u32]) -> Vec<u32> {
    let (mut query, mut distances) = (RowQuery::default(), Vec::new());
    let nearest = numbers.iter().map(|&row| {
        query.set(row, rows);
        rows.distances(&mut query, medoids, &mut distances);
        let mut best = (f32::INFINITY, 0);
        for (place, &distance) in (0..).zip(&distances) {
            if distance < best.0 {
                best = (distance, place);
            }
        }
        best.1
    });
    nearest.collect()
}

/// Makes the medoid of each group the row of it that is nearest to the mean of its rows.
fn move_medoids(rows: &GraphRows, sample: &[u32], of: &[u32], medoids: &mut [u32]) {
    let dim = rows.centre.len();
    let mut sums = vec![0f64; medoids.len() * dim];
    let mut counts = vec![0u32; medoids.len()];
    let values = |row: u32| {
        let scale = f64::from(rows.scale(row));
        rows.row(row)[..dim]
            .iter()
            .map(move |&byte| (f64::from(byte) - 128.0) * scale)
    };
    for (&row, &group) in sample.iter().zip(of) {
        counts[group as usize] += 1;
        let sums = &mut sums[group as usize * dim..][..dim];
        sums.iter_mut()
            .zip(values(row))
            .for_each(|(sum, value)| *sum += value);
    }
    let mut best = vec![f64::INFINITY; medoids.len()];
    for (&row, &group) in sample.iter().zip(of) {
        let group = group as usize;
        let (sums, count) = (&sums[group * dim..][..dim], f64::from(counts[group]));
        let distance: f64 = sums
            .iter()
            .zip(values(row))
            .map(|(sum, value)| (sum / count - value).powi(2))
            .sum();
        if distance < best[group] {
            best[group] = distance;
            medoids[group] = row;
        }
    }
}

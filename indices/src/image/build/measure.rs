//! What searches of a new index find.
//!
//! Some pictures are left out for the while: they are looked for, and neither found nor passed through. What is nearest to
//! them in truth, a scan of the features says.

use rayon::prelude::*;

use super::work::{Counter, Work};
use crate::error::{Error, Result};
use crate::image::marks::Marks;
use crate::image::nodes::Nodes;
use crate::image::recall::Recall;
use crate::image::search::{Scratch, nearest, rerank};
use crate::kernels::rows::{Rows, row_kernels};

/// How many pictures are looked for.
const QUERIES: u32 = 500;
/// And not more than one of so many.
const ONE_OF: u32 = 20;
/// With fewer nodes nothing is measured.
const LEAST_NODES: u32 = 400;
/// The neighbours that are counted: recall@10.
const K: usize = 10;
/// Searches that find this much are good enough: no larger `ef` is tried.
const ENOUGH: f32 = 0.9995;
/// Features are compared in pieces that stay in the cache, with so many queries.
const PIECE: u32 = 256;
const TOGETHER: usize = 16;

/// The candidates that are tried: four to an octave from 16 to 128, two from there to 1024.
fn efs() -> impl Iterator<Item = u32> {
    let quarters = (4..7).flat_map(|octave| (4..8).map(move |quarter| quarter << octave >> 2));
    let halves = (7..10).flat_map(|octave| (2..4).map(move |half| half << octave >> 1));
    [10, 12, 14]
        .into_iter()
        .chain(quarters)
        .chain(halves)
        .chain([1024])
}

/// Measures recalls. `features` are `[n, dim]`, in the order of the rows; `order` has the row of each node.
pub(super) fn measure(
    nodes: &Nodes<'_>,
    features: &[f32],
    order: &[u32],
    work: &mut Work<'_>,
) -> Result<Vec<Recall>> {
    let len = nodes.len;
    if len < LEAST_NODES {
        return Ok(Vec::new());
    }
    let dim = nodes.layout.dim;
    let count = QUERIES.min(len / ONE_OF);
    // Spread over the rows, whose order is that of the list and not that of the graph; half a step away from those that
    // the groups began with, which may be entries.
    let queries: Vec<u32> = (0..count)
        .map(|index| ((2 * u64::from(index) + 1) * u64::from(len) / (2 * u64::from(count))) as u32)
        .collect();
    let mut absent = vec![false; len as usize];
    for &row in &queries {
        absent[row as usize] = true;
    }
    let mut without = Marks::none(len);
    for (node, &row) in (0..).zip(order) {
        if absent[row as usize] {
            without.mark(node);
        }
    }
    let feature = |row: u32| &features[row as usize * dim..][..dim];
    let pieces = u64::from(len.div_ceil(PIECE));
    let total = pieces * queries.chunks(TOGETHER).len() as u64;
    let truths = work.run("measuring", total, |counter| {
        let truths = queries.par_chunks(TOGETHER).map(|queries| {
            let queries: Vec<&[f32]> = queries.iter().map(|&row| feature(row)).collect();
            truth(features, dim, &queries, &absent, counter)
        });
        truths.flatten_iter().collect::<Vec<[u32; K]>>()
    })?;
    let mut recalls = Vec::new();
    for ef in efs() {
        let found = work.run("measuring", 1, |_| {
            let asked = queries.par_iter().zip(&truths).map_init(
                Scratch::default,
                |scratch, (&row, truth)| {
                    scratch.query.set(feature(row), nodes)?;
                    nearest(nodes, ef as usize, Some(&without), scratch)
                        .map_err(|damage| Error::input(damage.message))?;
                    rerank(nodes, K, scratch);
                    let found = scratch.beam.candidates.iter().take(K);
                    let rows = found.map(|candidate| order[candidate.node() as usize]);
                    Ok(rows.filter(|row| truth.contains(row)).count() as u64)
                },
            );
            asked.sum::<Result<u64>>()
        })??;
        let recall = (found as f64 / (K as f64 * f64::from(count))) as f32;
        recalls.push(Recall { ef, recall });
        if recall >= ENOUGH {
            break;
        }
    }
    Ok(recalls)
}

/// For each query the rows that are nearest to it, of those that are not absent.
fn truth(
    features: &[f32],
    dim: usize,
    queries: &[&[f32]],
    absent: &[bool],
    counter: &Counter,
) -> Vec<[u32; K]> {
    let mut best = vec![[(f32::NEG_INFINITY, 0); K]; queries.len()];
    let (mut numbers, mut products, mut bytes) = (Vec::new(), Vec::new(), Vec::new());
    let mut from = 0;
    while (from as usize) < absent.len() && counter.add(1) {
        let to = (absent.len() as u32).min(from + PIECE);
        bytes.clear();
        let floats = &features[from as usize * dim..to as usize * dim];
        bytes.extend(floats.iter().flat_map(|value| value.to_le_bytes()));
        numbers.clear();
        numbers.extend(
            (from..to)
                .filter(|&row| !absent[row as usize])
                .map(|row| row - from),
        );
        products.resize(numbers.len(), 0.0);
        let rows = Rows {
            bytes: &bytes,
            stride: 4 * dim,
            len: 4 * dim,
        };
        for (query, best) in queries.iter().zip(&mut best) {
            (row_kernels().floats)(&rows, &numbers, query, &mut products);
            for (&product, &number) in products.iter().zip(&numbers) {
                if product > best[K - 1].0 {
                    let place = best.partition_point(|&(other, _)| other >= product);
                    best[place..].rotate_right(1);
                    best[place] = (product, from + number);
                }
            }
        }
        from = to;
    }
    best.iter().map(|best| best.map(|(_, row)| row)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn efs_grow_by_quarters_and_halves_of_octaves() {
        let efs: Vec<u32> = efs().collect();
        assert_eq!(efs[..9], [10, 12, 14, 16, 20, 24, 28, 32, 40]);
        assert_eq!(efs[14..], [112, 128, 192, 256, 384, 512, 768, 1024]);
    }
}

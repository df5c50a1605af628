//! The graphs of shards, made by `instant-distance`.

use instant_distance::{Builder, Heuristic, Point};
use rayon::prelude::*;

use super::links::Links;
use super::relay::relay;
use super::rows::GraphRows;
use super::work::Work;
use crate::error::{Error, Result};

/// The seed of the layers that nodes are put into: the same pictures make the same file.
const SEED: u64 = 0x4d6f_5265;

/// A row as `instant-distance` sees it: a number, and where the rows are. It copies all of its points once, so a
/// point must not hold a row.
#[derive(Clone)]
pub(super) struct Handle<'a> {
    row: u32,
    rows: &'a GraphRows,
}

impl Point for Handle<'_> {
    fn distance(&self, other: &Self) -> f32 {
        self.rows.distance(self.row, other.row)
    }
}

impl serde::Serialize for Handle<'_> {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_unit()
    }
}

/// Makes a graph of each shard, and puts its links into `links`. Several shards are worked on at a time.
pub(super) fn build(
    rows: &GraphRows,
    shards: &[Vec<u32>],
    ef_construction: usize,
    links: &mut Links,
    work: &mut Work<'_>,
) -> Result<()> {
    let total = shards.iter().map(|shard| shard.len() as u64).sum();
    let most = links.most();
    let built = work.run("building graphs", total, |counter| {
        let graphs = shards.par_iter().with_max_len(1).map(|shard| {
            // Whether to stop is asked between shards.
            if !counter.add(0) {
                return Err(Error::stopped());
            }
            let graph = build_shard(rows, shard, ef_construction, most)?;
            counter.add(shard.len() as u64);
            Ok(graph)
        });
        graphs.collect::<Result<Vec<Links>>>()
    })??;
    for (shard, graph) in shards.iter().zip(&built) {
        for (place, &row) in (0..).zip(shard) {
            links.set(
                row,
                graph.of(place).iter().map(|&link| shard[link as usize]),
            );
        }
    }
    Ok(())
}

/// The graph of some rows, by their places in `shard`.
fn build_shard(
    rows: &GraphRows,
    shard: &[u32],
    ef_construction: usize,
    most: usize,
) -> Result<Links> {
    let handles: Vec<Handle<'_>> = shard.iter().map(|&row| Handle { row, rows }).collect();
    // `extend_candidates` would wait for a lock that its own thread holds. With `keep_pruned`, every node has all links that
    // it may have, and every insertion chooses anew for all of them: nine tenths of the time, for links that the heuristic
    // did not want.
    let heuristic = Heuristic {
        extend_candidates: false,
        keep_pruned: false,
    };
    let builder = Builder::default()
        .seed(SEED)
        .ef_construction(ef_construction)
        .select_heuristic(Some(heuristic));
    // The crate inserts in parallel where it finds threads, and loses links to races.
    let alone = rayon::ThreadPoolBuilder::new().num_threads(1).build();
    let alone = alone.map_err(|error| {
        Error::input(format_args!("no threads to build the graph with: {error}"))
    })?;
    let (hnsw, nodes) = alone.install(|| builder.build_hnsw(handles));
    let mut places = vec![0; shard.len()];
    for (place, node) in (0..).zip(nodes) {
        places[node.into_inner() as usize] = place;
    }
    let mut links = Links::new(shard.len() as u32, most);
    relay(&hnsw, shard.len() as u32, &mut |node, neighbours| {
        let neighbours = neighbours
            .iter()
            .filter_map(|&node| places.get(node as usize));
        links.set(places[node as usize], neighbours.copied());
    })?;
    Ok(links)
}

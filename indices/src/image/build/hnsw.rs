//! The graphs of shards, made by `instant-distance`.

use std::sync::{Mutex, PoisonError};

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
    // Every shard has rows of its own, so it does not matter which is done first.
    let links = Mutex::new(links);
    work.run("building graphs", total, |counter| {
        shards.par_iter().with_max_len(1).try_for_each(|shard| {
            // Whether to stop is asked between shards.
            if !counter.add(0) {
                return Err(Error::stopped());
            }
            let graph = build_shard(rows, shard, ef_construction, most)?;
            let mut links = links.lock().unwrap_or_else(PoisonError::into_inner);
            for (place, &row) in (0..).zip(shard) {
                let linked = graph.of(place).iter();
                links.set(row, linked.map(|&link| shard[link as usize]));
            }
            counter.add(shard.len() as u64);
            Ok(())
        })
    })?
}

/// The graph of some rows, by their places in `shard`.
fn build_shard(
    rows: &GraphRows,
    shard: &[u32],
    ef_construction: usize,
    most: usize,
) -> Result<Links> {
    let handles: Vec<Handle<'_>> = shard.iter().map(|&row| Handle { row, rows }).collect();
    // `extend_candidates` would wait for a lock that its own thread holds. With `keep_pruned`, every node has all links
    // that it may have, and every insertion chooses anew for all of them, for links that the heuristic did not want.
    let heuristic = Heuristic {
        extend_candidates: false,
        keep_pruned: false,
    };
    let builder = Builder::default()
        .seed(SEED)
        .ef_construction(ef_construction)
        .select_heuristic(Some(heuristic));
    let (hnsw, nodes) = alone(|| builder.build_hnsw(handles))?;
    let mut places = vec![0; shard.len()];
    for (place, node) in (0..).zip(nodes) {
        places[node.into_inner() as usize] = place;
    }
    let mut links = Links::new(shard.len() as u32, most)?;
    relay(&hnsw, shard.len() as u32, &mut |node, neighbours| {
        let neighbours = neighbours
            .iter()
            .filter_map(|&node| places.get(node as usize));
        links.set(places[node as usize], neighbours.copied());
    })?;
    Ok(links)
}

/// What `act` gives in a pool of one thread. (The crate inserts in parallel where it finds threads, and loses links to races.)
///
/// The calling thread really waits: one of a pool that called into another pool would begin the next shard meanwhile, and
/// the one after that in it, until all of them were in memory at once.
fn alone<T: Send>(act: impl FnOnce() -> T + Send) -> Result<T> {
    let fail = |error: &dyn std::fmt::Display| {
        Error::input(format_args!("no thread to build a graph with: {error}"))
    };
    let pool = rayon::ThreadPoolBuilder::new().num_threads(1).build();
    let pool = pool.map_err(|error| fail(&error))?;
    std::thread::scope(|scope| {
        let waiting = std::thread::Builder::new().spawn_scoped(scope, || pool.install(act));
        match waiting.map_err(|error| fail(&error))?.join() {
            Ok(result) => Ok(result),
            Err(panic) => std::panic::resume_unwind(panic),
        }
    })
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};

    use super::*;

    #[test]
    fn as_many_are_worked_on_at_a_time_as_there_are_threads() {
        let (now, most) = (AtomicUsize::new(0), AtomicUsize::new(0));
        let pool = rayon::ThreadPoolBuilder::new()
            .num_threads(2)
            .build()
            .unwrap();
        pool.install(|| {
            (0..20).into_par_iter().with_max_len(1).for_each(|_| {
                most.fetch_max(now.fetch_add(1, Ordering::SeqCst) + 1, Ordering::SeqCst);
                let threads = alone(|| {
                    std::thread::sleep(std::time::Duration::from_millis(2));
                    rayon::current_num_threads()
                });
                assert_eq!(threads.unwrap(), 1);
                now.fetch_sub(1, Ordering::SeqCst);
            });
        });
        assert!(most.into_inner() <= 2);
    }
}

//! Better neighbours for every node.

use std::convert::Infallible;

use rayon::prelude::*;

use super::groups::Groups;
use super::links::Links;
use super::rows::{GraphRows, RowQuery};
use super::work::{Counter, Work};
use crate::error::Result;
use crate::image::beam::{Beam, Graph};
use crate::image::candidate::{Candidate, sort};

/// A node looks for its neighbours from the medoids of so many groups, and from its links. They must be many: from what is
/// linked in its shard nothing leads to neighbours in others. (Of 500,000 features in 31 shards, searches with ef 200 found .981 with 4
/// beginnings and two passes, .989 with 16, and .997 with 32 and three.)
const BEGINNINGS: usize = 32;
/// What a thread takes at a time.
const PIECE: usize = 256;

/// A graph in the making, with one of its rows as the query.
struct Asked<'a> {
    rows: &'a GraphRows,
    links: &'a Links,
    query: RowQuery,
    scores: Vec<f32>,
}

impl<'a> Asked<'a> {
    fn new(rows: &'a GraphRows, links: &'a Links) -> Asked<'a> {
        Asked {
            rows,
            links,
            query: RowQuery::default(),
            scores: Vec::new(),
        }
    }

    /// Compares some nodes with the query.
    fn compare(&mut self, nodes: &[u32], found: &mut Vec<Candidate>) {
        let scores = self.scores(nodes).iter().zip(nodes);
        found.extend(scores.map(|(&score, &node)| Candidate::new(score, node)));
    }
}

impl Graph for Asked<'_> {
    type Error = Infallible;

    #[inline]
    fn links(&self, node: u32, links: &mut Vec<u32>) -> Result<(), Infallible> {
        links.extend_from_slice(self.links.of(node));
        Ok(())
    }

    #[inline]
    fn scores(&mut self, nodes: &[u32]) -> &[f32] {
        self.rows
            .distances(&mut self.query, nodes, &mut self.scores);
        self.scores
            .iter_mut()
            .for_each(|distance| *distance = -*distance);
        &self.scores
    }
}

/// One pass: gives the graph in which every node that `searching` names (or, without it, every node) has looked for its `ef`
/// nearest and chosen among them and its links, and in which every node that was chosen has chosen again.
pub(super) fn refine(
    rows: &GraphRows,
    links: Links,
    groups: &Groups,
    ef: usize,
    searching: Option<&[bool]>,
    work: &mut Work<'_>,
) -> Result<Links> {
    let near = groups.neighbours(rows, BEGINNINGS);
    let beginnings = |node: u32| near[groups.of[node as usize] as usize].as_slice();
    let searches = |node: u32| searching.is_none_or(|searching| searching[node as usize]);
    let mut chosen = Links::new(links.len(), links.most())?;
    let total = u64::from(links.len());
    work.run("refining", 2 * total, |counter| {
        let before = &links;
        let pieces = chosen.pieces(PIECE);
        pieces.into_par_iter().for_each_init(
            || (Beam::default(), Asked::new(rows, before)),
            |(beam, asked), mut piece| {
                let (mut found, mut kept) = (Vec::new(), Vec::new());
                if !counter.add(piece.len()) {
                    return;
                }
                for (node, mut slot) in piece.slots() {
                    if !searches(node) {
                        slot.set(before.of(node).iter().copied());
                        continue;
                    }
                    look(node, beginnings(node), ef, beam, asked, &mut found);
                    choose(rows, &found, before.most(), &mut kept);
                    // Some more than the heuristic wants: they help to find the last few of the nearest.
                    fill(&found, before.most() * 3 / 5, &mut kept);
                    slot.set(kept.iter().copied());
                }
            },
        );
        drop(links);
        if counter.add(0) {
            answer(rows, &mut chosen, counter);
        }
    })?;
    Ok(chosen)
}

/// Puts the nodes that `node` may link to into `found`, nearest first.
fn look(
    node: u32,
    beginnings: &[u32],
    ef: usize,
    beam: &mut Beam,
    asked: &mut Asked<'_>,
    found: &mut Vec<Candidate>,
) {
    asked.query.set(node, asked.rows);
    beam.begin(asked.links.len(), None);
    beam.mark(node);
    found.clear();
    asked.compare(asked.links.of(node), found);
    let linked = found.len();
    asked.compare(beginnings, found);
    for &candidate in &*found {
        beam.enter(candidate);
    }
    let Ok(()) = beam.search(asked, ef);
    // Links to what is far away hold the graph together.
    found.truncate(linked);
    found.extend_from_slice(&beam.candidates);
    sort(found);
    found.dedup_by_key(|candidate| candidate.node());
}

/// Has every node choose among its links and those that link to it.
fn answer(rows: &GraphRows, chosen: &mut Links, counter: &Counter) {
    // Who links to each node, ascending.
    let mut starts = vec![0u64; chosen.len() as usize + 1];
    for node in 0..chosen.len() {
        for &link in chosen.of(node) {
            starts[link as usize + 1] += 1;
        }
    }
    for place in 1..starts.len() {
        starts[place] += starts[place - 1];
    }
    let mut linking = vec![0u32; starts.last().map_or(0, |&end| end as usize)];
    let mut next = starts.clone();
    for node in 0..chosen.len() {
        for &link in chosen.of(node) {
            let place = &mut next[link as usize];
            linking[*place as usize] = node;
            *place += 1;
        }
    }
    drop(next);
    let linking = |node: u32| {
        let node = node as usize;
        &linking[starts[node] as usize..starts[node + 1] as usize]
    };
    let most = chosen.most();
    let none = Links::none(most);
    chosen.pieces(PIECE).into_par_iter().for_each_init(
        || Asked::new(rows, &none),
        |asked, mut piece| {
            let (mut found, mut kept) = (Vec::new(), Vec::new());
            if !counter.add(piece.len()) {
                return;
            }
            for (node, mut slot) in piece.slots() {
                asked.query.set(node, rows);
                found.clear();
                asked.compare(slot.get(), &mut found);
                asked.compare(linking(node), &mut found);
                sort(&mut found);
                found.dedup_by_key(|candidate| candidate.node());
                if found.len() <= most {
                    slot.set(found.iter().map(|candidate| candidate.node()));
                } else {
                    choose(rows, &found, most, &mut kept);
                    fill(&found, most, &mut kept);
                    slot.set(kept.iter().copied());
                }
            }
        },
    );
}

/// Puts at most `most` of the candidates, which are in order, into `kept`: each that is nearer to the node than to those
/// kept before it (algorithm 4 of the paper).
fn choose(rows: &GraphRows, candidates: &[Candidate], most: usize, kept: &mut Vec<u32>) {
    kept.clear();
    for candidate in candidates {
        if kept.len() == most {
            break;
        }
        let distance = -candidate.score();
        let hidden = |&other: &u32| {
            let between = rows.distance(candidate.node(), other);
            // Of equal rows one is enough.
            between < distance || between == 0.0
        };
        if !kept.iter().any(hidden) {
            kept.push(candidate.node());
        }
    }
}

/// Adds the nearest candidates that were not chosen, until there are `most`.
fn fill(candidates: &[Candidate], most: usize, kept: &mut Vec<u32>) {
    for candidate in candidates {
        if kept.len() >= most {
            break;
        }
        if !kept.contains(&candidate.node()) {
            kept.push(candidate.node());
        }
    }
}

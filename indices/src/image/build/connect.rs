//! Links to nodes that could not be reached.

use std::collections::VecDeque;

use super::groups::Groups;
use super::links::Links;
use super::rows::{GraphRows, RowQuery};

/// A node that cannot be reached is linked from the nearest of the nodes around it; so many are looked at at most.
const AROUND: usize = 256;

/// Links every node so that it can be reached from the medoids.
pub(super) fn connect(rows: &GraphRows, links: &mut Links, groups: &Groups) {
    let mut reached = vec![false; links.len() as usize];
    let mut waiting: VecDeque<u32> = VecDeque::new();
    for &medoid in &groups.medoids {
        reached[medoid as usize] = true;
        waiting.push_back(medoid);
    }
    spread(links, &mut reached, &mut waiting);
    for node in 0..links.len() {
        if reached[node as usize] {
            continue;
        }
        let medoid = groups.medoids[groups.of[node as usize] as usize];
        attach(rows, links, &reached, node, medoid);
        reached[node as usize] = true;
        waiting.push_back(node);
        spread(links, &mut reached, &mut waiting);
    }
}

/// Marks what can be reached from the nodes that wait.
fn spread(links: &Links, reached: &mut [bool], waiting: &mut VecDeque<u32>) {
    while let Some(node) = waiting.pop_front() {
        for &link in links.of(node) {
            if !std::mem::replace(&mut reached[link as usize], true) {
                waiting.push_back(link);
            }
        }
    }
}

/// Adds a link to `node` to the nearest node that can be reached and has room, of those around `node` or, if there is
/// none, of those around the medoid.
fn attach(rows: &GraphRows, links: &mut Links, reached: &[bool], node: u32, medoid: u32) {
    let mut around: Vec<u32> = links
        .of(node)
        .iter()
        .copied()
        .filter(|&link| reached[link as usize])
        .collect();
    let mut known: std::collections::HashSet<u32> = around.iter().copied().collect();
    if known.insert(medoid) {
        around.push(medoid);
    }
    // Breadth first, until enough with room were seen. All that can be reached can be reached from the medoids, so the
    // list grows until there is one with room, or ends.
    let mut next = 0;
    let mut roomy: Vec<u32> = Vec::new();
    while next < around.len() && (known.len() < AROUND || roomy.is_empty()) {
        let from = around[next];
        next += 1;
        if links.of(from).len() < links.most() {
            roomy.push(from);
        }
        for &link in links.of(from) {
            if known.insert(link) {
                around.push(link);
            }
        }
    }
    let (mut query, mut distances) = (RowQuery::default(), Vec::new());
    query.set(node, rows);
    rows.distances(&mut query, &roomy, &mut distances);
    let mut nearest = distances
        .iter()
        .zip(&roomy)
        .map(|(&distance, &from)| (distance, from))
        .collect::<Vec<_>>();
    nearest.sort_unstable_by(|a, b| a.0.total_cmp(&b.0).then(a.1.cmp(&b.1)));
    if let Some(&(_, from)) = nearest.first() {
        links.push(from, node);
    }
}

//! Links to nodes that could not be reached.

use std::collections::{HashSet, VecDeque};

use super::groups::Groups;
use super::links::Links;
use super::rows::{GraphRows, RowQuery};

/// A node that cannot be reached is linked from the nearest of the nodes around it; so many are looked at.
const AROUND: usize = 256;
/// Of a node that was not reached.
const NOBODY: u32 = u32::MAX;

/// Links every node so that it can be reached from the medoids.
pub(super) fn connect(rows: &GraphRows, links: &mut Links, groups: &Groups) {
    let mut reach = Reach {
        from: vec![NOBODY; links.len() as usize],
        waiting: VecDeque::new(),
    };
    for &medoid in &groups.medoids {
        reach.visit(medoid, medoid);
    }
    reach.spread(links);
    for node in 0..links.len() {
        if reach.has(node) {
            continue;
        }
        let medoid = groups.medoids[groups.of[node as usize] as usize];
        let from = attach(rows, links, &reach, node, medoid);
        reach.visit(node, from);
        reach.spread(links);
    }
}

/// What was reached.
struct Reach {
    /// From where each node was reached first; a medoid from itself.
    from: Vec<u32>,
    /// Nodes whose links were not followed yet.
    waiting: VecDeque<u32>,
}

impl Reach {
    fn has(&self, node: u32) -> bool {
        self.from[node as usize] != NOBODY
    }

    fn visit(&mut self, node: u32, from: u32) {
        if !self.has(node) {
            self.from[node as usize] = from;
            self.waiting.push_back(node);
        }
    }

    /// Follows links as far as they lead.
    fn spread(&mut self, links: &Links) {
        while let Some(node) = self.waiting.pop_front() {
            for &link in links.of(node) {
                self.visit(link, node);
            }
        }
    }

    /// The place of the last link of a node without which all that was reached still would be.
    fn spare(&self, node: u32, links: &[u32]) -> Option<usize> {
        links
            .iter()
            .rposition(|&link| self.from[link as usize] != node)
    }
}

/// Links `node` from the nearest node that was reached and has room, of those around it or around the medoid; where none has,
/// from the nearest that can spare a link. Gives that node.
fn attach(rows: &GraphRows, links: &mut Links, reach: &Reach, node: u32, medoid: u32) -> u32 {
    let linked = links.of(node).iter().copied();
    let mut around: Vec<u32> = linked.filter(|&link| reach.has(link)).collect();
    let mut known: HashSet<u32> = around.iter().copied().collect();
    if known.insert(medoid) {
        around.push(medoid);
    }
    let room = |node: u32| links.of(node).len() < links.most();
    let can = |node: u32| room(node) || reach.spare(node, links.of(node)).is_some();
    let (mut next, mut able) = (0, 0);
    // Breadth first. A node that nobody was reached from can spare any link, and there always is one to come.
    while next < around.len() && (next < AROUND || able == 0) {
        let from = around[next];
        next += 1;
        able += usize::from(can(from));
        for &link in links.of(from) {
            if known.insert(link) {
                around.push(link);
            }
        }
    }
    around.truncate(next);
    around.retain(|&node| can(node));
    let (mut query, mut distances) = (RowQuery::default(), Vec::new());
    query.set(node, rows);
    rows.distances(&mut query, &around, &mut distances);
    let nearest = around.iter().zip(&distances).min_by(|a, b| {
        let ((&a, x), (&b, y)) = (*a, *b);
        let full = |node| !room(node);
        let order = full(a).cmp(&full(b)).then(x.total_cmp(y));
        order.then(a.cmp(&b))
    });
    let from = nearest.map_or(medoid, |(&from, _)| from);
    if !links.push(from, node) {
        let mut changed = links.of(from).to_vec();
        if let Some(place) = reach.spare(from, &changed) {
            changed[place] = node;
            links.set(from, changed);
        }
    }
    from
}

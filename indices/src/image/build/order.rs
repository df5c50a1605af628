//! The order of the nodes in the file.

use super::groups::Groups;

/// Which row stands at each node: the medoids first, then the rows group by group.
pub(super) fn order(groups: &Groups, shards: &[Vec<u32>]) -> Vec<u32> {
    let mut is_medoid = vec![false; groups.of.len()];
    for &medoid in &groups.medoids {
        is_medoid[medoid as usize] = true;
    }
    let mut order = groups.medoids.clone();
    // Groups of one shard lie near each other.
    for shard in shards {
        let mut rows: Vec<u32> = shard
            .iter()
            .copied()
            .filter(|&row| !is_medoid[row as usize])
            .collect();
        rows.sort_by_key(|&row| groups.of[row as usize]);
        order.extend(rows);
    }
    order
}

//! Laying a trie out as a double array.

use std::collections::BTreeMap;

use super::trie::{ENDS, LAST, MOST_UNITS, SHIFT};

/// Units in a block. Siblings differ in the low 8 bits of their places, and so share a block.
const BLOCK: usize = 256;

/// How many blocks are searched for room. Older ones are full but for a few units that hardly anything fits.
const OPEN_BLOCKS: usize = 16;

/// A place that no list has.
const NONE: u32 = u32::MAX;

/// The units of the trie of `keys`.
///
/// # Errors
/// Says which key is empty or has a zero byte, or that there are too many keys.
pub(super) fn double_array(keys: &BTreeMap<&[u8], u32>) -> Result<Vec<u32>, String> {
    for (key, &value) in keys {
        if key.is_empty() || key.contains(&0) {
            let key = String::from_utf8_lossy(key);
            return Err(format!("the piece {key:?} is empty or has a zero byte"));
        }
        if value as usize >= MOST_UNITS {
            return Err(format!(
                "there are more than {MOST_UNITS} pieces, the most that the trie has room for"
            ));
        }
    }
    let keys: Vec<(&[u8], u32)> = keys.iter().map(|(key, value)| (*key, *value)).collect();
    let mut builder = Builder::new();
    // Nodes to lay out: the unit, its keys, and how many of their bytes led there.
    let mut nodes = vec![(0, 0..keys.len(), 0)];
    let mut children = Vec::new();
    while let Some((unit, range, depth)) = nodes.pop() {
        let value = match keys.get(range.start) {
            Some((key, value)) if key.len() == depth && !range.is_empty() => Some(*value),
            _ => None,
        };
        let longer = range.start + usize::from(value.is_some())..range.end;
        if let (Some(value), true) = (value, longer.is_empty()) {
            builder.units[unit] |= ENDS | LAST | value << SHIFT;
            continue;
        }
        children.clear();
        if value.is_some() {
            children.push((0, 0..0));
        }
        let mut start = longer.start;
        while start < longer.end {
            let byte = keys[start].0[depth];
            let same = keys[start..longer.end].partition_point(|(key, _)| key[depth] == byte);
            children.push((byte, start..start + same));
            start += same;
        }
        let base = builder.place(&children)?;
        builder.units[unit] |= (base as u32) << SHIFT;
        for (byte, range) in children.drain(..) {
            let child = base ^ usize::from(byte);
            builder.units[child] = u32::from(byte);
            if byte != 0 {
                nodes.push((child, range, depth + 1));
            } else if let Some(value) = value {
                builder.units[unit] |= ENDS;
                builder.units[child] = value << SHIFT;
            }
        }
    }
    Ok(builder.units)
}

/// Units, and those of the open blocks that are free, in a list.
struct Builder {
    units: Vec<u32>,
    /// Whether a unit is taken, and whether it is the base of a node.
    taken: Vec<bool>,
    is_base: Vec<bool>,
    next: Vec<u32>,
    previous: Vec<u32>,
    first: u32,
    last: u32,
}

impl Builder {
    fn new() -> Self {
        let mut builder = Self {
            units: Vec::new(),
            taken: Vec::new(),
            is_base: Vec::new(),
            next: Vec::new(),
            previous: Vec::new(),
            first: NONE,
            last: NONE,
        };
        builder.open_block();
        builder.take(0);
        builder
    }

    /// Takes the units of a node's children and gives their base.
    fn place<T>(&mut self, children: &[(u8, T)]) -> Result<usize, String> {
        let label = |at: usize| children.get(at).map_or(0, |child| usize::from(child.0));
        let mut free = self.first;
        let base = loop {
            if free == NONE {
                if self.units.len() >= MOST_UNITS {
                    return Err(format!("the trie has more than {MOST_UNITS} units"));
                }
                self.open_block();
                // Its units are all free, so that its first one serves.
                break (self.units.len() - BLOCK) ^ label(0);
            }
            let base = free as usize ^ label(0);
            let fits = |child: &(u8, T)| !self.taken[base ^ usize::from(child.0)];
            if !self.is_base[base] && children.iter().all(fits) {
                break base;
            }
            free = self.next[free as usize];
        };
        self.is_base[base] = true;
        for child in children {
            self.take(base ^ usize::from(child.0));
        }
        Ok(base)
    }

    fn open_block(&mut self) {
        let start = self.units.len();
        let end = start + BLOCK;
        self.units.resize(end, 0);
        self.taken.resize(end, false);
        self.is_base.resize(end, false);
        self.next.resize(end, NONE);
        self.previous.resize(end, NONE);
        for unit in start..end {
            self.previous[unit] = self.last;
            match self.last {
                NONE => self.first = unit as u32,
                last => self.next[last as usize] = unit as u32,
            }
            self.last = unit as u32;
        }
        // The block that is closed keeps its free units, but nobody looks there again.
        let closed = end.saturating_sub(BLOCK * OPEN_BLOCKS);
        while self.first != NONE && (self.first as usize) < closed {
            self.unlink(self.first as usize);
        }
    }

    fn take(&mut self, unit: usize) {
        self.taken[unit] = true;
        if (unit as u32) == self.first || self.previous[unit] != NONE {
            self.unlink(unit);
        }
    }

    fn unlink(&mut self, unit: usize) {
        let (previous, next) = (self.previous[unit], self.next[unit]);
        match previous {
            NONE => self.first = next,
            previous => self.next[previous as usize] = next,
        }
        match next {
            NONE => self.last = previous,
            next => self.previous[next as usize] = previous,
        }
        (self.previous[unit], self.next[unit]) = (NONE, NONE);
    }
}

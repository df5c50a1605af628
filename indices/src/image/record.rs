//! The record of a node: its row, what the row is to be multiplied with, and its links.
//!
//! ```text
//! row       the feature less the centre: i8 (128 more than the integer; a multiple of 64 bytes), f16 or f32
//! scale     f32: what the integers are multiplied with; 1 with f16 and f32
//! bias      f32: the inner product of feature and centre
//! degree    u32: how many links there are
//! links     the numbers of other nodes, nearest first, each of as many bits as the largest number takes,
//!           low bits first
//! padding   zeros, to a multiple of 64 bytes
//! ```
//!
//! So what a search reads of a node lies in lines of the cache that follow each other, and a page holds some whole nodes.

use super::vectors::Vectors;
use crate::kernels::kernels;
use crate::kernels::rows::{ROW_ALIGNMENT, Rows};

/// The most links of a node that a file may ask for.
pub(crate) const MAX_LINKS: u32 = 64;
/// Records start at multiples of this many bytes: a cache line.
const ALIGNMENT: usize = 64;
/// Links are read in pieces of so many bytes.
const WORD: usize = 8;

/// Where things lie in a record.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Layout {
    pub vectors: Vectors,
    pub dim: usize,
    /// The bytes of a row.
    pub row: usize,
    /// The most links.
    pub links: usize,
    /// The bits of a link.
    pub width: usize,
    /// The bytes of a record.
    pub size: usize,
}

/// What cannot be in a record: where, in bytes from its start, and what.
pub(crate) struct Damage {
    pub node: u32,
    pub offset: usize,
    pub message: String,
}

impl Layout {
    /// For so many nodes.
    pub fn new(vectors: Vectors, dim: usize, links: u32, nodes: u32) -> Layout {
        let row = match vectors {
            Vectors::I8 => dim.next_multiple_of(ROW_ALIGNMENT),
            Vectors::F16 => 2 * dim,
            Vectors::F32 => 4 * dim,
        };
        let width = (u32::BITS - nodes.saturating_sub(1).leading_zeros()).max(1) as usize;
        let links = links as usize;
        // The last link is read with the word that it begins in.
        let end = row
            + 12
            + (links * width)
                .div_ceil(8)
                .max((links - 1) * width / 8 + WORD);
        Layout {
            vectors,
            dim,
            row,
            links,
            width,
            size: end.next_multiple_of(ALIGNMENT),
        }
    }

    /// The rows of these records.
    pub fn rows<'a>(&self, nodes: &'a [u8]) -> Rows<'a> {
        Rows {
            bytes: nodes,
            stride: self.size,
            len: self.row,
        }
    }

    /// Scale and bias of a node.
    #[inline]
    pub fn scale(&self, nodes: &[u8], node: u32) -> (f32, f32) {
        let (numbers, _) = nodes[node as usize * self.size + self.row..].as_chunks::<4>();
        let number = |place: usize| f32::from_le_bytes(numbers[place]);
        (number(0), number(1))
    }

    /// Appends the links of `node` to `links`. Each is below `len`.
    #[inline]
    pub fn read_links(
        &self,
        nodes: &[u8],
        node: u32,
        len: u32,
        links: &mut Vec<u32>,
    ) -> Result<(), Damage> {
        let at = self.row + 8;
        // With what follows: links are unpacked 64 bytes at a time, where so many are there.
        let record = &nodes[node as usize * self.size..];
        let degree = word32(&record[at..at + 4]) as usize;
        if degree > self.links {
            let message = format!(
                "node {node} has {degree} links: expected up to {}",
                self.links
            );
            return Err(Damage {
                node,
                offset: at,
                message,
            });
        }
        let first = links.len();
        links.resize(first + degree.next_multiple_of(8), 0);
        let read = &mut links[first..];
        let largest = (kernels().unpack_some)(self.width as u8, &record[at + 4..], degree, read);
        if largest < len {
            links.truncate(first + degree);
            return Ok(());
        }
        let place = read.iter().position(|&link| link >= len).unwrap_or(0);
        let message = format!(
            "a link of node {node} leads to node {}: expected one of {len}",
            read[place]
        );
        links.truncate(first);
        Err(Damage {
            node,
            offset: at + 4 + place * self.width / 8,
            message,
        })
    }

    /// Makes the record of a node in `record`, of a row of [`Layout::row`] bytes and at most [`Layout::links`] links.
    #[cfg(feature = "build")]
    pub fn write(&self, row: &[u8], scale: (f32, f32), links: &[u32], record: &mut Vec<u8>) {
        record.clear();
        record.extend_from_slice(row);
        record.extend(scale.0.to_le_bytes());
        record.extend(scale.1.to_le_bytes());
        record.extend((links.len() as u32).to_le_bytes());
        let (mut word, mut bits) = (0u64, 0);
        for &link in links {
            word |= u64::from(link) << bits;
            bits += self.width;
            while bits >= 8 {
                record.push(word as u8);
                word >>= 8;
                bits -= 8;
            }
        }
        record.push(word as u8);
        record.resize(self.size, 0);
    }
}

fn word32(bytes: &[u8]) -> u32 {
    bytes.try_into().map_or(0, u32::from_le_bytes)
}

#[cfg(all(test, feature = "build"))]
mod tests {
    use super::*;

    #[test]
    fn links_of_every_width_come_back() {
        for nodes in [1, 2, 3, 100, 65_537, 1 << 24, u32::MAX - 1] {
            for links in [1, 4, 31, 64] {
                for dim in [1, 32, 512] {
                    let layout = Layout::new(Vectors::I8, dim, links, nodes);
                    assert_eq!(layout.size % 64, 0);
                    let written: Vec<u32> = (0..links)
                        .map(|i| (u64::from(i) * 2_654_435_761 % u64::from(nodes)) as u32)
                        .chain([nodes - 1])
                        .take(links as usize)
                        .collect();
                    let mut record = Vec::new();
                    layout.write(&vec![7; layout.row], (0.5, -2.0), &written, &mut record);
                    assert_eq!(record.len(), layout.size, "{nodes} {links} {dim}");
                    assert_eq!(layout.scale(&record, 0), (0.5, -2.0));
                    let mut read = Vec::new();
                    assert!(layout.read_links(&record, 0, nodes, &mut read).is_ok());
                    assert_eq!(read, written);
                }
            }
        }
    }

    #[test]
    fn refuses_links_that_lead_nowhere_and_degrees_that_do_not_fit() {
        let layout = Layout::new(Vectors::F16, 3, 4, 5);
        let mut record = Vec::new();
        layout.write(&[0; 6], (1.0, 0.0), &[1, 4], &mut record);
        let mut links = Vec::new();
        assert!(layout.read_links(&record, 0, 5, &mut links).is_ok());
        assert!(
            layout
                .read_links(&record, 0, 4, &mut links)
                .is_err_and(|damage| damage.offset == 18)
        );
        record[14] = 5;
        assert!(
            layout
                .read_links(&record, 0, 5, &mut links)
                .is_err_and(|damage| damage.offset == 14)
        );
    }
}

//! Products of some rows with some panels, in strips of 32 rows (14 of floats), and what becomes of the sums.

use std::ops::Range;

use super::buffer::{Buffer, Window};
use super::products::{
    AHEAD, BLOCK_BYTES, Columns, FloatOperands, Int8Block, Int8Operands, Products, SIDE, TILE,
};
use super::rows::QuantizedRows;

/// The most rows that two panels go down before the next two: four strips, each of which fetches a quarter of those. 128 rows of
/// 1,024 columns take 128 KiB of the second cache.
const SLAB: usize = 4 * SIDE;

/// Cuts rows into slabs, about equally high.
pub(super) fn slabs(rows: usize) -> impl Iterator<Item = Range<usize>> {
    let height = rows
        .div_ceil(rows.div_ceil(SLAB).max(1))
        .next_multiple_of(SIDE);
    let starts = (0..rows).step_by(height.max(1));
    starts.map(move |start| start..rows.min(start + height))
}

/// What the sums of each column become: `scale · sum + bias`.
#[derive(Clone, Copy)]
pub(super) struct Epilogue<'a> {
    /// Of each column; where there are none, 1.
    pub(super) scales: &'a [f32],
    /// Of each column; where there is none, 0.
    pub(super) bias: &'a [f32],
}

impl Epilogue<'_> {
    /// Of up to 32 columns.
    fn columns(&self, range: Range<usize>) -> Columns {
        let mut columns = Columns {
            scales: [1.0; SIDE],
            biases: [0.0; SIDE],
        };
        if !self.scales.is_empty() {
            columns.scales[..range.len()].copy_from_slice(&self.scales[range.clone()]);
        }
        if !self.bias.is_empty() {
            columns.biases[..range.len()].copy_from_slice(&self.bias[range]);
        }
        columns
    }
}

/// Panels of integers that lie one after the other.
#[derive(Clone, Copy)]
pub(super) struct Int8Panels<'a> {
    pub(super) bytes: &'a [u8],
    /// Bytes from a panel to the next.
    pub(super) stride: usize,
}

/// A product of integers of some rows.
#[derive(Clone, Copy)]
pub(super) struct Int8Product<'a> {
    pub(super) rows: &'a QuantizedRows,
    pub(super) panels: Int8Panels<'a>,
    pub(super) epilogue: Epilogue<'a>,
}

impl Int8Product<'_> {
    /// Multiplies as many rows from tile `tile` on as `out` has, with as many panels, and writes what becomes of the sums. Of a
    /// group of columns, two panels after the other go down the strips; meanwhile the first four fetch the next two.
    pub(super) fn write(&self, products: &Products, tile: usize, out: &mut Window<'_, f32>) {
        let (rows, panels) = (self.rows, self.panels);
        let (height, width) = (out.rows(), out.columns());
        let (strips, pairs) = (height.div_ceil(SIDE), width.div_ceil(SIDE));
        let groups = rows.blocks.div_ceil(rows.group);
        // Of the groups before the last.
        let mut sums = Buffer::scratch(match groups {
            0 | 1 => 0,
            _ => pairs * strips * SIDE * SIDE,
        });
        let mut block = Int8Block([0; SIDE * SIDE]);
        for step in 0..groups * pairs {
            let (group, pair) = (step / pairs, step % pairs);
            let first = group * rows.group;
            let blocks = rows.group.min(rows.blocks - first);
            let columns = pair * SIDE..width.min((pair + 1) * SIDE);
            let finish = self.epilogue.columns(columns.clone());
            for strip in 0..strips {
                let tile = tile + 2 * strip;
                let (a, tiles) = rows.tiles_of(tile);
                let operands = Int8Operands {
                    a: &a[first * BLOCK_BYTES..],
                    a_stride: rows.blocks * BLOCK_BYTES,
                    tiles,
                    b: &panels.bytes[2 * pair * panels.stride + first * BLOCK_BYTES..],
                    b_stride: panels.stride,
                    panels: columns.len().div_ceil(TILE),
                    blocks,
                    ahead: self.ahead(step + 1, pairs, strip, blocks),
                };
                products.int8(&operands, &mut block);
                let scales = rows.scales_of(tile, tiles, group);
                let sums = sums.get_mut((pair * strips + strip) * SIDE * SIDE..);
                match sums.and_then(<[f32]>::first_chunk_mut) {
                    Some(sums) if group + 1 < groups => {
                        products.add(&block, &scales, sums, group > 0);
                    }
                    sums => {
                        let height = strip * SIDE..height.min((strip + 1) * SIDE);
                        let mut out = out.part(height, columns.clone());
                        products.finish(&block, &scales, sums.as_deref(), &finish, &mut out);
                    }
                }
            }
        }
    }

    /// A quarter of what a step needs of the panels, for the strips of the one before; of so many blocks.
    fn ahead(&self, step: usize, pairs: usize, quarter: usize, blocks: usize) -> &[u8] {
        let (first, pair) = (step / pairs * self.rows.group, step % pairs);
        if first >= self.rows.blocks {
            return &[];
        }
        let len = blocks * AHEAD;
        let panel = (2 * pair + quarter / 2) * self.panels.stride;
        let start = panel + first * BLOCK_BYTES + quarter % 2 * len;
        let ahead = self.panels.bytes.get(start..start + len);
        ahead.unwrap_or_default()
    }
}

/// Sums of up to 14 rows, packed as `[k, rows]`, times some panels: `[rows, 16 · panels]`.
pub(super) fn float_sums(products: &Products, a: &[f32], k: usize, b: &[f32], sums: &mut [f32]) {
    let rows = a.len().checked_div(k).unwrap_or(0);
    let width = sums.len().checked_div(rows).unwrap_or(0);
    let panels = width / TILE;
    for panel in (0..panels).step_by(2) {
        let operands = FloatOperands {
            a,
            rows,
            b: &b[panel * k * TILE..],
            b_stride: k * TILE,
            panels: (panels - panel).min(2),
            k,
        };
        products.float(&operands, &mut sums[panel * TILE..], width);
    }
}

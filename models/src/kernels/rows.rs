//! Rows of activations, quantized for products of integers.

use super::buffer::{Buffer, Window};
use super::functions::nearest;
use super::level::{Level, vectorized};
use super::products::{BLOCK_BYTES, K_BLOCK, TILE};
use super::team::for_each;

/// Rows up to this width have one scale; wider ones have one for each [`GROUP`] of columns, so that a
/// large number coarsens only those beside it.
const WIDEST_GROUP: usize = 1024;

/// Columns that share a scale in a row that is wider.
pub(super) const GROUP: usize = 512;

/// Rows `[rows, k]` as integers in −127..=127, in tiles: `x = scale · q`, with a scale for each group of columns.
pub(crate) struct QuantizedRows {
    pub(super) rows: usize,
    /// Blocks of 64 columns that share a scale.
    pub(super) group: usize,
    /// Blocks of 64 columns.
    pub(super) blocks: usize,
    /// `[tiles, blocks, 16, 64]`.
    pub(super) data: Buffer<i8>,
    /// `[groups, tiles · 16]`.
    pub(super) scales: Buffer<f32>,
    /// Sums of the integers of each group, `[groups, tiles · 16]`.
    pub(super) sums: Buffer<i32>,
}

/// A part of [`QuantizedRows`] that one thread fills: some tiles of rows, and one group of columns.
pub(super) struct GroupWindow<'a> {
    data: Window<'a, i8>,
    scales: Window<'a, f32>,
    sums: Window<'a, i32>,
}

impl QuantizedRows {
    /// Room for rows; what they are is not said.
    pub(crate) fn room(rows: usize, k: usize) -> Self {
        let group = if k <= WIDEST_GROUP { k } else { GROUP };
        Self::with_groups(rows, k, group)
    }

    /// Room for rows with one scale each, whatever their width.
    pub(super) fn one_group(rows: usize, k: usize) -> Self {
        Self::with_groups(rows, k, k)
    }

    fn with_groups(rows: usize, k: usize, group: usize) -> Self {
        let blocks = k.div_ceil(K_BLOCK).max(1);
        let group = group.div_ceil(K_BLOCK).max(1);
        let tiles = rows.div_ceil(TILE);
        let scales = blocks.div_ceil(group) * tiles * TILE;
        Self {
            rows,
            group,
            blocks,
            data: Buffer::scratch(tiles * blocks * BLOCK_BYTES),
            scales: Buffer::scratch(scales),
            sums: Buffer::scratch(scales),
        }
    }

    /// Quantizes `x`, `[rows, k]`.
    pub(crate) fn new(level: Level, x: &[f32], k: usize) -> Self {
        let rows = x.len().checked_div(k).unwrap_or(0);
        let mut quantized = Self::room(rows, k);
        let width = quantized.group * K_BLOCK;
        let groups = k.div_ceil(width).max(1);
        let mut windows = quantized.windows(TILE);
        for_each(&mut windows, |at, window| {
            let (tile, group) = (at / groups, at % groups);
            for row in 0..TILE.min(rows - tile * TILE) {
                let x = &x[(tile * TILE + row) * k..][..k];
                window.put(level, row, &x[group * width..k.min((group + 1) * width)]);
            }
        });
        drop(windows);
        quantized
    }

    /// Quantizes one row of rows that have one group.
    pub(super) fn put(&mut self, level: Level, row: usize, x: &[f32]) {
        let (tile, scale, sum) = self.row_mut(row);
        (*scale, *sum) = quantize(level, x, tile, row % TILE);
    }

    /// The tile, the scale and the sum of one row of rows that have one group.
    pub(super) fn row_mut(&mut self, row: usize) -> (&mut [i8], &mut f32, &mut i32) {
        let bytes = self.blocks * BLOCK_BYTES;
        let tile = &mut self.data[row / TILE * bytes..][..bytes];
        (tile, &mut self.scales[row], &mut self.sums[row])
    }

    /// How many tiles of 16 rows there are.
    pub(super) fn tiles(&self) -> usize {
        self.rows.div_ceil(TILE)
    }

    /// How many columns share a scale.
    pub(super) fn group_width(&self) -> usize {
        self.group * K_BLOCK
    }

    /// Cuts the rows up: `rows` of them (a multiple of 16) and one group of columns each, row-major.
    pub(super) fn windows(&mut self, rows: usize) -> Vec<GroupWindow<'_>> {
        let (tiles, padded) = (rows / TILE, self.rows.div_ceil(TILE) * TILE);
        let (width, group) = (self.blocks * BLOCK_BYTES, self.group * BLOCK_BYTES);
        let data = Window::cut(&mut self.data, width, tiles, group);
        // Scales lie group by group, and are cut into columns: transpose to the order of the data.
        let groups = self.blocks.div_ceil(self.group);
        let mut scales = Window::cut(&mut self.scales, padded, 1, rows);
        let mut sums = Window::cut(&mut self.sums, padded, 1, rows);
        let chunks = scales.len() / groups.max(1);
        let order = |at: usize| (at % chunks.max(1)) * groups + at / chunks.max(1);
        let mut keyed: Vec<_> = (scales.drain(..).zip(sums.drain(..)).enumerate())
            .map(|(at, pair)| (order(at), pair))
            .collect();
        keyed.sort_by_key(|&(place, _)| place);
        (data.into_iter().zip(keyed))
            .map(|(data, (_, (scales, sums)))| GroupWindow { data, scales, sums })
            .collect()
    }
}

impl GroupWindow<'_> {
    /// Quantizes one row of the window; `x` is the group's columns of it.
    pub(super) fn put(&mut self, level: Level, row: usize, x: &[f32]) {
        let tile = self.data.row(row / TILE);
        let (scale, sum) = quantize(level, x, tile, row % TILE);
        self.scales.row(0)[row] = scale;
        self.sums.row(0)[row] = sum;
    }
}

vectorized! {
    /// Quantizes a row into row `at` of a tile's blocks, and gives its scale and the sum of its integers. What is
    /// not a finite number becomes one: the sums that follow from it are refused where they are read.
    fn quantize(x: &[f32], tile: &mut [i8], at: usize) -> (f32, i32) {
        let max = largest(x);
        let scale = max / 127.0;
        let inverse = 127.0 / max;
        if scale == 0.0 || !scale.is_finite() || !inverse.is_finite() {
            for block in tile.chunks_exact_mut(BLOCK_BYTES) {
                block[at * K_BLOCK..][..K_BLOCK].fill(0);
            }
            // A NaN goes on, so that the result is not finite either.
            return (scale, 0);
        }
        let mut sums = [0_i32; TILE];
        for (x, block) in x.chunks(K_BLOCK).zip(tile.chunks_exact_mut(BLOCK_BYTES)) {
            let Some(place) = block[at * K_BLOCK..].first_chunk_mut() else {
                break;
            };
            match x.first_chunk::<K_BLOCK>() {
                Some(x) => put_block(x, place, &mut sums, |x| nearest(x * inverse).1),
                None => {
                    let mut padded = [0.0; K_BLOCK];
                    padded[..x.len()].copy_from_slice(x);
                    put_block(&padded, place, &mut sums, |x| nearest(x * inverse).1);
                }
            }
        }
        let sum = sums.iter().sum();
        (scale, sum)
    }
}

/// Makes 64 numbers into bytes and adds them to 16 sums.
#[inline(always)]
pub(super) fn put_block(
    x: &[f32; K_BLOCK],
    place: &mut [i8; K_BLOCK],
    sums: &mut [i32; TILE],
    integer: impl Fn(f32) -> i32,
) {
    // Three plain loops: as one the compiler makes vectors across the wrong dimension.
    let mut integers = [0_i32; K_BLOCK];
    for (q, x) in integers.iter_mut().zip(x) {
        *q = integer(*x);
    }
    for (place, q) in place.iter_mut().zip(integers) {
        *place = q as i8;
    }
    for (lane, sum) in sums.iter_mut().enumerate() {
        *sum += integers[lane]
            + integers[TILE + lane]
            + integers[2 * TILE + lane]
            + integers[3 * TILE + lane];
    }
}

/// The larger of two magnitudes, NaN where one is.
#[inline(always)]
pub(super) fn most(a: f32, b: f32) -> f32 {
    // As integers magnitudes keep their order, and NaN is above all.
    f32::from_bits((a.to_bits() & 0x7FFF_FFFF).max(b.to_bits() & 0x7FFF_FFFF))
}

/// The largest magnitude, NaN where one is.
#[inline(always)]
pub(super) fn largest(x: &[f32]) -> f32 {
    let mut lanes = [0.0_f32; TILE];
    let mut chunks = x.chunks_exact(TILE);
    for chunk in &mut chunks {
        for (lane, &x) in lanes.iter_mut().zip(chunk) {
            *lane = most(*lane, x);
        }
    }
    for &x in chunks.remainder() {
        lanes[0] = most(lanes[0], x);
    }
    // By halves: one after the other would be a chain of sixteen.
    for half in [8, 4, 2, 1] {
        for lane in 0..half {
            lanes[lane] = most(lanes[lane], lanes[lane + half]);
        }
    }
    lanes[0]
}

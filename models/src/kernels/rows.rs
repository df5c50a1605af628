//! Rows of activations, quantized for products of integers.

use super::buffer::{Buffer, Window};
use super::functions::{activate_coarsely, fold, nearest};
use super::level::{Level, vectorized};
use super::products::{BLOCK_BYTES, K_BLOCK, RowScales, StridedRows, TILE};
use super::team::for_each;
use crate::weights::Activation;

/// Columns that share a scale, so that a large number coarsens only those beside it. With twice as many the worst hidden state of
/// XLM-R-large fell below a cosine of 0.999 to that of floats.
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
        Self::with_groups(rows, k, k.min(GROUP))
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
            let first = group * width;
            let rows = StridedRows {
                x: &x[tile * TILE * k + first..],
                stride: k,
                rows: TILE.min(rows - tile * TILE),
                k: width.min(k - first),
            };
            quantize_window(level, &rows, window);
        });
        drop(windows);
        quantized
    }

    /// Quantizes the first rows of rows that have one group.
    pub(super) fn put_rows(&mut self, level: Level, rows: &StridedRows<'_>) {
        quantize_rows(level, rows, self);
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

    /// A tile and what follows it, and how many tiles, 1 or 2, are in a strip that begins with it.
    pub(super) fn tiles_of(&self, tile: usize) -> (&[i8], usize) {
        let data = &self.data[tile * self.blocks * BLOCK_BYTES..];
        (data, (self.tiles() - tile).min(2))
    }

    /// The scales and totals of a group of columns in the rows of some tiles.
    pub(super) fn scales_of(&self, tile: usize, tiles: usize, group: usize) -> RowScales<'_> {
        let start = (group * self.tiles() + tile) * TILE;
        let rows = start..start + tiles * TILE;
        RowScales {
            scales: &self.scales[rows.clone()],
            totals: &self.sums[rows],
        }
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
    /// Quantizes one row of the window, after an activation where there is one; `x` is the group's columns of it.
    pub(super) fn put(
        &mut self,
        level: Level,
        row: usize,
        x: &mut [f32],
        activation: Option<Activation>,
    ) {
        let tile = self.data.row(row / TILE);
        let (scale, sum) = quantize(level, x, activation, tile, row % TILE);
        self.scales.row(0)[row] = scale;
        self.sums.row(0)[row] = sum;
    }
}

vectorized! {
    /// Quantizes a row, after an activation where there is one, into row `at` of a tile's blocks. Gives its scale and the sum of
    /// its integers.
    fn quantize(x: &mut [f32], activation: Option<Activation>, tile: &mut [i8], at: usize) -> (f32, i32) {
        if let Some(activation) = activation {
            activate_coarsely::<FMA>(activation, x);
        }
        quantize_row(x, tile, at)
    }
}

vectorized! {
    /// Quantizes rows, each with one scale.
    fn quantize_rows(rows: &StridedRows<'_>, quantized: &mut QuantizedRows) {
        for at in 0..rows.rows {
            let (tile, scale, sum) = quantized.row_mut(at);
            let x = &rows.x[at * rows.stride..][..rows.k];
            (*scale, *sum) = quantize_row(x, tile, at % TILE);
        }
    }
}

vectorized! {
    /// Quantizes the group's columns of rows of one tile.
    fn quantize_window(rows: &StridedRows<'_>, window: &mut GroupWindow<'_>) {
        let tile = window.data.row(0);
        for at in 0..rows.rows {
            let x = &rows.x[at * rows.stride..][..rows.k];
            let (scale, sum) = quantize_row(x, tile, at);
            window.scales.row(0)[at] = scale;
            window.sums.row(0)[at] = sum;
        }
    }
}

/// What is not a finite number becomes one: the sums that follow from it are refused where they are read.
#[inline(always)]
fn quantize_row(x: &[f32], tile: &mut [i8], at: usize) -> (f32, i32) {
    let max = largest(x);
    let scale = max / 127.0;
    let inverse = 127.0 / max;
    let blocks = tile.as_chunks_mut::<BLOCK_BYTES>().0;
    let places = blocks
        .iter_mut()
        .map(|block| &mut block.as_chunks_mut::<K_BLOCK>().0[at]);
    if scale == 0.0 || !scale.is_finite() || !inverse.is_finite() {
        places.for_each(|place| place.fill(0));
        // A NaN goes on, so that the result is not finite either.
        return (scale, 0);
    }
    let mut sums = [0_i32; TILE];
    for (x, place) in x.chunks(K_BLOCK).zip(places) {
        let integer = |x: f32| nearest(x * inverse).1;
        match x.first_chunk::<K_BLOCK>() {
            Some(x) => put_block(x, place, &mut sums, integer),
            None => {
                let mut padded = [0.0; K_BLOCK];
                padded[..x.len()].copy_from_slice(x);
                put_block(&padded, place, &mut sums, integer);
            }
        }
    }
    (scale, fold(sums, i32::wrapping_add))
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
        // Of what is no number the integers are anything.
        *sum = sum
            .wrapping_add(integers[lane])
            .wrapping_add(integers[TILE + lane])
            .wrapping_add(integers[2 * TILE + lane])
            .wrapping_add(integers[3 * TILE + lane]);
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
    // Two chains at once.
    let (mut lanes, mut others) = ([0.0_f32; TILE], [0.0_f32; TILE]);
    let (chunks, rest) = x.as_chunks::<TILE>();
    let (pairs, last) = chunks.as_chunks::<2>();
    for [a, b] in pairs {
        for (lane, &x) in lanes.iter_mut().zip(a) {
            *lane = most(*lane, x);
        }
        for (lane, &x) in others.iter_mut().zip(b) {
            *lane = most(*lane, x);
        }
    }
    for a in last {
        for (lane, &x) in lanes.iter_mut().zip(a) {
            *lane = most(*lane, x);
        }
    }
    for (lane, other) in lanes.iter_mut().zip(others) {
        *lane = most(*lane, other);
    }
    rest.iter().fold(fold(lanes, most), |max, &x| most(max, x))
}

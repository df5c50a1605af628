//! `act(x Wᵀ + b)` for one or more matrices over the same rows, on all threads.
//!
//! The results are cut into windows of some rows and some columns, and each is the work of one thread at a
//! time. It takes the columns' panels into its cache and goes down the rows: of each 32 (14 of floats) it sums
//! products into a scratch of `f32`, and from there scales, adds the bias, applies the activation, and writes
//! the row, or quantizes it for the matrix that comes next.

use super::buffer::{Buffer, Window};
use super::functions::{activate, activate_coarsely};
use super::level::{Level, fma, vectorized};
use super::matrix::Matrix;
use super::products::{
    FLOAT_ROWS, FloatOperands, Int8Block, Int8Operands, K_BLOCK, Kernels, Products, SIDE,
    StridedRows, TILE,
};
use super::rows::{GroupWindow, QuantizedRows};
use super::team::for_each;
use crate::weights::Activation;

/// The most columns of a window whose results are floats.
const COLUMNS: usize = 256;
/// The least columns of such a window, whatever its panels take: each window reads all rows.
const LEAST_COLUMNS: usize = 64;
/// Panels of floats of no more than so many numbers, 1 MiB, stay in the second cache of a core while rows go by. Measured with
/// two cores, which have 2 MiB each.
const PANELS: usize = 1 << 18;

/// The left operand.
#[derive(Clone, Copy)]
pub(crate) enum Rows<'a> {
    /// For matrices of integers.
    Int8(&'a QuantizedRows),
    /// For matrices of floats.
    Float(&'a FloatRows),
}

/// One matrix of a product, and where its result goes.
pub(crate) struct Job<'a> {
    pub(crate) matrix: &'a Matrix,
    pub(crate) activation: Option<Activation>,
    pub(crate) out: Out<'a>,
}

/// Where a result goes.
pub(crate) enum Out<'a> {
    /// `[rows, outputs]`.
    Float(&'a mut [f32]),
    /// Quantized for the next matrix.
    Int8(&'a mut QuantizedRows),
}

enum Sink<'a> {
    Float(Window<'a, f32>),
    Int8(GroupWindow<'a>),
}

/// A window of one result.
struct Task<'a> {
    matrix: &'a Matrix,
    activation: Option<Activation>,
    first_row: usize,
    rows: usize,
    first_column: usize,
    columns: usize,
    sink: Sink<'a>,
}

/// Computes `count` rows of each job's result.
pub(crate) fn linear(kernels: &'static Kernels, count: usize, rows: Rows<'_>, jobs: Vec<Job<'_>>) {
    let columns: usize = jobs.iter().map(|job| job.matrix.outputs).sum();
    let threads = rayon::current_num_threads();
    let mut tasks = Vec::new();
    for job in jobs {
        job.cut(count, columns, threads, &mut tasks);
    }
    for_each(&mut tasks, |_, task| task.run(kernels, rows));
}

impl<'a> Job<'a> {
    /// Cuts the job into tasks: of as many rows as leave enough of them for all threads.
    fn cut(self, count: usize, columns: usize, threads: usize, tasks: &mut Vec<Task<'a>>) {
        let outputs = self.matrix.outputs;
        let step = match (&self.out, self.matrix.is_int8()) {
            (Out::Float(_), false) => FLOAT_ROWS,
            (_, true) => SIDE,
            (Out::Int8(_), false) => SIDE * FLOAT_ROWS / 2,
        };
        let mut width = match &self.out {
            Out::Float(_) if self.matrix.is_int8() => COLUMNS,
            Out::Float(_) => {
                let fit = PANELS / self.matrix.inputs.max(1);
                (fit / SIDE * SIDE).clamp(LEAST_COLUMNS, COLUMNS)
            }
            Out::Int8(quantized) => quantized.group_width(),
        };
        let enough = 4 * threads;
        // Many rows are cut into chunks that stay in a cache, however wide; few are not, because each chunk
        // reads all weights.
        let few = count < 2 * COLUMNS;
        if few && matches!(self.out, Out::Float(_)) && columns.div_ceil(width) < enough {
            width = (width / 2).max(LEAST_COLUMNS);
        }
        let chunks = enough.div_ceil(columns.div_ceil(width).max(1));
        // Whole blocks of rows: 32 of integers, 14 of floats, and tiles of 16 where they are quantized.
        let height = count.div_ceil(chunks).next_multiple_of(step);
        let (matrix, activation) = (self.matrix, self.activation);
        let task = |at: usize, sink| {
            let across = outputs.div_ceil(width).max(1);
            let (first_row, first_column) = (at / across * height, at % across * width);
            Task {
                matrix,
                activation,
                first_row,
                rows: height.min(count - first_row),
                first_column,
                columns: width.min(outputs - first_column),
                sink,
            }
        };
        match self.out {
            Out::Float(out) => {
                let windows = Window::cut(out, outputs, height, width);
                tasks.extend(
                    (windows.into_iter().enumerate()).map(|(at, w)| task(at, Sink::Float(w))),
                );
            }
            Out::Int8(out) => {
                let windows = out.windows(height);
                tasks.extend(
                    (windows.into_iter().enumerate()).map(|(at, w)| task(at, Sink::Int8(w))),
                );
            }
        }
    }
}

impl Task<'_> {
    fn run(&mut self, kernels: &'static Kernels, rows: Rows<'_>) {
        let level = kernels.level();
        let panels = self.first_column / TILE..(self.first_column + self.columns).div_ceil(TILE);
        let width = panels.len() * TILE;
        let mut sums = Buffer::scratch(SIDE * width);
        let products = kernels.enter();
        match rows {
            Rows::Int8(rows) => {
                let b = self.matrix.int8(level, panels);
                let stride = self.matrix.panel_bytes();
                for first in (0..self.rows).step_by(SIDE) {
                    let tile = (self.first_row + first) / TILE;
                    int8_sums(&products, level, rows, tile, &b, stride, &mut sums);
                    self.finish(level, first, SIDE, &mut sums);
                }
            }
            Rows::Float(rows) => {
                let b = self.matrix.floats(level, panels);
                for first in (0..self.rows).step_by(FLOAT_ROWS) {
                    let count = FLOAT_ROWS.min(self.rows - first);
                    let a = rows.block(self.first_row + first);
                    float_sums(&products, a, rows.k, &b, &mut sums[..count * width]);
                    self.finish(level, first, count, &mut sums[..count * width]);
                }
            }
        }
    }

    /// Writes some rows of sums to where they go.
    fn finish(&mut self, level: Level, first: usize, count: usize, sums: &mut [f32]) {
        let columns = self.first_column..self.first_column + self.columns;
        let scales = self
            .matrix
            .output_scales()
            .get(columns.clone())
            .unwrap_or_default();
        let bias = self
            .matrix
            .bias
            .as_deref()
            .map_or(&[][..], |bias| &bias[columns]);
        let width = sums.len() / count;
        for (at, sums) in sums
            .chunks_exact_mut(width)
            .take(self.rows - first)
            .enumerate()
        {
            let sums = &mut sums[..self.columns];
            match &mut self.sink {
                Sink::Float(window) => {
                    let out = window.row(first + at);
                    epilogue(level, sums, scales, bias, self.activation, Some(out));
                }
                Sink::Int8(window) => {
                    epilogue(level, sums, scales, bias, self.activation, None);
                    window.put(level, first + at, sums);
                }
            }
        }
    }
}

/// Sums of 32 rows from tile `tile` on times some panels, `[32, 16 · panels]`, without the scales of the
/// outputs.
pub(super) fn int8_sums(
    products: &Products,
    level: Level,
    rows: &QuantizedRows,
    tile: usize,
    b: &[u8],
    b_stride: usize,
    sums: &mut [f32],
) {
    let width = sums.len() / SIDE;
    let panels = width / TILE;
    let tiles = (rows.tiles() - tile).min(2);
    let (padded, bytes) = (rows.tiles() * TILE, rows.blocks * TILE * K_BLOCK);
    let mut block = Int8Block([0; SIDE * SIDE]);
    for (group, first) in (0..rows.blocks).step_by(rows.group).enumerate() {
        let blocks = rows.group.min(rows.blocks - first);
        let place = group * padded + tile * TILE..group * padded + (tile + tiles) * TILE;
        let (scales, totals) = (&rows.scales[place.clone()], &rows.sums[place]);
        for panel in (0..panels).step_by(2) {
            let operands = Int8Operands {
                a: &rows.data[tile * bytes + first * TILE * K_BLOCK..],
                a_stride: bytes,
                tiles,
                b: &b[panel * b_stride + first * TILE * K_BLOCK..],
                b_stride,
                panels: (panels - panel).min(2),
                blocks,
            };
            products.int8(&operands, &mut block);
            let columns = panel * TILE..((panel + 2) * TILE).min(width);
            add_block(
                level,
                &block,
                scales,
                totals,
                group == 0,
                sums,
                width,
                columns,
            );
        }
    }
}

vectorized! {
    /// Adds a block of integers to sums of floats, `[32, width]`, in some of their columns; `first` overwrites them.
    fn add_block(
        block: &Int8Block,
        scales: &[f32],
        totals: &[i32],
        first: bool,
        sums: &mut [f32],
        width: usize,
        columns: std::ops::Range<usize>,
    ) {
        for (row, (&scale, &total)) in scales.iter().zip(totals).enumerate() {
            let sums = &mut sums[row * width..][columns.clone()];
            let block = &block.0[row * SIDE..][..SIDE];
            // Each weight was stored 128 too large. (Rows that only fill a tile may hold anything.)
            let excess = total.wrapping_mul(128);
            if first {
                for (sum, &product) in sums.iter_mut().zip(block) {
                    *sum = product.wrapping_sub(excess) as f32 * scale;
                }
            } else {
                for (sum, &product) in sums.iter_mut().zip(block) {
                    *sum = fma::<FMA>(product.wrapping_sub(excess) as f32, scale, *sum);
                }
            }
        }
    }
}

/// Rows of floats in the order of a product: blocks of 14 rows, each `[k, rows]`.
pub(crate) struct FloatRows {
    rows: usize,
    k: usize,
    data: Buffer<f32>,
}

impl FloatRows {
    /// Packs `x`, `[rows, k]`.
    pub(crate) fn new(kernels: &'static Kernels, x: &[f32], k: usize) -> Self {
        let rows = x.len().checked_div(k).unwrap_or(0);
        let mut data = Buffer::scratch(rows * k);
        let size = (FLOAT_ROWS * k).max(1);
        let mut blocks: Vec<_> = data.chunks_mut(size).zip(x.chunks(size)).collect();
        for_each(&mut blocks, |_, (a, x)| {
            let rows = StridedRows {
                x,
                stride: k,
                rows: x.len() / k,
                k,
            };
            kernels.pack(&rows, a);
        });
        Self { rows, k, data }
    }

    /// The block that begins with a row.
    fn block(&self, row: usize) -> &[f32] {
        let end = (row + FLOAT_ROWS).min(self.rows);
        &self.data[row * self.k..end * self.k]
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

vectorized! {
    /// Scales a row of sums, adds the bias, and applies the activation: in place, or into `out`. No scales are
    /// scales of 1, no bias is one of 0.
    pub(super) fn epilogue(
        sums: &mut [f32],
        scales: &[f32],
        bias: &[f32],
        activation: Option<Activation>,
        out: Option<&mut [f32]>,
    ) {
        let Some(out) = out else {
            finish::<FMA>(sums, scales, bias);
            if let Some(activation) = activation {
                activate_coarsely::<FMA>(activation, sums);
            }
            return;
        };
        match (scales.len() == sums.len(), bias.len() == sums.len()) {
            (true, true) => {
                for (((out, sum), scale), bias) in out.iter_mut().zip(&*sums).zip(scales).zip(bias) {
                    *out = fma::<FMA>(*sum, *scale, *bias);
                }
            }
            (false, true) if scales.is_empty() => {
                for ((out, sum), bias) in out.iter_mut().zip(&*sums).zip(bias) {
                    *out = sum + bias;
                }
            }
            _ => {
                finish::<FMA>(sums, scales, bias);
                out.copy_from_slice(sums);
            }
        }
        if let Some(activation) = activation {
            activate::<FMA>(activation, out);
        }
    }
}

/// Scales sums and adds the bias, in place.
#[inline(always)]
fn finish<const FMA: bool>(sums: &mut [f32], scales: &[f32], bias: &[f32]) {
    if scales.len() == sums.len() && bias.len() == sums.len() {
        for ((sum, scale), bias) in sums.iter_mut().zip(scales).zip(bias) {
            *sum = fma::<FMA>(*sum, *scale, *bias);
        }
        return;
    }
    for (sum, scale) in sums.iter_mut().zip(scales) {
        *sum *= scale;
    }
    for (sum, bias) in sums.iter_mut().zip(bias) {
        *sum += bias;
    }
}

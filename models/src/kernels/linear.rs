//! `act(x Wᵀ + b)` for one or more matrices over the same rows, on all threads.
//!
//! The results are cut into windows of some rows and some columns, and each is the work of one thread at a
//! time. It [goes down the rows](super::strips) with the columns' panels, and writes the results, or quantizes them for the
//! matrix that comes next.

use super::buffer::{Buffer, Window};
use super::functions::activate;
use super::level::vectorized;
use super::matrix::Matrix;
use super::products::{FLOAT_ROWS, Kernels, Products, SIDE, StridedRows, TILE};
use super::rows::{GroupWindow, QuantizedRows};
use super::strips::{Epilogue, Int8Panels, Int8Product, float_sums, slabs};
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
        // Many rows of floats are cut into chunks that stay in a cache, however wide. Few are not, nor are integers, because each
        // chunk reads all weights, and widens those of 4 bits.
        let narrow = self.matrix.is_int8() || count < 2 * COLUMNS;
        if narrow && matches!(self.out, Out::Float(_)) && columns.div_ceil(width) < enough {
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
        let columns = self.first_column..self.first_column + self.columns;
        let panels = columns.start / TILE..columns.end.div_ceil(TILE);
        let scales = self.matrix.output_scales().get(columns.clone());
        let bias = self.matrix.bias.as_deref().map(|bias| &bias[columns]);
        let epilogue = Epilogue {
            scales: scales.unwrap_or_default(),
            bias: bias.unwrap_or_default(),
        };
        let products = kernels.enter();
        match rows {
            Rows::Int8(rows) => {
                let bytes = self.matrix.int8(kernels.level(), panels);
                let panels = Int8Panels {
                    bytes: &bytes,
                    stride: self.matrix.panel_bytes(),
                };
                let product = Int8Product {
                    rows,
                    panels,
                    epilogue,
                };
                self.int8(&products, &product);
            }
            Rows::Float(rows) => {
                let panels = self.matrix.floats(kernels.level(), panels);
                self.float(&products, rows, &panels, epilogue.bias);
            }
        }
    }

    fn int8(&mut self, products: &Products, product: &Int8Product<'_>) {
        for slab in slabs(self.rows) {
            let tile = (self.first_row + slab.start) / TILE;
            match &mut self.sink {
                Sink::Float(out) => {
                    let mut out = out.part(slab.clone(), 0..self.columns);
                    product.write(products, tile, &mut out);
                    if let Some(activation) = self.activation {
                        let rows = 0..slab.len();
                        rows.for_each(|at| apply(products.level(), activation, out.row(at)));
                    }
                }
                Sink::Int8(window) => {
                    // Rows are rounded when all their columns are there.
                    let mut whole = Buffer::scratch(slab.len() * self.columns);
                    product.write(products, tile, &mut Window::whole(&mut whole, self.columns));
                    for (at, row) in slab.zip(whole.chunks_exact_mut(self.columns)) {
                        window.put(products.level(), at, row, self.activation);
                    }
                }
            }
        }
    }

    fn float(&mut self, products: &Products, rows: &FloatRows, panels: &[f32], bias: &[f32]) {
        let width = self.columns.next_multiple_of(TILE);
        let mut sums = Buffer::scratch(FLOAT_ROWS * width);
        for first in (0..self.rows).step_by(FLOAT_ROWS) {
            let count = FLOAT_ROWS.min(self.rows - first);
            let a = rows.block(self.first_row + first);
            float_sums(products, a, rows.k, panels, &mut sums[..count * width]);
            for (at, sums) in sums.chunks_exact_mut(width).take(count).enumerate() {
                let sums = &mut sums[..self.columns];
                match &mut self.sink {
                    Sink::Float(out) => {
                        let out = out.row(first + at);
                        add_bias(products.level(), sums, bias, out);
                        if let Some(activation) = self.activation {
                            apply(products.level(), activation, out);
                        }
                    }
                    Sink::Int8(window) => {
                        sums.iter_mut()
                            .zip(bias)
                            .for_each(|(sum, bias)| *sum += bias);
                        window.put(products.level(), first + at, sums, self.activation);
                    }
                }
            }
        }
    }
}

vectorized! {
    fn add_bias(sums: &[f32], bias: &[f32], out: &mut [f32]) {
        if bias.is_empty() {
            return out.copy_from_slice(sums);
        }
        for ((out, sum), bias) in out.iter_mut().zip(sums).zip(bias) {
            *out = sum + bias;
        }
    }
}

vectorized! {
    fn apply(activation: Activation, x: &mut [f32]) {
        activate::<FMA>(activation, x);
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

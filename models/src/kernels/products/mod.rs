//! Products of small blocks, once for each instruction set.
//!
//! [`block`] has the order of the operands. Which instructions there are is asked once; each table of
//! [`Kernels`] is tested against the plain one on random input.

use std::sync::OnceLock;

use super::level::Level;

#[cfg(target_arch = "x86_64")]
mod amx;
#[cfg(target_arch = "x86_64")]
mod avx2;
#[cfg(target_arch = "x86_64")]
mod avx512;
mod block;
#[cfg(target_arch = "aarch64")]
mod neon;
mod plain;
#[cfg(test)]
pub(super) mod tests;

use super::buffer::Window;
pub(crate) use block::{
    AHEAD, BLOCK_BYTES, Columns, FLOAT_ROWS, FloatOperands, Int8Block, Int8Operands, K_BLOCK,
    RowScales, SIDE, StridedRows, Sums, TILE,
};

/// The products for one instruction set.
pub(crate) struct Kernels {
    /// Its name, for people.
    pub(crate) name: &'static str,
    level: fn() -> Level,
    enter: fn(),
    leave: fn(),
    int8: fn(&Int8Operands<'_>, &mut Int8Block),
    /// The last is whether the sums are begun.
    add: fn(&Int8Block, &RowScales<'_>, &mut Sums, bool),
    finish: fn(&Int8Block, &RowScales<'_>, Option<&Sums>, &Columns, &mut Window<'_, f32>),
    /// Only what is [inside](FloatOperands::inside) comes here.
    float: fn(&FloatOperands<'_>, &mut [f32], usize),
    /// Only what is [inside](StridedRows::inside) comes here.
    pack: fn(&StridedRows<'_>, &mut [f32]),
}

impl std::fmt::Debug for Kernels {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Kernels({})", self.name)
    }
}

impl Kernels {
    /// The best of this processor.
    pub(crate) fn best() -> &'static Self {
        static BEST: OnceLock<&'static Kernels> = OnceLock::new();
        BEST.get_or_init(|| Self::available().pop().unwrap_or(&plain::PLAIN))
    }

    /// All that this processor can run, the best last.
    pub(crate) fn available() -> Vec<&'static Self> {
        let mut all = vec![&plain::PLAIN];
        #[cfg(target_arch = "x86_64")]
        {
            all.extend(avx2::available());
            all.extend(avx512::available());
            all.extend(amx::available());
        }
        #[cfg(target_arch = "aarch64")]
        all.extend(neon::available());
        all
    }

    /// How wide the vectors are that belong to these instructions.
    pub(crate) fn level(&self) -> Level {
        (self.level)()
    }

    /// Puts rows of floats into the order of a left operand: `[k, rows]`. No thread need be ready for that.
    ///
    /// # Panics
    /// Where they are shorter than they have to be, or `a`.
    pub(crate) fn pack(&self, rows: &StridedRows<'_>, a: &mut [f32]) {
        assert!(rows.inside(a.len()));
        (self.pack)(rows, a);
    }

    /// Gets this thread ready for products.
    pub(crate) fn enter(&'static self) -> Products {
        (self.enter)();
        Products(self, std::marker::PhantomData)
    }
}

/// A thread that is ready for products.
pub(crate) struct Products(&'static Kernels, std::marker::PhantomData<*const ()>);

impl Products {
    /// Sums of products of integers, exact.
    ///
    /// # Panics
    /// Where an operand is shorter than it has to be.
    pub(crate) fn int8(&self, operands: &Int8Operands<'_>, out: &mut Int8Block) {
        (self.0.int8)(operands, out);
    }

    /// Adds a block of integers to sums, or begins them.
    pub(crate) fn add(
        &self,
        block: &Int8Block,
        rows: &RowScales<'_>,
        sums: &mut Sums,
        is_begun: bool,
    ) {
        (self.0.add)(block, rows, sums, is_begun);
    }

    /// Adds a block of integers to the sums before, and writes what the numbers become to a window of up to 32 × 32.
    ///
    /// # Panics
    /// Where the window is larger, or has rows without a scale.
    pub(crate) fn finish(
        &self,
        block: &Int8Block,
        rows: &RowScales<'_>,
        before: Option<&Sums>,
        columns: &Columns,
        out: &mut Window<'_, f32>,
    ) {
        assert!(out.rows() <= rows.scales.len().min(rows.totals.len()) && out.columns() <= SIDE);
        (self.0.finish)(block, rows, before, columns, out);
    }

    /// How wide the vectors are that belong to these instructions.
    pub(crate) fn level(&self) -> Level {
        self.0.level()
    }

    /// Sums of products of floats, `[rows, 16 · panels]`, the rows of `out` at a distance of `stride`.
    ///
    /// # Panics
    /// Where an operand is shorter than it has to be, or `out`, or its rows overlap.
    pub(crate) fn float(&self, operands: &FloatOperands<'_>, out: &mut [f32], stride: usize) {
        assert!(operands.inside(out.len(), stride));
        (self.0.float)(operands, out, stride);
    }
}

impl Drop for Products {
    fn drop(&mut self) {
        (self.0.leave)();
    }
}

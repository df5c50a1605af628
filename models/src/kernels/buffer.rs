//! Memory that begins at a cache line, and matrices that several threads write to in different places.

use std::cell::RefCell;
use std::marker::PhantomData;
use std::ops::Range;

/// A cache line; also the widest register, and a row of an AMX tile.
#[derive(Clone, Copy)]
#[repr(C, align(64))]
struct Line([u8; 64]);

/// Integers or floats that begin at a multiple of 64 bytes.
pub(crate) struct Buffer<T> {
    lines: Vec<Line>,
    len: usize,
    /// Whether it is kept for another when it is dropped.
    is_scratch: bool,
    kind: PhantomData<T>,
}

/// How many dropped buffers a thread keeps: as many as one layer has at a time.
const KEPT: usize = 12;

thread_local!(static DROPPED: RefCell<Vec<Vec<Line>>> = const { RefCell::new(Vec::new()) });

/// What a buffer may hold: plain numbers, for which every pattern of bits is a value.
pub(crate) trait Number: Copy + Send + Sync {}

impl Number for i8 {}
impl Number for u8 {}
impl Number for u16 {}
impl Number for i32 {}
impl Number for f32 {}

impl<T: Number> Buffer<T> {
    /// A buffer of zeros, for good.
    pub(crate) fn zeros(len: usize) -> Self {
        Self {
            lines: vec![Line([0; 64]); lines::<T>(len)],
            len,
            is_scratch: false,
            kind: PhantomData,
        }
    }

    /// A buffer for a moment; what its numbers are is not said. When it is dropped its memory is kept for the next
    /// that this thread asks for.
    pub(crate) fn scratch(len: usize) -> Self {
        let wanted = lines::<T>(len);
        let kept = DROPPED.with_borrow_mut(|dropped| {
            // The smallest that is large enough, or else the largest.
            let fits = (0..dropped.len()).filter(|&at| dropped[at].len() >= wanted);
            let best = fits.min_by_key(|&at| dropped[at].len());
            let largest = (0..dropped.len()).max_by_key(|&at| dropped[at].len());
            best.or(largest).map(|at| dropped.swap_remove(at))
        });
        let mut lines = kept.unwrap_or_default();
        if lines.len() < wanted {
            lines.resize(wanted, Line([0; 64]));
        }
        Self {
            lines,
            len,
            is_scratch: true,
            kind: PhantomData,
        }
    }
}

/// How many lines hold so many numbers.
fn lines<T>(len: usize) -> usize {
    (len * size_of::<T>()).div_ceil(64)
}

impl<T> Drop for Buffer<T> {
    fn drop(&mut self) {
        if !self.is_scratch {
            return;
        }
        let lines = std::mem::take(&mut self.lines);
        // While a thread ends its store may be gone.
        let _ = DROPPED.try_with(|dropped| {
            if let Ok(mut dropped) = dropped.try_borrow_mut()
                && dropped.len() < KEPT
            {
                dropped.push(lines);
            }
        });
    }
}

impl<T: Number> std::ops::Deref for Buffer<T> {
    type Target = [T];

    fn deref(&self) -> &[T] {
        // SAFETY: the lines hold at least `len` numbers, aligned to 64 bytes, all initialized; any bits are
        // a value of a `Number`.
        unsafe { std::slice::from_raw_parts(self.lines.as_ptr().cast(), self.len) }
    }
}

impl<T: Number> std::ops::DerefMut for Buffer<T> {
    fn deref_mut(&mut self) -> &mut [T] {
        // SAFETY: as above, and `self` is borrowed mutably.
        unsafe { std::slice::from_raw_parts_mut(self.lines.as_mut_ptr().cast(), self.len) }
    }
}

/// A rectangle of a row-major matrix, apart from all others that were cut from it: a thread of its own may
/// write to each.
pub(crate) struct Window<'a, T> {
    start: *mut T,
    stride: usize,
    rows: usize,
    columns: usize,
    matrix: PhantomData<&'a mut [T]>,
}

// SAFETY: a window is like a mutable slice of the numbers inside it, which no other window has.
unsafe impl<T: Send> Send for Window<'_, T> {}

impl<'a, T: Number> Window<'a, T> {
    /// Cuts a matrix whose rows are `width` long into windows of `rows` × `columns`, those at its lower and
    /// right edge smaller; row-major. What is left of a row that is not whole belongs to none.
    pub(crate) fn cut(matrix: &'a mut [T], width: usize, rows: usize, columns: usize) -> Vec<Self> {
        let height = matrix.len().checked_div(width).unwrap_or(0);
        let start = matrix.as_mut_ptr();
        let mut windows = Vec::new();
        for top in (0..height).step_by(rows.max(1)) {
            for left in (0..width).step_by(columns.max(1)) {
                windows.push(Self {
                    // SAFETY: `top` is a row of the matrix and `left` a column.
                    start: unsafe { start.add(top * width + left) },
                    stride: width,
                    rows: rows.max(1).min(height - top),
                    columns: columns.max(1).min(width - left),
                    matrix: PhantomData,
                });
            }
        }
        windows
    }

    /// All of a matrix whose rows are `width` long.
    pub(crate) fn whole(matrix: &'a mut [T], width: usize) -> Self {
        Self {
            start: matrix.as_mut_ptr(),
            stride: width,
            rows: matrix.len().checked_div(width).unwrap_or(0),
            columns: width,
            matrix: PhantomData,
        }
    }

    /// Some of its rows and columns.
    ///
    /// # Panics
    /// Where it has not got them.
    pub(crate) fn part(&mut self, rows: Range<usize>, columns: Range<usize>) -> Window<'_, T> {
        assert!(rows.start <= rows.end && rows.end <= self.rows);
        assert!(columns.start <= columns.end && columns.end <= self.columns);
        Window {
            // Outside only where there are no rows or no columns.
            start: self
                .start
                .wrapping_add(rows.start * self.stride + columns.start),
            stride: self.stride,
            rows: rows.len(),
            columns: columns.len(),
            matrix: PhantomData,
        }
    }

    /// Its rows.
    pub(crate) fn rows(&self) -> usize {
        self.rows
    }

    /// Its columns.
    pub(crate) fn columns(&self) -> usize {
        self.columns
    }

    /// The columns of one of its rows.
    ///
    /// # Panics
    /// Where there is no such row.
    #[inline(always)]
    pub(crate) fn row(&mut self, row: usize) -> &mut [T] {
        assert!(row < self.rows);
        // SAFETY: the row is one of the window's, whose columns lie inside the matrix; no other window has
        // them, and this one is borrowed mutably.
        unsafe { std::slice::from_raw_parts_mut(self.start.add(row * self.stride), self.columns) }
    }
}

//! Products of small blocks of matrices: what the rest of the arithmetic is made of.
//!
//! ```text
//!      A: 1 or 2 tiles of 16 rows        B: 1 or 2 panels of 16 columns
//!      each 1 KiB for 64 of k            each 1 KiB for 64 of k
//!      row r: a[r][64k .. 64k + 64]      group g of four k: b[4g .. 4g + 4][c] for each column c
//! ```
//!
//! That order is a tile of AMX as it is loaded, one register of AVX-512 for each group, and two or four
//! registers of AVX2 and NEON: one layout serves all of them. A is signed, B is unsigned, a weight w
//! stored as w + 128: `vpdpbusd` wants one operand of each kind. What that adds to a sum, 128 · Σ a, the
//! caller takes off again.

/// Rows of a tile and columns of a panel.
pub(crate) const TILE: usize = 16;

/// Of k, in one block of bytes.
pub(crate) const K_BLOCK: usize = 64;

/// Bytes of a tile or of a panel's block.
pub(crate) const BLOCK_BYTES: usize = TILE * K_BLOCK;

/// Rows and columns of a whole block of results.
pub(crate) const SIDE: usize = 2 * TILE;

/// The most rows of a block of floats.
pub(crate) const FLOAT_ROWS: usize = 14;

/// Operands of a product of integers.
#[derive(Clone, Copy)]
pub(crate) struct Int8Operands<'a> {
    /// Tiles of 16 rows: the blocks of one tile follow each other.
    pub(crate) a: &'a [i8],
    /// Bytes from a tile to the next one.
    pub(crate) a_stride: usize,
    /// Tiles, 1 or 2.
    pub(crate) tiles: usize,
    /// Panels of 16 columns: the blocks of one panel follow each other.
    pub(crate) b: &'a [u8],
    /// Bytes from a panel to the next one.
    pub(crate) b_stride: usize,
    /// Panels, 1 or 2.
    pub(crate) panels: usize,
    /// Blocks of 64 of k.
    pub(crate) blocks: usize,
    /// What is multiplied soon, and may be fetched into a cache meanwhile: [`AHEAD`] bytes for each block.
    pub(crate) ahead: &'a [u8],
}

/// Of what is fetched ahead, for each block of k.
pub(crate) const AHEAD: usize = BLOCK_BYTES / 2;

impl Int8Operands<'_> {
    /// Whether everything that a product reads is inside.
    pub(super) fn inside(&self) -> bool {
        let reach = |count: usize, stride: usize| {
            ((1..=2).contains(&count)).then(|| (count - 1) * stride + self.blocks * BLOCK_BYTES)
        };
        reach(self.tiles, self.a_stride).is_some_and(|end| end <= self.a.len())
            && reach(self.panels, self.b_stride).is_some_and(|end| end <= self.b.len())
    }
}

/// Operands of a product of floats.
#[derive(Clone, Copy)]
pub(crate) struct FloatOperands<'a> {
    /// `[k, rows]`: what one step over k needs lies together. (Rows that are a multiple of 4 KiB apart would
    /// share the same few places of the cache.)
    pub(crate) a: &'a [f32],
    /// Rows, 1 to [`FLOAT_ROWS`].
    pub(crate) rows: usize,
    /// Panels of 16 columns, each `[k, 16]`.
    pub(crate) b: &'a [f32],
    /// Floats from a panel to the next one.
    pub(crate) b_stride: usize,
    /// Panels, 1 or 2.
    pub(crate) panels: usize,
    /// k.
    pub(crate) k: usize,
}

impl FloatOperands<'_> {
    /// Whether all that a product reads lies in the operands, and all that it writes in so many floats of `sums`, whose rows
    /// are `stride` apart and do not overlap.
    pub(super) fn inside(&self, sums: usize, stride: usize) -> bool {
        let width = self.panels * TILE;
        (1..=FLOAT_ROWS).contains(&self.rows)
            && (1..=2).contains(&self.panels)
            && (self.rows == 1 || stride >= width)
            && reaches(self.rows, self.k, 0, self.a.len())
            && reaches(self.k, TILE, 0, self.b.len())
            && reaches(self.panels - 1, self.b_stride, self.k * TILE, self.b.len())
            && reaches(self.rows - 1, stride, width, sums)
    }
}

/// Whether `count · step + rest` is at most `len`, whatever the numbers.
fn reaches(count: usize, step: usize, rest: usize, len: usize) -> bool {
    let end = count
        .checked_mul(step)
        .and_then(|end| end.checked_add(rest));
    end.is_some_and(|end| end <= len)
}

/// Rows of floats that become a left operand: of floats, or when they are rounded.
#[derive(Clone, Copy)]
pub(crate) struct StridedRows<'a> {
    pub(crate) x: &'a [f32],
    /// Floats from a row to the next.
    pub(crate) stride: usize,
    /// Rows; of an operand of floats 1 to [`FLOAT_ROWS`].
    pub(crate) rows: usize,
    /// Floats of a row.
    pub(crate) k: usize,
}

impl StridedRows<'_> {
    /// Whether the rows lie in `x`, and what they become in so many floats.
    pub(super) fn inside(&self, packed: usize) -> bool {
        (1..=FLOAT_ROWS).contains(&self.rows)
            && reaches(self.rows - 1, self.stride, self.k, self.x.len())
            && reaches(self.rows, self.k, 0, packed)
    }
}

/// Sums of a block of integers, `[32, 32]`; those of absent tiles and panels may be anything.
#[repr(align(64))]
pub(crate) struct Int8Block(pub(crate) [i32; SIDE * SIDE]);

/// The same as numbers.
pub(crate) type Sums = [f32; SIDE * SIDE];

/// What makes sums of integers numbers: of each row its scale, and the total of its integers, which were multiplied by weights
/// that are 128 too large. So a number is `(sum − 128 · total) · scale`. (Rows that only fill a tile may hold anything.)
#[derive(Clone, Copy)]
pub(crate) struct RowScales<'a> {
    pub(crate) scales: &'a [f32],
    pub(crate) totals: &'a [i32],
}

impl RowScales<'_> {
    /// Each row of a block with its excess and its scale.
    pub(super) fn each<'b>(
        &self,
        block: &'b Int8Block,
    ) -> impl Iterator<Item = (&'b [i32; SIDE], i32, f32)> {
        let rows = block.0.as_chunks().0.iter();
        rows.zip(self.totals.iter().zip(self.scales))
            .map(|(row, (total, scale))| (row, total.wrapping_mul(128), *scale))
    }
}

/// What a number becomes, by its column: `number · scale + bias`.
#[derive(Clone, Copy)]
pub(crate) struct Columns {
    pub(crate) scales: [f32; SIDE],
    pub(crate) biases: [f32; SIDE],
}

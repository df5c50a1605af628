//! The inner loops between a decoded picture and CLIP's pixels, in the widest instructions that the
//! processor has.
//!
//! Each loop is there in plain Rust, which says what it computes and runs anywhere, and for some
//! instruction sets. All give the same bytes: sums are integers, and an addition that wraps in one order
//! wraps in every order. The tests compare every set that this machine can run with the plain one, on
//! random input.
//!
//! A weight of the resize has 22 bits after the point, too many for the instructions that multiply bytes.
//! So it is cut into digits, each multiplied by itself, and the sums of the digits are put together at the
//! end: two digits of 16 bits with AVX2, three of 8 bits with AVX-512 VNNI, the whole weight elsewhere.

use std::sync::OnceLock;

#[cfg(target_arch = "x86_64")]
mod avx2;
#[cfg(target_arch = "x86_64")]
mod avx512;
#[cfg(target_arch = "aarch64")]
mod neon;
mod plain;
mod taps;
#[cfg(test)]
mod tests;

pub(crate) use self::taps::Taps;

/// Bits after the point in a weight.
pub(crate) const PRECISION: u32 = 32 - 8 - 2;

/// Half a unit of the result, which rounds a sum of products.
const HALF: i32 = 1 << (PRECISION - 1);

/// Rows that [`Kernels::across`] takes at once.
pub(crate) const ROWS: usize = 4;

/// Bytes that must follow the last pixel which a row is read for: pixels are loaded sixteen bytes at a time.
pub(crate) const PADDING: usize = 16;

/// [`Kernels::down`] works on so many bytes at once; its rows are a multiple of them long.
pub(crate) const STRIP: usize = 64;

/// Weights of four taps in the form that one instruction set multiplies by.
type Group = [i32; 4];

/// The inner loops for one instruction set.
pub(crate) struct Kernels {
    /// The name of the instruction set.
    #[cfg_attr(
        not(test),
        expect(dead_code, reason = "the tests say which one failed")
    )]
    pub name: &'static str,
    /// Four weights in the form that `across` and `down` multiply by.
    pack: fn([i32; 4]) -> Group,
    /// Filters rows of RGB: output pixel i of row r goes to `out[r · stride + 3 i..]`, where a byte behind the
    /// last pixel may be written too.
    across: fn(rows: &[&[u8]], taps: &Taps, out: &mut [u8], stride: usize),
    /// Filters columns: each byte of `out` is the weighted sum of the bytes at its place in the rows of one
    /// output row's taps, the first at `source[0]`, the next a `stride` later.
    down: fn(source: &[u8], stride: usize, groups: &[Group], len: usize, out: &mut [u8]),
    /// Doubles a row of colour samples, `near` being the row on the other side of the output row.
    double_both: fn(row: &[u8], near: &[u8], from: usize, out: &mut [u8]),
    /// Doubles a row of colour samples along itself.
    double_along: fn(row: &[u8], from: usize, out: &mut [u8]),
    /// RGB of luma and colour differences.
    rgb: Rgb,
}

/// Takes luma and both colour differences.
type Rgb = fn(y: &[u8], cb: &[u8], cr: &[u8], out: &mut [u8]);

impl Kernels {
    /// Filters one to four rows of RGB by the same taps. Output pixel i of row r is at `out[r · stride + 3 i..]`;
    /// what is between the last pixel of a row and the next `stride` is left with any value.
    ///
    /// # Panics
    /// Where a row is shorter than the taps' [reach](Taps::reach) and [`PADDING`], `stride` leaves no byte
    /// behind the last pixel, or `out` has not `rows.len()` times `stride` bytes.
    pub(crate) fn across(&self, rows: &[&[u8]], taps: &Taps, out: &mut [u8], stride: usize) {
        assert!((1..=ROWS).contains(&rows.len()));
        assert!(
            rows.iter()
                .all(|row| row.len() >= taps.reach() * 3 + PADDING)
        );
        assert!(stride > taps.len() * 3 && out.len() >= rows.len() * stride);
        (self.across)(rows, taps, out, stride);
    }

    /// Filters columns for output row `at` of the taps: `out[x]` is the sum of `source[(start + i) · stride + x]`
    /// times weight i.
    ///
    /// # Panics
    /// Where `out` is no multiple of [`STRIP`] long or longer than `stride`, or a row of the taps is not in
    /// `source`.
    pub(crate) fn down(
        &self,
        source: &[u8],
        stride: usize,
        taps: &Taps,
        at: usize,
        out: &mut [u8],
    ) {
        let (start, len) = taps.span_of(at);
        assert!(out.len().is_multiple_of(STRIP) && out.len() <= stride);
        let source = &source[start * stride..];
        assert!(source.len() >= len * stride);
        (self.down)(source, stride, taps.groups_of(at), len, out);
    }

    /// Doubles samples `from..` of a row in both directions by libjpeg's triangle filter: two samples of `out`
    /// for each of `row`, three quarters of the nearer row and column and one quarter of the farther. Beyond
    /// its ends the row goes on with its last sample.
    ///
    /// # Panics
    /// Where `near` is not as long as `row`, or `out` asks for samples behind its end.
    pub(crate) fn double_both(&self, row: &[u8], near: &[u8], from: usize, out: &mut [u8]) {
        assert!(row.len() == near.len() && from + out.len().div_ceil(2) <= row.len());
        if !out.is_empty() {
            (self.double_both)(row, near, from, out);
        }
    }

    /// As [`double_both`](Self::double_both), along the row only.
    ///
    /// # Panics
    /// Where `out` asks for samples behind the row's end.
    pub(crate) fn double_along(&self, row: &[u8], from: usize, out: &mut [u8]) {
        assert!(from + out.len().div_ceil(2) <= row.len());
        if !out.is_empty() {
            (self.double_along)(row, from, out);
        }
    }

    /// RGB of as many samples of luma and of both colour differences, by the fixed-point matrix of JFIF as
    /// libjpeg rounds it.
    ///
    /// # Panics
    /// Where the three are not equally long and a third of `out`.
    pub(crate) fn rgb(&self, y: &[u8], cb: &[u8], cr: &[u8], out: &mut [u8]) {
        assert!(cb.len() == y.len() && cr.len() == y.len() && out.len() == y.len() * 3);
        (self.rgb)(y, cb, cr, out);
    }
}

/// What this processor can do best.
pub(crate) fn kernels() -> &'static Kernels {
    static CHOSEN: OnceLock<&'static Kernels> = OnceLock::new();
    CHOSEN.get_or_init(|| available().next_back().unwrap_or(&plain::KERNELS))
}

/// All that this processor can run, the best last.
pub(crate) fn available() -> impl DoubleEndedIterator<Item = &'static Kernels> {
    let mut all = vec![&plain::KERNELS];
    #[cfg(target_arch = "x86_64")]
    {
        all.extend(avx2::available());
        all.extend(avx512::available());
    }
    #[cfg(target_arch = "aarch64")]
    all.extend(neon::available());
    all.into_iter()
}

//! Inner products with rows of features.
//!
//! A row holds bytes (128 more than the integer that is meant, which the instructions for bytes want), halves or
//! floats. Products of bytes are exact. Sums of floats are made in [`LANES`] sums, which are then added up in a fixed
//! order, with no step fused: so every instruction set gives the same float, and so do the same queries everywhere.

use std::sync::OnceLock;

#[cfg(target_arch = "aarch64")]
mod neon;
mod plain;
#[cfg(test)]
mod tests;
#[cfg(target_arch = "x86_64")]
mod x86_64;

/// What is added to an integer to store it.
pub(crate) const OFFSET: u8 = 128;
/// Rows of bytes are a multiple of this long: a cache line, and the widest register.
pub(crate) const ROW_ALIGNMENT: usize = 64;
/// Sums of floats that are made side by side: four of the widest registers.
const LANES: usize = 64;
/// Rows that are fetched ahead of the one that is multiplied.
const AHEAD: usize = 8;
/// Rows that are no larger all together are hardly ever far: fetching them ahead took 6 % of a search on a core with a second cache of
/// 2 MiB.
const NEAR: usize = 1 << 20;

/// Rows at equal distances, each with what belongs to it behind it.
#[derive(Clone, Copy)]
pub(crate) struct Rows<'a> {
    /// All of them.
    pub bytes: &'a [u8],
    /// From one row to the next.
    pub stride: usize,
    /// The bytes of a row that are multiplied.
    pub len: usize,
}

impl<'a> Rows<'a> {
    /// A row, which must be there.
    #[inline]
    pub fn row(&self, number: u32) -> &'a [u8] {
        &self.bytes[number as usize * self.stride..][..self.len]
    }

    /// Has the row and the 16 bytes behind it brought near. A number that is none does nothing.
    #[inline]
    fn fetch(&self, number: u32) {
        let start = number as usize * self.stride;
        if let Some(bytes) = self
            .bytes
            .get(start..(start + self.len + 16).min(self.bytes.len()))
        {
            for line in bytes.chunks(64) {
                prefetch(line);
            }
        }
    }
}

/// Products of rows, one for each of some numbers.
pub(crate) struct RowKernels {
    /// The name of the instruction set.
    #[cfg_attr(
        not(test),
        expect(dead_code, reason = "the tests say which one failed")
    )]
    pub name: &'static str,
    /// `Σ (row[i] − 128) · query[i]`. Rows and query are equally long, a multiple of 64, and no number of the
    /// query is −128.
    pub bytes: fn(rows: &Rows<'_>, numbers: &[u32], query: &[i8], products: &mut [i32]),
    /// `Σ (row[i] − 128) · query[i]`, of bytes with floats.
    pub mixed: fn(rows: &Rows<'_>, numbers: &[u32], query: &[f32], products: &mut [f32]),
    /// `Σ row[i] · query[i]` of halves.
    pub halves: fn(rows: &Rows<'_>, numbers: &[u32], query: &[f32], products: &mut [f32]),
    /// `Σ row[i] · query[i]` of floats.
    pub floats: fn(rows: &Rows<'_>, numbers: &[u32], query: &[f32], products: &mut [f32]),
    /// `Σ (a[i] − 128) · (b[i] − 128)`, of equally long rows, a multiple of 64.
    #[cfg_attr(
        not(feature = "build"),
        expect(dead_code, reason = "only graphs in the making ask for it")
    )]
    pub pair: fn(a: &[u8], b: &[u8]) -> i32,
}

/// What this processor can do best.
pub(crate) fn row_kernels() -> &'static RowKernels {
    static CHOSEN: OnceLock<&'static RowKernels> = OnceLock::new();
    CHOSEN.get_or_init(|| available().pop().unwrap_or(&plain::KERNELS))
}

/// All that this processor can run, the best last.
fn available() -> Vec<&'static RowKernels> {
    let mut all = vec![&plain::KERNELS];
    #[cfg(target_arch = "x86_64")]
    all.extend(x86_64::available());
    #[cfg(target_arch = "aarch64")]
    all.extend(neon::available());
    all
}

/// Calls `product` with each row and its place, while the rows to come are fetched.
#[inline(always)]
fn each_row<'a>(rows: &Rows<'a>, numbers: &[u32], mut product: impl FnMut(usize, &'a [u8])) {
    // What is so small is near already.
    let fetched = if rows.bytes.len() > NEAR {
        numbers
    } else {
        &[]
    };
    for &number in fetched.iter().take(AHEAD) {
        rows.fetch(number);
    }
    for (place, &number) in numbers.iter().enumerate() {
        if let Some(&next) = fetched.get(place + AHEAD) {
            rows.fetch(next);
        }
        product(place, rows.row(number));
    }
}

/// The sum of all lanes, in halves.
fn add_up(mut lanes: [f32; LANES]) -> f32 {
    let mut step = LANES / 2;
    while step > 0 {
        for lane in 0..step {
            lanes[lane] += lanes[lane + step];
        }
        step /= 2;
    }
    lanes[0]
}

/// Asks for a cache line.
#[inline(always)]
pub(crate) fn prefetch(line: &[u8]) {
    #[cfg(target_arch = "x86_64")]
    {
        use std::arch::x86_64::{_MM_HINT_T0, _mm_prefetch};
        // SAFETY: every x86-64 has SSE; a prefetch reads nothing that the program could see, and never faults.
        unsafe { _mm_prefetch::<_MM_HINT_T0>(line.as_ptr().cast()) };
    }
    #[cfg(target_arch = "aarch64")]
    {
        // SAFETY: a prefetch reads nothing that the program could see, and never faults.
        unsafe {
            std::arch::asm!("prfm pldl1keep, [{}]", in(reg) line.as_ptr(), options(nostack, preserves_flags, readonly));
        }
    }
    #[cfg(not(any(target_arch = "x86_64", target_arch = "aarch64")))]
    let _ = line;
}

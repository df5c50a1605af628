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
/// Rows that are fetched ahead of those that are multiplied.
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

    /// The two floats behind a row.
    #[inline]
    fn floats_behind(&self, number: u32) -> (f32, f32) {
        let end = number as usize * self.stride + self.len;
        let (floats, _) = self.bytes[end..end + 8].as_chunks::<4>();
        (f32::from_le_bytes(floats[0]), f32::from_le_bytes(floats[1]))
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

/// Integers from −127 to 127 that rows of bytes are multiplied with.
#[derive(Debug, Default)]
pub(crate) struct Integers {
    values: Vec<i8>,
    #[cfg_attr(
        not(target_arch = "x86_64"),
        expect(dead_code, reason = "only products of unsigned bytes ask for it")
    )]
    sum: i32,
}

impl Integers {
    /// Has `fill` write the first `count` of them and give their sum; behind them are zeros up to `len`, the length of a row.
    pub fn set(&mut self, count: usize, len: usize, fill: impl FnOnce(&mut [i8]) -> i32) {
        self.values.truncate(count);
        self.values.resize(len, 0);
        self.sum = fill(&mut self.values[..count]);
    }
}

/// What products of integers are turned into inner products by, together with the two floats behind a row: its scale and its bias.
#[derive(Clone, Copy)]
pub(crate) struct Weights {
    /// What the integers of the query are multiplied with.
    pub scale: f32,
    /// What is added to all.
    pub offset: f32,
}

impl Weights {
    /// The inner product. What is no number counts as the worst.
    #[inline(always)]
    fn score(self, product: i32, (scale, bias): (f32, f32)) -> f32 {
        floor(self.scale * scale * product as f32 + (bias + self.offset))
    }
}

/// What is no number counts as the worst.
#[inline(always)]
pub(crate) fn floor(score: f32) -> f32 {
    if score > f32::NEG_INFINITY {
        score
    } else {
        f32::NEG_INFINITY
    }
}

/// A product of rows in two parts with a query in three, by the weight of the parts: that of both first parts; those of a first with a
/// second; those of the row's first with the query's third, and of both seconds.
pub(crate) type Parts = [i32; 3];
type Fine =
    fn(rows: &[Rows<'_>; 2], numbers: &[u32], query: &[Integers; 3], products: &mut [Parts]);

/// Products of rows, one for each of some numbers.
pub(crate) struct RowKernels {
    /// The name of the instruction set.
    #[cfg_attr(
        not(test),
        expect(dead_code, reason = "the tests say which one failed")
    )]
    pub name: &'static str,
    /// `Σ (row[i] − 128) · query[i]`. Rows and query are equally long, a multiple of 64.
    #[cfg_attr(
        not(feature = "build"),
        expect(dead_code, reason = "only graphs in the making ask for it")
    )]
    pub bytes: fn(rows: &Rows<'_>, numbers: &[u32], query: &Integers, products: &mut [i32]),
    /// The inner products that the products of `bytes` stand for.
    pub scores: fn(
        rows: &Rows<'_>,
        numbers: &[u32],
        query: &Integers,
        weights: Weights,
        scores: &mut [f32],
    ),
    /// Products in parts. Rows and query are equally long, a multiple of 64 up to 65,536: of two such products of rows that are damaged
    /// the sum is 2,130,706,432 at most, which an `i32` holds.
    pub fine: Fine,
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
    each_of_all([*rows], numbers, |place, [row]| product(place, row));
}

/// As [`each_row`], with the rows of one number in several places.
#[inline(always)]
fn each_of_all<'a, const N: usize>(
    all: [Rows<'a>; N],
    numbers: &[u32],
    mut product: impl FnMut(usize, [&'a [u8]; N]),
) {
    // What is so small is near already.
    let far = all.iter().any(|rows| rows.bytes.len() > NEAR);
    let fetched = if far { numbers } else { &[] };
    let fetch = |number: u32| all.iter().for_each(|rows| rows.fetch(number));
    for &number in fetched.iter().take(AHEAD / N) {
        fetch(number);
    }
    for (place, &number) in numbers.iter().enumerate() {
        if let Some(&next) = fetched.get(place + AHEAD / N) {
            fetch(next);
        }
        product(place, all.map(|rows| rows.row(number)));
    }
}

/// The kernel `bytes`, by products of a row with integers.
#[inline(always)]
fn bytes_by(
    rows: &Rows<'_>,
    numbers: &[u32],
    query: &Integers,
    products: &mut [i32],
    product: impl Fn(&[u8], &Integers) -> i32,
) {
    each_row(rows, numbers, |place, row| {
        products[place] = product(row, query)
    });
}

/// The kernel `scores`, in the same way.
#[inline(always)]
fn scores_by(
    rows: &Rows<'_>,
    numbers: &[u32],
    (query, weights): (&Integers, Weights),
    scores: &mut [f32],
    product: impl Fn(&[u8], &Integers) -> i32,
) {
    each_row(rows, numbers, |place, row| {
        scores[place] = weights.score(product(row, query), rows.floats_behind(numbers[place]));
    });
}

/// The kernel `fine`, in the same way.
#[inline(always)]
fn fine_by(
    rows: &[Rows<'_>; 2],
    numbers: &[u32],
    query: &[Integers; 3],
    products: &mut [Parts],
    product: impl Fn(&[u8], &Integers) -> i32,
) {
    let [a, b, c] = query;
    each_of_all(*rows, numbers, |place, [first, second]| {
        products[place] = [
            product(first, a),
            product(first, b) + product(second, a),
            product(first, c) + product(second, b),
        ];
    });
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

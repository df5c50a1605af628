//! The products for AVX2 and AVX-512.

use std::arch::is_x86_feature_detected as has;
use std::arch::x86_64::*;

use half::f16;

use super::{
    Integers, LANES, OFFSET, Parts, RowKernels, Rows, Weights, add_up, bytes_by, each_of_all,
    each_row, fine_by, plain, scores_by,
};

/// AVX2, with the conversion of halves.
static AVX2: RowKernels = RowKernels {
    name: "AVX2",
    bytes: |rows, numbers, query, products| {
        // SAFETY: this table is handed out only where AVX2 and F16C were found.
        unsafe { bytes_avx2(rows, numbers, query, products) }
    },
    scores: |rows, numbers, query, weights, scores| {
        // SAFETY: as above.
        unsafe { scores_avx2(rows, numbers, query, weights, scores) }
    },
    fine: |rows, numbers, query, products| {
        // SAFETY: as above.
        unsafe { fine_avx2(rows, numbers, query, products) }
    },
    halves: |rows, numbers, query, products| {
        // SAFETY: as above.
        unsafe { halves_avx2(rows, numbers, query, products) }
    },
    floats: |rows, numbers, query, products| {
        // SAFETY: as above.
        unsafe { floats_avx2(rows, numbers, query, products) }
    },
    pair: |a, b| {
        // SAFETY: as above.
        unsafe { pair_avx2(a, b) }
    },
};

/// AVX-512 with VNNI.
static AVX512: RowKernels = RowKernels {
    name: "AVX-512 VNNI",
    bytes: |rows, numbers, query, products| {
        // SAFETY: this table is handed out only where AVX-512 F, BW and VNNI were found.
        unsafe { bytes_avx512(rows, numbers, query, products) }
    },
    scores: |rows, numbers, query, weights, scores| {
        // SAFETY: as above.
        unsafe { scores_avx512(rows, numbers, query, weights, scores) }
    },
    fine: |rows, numbers, query, products| {
        // SAFETY: as above.
        unsafe { fine_avx512(rows, numbers, query, products) }
    },
    halves: |rows, numbers, query, products| {
        // SAFETY: as above.
        unsafe { halves_avx512(rows, numbers, query, products) }
    },
    floats: |rows, numbers, query, products| {
        // SAFETY: as above.
        unsafe { floats_avx512(rows, numbers, query, products) }
    },
    pair: |a, b| {
        // SAFETY: as above.
        unsafe { pair_avx512(a, b) }
    },
};

/// What this processor has, the best last.
pub(super) fn available() -> impl Iterator<Item = &'static RowKernels> {
    let avx2 = has!("avx2") && has!("f16c");
    let avx512 = has!("avx512f") && has!("avx512bw") && has!("avx512vnni");
    [avx2.then_some(&AVX2), avx512.then_some(&AVX512)]
        .into_iter()
        .flatten()
}

#[target_feature(enable = "avx512f,avx512bw,avx512vnni")]
fn bytes_avx512(rows: &Rows<'_>, numbers: &[u32], query: &Integers, products: &mut [i32]) {
    bytes_by(rows, numbers, query, products, |row, query| {
        of_bytes_avx512(row, query)
    });
}

#[target_feature(enable = "avx512f,avx512bw,avx512vnni")]
fn scores_avx512(
    rows: &Rows<'_>,
    numbers: &[u32],
    query: &Integers,
    weights: Weights,
    scores: &mut [f32],
) {
    scores_by(rows, numbers, (query, weights), scores, |row, query| {
        of_bytes_avx512(row, query)
    });
}

#[target_feature(enable = "avx512f,avx512bw,avx512vnni")]
#[inline]
fn of_bytes_avx512(row: &[u8], query: &Integers) -> i32 {
    // Bytes are multiplied as they lie, unsigned: 128 times the sum of the query is too much.
    let excess = -i32::from(OFFSET) * query.sum;
    let (mut even, mut odd) = (
        _mm512_zextsi128_si512(_mm_cvtsi32_si128(excess)),
        _mm512_setzero_si512(),
    );
    let (pairs, last) = row.as_chunks::<128>();
    let (query_pairs, query_last) = query.values.as_chunks::<128>();
    for (row, query) in pairs.iter().zip(query_pairs) {
        // SAFETY: both are 128 bytes long.
        unsafe {
            let (row, query) = (row.as_ptr().cast::<__m512i>(), query.as_ptr().cast());
            even = multiply_avx512(even, row, query);
            odd = multiply_avx512(odd, row.add(1), query.add(1));
        }
    }
    if let (Some(row), Some(query)) = (last.first_chunk::<64>(), query_last.first_chunk::<64>()) {
        // SAFETY: both are 64 bytes long.
        even = unsafe { multiply_avx512(even, row.as_ptr().cast(), query.as_ptr().cast()) };
    }
    _mm512_reduce_add_epi32(_mm512_add_epi32(even, odd))
}

/// Adds the products of 64 unsigned bytes with as many integers to sixteen sums. Both must be there.
#[target_feature(enable = "avx512f,avx512vnni")]
unsafe fn multiply_avx512(
    sums: __m512i,
    bytes: *const __m512i,
    integers: *const __m512i,
) -> __m512i {
    // SAFETY: the caller's.
    unsafe {
        _mm512_dpbusd_epi32(
            sums,
            _mm512_loadu_si512(bytes),
            _mm512_loadu_si512(integers),
        )
    }
}

#[target_feature(enable = "avx512f,avx512bw,avx512vnni")]
fn fine_avx512(
    rows: &[Rows<'_>; 2],
    numbers: &[u32],
    query: &[Integers; 3],
    products: &mut [Parts],
) {
    let excess = |sum: i32| _mm512_zextsi128_si512(_mm_cvtsi32_si128(-i32::from(OFFSET) * sum));
    let [a, b, c] = query;
    let excesses = [excess(a.sum), excess(a.sum + b.sum), excess(b.sum + c.sum)];
    let [a, b, c] = [a, b, c].map(|part| part.values.as_chunks::<64>().0);
    each_of_all(*rows, numbers, |place, [row, left]| {
        let ((row, _), (left, _)) = (row.as_chunks::<64>(), left.as_chunks::<64>());
        let [mut high, mut middle, mut low] = excesses;
        for ((((row, left), a), b), c) in row.iter().zip(left).zip(a).zip(b).zip(c) {
            // SAFETY: all are 64 bytes long.
            unsafe {
                let (row, left) = (row.as_ptr().cast(), left.as_ptr().cast());
                let (a, b, c) = (a.as_ptr().cast(), b.as_ptr().cast(), c.as_ptr().cast());
                high = multiply_avx512(high, row, a);
                middle = multiply_avx512(multiply_avx512(middle, row, b), left, a);
                low = multiply_avx512(multiply_avx512(low, row, c), left, b);
            }
        }
        products[place] = [high, middle, low].map(|sums| _mm512_reduce_add_epi32(sums));
    });
}

#[target_feature(enable = "avx512f,avx512bw,avx512vnni")]
fn pair_avx512(a: &[u8], b: &[u8]) -> i32 {
    let (a, _) = a.as_chunks::<64>();
    let (b, _) = b.as_chunks::<64>();
    // SAFETY: a chunk has 64 bytes.
    let load = |chunk: &[u8; 64]| unsafe { _mm512_loadu_si512(chunk.as_ptr().cast()) };
    let offset = _mm512_set1_epi8(-128);
    let (mut sum, mut excess) = (_mm512_setzero_si512(), _mm512_setzero_si512());
    for (a, b) in a.iter().zip(b) {
        let b = _mm512_xor_si512(load(b), offset);
        sum = _mm512_dpbusd_epi32(sum, load(a), b);
        excess = _mm512_dpbusd_epi32(excess, offset, b);
    }
    _mm512_reduce_add_epi32(_mm512_sub_epi32(sum, excess))
}

#[target_feature(enable = "avx512f,avx512bw,avx512vnni")]
fn halves_avx512(rows: &Rows<'_>, numbers: &[u32], query: &[f32], products: &mut [f32]) {
    each_row(rows, numbers, |place, row| {
        let (chunks, rest) = row.as_chunks::<{ 2 * LANES }>();
        let (queries, query_rest) = query.as_chunks::<LANES>();
        let mut sums = [_mm512_setzero_ps(); 4];
        for (chunk, query) in chunks.iter().zip(queries) {
            for (at, sum) in sums.iter_mut().enumerate() {
                // SAFETY: 16 halves and 16 floats from the `at`-th sixteenth of 64 on.
                let (row, query) = unsafe {
                    let halves = _mm256_loadu_si256(chunk.as_ptr().add(32 * at).cast());
                    (
                        _mm512_cvtph_ps(halves),
                        _mm512_loadu_ps(query.as_ptr().add(16 * at)),
                    )
                };
                *sum = _mm512_add_ps(*sum, _mm512_mul_ps(row, query));
            }
        }
        products[place] = finish_avx512(sums, halves_of(rest), query_rest);
    });
}

#[target_feature(enable = "avx512f,avx512bw,avx512vnni")]
fn floats_avx512(rows: &Rows<'_>, numbers: &[u32], query: &[f32], products: &mut [f32]) {
    each_row(rows, numbers, |place, row| {
        let (chunks, rest) = row.as_chunks::<{ 4 * LANES }>();
        let (queries, query_rest) = query.as_chunks::<LANES>();
        let mut sums = [_mm512_setzero_ps(); 4];
        for (chunk, query) in chunks.iter().zip(queries) {
            for (at, sum) in sums.iter_mut().enumerate() {
                // SAFETY: 16 floats each from the `at`-th sixteenth of 64 on.
                let (row, query) = unsafe {
                    let row = _mm512_loadu_ps(chunk.as_ptr().add(64 * at).cast());
                    (row, _mm512_loadu_ps(query.as_ptr().add(16 * at)))
                };
                *sum = _mm512_add_ps(*sum, _mm512_mul_ps(row, query));
            }
        }
        products[place] = finish_avx512(sums, floats_of(rest), query_rest);
    });
}

#[target_feature(enable = "avx512f")]
fn finish_avx512(sums: [__m512; 4], rest: impl Iterator<Item = f32>, query: &[f32]) -> f32 {
    if query.is_empty() {
        // As `add_up` does it.
        let [a, b, c, d] = sums;
        let sum = _mm512_add_ps(_mm512_add_ps(a, c), _mm512_add_ps(b, d));
        let upper = _mm512_extractf64x4_pd::<1>(_mm512_castps_pd(sum));
        return add_up_floats(_mm256_add_ps(
            _mm512_castps512_ps256(sum),
            _mm256_castpd_ps(upper),
        ));
    }
    let mut lanes = [0.0; LANES];
    for (lanes, sum) in lanes.chunks_exact_mut(16).zip(sums) {
        // SAFETY: a chunk has 16 floats.
        unsafe { _mm512_storeu_ps(lanes.as_mut_ptr(), sum) };
    }
    plain::add_rest(&mut lanes, rest, query);
    add_up(lanes)
}

/// The sum of eight integers.
#[target_feature(enable = "avx2")]
fn add_up_avx2(sums: __m256i) -> i32 {
    let four = _mm_add_epi32(
        _mm256_castsi256_si128(sums),
        _mm256_extracti128_si256::<1>(sums),
    );
    let two = _mm_add_epi32(four, _mm_unpackhi_epi64(four, four));
    _mm_cvtsi128_si32(_mm_add_epi32(two, _mm_shuffle_epi32::<1>(two)))
}

/// 16 stored bytes as integers.
#[target_feature(enable = "avx2")]
fn integers_avx2(chunk: &[u8; 16]) -> __m256i {
    // SAFETY: a chunk has 16 bytes.
    let bytes = unsafe { _mm_loadu_si128(chunk.as_ptr().cast()) };
    _mm256_sub_epi16(_mm256_cvtepu8_epi16(bytes), _mm256_set1_epi16(128))
}

#[target_feature(enable = "avx2,f16c")]
fn bytes_avx2(rows: &Rows<'_>, numbers: &[u32], query: &Integers, products: &mut [i32]) {
    bytes_by(rows, numbers, query, products, |row, query| {
        of_bytes_avx2(row, query)
    });
}

#[target_feature(enable = "avx2,f16c")]
fn fine_avx2(rows: &[Rows<'_>; 2], numbers: &[u32], query: &[Integers; 3], products: &mut [Parts]) {
    fine_by(rows, numbers, query, products, |row, query| {
        of_bytes_avx2(row, query)
    });
}

#[target_feature(enable = "avx2,f16c")]
fn scores_avx2(
    rows: &Rows<'_>,
    numbers: &[u32],
    query: &Integers,
    weights: Weights,
    scores: &mut [f32],
) {
    scores_by(rows, numbers, (query, weights), scores, |row, query| {
        of_bytes_avx2(row, query)
    });
}

#[target_feature(enable = "avx2")]
fn of_bytes_avx2(row: &[u8], query: &Integers) -> i32 {
    let (row, _) = row.as_chunks::<16>();
    let (query, _) = query.values.as_chunks::<16>();
    let mut sums = [_mm256_setzero_si256(); 2];
    for (at, (row, query)) in row.iter().zip(query).enumerate() {
        // SAFETY: a chunk has 16 bytes.
        let query = unsafe { _mm_loadu_si128(query.as_ptr().cast()) };
        let product = _mm256_madd_epi16(integers_avx2(row), _mm256_cvtepi8_epi16(query));
        sums[at % 2] = _mm256_add_epi32(sums[at % 2], product);
    }
    add_up_avx2(_mm256_add_epi32(sums[0], sums[1]))
}

#[target_feature(enable = "avx2,f16c")]
fn pair_avx2(a: &[u8], b: &[u8]) -> i32 {
    let (a, _) = a.as_chunks::<16>();
    let (b, _) = b.as_chunks::<16>();
    let mut sums = _mm256_setzero_si256();
    for (a, b) in a.iter().zip(b) {
        let product = _mm256_madd_epi16(integers_avx2(a), integers_avx2(b));
        sums = _mm256_add_epi32(sums, product);
    }
    add_up_avx2(sums)
}

#[target_feature(enable = "avx2,f16c")]
fn halves_avx2(rows: &Rows<'_>, numbers: &[u32], query: &[f32], products: &mut [f32]) {
    each_row(rows, numbers, |place, row| {
        let (chunks, rest) = row.as_chunks::<{ 2 * LANES }>();
        let (queries, query_rest) = query.as_chunks::<LANES>();
        let mut sums = [_mm256_setzero_ps(); 8];
        for (chunk, query) in chunks.iter().zip(queries) {
            for (at, sum) in sums.iter_mut().enumerate() {
                // SAFETY: 8 halves and 8 floats from the `at`-th eighth of 64 on.
                let (row, query) = unsafe {
                    let halves = _mm_loadu_si128(chunk.as_ptr().add(16 * at).cast());
                    (
                        _mm256_cvtph_ps(halves),
                        _mm256_loadu_ps(query.as_ptr().add(8 * at)),
                    )
                };
                *sum = _mm256_add_ps(*sum, _mm256_mul_ps(row, query));
            }
        }
        products[place] = finish_avx2(sums, halves_of(rest), query_rest);
    });
}

#[target_feature(enable = "avx2,f16c")]
fn floats_avx2(rows: &Rows<'_>, numbers: &[u32], query: &[f32], products: &mut [f32]) {
    each_row(rows, numbers, |place, row| {
        let (chunks, rest) = row.as_chunks::<{ 4 * LANES }>();
        let (queries, query_rest) = query.as_chunks::<LANES>();
        let mut sums = [_mm256_setzero_ps(); 8];
        for (chunk, query) in chunks.iter().zip(queries) {
            for (at, sum) in sums.iter_mut().enumerate() {
                // SAFETY: 8 floats each from the `at`-th eighth of 64 on.
                let (row, query) = unsafe {
                    let row = _mm256_loadu_ps(chunk.as_ptr().add(32 * at).cast());
                    (row, _mm256_loadu_ps(query.as_ptr().add(8 * at)))
                };
                *sum = _mm256_add_ps(*sum, _mm256_mul_ps(row, query));
            }
        }
        products[place] = finish_avx2(sums, floats_of(rest), query_rest);
    });
}

#[target_feature(enable = "avx2")]
fn finish_avx2(sums: [__m256; 8], rest: impl Iterator<Item = f32>, query: &[f32]) -> f32 {
    if query.is_empty() {
        // As `add_up` does it.
        let [a, b, c, d, e, f, g, h] = sums;
        let first = _mm256_add_ps(_mm256_add_ps(a, e), _mm256_add_ps(c, g));
        let second = _mm256_add_ps(_mm256_add_ps(b, f), _mm256_add_ps(d, h));
        return add_up_floats(_mm256_add_ps(first, second));
    }
    let mut lanes = [0.0; LANES];
    for (lanes, sum) in lanes.chunks_exact_mut(8).zip(sums) {
        // SAFETY: a chunk has 8 floats.
        unsafe { _mm256_storeu_ps(lanes.as_mut_ptr(), sum) };
    }
    plain::add_rest(&mut lanes, rest, query);
    add_up(lanes)
}

/// The sum of eight floats, in halves.
#[target_feature(enable = "avx2")]
fn add_up_floats(eight: __m256) -> f32 {
    let four = _mm_add_ps(
        _mm256_castps256_ps128(eight),
        _mm256_extractf128_ps::<1>(eight),
    );
    let two = _mm_add_ps(four, _mm_movehl_ps(four, four));
    _mm_cvtss_f32(_mm_add_ss(two, _mm_shuffle_ps::<1>(two, two)))
}

fn halves_of(bytes: &[u8]) -> impl Iterator<Item = f32> {
    let (halves, _) = bytes.as_chunks::<2>();
    halves.iter().map(|&bits| f16::from_le_bytes(bits).to_f32())
}

fn floats_of(bytes: &[u8]) -> impl Iterator<Item = f32> {
    let (floats, _) = bytes.as_chunks::<4>();
    floats.iter().map(|&bits| f32::from_le_bytes(bits))
}

//! The inner loops for AVX2 and AVX-512.

use std::arch::x86_64::*;

use super::{BLOCK, Kernels, Places, plain, words};

/// AVX2: eight integers at a time.
static AVX2: Kernels = Kernels {
    name: "AVX2",
    unpack: |width, packed, values| {
        // SAFETY: this table is handed out only where AVX2 was found.
        unsafe { unpack_avx2(width, packed, values) }
    },
    unpack_some: plain::KERNELS.unpack_some,
    add_up: |base, values| {
        // SAFETY: as above.
        unsafe { add_up_avx2(base, values) }
    },
    ones: plain::KERNELS.ones,
    add_high: |shift, places, values| {
        // SAFETY: as above.
        unsafe { add_high_avx2(shift, places, values) }
    },
    spread: plain::KERNELS.spread,
    below: |values, bound| {
        // SAFETY: as above.
        unsafe { below_avx2(values, bound) }
    },
};

/// AVX-512 with the byte permutations of Ice Lake and Zen 4: sixteen integers at a time.
static AVX512: Kernels = Kernels {
    name: "AVX-512",
    unpack: |width, packed, values| {
        // SAFETY: this table is handed out only where AVX-512 F, BW, VL, VBMI and VBMI2 were found.
        unsafe { unpack_avx512(width, packed, values) }
    },
    unpack_some: |width, packed, count, values| {
        // SAFETY: as above.
        unsafe { unpack_some_avx512(width, packed, count, values) }
    },
    add_up: |base, values| {
        // SAFETY: as above.
        unsafe { add_up_avx512(base, values) }
    },
    ones: |bits, places| {
        // SAFETY: as above.
        unsafe { ones_avx512(bits, places) }
    },
    add_high: |shift, places, values| {
        // SAFETY: as above.
        unsafe { add_high_avx512(shift, places, values) }
    },
    spread: |shift, bits, sums, values| {
        // SAFETY: as above.
        unsafe { spread_avx512(shift, bits, sums, values) }
    },
    below: |values, bound| {
        // SAFETY: as above.
        unsafe { below_avx512(values, bound) }
    },
};

/// What this processor has, the best last.
pub(super) fn available() -> impl Iterator<Item = &'static Kernels> {
    let avx2 = is_x86_feature_detected!("avx2");
    let avx512 = avx2
        && is_x86_feature_detected!("avx512f")
        && is_x86_feature_detected!("avx512bw")
        && is_x86_feature_detected!("avx512vl")
        && is_x86_feature_detected!("avx512vbmi")
        && is_x86_feature_detected!("avx512vbmi2");
    [(avx2, &AVX2), (avx512, &AVX512)]
        .into_iter()
        .filter_map(|(there, kernels)| there.then_some(kernels))
}

/// Whether `packed` holds what is unpacked and the padding.
fn is_whole(width: u8, packed: &[u8]) -> bool {
    width <= 32 && packed.len() >= usize::from(width) * BLOCK / 8 + 64
}

/// For each width and each of eight integers in a row, the first byte it lies in and how far it is shifted there.
const fn places<const N: usize>() -> [[(u8, u8); N]; 33] {
    let mut places = [[(0, 0); N]; 33];
    let mut width = 0;
    while width <= 32 {
        let mut at = 0;
        while at < N {
            let bit = at * width;
            places[width][at] = ((bit / 8) as u8, (bit % 8) as u8);
            at += 1;
        }
        width += 1;
    }
    places
}

/// Bytes and shifts for [`unpack_avx512`]: eight 64-bit lanes, each with the eight bytes from where an integer begins.
static LANES_OF_64: [([u8; 64], [u64; 8]); 33] = {
    let places = places::<8>();
    let mut lanes = [([0; 64], [0; 8]); 33];
    let mut width = 0;
    while width <= 32 {
        let mut at = 0;
        while at < 8 {
            let (byte, shift) = places[width][at];
            let mut offset = 0;
            while offset < 8 {
                // At most 28 + 7: inside the 64 bytes that are loaded.
                lanes[width].0[at * 8 + offset] = byte + offset as u8;
                offset += 1;
            }
            lanes[width].1[at] = shift as u64;
            at += 1;
        }
        width += 1;
    }
    lanes
};

#[target_feature(enable = "avx2,avx512f,avx512bw,avx512vbmi,avx512vbmi2")]
fn unpack_avx512(width: u8, packed: &[u8], values: &mut [u32; BLOCK]) -> bool {
    if !is_whole(width, packed) {
        return false;
    }
    let unpack = unpack_eight(width);
    for (group, values) in values.chunks_exact_mut(8).enumerate() {
        // SAFETY: group × width is at most 15 × width, and 16 × width + 64 bytes are there, as `is_whole` says; a chunk has eight
        // integers.
        unsafe {
            let loaded = packed.as_ptr().add(group * usize::from(width)).cast();
            let narrow = unpack(_mm512_loadu_si512(loaded));
            _mm256_storeu_si256(values.as_mut_ptr().cast(), narrow);
        }
    }
    true
}

/// What takes the first eight integers of so many bits, at most 32, out of 64 bytes.
#[target_feature(enable = "avx512f,avx512bw,avx512vbmi")]
#[inline]
fn unpack_eight(width: u8) -> impl Fn(__m512i) -> __m256i {
    let (bytes, shifts) = &LANES_OF_64[usize::from(width)];
    // SAFETY: both tables are 64 bytes long.
    let (bytes, shifts) = unsafe {
        (
            _mm512_loadu_si512(bytes.as_ptr().cast()),
            _mm512_loadu_si512(shifts.as_ptr().cast()),
        )
    };
    let mask = _mm512_set1_epi64(((1u64 << width) - 1) as i64);
    move |loaded| {
        let lanes = _mm512_srlv_epi64(_mm512_permutexvar_epi8(bytes, loaded), shifts);
        _mm512_cvtepi64_epi32(_mm512_and_si512(lanes, mask))
    }
}

#[target_feature(enable = "avx2,avx512f,avx512bw,avx512vl,avx512vbmi,avx512vbmi2")]
fn unpack_some_avx512(width: u8, packed: &[u8], count: usize, values: &mut [u32]) -> u32 {
    let unpack = unpack_eight(width);
    let mut largest = _mm256_setzero_si256();
    let mut done = 0;
    let (chunks, _) = values.as_chunks_mut::<8>();
    for chunk in chunks {
        let start = done / 8 * usize::from(width);
        if done >= count || packed.len() < start + 64 {
            break;
        }
        let wanted = 0xFF_u8 >> (8 - (count - done).min(8));
        // SAFETY: 64 bytes are there from `start` on, and a chunk has eight integers.
        unsafe {
            let unpacked = unpack(_mm512_loadu_si512(packed.as_ptr().add(start).cast()));
            largest = _mm256_mask_max_epu32(largest, wanted, largest, unpacked);
            // All eight: what a masked store leaves cannot be read as soon.
            _mm256_storeu_si256(chunk.as_mut_ptr().cast(), unpacked);
        }
        done += 8;
    }
    let done = done.min(count);
    let rest = plain::unpack_from(done, width, packed, &mut values[done..count]);
    let four = _mm_max_epu32(
        _mm256_castsi256_si128(largest),
        _mm256_extracti128_si256::<1>(largest),
    );
    let two = _mm_max_epu32(four, _mm_unpackhi_epi64(four, four));
    let one = _mm_max_epu32(two, _mm_shuffle_epi32::<1>(two));
    rest.max(_mm_cvtsi128_si32(one).cast_unsigned())
}

#[target_feature(enable = "avx2,avx512f,avx512bw,avx512vbmi,avx512vbmi2")]
fn add_up_avx512(base: u32, values: &mut [u32; BLOCK]) {
    let zero = _mm512_setzero_si512();
    let one = _mm512_set1_epi32(1);
    let last = _mm512_set1_epi32(15);
    let mut carry = _mm512_set1_epi32(base.wrapping_sub(1) as i32);
    for values in values.chunks_exact_mut(16) {
        // SAFETY: a chunk has sixteen integers.
        let gaps = unsafe { _mm512_loadu_si512(values.as_ptr().cast()) };
        let mut sums = _mm512_add_epi32(gaps, one);
        sums = _mm512_add_epi32(sums, _mm512_alignr_epi32::<15>(sums, zero));
        sums = _mm512_add_epi32(sums, _mm512_alignr_epi32::<14>(sums, zero));
        sums = _mm512_add_epi32(sums, _mm512_alignr_epi32::<12>(sums, zero));
        sums = _mm512_add_epi32(sums, _mm512_alignr_epi32::<8>(sums, zero));
        sums = _mm512_add_epi32(sums, carry);
        // SAFETY: as above.
        unsafe { _mm512_storeu_si512(values.as_mut_ptr().cast(), sums) };
        carry = _mm512_permutexvar_epi32(last, sums);
    }
}

/// The numbers of the 64 bits of a word.
static NUMBERS: [u8; 64] = {
    let mut numbers = [0; 64];
    let mut at = 0;
    while at < 64 {
        numbers[at] = at as u8;
        at += 1;
    }
    numbers
};

#[target_feature(enable = "avx2,avx512f,avx512bw,avx512vbmi,avx512vbmi2")]
fn ones_avx512(bits: &[u8], places: &mut Places) -> usize {
    // SAFETY: the table is 64 bytes long.
    let numbers = unsafe { _mm512_loadu_si512(NUMBERS.as_ptr().cast()) };
    let mut count = 0;
    for (word, base) in words(bits).zip((0u16..).step_by(64)) {
        let set = _mm512_maskz_compress_epi8(word, numbers);
        let base = _mm512_set1_epi16(base as i16);
        let low = _mm512_cvtepu8_epi16(_mm512_castsi512_si256(set));
        let high = _mm512_cvtepu8_epi16(_mm512_extracti64x4_epi64::<1>(set));
        // SAFETY: `count` is below 128, and there is room for 64 places more.
        unsafe {
            let to = places.0.as_mut_ptr().add(count);
            _mm512_storeu_si512(to.cast(), _mm512_add_epi16(low, base));
            _mm512_storeu_si512(to.add(32).cast(), _mm512_add_epi16(high, base));
        }
        count += word.count_ones() as usize;
        if count >= BLOCK {
            return BLOCK;
        }
    }
    count
}

#[target_feature(enable = "avx2,avx512f,avx512bw,avx512vbmi,avx512vbmi2")]
fn add_high_avx512(shift: u8, places: &Places, values: &mut [u32; BLOCK]) {
    let shift = _mm_cvtsi32_si128(i32::from(shift % 32));
    let mut index = _mm512_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15);
    for (values, places) in values.chunks_exact_mut(16).zip(places.0.chunks_exact(16)) {
        // SAFETY: both chunks have sixteen integers.
        let (own, places) = unsafe {
            (
                _mm512_loadu_si512(values.as_ptr().cast()),
                _mm512_cvtepu16_epi32(_mm256_loadu_si256(places.as_ptr().cast())),
            )
        };
        let high = _mm512_sll_epi32(_mm512_sub_epi32(places, index), shift);
        // SAFETY: as above.
        unsafe { _mm512_storeu_si512(values.as_mut_ptr().cast(), _mm512_add_epi32(own, high)) };
        index = _mm512_add_epi32(index, _mm512_set1_epi32(16));
    }
}

#[target_feature(enable = "avx2,avx512f,avx512bw,avx512vbmi,avx512vbmi2")]
fn spread_avx512(shift: u8, bits: &[u8], sums: &[u32; BLOCK], values: &mut [u32; BLOCK]) {
    let shift = _mm_cvtsi32_si128(i32::from(shift % 32));
    let mut before = _mm512_set1_epi32(-1);
    let mut taken = 0;
    for (bits, values) in bits.chunks(2).zip(values.chunks_exact_mut(16)) {
        let bits = bits.iter().rev();
        let bits = bits.fold(0, |word, &bits| word << 8 | u16::from(bits));
        let count = bits.count_ones() as usize;
        // SAFETY: at most 16 bits for each of 8 chunks were counted: only sums below BLOCK are loaded. A chunk of
        // values has sixteen.
        unsafe {
            let there = ((1u32 << count) - 1) as u16;
            let own = _mm512_maskz_loadu_epi32(there, sums.as_ptr().add(taken).cast());
            let high = _mm512_sub_epi32(own, _mm512_alignr_epi32::<15>(own, before));
            let high = _mm512_sll_epi32(_mm512_maskz_expand_epi32(bits, high), shift);
            let value = _mm512_loadu_si512(values.as_ptr().cast());
            let value = _mm512_add_epi32(value, high);
            _mm512_storeu_si512(values.as_mut_ptr().cast(), value);
        }
        taken += count;
        if let Some(&last) = sums[..taken].last() {
            before = _mm512_set1_epi32(last as i32);
        }
    }
}

#[target_feature(enable = "avx2,avx512f,avx512bw,avx512vbmi,avx512vbmi2")]
fn below_avx512(values: &[u32; BLOCK], bound: u32) -> usize {
    let bound = _mm512_set1_epi32(bound as i32);
    let mut count = 0;
    for values in values.chunks_exact(16) {
        // SAFETY: a chunk has sixteen integers.
        let values = unsafe { _mm512_loadu_si512(values.as_ptr().cast()) };
        count += _mm512_cmplt_epu32_mask(values, bound).count_ones();
    }
    count as usize
}

/// Bytes and shifts for [`unpack_avx2`]: eight 32-bit lanes, each with the four bytes from where an integer begins,
/// counted in the upper half from where the fifth does.
static LANES_OF_32: [([u8; 32], [u32; 8]); 26] = {
    let places = places::<8>();
    let mut lanes = [([0; 32], [0; 8]); 26];
    let mut width = 0;
    while width < 26 {
        let mut at = 0;
        while at < 8 {
            let (byte, shift) = places[width][at];
            let first = if at < 4 { 0 } else { places[width][4].0 };
            let mut offset = 0;
            while offset < 4 {
                // At most 9 + 3: inside the 16 bytes that are loaded for a half.
                lanes[width].0[at * 4 + offset] = byte - first + offset as u8;
                offset += 1;
            }
            lanes[width].1[at] = shift as u32;
            at += 1;
        }
        width += 1;
    }
    lanes
};

#[target_feature(enable = "avx2")]
fn unpack_avx2(width: u8, packed: &[u8], values: &mut [u32; BLOCK]) -> bool {
    // An integer of more bits may lie in five bytes.
    let Some((bytes, shifts)) = LANES_OF_32.get(usize::from(width)) else {
        return (plain::KERNELS.unpack)(width, packed, values);
    };
    if !is_whole(width, packed) {
        return false;
    }
    // SAFETY: both tables are 32 bytes long.
    let (bytes, shifts) = unsafe {
        (
            _mm256_loadu_si256(bytes.as_ptr().cast()),
            _mm256_loadu_si256(shifts.as_ptr().cast()),
        )
    };
    let mask = _mm256_set1_epi32(((1u64 << width) - 1) as i32);
    let half = usize::from(width) / 2;
    for (group, values) in values.chunks_exact_mut(8).enumerate() {
        let at = group * usize::from(width);
        // SAFETY: at + half + 16 is at most 15.5 × width + 16, and 16 × width + 64 bytes are there, as `is_whole` says.
        let loaded = unsafe {
            let low = packed.as_ptr().add(at);
            _mm256_loadu2_m128i(low.add(half).cast(), low.cast())
        };
        let lanes = _mm256_srlv_epi32(_mm256_shuffle_epi8(loaded, bytes), shifts);
        // SAFETY: a chunk has eight integers.
        unsafe { _mm256_storeu_si256(values.as_mut_ptr().cast(), _mm256_and_si256(lanes, mask)) };
    }
    true
}

#[target_feature(enable = "avx2")]
fn add_up_avx2(base: u32, values: &mut [u32; BLOCK]) {
    let one = _mm256_set1_epi32(1);
    let last = _mm256_set1_epi32(7);
    let mut carry = _mm256_set1_epi32(base.wrapping_sub(1) as i32);
    for values in values.chunks_exact_mut(8) {
        // SAFETY: a chunk has eight integers.
        let gaps = unsafe { _mm256_loadu_si256(values.as_ptr().cast()) };
        let mut sums = _mm256_add_epi32(gaps, one);
        // Inside each half, then the sum of the lower half to the upper.
        sums = _mm256_add_epi32(sums, _mm256_slli_si256::<4>(sums));
        sums = _mm256_add_epi32(sums, _mm256_slli_si256::<8>(sums));
        let lower = _mm256_permute2x128_si256::<0x08>(sums, sums);
        sums = _mm256_add_epi32(sums, _mm256_shuffle_epi32::<0xff>(lower));
        sums = _mm256_add_epi32(sums, carry);
        // SAFETY: as above.
        unsafe { _mm256_storeu_si256(values.as_mut_ptr().cast(), sums) };
        carry = _mm256_permutevar8x32_epi32(sums, last);
    }
}

#[target_feature(enable = "avx2")]
fn add_high_avx2(shift: u8, places: &Places, values: &mut [u32; BLOCK]) {
    let shift = _mm_cvtsi32_si128(i32::from(shift % 32));
    let mut index = _mm256_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7);
    for (values, places) in values.chunks_exact_mut(8).zip(places.0.chunks_exact(8)) {
        // SAFETY: both chunks have eight integers.
        let (own, places) = unsafe {
            (
                _mm256_loadu_si256(values.as_ptr().cast()),
                _mm256_cvtepu16_epi32(_mm_loadu_si128(places.as_ptr().cast())),
            )
        };
        let high = _mm256_sll_epi32(_mm256_sub_epi32(places, index), shift);
        // SAFETY: as above.
        unsafe { _mm256_storeu_si256(values.as_mut_ptr().cast(), _mm256_add_epi32(own, high)) };
        index = _mm256_add_epi32(index, _mm256_set1_epi32(8));
    }
}

#[target_feature(enable = "avx2")]
fn below_avx2(values: &[u32; BLOCK], bound: u32) -> usize {
    // Comparisons are signed: the sign is turned over on both sides.
    let sign = _mm256_set1_epi32(i32::MIN);
    let bound = _mm256_xor_si256(_mm256_set1_epi32(bound as i32), sign);
    let mut count = _mm256_setzero_si256();
    for values in values.chunks_exact(8) {
        // SAFETY: a chunk has eight integers.
        let values = unsafe { _mm256_loadu_si256(values.as_ptr().cast()) };
        count = _mm256_sub_epi32(
            count,
            _mm256_cmpgt_epi32(bound, _mm256_xor_si256(values, sign)),
        );
    }
    let mut counts = [0u32; 8];
    // SAFETY: eight integers.
    unsafe { _mm256_storeu_si256(counts.as_mut_ptr().cast(), count) };
    counts.iter().sum::<u32>() as usize
}

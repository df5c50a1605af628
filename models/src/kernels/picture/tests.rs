use super::*;

/// A generator of random numbers, the same every time.
fn random() -> impl FnMut() -> u32 {
    let mut state = 0x9E37_79B9_7F4A_7C15u64;
    move || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        (state >> 16) as u32
    }
}

/// Bytes of any value, with many at both ends of the range.
fn bytes(random: &mut impl FnMut() -> u32, len: usize) -> Vec<u8> {
    let byte = |_| match random() % 8 {
        0 => 0,
        1 => 255,
        _ => random() as u8,
    };
    (0..len).map(byte).collect()
}

/// Weights from −1.5 to 1.5 in size: more than those of any filter, so that sums wrap.
fn weights(random: &mut impl FnMut() -> u32, len: usize) -> Vec<i32> {
    let most = 3 << (PRECISION - 1);
    (0..len)
        .map(|_| (random() % (2 * most)) as i32 - most as i32)
        .collect()
}

/// Taps of `pixels` pixels anywhere in `source` pixels.
fn taps(
    random: &mut impl FnMut() -> u32,
    source: usize,
    pixels: usize,
    most: usize,
) -> Vec<(usize, Vec<i32>)> {
    let pixel = |_| {
        let len = 1 + random() as usize % most.min(source);
        let start = random() as usize % (source - len + 1);
        (start, weights(random, len))
    };
    (0..pixels).map(pixel).collect()
}

fn packed(kernels: &Kernels, taps: &[(usize, Vec<i32>)]) -> Taps {
    Taps::new(kernels, taps.iter().map(|(at, weights)| (*at, &**weights)))
}

/// What plain Rust computes is what the formula says.
#[test]
fn plain_sums_are_weighted_rounded_and_clipped() {
    let half = 1 << (PRECISION - 1);
    let taps = packed(
        &plain::KERNELS,
        &[(1, vec![half, half]), (0, vec![-half, 3 * half])],
    );
    let row = [10, 0, 255, 21, 200, 255, 30, 201, 255];
    let padded = [&row[..], &[77; 6 + PADDING]].concat();
    let mut out = [0; 7];
    plain::KERNELS.across(&[&padded], &taps, &mut out, 7);
    // (21 + 30) / 2 is rounded up, (3 · 200 − 0) / 2 is clipped.
    assert_eq!(out[..6], [26, 201, 255, 27, 255, 255]);
    let source: Vec<u8> = [10, 21, 30]
        .into_iter()
        .flat_map(|value| [value; 64])
        .collect();
    let mut column = [0; 64];
    plain::KERNELS.down(&source, 64, &taps, 0, &mut column);
    assert_eq!(column, [26; 64]);
}

#[test]
fn every_instruction_set_filters_rows_as_plain_rust_does() {
    let mut random = random();
    for kernels in available() {
        for round in 0..200 {
            let source = [1, 2, 3, 4, 5, 7, 8, 31, 100, 1000][round % 10];
            let taps = taps(&mut random, source, round % 23, [5, 9, 60, 1000][round % 4]);
            let (expected_taps, taps) = (packed(&plain::KERNELS, &taps), packed(kernels, &taps));
            let len = taps.reach() * 3 + PADDING;
            let rows: [_; ROWS] = std::array::from_fn(|_| bytes(&mut random, len));
            let rows = rows.each_ref().map(|row| &**row);
            let rows = &rows[..1 + round % ROWS];
            let stride = taps.len() * 3 + 1 + round % 5;
            let mut expected = vec![0; rows.len() * stride];
            let mut got = expected.clone();
            plain::KERNELS.across(rows, &expected_taps, &mut expected, stride);
            kernels.across(rows, &taps, &mut got, stride);
            for (got, expected) in got.chunks(stride).zip(expected.chunks(stride)) {
                let pixels = taps.len() * 3;
                assert_eq!(got[..pixels], expected[..pixels], "{}", kernels.name);
            }
        }
    }
}

#[test]
fn every_instruction_set_filters_columns_as_plain_rust_does() {
    let mut random = random();
    for kernels in available() {
        for round in 0..200 {
            let source = [1, 2, 3, 4, 5, 7, 8, 31, 100][round % 9];
            let taps = taps(&mut random, source, 1 + round % 3, [5, 9, 60][round % 3]);
            let (expected_taps, taps) = (packed(&plain::KERNELS, &taps), packed(kernels, &taps));
            let width = STRIP * (round % 4);
            let stride = width + round % 70;
            let source = bytes(&mut random, source * stride);
            let mut expected = vec![0; width];
            let mut got = vec![0; width];
            for at in 0..taps.len() {
                plain::KERNELS.down(&source, stride, &expected_taps, at, &mut expected);
                kernels.down(&source, stride, &taps, at, &mut got);
                assert_eq!(got, expected, "{}", kernels.name);
            }
        }
    }
}

#[test]
fn every_instruction_set_doubles_colours_as_plain_rust_does() {
    let mut random = random();
    for kernels in available() {
        for len in (0..70).chain([100, 257]) {
            let (row, near) = (bytes(&mut random, len), bytes(&mut random, len));
            for from in [0, 1, 2, 5, 17, len.saturating_sub(1)] {
                let most = 2 * len.saturating_sub(from);
                for wanted in [most, most.saturating_sub(1), most / 2, most / 3, 1] {
                    if from > len || wanted > most {
                        continue;
                    }
                    let (mut expected, mut got) = (vec![0; wanted], vec![0; wanted]);
                    plain::KERNELS.double_both(&row, &near, from, &mut expected);
                    kernels.double_both(&row, &near, from, &mut got);
                    assert_eq!(got, expected, "{} {len} {from}", kernels.name);
                    plain::KERNELS.double_along(&row, from, &mut expected);
                    kernels.double_along(&row, from, &mut got);
                    assert_eq!(got, expected, "{} {len} {from}", kernels.name);
                }
            }
        }
    }
}

#[test]
fn every_instruction_set_knows_every_colour() {
    let mut random = random();
    for kernels in available() {
        // All differences of colour, with luma of any value.
        let cb: Vec<u8> = (0..=255).flat_map(|cb| [cb; 256]).collect();
        let cr: Vec<u8> = (0..256).flat_map(|_| 0..=255).collect();
        for _ in 0..4 {
            let y = bytes(&mut random, cb.len());
            let mut expected = vec![0; 3 * y.len()];
            let mut got = expected.clone();
            plain::KERNELS.rgb(&y, &cb, &cr, &mut expected);
            kernels.rgb(&y, &cb, &cr, &mut got);
            assert!(got == expected, "{}", kernels.name);
        }
        for len in 0..100 {
            let [y, cb, cr] = std::array::from_fn(|_| bytes(&mut random, len));
            let mut expected = vec![0; 3 * len];
            let mut got = expected.clone();
            plain::KERNELS.rgb(&y, &cb, &cr, &mut expected);
            kernels.rgb(&y, &cb, &cr, &mut got);
            assert_eq!(got, expected, "{}", kernels.name);
        }
    }
}

#[test]
#[should_panic]
fn rows_too_short_for_the_taps_are_refused() {
    let taps = packed(kernels(), &[(0, vec![1 << PRECISION; 4])]);
    kernels().across(&[&[0; 12 + PADDING - 1]], &taps, &mut [0; 4], 4);
}

#[test]
#[should_panic]
fn rows_missing_from_the_source_are_refused() {
    let taps = packed(kernels(), &[(1, vec![1 << PRECISION; 4])]);
    kernels().down(&[0; 4 * STRIP], STRIP, &taps, 0, &mut [0; STRIP]);
}

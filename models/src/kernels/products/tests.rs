use super::*;
use crate::kernels::buffer::{Buffer, Window};

/// A generator of random numbers, the same every time.
pub(crate) fn random() -> impl FnMut() -> u32 {
    let mut state = 0x9E37_79B9_7F4A_7C15_u64;
    move || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        (state >> 16) as u32
    }
}

/// A random number in −1..1.
pub(crate) fn unit(random: &mut impl FnMut() -> u32) -> f32 {
    (random() % 65_536) as f32 / 32_768.0 - 1.0
}

#[test]
fn integer_products_are_those_of_plain_rust_to_the_bit() {
    let mut random = random();
    for blocks in [0, 1, 2, 5, 16] {
        for (tiles, panels) in [(1, 1), (1, 2), (2, 1), (2, 2)] {
            let stride = (blocks + 1) * BLOCK_BYTES;
            let (mut a, mut b) = (Buffer::zeros(2 * stride), Buffer::zeros(2 * stride));
            a.fill_with(|| random() as i8);
            b.fill_with(|| random() as u8);
            // The extremes too: 255 · −128 is what saturates where a kernel is careless.
            if blocks == 5 {
                a.fill(-128);
                b.fill(255);
            }
            let operands = Int8Operands {
                a: &a,
                a_stride: stride,
                tiles,
                b: &b,
                b_stride: stride,
                panels,
                blocks,
                ahead: if tiles == 2 {
                    &b[..blocks * AHEAD]
                } else {
                    &[]
                },
            };
            let mut expected = Int8Block([0; SIDE * SIDE]);
            plain::PLAIN.enter().int8(&operands, &mut expected);
            for kernels in Kernels::available() {
                let mut got = Int8Block([0; SIDE * SIDE]);
                kernels.enter().int8(&operands, &mut got);
                for row in 0..tiles * TILE {
                    let columns = row * SIDE..row * SIDE + panels * TILE;
                    assert_eq!(
                        got.0[columns.clone()],
                        expected.0[columns],
                        "{} {blocks} {tiles} {panels} {row}",
                        kernels.name
                    );
                }
            }
        }
    }
}

#[test]
fn what_becomes_of_integer_sums_is_that_of_plain_rust() {
    let mut random = random();
    let mut numbers = || std::array::from_fn(|_| unit(&mut random));
    let (scales, biases, row_scales) = (numbers(), numbers(), numbers());
    let columns = Columns {
        scales,
        biases: biases.map(|bias: f32| 1e6 * bias),
    };
    let mut random = self::random();
    let totals: [i32; SIDE] = std::array::from_fn(|_| random() as i32 % 10_000);
    let mut block = Int8Block([0; SIDE * SIDE]);
    block.0.fill_with(|| random() as i32 % 4_000_000);
    let mut begun = [0.0; SIDE * SIDE];
    begun.fill_with(|| 1e6 * unit(&mut random));
    for height in [1, TILE, TILE + 5, SIDE] {
        let rows = RowScales {
            scales: &row_scales[..height.next_multiple_of(TILE)],
            totals: &totals[..height.next_multiple_of(TILE)],
        };
        for is_begun in [false, true] {
            let sums_by = |kernels: &'static Kernels| {
                let mut sums = begun;
                kernels.enter().add(&block, &rows, &mut sums, is_begun);
                sums
            };
            // Each by the formula, in double precision.
            let sums = sums_by(&plain::PLAIN);
            for (at, &sum) in sums.iter().enumerate().take(rows.scales.len() * SIDE) {
                let (row, before) = (at / SIDE, if is_begun { begun[at] } else { 0.0 });
                let number =
                    f64::from(block.0[at] - 128 * totals[row]) * f64::from(row_scales[row]);
                assert!((f64::from(sum) - number - f64::from(before)).abs() < 1.0);
            }
            for width in [1, 9, TILE, TILE + 3, SIDE] {
                let before = is_begun.then_some(&begun);
                let results_by = |kernels: &'static Kernels| {
                    // What lies beside the window is somebody else's.
                    let mut matrix = vec![7.0; (SIDE + 1) * (SIDE + 2)];
                    let mut window = Window::whole(&mut matrix, SIDE + 2);
                    let mut part = window.part(1..1 + height, 1..1 + width);
                    kernels
                        .enter()
                        .finish(&block, &rows, before, &columns, &mut part);
                    matrix
                };
                let expected = results_by(&plain::PLAIN);
                for (at, &x) in expected.iter().enumerate() {
                    let (row, column) = (at / (SIDE + 2), at % (SIDE + 2));
                    if !(1..=height).contains(&row) || !(1..=width).contains(&column) {
                        assert_eq!(x, 7.0);
                        continue;
                    }
                    let (scale, bias) = (scales[column - 1], columns.biases[column - 1]);
                    let sum = sums[(row - 1) * SIDE + column - 1];
                    assert!((x - (sum * scale + bias)).abs() <= 1e-6 * (1.0 + sum.abs()));
                }
                for kernels in Kernels::available() {
                    let near = |a: &f32, b: &f32| (a - b).abs() <= 1e-6 * (1e6 + a.abs());
                    let (got, name) = (results_by(kernels), kernels.name);
                    let same = got.iter().zip(&expected).all(|(a, b)| near(a, b));
                    assert!(same, "{name} {height} {width} {is_begun}");
                    let (got, sums) = (sums_by(kernels), &sums);
                    let same = got.iter().zip(sums).all(|(a, b)| near(a, b));
                    assert!(same, "{name} {height} {is_begun}");
                }
            }
        }
    }
}

#[test]
fn float_products_are_those_of_plain_rust() {
    let mut random = random();
    for k in [0, 1, 3, 64, 257] {
        for rows in 1..=FLOAT_ROWS {
            for panels in 1..=2 {
                let b_stride = (k + 1) * TILE;
                let a: Vec<f32> = (0..k * rows).map(|_| unit(&mut random)).collect();
                let b: Vec<f32> = (0..2 * b_stride).map(|_| unit(&mut random)).collect();
                let operands = FloatOperands {
                    a: &a,
                    rows,
                    b: &b,
                    b_stride,
                    panels,
                    k,
                };
                // What lies between the rows is nobody's.
                let stride = 2 * TILE + k % 5;
                let len = (rows - 1) * stride + panels * TILE;
                let mut expected = vec![7.0; len];
                plain::PLAIN.enter().float(&operands, &mut expected, stride);
                for kernels in Kernels::available() {
                    let mut got = vec![7.0; len];
                    kernels.enter().float(&operands, &mut got, stride);
                    for (at, (got, expected)) in got.iter().zip(&expected).enumerate() {
                        // Sums of products below 1, rounded in another order.
                        let near = (got - expected).abs() <= 1e-6 * (1.0 + k as f32).sqrt();
                        assert!(
                            near,
                            "{} k {k} rows {rows} at {at}: {got} {expected}",
                            kernels.name
                        );
                    }
                }
            }
        }
    }
}

#[test]
fn packed_rows_are_those_of_plain_rust() {
    let mut random = random();
    for k in [0, 1, 15, 16, 17, 64, 100] {
        for rows in 1..=FLOAT_ROWS {
            let stride = k + rows % 3;
            let len = (rows - 1) * stride + k;
            let x: Vec<f32> = (0..len).map(|_| unit(&mut random)).collect();
            let rows = StridedRows {
                x: &x,
                stride,
                rows,
                k,
            };
            let mut expected = vec![7.0; rows.rows * k + 1];
            plain::PLAIN.pack(&rows, &mut expected);
            for (at, &value) in expected[..rows.rows * k].iter().enumerate() {
                assert_eq!(value, x[at % rows.rows * stride + at / rows.rows]);
            }
            for kernels in Kernels::available() {
                let mut got = vec![7.0; rows.rows * k + 1];
                kernels.pack(&rows, &mut got);
                assert_eq!(got, expected, "{} k {k} rows {}", kernels.name, rows.rows);
            }
        }
    }
}

#[test]
fn an_operand_that_is_too_short_is_refused_before_it_is_read() {
    let (a, b) = (
        Buffer::zeros(2 * BLOCK_BYTES),
        Buffer::zeros(2 * BLOCK_BYTES),
    );
    let whole = Int8Operands {
        a: &a,
        a_stride: BLOCK_BYTES,
        tiles: 2,
        b: &b,
        b_stride: BLOCK_BYTES,
        panels: 2,
        blocks: 1,
        ahead: &[],
    };
    assert!(whole.inside());
    let short = Int8Operands { blocks: 2, ..whole };
    assert!(!short.inside());
    assert!(!Int8Operands { panels: 3, ..whole }.inside());
    for kernels in Kernels::available() {
        let refused = std::panic::catch_unwind(|| {
            kernels
                .enter()
                .int8(&short, &mut Int8Block([0; SIDE * SIDE]));
        });
        assert!(refused.is_err(), "{}", kernels.name);
    }
}

#[test]
fn floats_that_are_too_few_are_refused_before_they_are_touched() {
    const K: usize = 5;
    let (a, b) = (vec![1.0; 3 * K], vec![1.0; 2 * K * TILE]);
    let whole = FloatOperands {
        a: &a,
        rows: 3,
        b: &b,
        b_stride: K * TILE,
        panels: 2,
        k: K,
    };
    let len = 2 * 40 + 2 * TILE;
    assert!(whole.inside(len, 40));
    assert!(whole.inside(3 * 2 * TILE, 2 * TILE));
    let short = |operands: FloatOperands<'_>, len, stride| {
        assert!(!operands.inside(len, stride));
        for kernels in Kernels::available() {
            let refused = std::panic::catch_unwind(|| {
                kernels
                    .enter()
                    .float(&operands, &mut vec![0.0; len], stride);
            });
            assert!(refused.is_err(), "{}", kernels.name);
        }
    };
    short(whole, len - 1, 40);
    // Rows that overlap, and strides that a product wraps.
    short(whole, len, 2 * TILE - 1);
    short(whole, len, usize::MAX / 2 + 1);
    for (rows, panels, k) in [
        (0, 2, K),
        (FLOAT_ROWS + 1, 2, K),
        (3, 0, K),
        (3, 3, K),
        (3, 2, K + 1),
        (3, 2, usize::MAX / 16 + 2),
    ] {
        short(
            FloatOperands {
                rows,
                panels,
                k,
                ..whole
            },
            20 * 40,
            40,
        );
    }
    short(
        FloatOperands {
            a: &a[1..],
            ..whole
        },
        len,
        40,
    );
    short(
        FloatOperands {
            b: &b[1..],
            ..whole
        },
        len,
        40,
    );
    short(
        FloatOperands {
            b_stride: usize::MAX,
            ..whole
        },
        len,
        40,
    );
}

#[test]
fn rows_that_are_too_short_are_not_packed() {
    let x = vec![1.0; 2 * 9 + 7];
    let whole = StridedRows {
        x: &x,
        stride: 9,
        rows: 3,
        k: 7,
    };
    assert!(whole.inside(21));
    let short = |rows: StridedRows<'_>, len| {
        assert!(!rows.inside(len));
        for kernels in Kernels::available() {
            let refused = std::panic::catch_unwind(|| kernels.pack(&rows, &mut vec![0.0; len]));
            assert!(refused.is_err(), "{}", kernels.name);
        }
    };
    short(whole, 20);
    short(
        StridedRows {
            x: &x[1..],
            ..whole
        },
        21,
    );
    for rows in [0, FLOAT_ROWS + 1] {
        short(StridedRows { rows, ..whole }, 200);
    }
    short(
        StridedRows {
            stride: usize::MAX / 2 + 1,
            ..whole
        },
        21,
    );
    short(
        StridedRows {
            k: usize::MAX / 3 + 1,
            ..whole
        },
        21,
    );
}

#[test]
fn windows_are_the_matrix_cut_up() {
    for (height, width, rows, columns) in [(5, 7, 2, 3), (4, 4, 4, 4), (1, 9, 3, 2), (0, 3, 1, 1)] {
        let mut matrix = vec![0_i32; height * width];
        for (at, mut window) in Window::cut(&mut matrix, width, rows, columns)
            .into_iter()
            .enumerate()
        {
            let top = at / width.div_ceil(columns) * rows;
            for row in 0..rows.min(height - top) {
                window.row(row).iter_mut().for_each(|x| *x += 1 + at as i32);
            }
        }
        // Row-major: the window of a place follows from the place.
        for (place, &x) in matrix.iter().enumerate() {
            let (row, column) = (place / width, place % width);
            let window = row / rows * width.div_ceil(columns) + column / columns;
            assert_eq!(x, 1 + window as i32);
        }
    }
}

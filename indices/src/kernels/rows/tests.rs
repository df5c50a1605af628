//! Every instruction set against plain Rust, on random rows.

use half::f16;

use super::*;

/// Random bits, the same every time.
struct Random(u64);

impl Random {
    fn next(&mut self) -> u32 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 >> 16) as u32
    }

    /// From −1 to 1.
    fn float(&mut self) -> f32 {
        self.next() as f32 / u32::MAX as f32 * 2.0 - 1.0
    }
}

const ROWS: u32 = 23;

fn numbers(random: &mut Random, round: usize) -> Vec<u32> {
    (0..round % 20).map(|_| random.next() % ROWS).collect()
}

/// Bytes; where `extreme`, those whose products are the largest.
fn bytes(random: &mut Random, extreme: bool, len: usize) -> Vec<u8> {
    let byte = |random: &mut Random| match extreme {
        true => [0, 1, 255][random.next() as usize % 3],
        false => random.next() as u8,
    };
    (0..len).map(|_| byte(random)).collect()
}

fn integers(random: &mut Random, extreme: bool, len: usize) -> Integers {
    let mut integers = Integers::default();
    integers.set(len, len, |values| {
        for value in &mut *values {
            *value = match extreme {
                true => [-127, 127][random.next() as usize % 2],
                false => (random.next() as i8).max(-127),
            };
        }
        values.iter().map(|&value| i32::from(value)).sum()
    });
    integers
}

#[test]
fn products_of_bytes_are_those_of_plain_rust() {
    let mut random = Random(0x9E37_79B9_7F4A_7C15);
    for round in 0..60 {
        let len = 64 * (1 + round % 9);
        let extreme = round % 4 == 0;
        let stride = len + [0, 12, 64][round % 3];
        let first = bytes(&mut random, extreme, ROWS as usize * stride);
        let second = bytes(&mut random, extreme, ROWS as usize * len);
        let query = [(); 3].map(|()| integers(&mut random, extreme, len));
        let rows = |bytes, stride| Rows { bytes, stride, len };
        let rows = [rows(&first, stride), rows(&second, len)];
        let numbers = numbers(&mut random, round);
        let mut expected = vec![0; numbers.len()];
        (plain::KERNELS.bytes)(&rows[0], &numbers, &query[0], &mut expected);
        let weights = Weights {
            scale: random.float(),
            offset: random.float(),
        };
        let behind = stride >= len + 8;
        let mut expected_scores = vec![0.0; numbers.len()];
        if behind {
            (plain::KERNELS.scores)(&rows[0], &numbers, &query[0], weights, &mut expected_scores);
        }
        let mut expected_fine = vec![[0; 3]; numbers.len()];
        (plain::KERNELS.fine)(&rows, &numbers, &query, &mut expected_fine);
        // Plain Rust itself, by the definition.
        for (place, &number) in numbers.iter().enumerate() {
            let product = |row: usize, part: usize| -> i64 {
                let row = rows[row].row(number).iter();
                let pairs = row.zip(&query[part].values);
                pairs
                    .map(|(&a, &b)| (i64::from(a) - 128) * i64::from(b))
                    .sum()
            };
            assert_eq!(i64::from(expected[place]), product(0, 0));
            if behind {
                let behind = &first[number as usize * stride + len..][..8];
                let float = |at: usize| f32::from_le_bytes(behind[at..at + 4].try_into().unwrap());
                let score = weights.scale * float(0) * product(0, 0) as f32;
                let score = score + (float(4) + weights.offset);
                let score = if score.is_nan() {
                    f32::NEG_INFINITY
                } else {
                    score
                };
                assert_eq!(expected_scores[place].to_bits(), score.to_bits());
            }
            let fine = [
                product(0, 0),
                product(0, 1) + product(1, 0),
                product(0, 2) + product(1, 1),
            ];
            assert_eq!(expected_fine[place].map(i64::from), fine);
        }
        for kernels in available() {
            let mut got = vec![0; numbers.len()];
            (kernels.bytes)(&rows[0], &numbers, &query[0], &mut got);
            assert_eq!(got, expected, "{} of {len}", kernels.name);
            if behind {
                let mut got = vec![0.0; numbers.len()];
                (kernels.scores)(&rows[0], &numbers, &query[0], weights, &mut got);
                assert_eq!(got, expected_scores, "{} of {len}", kernels.name);
            }
            let mut got = vec![[0; 3]; numbers.len()];
            (kernels.fine)(&rows, &numbers, &query, &mut got);
            assert_eq!(got, expected_fine, "{} of {len}", kernels.name);
            for pair in numbers.windows(2) {
                let (a, b) = (rows[0].row(pair[0]), rows[0].row(pair[1]));
                assert_eq!(
                    (kernels.pair)(a, b),
                    (plain::KERNELS.pair)(a, b),
                    "{}",
                    kernels.name
                );
            }
        }
    }
}

/// The longest rows that an index may have, with the largest products: sums do not leave an `i32`.
#[test]
fn the_largest_products_of_bytes_are_right() {
    let len = 65_536;
    let zeros = vec![0; len];
    for value in [127, -127] {
        let query = [(); 3].map(|()| {
            let mut integers = Integers::default();
            integers.set(len, len, |values| {
                values.fill(value);
                len as i32 * i32::from(value)
            });
            integers
        });
        let rows = Rows {
            bytes: &zeros,
            stride: len,
            len,
        };
        let product = -128 * i32::from(value) * len as i32;
        for kernels in available() {
            let mut products = [0];
            (kernels.bytes)(&rows, &[0], &query[0], &mut products);
            assert_eq!(products, [product], "{}", kernels.name);
            let mut products = [[0; 3]];
            (kernels.fine)(&[rows, rows], &[0], &query, &mut products);
            assert_eq!(
                products,
                [[product, 2 * product, 2 * product]],
                "{}",
                kernels.name
            );
        }
    }
}

#[test]
fn products_of_floats_are_those_of_plain_rust_to_the_bit() {
    let mut random = Random(7);
    for round in 0..60 {
        // Whole lanes, and rests of any length.
        let dim = [1, 2, 15, 16, 63, 64, 65, 128, 500, 512, 767][round % 11];
        let values: Vec<f32> = (0..ROWS as usize * dim).map(|_| random.float()).collect();
        let query: Vec<f32> = (0..dim).map(|_| random.float()).collect();
        let halves: Vec<u8> = values
            .iter()
            .flat_map(|&value| f16::from_f32(value).to_le_bytes())
            .collect();
        let floats: Vec<u8> = values
            .iter()
            .flat_map(|value| value.to_le_bytes())
            .collect();
        let halves = Rows {
            bytes: &halves,
            stride: 2 * dim,
            len: 2 * dim,
        };
        let floats = Rows {
            bytes: &floats,
            stride: 4 * dim,
            len: 4 * dim,
        };
        let numbers = numbers(&mut random, round);
        let bits = |kernel: fn(&Rows<'_>, &[u32], &[f32], &mut [f32]), rows| {
            let mut products = vec![0.0; numbers.len()];
            kernel(rows, &numbers, &query, &mut products);
            products
        };
        let (expected_halves, expected_floats) = (
            bits(plain::KERNELS.halves, &halves),
            bits(plain::KERNELS.floats, &floats),
        );
        for (place, &number) in numbers.iter().enumerate() {
            let row = &values[number as usize * dim..][..dim];
            let sum: f64 = row
                .iter()
                .zip(&query)
                .map(|(&a, &b)| f64::from(a) * f64::from(b))
                .sum();
            assert!((f64::from(expected_floats[place]) - sum).abs() < 1e-4);
            assert!((f64::from(expected_halves[place]) - sum).abs() < 1e-2);
        }
        for kernels in available() {
            let same = |got: Vec<f32>, expected: &[f32]| {
                got.iter()
                    .zip(expected)
                    .all(|(a, b)| a.to_bits() == b.to_bits())
            };
            assert!(
                same(bits(kernels.halves, &halves), &expected_halves),
                "{} of {dim}",
                kernels.name
            );
            assert!(
                same(bits(kernels.floats, &floats), &expected_floats),
                "{} of {dim}",
                kernels.name
            );
        }
    }
}

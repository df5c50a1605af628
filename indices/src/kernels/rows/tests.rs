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

#[test]
fn products_of_bytes_are_those_of_plain_rust() {
    let mut random = Random(0x9E37_79B9_7F4A_7C15);
    for round in 0..60 {
        let len = 64 * (1 + round % 9);
        let stride = len + [0, 12, 64][round % 3];
        let extreme = round % 4 == 0;
        let bytes: Vec<u8> = (0..ROWS as usize * stride)
            .map(|_| {
                if extreme {
                    [0, 1, 255][random.next() as usize % 3]
                } else {
                    random.next() as u8
                }
            })
            .collect();
        let query: Vec<i8> = (0..len)
            .map(|_| {
                if extreme {
                    [-127, 127][random.next() as usize % 2]
                } else {
                    (random.next() as i8).max(-127)
                }
            })
            .collect();
        let rows = Rows {
            bytes: &bytes,
            stride,
            len,
        };
        let numbers = numbers(&mut random, round);
        let mut expected = vec![0; numbers.len()];
        (plain::KERNELS.bytes)(&rows, &numbers, &query, &mut expected);
        // Plain Rust itself, by the definition.
        for (&number, &product) in numbers.iter().zip(&expected) {
            let row = rows.row(number).iter().zip(&query);
            let sum: i64 = row
                .map(|(&a, &b)| (i64::from(a) - 128) * i64::from(b))
                .sum();
            assert_eq!(i64::from(product), sum);
        }
        for kernels in available() {
            let mut got = vec![0; numbers.len()];
            (kernels.bytes)(&rows, &numbers, &query, &mut got);
            assert_eq!(got, expected, "{} of {len}", kernels.name);
            for pair in numbers.windows(2) {
                let (a, b) = (rows.row(pair[0]), rows.row(pair[1]));
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
        let integers: Vec<i8> = values.iter().map(|value| (value * 127.0) as i8).collect();
        let bytes: Vec<u8> = integers
            .iter()
            .map(|integer| integer.cast_unsigned() ^ OFFSET)
            .collect();
        let bytes = Rows {
            bytes: &bytes,
            stride: dim,
            len: dim,
        };
        let numbers = numbers(&mut random, round);
        let bits = |kernel: fn(&Rows<'_>, &[u32], &[f32], &mut [f32]), rows| {
            let mut products = vec![0.0; numbers.len()];
            kernel(rows, &numbers, &query, &mut products);
            products
        };
        let (expected_mixed, expected_halves, expected_floats) = (
            bits(plain::KERNELS.mixed, &bytes),
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
            let row = &integers[number as usize * dim..][..dim];
            let sum: f64 = row
                .iter()
                .zip(&query)
                .map(|(&a, &b)| f64::from(a) * f64::from(b))
                .sum();
            assert!((f64::from(expected_mixed[place]) - sum).abs() < 1e-2);
        }
        for kernels in available() {
            let same = |got: Vec<f32>, expected: &[f32]| {
                got.iter()
                    .zip(expected)
                    .all(|(a, b)| a.to_bits() == b.to_bits())
            };
            assert!(
                same(bits(kernels.mixed, &bytes), &expected_mixed),
                "{} of {dim}",
                kernels.name
            );
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

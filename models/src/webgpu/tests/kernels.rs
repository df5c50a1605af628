//! The kernels against the host, number by number.

use half::f16;

use super::{driver, noise};
use crate::stack::{Halves, Kind, Rows, halves, words_at};
use crate::webgpu::driver::{Driver, Launch, Memory};
use crate::webgpu::kernels::{self, Scale, Sums};
use crate::webgpu::upload::{Matrix, Stored};
use crate::weights::Activation;

/// The same, as half precision holds them.
fn half_noise(seed: u32, count: usize) -> Vec<f32> {
    noise(seed, count)
        .into_iter()
        .map(|x| f16::from_f32(x).to_f32())
        .collect()
}

fn bytes_of(halves: &[u16]) -> Vec<u8> {
    halves.iter().flat_map(|half| half.to_ne_bytes()).collect()
}

fn upload_halves(driver: &Driver, numbers: &[f32]) -> Memory {
    driver.upload(&bytes_of(&halves(numbers))).unwrap()
}

/// Runs a kernel and gives `count` numbers of a memory, in half precision or not.
fn run(driver: &Driver, launch: Launch, memory: &Memory, count: usize, half: bool) -> Vec<f32> {
    let bytes = count * if half { 2 } else { 4 };
    let answer = driver.answer(bytes).unwrap();
    let read = |bytes: &[u8]| match half {
        true => (bytes.chunks_exact(2))
            .map(|two| f16::from_ne_bytes(two.try_into().unwrap()).to_f32())
            .collect(),
        false => (bytes.chunks_exact(4))
            .map(|four| f32::from_ne_bytes(four.try_into().unwrap()))
            .collect::<Vec<_>>(),
    };
    driver
        .pass(&[launch], (memory, 0, bytes), &answer, || {}, read)
        .unwrap()
}

#[track_caller]
fn near(got: &[f32], expected: &[f64], tolerance: f64, what: &str) {
    assert_eq!(got.len(), expected.len(), "{what}");
    for (at, (&got, &expected)) in got.iter().zip(expected).enumerate() {
        let apart = (f64::from(got) - expected).abs();
        let room = tolerance * expected.abs().max(1.0);
        assert!(apart <= room, "{what}: {got} at {at}, expected {expected}");
    }
}

fn activated(activation: Option<Activation>, x: f64) -> f64 {
    match activation {
        None => x,
        // By the series of erf, which converges for all that comes here.
        Some(Activation::Gelu) => {
            let z = x / std::f64::consts::SQRT_2;
            let (mut term, mut sum) = (z, z);
            for n in 1..200 {
                term *= -z * z / f64::from(n);
                sum += term / f64::from(2 * n + 1);
            }
            0.5 * x * (1.0 + sum * 2.0 / std::f64::consts::PI.sqrt())
        }
        Some(Activation::GeluNew) => {
            let z = (2.0 / std::f64::consts::PI).sqrt() * (x + 0.044715 * x.powi(3));
            0.5 * x * (1.0 + z.tanh())
        }
        Some(Activation::QuickGelu) => x / (1.0 + (-1.702 * x).exp()),
        Some(Activation::Relu) => x.max(0.0),
        Some(Activation::Silu) => x / (1.0 + (-x).exp()),
    }
}

/// A matrix of random numbers of a type, and what it holds.
fn matrix(
    driver: &Driver,
    stored: Stored,
    (outputs, inputs): (usize, usize),
    bias: &[f32],
) -> (Matrix, Vec<f32>) {
    let count = outputs * inputs;
    match stored {
        Stored::F16 => {
            let values = half_noise(2, count);
            let halves = Halves::new(halves(&values), bias.to_vec(), (outputs, inputs)).unwrap();
            (Matrix::new(driver, &halves).unwrap(), values)
        }
        Stored::Q8 => {
            let q: Vec<i8> = noise(3, count).iter().map(|x| (x * 127.0) as i8).collect();
            let scales: Vec<f32> = (0..outputs)
                .map(|row| (1 + row % 7) as f32 / 500.0)
                .collect();
            let bytes: Vec<u8> = q.iter().map(|&q| q as u8).collect();
            let values = q
                .iter()
                .enumerate()
                .map(|(at, &q)| f32::from(q) * scales[at / inputs]);
            let values = values.collect();
            (
                Matrix::q8(driver, (&bytes, &scales, bias), inputs).unwrap(),
                values,
            )
        }
        Stored::Q4 => {
            let q: Vec<i8> = noise(4, count).iter().map(|x| (x * 7.9) as i8).collect();
            let scales: Vec<f16> = (0..count / 32)
                .map(|block| f16::from_f32((1 + block % 5) as f32 / 32.0))
                .collect();
            let packed = q
                .chunks_exact(2)
                .map(|two| (two[0] as u8 & 15) | ((two[1] as u8) << 4));
            let packed: Vec<u8> = packed.collect();
            let of_scales: Vec<u8> = scales
                .iter()
                .flat_map(|scale| scale.to_ne_bytes())
                .collect();
            let values = q
                .iter()
                .enumerate()
                .map(|(at, &q)| f32::from(q) * scales[at / 32].to_f32());
            let matrix = Matrix {
                stored,
                weight: driver.upload(&packed).unwrap(),
                scales: Some(driver.upload(&of_scales).unwrap()),
                bias: driver.upload_f32(bias).unwrap(),
                outputs,
                inputs,
            };
            (matrix, values.collect())
        }
    }
}

#[test]
fn products_are_those_of_the_host() {
    let Some(driver) = driver() else { return };
    let activations = [
        None,
        Some(Activation::Gelu),
        Some(Activation::GeluNew),
        Some(Activation::QuickGelu),
        Some(Activation::Relu),
        Some(Activation::Silu),
    ];
    for stored in [Stored::F16, Stored::Q8, Stored::Q4] {
        for (rows, outputs, inputs) in [(64, 64, 64), (192, 128, 192), (64, 192, 1024)] {
            let bias = noise(5, outputs);
            let (matrix, values) = matrix(&driver, stored, (outputs, inputs), &bias);
            let x = half_noise(6, rows * inputs);
            let on_device = upload_halves(&driver, &x);
            let sums: Vec<f64> = (x.chunks_exact(inputs))
                .flat_map(|x| {
                    values.chunks_exact(inputs).map(move |w| {
                        x.iter()
                            .zip(w)
                            .map(|(&x, &w)| f64::from(x) * f64::from(w))
                            .sum::<f64>()
                    })
                })
                .collect();
            let what = format!("{stored:?} {rows} × {outputs} × {inputs}");

            let parts = kernels::parts(&driver, (rows, outputs, inputs));
            let to = driver.zeros(parts * rows * outputs * 4).unwrap();
            let launch =
                kernels::product(&driver, rows, &on_device, &matrix, &Sums::Parts(&to)).unwrap();
            let got = run(&driver, launch, &to, parts * rows * outputs, false);
            let whole: Vec<f32> = (0..rows * outputs)
                .map(|at| got.iter().skip(at).step_by(rows * outputs).sum())
                .collect();
            near(&whole, &sums, 1e-4, &format!("{what} in {parts}"));

            let chosen = if inputs == 192 {
                &activations[..]
            } else {
                &activations[..2]
            };
            for &activation in chosen {
                let to = driver.zeros(rows * outputs * 2).unwrap();
                let sums_to = Sums::Half(&to, activation);
                let launch =
                    kernels::product(&driver, rows, &on_device, &matrix, &sums_to).unwrap();
                let got = run(&driver, launch, &to, rows * outputs, true);
                let expected: Vec<f64> = (sums.iter().enumerate())
                    .map(|(at, sum)| {
                        activated(
                            activation,
                            (sum + f64::from(bias[at % outputs])).clamp(-6.0, 6.0),
                        )
                    })
                    .collect();
                // Where the series of erf would lose its digits nothing is compared.
                let inside = |at: &usize| (sums[*at] + f64::from(bias[*at % outputs])).abs() < 6.0;
                let places: Vec<usize> = (0..sums.len()).filter(inside).collect();
                let got: Vec<f32> = places.iter().map(|&at| got[at]).collect();
                let expected: Vec<f64> = places.iter().map(|&at| expected[at]).collect();
                assert!(got.len() > sums.len() / 10, "{what}");
                near(&got, &expected, 2e-3, &format!("{what} {activation:?}"));
            }
        }
    }
}

#[test]
fn what_does_not_fit_its_memory_is_refused() {
    let Some(driver) = driver() else { return };
    let (matrix, _) = matrix(&driver, Stored::F16, (64, 64), &[0.0; 64]);
    let memory = driver.zeros(64 * 64 * 2).unwrap();
    let refused = |rows, x: &Memory, to: &Memory| {
        kernels::product(&driver, rows, x, &matrix, &Sums::Half(to, None)).is_err()
    };
    let small = driver.zeros(64 * 64).unwrap();
    assert!(!refused(64, &memory, &memory));
    assert!(refused(65, &memory, &memory) && refused(128, &memory, &memory));
    assert!(refused(64, &small, &memory) && refused(64, &memory, &small));
    assert!(kernels::attention(&driver, 64, (64, 8, false), (&memory, &memory, &memory)).is_err());
    // 64 KiB are three parts of 64 × 64 halves and more.
    let wide = driver.zeros(1 << 16).unwrap();
    assert!(kernels::attention(&driver, 64, (64, 2, false), (&wide, &memory, &memory)).is_ok());
    driver.check().unwrap();
}

#[test]
fn attention_is_that_of_the_host() {
    let Some(driver) = driver() else { return };
    let rows = 96;
    for (width, heads) in [(64, 4), (64, 2), (128, 2)] {
        let head = width / heads;
        // Large scores too.
        let qkv: Vec<f32> = half_noise(7, rows * 3 * width)
            .iter()
            .map(|x| 4.0 * x)
            .collect();
        let on_device = upload_halves(&driver, &qkv);
        for causal in [false, true] {
            for seen in [1, 31, 33, 64, 90, 96] {
                let input = driver.upload(&(seen as u32).to_ne_bytes()).unwrap();
                let to = driver.zeros(rows * width * 2).unwrap();
                let shape = (width, heads, causal);
                let launch = kernels::attention(&driver, rows, shape, (&on_device, &input, &to));
                let got = run(&driver, launch.unwrap(), &to, rows * width, true);
                let at = |row: usize, part: usize, h: usize, d: usize| {
                    f64::from(qkv[row * 3 * width + part * width + h * head + d])
                };
                let mut expected = vec![0.0; seen * width];
                for row in 0..seen {
                    for h in 0..heads {
                        let keys = if causal { row + 1 } else { seen };
                        let score = |key| {
                            (0..head)
                                .map(|d| at(row, 0, h, d) * at(key, 1, h, d))
                                .sum::<f64>()
                        };
                        let scores: Vec<f64> = (0..keys)
                            .map(|key| score(key) / (head as f64).sqrt())
                            .collect();
                        let top = scores.iter().copied().fold(f64::MIN, f64::max);
                        let weights: Vec<f64> =
                            scores.iter().map(|score| (score - top).exp()).collect();
                        let total: f64 = weights.iter().sum();
                        for d in 0..head {
                            let sum: f64 =
                                (0..keys).map(|key| weights[key] * at(key, 2, h, d)).sum();
                            expected[row * width + h * head + d] = sum / total;
                        }
                    }
                }
                let what = format!("heads of {head}, {seen} seen, causal: {causal}");
                near(&got[..seen * width], &expected, 2e-3, &what);
                assert!(got.iter().all(|x| x.is_finite()), "{what}");
            }
        }
    }
}

#[test]
fn norms_are_those_of_the_host() {
    let Some(driver) = driver() else { return };
    let rows = 5;
    for width in [64, 320, 1024] {
        let (gamma, beta) = (noise(8, width), noise(9, width));
        let scale = Scale {
            gamma: driver.upload_f32(&gamma).unwrap(),
            beta: driver.upload_f32(&beta).unwrap(),
        };
        let x = noise(10, rows * width);
        let bias = noise(11, width);
        let on_device = driver.upload_f32(&bias).unwrap();
        for count in [0, 1, 3] {
            let parts = noise(12, count * rows * width);
            let of_parts = driver.upload_f32(&parts).unwrap();
            for kind in [Kind::After, Kind::Before, Kind::Plain] {
                let sums: Vec<f64> = (0..rows * width)
                    .map(|at| {
                        let part = |part: usize| f64::from(parts[part * rows * width + at]);
                        let added = if count > 0 {
                            f64::from(bias[at % width])
                        } else {
                            0.0
                        };
                        f64::from(x[at]) + added + (0..count).map(part).sum::<f64>()
                    })
                    .collect();
                let normed: Vec<f64> = (sums.chunks_exact(width))
                    .flat_map(|row| {
                        let mean = row.iter().sum::<f64>() / width as f64;
                        let variance =
                            row.iter().map(|x| (x - mean).powi(2)).sum::<f64>() / width as f64;
                        let by = 1.0 / (variance + 1e-5).sqrt();
                        let each = row.iter().zip(&gamma).zip(&beta);
                        each.map(move |((x, &g), &b)| (x - mean) * by * f64::from(g) + f64::from(b))
                    })
                    .collect();
                let of_x = driver.upload_f32(&x).unwrap();
                let narrow = driver.zeros(rows * width * 2).unwrap();
                let added = (count > 0).then_some((count, &of_parts, &on_device));
                let launch = || {
                    kernels::norm(
                        &driver,
                        rows,
                        (width, 1e-5, kind),
                        (&of_x, &narrow),
                        &scale,
                        added,
                    )
                    .unwrap()
                };
                let goes_on = run(&driver, launch(), &narrow, rows * width, true);
                let what = format!("{kind:?} of {width}, {count} parts");
                let forth = if kind == Kind::Plain { &sums } else { &normed };
                near(&goes_on, forth, 2e-3, &what);
                driver.write(
                    &of_x,
                    &x.iter().flat_map(|x| x.to_ne_bytes()).collect::<Vec<_>>(),
                );
                let stays = run(&driver, launch(), &of_x, rows * width, false);
                let kept = if kind == Kind::After { &normed } else { &sums };
                near(&stays, kept, 2e-5, &what);
            }
        }
    }
}

#[test]
fn what_was_sent_is_expanded() {
    let Some(driver) = driver() else { return };
    let (rows, width, positions) = (3, 64, 7);
    let table = noise(13, positions * width);
    let on_device = driver.upload_f32(&table).unwrap();
    for kind in [Rows::F32, Rows::F16, Rows::Q8] {
        for table_too in [false, true] {
            let words = half_noise(14, rows * width);
            let scales = [0.5f32, 0.25, 2.0];
            let (mut sent, mut expected) = (3u32.to_ne_bytes().to_vec(), Vec::new());
            sent.resize(16, 0);
            let places = [2u32, 0, 6];
            sent.extend(places.iter().flat_map(|place| place.to_ne_bytes()));
            sent.extend(scales.iter().flat_map(|scale| scale.to_ne_bytes()));
            assert_eq!(sent.len(), words_at(rows));
            for (at, &word) in words.iter().enumerate() {
                let q = (word * 127.0) as i8;
                let value = match kind {
                    Rows::F32 => {
                        sent.extend(word.to_ne_bytes());
                        word
                    }
                    Rows::F16 => {
                        sent.extend(f16::from_f32(word).to_ne_bytes());
                        word
                    }
                    Rows::Q8 => {
                        sent.push(q as u8);
                        f32::from(q) * scales[at / width]
                    }
                };
                let place = places[at / width] as usize;
                let added = if table_too {
                    table[place * width + at % width]
                } else {
                    0.0
                };
                expected.push(f64::from(value) + f64::from(added));
            }
            let input = driver.upload(&sent).unwrap();
            let x = driver.zeros(rows * width * 4).unwrap();
            let table = table_too.then_some(&on_device);
            let launch = kernels::embed(&driver, rows, (width, kind), (&input, &x), table).unwrap();
            let got = run(&driver, launch, &x, rows * width, false);
            near(
                &got,
                &expected,
                1e-6,
                &format!("{kind:?}, a table: {table_too}"),
            );
        }
    }
}

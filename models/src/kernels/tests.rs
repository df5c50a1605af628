//! The operations against the same in double precision, for every instruction set of this machine.

use half::f16;

use super::attention::{Attention, attention};
use super::buffer::{Buffer, Window};
use super::matrix::{Matrix, Numbers, Packed, q4_output_scales};
use super::norm::layer_norm;
use super::panels::{
    pack_floats, pack_q4, pack_q8, unpack_floats, unpack_q4, unpack_q8, widen_f16,
};
use super::products::Kernels;
use super::products::tests::{random, unit};
use super::rows::QuantizedRows;
use super::strips::{Epilogue, Int8Panels, Int8Product, slabs};
use super::transformer::{AttentionMatrices, Packing, feed_forward, project, self_attention};
use crate::weights::Activation;

/// What a matrix of a test is stored in, and its values.
fn matrix(
    random: &mut impl FnMut() -> u32,
    kind: &str,
    outputs: usize,
    inputs: usize,
) -> (Matrix, Vec<f64>) {
    let bias: Vec<f32> = (0..outputs).map(|_| unit(random)).collect();
    let (weights, values) = match kind {
        "q8" => {
            let q: Vec<i8> = (0..outputs * inputs)
                .map(|_| (random() % 255) as i8)
                .collect();
            let scales: Vec<f32> = (0..outputs)
                .map(|_| 0.01 + unit(random).abs() / 50.0)
                .collect();
            let value = |(at, &q): (usize, &i8)| f64::from(q) * f64::from(scales[at / inputs]);
            let values = q.iter().enumerate().map(value).collect();
            let mut own = Buffer::zeros(outputs);
            own.copy_from_slice(&scales);
            let panels = Numbers::Own(pack_q8(&q, outputs, inputs));
            (
                Packed::Q8 {
                    panels,
                    scales: Numbers::Own(own),
                },
                values,
            )
        }
        "q4" => {
            let q: Vec<i8> = (0..outputs * inputs)
                .map(|_| (random() % 15) as i8 - 7)
                .collect();
            let blocks = inputs.div_ceil(32);
            let scale = |_| f16::from_f32(0.01 + unit(random).abs() / 10.0);
            let scales: Vec<f16> = (0..outputs * blocks).map(scale).collect();
            let value = |(at, &q): (usize, &i8)| {
                let scale = scales[at / inputs * blocks + at % inputs / 32];
                f64::from(q) * scale.to_f64()
            };
            let values = q.iter().enumerate().map(value).collect();
            let mut bits = Buffer::zeros(scales.len());
            for (bits, scale) in bits.iter_mut().zip(&scales) {
                *bits = scale.to_bits();
            }
            let outputs_of = q4_output_scales(&bits, inputs);
            let panels = Numbers::Own(pack_q4(&q, outputs, inputs));
            (
                Packed::Q4 {
                    panels,
                    scales: Numbers::Own(bits),
                    outputs: outputs_of,
                },
                values,
            )
        }
        "f16" => {
            let w: Vec<f16> = (0..outputs * inputs)
                .map(|_| f16::from_f32(unit(random)))
                .collect();
            let bits: Vec<u16> = w.iter().map(|w| w.to_bits()).collect();
            let panels = Numbers::Own(pack_floats(&bits, outputs, inputs));
            (
                Packed::F16 { panels },
                w.iter().map(|w| w.to_f64()).collect(),
            )
        }
        _ => {
            let w: Vec<f32> = (0..outputs * inputs).map(|_| unit(random)).collect();
            let panels = Numbers::Own(pack_floats(&w, outputs, inputs));
            (
                Packed::F32 { panels },
                w.iter().map(|&w| f64::from(w)).collect(),
            )
        }
    };
    (
        Matrix {
            outputs,
            inputs,
            weights,
            bias: Some(bias),
        },
        values,
    )
}

/// `x Wᵀ + b`.
fn product(x: &[f32], matrix: &Matrix, values: &[f64]) -> Vec<f64> {
    let none = vec![0.0; matrix.outputs];
    let bias = matrix.bias.as_ref().unwrap_or(&none);
    let row = |x: &[f32]| -> Vec<f64> {
        let of_output = |(weights, bias): (&[f64], &f32)| {
            let products = x.iter().zip(weights).map(|(x, w)| f64::from(*x) * w);
            products.sum::<f64>() + f64::from(*bias)
        };
        values
            .chunks_exact(matrix.inputs)
            .zip(bias)
            .map(of_output)
            .collect()
    };
    x.chunks_exact(matrix.inputs).flat_map(row).collect()
}

/// ‖a − b‖ / ‖b‖.
fn distance(a: &[f32], b: &[f64]) -> f64 {
    assert_eq!(a.len(), b.len());
    let error: f64 = a
        .iter()
        .zip(b)
        .map(|(a, b)| (f64::from(*a) - b).powi(2))
        .sum();
    let size: f64 = b.iter().map(|b| b * b).sum();
    (error / size.max(1e-30)).sqrt()
}

/// What rounding x to one of 255 steps of its row (and `q4` to 8 bits) may cost, and what `f32` may.
fn tolerance(kind: &str) -> f64 {
    match kind {
        "q8" => 0.008,
        "q4" => 0.012,
        _ => 1e-6,
    }
}

#[test]
fn panels_read_back_as_they_were_packed() {
    let mut random = random();
    for (outputs, inputs) in [(1, 1), (16, 64), (17, 65), (5, 31), (40, 200)] {
        let count = outputs * inputs;
        let q8: Vec<i8> = (0..count).map(|_| random() as i8).collect();
        assert_eq!(
            unpack_q8(&pack_q8(&q8, outputs, inputs), outputs, inputs),
            q8
        );
        let q4: Vec<i8> = (0..count).map(|_| (random() % 16) as i8 - 8).collect();
        assert_eq!(
            unpack_q4(&pack_q4(&q4, outputs, inputs), outputs, inputs),
            q4
        );
        let floats: Vec<f32> = (0..count).map(|_| unit(&mut random)).collect();
        assert_eq!(
            unpack_floats(&pack_floats(&floats, outputs, inputs), outputs, inputs),
            floats
        );
    }
}

#[test]
fn every_half_precision_number_is_widened_as_the_library_does() {
    let bits: Vec<u16> = (0..=u16::MAX).collect();
    for kernels in Kernels::available() {
        let mut wide = vec![0.0; bits.len()];
        widen_f16(kernels.level(), &bits, &mut wide);
        for (&bits, got) in bits.iter().zip(wide) {
            let expected = f16::from_bits(bits).to_f32();
            let same = got.to_bits() == expected.to_bits() || (got.is_nan() && expected.is_nan());
            assert!(same, "{} {bits:#x}: {got} {expected}", kernels.name);
        }
    }
}

#[test]
fn a_linear_layer_is_the_product_in_double_precision() {
    let mut random = random();
    for kind in ["q8", "q4", "f16", "f32"] {
        for (rows, outputs, inputs) in [
            (1, 16, 64),
            (3, 5, 7),
            (33, 40, 130),
            (70, 300, 1100),
            (14, 600, 64),
            (15, 100, 4200),
            (200, 70, 1300),
        ] {
            let (first, first_values) = matrix(&mut random, kind, outputs, inputs);
            let (mut second, second_values) = matrix(&mut random, kind, 9, inputs);
            second.bias = None;
            let x: Vec<f32> = (0..rows * inputs).map(|_| unit(&mut random)).collect();
            let expected = product(&x, &first, &first_values);
            let also = product(&x, &second, &second_values);
            for kernels in Kernels::available() {
                let (mut got, mut too) = (vec![9.0; rows * outputs], vec![9.0; rows * 9]);
                project(kernels, &x, vec![(&first, &mut got), (&second, &mut too)]);
                for (got, expected) in [(&got, &expected), (&too, &also)] {
                    let distance = distance(got, expected);
                    let what = (kernels.name, kind, rows, outputs, inputs);
                    // One sum after the other, errors grow as their number's root does.
                    let deep = (inputs as f64 / 1200.0).sqrt().max(1.0);
                    assert!(distance < deep * tolerance(kind), "{what:?}: {distance}");
                }
            }
        }
    }
}

/// Strips, pairs of panels and groups of columns that are not whole, and rows that begin at some tile.
#[test]
fn a_product_of_some_rows_is_that_in_double_precision() {
    let mut random = random();
    for (inputs, outputs) in [(100, 17), (1216, 70), (1216, 16)] {
        let (matrix, values) = matrix(&mut random, "q8", outputs, inputs);
        let x: Vec<f32> = (0..150 * inputs).map(|_| unit(&mut random)).collect();
        let expected = product(&x, &matrix, &values);
        for kernels in Kernels::available() {
            let rows = QuantizedRows::new(kernels.level(), &x, inputs);
            let bytes = matrix.int8(kernels.level(), 0..outputs.div_ceil(16));
            let product = Int8Product {
                rows: &rows,
                panels: Int8Panels {
                    bytes: &bytes,
                    stride: matrix.panel_bytes(),
                },
                epilogue: Epilogue {
                    scales: matrix.output_scales(),
                    bias: matrix.bias.as_deref().unwrap(),
                },
            };
            for (tile, height) in [(0, 1), (1, 16), (2, 17), (9, 6), (7, 33), (3, 97), (1, 128)] {
                let mut got = vec![9.0; height * outputs];
                let products = kernels.enter();
                product.write(&products, tile, &mut Window::whole(&mut got, outputs));
                let from = tile * 16 * outputs;
                let distance = distance(&got, &expected[from..from + got.len()]);
                let what = (kernels.name, inputs, outputs, tile, height);
                assert!(distance < tolerance("q8"), "{what:?}: {distance}");
            }
        }
    }
}

/// One thread has all rows to itself, in several slabs.
#[test]
fn rows_are_cut_into_slabs() {
    for (rows, ends) in [
        (0, vec![]),
        (5, vec![5]),
        (128, vec![128]),
        (129, vec![96, 129]),
        (600, vec![128, 256, 384, 512, 600]),
    ] {
        let starts = [0].into_iter().chain(ends.clone());
        let expected: Vec<_> = starts.zip(ends).map(|(start, end)| start..end).collect();
        assert_eq!(slabs(rows).collect::<Vec<_>>(), expected);
    }
    let mut random = random();
    let (matrix, values) = matrix(&mut random, "q8", 40, 130);
    let x: Vec<f32> = (0..1100 * 130).map(|_| unit(&mut random)).collect();
    let expected = product(&x, &matrix, &values);
    let pool = rayon::ThreadPoolBuilder::new().num_threads(1);
    let mut got = vec![9.0; 1100 * 40];
    let job = || project(Kernels::best(), &x, vec![(&matrix, &mut got)]);
    pool.build().unwrap().install(job);
    assert!(distance(&got, &expected) < tolerance("q8"));
}

#[test]
fn a_feed_forward_block_is_that_in_double_precision() {
    let mut random = random();
    for (rows, first, second) in [
        (37, "q8", "q8"),
        (150, "q8", "q8"),
        (37, "q8", "f32"),
        (37, "f32", "q8"),
        (37, "q4", "q4"),
        (37, "f32", "f32"),
    ] {
        let (d, f) = (96, 1200);
        let x: Vec<f32> = (0..rows * d).map(|_| unit(&mut random)).collect();
        let (up, up_values) = matrix(&mut random, first, f, d);
        let (down, down_values) = matrix(&mut random, second, d, f);
        let between: Vec<f32> = (product(&x, &up, &up_values).iter())
            .map(|x| x.max(0.0) as f32)
            .collect();
        let expected = product(&between, &down, &down_values);
        for kernels in Kernels::available() {
            let got = feed_forward(kernels, &up, &down, Activation::Relu, &x);
            let distance = distance(&got, &expected);
            let limit = tolerance(first) + tolerance(second);
            assert!(
                distance < limit,
                "{} {first} {second}: {distance}",
                kernels.name
            );
        }
    }
}

/// Attention by its formula.
fn reference(inputs: &Attention<'_>) -> Vec<f64> {
    let (d, h) = (inputs.width, inputs.width / inputs.heads);
    let mut out = vec![0.0; inputs.query.len()];
    for (queries, keys) in inputs.sequences {
        for head in 0..inputs.heads {
            for query in queries.clone() {
                let place = inputs.places.map_or(keys.len(), |places| places[query] + 1);
                let seen = keys.start..keys.start + place;
                let at = |matrix: &[f32], row: usize, c: usize| {
                    f64::from(matrix[row * d + head * h + c])
                };
                let score = |key: usize| {
                    let products =
                        (0..h).map(|c| at(inputs.query, query, c) * at(inputs.key, key, c));
                    (products.sum::<f64>() / (h as f64).sqrt()).exp()
                };
                let weights: Vec<f64> = seen.clone().map(score).collect();
                let sum: f64 = weights.iter().sum();
                for c in 0..h {
                    let values = seen
                        .clone()
                        .zip(&weights)
                        .map(|(key, w)| w * at(inputs.value, key, c));
                    out[query * d + head * h + c] = values.sum::<f64>() / sum;
                }
            }
        }
    }
    out
}

#[test]
fn attention_is_its_formula_in_double_precision() {
    let mut random = random();
    let cases = [
        (2, 8, vec![(0..1, 0..1)], None),
        (3, 20, vec![(0..50, 0..50)], None),
        (2, 64, vec![(0..33, 0..33), (33..40, 33..40)], None),
        (1, 64, vec![(0..2, 0..130)], None),
        (
            2,
            16,
            vec![(0..19, 0..19)],
            Some((0..19).collect::<Vec<_>>()),
        ),
        (
            2,
            16,
            vec![(0..1, 0..40), (1..3, 40..77)],
            Some(vec![21, 0, 36]),
        ),
    ];
    for (heads, h, sequences, places) in cases {
        let d = heads * h;
        let queries = sequences.last().unwrap().0.end;
        let keys = sequences.last().unwrap().1.end;
        // Keys and values with a common part, as networks have them.
        let mut numbers = |count: usize, offset: f32| -> Vec<f32> {
            (0..count)
                .map(|at| 2.0 * unit(&mut random) + offset * (at % 3) as f32)
                .collect()
        };
        let query = numbers(queries * d, 0.0);
        let (key, value) = (numbers(keys * d, 2.0), numbers(keys * d, 1.0));
        for int8 in [false, true] {
            let inputs = Attention {
                query: &query,
                key: &key,
                value: &value,
                width: d,
                heads,
                sequences: &sequences,
                places: places.as_deref(),
                int8,
            };
            let expected = reference(&inputs);
            for kernels in Kernels::available() {
                let mut got = vec![9.0; queries * d];
                attention(kernels, &inputs, &mut got);
                let distance = distance(&got, &expected);
                let limit = if int8 { 0.02 } else { 2e-6 };
                assert!(
                    distance < limit,
                    "{} {heads} {h} int8 {int8}: {distance}",
                    kernels.name
                );
            }
        }
    }
}

#[test]
fn attention_with_its_projections_is_its_formula_in_double_precision() {
    let mut random = random();
    for (n, asked, causal) in [
        (1, None, false),
        (37, None, false),
        (150, None, false),
        (150, Some(3), false),
        (70, None, true),
    ] {
        let (d, heads) = (96, 2);
        let matrices: Vec<_> = (0..4).map(|_| matrix(&mut random, "q8", d, d)).collect();
        // Small, so that more than one key counts.
        let x: Vec<f32> = (0..n * d).map(|_| 0.1 * unit(&mut random)).collect();
        let queries = asked.map(|rows| &x[..rows * d]);
        let [query, key, value] = [0, 1, 2].map(|at| {
            let x = if at == 0 { queries.unwrap_or(&x) } else { &x };
            let (matrix, values) = &matrices[at];
            let product = product(x, matrix, values);
            product.iter().map(|&x| x as f32).collect::<Vec<_>>()
        });
        let sequences = [(0..asked.unwrap_or(n), 0..n)];
        let places: Vec<usize> = (0..n).collect();
        let places = causal.then_some(&places[..]);
        let inputs = Attention {
            query: &query,
            key: &key,
            value: &value,
            width: d,
            heads,
            sequences: &sequences,
            places,
            int8: true,
        };
        let attended: Vec<f32> = reference(&inputs).iter().map(|&x| x as f32).collect();
        let (output, values) = &matrices[3];
        let expected = product(&attended, output, values);
        let [query, key, value, output] = [0, 1, 2, 3].map(|at| &matrices[at].0);
        let matrices = AttentionMatrices {
            query,
            key,
            value,
            output,
        };
        let packing = Packing {
            sequences: &sequences,
            places,
            heads,
        };
        for kernels in Kernels::available() {
            let got = self_attention(kernels, &matrices, &packing, &x, queries);
            let distance = distance(&got, &expected);
            assert!(
                distance < 0.03,
                "{} {n} {asked:?}: {distance}",
                kernels.name
            );
        }
    }
}

#[test]
fn layer_norm_is_its_formula_in_double_precision() {
    let mut random = random();
    for d in [1, 7, 16, 100, 1024] {
        let rows = 35;
        let mut numbers =
            |count: usize| -> Vec<f32> { (0..count).map(|_| unit(&mut random)).collect() };
        let (x, y, gamma, beta) = (numbers(rows * d), numbers(rows * d), numbers(d), numbers(d));
        let expected: Vec<f64> = (x.chunks_exact(d).zip(y.chunks_exact(d)))
            .flat_map(|(x, y)| {
                let sum: Vec<f64> = x
                    .iter()
                    .zip(y)
                    .map(|(x, y)| f64::from(*x) + f64::from(*y))
                    .collect();
                let mean = sum.iter().sum::<f64>() / d as f64;
                let variance = sum.iter().map(|x| (x - mean).powi(2)).sum::<f64>() / d as f64;
                let of = |((x, g), b): ((&f64, &f32), &f32)| {
                    (x - mean) / (variance + 1e-5).sqrt() * f64::from(*g) + f64::from(*b)
                };
                sum.iter()
                    .zip(&gamma)
                    .zip(&beta)
                    .map(of)
                    .collect::<Vec<_>>()
            })
            .collect();
        for kernels in Kernels::available() {
            let got = layer_norm(kernels.level(), x.clone(), Some(&y), &gamma, &beta, 1e-5);
            let distance = distance(&got, &expected);
            assert!(distance < 2e-6, "{} {d}: {distance}", kernels.name);
        }
    }
}

#[test]
fn numbers_that_are_not_finite_are_not_hidden() {
    let mut random = random();
    for kind in ["q8", "f32"] {
        let (matrix, _) = matrix(&mut random, kind, 20, 70);
        for bad in [f32::NAN, f32::INFINITY] {
            let mut x: Vec<f32> = (0..3 * 70).map(|_| unit(&mut random)).collect();
            x[75] = bad;
            for kernels in Kernels::available() {
                let mut got = vec![0.0; 3 * 20];
                project(kernels, &x, vec![(&matrix, &mut got)]);
                let finite: Vec<bool> = got
                    .chunks(20)
                    .map(|row| row.iter().all(|x| x.is_finite()))
                    .collect();
                assert_eq!(finite, [true, false, true], "{} {kind} {bad}", kernels.name);
            }
        }
    }
}

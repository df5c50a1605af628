//! The kernels against the host, number by number, and whole models against Burn's arithmetic: on any adapter, a software one included.

use std::sync::{Arc, OnceLock};

use half::f16;
use wgpu::DeviceType;

use super::driver::{Driver, Launch, Memory};
use super::kernels::{self, Kind, Scale, Sums};
use super::upload::{Matrix, Stored};
use crate::cancel::Cancel;
use crate::device::{Compute, ComputeOptions, DeviceRequest};
use crate::stack::{Halves, Rows, halves, words_at};
use crate::weights::{
    Activation, Architecture, ClipConfig, ClipTextConfig, ClipVisionConfig, Meta, ModelKind,
    Pooling, Precision, Preprocess, Resample, Weights, WeightsWriter, XlmrConfig, expected_tensors,
};

/// An adapter; `None` where there is none and none is required.
fn driver() -> Option<Arc<Driver>> {
    static OPENED: OnceLock<Option<Arc<Driver>>> = OnceLock::new();
    let found = OPENED.get_or_init(|| {
        let kinds = [
            DeviceType::DiscreteGpu,
            DeviceType::IntegratedGpu,
            DeviceType::VirtualGpu,
            DeviceType::Cpu,
        ];
        let found = kinds
            .into_iter()
            .find_map(|kind| Driver::open(kind, 0).ok());
        found.map(Arc::new)
    });
    let required = std::env::var_os("MORELET_REQUIRE_WGPU").is_some_and(|value| value == "1");
    assert!(found.is_some() || !required, "no adapter for wgpu");
    found.clone()
}

/// Numbers in −1..1.
fn noise(seed: u32, count: usize) -> Vec<f32> {
    let mut state = u64::from(seed).wrapping_mul(0x9E37_79B9_7F4A_7C15) | 1;
    let number = |_| {
        state = state
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        (state >> 40) as f32 / (1 << 23) as f32 - 1.0
    };
    (0..count).map(number).collect()
}

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

/// A file of random weights.
fn write(
    meta: &Meta,
    precision: Precision,
    tokenizer: Option<&[u8]>,
) -> (tempfile::TempDir, Weights) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("model.weights");
    let mut writer = WeightsWriter::create(&path, meta, tokenizer).unwrap();
    for (seed, (name, shape)) in (20..).zip(expected_tensors(meta)) {
        let count = shape.iter().product::<u64>() as usize;
        let scale = name.contains("norm") && name.ends_with("weight");
        let number = |x: f32| if scale { 1.0 + x / 4.0 } else { x / 6.0 };
        let values: Vec<f32> = noise(seed, count).into_iter().map(number).collect();
        writer.tensor(&name, &shape, precision, &values).unwrap();
    }
    writer.finish().unwrap();
    let weights = Weights::open(&path, Default::default()).unwrap();
    (folder, weights)
}

fn meta(kind: ModelKind, architecture: Architecture) -> Meta {
    Meta {
        kind,
        producer: "a test".to_owned(),
        identity: "0".repeat(64),
        licence: None,
        attribution: None,
        quantization: "f32".to_owned(),
        architecture,
        labels: Vec::new(),
    }
}

fn cosine(x: &[f32], y: &[f32]) -> f64 {
    let dot = |x: &[f32], y: &[f32]| {
        x.iter()
            .zip(y)
            .map(|(&x, &y)| f64::from(x) * f64::from(y))
            .sum::<f64>()
    };
    dot(x, y) / (dot(x, x) * dot(y, y)).sqrt()
}

/// Burn's arithmetic in `f32`, and ours on an adapter.
fn both(meta: &Meta) -> Option<(Compute, Compute)> {
    driver()?;
    let options = ComputeOptions {
        device: DeviceRequest::Wgpu(None),
        ..Default::default()
    };
    let ours = Compute::for_models(&options, [meta]).unwrap();
    assert!(ours.driver().is_some(), "{:?}", ours.info());
    let host = Compute::with_threads(DeviceRequest::Cpu, Some(1)).unwrap();
    Some((host.without_kernels(), ours))
}

/// An XLM-R with heads of `width / heads` values.
fn xlmr(kind: ModelKind, width: u32, heads: u32, max_length: u32) -> Meta {
    let config = XlmrConfig {
        vocab_size: 50,
        hidden_size: width,
        num_hidden_layers: 3,
        num_attention_heads: heads,
        intermediate_size: 192,
        max_position_embeddings: max_length + 2,
        type_vocab_size: 1,
        layer_norm_eps: 1e-5,
        hidden_act: Activation::Gelu,
        pad_token_id: 1,
        bos_token_id: 0,
        eos_token_id: 2,
        unk_token_id: 3,
        max_length,
        pooling: Pooling::First,
        separator: vec![2],
        crf: kind == ModelKind::Ner,
        head_norm: false,
    };
    let labels = match kind {
        ModelKind::Ner => ["O", "B-X", "I-X"].map(str::to_owned).to_vec(),
        _ => Vec::new(),
    };
    Meta {
        labels,
        ..meta(kind, Architecture::Xlmr(config))
    }
}

#[test]
fn hidden_states_are_burns_whatever_the_weights_are() {
    let meta = xlmr(ModelKind::Encoder, 128, 2, 140);
    let Some((host, ours)) = both(&meta) else {
        return;
    };
    for precision in [Precision::F32, Precision::F16, Precision::Q8, Precision::Q4] {
        let (_folder, weights) = write(
            &meta,
            precision,
            Some(crate::tokenizer::tests::SMALL.as_bytes()),
        );
        let [host, ours] =
            [&host, &ours].map(|compute| crate::xlmr::Encoder::load(&weights, compute).unwrap());
        for n in [1, 64, 65, 140] {
            let ids: Vec<u32> = (0..n).map(|at| (at * 7 % 50) as u32).collect();
            let states = |encoder: &crate::xlmr::Encoder| {
                encoder
                    .forward(&ids, &Cancel::new())
                    .unwrap()
                    .into_vec()
                    .unwrap()
            };
            let (want, got) = (states(&host), states(&ours));
            for (row, (want, got)) in want.chunks(128).zip(got.chunks(128)).enumerate() {
                let cosine = cosine(want, got);
                assert!(
                    cosine > 0.99999,
                    "{precision:?}, {n} ids, row {row}: {cosine}"
                );
            }
            // Some rows are those of all.
            let rows: Vec<usize> = (0..n).filter(|row| row % 3 == 0).collect();
            let some = ours
                .forward_rows(&[(&ids, rows.clone())], &Cancel::new())
                .unwrap()
                .into_vec()
                .unwrap();
            for (some, row) in some.chunks(128).zip(rows) {
                assert_eq!(some, &got[row * 128..][..128]);
            }
        }
    }
}

#[test]
fn an_expert_labels_as_on_the_host() {
    let meta = xlmr(ModelKind::Ner, 64, 2, 40);
    let Some((host, ours)) = both(&meta) else {
        return;
    };
    let (_folder, weights) = write(
        &meta,
        Precision::Q8,
        Some(crate::tokenizer::tests::SMALL.as_bytes()),
    );
    let answers = [&host, &ours].map(|compute| {
        let expert = crate::Expert::load(weights.clone(), compute, None).unwrap();
        let words = ["a", "b", "a", "a", "b"];
        expert
            .ner(&words, &["b a", "a b b a"], &Cancel::new())
            .unwrap()
    });
    let [want, got] = &answers;
    assert_eq!((want.labels.len(), &want.labels), (5, &got.labels));
    for (want, got) in want.marginals.iter().zip(&got.marginals) {
        for (want, got) in want.iter().zip(got) {
            assert!((want - got).abs() < 2e-3, "{want} {got}");
        }
    }
}

#[test]
fn features_of_clip_are_burns() {
    let text = ClipTextConfig {
        vocab_size: 20,
        hidden_size: 64,
        num_hidden_layers: 2,
        num_attention_heads: 4,
        intermediate_size: 128,
        max_position_embeddings: 40,
        layer_norm_eps: 1e-5,
        hidden_act: Activation::QuickGelu,
        bos_token_id: 18,
        end_of_text_id: 19,
        eos_token_id: 2,
    };
    let vision = ClipVisionConfig {
        hidden_size: 128,
        num_hidden_layers: 2,
        num_attention_heads: 2,
        intermediate_size: 128,
        image_size: 64,
        patch_size: 8,
        layer_norm_eps: 1e-5,
        hidden_act: Activation::QuickGelu,
    };
    let preprocess = Preprocess {
        resize: 64,
        crop: 64,
        resample: Resample::Bicubic,
        mean: [0.5; 3],
        std: [0.25; 3],
    };
    let meta = meta(
        ModelKind::Clip,
        Architecture::Clip(ClipConfig {
            projection_dim: 32,
            text,
            vision,
            preprocess: preprocess.clone(),
        }),
    );
    let Some((host, ours)) = both(&meta) else {
        return;
    };
    let (_folder, weights) = write(
        &meta,
        Precision::F32,
        Some(crate::clip::tests::tokenizer().as_bytes()),
    );
    let [host, ours] =
        [&host, &ours].map(|compute| crate::Clip::load(weights.clone(), compute).unwrap());
    let mut file = Vec::new();
    let mut encoder = png::Encoder::new(&mut file, 64, 64);
    encoder.set_color(png::ColorType::Rgb);
    let pixels: Vec<u8> = noise(15, 64 * 64 * 3)
        .iter()
        .map(|x| (x * 127.0 + 127.0) as u8)
        .collect();
    encoder
        .write_header()
        .unwrap()
        .write_image_data(&pixels)
        .unwrap();
    let picture = crate::Picture::decode(&file, &preprocess, &Default::default()).unwrap();
    let cancel = Cancel::new();
    let [of_host, of_ours] = [&host, &ours].map(|clip| clip.image(&picture, &cancel).unwrap());
    assert!(
        cosine(&of_host, &of_ours) > 0.9999,
        "{of_host:?} {of_ours:?}"
    );
    for text in [
        "w3",
        "w3 w7 w5 w1 w2 w3 w4 w5 w6 w7 w8 w9 w10 w11 w12 w13 w14 w15 w16 w17 w1 w2 w3 w4 w5 w6 w7 w8 w9 w10 w3 w4 w5",
    ] {
        let [of_host, of_ours] = [&host, &ours].map(|clip| clip.text(text, &cancel).unwrap());
        assert!(
            cosine(&of_host, &of_ours) > 0.9999,
            "{text}: {of_host:?} {of_ours:?}"
        );
    }
}

#[test]
fn a_model_of_another_shape_is_left_to_burn() {
    if driver().is_none() {
        return;
    }
    let odd = xlmr(ModelKind::Encoder, 40, 5, 18);
    let options = ComputeOptions {
        device: DeviceRequest::Wgpu(None),
        ..Default::default()
    };
    let compute = Compute::for_models(&options, [&odd]).unwrap();
    assert!(compute.is_burns_gpu());
    let reasons = compute.info().reasons.join("; ");
    assert!(reasons.contains("multiples of 64"), "{reasons}");
}

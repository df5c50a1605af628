//! Whole models against Burn's arithmetic on the host.

use super::{driver, noise};
use crate::cancel::Cancel;
use crate::device::{Compute, ComputeOptions, DeviceRequest};
use crate::weights::{
    Activation, Architecture, ClipConfig, ClipTextConfig, ClipVisionConfig, Meta, ModelKind,
    Pooling, Precision, Preprocess, Resample, Weights, WeightsWriter, XlmrConfig, expected_tensors,
};

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

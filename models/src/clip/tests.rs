//! Against PyTorch: `tests/reference/clip_formula.py` printed the features.

use morelet_mapped::OpenOptions;

use super::*;
use crate::device::DeviceRequest;
use crate::weights::{
    Activation, Architecture, ClipTextConfig, ClipVisionConfig, ModelKind, Precision, Resample,
    WeightsWriter, expected_tensors,
};

/// A tokenizer that knows the words `w0` to `w19`.
pub(crate) fn tokenizer() -> String {
    let vocabulary: Vec<String> = (0..20).map(|id| format!("\"w{id}\": {id}")).collect();
    format!(
        r#"{{"version": "1.0", "truncation": null, "padding": null, "added_tokens": [], "normalizer": null,
        "pre_tokenizer": {{"type": "WhitespaceSplit"}}, "post_processor": null, "decoder": null,
        "model": {{"type": "WordLevel", "vocab": {{{}}}, "unk_token": "w0"}}}}"#,
        vocabulary.join(", ")
    )
}

fn meta(activation: Activation, eos_token_id: u32) -> Meta {
    let text = ClipTextConfig {
        vocab_size: 20,
        hidden_size: 8,
        num_hidden_layers: 2,
        num_attention_heads: 2,
        intermediate_size: 12,
        max_position_embeddings: 7,
        layer_norm_eps: 1e-5,
        hidden_act: activation,
        bos_token_id: 18,
        end_of_text_id: 19,
        eos_token_id,
    };
    let vision = ClipVisionConfig {
        hidden_size: 8,
        num_hidden_layers: 2,
        num_attention_heads: 2,
        intermediate_size: 12,
        image_size: 7,
        patch_size: 3,
        layer_norm_eps: 1e-5,
        hidden_act: activation,
    };
    Meta {
        kind: ModelKind::Clip,
        producer: "a test".to_owned(),
        identity: "0".repeat(64),
        licence: None,
        attribution: None,
        quantization: "f32".to_owned(),
        architecture: Architecture::Clip(ClipConfig {
            projection_dim: 6,
            text,
            vision,
            preprocess: Preprocess {
                resize: 7,
                crop: 7,
                resample: Resample::Bicubic,
                mean: [0.5; 3],
                std: [0.25; 3],
            },
        }),
        labels: Vec::new(),
    }
}

fn clip(activation: Activation, eos_token_id: u32) -> Clip {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("clip.weights");
    let meta = meta(activation, eos_token_id);
    let tokenizer = tokenizer();
    let mut writer = WeightsWriter::create(&path, &meta, Some(tokenizer.as_bytes())).unwrap();
    for (k, (name, shape)) in expected_tensors(&meta).into_iter().enumerate() {
        let one = if name.contains("norm") && name.ends_with("weight") {
            1.0
        } else {
            0.0
        };
        let value = |i: u64| ((k as f64 + 0.37 * (i * i) as f64).sin() / 2.0 + one) as f32;
        let values: Vec<f32> = (0..shape.iter().product()).map(value).collect();
        writer
            .tensor(&name, &shape, Precision::F32, &values)
            .unwrap();
    }
    writer.finish().unwrap();
    let weights = Weights::open(&path, OpenOptions::default()).unwrap();
    let compute = Compute::new(DeviceRequest::Cpu).unwrap();
    Clip::load(weights, &compute).unwrap()
}

fn picture() -> Picture {
    picture_of(37)
}

fn picture_of(step: usize) -> Picture {
    let rgb: Vec<u8> = (0..7 * 7 * 3).map(|i| (i * step % 256) as u8).collect();
    let mut file = Vec::new();
    let mut encoder = png::Encoder::new(&mut file, 7, 7);
    encoder.set_color(png::ColorType::Rgb);
    let mut writer = encoder.write_header().unwrap();
    writer.write_image_data(&rgb).unwrap();
    writer.finish().unwrap();
    let meta = meta(Activation::Gelu, 2);
    let preprocess = &meta.clip().unwrap().preprocess;
    Picture::decode(&file, preprocess, &crate::PictureLimits::default()).unwrap()
}

fn assert_near(got: &[f32], expected: &[f64], tolerance: f64) {
    assert_eq!(got.len(), expected.len());
    for (got, expected) in got.iter().zip(expected) {
        let difference = (f64::from(*got) - expected).abs();
        assert!(
            difference < tolerance,
            "{got} for {expected}, off by {difference}"
        );
    }
}

#[test]
fn features_are_pytorchs() {
    let cases = [
        (
            Activation::QuickGelu,
            2,
            [
                0.262454718,
                0.076189563,
                0.503405690,
                -0.182456985,
                0.668631852,
                -0.437648505,
            ],
            [
                0.386709929,
                -0.600621998,
                -0.453001112,
                -0.011061857,
                -0.533213794,
                -0.007702393,
            ],
        ),
        (
            Activation::Gelu,
            5,
            [
                0.636577606,
                -0.174437702,
                0.319478601,
                -0.430175424,
                0.503360808,
                0.154437423,
            ],
            [
                0.384965003,
                -0.598617375,
                -0.453834385,
                -0.010932802,
                -0.536027610,
                -0.006965214,
            ],
        ),
    ];
    for (activation, eos, text, image) in cases {
        let clip = clip(activation, eos);
        let cancel = Cancel::new();
        assert_near(&clip.text("w3 w7 w5", &cancel).unwrap(), &text, 2e-6);
        assert_near(&clip.image(&picture(), &cancel).unwrap(), &image, 2e-6);
    }
}

#[test]
fn pictures_together_have_the_features_that_they_have_alone() {
    let clip = clip(Activation::QuickGelu, 2);
    let cancel = Cancel::new();
    let pictures: Vec<Picture> = (0..11).map(|number| picture_of(37 + 2 * number)).collect();
    let together: Vec<&Picture> = pictures.iter().collect();
    assert!(clip.batch() > 1 && together.len() % clip.batch() > 1);
    let features = clip.images(&together, &cancel).unwrap();
    assert_eq!(features.len(), pictures.len());
    for (picture, feature) in pictures.iter().zip(&features) {
        assert_eq!(*feature, clip.image(picture, &cancel).unwrap());
    }
    assert!(features[0] != features[1]);
    assert!(clip.images(&[], &cancel).unwrap().is_empty());
}

#[test]
fn padding_after_a_text_does_not_change_it() {
    let clip = clip(Activation::QuickGelu, 2);
    let ids = clip.text_ids("w3 w7 w5").unwrap();
    let run = |rows| {
        let embeddings = clip.text.embed(&clip.weights, &ids).unwrap();
        let (device, cancel) = (clip.compute.device(), Cancel::new());
        let feature = clip.text.forward(embeddings, &ids, rows, device, &cancel);
        read(feature.unwrap()).unwrap()
    };
    let exact: Vec<f64> = run(ids.len()).into_iter().map(f64::from).collect();
    assert_near(&run(32), &exact, 1e-5);
}

#[test]
fn a_long_text_is_cut_and_keeps_its_end() {
    let clip = clip(Activation::Gelu, 2);
    let ids = clip.text_ids("w1 w2 w3 w4 w5 w6 w7").unwrap();
    assert_eq!(ids, [18, 1, 2, 3, 4, 5, 19]);
    assert_eq!(clip.text_ids("").unwrap(), [18, 19]);
    assert!(clip.text("", &Cancel::new()).is_ok());
}

#[test]
fn a_picture_for_another_model_is_refused() {
    let clip = clip(Activation::Gelu, 2);
    let mut preprocess = clip.preprocess().clone();
    preprocess.crop = 6;
    let file = std::fs::read(concat!(
        env!("CARGO_MANIFEST_DIR"),
        "/../tests/data/pictures/rgb.png"
    ));
    let picture = Picture::decode(
        &file.unwrap(),
        &preprocess,
        &crate::PictureLimits::default(),
    )
    .unwrap();
    let error = clip.image(&picture, &Cancel::new()).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Input);
}

#[test]
fn a_cancelled_run_says_so() {
    let clip = clip(Activation::Gelu, 2);
    let cancel = Cancel::new();
    cancel.cancel();
    let text = clip.text("w1", &cancel).unwrap_err();
    let image = clip.image(&picture(), &cancel).unwrap_err();
    assert_eq!(text.kind(), ErrorKind::Cancelled);
    assert_eq!(image.kind(), ErrorKind::Cancelled);
}

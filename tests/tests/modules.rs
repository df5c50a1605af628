//! The modules by themselves, as a program that links them sees them: hidden states and CLIP features against
//! PyTorch, on the CPU and, where there is an adapter, on wgpu.

use morelet_mapped::OpenOptions;
use morelet_models::device::{Compute, ComputeOptions, DeviceRequest};
use morelet_models::weights::Weights;
use morelet_models::{Cancel, Clip, Picture, xlmr};
use morelet_tests::{Workshop, close, golden, numbers, read_json, tools};
use serde_json::{Value, json};

struct Allowed {
    /// Hidden states: absolute, or relative to the largest of them.
    hidden: f64,
    relative: bool,
    text: f64,
    image: f64,
}

const CPU: Allowed = Allowed {
    hidden: 2e-4,
    relative: false,
    text: 2e-5,
    image: 1e-3,
};
#[cfg(feature = "wgpu")]
const WGPU: Allowed = Allowed {
    hidden: 1e-2,
    relative: true,
    text: 1e-3,
    image: 2e-3,
};

fn compute(device: &str) -> Compute {
    let options = ComputeOptions {
        device: device.parse::<DeviceRequest>().expect("a device"),
        // These models are smaller than our kernels for GPUs take: Burn computes them there.
        burn_alone: true,
        ..Default::default()
    };
    Compute::with_options(&options).expect("it serves")
}

fn hidden_states(checkpoint: &str, compute: &Compute, allowed: &Allowed) {
    let golden = read_json(golden(format!("hidden/{checkpoint}.json")));
    let mut workshop = Workshop::new(tools!());
    let weights = workshop.weights(&golden, "f32");
    let weights = Weights::open(weights, OpenOptions::default()).expect("weights");
    let encoder = xlmr::Encoder::load(&weights, compute).expect("an encoder");
    for input in golden["inputs"].as_array().expect("inputs") {
        let ids: Vec<u32> = numbers(&input["ids"]).iter().map(|n| *n as u32).collect();
        let hidden = encoder
            .forward(&ids, &Cancel::new())
            .expect("hidden states");
        let got = json!(hidden.to_vec().expect("numbers"));
        let want = numbers(&input["hidden"]);
        let largest = want.iter().fold(0.0f64, |a, b| a.max(b.abs()));
        let room = allowed.hidden * if allowed.relative { largest } else { 1.0 };
        if let Err(message) = close(&got, &json!(want), room) {
            panic!("{checkpoint}, {}: {message}", input["id"]);
        }
    }
}

fn features(checkpoint: &str, compute: &Compute, allowed: &Allowed) {
    let golden_features = read_json(golden(format!("clip/{checkpoint}.json")));
    let form = if checkpoint == "clip-eos" {
        "safetensors"
    } else {
        "bin"
    };
    let part =
        json!({"checkpoint": checkpoint, "form": form, "tokenizer": golden_features["tokenizer"]});
    let mut workshop = Workshop::new(tools!());
    let weights = workshop.weights(&part, "f32");
    let weights = Weights::open(weights, OpenOptions::default()).expect("weights");
    let preprocess = weights.meta().clip().expect("a CLIP").preprocess.clone();
    let clip = Clip::load(weights, compute).expect("a CLIP");
    let agrees = |got: Vec<f32>, want: &Value, tolerance: f64| {
        close(&json!(got), &want["features"], tolerance)
    };
    for text in golden_features["texts"].as_array().expect("texts") {
        let said = text["text"].as_str().expect("text");
        let ids = clip.text_ids(said).expect("ids");
        assert_eq!(json!(ids), text["ids"], "{checkpoint}, {said}");
        let got = clip.text(said, &Cancel::new()).expect("features");
        if let Err(message) = agrees(got, text, allowed.text) {
            panic!("{checkpoint}, {}: {message}", text["text"]);
        }
    }
    for image in golden_features["images"].as_array().expect("images") {
        let path = golden("pictures").join(image["image"].as_str().expect("a name"));
        let picture = Picture::open(path, &preprocess, &Default::default()).expect("a picture");
        let got = clip.image(&picture, &Cancel::new()).expect("features");
        if let Err(message) = agrees(got, image, allowed.image) {
            panic!("{checkpoint}, {}: {message}", image["image"]);
        }
    }
}

#[test]
fn hidden_states_of_a_bare_encoder() {
    hidden_states("bare", &compute("cpu"), &CPU);
}

#[test]
fn hidden_states_with_an_epsilon_of_1e_12_and_small_embeddings() {
    hidden_states("softmax", &compute("cpu"), &CPU);
}

#[test]
fn hidden_states_with_heads_of_twelve() {
    hidden_states("re-norm", &compute("cpu"), &CPU);
}

#[test]
fn features_of_a_clip_that_pools_at_the_largest_id() {
    features("clip-eos-2", &compute("cpu"), &CPU);
}

#[test]
fn features_of_a_clip_that_pools_at_the_end_of_text() {
    features("clip-eos", &compute("cpu"), &CPU);
}

#[cfg(feature = "wgpu")]
#[test]
fn hidden_states_and_features_on_wgpu() {
    if !morelet_tests::adapter(&tools!()) {
        return;
    }
    let compute = compute("wgpu");
    hidden_states("bare", &compute, &WGPU);
    features("clip-eos", &compute, &WGPU);
}

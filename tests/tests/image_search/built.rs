//! An index of made-up features around those of three pictures, and what is asked of it.

use morelet::{DeviceRequest, OpenOptions};
use morelet_indices::{ImageEntry, ImageIndex, ImageIndexBuilder, ImageOptions};
use morelet_models::device::Compute;
use morelet_models::weights::Weights;
use morelet_models::{Cancel, Clip, Picture, PictureLimits};
use morelet_tests::{Run, Workshop, golden, numbers, read_json, tools};
use serde_json::Value;
use std::fs;
use std::path::{Path, PathBuf};

/// How many pictures are searched exactly for any recall where none was measured.
pub const FEW: usize = 10_000;

const PICTURES: [&str; 3] = ["wide.png", "tall.jpg", "small-grey.png"];

pub fn text(path: &Path) -> &str {
    path.to_str().expect("a UTF-8 path")
}

pub fn picture(n: usize) -> PathBuf {
    golden(format!("pictures/{}", PICTURES[n % 3]))
}

fn normalized(mut feature: Vec<f32>) -> Vec<f32> {
    let norm = feature.iter().map(|x| x * x).sum::<f32>().sqrt();
    feature.iter_mut().for_each(|x| *x /= norm);
    feature
}

/// An index whose pictures lie around the three.
pub struct Built {
    pub workshop: Workshop,
    pub clip: PathBuf,
    pub index: PathBuf,
    /// The normalized features, in their order.
    pub rows: Vec<Vec<f32>>,
    /// What CLIP makes of the three pictures.
    pub seen: Vec<Vec<f32>>,
}

/// The id of a picture. The eleventh has that of the tenth.
pub fn id(n: usize) -> String {
    format!("p{}", if n == 11 { 10 } else { n })
}

pub fn build(count: usize, ef_construction: usize) -> Built {
    let mut workshop = Workshop::new(tools!());
    let case = read_json(golden("cases/ner-gate-one-row/case.json"));
    let clip = workshop.weights(&case["clip"], "f32");
    let weights = Weights::open(&clip, OpenOptions::default()).expect("weights");
    let identity = weights.meta().identity.clone();
    let compute = Compute::new(DeviceRequest::Cpu).expect("the CPU serves");
    let model = Clip::load(weights, &compute).expect("CLIP");
    let see = |n: usize| {
        let limits = PictureLimits::default();
        let picture = Picture::open(picture(n), model.preprocess(), &limits).expect("a picture");
        let feature = compute.run(|| model.image(&picture, &Cancel::new()));
        feature.expect("a feature")
    };
    let seen: Vec<Vec<f32>> = (0..3).map(see).collect();
    let dim = model.dim();
    let index = workshop.path("made.index");
    let options = ImageOptions {
        ef_construction,
        ..ImageOptions::new(identity, dim)
    };
    let mut builder = ImageIndexBuilder::create(&index, options).expect("a builder");
    let mut state = 7_u64;
    let mut random = || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        (state >> 40) as f32 / (1 << 24) as f32 - 0.5
    };
    let rows: Vec<Vec<f32>> = (0..count)
        .map(|n| {
            let far = 0.1 + 0.5 * (n % 17) as f32 / 17.0;
            let near = seen[n % 3].iter();
            normalized(near.map(|x| x + far * random()).collect())
        })
        .collect();
    for (n, row) in rows.iter().enumerate() {
        let entry = ImageEntry {
            id: &id(n),
            title: &format!("Title {n}"),
            intro: "An introduction.",
        };
        builder.add(entry, row).expect("a picture");
    }
    builder.finish(&mut |_, _, _| false).expect("an index");
    Built {
        workshop,
        clip,
        index,
        rows,
        seen,
    }
}

impl Built {
    pub fn open(&self) -> ImageIndex {
        ImageIndex::open(&self.index, OpenOptions::default()).expect("an index")
    }

    /// A search of the index with more arguments.
    pub fn run(&self, more: &[&str]) -> Run {
        let args = ["search", text(&self.index), "image"];
        let clip = ["--clip", text(&self.clip), "--device", "cpu"];
        let args = args.iter().chain(&clip).chain(more);
        self.workshop.tools.morelet(args)
    }

    /// The hits of the picture with that number.
    pub fn hits(&self, n: usize, more: &[&str]) -> Vec<Value> {
        let picture = picture(n);
        let args = [&[text(&picture), "--keys"], more].concat();
        let found = self.run(&args).ok().json();
        found["hits"].as_array().expect("hits").clone()
    }

    /// The scores of the nearest, by multiplying.
    pub fn truth(&self, n: usize, among: impl Fn(usize) -> bool) -> Vec<f64> {
        let product = |row: &Vec<f32>| -> f64 {
            let pairs = row.iter().zip(&self.seen[n]);
            pairs.map(|(&x, &y)| f64::from(x) * f64::from(y)).sum()
        };
        let rows = self.rows.iter().enumerate();
        let mut scores: Vec<f64> = rows
            .filter(|&(n, _)| among(n))
            .map(|(_, row)| product(row))
            .collect();
        scores.sort_by(|a, b| b.total_cmp(a));
        scores
    }

    /// A bundle of one expert that reads what is found, or reads nothing.
    pub fn bundle(&mut self, context: &str) -> PathBuf {
        let case = read_json(golden("cases/ner/case.json"));
        let weights = self.workshop.weights(&case["experts"][0], "f32");
        let bundle = self.workshop.path(format!("{context}.morelet"));
        let expert = format!("x:{context}:{}", weights.display());
        let mut args = vec!["bundle", "-o", text(&bundle), "--expert", &expert];
        if context == "image" {
            args.extend(["--clip", text(&self.clip)]);
            args.extend(["--image-index", text(&self.index)]);
        }
        self.workshop.tools.convert(args).ok();
        bundle
    }

    pub fn predict(&self, bundle: &Path, more: &[&str]) -> Run {
        let picture = picture(0);
        let args = ["predict", text(bundle), "--text", "Kolo loves the sun"];
        let image = ["--image", text(&picture), "--device", "cpu"];
        let detail = ["--detail", "labels"];
        let args = args.iter().chain(&image).chain(&detail).chain(more);
        self.workshop.tools.morelet(args)
    }

    /// A file of 40 pictures, with what is on the thirtieth line.
    pub fn queries(&self, thirtieth: &str) -> PathBuf {
        let mut lines: Vec<String> = (0..40).map(|n| text(&picture(n)).to_owned()).collect();
        lines[29] = thirtieth.to_owned();
        let path = self.workshop.path("pictures.txt");
        fs::write(&path, lines.join("\n")).expect("a temporary file");
        path
    }
}

pub fn strings(hits: &[Value], key: &str) -> Vec<String> {
    let string = |hit: &Value| hit[key].as_str().expect("text").to_owned();
    hits.iter().map(string).collect()
}

pub fn scores(hits: &[Value]) -> Vec<f64> {
    numbers(&hits.iter().map(|hit| hit["score"].clone()).collect())
}

pub fn near(found: &[f64], truth: &[f64]) {
    assert_eq!(found.len(), truth.len());
    for (found, truth) in found.iter().zip(truth) {
        assert!((found - truth).abs() < 1e-5, "{found} for {truth}");
    }
}

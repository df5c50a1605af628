//! A file written and read back, and every way in which one can be wrong.

use std::path::{Path, PathBuf};

use morelet_mapped::{Kind, OpenOptions, Writer};

use super::*;
use crate::{Error, ErrorKind};

/// The smallest NER model: d 4, one layer, two labels.
fn small() -> Meta {
    Meta {
        kind: ModelKind::Ner,
        producer: "a test".to_owned(),
        identity: "ab".repeat(32),
        licence: Some("MIT".to_owned()),
        attribution: None,
        quantization: "f32".to_owned(),
        architecture: Architecture::Xlmr(XlmrConfig {
            vocab_size: 8,
            hidden_size: 4,
            num_hidden_layers: 1,
            num_attention_heads: 2,
            intermediate_size: 6,
            max_position_embeddings: 12,
            type_vocab_size: 1,
            layer_norm_eps: 1e-5,
            hidden_act: Activation::Gelu,
            pad_token_id: 1,
            bos_token_id: 0,
            eos_token_id: 2,
            unk_token_id: 3,
            max_length: 10,
            pooling: Pooling::First,
            separator: vec![2],
            crf: true,
            head_norm: false,
        }),
        labels: vec!["O".to_owned(), "S-PER".to_owned()],
    }
}

fn clip() -> Meta {
    let (hidden_act, layer_norm_eps) = (Activation::QuickGelu, 1e-5);
    Meta {
        kind: ModelKind::Clip,
        architecture: Architecture::Clip(ClipConfig {
            projection_dim: 3,
            text: ClipTextConfig {
                vocab_size: 9,
                hidden_size: 4,
                num_hidden_layers: 1,
                num_attention_heads: 2,
                intermediate_size: 8,
                max_position_embeddings: 7,
                layer_norm_eps,
                hidden_act,
                bos_token_id: 7,
                end_of_text_id: 8,
                eos_token_id: 8,
            },
            vision: ClipVisionConfig {
                hidden_size: 4,
                num_hidden_layers: 2,
                num_attention_heads: 2,
                intermediate_size: 8,
                image_size: 6,
                patch_size: 2,
                layer_norm_eps,
                hidden_act,
            },
            preprocess: Preprocess {
                resize: 6,
                crop: 6,
                resample: Resample::Bicubic,
                mean: [0.5; 3],
                std: [0.25; 3],
            },
        }),
        labels: Vec::new(),
        ..small()
    }
}

/// Values that differ from tensor to tensor and row to row.
fn values(seed: usize, shape: &[u64]) -> Vec<f32> {
    let count: u64 = shape.iter().product();
    (0..count as usize)
        .map(|at| ((at * 7 + seed * 13) % 31) as f32 / 8.0 - 2.0)
        .collect()
}

fn write(path: &Path, meta: &Meta, precision: Precision) -> Vec<(String, Vec<f32>, TensorReport)> {
    let mut writer = WeightsWriter::create(path, meta, Some(b"{}")).unwrap();
    let tensors = expected_tensors(meta).into_iter().enumerate();
    let written = tensors
        .map(|(at, (name, shape))| {
            let values = values(at, &shape);
            let report = writer.tensor(&name, &shape, precision, &values).unwrap();
            (name, values, report)
        })
        .collect();
    writer.finish().unwrap();
    written
}

fn folder() -> (tempfile::TempDir, PathBuf) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("small.weights");
    (folder, path)
}

#[test]
fn f32_reads_back_exactly() {
    for meta in [small(), clip()] {
        let (_folder, path) = folder();
        let written = write(&path, &meta, Precision::F32);
        let weights = Weights::open(&path, OpenOptions::default()).unwrap();
        assert_eq!(weights.meta(), &meta);
        assert_eq!(weights.tokenizer().as_deref(), Some(&b"{}"[..]));
        for (name, values, report) in written {
            assert_eq!(weights.f32s(&name).unwrap(), values, "{name}");
            assert_eq!(
                (report.relative_error, report.bytes),
                (0.0, 4 * values.len() as u64)
            );
        }
    }
}

#[test]
fn quantized_values_are_within_half_a_step() {
    for (precision, worst) in [
        (Precision::F16, 1.0 / 2048.0),
        (Precision::Q8, 0.51 / 127.0),
    ] {
        let (_folder, path) = folder();
        let written = write(&path, &small(), precision);
        let weights = Weights::open(&path, OpenOptions::default()).unwrap();
        for (name, values, report) in written {
            let exact = always_f32(ModelKind::Ner, &name, &weights.info(&name).unwrap().shape);
            let worst = if exact { 0.0 } else { worst };
            for (w, v) in values.iter().zip(weights.f32s(&name).unwrap()) {
                // No value is larger than 2.
                assert!((w - v).abs() <= 2.0 * worst, "{name}: {w} became {v}");
            }
            assert_eq!(
                report.precision,
                if exact { Precision::F32 } else { precision },
                "{name}"
            );
            assert!(report.cosine > 0.999);
        }
    }
}

#[test]
fn norms_biases_and_the_crf_stay_f32() {
    let (_folder, path) = folder();
    write(&path, &small(), Precision::Q8);
    let weights = Weights::open(&path, OpenOptions::default()).unwrap();
    let precision = |name: &str| weights.info(name).unwrap().precision;
    for name in [
        "embeddings.norm.weight",
        "layers.0.attention.norm.bias",
        "layers.0.attention.query.bias",
        "crf.start",
        "crf.transitions",
        "crf.end",
        "head.bias",
    ] {
        assert_eq!(precision(name), Precision::F32, "{name}");
    }
    for name in [
        "embeddings.word",
        "embeddings.position",
        "layers.0.ffn.up.weight",
        "head.weight",
    ] {
        assert_eq!(precision(name), Precision::Q8, "{name}");
    }
}

#[test]
fn rows_are_those_of_the_whole_table() {
    for precision in [Precision::F32, Precision::F16, Precision::Q8] {
        let (_folder, path) = folder();
        write(&path, &small(), precision);
        let weights = Weights::open(&path, OpenOptions::default()).unwrap();
        let all = weights.f32s("embeddings.word").unwrap();
        let got = weights.rows("embeddings.word", &[7, 0, 7]).unwrap();
        assert_eq!(got, [&all[28..32], &all[..4], &all[28..32]].concat());
        let error = weights.rows("embeddings.word", &[0, 8]).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Input);
        assert!(error.to_string().contains("id 8"), "{error}");
    }
}

#[test]
fn the_same_input_gives_the_same_bytes() {
    let (folder, path) = folder();
    let other = folder.path().join("other.weights");
    write(&path, &small(), Precision::Q8);
    write(&other, &small(), Precision::Q8);
    assert_eq!(std::fs::read(path).unwrap(), std::fs::read(other).unwrap());
}

#[test]
fn the_writer_refuses_what_the_model_does_not_have() {
    let (_folder, path) = folder();
    let mut writer = WeightsWriter::create(&path, &small(), None).unwrap();
    let head = |writer: &mut WeightsWriter, shape: &[u64], values: &[f32]| {
        let result = writer.tensor("head.weight", shape, Precision::F32, values);
        result.map(drop).map_err(|error| error.to_string())
    };
    let told = |result: Result<(), String>, expected: &str| {
        let message = result.unwrap_err();
        assert!(
            message.contains(expected),
            "{message} should contain {expected}"
        );
        assert!(
            message.contains("head.weight"),
            "{message} should name the tensor"
        );
    };
    told(
        head(&mut writer, &[4, 2], &[0.0; 8]),
        "expected shape [2, 4], got [4, 2]",
    );
    told(head(&mut writer, &[2, 4], &[0.0; 7]), "got 7");
    told(
        head(
            &mut writer,
            &[2, 4],
            &[0., 0., 0., f32::NAN, 0., 0., 0., 0.],
        ),
        "value 3 is NaN",
    );
    told(
        head(&mut writer, &[2, 4], &[f32::NEG_INFINITY; 8]),
        "value 0 is -inf",
    );
    let large = writer.tensor("head.weight", &[2, 4], Precision::F16, &[7e4; 8]);
    told(
        large.map(drop).map_err(|error| error.to_string()),
        "--keep head.weight=f32",
    );
    head(&mut writer, &[2, 4], &[0.0; 8]).unwrap();
    told(head(&mut writer, &[2, 4], &[0.0; 8]), "already");
    let extra = writer
        .tensor("pooler.weight", &[1], Precision::F32, &[0.0])
        .unwrap_err();
    assert!(extra.to_string().contains("no such tensor"), "{extra}");

    let error = writer.finish().unwrap_err().to_string();
    for (name, _) in expected_tensors(&small()) {
        assert_eq!(
            error.contains(&format!("missing: {name} ")),
            name != "head.weight",
            "{error}"
        );
    }
    assert!(!path.exists());
}

/// Writes a file as a foe would: any meta, any table.
fn forge(path: &Path, meta: &[u8], table: &[TensorInfo], data: u64) {
    let mut writer = Writer::create(path, Kind::Weights).unwrap();
    for (name, bytes) in [
        ("meta", meta),
        ("tensors", &morelet_mapped::encode(&table.to_vec()).unwrap()),
    ] {
        let mut section = writer.section(name, 1, false).unwrap();
        section.put(bytes).unwrap();
        section.finish().unwrap();
    }
    let mut section = writer.section("data", 1, true).unwrap();
    section.put(&vec![0; data as usize]).unwrap();
    section.finish().unwrap();
    writer.finish().unwrap();
}

fn refusal(path: &Path) -> Error {
    Weights::open(path, OpenOptions::default()).unwrap_err()
}

#[test]
fn refuses_a_meta_out_of_its_ranges_and_lists_all_that_is_wrong() {
    let cases: [(&str, serde_json::Value); 21] = [
        ("hidden_size", 0.into()),
        ("hidden_size", 1_000_000.into()),
        ("num_hidden_layers", 0.into()),
        ("num_hidden_layers", 4_000_000_000_u32.into()),
        ("num_attention_heads", 0.into()),
        ("num_attention_heads", 3.into()),
        ("intermediate_size", 0.into()),
        ("vocab_size", 0.into()),
        ("vocab_size", u32::MAX.into()),
        ("max_position_embeddings", 0.into()),
        ("type_vocab_size", 0.into()),
        ("layer_norm_eps", 0.into()),
        ("layer_norm_eps", (-1e-5).into()),
        ("pad_token_id", 8.into()),
        ("bos_token_id", 8.into()),
        ("eos_token_id", u32::MAX.into()),
        ("unk_token_id", 9.into()),
        ("max_length", 1.into()),
        ("max_length", 11.into()),
        ("separator", vec![2, 8].into()),
        ("separator", vec![2; 65].into()),
    ];
    let mut all = serde_json::to_value(small()).unwrap();
    for (key, value) in cases {
        let (_folder, path) = folder();
        let mut meta = serde_json::to_value(small()).unwrap();
        meta["architecture"]["xlmr"][key] = value.clone();
        all["architecture"]["xlmr"][key] = value;
        forge(&path, meta.to_string().as_bytes(), &[], 0);
        let error = refusal(&path);
        assert_eq!(error.kind(), ErrorKind::Model);
        assert!(error.to_string().contains(key), "{key}: {error}");
    }
    let (_folder, path) = folder();
    forge(&path, all.to_string().as_bytes(), &[], 0);
    let error = refusal(&path).to_string();
    for key in [
        "hidden_size",
        "num_hidden_layers",
        "vocab_size",
        "max_length",
        "separator",
        "layer_norm_eps",
    ] {
        assert!(error.contains(key), "{key} should be in {error}");
    }
}

#[test]
fn refuses_a_meta_whose_parts_contradict_each_other() {
    let gate = Architecture::Gate(GateConfig {
        rows: 1,
        text_dim: 2,
        image_dim: 2,
    });
    let xlmr = small().architecture;
    let cases = [
        (
            "identity",
            Meta {
                identity: "xyz".to_owned(),
                ..small()
            },
        ),
        (
            "labels",
            Meta {
                labels: Vec::new(),
                ..small()
            },
        ),
        (
            "labels",
            Meta {
                labels: vec!["O".to_owned(); 5000],
                ..small()
            },
        ),
        (
            "labels",
            Meta {
                labels: small().labels,
                ..clip()
            },
        ),
        (
            "architecture",
            Meta {
                kind: ModelKind::Clip,
                labels: Vec::new(),
                ..small()
            },
        ),
        (
            "architecture",
            Meta {
                architecture: gate,
                ..small()
            },
        ),
        (
            "architecture",
            Meta {
                architecture: xlmr,
                ..clip()
            },
        ),
        (
            "crf",
            Meta {
                kind: ModelKind::Re,
                ..small()
            },
        ),
    ];
    for (key, meta) in cases {
        let (_folder, path) = folder();
        forge(
            &path,
            serde_json::to_string(&meta).unwrap().as_bytes(),
            &[],
            0,
        );
        let error = refusal(&path).to_string();
        assert!(error.contains(key), "{key}: {error}");
        assert!(WeightsWriter::create(&path, &meta, None).is_err());
    }
    for bytes in [&b""[..], b"{", b"[]", b"{\"kind\": \"llm\"}", b"\xff"] {
        let (_folder, path) = folder();
        forge(&path, bytes, &[], 0);
        let error = refusal(&path);
        assert_eq!(error.kind(), ErrorKind::File);
        assert_eq!(error.file_error().unwrap().section(), Some("meta"));
    }
}

/// The table of the small model, all f32, and the length of its data.
fn table() -> (Vec<TensorInfo>, u64) {
    let mut offset = 0;
    let tensors = expected_tensors(&small())
        .into_iter()
        .map(|(name, shape)| {
            let len = Precision::F32.weight_bytes(&shape).unwrap();
            let weights = Extent { offset, len };
            offset += len.next_multiple_of(TENSOR_ALIGNMENT);
            let layouts = vec![Stored {
                layout: Layout::RowMajor,
                weights,
                scales: None,
            }];
            TensorInfo {
                name,
                shape,
                precision: Precision::F32,
                layouts,
            }
        })
        .collect();
    (tensors, offset)
}

#[test]
fn refuses_a_table_that_does_not_fit() {
    type Damage = fn(&mut Vec<TensorInfo>);
    let cases: [(&str, Damage); 17] = [
        ("missing: embeddings.word [8, 4]", |t| drop(t.remove(0))),
        ("extra: wild [8, 4]", |t| t[0].name = "wild".to_owned()),
        ("twice in the table: embeddings.position", |t| {
            t[0] = t[1].clone()
        }),
        (
            "misshapen: embeddings.word: expected [8, 4], got [4, 8]",
            |t| t[0].shape = vec![4, 8],
        ),
        ("shape [18446744073709551615, 4] overflows", |t| {
            t[0].shape = vec![u64::MAX, 4]
        }),
        ("embeddings.word: has no layout", |t| t[0].layouts.clear()),
        ("needs scales", |t| t[0].precision = Precision::Q8),
        ("expected 32 bytes for q8 [8, 4], got 128", |t| {
            t[0].precision = Precision::Q8
        }),
        ("f32 has no scales", |t| {
            t[0].layouts[0].scales = Some(Extent { offset: 0, len: 0 })
        }),
        ("embeddings.norm.weight: expected f32, got f16", |t| {
            t[3].precision = Precision::F16
        }),
        ("expected 128 bytes for f32 [8, 4], got 124", |t| {
            t[0].layouts[0].weights.len = 124
        }),
        ("offset 4 is not a multiple of 64", |t| {
            t[0].layouts[0].weights.offset = 4
        }),
        ("lies before the end 128 of its predecessor", |t| {
            t[1].layouts[0].weights.offset = 64
        }),
        ("leave the section `data`", |t| {
            t[0].layouts[0].weights.offset = 1 << 40
        }),
        ("leave the section `data`", |t| {
            t[0].layouts[0].weights.offset = u64::MAX - 63
        }),
        ("leave the section `data`", |t| {
            t[0].layouts[0].weights.len = u64::MAX
        }),
        ("lies before", |t| t.swap(0, 1)),
    ];
    let meta = serde_json::to_string(&small()).unwrap();
    let (whole, data) = table();
    let (_folder, path) = folder();
    forge(&path, meta.as_bytes(), &whole, data);
    Weights::open(&path, OpenOptions::default()).unwrap();
    for (expected, damage) in cases {
        let mut table = whole.clone();
        damage(&mut table);
        forge(&path, meta.as_bytes(), &table, data);
        let error = refusal(&path).to_string();
        assert!(
            error.contains(expected),
            "{expected:?} should be in {error}"
        );
    }
    forge(&path, meta.as_bytes(), &whole, data - 64);
    assert!(
        refusal(&path)
            .to_string()
            .contains("leave the section `data`")
    );
}

#[test]
fn all_differences_are_in_one_message() {
    let meta = serde_json::to_string(&small()).unwrap();
    let (mut table, data) = table();
    table.remove(5);
    table[0].name = "pooler.weight".to_owned();
    table[1].shape = vec![48];
    let (_folder, path) = folder();
    forge(&path, meta.as_bytes(), &table, data);
    let error = refusal(&path).to_string();
    for expected in [
        "missing: embeddings.word",
        "missing: layers.0.attention.query.weight",
        "extra: pooler.weight",
        "misshapen: embeddings.position",
        "small.weights",
    ] {
        assert!(
            error.contains(expected),
            "{expected:?} should be in {error}"
        );
    }
}

#[test]
fn a_scale_that_is_not_finite_is_found_where_it_is_read() {
    let (_folder, path) = folder();
    write(&path, &small(), Precision::Q8);
    let weights = Weights::open(&path, OpenOptions::default()).unwrap();
    let scales = weights.info("embeddings.word").unwrap().layouts[0]
        .scales
        .unwrap();
    let data = weights.container().section("data", 1..=1).unwrap().offset();
    drop(weights);
    let mut bytes = std::fs::read(&path).unwrap();
    let at = (data + scales.offset) as usize + 4 * 5;
    bytes[at..at + 4].copy_from_slice(&f32::INFINITY.to_le_bytes());
    std::fs::write(&path, bytes).unwrap();
    let weights = Weights::open(&path, OpenOptions::default()).unwrap();
    assert!(weights.rows("embeddings.word", &[4, 6]).is_ok());
    let error = weights.rows("embeddings.word", &[4, 5]).unwrap_err();
    assert_eq!(error.file_error().unwrap().offset(), Some(at as u64));
    assert!(weights.f32s("embeddings.word").is_err());
}

#[cfg(feature = "cpu")]
#[test]
fn a_tensor_has_its_logical_shape_on_the_device() {
    let device = crate::device::Compute::new(crate::device::DeviceRequest::Cpu).unwrap();
    let (_folder, path) = folder();
    write(&path, &clip(), Precision::F32);
    let weights = Weights::open(&path, OpenOptions::default()).unwrap();
    let patch = weights
        .tensor::<4>("vision.embeddings.patch", device.device())
        .unwrap();
    assert_eq!(patch.dims(), [4, 3, 2, 2]);
    assert!(
        weights
            .tensor::<2>("vision.embeddings.patch", device.device())
            .is_err()
    );
    assert!(weights.tensor::<2>("nothing", device.device()).is_err());
}

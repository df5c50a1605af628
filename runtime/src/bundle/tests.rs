//! Bundles of empty models: which parts belong together, and which are refused, by name.

use super::*;
use crate::manifest::{
    ContextKind, Decode, ExpertEntry, Fusion, FusionKind, MANIFEST_FORMAT, Task,
};
use morelet_models::weights::{
    Activation, Architecture, GateConfig, Meta, Pooling, Precision, WeightsWriter, XlmrConfig,
    expected_tensors,
};
use serde_json::Map;

/// Writes a model of zeros.
fn write(path: &Path, kind: ModelKind, architecture: Architecture, labels: &[&str]) {
    let meta = Meta {
        kind,
        producer: "test".into(),
        identity: "0".repeat(64),
        licence: Some("CC0-1.0".into()),
        attribution: None,
        quantization: "f32".into(),
        architecture,
        labels: labels.iter().map(|&label| label.to_owned()).collect(),
    };
    let tokenizer = (kind != ModelKind::Gate).then_some(&b"{}"[..]);
    let mut writer = WeightsWriter::create(path, &meta, tokenizer).unwrap();
    for (name, shape) in expected_tensors(&meta) {
        let values = vec![0.0; shape.iter().product::<u64>() as usize];
        writer
            .tensor(&name, &shape, Precision::F32, &values)
            .unwrap();
    }
    writer.finish().unwrap();
}

fn xlmr(crf: bool) -> Architecture {
    Architecture::Xlmr(XlmrConfig {
        vocab_size: 8,
        hidden_size: 4,
        num_hidden_layers: 1,
        num_attention_heads: 1,
        intermediate_size: 4,
        max_position_embeddings: 18,
        type_vocab_size: 1,
        layer_norm_eps: 1e-5,
        hidden_act: Activation::Gelu,
        pad_token_id: 1,
        bos_token_id: 0,
        eos_token_id: 2,
        unk_token_id: 3,
        max_length: 16,
        pooling: Pooling::First,
        separator: vec![2],
        crf,
        head_norm: false,
    })
}

struct Folder(tempfile::TempDir);

impl Folder {
    /// Two experts whose labels are given, and their average.
    fn new(first: &[&str], second: &[&str], crf: bool) -> (Self, Manifest) {
        let folder = Self(tempfile::tempdir().unwrap());
        write(&folder.path("a.weights"), ModelKind::Ner, xlmr(crf), first);
        write(&folder.path("b.weights"), ModelKind::Ner, xlmr(crf), second);
        let expert = |name: &str| ExpertEntry {
            name: name.into(),
            model: format!("{name}.weights"),
            context: ContextKind::Given,
            extra: Map::new(),
        };
        let describe = |file: &str| Part::describe(folder.path(file), file).unwrap();
        let manifest = Manifest {
            format_version: MANIFEST_FORMAT,
            producer: "test".into(),
            task: Task::Ner,
            labels: Vec::new(),
            experts: vec![expert("a"), expert("b")],
            fusion: Fusion {
                kind: FusionKind::Average,
                weights: None,
                extra: Map::new(),
            },
            decode: Decode::Marginals,
            seed: 0,
            clip: None,
            text_index: Vec::new(),
            image_index: None,
            parts: vec![describe("a.weights"), describe("b.weights")],
            extra: Map::new(),
        };
        (folder, manifest)
    }

    fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    fn open(&self, manifest: &Manifest) -> Result<Bundle> {
        fs::write(self.path(MANIFEST_FILE), manifest.to_json()).unwrap();
        Bundle::open(self.0.path())
    }

    fn refusal(&self, manifest: &Manifest) -> String {
        let error = self.open(manifest).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Bundle, "{error}");
        error.to_string()
    }
}

const LABELS: [&str; 3] = ["O", "B-PER", "I-PER"];

#[test]
fn parts_that_belong_together_open_and_verify() {
    let (folder, mut manifest) = Folder::new(&LABELS, &LABELS, true);
    manifest.labels = LABELS.map(str::to_owned).to_vec();
    let bundle = folder.open(&manifest).unwrap();
    assert_eq!(bundle.labels(), LABELS);
    assert_eq!(manifest.parts[0].licence.as_deref(), Some("CC0-1.0"));
    assert_eq!(manifest.parts[0].kind, PartKind::Ner);
    let mut seen = Vec::new();
    bundle
        .verify(&mut |part, done, total| seen.push((part.file.clone(), done == total)))
        .unwrap();
    assert_eq!(seen.last(), Some(&("b.weights".to_owned(), true)));
}

#[test]
fn refuses_experts_with_other_labels() {
    let (folder, manifest) = Folder::new(&LABELS, &["O", "I-PER", "B-PER"], true);
    let refusal = folder.refusal(&manifest);
    assert!(
        refusal.contains("`a` and `b`") && refusal.contains("same labels"),
        "{refusal}"
    );
}

#[test]
fn refuses_a_manifest_that_tells_other_labels_or_hyper_parameters() {
    let (folder, manifest) = Folder::new(&LABELS, &LABELS, true);
    let mut other = manifest.clone();
    other.labels = vec!["O".into()];
    assert!(folder.refusal(&other).contains("`labels`"));
    let mut other = manifest.clone();
    other.parts[0].architecture.as_mut().unwrap()["xlmr"]["max_length"] = 15.into();
    assert!(folder.refusal(&other).contains("hyper-parameters"));
}

#[test]
fn refuses_a_part_that_was_exchanged() {
    let (folder, manifest) = Folder::new(&LABELS, &LABELS, true);
    let mut other = manifest.clone();
    other.parts[1].length += 1;
    let refusal = folder.refusal(&other);
    assert!(
        refusal.contains("b.weights") && refusal.contains("expected length"),
        "{refusal}"
    );
    write(
        &folder.path("b.weights"),
        ModelKind::Ner,
        xlmr(true),
        &["O", "B-LOC", "I-LOC"],
    );
    let refusal = folder.refusal(&manifest);
    assert!(
        refusal.contains("b.weights") && refusal.contains("expected root"),
        "{refusal}"
    );
}

#[test]
fn refuses_viterbi_without_a_crf() {
    let (folder, mut manifest) = Folder::new(&LABELS, &LABELS, false);
    manifest.experts.truncate(1);
    manifest.fusion.kind = FusionKind::Single;
    manifest.decode = Decode::Viterbi;
    assert!(folder.refusal(&manifest).contains("no CRF"));
    manifest.decode = Decode::Marginals;
    folder.open(&manifest).unwrap();
}

#[test]
fn refuses_a_gate_that_is_none_or_of_another_task() {
    let (folder, mut manifest) = Folder::new(&LABELS, &LABELS, true);
    let gate = Architecture::Gate(GateConfig {
        rows: 2,
        text_dim: 4,
        image_dim: 4,
    });
    write(&folder.path("gate.weights"), ModelKind::Gate, gate, &[]);
    manifest
        .parts
        .push(Part::describe(folder.path("gate.weights"), "gate.weights").unwrap());
    manifest.parts[2].kind = PartKind::Clip;
    manifest.clip = Some("gate.weights".into());
    assert!(folder.refusal(&manifest).contains("is of kind `gate`"));
}

#[test]
fn a_file_in_a_folder_below_is_a_stranger_too() {
    let (folder, manifest) = Folder::new(&LABELS, &LABELS, true);
    let bundle = folder.open(&manifest).unwrap();
    fs::create_dir(folder.path("notes")).unwrap();
    bundle.verify(&mut |_, _, _| ()).unwrap();
    fs::write(folder.path("notes/x.txt"), "x").unwrap();
    let error = bundle.verify(&mut |_, _, _| ()).unwrap_err().to_string();
    assert!(
        error.contains("notes/x.txt") || error.contains("notes\\x.txt"),
        "{error}"
    );
}

#[test]
fn a_part_file_describes_itself_and_nothing_else_does() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("x");
    fs::write(&path, "PK\x03\x04").unwrap();
    assert_eq!(
        Part::describe(&path, "x").unwrap_err().kind(),
        ErrorKind::Bundle
    );
    assert_eq!(
        Part::describe(folder.path().join("y"), "y")
            .unwrap_err()
            .kind(),
        ErrorKind::Io
    );
}

#[test]
fn handles_may_be_shared_between_threads() {
    fn shared<T: Send + Sync + Clone>() {}
    shared::<Bundle>();
    shared::<Session>();
    shared::<crate::Cancel>();
}

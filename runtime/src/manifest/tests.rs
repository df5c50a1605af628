//! A manifest as it should be, and every way in which it contradicts itself.

use super::*;
use serde_json::json;

fn moe() -> Value {
    let part =
        |file: &str, kind: &str| json!({"file": file, "kind": kind, "length": 8192, "root": "00"});
    json!({
        "format_version": 1, "producer": "test", "task": "ner", "labels": ["O", "B-PER"],
        "experts": [
            {"name": "text", "model": "t.weights", "context": "text", "colour": "blue"},
            {"name": "image", "model": "i.weights", "context": "random-image"},
        ],
        "fusion": {"kind": "gate", "weights": "gate.weights"},
        "clip": "clip.weights",
        "parts": [part("t.weights", "ner"), part("i.weights", "ner"), part("gate.weights", "gate"), part("clip.weights", "clip")],
        "written_on": "a Sunday",
    })
}

fn parse(value: &Value) -> Result<Manifest> {
    Manifest::parse(value.to_string().as_bytes())
}

#[test]
fn keeps_the_keys_that_it_does_not_know() {
    let manifest = parse(&moe()).unwrap();
    assert_eq!(manifest.experts[1].context, ContextKind::RandomImage);
    assert_eq!((manifest.seed, manifest.decode), (0, Decode::Marginals));
    let again: Value = serde_json::from_str(&manifest.to_json()).unwrap();
    assert_eq!(again["written_on"], "a Sunday");
    assert_eq!(again["experts"][0]["colour"], "blue");
    assert_eq!(
        again["fusion"],
        json!({"kind": "gate", "weights": "gate.weights"})
    );
}

#[test]
fn one_text_index_is_a_string_and_several_are_a_list() {
    let part =
        |file: &str| json!({"file": file, "kind": "text-index", "length": 8192, "root": "00"});
    let cases: [(Value, &[&str], Value); 6] = [
        (json!("a.index"), &["a.index"], json!("a.index")),
        (json!(["a.index"]), &["a.index"], json!("a.index")),
        (
            json!(["b.index", "a.index"]),
            &["b.index", "a.index"],
            json!(["b.index", "a.index"]),
        ),
        (json!([]), &[], Value::Null),
        (Value::Null, &[], Value::Null),
        (json!("missing"), &[], Value::Null),
    ];
    for (told, files, written) in cases {
        let mut manifest = moe();
        let parts = manifest["parts"].as_array_mut().unwrap();
        parts.extend([part("a.index"), part("b.index")]);
        if told != "missing" {
            manifest["text_index"] = told.clone();
        }
        let manifest = parse(&manifest).unwrap();
        assert_eq!(manifest.text_index, files, "{told}");
        let again: Value = serde_json::from_str(&manifest.to_json()).unwrap();
        assert_eq!(again["text_index"], written, "{told}");
    }
}

#[test]
fn refuses_manifests_that_contradict_themselves() {
    let cases: &[(&str, Value, &str)] = &[
        ("/format_version", json!(2), "update morelet"),
        ("/experts", json!([]), "expected 1 or 2"),
        ("/experts/1/name", json!("text"), "a name of its own"),
        ("/experts/0/model", json!("x.weights"), "does not list"),
        (
            "/experts/0/model",
            json!("clip.weights"),
            "of kind `clip`; expected `ner`",
        ),
        ("/experts/0/context", json!("texts"), "not a manifest"),
        ("/task", json!("re"), "expected `re`"),
        (
            "/fusion",
            json!({"kind": "single"}),
            "takes one expert; got 2",
        ),
        ("/fusion", json!({"kind": "gate"}), "without its `weights`"),
        (
            "/fusion",
            json!({"kind": "average", "weights": "gate.weights"}),
            "only `gate`",
        ),
        ("/clip", json!(null), "no `clip`"),
        ("/parts/0/file", json!("../t.weights"), "stays inside"),
        ("/parts/0/file", json!("/t.weights"), "stays inside"),
        ("/parts/0/file", json!("a/../../t.weights"), "stays inside"),
        ("/parts/0/file", json!("..\\t.weights"), "stays inside"),
        ("/parts/0/file", json!(""), "stays inside"),
        ("/parts/0/file", json!("i.weights"), "twice"),
        ("/parts/0/length", json!(-1), "not a manifest"),
        ("/text_index", json!("x.index"), "does not list"),
        ("/text_index", json!(["x.index"]), "does not list"),
        ("/text_index", json!(["clip.weights"]), "of kind `clip`"),
        (
            "/text_index",
            json!(["t.weights", "t.weights"]),
            "t.weights twice",
        ),
        ("/text_index", json!(3), "a file name or a list"),
        ("/text_index", json!([["x"]]), "a file name or a list"),
    ];
    for (pointer, value, message) in cases {
        let mut manifest = moe();
        match manifest.pointer_mut(pointer) {
            Some(place) => *place = value.clone(),
            None => manifest[&pointer[1..]] = value.clone(),
        }
        let error = parse(&manifest).unwrap_err().to_string();
        assert!(error.contains(message), "{pointer} = {value}: {error}");
    }
    let mut manifest = moe();
    manifest["decode"] = json!("viterbi");
    assert!(
        parse(&manifest)
            .unwrap_err()
            .to_string()
            .contains("one NER expert")
    );
    assert!(Manifest::parse(b"<!DOCTYPE html>").is_err());
}

#[test]
fn says_when_a_directory_is_no_bundle() {
    let folder = tempfile::tempdir().unwrap();
    let error = Manifest::read(folder.path()).unwrap_err().to_string();
    assert!(error.contains("has no bundle.json"), "{error}");
    assert!(Manifest::read(folder.path().join("missing")).is_err());
}

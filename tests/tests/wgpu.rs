//! Whole predictions on wgpu. Burn's attention there works on fragments of f16, hence the tolerances.
//!
//! Few shapes: on a software adapter each new one is compiled and tuned for seconds.
#![cfg(feature = "wgpu")]

use morelet_tests::{
    Failures, Tolerances, Workshop, adapter, compare, golden, lines, tools, write_lines,
};
use serde_json::Value;

/// Compares the answers to the queries of a case whose ids are in `ids`.
#[track_caller]
fn agrees(case: &str, quantize: &str, ids: &[&str], allowed: &Tolerances) {
    let mut workshop = Workshop::new(tools!());
    if !adapter(&workshop.tools) {
        return;
    }
    let bundle = workshop.bundle(case, quantize, &[]);
    let home = golden("cases").join(case);
    let chosen = |file: &str| -> Vec<Value> {
        let all = lines(home.join(file));
        let chosen = |line: &Value| ids.iter().any(|id| line["id"] == *id);
        all.into_iter().filter(chosen).collect()
    };
    let mut queries = chosen("queries.jsonl");
    for query in &mut queries {
        // Relative to the golden file, which this copy does not lie beside.
        if let Some(image) = query.get("image").and_then(Value::as_str) {
            let path = home.join(image);
            query["image"] = path.to_str().expect("a UTF-8 path").into();
        }
    }
    let asked = workshop.path("asked.jsonl");
    write_lines(&asked, &queries);
    let got = workshop.predict(&bundle, &asked, "wgpu");
    let want = chosen("answers.jsonl");
    assert_eq!((got.len(), want.len()), (ids.len(), ids.len()));
    let mut failures = Failures::default();
    for (got, want) in got.iter().zip(&want) {
        compare(got, want, allowed, &mut failures);
    }
    failures.check(case);
}

#[test]
fn a_ner_expert() {
    agrees(
        "ner",
        "f32",
        &["with-contexts", "truncated-many-words"],
        &Tolerances::WGPU,
    );
}

#[test]
fn a_relation_expert() {
    agrees(
        "re-norm",
        "f32",
        &["apart", "overlapping"],
        &Tolerances::WGPU,
    );
}

#[test]
fn two_experts_a_gate_and_clip() {
    agrees(
        "ner-gate-row-per-label",
        "f32",
        &["both", "only-text"],
        &Tolerances::WGPU,
    );
}

#[test]
fn fewer_bits_answer_on_wgpu_as_on_the_cpu() {
    let mut workshop = Workshop::new(tools!());
    if !adapter(&workshop.tools) {
        return;
    }
    let bundle = workshop.bundle("fitted", "q8", &[]);
    let asked = workshop.path("asked.jsonl");
    write_lines(&asked, &lines(golden("cases/fitted/queries.jsonl"))[..4]);
    let [cpu, gpu] = ["cpu", "wgpu"].map(|device| workshop.predict(&bundle, &asked, device));
    for (cpu, gpu) in cpu.iter().zip(&gpu) {
        assert_eq!(cpu["labels"], gpu["labels"]);
    }
}

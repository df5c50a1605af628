//! Whole predictions on wgpu, which computes in f16 where it can, hence the tolerances.
//!
//! These models are smaller than our kernels take, so that Burn computes them. What tests ours is in `models/src/webgpu/tests/`.
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

/// The bundle's sequences have one length on a GPU, so that this is one run.
#[test]
fn a_warm_up_runs_every_shape_and_its_tuning_can_be_shipped() {
    let mut workshop = Workshop::new(tools!());
    if !adapter(&workshop.tools) {
        return;
    }
    let bundle = workshop.bundle("ner-max-length", "f32", &[]);
    let tuning = bundle.with_extension("tuning");
    let [bundle, saved] = [&bundle, &tuning].map(|path| path.to_str().expect("a UTF-8 path"));
    let args = [
        "warm-up", bundle, "--device", "wgpu", "--save", saved, "--json",
    ];
    let report = workshop.tools.morelet(args).ok().json();
    let runs = report["runs"].as_array().expect("a list");
    assert!(!runs.is_empty(), "{report:#}");
    let expert = |run: &Value| run["module"] == "expert_text";
    assert!(
        runs.iter().any(|run| expert(run) && run["padded"] == true),
        "{report:#}"
    );
    assert!(
        runs.iter().all(|run| run["rows"].as_u64() >= Some(32)),
        "{report:#}"
    );
    assert!(report["device"]["precision"].is_string(), "{report:#}");

    // A user whose cache is empty finds in it what was shipped.
    let asked = workshop.path("asked.jsonl");
    write_lines(
        &asked,
        &lines(golden("cases/ner-max-length/queries.jsonl"))[..1],
    );
    let asked = asked.to_str().expect("a UTF-8 path");
    let caches = ["cache", "other"].map(|name| workshop.path(name));
    let predict = |cache: &std::path::Path, log: &str| {
        let args = ["predict", bundle, "--input", asked, "--device", "wgpu"];
        let morelet = workshop.tools.morelet.clone();
        let mut command = workshop.tools.command(&morelet, args);
        command.env("MORELET_CACHE_DIR", cache).env("RUST_LOG", log);
        let line = format!("{command:?}");
        morelet_tests::Run::new(line, command.output().expect("it starts")).ok()
    };
    let run = predict(&caches[0], "morelet_models::device::tuning=info");
    assert!(run.stderr.contains("tuning results"), "{}", run.stderr);
    assert!(!run.stderr.contains("taken=0"), "{}", run.stderr);

    // A damaged file costs time and nothing else.
    std::fs::write(&tuning, "nonsense").expect("the temporary directory is writable");
    let run = predict(&caches[1], "warn");
    assert!(
        run.stderr.contains("tuning results were not read"),
        "{}",
        run.stderr
    );
}

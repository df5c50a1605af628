//! Whether there is an adapter for wgpu, a software one included.

use crate::Tools;
use std::sync::OnceLock;

/// `true` where `morelet --device wgpu` can serve. Where it cannot, says so on standard error, or panics if
/// `MORELET_REQUIRE_WGPU` is `1`: CI sets it, so that a missing adapter cannot pass for a passed test.
#[track_caller]
pub fn adapter(tools: &Tools) -> bool {
    let required = std::env::var_os("MORELET_REQUIRE_WGPU").is_some_and(|value| value == "1");
    // Every adapter is tried with a whole layer, which takes a software one seconds: once is enough.
    static REPORT: OnceLock<serde_json::Value> = OnceLock::new();
    let report = REPORT.get_or_init(|| tools.morelet(["devices", "--json"]).ok().json());
    let usable = find_usable(report);
    if !usable {
        assert!(
            !required,
            "no adapter for wgpu, and MORELET_REQUIRE_WGPU=1:\n{report:#}"
        );
        eprintln!(
            "SKIPPED: no adapter for wgpu (set MORELET_REQUIRE_WGPU=1 to make this a failure)"
        );
    }
    usable
}

/// Whether some device whose id begins with `wgpu` is usable.
fn find_usable(report: &serde_json::Value) -> bool {
    let devices = report.as_array().or_else(|| report["devices"].as_array());
    devices.into_iter().flatten().any(|device| {
        let id = device["id"].as_str().unwrap_or_default();
        id.starts_with("wgpu") && device["usable"] == true
    })
}

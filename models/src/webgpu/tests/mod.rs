//! On any adapter, a software one included: the kernels, and whole models by them.

mod kernels;
mod models;

use std::sync::{Arc, OnceLock};

use wgpu::DeviceType;

use super::driver::Driver;

/// An adapter; `None` where there is none and none is required.
fn driver() -> Option<Arc<Driver>> {
    static OPENED: OnceLock<Option<Arc<Driver>>> = OnceLock::new();
    let found = OPENED.get_or_init(|| {
        let kinds = [
            DeviceType::DiscreteGpu,
            DeviceType::IntegratedGpu,
            DeviceType::VirtualGpu,
            DeviceType::Cpu,
        ];
        let found = kinds
            .into_iter()
            .find_map(|kind| Driver::open(kind, 0).ok());
        found.map(Arc::new)
    });
    let required = std::env::var_os("MORELET_REQUIRE_WGPU").is_some_and(|value| value == "1");
    assert!(found.is_some() || !required, "no adapter for wgpu");
    found.clone()
}

/// Numbers in −1..1.
fn noise(seed: u32, count: usize) -> Vec<f32> {
    let mut state = u64::from(seed).wrapping_mul(0x9E37_79B9_7F4A_7C15) | 1;
    let number = |_| {
        state = state
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        (state >> 40) as f32 / (1 << 23) as f32 - 1.0
    };
    (0..count).map(number).collect()
}

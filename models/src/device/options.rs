//! How a device is chosen.

use std::path::PathBuf;

use super::DeviceRequest;
use crate::gpu::ComputeType;

/// How [`Compute::with_options`](super::Compute::with_options) chooses a device and sets it up.
#[derive(Clone, Debug, Default)]
pub struct ComputeOptions {
    /// The device.
    pub device: DeviceRequest,
    /// The number of threads of the CPU: by default one for each processor.
    pub threads: Option<usize>,
    /// What a GPU computes in: by default `f16` where it has that and answers rightly, else `bf16`, else `f32`. A GPU that cannot
    /// compute in a type that is named here does not serve. The CPU does not look at it.
    pub precision: Option<ComputeType>,
    /// On a GPU, whether Burn computes where kernels of our own would: for a training, whose gradients Burn knows.
    pub burn_alone: bool,
    /// A file of tuning results, as `save_tuning` writes it, that is read before Burn uses a GPU.
    pub tuning: Option<PathBuf>,
}

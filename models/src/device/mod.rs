//! Which device computes: chosen once, when a session starts.
//!
//! `auto` takes CUDA, then a real wgpu adapter, then the CPU, and keeps the reason for each device that
//! it passed over. It never takes a software adapter. A device that is asked for by name either serves
//! or is an error: nothing is replaced silently. "Serves" means that a small product of matrices, run
//! there, has come back right.

mod pool;
mod request;

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;

use burn::tensor::Device;

use crate::error::{Error, Result};
use pool::Pool;
pub use request::{DeviceInfo, DeviceReport, DeviceRequest};

/// A device that is ready to compute. Clones share it.
#[derive(Clone)]
pub struct Compute(Arc<Inner>);

struct Inner {
    device: Device,
    info: DeviceInfo,
    /// The CPU's threads; a GPU has none.
    pool: Option<Pool>,
}

impl Compute {
    /// Chooses a device and proves that it computes, with one thread for each processor.
    ///
    /// # Errors
    /// Of kind `Device` where the device that was asked for cannot serve.
    pub fn new(request: DeviceRequest) -> Result<Self> {
        Self::with_threads(request, None)
    }

    /// The same with a number of threads for the CPU.
    ///
    /// # Errors
    /// As [`new`](Self::new).
    pub fn with_threads(request: DeviceRequest, threads: Option<usize>) -> Result<Self> {
        match request {
            DeviceRequest::Auto | DeviceRequest::Cpu => Self::cpu(request, threads, Vec::new()),
            DeviceRequest::Wgpu(_) | DeviceRequest::Cuda(_) => {
                Err(Error::device(format!("{request} cannot serve")))
            }
        }
    }

    #[cfg(feature = "cpu")]
    fn cpu(request: DeviceRequest, threads: Option<usize>, reasons: Vec<String>) -> Result<Self> {
        let pool = Pool::new(threads)?;
        let info = DeviceInfo {
            requested: request.to_string(),
            used: DeviceRequest::Cpu.to_string(),
            name: cpu_name(),
            threads: Some(pool.threads()),
            reasons,
        };
        Ok(Self(Arc::new(Inner {
            device: Device::flex(),
            info,
            pool: Some(pool),
        })))
    }

    #[cfg(not(feature = "cpu"))]
    fn cpu(_: DeviceRequest, _: Option<usize>, reasons: Vec<String>) -> Result<Self> {
        let reasons: String = reasons
            .iter()
            .map(|reason| format!("\n  {reason}"))
            .collect();
        Err(Error::device(format!(
            "this program was built without the CPU backend{reasons}"
        )))
    }

    /// Burn's name for the device, to create tensors on.
    pub fn device(&self) -> &Device {
        &self.0.device
    }

    /// Which device it is, and why not another.
    pub fn info(&self) -> &DeviceInfo {
        &self.0.info
    }

    /// Runs `work` where the device wants it (the CPU's in its own pool of threads) and turns a panic
    /// of the backend into an error of kind `Device`.
    ///
    /// # Errors
    /// Those of `work`, and a caught panic.
    pub fn run<T: Send>(&self, work: impl FnOnce() -> Result<T> + Send) -> Result<T> {
        let caught = || catch_unwind(AssertUnwindSafe(work));
        let result = match &self.0.pool {
            Some(pool) => pool.run(caught),
            None => caught(),
        };
        result.unwrap_or_else(|panic| {
            let message = panic_message(&*panic);
            Err(Error::device(format!(
                "{} failed: {message}",
                self.0.info.used
            )))
        })
    }
}

impl std::fmt::Debug for Compute {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_tuple("Compute").field(&self.0.info).finish()
    }
}

/// What a panic said.
fn panic_message(panic: &(dyn std::any::Any + Send)) -> &str {
    match (panic.downcast_ref::<&str>(), panic.downcast_ref::<String>()) {
        (Some(text), _) => text,
        (_, Some(text)) => text,
        _ => "a panic without a message",
    }
}

/// The processor's name, as the system tells it.
#[cfg(feature = "cpu")]
fn cpu_name() -> String {
    let told = std::fs::read_to_string("/proc/cpuinfo")
        .ok()
        .and_then(|text| {
            let line = text.lines().find(|line| line.starts_with("model name"))?;
            Some(line.split_once(':')?.1.trim().to_owned())
        });
    told.unwrap_or_else(|| std::env::consts::ARCH.to_owned())
}

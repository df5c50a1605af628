//! Which device computes: chosen once, when a session starts.
//!
//! `auto` takes CUDA, then a real wgpu adapter, then the CPU, and keeps the reason for each device that
//! it passed over. It never takes a software adapter. A device that is asked for by name either serves
//! or is an error: nothing is replaced silently. "Serves" means that what was run there has come back
//! right: a few numbers on the CPU, and on a GPU a whole layer in the type that it will compute in.

#[cfg(any(feature = "wgpu", feature = "cuda"))]
mod cache;
#[cfg(any(feature = "wgpu", feature = "cuda-burn"))]
mod cubecl;
#[cfg(feature = "cuda")]
mod cuda;
mod options;
#[cfg_attr(not(feature = "cpu"), allow(dead_code))]
mod pool;
#[cfg_attr(
    not(any(feature = "cpu", feature = "wgpu", feature = "cuda")),
    allow(dead_code)
)]
mod probe;
mod request;
#[cfg(any(feature = "wgpu", feature = "cuda"))]
#[cfg_attr(not(any(feature = "wgpu", feature = "cuda-burn")), allow(dead_code))]
mod trial;
#[cfg(any(feature = "wgpu", feature = "cuda-burn"))]
mod tuning;
#[cfg(feature = "wgpu")]
mod wgpu;

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, Mutex, PoisonError};

use burn::tensor::Device;

use crate::error::{Error, Result};
pub use crate::gpu::ComputeType;
use crate::kernels::{Kernels, awake};
use crate::stack::{Driver, refused};
use crate::weights::Meta;
#[cfg(feature = "cuda")]
pub(crate) use cache::own_folder as cache_folder;
#[cfg(any(feature = "wgpu", feature = "cuda"))]
pub use cache::set_cache_dir;
pub use options::ComputeOptions;
use pool::Pool;
pub use request::{DeviceInfo, DeviceReport, DeviceRequest};
#[cfg(any(feature = "wgpu", feature = "cuda"))]
use trial::{Proved, Trial};
#[cfg(any(feature = "wgpu", feature = "cuda-burn"))]
pub use tuning::save_tuning;

/// Why a device of a family that is not in this program cannot serve.
#[cfg(not(all(feature = "cpu", feature = "wgpu", feature = "cuda")))]
const NOT_BUILT: &str = "this program was built without it";

/// Every device that this program could be asked for, with the answer of its probe. A family with no
/// device has one line that says why. Opening GPUs takes a moment.
pub fn devices() -> Vec<DeviceReport> {
    #[cfg(feature = "cuda")]
    let cuda = cuda::reports();
    #[cfg(not(feature = "cuda"))]
    let cuda = vec![not_built(DeviceRequest::Cuda(None))];
    #[cfg(feature = "wgpu")]
    let wgpu = wgpu::reports();
    #[cfg(not(feature = "wgpu"))]
    let wgpu = vec![not_built(DeviceRequest::Wgpu(None))];
    #[cfg(feature = "cpu")]
    let cpu = DeviceReport {
        id: DeviceRequest::Cpu.to_string(),
        name: cpu_name(),
        usable: true,
        reason: None,
    };
    #[cfg(not(feature = "cpu"))]
    let cpu = not_built(DeviceRequest::Cpu);
    cuda.into_iter().chain(wgpu).chain([cpu]).collect()
}

#[cfg(not(all(feature = "cpu", feature = "wgpu", feature = "cuda")))]
fn not_built(family: DeviceRequest) -> DeviceReport {
    let (id, reason) = (family.to_string(), Some(NOT_BUILT.to_owned()));
    DeviceReport {
        id,
        name: String::new(),
        usable: false,
        reason,
    }
}

/// A device that is ready to compute. Clones share it.
#[derive(Clone)]
pub struct Compute(Arc<Inner>);

/// A GPU that has come through its trial.
#[cfg(any(feature = "wgpu", feature = "cuda"))]
struct Opened {
    device: Device,
    /// The N of `wgpu:N` or `cuda:N`.
    index: usize,
    name: String,
    proved: Proved,
    /// What computes a model's layers there, where that is not Burn.
    driver: Option<Driver>,
}

struct Inner {
    device: Device,
    info: DeviceInfo,
    compute_type: ComputeType,
    /// The CPU's threads; a GPU has none.
    pool: Option<Pool>,
    /// The CPU's own arithmetic; a GPU has none.
    kernels: Option<&'static Kernels>,
    /// The GPU that computes a model's layers by kernels of our own. What else there is to compute is computed by Burn on the host.
    driver: Option<Driver>,
    /// Held by the one run that a GPU computes for this device at a time.
    turn: Mutex<()>,
}

impl Compute {
    /// Chooses a device and proves that it computes, with one thread for each processor. A model that our kernels for a GPU cannot take
    /// is an error there when it is loaded: [`for_models`](Self::for_models) chooses with it in mind.
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
        Self::with_options(&ComputeOptions {
            device: request,
            threads,
            ..Default::default()
        })
    }

    /// The same with everything that can be chosen.
    ///
    /// # Errors
    /// As [`new`](Self::new).
    pub fn with_options(options: &ComputeOptions) -> Result<Self> {
        let (request, threads) = (options.device, options.threads);
        let refused =
            |reason: String| Err(Error::device(format!("{request} cannot serve: {reason}")));
        let compute = match request {
            DeviceRequest::Cpu => Self::cpu(request, threads, Vec::new()),
            DeviceRequest::Cuda(index) => Self::cuda(options, index, Vec::new()).or_else(refused),
            DeviceRequest::Wgpu(index) => {
                Self::wgpu(options, index, true, Vec::new()).or_else(refused)
            }
            DeviceRequest::Auto => {
                let mut reasons = Vec::new();
                Self::cuda(options, None, Vec::new())
                    .or_else(|reason| {
                        reasons.push(format!("cuda: {reason}"));
                        Self::wgpu(options, None, false, reasons.clone())
                    })
                    .or_else(|reason| {
                        reasons.push(format!("wgpu: {reason}"));
                        Self::cpu(request, threads, reasons.clone())
                    })
            }
        }?;
        let info = compute.info();
        tracing::info!(
            device = %info.used, name = %info.name, precision = %info.precision, reasons = ?info.reasons,
            "device chosen"
        );
        Ok(compute)
    }

    /// The same for these models. Where our kernels for a GPU cannot take one of them, `wgpu` leaves all to Burn, and `auto` passes the
    /// kernels over.
    ///
    /// # Errors
    /// As [`new`](Self::new).
    pub fn for_models<'a>(
        options: &ComputeOptions,
        models: impl IntoIterator<Item = &'a Meta>,
    ) -> Result<Self> {
        let reason = models.into_iter().find_map(refused);
        let passed_over = match (options.device, reason) {
            (DeviceRequest::Wgpu(_), Some(reason)) => format!("computed by Burn: {reason}"),
            (DeviceRequest::Auto, Some(reason)) => {
                let compute = Self::with_options(options)?;
                if compute.driver().is_none() {
                    return Ok(compute);
                }
                format!("{}: {reason}", compute.info().used)
            }
            _ => return Self::with_options(options),
        };
        let mut other = Self::with_options(&ComputeOptions {
            burn_alone: true,
            ..options.clone()
        })?;
        if let Some(inner) = Arc::get_mut(&mut other.0) {
            inner.info.reasons.insert(0, passed_over);
        }
        Ok(other)
    }

    #[cfg(feature = "cpu")]
    fn cpu(request: DeviceRequest, threads: Option<usize>, reasons: Vec<String>) -> Result<Self> {
        let pool = Pool::new(threads)?;
        let device = Device::flex();
        pool.run(|| probe::probe(&device))
            .map_err(|reason| Error::device(format!("cpu: {reason}")))?;
        let info = DeviceInfo {
            requested: request.to_string(),
            used: DeviceRequest::Cpu.to_string(),
            name: cpu_name(),
            precision: ComputeType::F32.to_string(),
            threads: Some(pool.threads()),
            instructions: Some(Kernels::best().name.to_owned()),
            tuned: false,
            reasons,
        };
        Ok(Self(Arc::new(Inner {
            device,
            info,
            compute_type: ComputeType::F32,
            pool: Some(pool),
            kernels: Some(Kernels::best()),
            driver: None,
            turn: Mutex::new(()),
        })))
    }

    #[cfg(not(feature = "cpu"))]
    fn cpu(_: DeviceRequest, _: Option<usize>, reasons: Vec<String>) -> Result<Self> {
        let reasons: String = reasons
            .iter()
            .map(|reason| format!("\n  {reason}"))
            .collect();
        Err(Error::device(format!(
            "cpu cannot serve: {NOT_BUILT}{reasons}"
        )))
    }

    #[cfg(feature = "wgpu")]
    fn wgpu(
        options: &ComputeOptions,
        index: Option<usize>,
        software: bool,
        reasons: Vec<String>,
    ) -> Result<Self, String> {
        let opened = wgpu::open(index, software, Trial::new(options))?;
        let used = DeviceRequest::Wgpu(Some(opened.index));
        Ok(Self::gpu(options.device, used, opened, reasons))
    }

    #[cfg(not(feature = "wgpu"))]
    fn wgpu(_: &ComputeOptions, _: Option<usize>, _: bool, _: Vec<String>) -> Result<Self, String> {
        Err(NOT_BUILT.to_owned())
    }

    #[cfg(feature = "cuda")]
    fn cuda(
        options: &ComputeOptions,
        index: Option<usize>,
        reasons: Vec<String>,
    ) -> Result<Self, String> {
        let opened = cuda::open(index, Trial::new(options))?;
        let used = DeviceRequest::Cuda(Some(opened.index));
        Ok(Self::gpu(options.device, used, opened, reasons))
    }

    #[cfg(not(feature = "cuda"))]
    fn cuda(_: &ComputeOptions, _: Option<usize>, _: Vec<String>) -> Result<Self, String> {
        Err(NOT_BUILT.to_owned())
    }

    #[cfg(any(feature = "wgpu", feature = "cuda"))]
    fn gpu(
        request: DeviceRequest,
        used: DeviceRequest,
        opened: Opened,
        mut reasons: Vec<String>,
    ) -> Self {
        let (requested, used) = (request.to_string(), used.to_string());
        let Proved {
            compute_type,
            notes,
        } = opened.proved;
        reasons.extend(notes.into_iter().map(|note| format!("{used}: {note}")));
        let info = DeviceInfo {
            requested,
            used,
            name: opened.name,
            precision: compute_type.to_string(),
            threads: None,
            instructions: None,
            tuned: opened.driver.is_none(),
            reasons,
        };
        Self(Arc::new(Inner {
            device: opened.device,
            info,
            compute_type,
            pool: None,
            kernels: None,
            driver: opened.driver,
            turn: Mutex::new(()),
        }))
    }

    /// Burn's name for the device, to create tensors on.
    pub fn device(&self) -> &Device {
        &self.0.device
    }

    /// The same device with Burn's arithmetic alone: what ours is compared with.
    #[cfg(test)]
    pub(crate) fn without_kernels(&self) -> Self {
        self.plain(self.0.device.clone())
    }

    /// The same device with Burn's arithmetic alone, whose gradients Burn knows, for layers that are trained. What is
    /// computed with them runs where the caller is: inside [`run`](Self::run).
    #[cfg(feature = "train")]
    pub(crate) fn differentiable(&self) -> Self {
        self.plain(self.0.device.clone().autodiff())
    }

    #[cfg(any(test, feature = "train"))]
    fn plain(&self, device: Device) -> Self {
        let inner = &*self.0;
        Self(Arc::new(Inner {
            device,
            info: inner.info.clone(),
            compute_type: inner.compute_type,
            pool: None,
            kernels: None,
            driver: None,
            turn: Mutex::new(()),
        }))
    }

    /// The arithmetic of our own that computes here, where this is the CPU.
    pub(crate) fn kernels(&self) -> Option<&'static Kernels> {
        self.0.kernels
    }

    /// The GPU that computes layers by kernels of our own, where there is one.
    pub(crate) fn driver(&self) -> Option<&Driver> {
        self.0.driver.as_ref()
    }

    /// Which device it is, and why not another.
    pub fn info(&self) -> &DeviceInfo {
        &self.0.info
    }

    /// The type of the factors of its matrix products.
    pub fn compute_type(&self) -> ComputeType {
        self.0.compute_type
    }

    /// Whether it is a GPU.
    pub fn is_gpu(&self) -> bool {
        self.0.pool.is_none()
    }

    /// Whether it is a GPU that Burn computes on, where shapes are padded and weights stay packed.
    pub(crate) fn is_burns_gpu(&self) -> bool {
        self.is_gpu() && self.0.driver.is_none()
    }

    /// The number of rows that a sequence of `n` has here: on a GPU, the next of a few.
    pub(crate) fn rows(&self, n: usize) -> usize {
        if self.is_burns_gpu() {
            crate::gpu::rows(n)
        } else {
            n
        }
    }

    /// Every number of rows that sequences of up to `longest` rows have on a GPU, in order.
    pub(crate) fn buckets(&self, longest: usize) -> Vec<usize> {
        let mut buckets = crate::gpu::buckets(longest);
        if self.0.driver.is_some() {
            for rows in &mut buckets {
                *rows = rows.next_multiple_of(crate::stack::MULTIPLE);
            }
            buckets.dedup();
        }
        buckets
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

impl Compute {
    /// Like [`run`](Self::run), for a whole pass: on the CPU the threads of the pool stay awake during it.
    pub(crate) fn run_awake<T: Send>(&self, pass: impl FnOnce() -> Result<T> + Send) -> Result<T> {
        match self.0.kernels {
            Some(_) => self.run(|| awake(pass)),
            None => self.run(pass),
        }
    }

    /// Like [`run`](Self::run), and on a GPU one at a time: from the first tensor to the last that is
    /// read back. Two runs that mix their operations in one queue only wait for each other, and the
    /// libraries below are tried least there. `work` must not wait for another thread that does this.
    pub(crate) fn run_alone<T: Send>(&self, work: impl FnOnce() -> Result<T> + Send) -> Result<T> {
        let turn = (self.0.pool.is_none())
            .then(|| self.0.turn.lock().unwrap_or_else(PoisonError::into_inner));
        let result = self.run(work);
        drop(turn);
        result
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ErrorKind;

    #[cfg(feature = "cpu")]
    #[test]
    fn the_cpu_serves_and_says_so() {
        let compute = Compute::with_threads(DeviceRequest::Cpu, Some(2)).unwrap();
        let info = compute.info();
        assert_eq!(
            (info.requested.as_str(), info.used.as_str()),
            ("cpu", "cpu")
        );
        assert_eq!(info.threads, Some(2));
        assert!(info.reasons.is_empty() && !info.name.is_empty());
    }

    #[cfg(feature = "cpu")]
    #[test]
    fn a_panic_becomes_an_error_and_the_device_goes_on() {
        let compute = Compute::with_threads(DeviceRequest::Cpu, Some(1)).unwrap();
        let error = compute
            .run(|| -> Result<()> { panic!("kernel 7") })
            .unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Device);
        assert!(error.to_string().contains("kernel 7"), "{error}");
        assert_eq!(compute.run(|| Ok(3)).unwrap(), 3);
    }

    #[cfg(not(feature = "cuda"))]
    #[test]
    fn a_device_that_is_not_built_in_is_an_error_when_asked_for_and_a_reason_under_auto() {
        let error = Compute::new(DeviceRequest::Cuda(None)).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Device);
        assert!(error.to_string().contains("built without"), "{error}");
        let auto = Compute::new(DeviceRequest::Auto).unwrap();
        assert!(
            auto.info().reasons[0].starts_with("cuda: "),
            "{:?}",
            auto.info()
        );
    }

    #[test]
    fn the_list_names_every_family() {
        let list = devices();
        for family in ["cuda", "wgpu", "cpu"] {
            assert!(
                list.iter().any(|report| report.id.starts_with(family)),
                "{list:?}"
            );
        }
        assert!(
            list.iter()
                .all(|report| report.usable || report.reason.is_some()),
            "{list:?}"
        );
    }
}

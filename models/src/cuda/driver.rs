//! A device, its memory, launches and graphs, by the driver's API.
//!
//! All work of a device goes through one stream, in the order in which it is asked for. What is asked for is safe as long as a kernel
//! stays inside the memory that it is given; [`kernels`](super::kernels) sees to that.

#![allow(unsafe_code)]

use std::ffi::c_void;
use std::fmt;
use std::sync::Arc;

use cudarc::driver::sys::{self, CUdeviceptr};
use cudarc::driver::{
    CudaContext, CudaFunction, CudaGraph, CudaSlice, CudaStream, DevicePtr as _, DeviceRepr,
    PinnedHostSlice, ValidAsZeroBits,
};

use super::failed;
use crate::error::{Error, Result};

/// How many devices the driver shows. 0 where there is no driver.
///
/// # Errors
/// What the driver says, where it cannot start.
pub(crate) fn device_count() -> std::result::Result<usize, String> {
    // SAFETY: only looks whether the driver's library can be loaded.
    if !unsafe { sys::is_culib_present() } {
        return Ok(0);
    }
    match CudaContext::device_count() {
        Ok(count) => Ok(count.max(0) as usize),
        Err(error) => Err(format!("the driver does not start: {error}")),
    }
}

/// A device with its stream.
pub(crate) struct Driver {
    stream: Arc<CudaStream>,
    name: String,
    capability: (i32, i32),
    processors: usize,
}

/// Memory of the device.
pub(super) type Memory<T> = CudaSlice<T>;

/// A compiled kernel with what a launch of it needs.
#[derive(Clone, Debug)]
pub(super) struct Kernel {
    pub(super) function: CudaFunction,
    /// Threads of a block.
    pub(super) threads: usize,
    /// Bytes of shared memory that a block has beside what the kernel declares.
    pub(super) shared: usize,
    /// Whether it may start while the kernel before still runs: it waits for that one by itself.
    pub(super) early: bool,
}

/// Launches that were recorded, to be repeated with one call.
pub(super) struct Recorded(CudaGraph);

// SAFETY: a graph may be used by any thread, if by one at a time; it is only reached by `&mut`.
unsafe impl Send for Recorded {}

impl Driver {
    /// Opens device `index`. `None` where it is older than Ampere (compute capability 8.0).
    ///
    /// # Errors
    /// What the driver says.
    pub(crate) fn open(index: usize) -> std::result::Result<Option<Self>, String> {
        let told = |error: cudarc::driver::DriverError| error.to_string();
        let context = CudaContext::new(index).map_err(told)?;
        let capability = context.compute_capability().map_err(told)?;
        if capability.0 < 8 {
            return Ok(None);
        }
        // SAFETY: there is one stream, which keeps the order by itself; memory is freed on it.
        unsafe { context.disable_event_tracking() };
        let processors = sys::CUdevice_attribute::CU_DEVICE_ATTRIBUTE_MULTIPROCESSOR_COUNT;
        Ok(Some(Self {
            name: context.name().map_err(told)?,
            capability,
            processors: context.attribute(processors).map_err(told)?.max(1) as usize,
            stream: context.new_stream().map_err(told)?,
        }))
    }

    /// The device's name.
    pub(crate) fn name(&self) -> &str {
        &self.name
    }

    /// Compute capability, major and minor.
    pub(super) fn capability(&self) -> (i32, i32) {
        self.capability
    }

    /// The number of streaming multiprocessors.
    pub(super) fn processors(&self) -> usize {
        self.processors
    }

    pub(super) fn context(&self) -> &Arc<CudaContext> {
        self.stream.context()
    }

    /// Copies numbers to memory of their own.
    pub(super) fn upload<T: DeviceRepr>(&self, numbers: &[T]) -> Result<Memory<T>> {
        self.stream.clone_htod(numbers).map_err(failed("upload"))
    }

    /// Memory of so many zeros.
    pub(super) fn zeros<T: DeviceRepr + ValidAsZeroBits>(&self, count: usize) -> Result<Memory<T>> {
        (self.stream.alloc_zeros(count)).map_err(failed("no memory of the device"))
    }

    /// All numbers of some memory.
    pub(super) fn download<T: DeviceRepr>(&self, memory: &Memory<T>) -> Result<Vec<T>> {
        let numbers = self.stream.clone_dtoh(memory).map_err(failed("download"))?;
        self.wait()?;
        Ok(numbers)
    }

    /// Memory of the host that the device copies from and to without another copy.
    pub(super) fn pinned<T: DeviceRepr + ValidAsZeroBits + Default + Clone>(
        &self,
        count: usize,
    ) -> Result<PinnedHostSlice<T>> {
        // SAFETY: it is filled before it is read.
        let pinned = unsafe { self.context().alloc_pinned_with_flags(count, 0) };
        let mut pinned = pinned.map_err(failed("no pinned memory"))?;
        let numbers = pinned.as_mut_slice().map_err(failed("pinned memory"))?;
        numbers.fill(T::default());
        Ok(pinned)
    }

    /// Copies to the first numbers of `to`, in the background where `from` is [pinned](Self::pinned). `from` must stay as it is
    /// until [`wait`](Self::wait).
    pub(super) fn send<T: DeviceRepr>(&self, from: &[T], to: &mut Memory<T>) -> Result<()> {
        self.stream.memcpy_htod(from, to).map_err(failed("upload"))
    }

    /// Copies numbers from `start` on, in the background where `to` is pinned. They are there after [`wait`](Self::wait).
    pub(super) fn receive(&self, from: &Memory<f32>, start: usize, to: &mut [f32]) -> Result<()> {
        let from = from.slice(start..start + to.len());
        self.stream
            .memcpy_dtoh(&from, to)
            .map_err(failed("download"))
    }

    /// Waits for everything that was asked for.
    pub(super) fn wait(&self) -> Result<()> {
        self.stream
            .synchronize()
            .map_err(failed("the device failed"))
    }

    /// Where memory lies, as an argument of a kernel.
    pub(super) fn address<T>(&self, memory: &Memory<T>) -> CUdeviceptr {
        memory.device_ptr(&self.stream).0
    }

    /// Launches a kernel over `grid` blocks with addresses as its arguments.
    ///
    /// # Safety
    /// The arguments are those of the kernel, and it stays inside the memory that they point to.
    pub(super) unsafe fn launch(
        &self,
        kernel: &Kernel,
        grid: [usize; 3],
        arguments: &[CUdeviceptr],
    ) -> Result<()> {
        let mut early = sys::CUlaunchAttribute {
            id: sys::CUlaunchAttributeID::CU_LAUNCH_ATTRIBUTE_PROGRAMMATIC_STREAM_SERIALIZATION,
            pad: Default::default(),
            value: sys::CUlaunchAttributeValue {
                programmaticStreamSerializationAllowed: 1,
            },
        };
        let [x, y, z] = grid.map(|blocks| blocks as u32);
        let config = sys::CUlaunchConfig {
            gridDimX: x,
            gridDimY: y,
            gridDimZ: z,
            blockDimX: kernel.threads as u32,
            blockDimY: 1,
            blockDimZ: 1,
            sharedMemBytes: kernel.shared as u32,
            hStream: self.stream.cu_stream(),
            attrs: &raw mut early,
            numAttrs: u32::from(kernel.early),
        };
        let mut places: Vec<*mut c_void> = arguments
            .iter()
            .map(|argument| (&raw const *argument).cast_mut().cast())
            .collect();
        self.bind()?;
        // SAFETY: the configuration and the places live until the call returns, which copies them; the rest is the caller's promise.
        let result = unsafe {
            sys::cuLaunchKernelEx(
                &raw const config,
                kernel.function.cu_function(),
                places.as_mut_ptr(),
                std::ptr::null_mut(),
            )
        };
        result.result().map_err(failed("launch"))
    }

    /// Records what `work` launches instead of running it.
    pub(super) fn record(&self, work: impl FnOnce() -> Result<()>) -> Result<Recorded> {
        let mode = sys::CUstreamCaptureMode::CU_STREAM_CAPTURE_MODE_THREAD_LOCAL;
        self.stream.begin_capture(mode).map_err(failed("record"))?;
        let done = work();
        // Ended whatever came of it, so that the stream goes on.
        let flags = sys::CUgraphInstantiate_flags::CUDA_GRAPH_INSTANTIATE_FLAG_AUTO_FREE_ON_LAUNCH;
        let graph = self.stream.end_capture(flags);
        done?;
        match graph.map_err(failed("record"))? {
            Some(graph) => Ok(Recorded(graph)),
            None => Err(Error::device("CUDA: nothing was recorded".to_owned())),
        }
    }

    /// Makes the device that of the calling thread.
    pub(super) fn bind(&self) -> Result<()> {
        self.context().bind_to_thread().map_err(failed("bind"))
    }
}

impl Recorded {
    /// Runs the launches again, after everything that was asked for before.
    pub(super) fn replay(&mut self) -> Result<()> {
        self.0.launch().map_err(failed("launch"))
    }
}

impl fmt::Debug for Driver {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Driver").field("name", &self.name).finish()
    }
}

impl fmt::Debug for Recorded {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Recorded")
    }
}

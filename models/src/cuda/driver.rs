//! A device, its memory, launches and graphs, by the driver's API.
//!
//! All work of a device goes through one stream, in the order in which it is asked for, whoever asks. What is recorded is recorded on a
//! stream of its own. That a kernel stays inside the memory that it is given is seen to where it is launched.

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
use super::tensor_map::TensorMap;
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
    /// Whether launches may start early.
    early: bool,
}

/// Memory of the device.
pub(super) type Memory<T> = CudaSlice<T>;

/// The oldest driver that this is for, as the driver numbers itself: CUDA 12.0.
const OLDEST: i32 = 12000;

/// The first one that records launches which start early: CUDA 12.3.
const EARLY: i32 = 12030;

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
    /// The number of blocks, one below the other, that run together: 1, or what Hopper calls a cluster.
    pub(super) cluster: usize,
}

/// What a kernel is given.
#[derive(Clone, Copy)]
pub(super) enum Argument {
    Address(CUdeviceptr),
    Matrix(TensorMap),
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
        let mut version = 0;
        // SAFETY: the number is there to be written.
        let result = unsafe { sys::cuDriverGetVersion(&raw mut version) };
        result.result().map_err(told)?;
        if version < OLDEST {
            return Err(format!(
                "the driver is for CUDA {}.{}: expected one for 12.0 or later",
                version / 1000,
                version % 1000 / 10
            ));
        }
        let context = CudaContext::new(index).map_err(told)?;
        let capability = context.compute_capability().map_err(told)?;
        if capability.0 < 8 {
            return Ok(None);
        }
        // SAFETY: all memory is written, read and freed on one stream, which keeps the order by itself; others only record.
        unsafe { context.disable_event_tracking() };
        let processors = sys::CUdevice_attribute::CU_DEVICE_ATTRIBUTE_MULTIPROCESSOR_COUNT;
        Ok(Some(Self {
            name: context.name().map_err(told)?,
            capability,
            processors: context.attribute(processors).map_err(told)?.max(1) as usize,
            stream: context.new_stream().map_err(told)?,
            early: version >= EARLY,
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

    /// Copies to the first numbers of `to`, and waits until they are there.
    pub(super) fn send<T: DeviceRepr>(&self, from: &[T], to: &mut Memory<T>) -> Result<()> {
        let sent = self.stream.memcpy_htod(from, to);
        self.wait()?;
        sent.map_err(failed("upload"))
    }

    /// One pass: copies `from` to the first bytes of `to`, replays what was recorded, and copies the numbers of `states` from `start` on to
    /// `answer`; `meanwhile` is for the host to do. All of it is done when this returns, so that nobody has to think of copies under way.
    pub(super) fn pass(
        &self,
        (from, to): (&[u8], &mut Memory<u8>),
        recorded: &mut Recorded,
        (states, start): (&Memory<f32>, usize),
        answer: &mut [f32],
        meanwhile: impl FnOnce(),
    ) -> Result<()> {
        let states = states.slice(start..start + answer.len());
        let asked = (self.stream.memcpy_htod(from, to))
            .map_err(failed("upload"))
            .and_then(|()| self.replay(recorded))
            .and_then(|()| (self.stream.memcpy_dtoh(&states, answer)).map_err(failed("download")));
        meanwhile();
        // Whatever came of it: copies may be under way.
        let done = self.wait();
        asked.and(done)
    }

    fn replay(&self, recorded: &mut Recorded) -> Result<()> {
        self.bind()?;
        // SAFETY: the graph is alive, and nobody else uses it meanwhile. What it was recorded with lives as long as it: see `record`.
        let launched = unsafe {
            cudarc::driver::result::graph::launch(
                recorded.0.cu_graph_exec(),
                self.stream.cu_stream(),
            )
        };
        launched.map_err(failed("launch"))
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

    /// Launches a kernel over `grid` blocks.
    ///
    /// # Safety
    /// The arguments are those of the kernel, and it stays inside the memory that they point to.
    pub(super) unsafe fn launch(
        &self,
        kernel: &Kernel,
        grid: [usize; 3],
        arguments: &[Argument],
    ) -> Result<()> {
        let attribute = |id, value| sys::CUlaunchAttribute {
            id,
            pad: Default::default(),
            value,
        };
        let mut attributes = Vec::with_capacity(2);
        if kernel.early && self.early {
            attributes.push(attribute(
                sys::CUlaunchAttributeID::CU_LAUNCH_ATTRIBUTE_PROGRAMMATIC_STREAM_SERIALIZATION,
                sys::CUlaunchAttributeValue {
                    programmaticStreamSerializationAllowed: 1,
                },
            ));
        }
        if kernel.cluster > 1 {
            attributes.push(attribute(
                sys::CUlaunchAttributeID::CU_LAUNCH_ATTRIBUTE_CLUSTER_DIMENSION,
                sys::CUlaunchAttributeValue {
                    clusterDim: sys::CUlaunchAttributeValue_union__bindgen_ty_1 {
                        x: 1,
                        y: kernel.cluster as u32,
                        z: 1,
                    },
                },
            ));
        }
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
            attrs: attributes.as_mut_ptr(),
            numAttrs: attributes.len() as u32,
        };
        let mut places: Vec<*mut c_void> = arguments
            .iter()
            .map(|argument| match argument {
                Argument::Address(address) => (&raw const *address).cast_mut().cast(),
                Argument::Matrix(map) => (&raw const *map).cast_mut().cast(),
            })
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

    /// Records what `work` launches on the device that it is given, instead of running it. Kernels and memory that it launches with must live
    /// as long as what was recorded.
    pub(super) fn record(&self, work: impl FnOnce(&Self) -> Result<()>) -> Result<Recorded> {
        // On a stream of its own: what others ask for meanwhile must not become part of it.
        let stream = self.context().new_stream().map_err(failed("record"))?;
        let apart = Self {
            stream: stream.clone(),
            name: self.name.clone(),
            ..*self
        };
        let mode = sys::CUstreamCaptureMode::CU_STREAM_CAPTURE_MODE_THREAD_LOCAL;
        stream.begin_capture(mode).map_err(failed("record"))?;
        let done = work(&apart);
        // Ended whatever came of it.
        let graph = stream.end_capture(sys::CUgraphInstantiate_flags(0));
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

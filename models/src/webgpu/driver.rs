//! A device by wgpu: its memory, its kernels, and passes of them.

#![allow(unsafe_code)]

use std::collections::HashMap;
use std::pin::pin;
use std::sync::{Arc, Mutex, OnceLock, PoisonError, mpsc};
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use wgpu::{BufferUsages, DeviceType};

use crate::error::{Error, Result};

/// How many launches are handed over at a time. A system's watchdog ends what takes seconds.
const AT_ONCE: usize = 28;

/// Held while instances and devices are made, by Burn too: some loaders of Vulkan crash where two threads do that at once.
pub(crate) static BRINGING_UP: Mutex<()> = Mutex::new(());

/// How long another thread may take to tell that an answer is there, once it is.
const TOLD: Duration = Duration::from_secs(60);

/// What the kernels need of memory that a workgroup shares.
pub(super) const SHARED: u32 = 29 << 10;

/// A device.
pub(crate) struct Driver {
    name: String,
    kind: DeviceType,
    device: wgpu::Device,
    queue: wgpu::Queue,
    kernels: Mutex<HashMap<String, wgpu::ComputePipeline>>,
    /// What went wrong first, and nobody was there to be told: after that nothing that comes back can be trusted.
    problem: Arc<Mutex<Option<String>>>,
}

/// Some bytes on the device.
#[derive(Clone, Debug)]
pub(super) struct Memory(wgpu::Buffer);

/// Memory of the host that the device copies an answer to.
#[derive(Debug)]
pub(super) struct Answer(wgpu::Buffer);

/// A kernel with its arguments: some workgroups of it.
#[derive(Debug)]
pub(super) struct Launch {
    kernel: wgpu::ComputePipeline,
    arguments: wgpu::BindGroup,
    groups: [u32; 3],
}

impl std::fmt::Debug for Driver {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Driver")
            .field("name", &self.name)
            .finish_non_exhaustive()
    }
}

/// What a future of wgpu comes to: outside a browser it never waits for anything but itself.
fn now<T>(future: impl Future<Output = T>) -> T {
    let mut future = pin!(future);
    let mut context = Context::from_waker(Waker::noop());
    loop {
        match future.as_mut().poll(&mut context) {
            Poll::Ready(value) => return value,
            Poll::Pending => std::thread::yield_now(),
        }
    }
}

/// The adapters of Vulkan, Metal or DX12: of the first that has a GPU, else of the first that has an adapter.
fn adapters() -> Vec<wgpu::Adapter> {
    // They stay: loaders do not bear that instances come and go.
    static INSTANCES: OnceLock<Vec<(wgpu::Backends, wgpu::Instance)>> = OnceLock::new();
    let instances = INSTANCES.get_or_init(|| {
        let each = [
            wgpu::Backends::VULKAN,
            wgpu::Backends::METAL,
            wgpu::Backends::DX12,
        ];
        let opened = each.map(|backends| {
            let described = wgpu::InstanceDescriptor {
                backends,
                ..wgpu::InstanceDescriptor::new_without_display_handle()
            };
            (backends, wgpu::Instance::new(described))
        });
        opened.into()
    });
    let found = instances.iter();
    let mut found: Vec<Vec<wgpu::Adapter>> = found
        .map(|(backends, instance)| now(instance.enumerate_adapters(*backends)))
        .filter(|adapters| !adapters.is_empty())
        .collect();
    let real = |adapter: &wgpu::Adapter| adapter.get_info().device_type != DeviceType::Cpu;
    let with_gpu = found.iter().position(|adapters| adapters.iter().any(real));
    match found.is_empty() {
        true => Vec::new(),
        false => found.swap_remove(with_gpu.unwrap_or(0)),
    }
}

impl Driver {
    /// Opens the `number`th adapter of a kind, as Burn counts them.
    pub(crate) fn open(kind: DeviceType, number: usize) -> Result<Self, String> {
        let _alone = BRINGING_UP.lock().unwrap_or_else(PoisonError::into_inner);
        let of_kind = adapters()
            .into_iter()
            .filter(|adapter| adapter.get_info().device_type == kind);
        let adapter = of_kind
            .into_iter()
            .nth(number)
            .ok_or("it is not there by Vulkan, Metal or DX12, where our kernels run")?;
        let limits = adapter.limits();
        if limits.max_compute_workgroup_storage_size < SHARED {
            return Err(format!(
                "{} bytes of memory for a workgroup, where the kernels need {SHARED}",
                limits.max_compute_workgroup_storage_size
            ));
        }
        let described = wgpu::DeviceDescriptor {
            label: Some("morelet"),
            required_limits: limits,
            memory_hints: wgpu::MemoryHints::Performance,
            ..Default::default()
        };
        let (device, queue) =
            now(adapter.request_device(&described)).map_err(|error| error.to_string())?;
        let problem = Arc::new(Mutex::new(None));
        let note = |problem: &Arc<Mutex<Option<String>>>, what: String| {
            tracing::warn!(what, "wgpu");
            problem
                .lock()
                .unwrap_or_else(PoisonError::into_inner)
                .get_or_insert(what);
        };
        let seen = problem.clone();
        device.on_uncaptured_error(Arc::new(move |error: wgpu::Error| {
            note(&seen, error.to_string())
        }));
        let lost = problem.clone();
        device.set_device_lost_callback(move |reason, message| {
            if reason != wgpu::DeviceLostReason::Destroyed {
                note(&lost, format!("the device was lost: {message}"));
            }
        });
        Ok(Self {
            name: adapter.get_info().name,
            kind,
            device,
            queue,
            kernels: Mutex::default(),
            problem,
        })
    }

    /// The adapter's name.
    pub(crate) fn name(&self) -> &str {
        &self.name
    }

    /// How many workgroups keep it busy. What a kernel has less, it can make up for by parts, whose sums cost memory traffic that a GPU
    /// without memory of its own does not have.
    pub(super) fn busy(&self) -> usize {
        match self.kind {
            DeviceType::DiscreteGpu | DeviceType::VirtualGpu => 256,
            _ => 64,
        }
    }

    /// An error where something has gone wrong for good since the device was opened.
    pub(crate) fn check(&self) -> Result<()> {
        match &*self.problem.lock().unwrap_or_else(PoisonError::into_inner) {
            Some(problem) => Err(Error::device(format!("wgpu: {problem}"))),
            None => Ok(()),
        }
    }

    /// What `make` makes on the device. What goes wrong there goes wrong for its caller alone, but for a lack of memory to send from, with
    /// which wgpu gives up the device.
    fn made<T>(&self, make: impl FnOnce() -> T) -> Result<T> {
        use wgpu::ErrorFilter::{Internal, OutOfMemory, Validation};
        let scopes =
            [OutOfMemory, Validation, Internal].map(|kind| self.device.push_error_scope(kind));
        let made = make();
        let mut errors = scopes
            .into_iter()
            .rev()
            .filter_map(|scope| now(scope.pop()));
        let first = errors.next();
        // All are taken off.
        errors.for_each(drop);
        self.check()?;
        match first {
            Some(error) => Err(Error::device(format!("wgpu: {error}"))),
            None => Ok(made),
        }
    }

    /// Zeros.
    pub(super) fn zeros(&self, bytes: usize) -> Result<Memory> {
        let described = wgpu::BufferDescriptor {
            label: None,
            size: bytes.next_multiple_of(16).max(16) as u64,
            usage: BufferUsages::STORAGE | BufferUsages::COPY_DST | BufferUsages::COPY_SRC,
            mapped_at_creation: false,
        };
        self.made(|| Memory(self.device.create_buffer(&described)))
    }

    /// Memory with these bytes in it.
    pub(super) fn upload(&self, bytes: &[u8]) -> Result<Memory> {
        let memory = self.zeros(bytes.len())?;
        self.made(|| self.write(&memory, bytes))?;
        // Waited for here and there, so that what is on its way takes no second place in memory.
        let sent = self.queue.submit([]);
        self.wait(sent)?;
        Ok(memory)
    }

    /// The same of numbers.
    pub(super) fn upload_f32(&self, numbers: &[f32]) -> Result<Memory> {
        let bytes: Vec<u8> = numbers
            .iter()
            .flat_map(|number| number.to_ne_bytes())
            .collect();
        self.upload(&bytes)
    }

    /// Puts bytes at the beginning of memory before the next pass.
    pub(super) fn write(&self, memory: &Memory, bytes: &[u8]) {
        let whole = bytes.len() / 4 * 4;
        self.queue.write_buffer(&memory.0, 0, &bytes[..whole]);
        if whole < bytes.len() {
            let mut rest = [0; 4];
            rest[..bytes.len() - whole].copy_from_slice(&bytes[whole..]);
            self.queue.write_buffer(&memory.0, whole as u64, &rest);
        }
    }

    /// Room for an answer.
    pub(super) fn answer(&self, bytes: usize) -> Result<Answer> {
        let described = wgpu::BufferDescriptor {
            label: None,
            size: bytes.next_multiple_of(8).max(8) as u64,
            usage: BufferUsages::COPY_DST | BufferUsages::MAP_READ,
            mapped_at_creation: false,
        };
        self.made(|| Answer(self.device.create_buffer(&described)))
    }

    /// A kernel's launch: its text, the memory at each binding, how many workgroups.
    ///
    /// # Errors
    /// Of kind `Device`.
    ///
    /// # Safety
    /// The kernel reads and writes nothing outside the memory that it is given: its text is compiled without checks.
    pub(super) unsafe fn launch(
        &self,
        text: &str,
        arguments: &[(u32, &Memory)],
        groups: [usize; 3],
    ) -> Result<Launch> {
        let mut kernels = self.kernels.lock().unwrap_or_else(PoisonError::into_inner);
        let kernel = match kernels.get(text) {
            Some(kernel) => kernel.clone(),
            None => {
                // SAFETY: the caller's promise.
                let kernel = self.made(|| unsafe { self.compiled(text) })?;
                kernels.insert(text.to_owned(), kernel.clone());
                kernel
            }
        };
        let entries = arguments
            .iter()
            .map(|(binding, memory)| wgpu::BindGroupEntry {
                binding: *binding,
                resource: memory.0.as_entire_binding(),
            });
        let entries: Vec<_> = entries.collect();
        let arguments = self.made(|| {
            self.device.create_bind_group(&wgpu::BindGroupDescriptor {
                label: None,
                layout: &kernel.get_bind_group_layout(0),
                entries: &entries,
            })
        })?;
        Ok(Launch {
            kernel,
            arguments,
            groups: groups.map(|count| count as u32),
        })
    }

    /// # Safety
    /// As of [`launch`](Self::launch).
    unsafe fn compiled(&self, text: &str) -> wgpu::ComputePipeline {
        let described = wgpu::ShaderModuleDescriptor {
            label: None,
            source: wgpu::ShaderSource::Wgsl(text.into()),
        };
        // SAFETY: the caller's promise; no loop is endless.
        let module = unsafe {
            self.device
                .create_shader_module_trusted(described, wgpu::ShaderRuntimeChecks::unchecked())
        };
        self.device
            .create_compute_pipeline(&wgpu::ComputePipelineDescriptor {
                label: None,
                layout: None,
                module: &module,
                entry_point: Some("run"),
                compilation_options: wgpu::PipelineCompilationOptions {
                    zero_initialize_workgroup_memory: false,
                    ..Default::default()
                },
                cache: None,
            })
    }

    /// Runs kernels one after the other, then gives `read` the bytes `from` to `to` of memory. `meanwhile` runs while the device is at
    /// work.
    ///
    /// # Errors
    /// Of kind `Device`.
    pub(super) fn pass<T>(
        &self,
        launches: &[Launch],
        (memory, from, to): (&Memory, usize, usize),
        answer: &Answer,
        meanwhile: impl FnOnce(),
        read: impl FnOnce(&[u8]) -> T,
    ) -> Result<T> {
        let encoder = || self.device.create_command_encoder(&Default::default());
        for some in launches.chunks(AT_ONCE) {
            let mut encoder = encoder();
            {
                let mut pass = encoder.begin_compute_pass(&Default::default());
                for launch in some {
                    let [x, y, z] = launch.groups;
                    pass.set_pipeline(&launch.kernel);
                    pass.set_bind_group(0, &launch.arguments, &[]);
                    pass.dispatch_workgroups(x, y, z);
                }
            }
            self.queue.submit([encoder.finish()]);
        }
        let bytes = (to - from) as u64;
        let mut encoder = encoder();
        encoder.copy_buffer_to_buffer(&memory.0, from as u64, &answer.0, 0, bytes);
        let last = self.queue.submit([encoder.finish()]);
        let (sender, receiver) = mpsc::channel();
        let slice = answer.0.slice(..bytes);
        slice.map_async(wgpu::MapMode::Read, move |result| {
            let _ = sender.send(result);
        });
        meanwhile();
        let read = || {
            self.wait(last)?;
            let lost = |error: String| {
                Error::device(format!("wgpu: the answer did not come back: {error}"))
            };
            // Another thread that waited for the device may be about to tell.
            let told = receiver.recv_timeout(TOLD);
            let told = told.map_err(|error| lost(error.to_string()))?;
            told.map_err(|error| lost(error.to_string()))?;
            let view = slice.get_mapped_range();
            let view = view.map_err(|error| lost(error.to_string()))?;
            Ok(read(&view))
        };
        let value = read();
        // Also where it never was mapped, which the next pass must not find so.
        answer.0.unmap();
        value
    }

    /// Waits for what was handed over up to `last`. Where the device is lost, wgpu panics here; whoever calls a device catches that.
    fn wait(&self, last: wgpu::SubmissionIndex) -> Result<()> {
        let polled = self.device.poll(wgpu::PollType::Wait {
            submission_index: Some(last),
            timeout: None,
        });
        self.check()?;
        polled.map_err(|error| Error::device(format!("wgpu: {error}")))?;
        Ok(())
    }
}

impl Memory {
    /// Bytes.
    pub(super) fn len(&self) -> usize {
        self.0.size() as usize
    }
}

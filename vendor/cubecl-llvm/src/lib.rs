//! A stand-in for the published `cubecl-llvm`.
//!
//! `cubecl-cuda` can turn a kernel into PTX in two ways: through LLVM, or through CUDA C++ and NVRTC. Both are
//! always compiled in, and the crate behind the first one downloads a prebuilt LLVM in its build script. A
//! build without a network fails there.
//!
//! This crate has only the items that `cubecl-cuda` names. With `cubecl`'s feature `cuda-cpp` NVRTC is the
//! default and nothing here is ever called; should somebody ask for the LLVM way all the same, compiling a
//! kernel answers with an error that says so.
//!
//! It is reached by `[patch.crates-io]` in the workspace's `Cargo.toml`. A patch does not reach workspaces that
//! depend on this one: `docs/devices.md` names the lines that they copy.

#![forbid(unsafe_code)]

use core::fmt;

use cubecl_core::Compiler;
use cubecl_core::ir::nvidia::SmArch;
use cubecl_core::prelude::KernelDefinition;
use cubecl_environment::backtrace::BackTrace;
use cubecl_runtime::compiler::CompilationError;
use cubecl_runtime::kernel::BufferIOAttr;

/// PTX, as the LLVM way would emit it.
pub mod nvptx {
    /// The PTX version that a driver loads.
    pub mod ptx_version {
        use core::fmt;

        /// A PTX version. The LLVM way alone needs one, so none is ever made.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
        pub struct PtxVersion(u32);

        impl PtxVersion {
            /// Always `None`: NVRTC writes its own version.
            pub fn for_driver(_driver: i32) -> Option<Self> {
                None
            }
        }

        impl fmt::Display for PtxVersion {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, "ptx{}", self.0)
            }
        }
    }
}

/// What both GPU targets of the LLVM way share.
pub mod shared {
    /// The features of a device that the LLVM way can lower.
    pub mod lowered_features {
        use cubecl_core::ir::DeviceProperties;

        /// The target that features are narrowed for.
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        pub enum GpuTarget {
            /// NVIDIA's PTX.
            Nvptx,
        }

        /// Narrows nothing: it is called for the LLVM way alone.
        pub fn restrict_features(_properties: &mut DeviceProperties, _target: GpuTarget) {}
    }
}

/// What the LLVM way compiles for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum LlvmTarget {
    /// The host's processor.
    #[default]
    Cpu,
    /// NVIDIA's PTX.
    Nvptx,
}

/// The compiler that is not there.
#[derive(Clone, Debug, Default)]
pub struct PlironCompiler {
    /// What it would compile for.
    pub target: LlvmTarget,
}

/// Its options.
#[derive(Clone, Debug, Default)]
pub struct PlironOptions {
    /// An AMD architecture; `cubecl-cuda` passes `None`.
    pub arch: Option<u32>,
    /// The NVIDIA architecture.
    pub sm_arch: Option<SmArch>,
    /// The PTX version.
    pub ptx_version: Option<nvptx::ptx_version::PtxVersion>,
    /// Whether scalars travel in the kernel's parameter block.
    pub grid_constants: bool,
    /// The alignment of buffers on a CPU.
    pub cpu_buffer_alignment: Option<u32>,
}

/// A compiled PTX module.
#[derive(Clone, Debug)]
pub struct NvptxModule {
    /// PTX, ending in NUL.
    pub ptx: Vec<core::ffi::c_char>,
    /// The kernel's symbol.
    pub entrypoint: String,
    /// The text form.
    pub ir: String,
    /// Shared memory per launch, in bytes.
    pub shared_memory_size: usize,
    /// What the kernel does with each buffer.
    pub io: Vec<BufferIOAttr>,
}

/// What compiling gives.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub enum PlironArtifact {
    /// PTX.
    NvptxCode(NvptxModule),
}

impl fmt::Display for PlironArtifact {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let PlironArtifact::NvptxCode(module) = self;
        f.write_str(&module.ir)
    }
}

impl Compiler for PlironCompiler {
    type Representation = PlironArtifact;
    type CompilationOptions = PlironOptions;

    fn compile(
        &mut self,
        _kernel: KernelDefinition,
        _options: &Self::CompilationOptions,
    ) -> Result<Self::Representation, CompilationError> {
        Err(CompilationError::Generic {
            reason: "this build has no LLVM: CUDA kernels are compiled by NVRTC (feature `cuda-cpp` of cubecl)".into(),
            backtrace: BackTrace::capture(),
        })
    }

    fn extension(&self) -> &'static str {
        "ll"
    }

    fn lang_tag(&self) -> &'static str {
        "llvm"
    }
}

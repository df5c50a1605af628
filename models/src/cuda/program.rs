//! From CUDA C++ to a kernel: compiled by NVRTC for the very device, and kept in the user's cache directory.

#![allow(unsafe_code)]

use std::collections::HashMap;
use std::ffi::CString;
use std::path::Path;
use std::sync::{Mutex, PoisonError};

use cudarc::driver::sys::CUfunction_attribute_enum::CU_FUNC_ATTRIBUTE_MAX_DYNAMIC_SHARED_SIZE_BYTES;
use cudarc::driver::{CudaContext, CudaFunction};
use cudarc::nvrtc::{Ptx, result as nvrtc, sys};
use morelet_mapped::{Hash, write_file_atomically};

use super::driver::Driver;
use super::failed;
use crate::device::cache_folder;
use crate::error::{Error, Result};

/// The name of every kernel.
const ENTRY: &str = "run";

/// The text of a kernel: numbers that it is compiled for, and its parts.
#[derive(Clone, Debug, Default)]
pub(super) struct Source(String);

impl Source {
    /// A number that the text knows by name.
    pub(super) fn define(mut self, name: &str, value: impl std::fmt::Display) -> Self {
        self.0.push_str(&format!("#define {name} {value}\n"));
        self
    }

    /// The next part of the text.
    pub(super) fn part(mut self, text: &str) -> Self {
        self.0.push_str(text);
        self
    }

    /// The kernel, compiled for the device; `shared` is what a launch of it will give it.
    ///
    /// # Errors
    /// Of kind `Device`.
    pub(super) fn build(&self, driver: &Driver, shared: usize) -> Result<CudaFunction> {
        type Built = HashMap<(usize, Hash), CudaFunction>;
        static BUILT: Mutex<Option<Built>> = Mutex::new(None);
        let (major, minor) = driver.capability();
        // Hopper's own instructions are not in the family that later GPUs share.
        let own = if major == 9 { "a" } else { "" };
        let target = format!("sm_{major}{minor}{own}");
        let key = Hash::of(format!("{target} {:?}\n{}", version()?, self.0).as_bytes());
        let context = driver.context();
        let mut built = BUILT.lock().unwrap_or_else(PoisonError::into_inner);
        let built = built.get_or_insert_default();
        if let Some(function) = built.get(&(context.ordinal(), key)) {
            return Ok(function.clone());
        }
        driver.bind()?;
        let kept = cache_folder().map(|folder| folder.join("cuda").join(format!("{key}.cubin")));
        let known = kept.as_deref().and_then(read);
        let function = match known.and_then(|binary| load(context, binary).ok()) {
            Some(function) => function,
            None => {
                let binary = compile(&self.0, &target)?;
                if let Some(kept) = &kept {
                    keep(kept, &binary);
                }
                load(context, binary)
                    .map_err(failed("load a kernel (is the driver older than libnvrtc?)"))?
            }
        };
        function
            .set_attribute(
                CU_FUNC_ATTRIBUTE_MAX_DYNAMIC_SHARED_SIZE_BYTES,
                shared as i32,
            )
            .map_err(failed("shared memory"))?;
        built.insert((context.ordinal(), key), function.clone());
        Ok(function)
    }
}

fn load(
    context: &std::sync::Arc<CudaContext>,
    binary: Vec<u8>,
) -> std::result::Result<CudaFunction, cudarc::driver::DriverError> {
    context
        .load_module(Ptx::from_binary(binary))?
        .load_function(ENTRY)
}

/// NVRTC's version.
fn version() -> Result<(i32, i32)> {
    let (mut major, mut minor) = (0, 0);
    // SAFETY: both numbers are there to be written.
    let result = unsafe { sys::nvrtcVersion(&raw mut major, &raw mut minor) };
    (result.result()).map_err(|error| Error::device(format!("NVRTC: {error:?}")))?;
    Ok((major, minor))
}

/// Compiles a text to the machine code of `target`.
fn compile(text: &str, target: &str) -> Result<Vec<u8>> {
    let refused = |what: String| Error::device(format!("NVRTC for {target}: {what}"));
    let text = CString::new(text).map_err(|error| refused(error.to_string()))?;
    let program =
        nvrtc::create_program(&text, None).map_err(|error| refused(format!("{error:?}")))?;
    let options = [format!("--gpu-architecture={target}")];
    // SAFETY: the program was created above and is destroyed below.
    let compiled = unsafe { nvrtc::compile_program(program, &options) };
    let binary = match compiled {
        // SAFETY: it has been compiled.
        Ok(()) => unsafe { machine_code(program) },
        Err(error) => {
            // SAFETY: the program is alive.
            let log = unsafe { nvrtc::get_program_log(program) }.unwrap_or_default();
            let log: Vec<u8> = log.into_iter().map(|letter| letter as u8).collect();
            let log = String::from_utf8_lossy(&log);
            Err(refused(format!(
                "{error:?}: {}",
                log.trim_end_matches('\0').trim()
            )))
        }
    };
    // SAFETY: it is not used again.
    if let Err(error) = unsafe { nvrtc::destroy_program(program) } {
        tracing::warn!(?error, "NVRTC");
    }
    binary
}

/// # Safety
/// The program has been compiled, for a real architecture.
unsafe fn machine_code(program: sys::nvrtcProgram) -> Result<Vec<u8>> {
    let refused = |error| Error::device(format!("NVRTC: {error:?}"));
    let mut size = 0_usize;
    // SAFETY: the caller's promise; the number is there to be written.
    (unsafe { sys::nvrtcGetCUBINSize(program, &raw mut size) }.result()).map_err(refused)?;
    let mut binary = vec![0_u8; size];
    // SAFETY: the caller's promise; there is room for as many bytes as it said.
    (unsafe { sys::nvrtcGetCUBIN(program, binary.as_mut_ptr().cast()) }.result())
        .map_err(refused)?;
    Ok(binary)
}

/// Machine code that was kept, if it is whole: its hash stands before it.
fn read(path: &Path) -> Option<Vec<u8>> {
    let bytes = std::fs::read(path).ok()?;
    let (hash, binary) = bytes.split_at_checked(Hash::BYTES)?;
    (Hash::of(binary).as_bytes() == hash).then(|| binary.to_vec())
}

/// Keeps machine code for the next process. Where that fails, the next one compiles anew.
fn keep(path: &Path, binary: &[u8]) {
    let bytes = [Hash::of(binary).as_bytes(), binary].concat();
    let kept = (path.parent().map_or(Ok(()), std::fs::create_dir_all))
        .map_err(|error| error.to_string())
        .and_then(|()| write_file_atomically(path, &bytes).map_err(|error| error.to_string()));
    if let Err(error) = kept {
        tracing::info!(file = %path.display(), %error, "a kernel was not kept");
    }
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;
    use crate::cuda::nvrtc;

    /// Compiles each source for each target, where there is an NVRTC: it needs no GPU. `MORELET_REQUIRE_NVRTC` makes one a must.
    pub(in crate::cuda) fn compiles(sources: &[Source], targets: &[&str]) {
        if !nvrtc::is_loadable() {
            let required = std::env::var_os("MORELET_REQUIRE_NVRTC").is_some();
            assert!(!required, "there is no libnvrtc");
            eprintln!("skipped: there is no libnvrtc");
            return;
        }
        for target in targets {
            for source in sources {
                if let Err(error) = compile(&source.0, target) {
                    panic!("{error}");
                }
            }
        }
    }

    #[test]
    fn what_is_kept_reads_back_and_what_is_damaged_does_not() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("cuda").join("x.cubin");
        assert_eq!(read(&path), None);
        keep(&path, b"machine code");
        assert_eq!(read(&path).as_deref(), Some(&b"machine code"[..]));
        let mut bytes = std::fs::read(&path).unwrap();
        *bytes.last_mut().unwrap() ^= 1;
        std::fs::write(&path, &bytes).unwrap();
        assert_eq!(read(&path), None);
        std::fs::write(&path, &bytes[..7]).unwrap();
        assert_eq!(read(&path), None);
    }
}

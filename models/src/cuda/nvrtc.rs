//! Loading NVRTC, CUDA's compiler at run time, from folders that the system's loader does not search.
//!
//! It is loaded by its bare name, by cudarc for us and for CubeCL. A library that has been loaded from a path before is found by that
//! name too, because the loader knows it by its soname.

#![allow(unsafe_code)]

use std::path::Path;

use libloading::Library;

/// The names that the bindings try, those that a toolkit of the last years installs.
const NAMES: [&str; 4] = if cfg!(windows) {
    [
        "nvrtc64_130_0.dll",
        "nvrtc64_130.dll",
        "nvrtc64.dll",
        "nvrtc.dll",
    ]
} else {
    [
        "libnvrtc.so.13",
        "libnvrtc.so.12",
        "libnvrtc.so.11",
        "libnvrtc.so",
    ]
};

/// Whether the loader finds the library by name.
pub(crate) fn is_loadable() -> bool {
    NAMES.iter().any(|name| {
        // SAFETY: loading runs the library's initializers; NVRTC's set up nothing but itself. It is the
        // library that is about to be loaded, by the same name.
        unsafe { Library::new(*name) }.is_ok()
    })
}

/// Loads the library from `folder` and keeps it for the life of the process. Whether it was there.
pub(crate) fn load_from(folder: &Path) -> bool {
    NAMES
        .iter()
        .map(|name| folder.join(name))
        .filter(|path| path.is_file())
        .any(|path| {
            // SAFETY: as above; the folder is the program's own or the one that the user named by CUDA_PATH.
            match unsafe { Library::new(path) } {
                Ok(library) => {
                    // It must stay loaded for its name to be known.
                    std::mem::forget(library);
                    true
                }
                Err(_) => false,
            }
        })
}

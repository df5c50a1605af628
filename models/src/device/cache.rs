//! Where tuning results and compiled kernels are kept between runs: the user's cache directory, unless it is set here. A library
//! inside somebody's program must not depend on where that program was started.

use std::path::PathBuf;
use std::sync::OnceLock;

/// The environment variable that names the folder.
const VARIABLE: &str = "MORELET_CACHE_DIR";

static CHOSEN: OnceLock<PathBuf> = OnceLock::new();

/// Sets the folder for the GPU's tuning results and compiled kernels. It counts if called before the
/// first GPU device is looked for; the answer says whether it was the first call.
pub fn set_cache_dir(path: impl Into<PathBuf>) -> bool {
    CHOSEN.set(path.into()).is_ok()
}

/// The folder, which need not be there. Where the user has none, one of the system's for everybody's temporary files.
#[cfg_attr(not(any(feature = "wgpu", feature = "cuda-burn")), allow(dead_code))]
pub(super) fn folder() -> PathBuf {
    own_folder().unwrap_or_else(|| std::env::temp_dir().join("morelet"))
}

/// The same where it is the user's own, so that code which lies there may be run.
#[cfg_attr(not(feature = "cuda"), allow(dead_code))]
pub(crate) fn own_folder() -> Option<PathBuf> {
    if let Some(chosen) = CHOSEN.get() {
        return Some(chosen.clone());
    }
    let set = |name: &str| {
        std::env::var_os(name)
            .filter(|value| !value.is_empty())
            .map(PathBuf::from)
    };
    if let Some(named) = set(VARIABLE) {
        return Some(named);
    }
    let user = if cfg!(windows) {
        set("LOCALAPPDATA")
    } else if cfg!(target_os = "macos") {
        set("HOME").map(|home| home.join("Library").join("Caches"))
    } else {
        // A relative path is to be ignored, says the XDG specification.
        let xdg = set("XDG_CACHE_HOME").filter(|path| path.is_absolute());
        xdg.or_else(|| set("HOME").map(|home| home.join(".cache")))
    };
    user.map(|user| user.join("morelet"))
}

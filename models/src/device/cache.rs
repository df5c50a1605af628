//! How CubeCL is set up: where tuning results and compiled kernels are kept between runs, and that all
//! threads share one stream.
//!
//! Left to itself, CubeCL looks for a `cubecl.toml` above the current directory and keeps its cache in a
//! `target` folder found the same way. A library inside somebody's program must not depend on where that
//! program was started, so the folder is the user's cache directory unless it is set here.

use std::path::PathBuf;
use std::sync::{Once, OnceLock};

use burn_cubecl::cubecl::config::cache::CacheConfig;
use burn_cubecl::cubecl::config::streaming::StreamPolicy;
use burn_cubecl::cubecl::config::{CubeClRuntimeConfig, RuntimeConfig};
use burn_cubecl::cubecl::environment;

/// The environment variable that names the folder.
const VARIABLE: &str = "MORELET_CACHE_DIR";

static CHOSEN: OnceLock<PathBuf> = OnceLock::new();

/// Sets the folder for the GPU's tuning results and compiled kernels. It counts if called before the
/// first GPU device is looked for; the answer says whether it was the first call.
pub fn set_cache_dir(path: impl Into<PathBuf>) -> bool {
    CHOSEN.set(path.into()).is_ok()
}

/// Configures CubeCL, once, before its first use, and gives the folder of its results. A program that has configured
/// it itself keeps its own settings.
pub(super) fn prepare() -> PathBuf {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        let mut config = CubeClRuntimeConfig::default().override_from_env();
        config.environment.path = CacheConfig::Directory(cache_dir());
        config.compilation.cache = true;
        // By default each thread has a stream with its own pools of memory, which are never freed. A
        // program may call us from as many threads as it likes.
        config.streaming.policy = StreamPolicy::Single;
        CubeClRuntimeConfig::try_set(config);
    });
    environment::path()
}

fn cache_dir() -> PathBuf {
    if let Some(chosen) = CHOSEN.get() {
        return chosen.clone();
    }
    let set = |name: &str| {
        std::env::var_os(name)
            .filter(|value| !value.is_empty())
            .map(PathBuf::from)
    };
    if let Some(named) = set(VARIABLE) {
        return named;
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
    user.unwrap_or_else(std::env::temp_dir).join("morelet")
}

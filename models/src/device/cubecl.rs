//! How CubeCL, below Burn, is set up: where it keeps its tuning results and compiled kernels, and that all threads share one stream.
//!
//! Left to itself, it looks for a `cubecl.toml` above the current directory and keeps its cache in a `target` folder found the same way.

use std::path::PathBuf;
use std::sync::Once;

use burn_cubecl::cubecl::config::cache::CacheConfig;
use burn_cubecl::cubecl::config::streaming::StreamPolicy;
use burn_cubecl::cubecl::config::{CubeClRuntimeConfig, RuntimeConfig};
use burn_cubecl::cubecl::environment;

use super::cache;

/// Configures CubeCL, once, before its first use, and gives the folder of its results. A program that has configured
/// it itself keeps its own settings.
pub(super) fn prepare() -> PathBuf {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        let mut config = CubeClRuntimeConfig::default().override_from_env();
        config.environment.path = CacheConfig::Directory(cache::folder());
        config.compilation.cache = true;
        // By default each thread has a stream with its own pools of memory, which are never freed. A
        // program may call us from as many threads as it likes.
        config.streaming.policy = StreamPolicy::Single;
        CubeClRuntimeConfig::try_set(config);
    });
    environment::path()
}

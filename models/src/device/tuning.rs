//! Tuning results as a file, to ship beside a bundle.
//!
//! Burn chooses among its kernels by measuring them, and keeps what it found in the user's cache directory. The file
//! holds those choices and nothing else: compiled kernels stay behind, and are not taken from a file that has some, so
//! that a file which comes with a model cannot bring code. Every choice is filed under the device and the version of the
//! library that it was made with; on another machine it is not found, and the machine tunes for itself.

use std::io::Read as _;
use std::path::Path;

use burn::tensor::Bytes;
use burn_cubecl::cubecl::bundle::{
    self, Bundle, BundleFormat, EmbeddedBundle, ExportOptions, ImportReport,
};

use super::cubecl;
use super::probe::guarded;
use crate::error::{Error, ErrorKind, Result};

/// Where the library files its choices.
const NAMESPACE: &str = "autotune";

/// More than the choices of a hundred models take.
const MAX_BYTES: u64 = 64 << 20;

/// Writes the tuning results of this user, for every device that was used, to a file. It counts for sessions of this
/// version of the library on the same kind of device.
///
/// # Errors
/// Of kind `Input` where there are none yet, or the file cannot be written.
pub fn save_tuning(path: impl AsRef<Path>) -> Result<()> {
    let path = path.as_ref();
    let options = ExportOptions {
        name: "morelet".to_owned(),
        namespaces: vec![NAMESPACE.to_owned()],
        format: BundleFormat::Flat,
        ..Default::default()
    };
    let refused = |message: String| {
        Error::new(
            ErrorKind::Input,
            format!("{}: cannot write the tuning: {message}", path.display()),
        )
    };
    let results = cubecl::prepare();
    if !results.is_file() {
        let found = results.display();
        return Err(refused(format!(
            "nothing has been tuned yet: {found} is not there"
        )));
    }
    // It refuses to replace a file that it does not know as one of its own.
    guarded(|| bundle::export(&[&results], path, &options))
        .map_err(refused)?
        .map_err(|error| refused(error.to_string()))?;
    Ok(())
}

/// Takes over the tuning results of a file, for this process and the ones after it. What this machine found by itself
/// stays. A file that cannot be read costs time and nothing else, so it is told to the log.
pub(super) fn read(path: &Path) {
    match import(path) {
        Ok(report) => tracing::info!(
            file = %path.display(),
            taken = report.imported,
            known = report.skipped,
            "tuning results"
        ),
        Err(message) => {
            tracing::warn!(file = %path.display(), "tuning results were not read: {message}");
        }
    }
}

fn import(path: &Path) -> std::result::Result<ImportReport, String> {
    cubecl::prepare();
    let told = |error: std::io::Error| error.to_string();
    let mut bytes = Vec::new();
    let file = std::fs::File::open(path).map_err(told)?;
    let read = file
        .take(MAX_BYTES + 1)
        .read_to_end(&mut bytes)
        .map_err(told)? as u64;
    if read > MAX_BYTES {
        return Err(format!("expected at most {MAX_BYTES} bytes"));
    }
    guarded(|| {
        let all = EmbeddedBundle::open(Bytes::from_bytes_vec(bytes))
            .map_err(|error| error.to_string())?;
        Ok(bundle::import(&ChoicesOnly(all)))
    })
    .and_then(|report| report)
}

/// A bundle without what is not a tuning result.
#[derive(Debug)]
struct ChoicesOnly(EmbeddedBundle);

impl ChoicesOnly {
    fn is_choice(namespace: &str) -> bool {
        namespace
            .strip_prefix(NAMESPACE)
            .is_some_and(|rest| rest.starts_with('/'))
    }
}

impl Bundle for ChoicesOnly {
    fn get(&self, namespace: &str, key: &[u8]) -> Option<Bytes> {
        if !Self::is_choice(namespace) {
            return None;
        }
        self.0.get(namespace, key)
    }

    fn scan(&self, namespace: &str, visit: &mut dyn FnMut(&[u8], &[u8])) {
        if Self::is_choice(namespace) {
            self.0.scan(namespace, visit);
        }
    }

    fn namespaces(&self) -> Vec<String> {
        let mut namespaces = self.0.namespaces();
        namespaces.retain(|namespace| Self::is_choice(namespace));
        namespaces
    }

    fn describe(&self) -> String {
        self.0.describe()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_choices_are_taken_from_a_file() {
        assert!(ChoicesOnly::is_choice("autotune/0.11.3/device/matmul"));
        for other in [
            "autotune",
            "autotuned/x",
            "wgpu/0.11.3/kernels",
            "",
            "cuda/ptx",
        ] {
            assert!(!ChoicesOnly::is_choice(other), "{other}");
        }
    }

    #[test]
    fn a_damaged_file_is_told_and_does_no_harm() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("x.tuning");
        assert!(import(&path).is_err());
        for content in [&b""[..], b"nonsense", &[0xff; 4096]] {
            std::fs::write(&path, content).unwrap();
            assert!(import(&path).is_err(), "{} bytes", content.len());
            read(&path);
        }
    }
}

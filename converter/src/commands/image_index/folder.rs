//! The folder beside the index in which the work is done, as `text-index` has one.

use crate::{Console, Error, Result};
use std::fs::{self, File, TryLockError};
use std::path::{Path, PathBuf};

/// What the names of such folders end with.
const SUFFIX: &str = ".building";
const LOCK: &str = "lock";
/// The features that were computed: what a later run goes on with.
pub(super) const FEATURES: &str = "features";
/// The lines whose features are known, on their way into the index: of this run only.
pub(super) const ENTRIES: &str = "entries";

/// A folder that this process alone works in. When it is dropped it stays only if there are features in it.
pub(super) struct Folder {
    path: PathBuf,
    /// Locked as long as it is open, even if the process is killed: the system lets go then.
    _lock: File,
}

impl Folder {
    /// The folder for `target`, made if it is not there, and tidied up even where the user will not wait.
    pub fn open(target: &Path, console: &Console) -> Result<Self> {
        let Some(name) = target.file_name() else {
            return Err(Error::usage("expected the path of a file").at(target));
        };
        let mut name = name.to_owned();
        name.push(SUFFIX);
        let path = target.with_file_name(name);
        match fs::create_dir(&path) {
            Err(error) if error.kind() != std::io::ErrorKind::AlreadyExists => {
                return Err(Error::io(&path, error).noting("the folder to work in cannot be made"));
            }
            _ => {}
        }
        let lock = File::options()
            .create(true)
            .truncate(false)
            .write(true)
            .open(path.join(LOCK))
            .map_err(|error| Error::io(path.join(LOCK), error))?;
        match lock.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => {
                return Err(Error::input(
                    "another process is building this index; wait for it, or write to another path",
                )
                .at(target));
            }
            // A file system that knows no locks: then nobody is kept out.
            Err(TryLockError::Error(error)) if error.kind() == std::io::ErrorKind::Unsupported => {}
            Err(TryLockError::Error(error)) => return Err(Error::io(path.join(LOCK), error)),
        }
        // What a process left that was killed.
        Self::sweep(&path);
        let begun = path.clone();
        console.at_forced_exit(move || Self::tidy(&begun));
        Ok(Self { path, _lock: lock })
    }

    /// Where it is.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Where the features are.
    pub fn features(&self) -> PathBuf {
        self.path.join(FEATURES)
    }

    /// Throws away what was computed.
    pub fn clear(&self) -> Result<()> {
        match fs::remove_file(self.features()) {
            Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
                Err(Error::io(self.features(), error))
            }
            _ => Ok(()),
        }
    }

    /// Removes what is not to be gone on with, and all of it where no feature is kept in `path`.
    fn tidy(path: &Path) {
        Self::sweep(path);
        if !path.join(FEATURES).exists() {
            let _ = fs::remove_file(path.join(LOCK));
            let _ = fs::remove_dir(path);
        }
    }

    /// Removes what is not to be gone on with.
    fn sweep(path: &Path) {
        // What cannot be removed stays: there is nobody to tell.
        let _ = fs::remove_file(path.join(ENTRIES));
        morelet_mapped::remove_temporary_files(path);
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        Self::tidy(&self.path);
    }
}

//! The folder beside the target in which an index is built.

use std::fs::{self, File, TryLockError};
use std::path::{Path, PathBuf};

use super::checkpoint;
use crate::error::{Error, Result};
use crate::spool::Spool;

/// What the names of such folders end with.
const SUFFIX: &str = ".building";
const LOCK: &str = "lock";

/// A folder that this process alone works in. Removed when dropped, unless it is kept.
pub(super) struct Folder {
    path: PathBuf,
    /// Locked as long as it is open, even if the process is killed: the system lets go then.
    _lock: File,
    keep: bool,
}

impl Folder {
    /// The folder for `target`, made if it is not there.
    pub fn open(target: &Path) -> Result<Folder> {
        let path = Folder::of(target)?;
        match fs::create_dir(&path) {
            Err(error) if error.kind() != std::io::ErrorKind::AlreadyExists => {
                return Err(Error::io("cannot be written", target, error));
            }
            _ => {}
        }
        let lock = File::options()
            .create(true)
            .truncate(false)
            .write(true)
            .open(path.join(LOCK))
            .map_err(|error| Error::io("cannot be opened", &path.join(LOCK), error))?;
        match lock.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => {
                return Err(Error::busy(format_args!(
                    "{}: another process is building this index; wait for it, or write to another path",
                    target.display()
                )));
            }
            // A file system that knows no locks: then nobody is kept out.
            Err(TryLockError::Error(error)) if error.kind() == std::io::ErrorKind::Unsupported => {}
            Err(TryLockError::Error(error)) => {
                return Err(Error::io("cannot be locked", &path.join(LOCK), error));
            }
        }
        Ok(Folder {
            path,
            _lock: lock,
            keep: false,
        })
    }

    /// The folder for `target`, empty. It is an error if an index was begun there.
    pub fn begin(target: &Path) -> Result<Folder> {
        let mut folder = Folder::open(target)?;
        if folder.path.join(checkpoint::FILE).exists() {
            folder.keep = true;
            return Err(Error::unfinished(format_args!(
                "{}: an index was begun there; end that build or remove the folder",
                folder.path.display()
            )));
        }
        folder.clear(&[])?;
        Ok(folder)
    }

    /// Where the folder for `target` is.
    pub fn of(target: &Path) -> Result<PathBuf> {
        let Some(name) = target.file_name() else {
            return Err(Error::input(format_args!(
                "{}: expected the path of a file",
                target.display()
            )));
        };
        let mut name = name.to_owned();
        name.push(SUFFIX);
        Ok(target.with_file_name(name))
    }

    /// Where it is.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Whether it stays when this is dropped.
    pub fn keep(&mut self, keep: bool) {
        self.keep = keep;
    }

    /// An empty file of this name.
    pub fn spool(&self, name: &str) -> Result<Spool> {
        Spool::create(self.path.join(name))
    }

    /// The file of this name, of which the first `len` bytes are kept.
    pub fn reopen(&self, name: &str, len: u64) -> Result<Spool> {
        Spool::reopen(self.path.join(name), len)
    }

    /// Removes all files but those named in `except` and, where there are such, the checkpoint.
    pub fn clear(&self, except: &[&str]) -> Result<()> {
        let fail = |error| Error::io("cannot be emptied", &self.path, error);
        for entry in fs::read_dir(&self.path).map_err(fail)? {
            let entry = entry.map_err(fail)?;
            let name = entry.file_name();
            let stays = name == LOCK
                || !except.is_empty() && name == checkpoint::FILE
                || except.iter().any(|except| name == *except);
            if !stays && entry.file_type().map_err(fail)?.is_file() {
                fs::remove_file(entry.path()).map_err(fail)?;
            }
        }
        Ok(())
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        if self.keep {
            return;
        }
        // What cannot be removed stays: there is nobody to tell.
        let _ = self.clear(&[]);
        let _ = fs::remove_file(self.path.join(LOCK));
        let _ = fs::remove_dir(&self.path);
    }
}

//! Replacing files and folders whole: written beside the target, synced, renamed into place.

use std::fs::File;
use std::io::Write;
use std::path::{Path, PathBuf};

use tempfile::{NamedTempFile, TempDir};

use crate::error::{Error, ErrorKind, Result};

/// Writes a small file so that at every moment either the old or the new one is there, whole.
pub fn write_file_atomically(path: impl AsRef<Path>, bytes: &[u8]) -> Result<()> {
    let path = path.as_ref();
    let mut file = temporary_beside(path)?;
    file.as_file_mut()
        .write_all(bytes)
        .map_err(|error| Error::io("cannot be written", path, error))?;
    persist(file, path)
}

/// A folder that is filled beside its target and renamed into place. Dropped before that, it is removed.
pub struct AtomicDir {
    target: PathBuf,
    folder: TempDir,
}

impl AtomicDir {
    /// Begins a folder for `target`.
    pub fn create(target: impl AsRef<Path>) -> Result<AtomicDir> {
        let target = target.as_ref();
        let folder = builder(target)
            .tempdir_in(parent(target))
            .map_err(|error| Error::io("no folder can be made beside it", target, error))?;
        Ok(AtomicDir {
            target: target.to_owned(),
            folder,
        })
    }

    /// Where the files go until [`AtomicDir::commit`].
    pub fn path(&self) -> &Path {
        self.folder.path()
    }

    /// Syncs the folder and renames it to its target; a folder that was there is replaced.
    pub fn commit(self) -> Result<()> {
        let fail = |error| Error::io("cannot be put into place", &self.target, error);
        sync_folder(self.folder.path()).map_err(fail)?;
        let old = if self.target.exists() {
            let old = builder(&self.target)
                .tempdir_in(parent(&self.target))
                .map_err(fail)?;
            std::fs::rename(&self.target, old.path().join("old")).map_err(fail)?;
            Some(old)
        } else {
            None
        };
        std::fs::rename(self.folder.path(), &self.target).map_err(|error| {
            if let Some(old) = &old {
                let _ = std::fs::rename(old.path().join("old"), &self.target);
            }
            fail(error)
        })?;
        sync_folder(parent(&self.target)).map_err(fail)?;
        let _ = self.folder.keep();
        Ok(())
    }
}

/// A temporary file in the folder of `path`, removed when dropped.
pub(crate) fn temporary_beside(path: &Path) -> Result<NamedTempFile> {
    if let Ok(metadata) = std::fs::metadata(path)
        && !metadata.is_file()
    {
        return Err(
            Error::new(ErrorKind::Io, "is there already and is not a regular file").at(path),
        );
    }
    builder(path)
        .tempfile_in(parent(path))
        .map_err(|error| Error::io("no file can be made beside it", path, error))
}

/// Syncs the file, renames it to `path` and syncs the folder.
pub(crate) fn persist(file: NamedTempFile, path: &Path) -> Result<()> {
    let fail = |error| Error::io("cannot be written", path, error);
    file.as_file().sync_all().map_err(fail)?;
    file.persist(path).map_err(|error| fail(error.error))?;
    sync_folder(parent(path)).map_err(fail)
}

fn builder(path: &Path) -> tempfile::Builder<'static, 'static> {
    let _ = path;
    let mut builder = tempfile::Builder::new();
    builder.prefix(".morelet-").suffix(".tmp");
    builder
}

fn parent(path: &Path) -> &Path {
    match path.parent() {
        Some(parent) if parent != Path::new("") => parent,
        _ => Path::new("."),
    }
}

fn sync_folder(path: &Path) -> std::io::Result<()> {
    if cfg!(unix) {
        File::open(path)?.sync_all()
    } else {
        Ok(())
    }
}

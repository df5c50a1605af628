//! Files that appear when they are whole.

use crate::{Error, Result};
use std::io::{BufWriter, Write};
use std::path::{Path, PathBuf};
use tempfile::NamedTempFile;

/// A text file that is written beside its target and renamed into place. Dropped before
/// [`commit`](Self::commit), it is removed, and what was there before stays.
#[derive(Debug)]
pub struct PendingFile {
    path: PathBuf,
    file: BufWriter<NamedTempFile>,
}

impl PendingFile {
    /// Begins a file for `path`, whose directory must be there.
    pub fn create(path: impl Into<PathBuf>) -> Result<Self> {
        let path = path.into();
        let directory = match path.parent() {
            Some(parent) if parent != Path::new("") => parent,
            _ => Path::new("."),
        };
        let mut builder = tempfile::Builder::new();
        builder.prefix(".morelet-").suffix(".tmp");
        // Temporary files are private by default; ours become files for everybody, as the umask has it.
        #[cfg(unix)]
        builder.permissions(std::os::unix::fs::PermissionsExt::from_mode(0o666));
        let file = builder
            .tempfile_in(directory)
            .map_err(|error| Error::io(directory, error))?;
        Ok(Self {
            path,
            file: BufWriter::with_capacity(1 << 18, file),
        })
    }

    /// Appends bytes.
    pub fn write(&mut self, bytes: &[u8]) -> Result<()> {
        self.file
            .write_all(bytes)
            .map_err(|error| Error::io(&self.path, error))
    }

    /// Syncs the file and renames it to its path.
    pub fn commit(self) -> Result<()> {
        let Self { path, file } = self;
        let fail = |error| Error::io(&path, error);
        let file = file
            .into_inner()
            .map_err(|error| fail(error.into_error()))?;
        file.as_file().sync_all().map_err(fail)?;
        file.persist(&path).map_err(|error| fail(error.error))?;
        Ok(())
    }
}

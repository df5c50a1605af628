//! Bytes on their way into a file: kept in a temporary file until their section's turn comes.

use std::fs::File;
use std::io::{BufWriter, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};

use morelet_mapped::Writer;

use crate::error::{Error, Result};

const CANNOT_WRITE: &str = "cannot be written";

/// Bytes that are collected in a file of their own.
pub(crate) struct Spool {
    file: BufWriter<File>,
    len: u64,
    path: PathBuf,
}

impl Spool {
    /// Begins an empty one at `path`, in place of what was there.
    pub fn create(path: impl Into<PathBuf>) -> Result<Spool> {
        Spool::open(path.into(), 0)
    }

    /// Opens the one at `path`, of which the first `len` bytes are kept.
    pub fn reopen(path: impl Into<PathBuf>, len: u64) -> Result<Spool> {
        let path = path.into();
        if len == 0 {
            return Spool::open(path, 0);
        }
        let found = std::fs::metadata(&path)
            .map_err(|error| Error::io("cannot be opened", &path, error))?
            .len();
        if found < len {
            return Err(Error::input(format_args!(
                "{}: expected at least {len} bytes, got {found}: it was changed since it was written",
                path.display()
            )));
        }
        Spool::open(path, len)
    }

    fn open(path: PathBuf, len: u64) -> Result<Spool> {
        let file = File::options()
            .read(true)
            .write(true)
            .create(true)
            .truncate(false)
            .open(&path)
            .and_then(|mut file| {
                file.set_len(len)?;
                file.seek(SeekFrom::Start(len))?;
                Ok(file)
            })
            .map_err(|error| Error::io("cannot be opened", &path, error))?;
        Ok(Spool {
            file: BufWriter::with_capacity(1 << 16, file),
            len,
            path,
        })
    }

    /// Forgets all bytes.
    pub fn clear(&mut self) -> Result<()> {
        self.flush()?;
        let file = self.file.get_mut();
        file.set_len(0)
            .and_then(|()| file.seek(SeekFrom::Start(0)))
            .map_err(|error| Error::io(CANNOT_WRITE, &self.path, error))?;
        self.len = 0;
        Ok(())
    }

    /// Where the bytes are.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Adds `bytes`.
    pub fn put(&mut self, bytes: &[u8]) -> Result<()> {
        self.file
            .write_all(bytes)
            .map_err(|error| Error::io(CANNOT_WRITE, &self.path, error))?;
        self.len += bytes.len() as u64;
        Ok(())
    }

    /// The bytes so far.
    pub fn len(&self) -> u64 {
        self.len
    }

    /// Gives the bytes so far to the operating system, so that they can be read.
    pub fn flush(&mut self) -> Result<()> {
        self.file
            .flush()
            .map_err(|error| Error::io(CANNOT_WRITE, &self.path, error))
    }

    /// Makes the bytes so far outlast a failure of power.
    pub fn sync(&mut self) -> Result<()> {
        self.flush()?;
        self.file
            .get_ref()
            .sync_data()
            .map_err(|error| Error::io(CANNOT_WRITE, &self.path, error))
    }

    /// Reads from the place `at` on, into all of `bytes`. What was put since the last [`Spool::flush`] is not there yet.
    pub fn read_at(&self, at: u64, bytes: &mut [u8]) -> Result<()> {
        read_exact_at(self.file.get_ref(), at, bytes)
            .map_err(|error| Error::io("cannot be read", &self.path, error))
    }

    /// Copies the bytes into a bulk section of their own.
    pub fn into_section(mut self, writer: &mut Writer, name: &str, revision: u32) -> Result<()> {
        self.flush()?;
        let mut section = writer.section(name, revision, true)?;
        let mut buffer = vec![0; 1 << 16];
        let mut at = 0;
        while at < self.len {
            let step = (self.len - at).min(buffer.len() as u64) as usize;
            self.read_at(at, &mut buffer[..step])?;
            section.put(&buffer[..step])?;
            at += step as u64;
        }
        Ok(section.finish()?)
    }
}

impl Write for Spool {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        let written = self.file.write(bytes)?;
        self.len += written as u64;
        Ok(written)
    }

    fn flush(&mut self) -> std::io::Result<()> {
        self.file.flush()
    }
}

#[cfg(unix)]
fn read_exact_at(file: &File, at: u64, bytes: &mut [u8]) -> std::io::Result<()> {
    std::os::unix::fs::FileExt::read_exact_at(file, bytes, at)
}

/// Moves the file's own position, which only writing depends on, and that is over.
#[cfg(not(unix))]
fn read_exact_at(mut file: &File, at: u64, bytes: &mut [u8]) -> std::io::Result<()> {
    use std::io::Read;
    file.seek(SeekFrom::Start(at))?;
    file.read_exact(bytes)
}

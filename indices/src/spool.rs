//! Bytes on their way into a file: kept in a temporary file until their section's turn comes.

use std::fs::File;
use std::io::{BufWriter, Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};

use morelet_mapped::Writer;

use crate::error::{Error, Result};

/// Bytes that are collected in a file without a name, which is gone when it is dropped or the process ends.
pub(crate) struct Spool {
    file: BufWriter<File>,
    len: u64,
    /// The file that the bytes will be part of; this one lies beside it.
    target: PathBuf,
}

impl Spool {
    /// Begins an empty one beside `target`.
    pub fn beside(target: &Path) -> Result<Spool> {
        let folder = match target.parent() {
            Some(folder) if !folder.as_os_str().is_empty() => folder,
            _ => Path::new("."),
        };
        let file = tempfile::tempfile_in(folder).map_err(|error| {
            Error::io("a temporary file beside it cannot be made", target, error)
        })?;
        Ok(Spool {
            file: BufWriter::with_capacity(1 << 16, file),
            len: 0,
            target: target.to_owned(),
        })
    }

    /// Adds `bytes`.
    pub fn put(&mut self, bytes: &[u8]) -> Result<()> {
        self.len += bytes.len() as u64;
        self.file.write_all(bytes).map_err(|error| {
            Error::io(
                "the temporary file beside it cannot be written",
                &self.target,
                error,
            )
        })
    }

    /// The bytes so far.
    pub fn len(&self) -> u64 {
        self.len
    }

    /// Reads from the place `at` on, into all of `bytes`.
    pub fn read_at(&mut self, at: u64, bytes: &mut [u8]) -> Result<()> {
        // Seeking writes out what is buffered.
        self.file
            .seek(SeekFrom::Start(at))
            .and_then(|_| self.file.get_mut().read_exact(bytes))
            .map_err(|error| {
                Error::io(
                    "the temporary file beside it cannot be read",
                    &self.target,
                    error,
                )
            })
    }

    /// Copies the bytes into a bulk section of their own.
    pub fn into_section(mut self, writer: &mut Writer, name: &str, revision: u32) -> Result<()> {
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

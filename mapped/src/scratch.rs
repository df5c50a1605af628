//! Scratch files: what is too large for memory while something is built.

use std::fs::File;
use std::io::{BufWriter, Write};
use std::marker::PhantomData;
use std::ops::Deref;
use std::path::{Path, PathBuf};

use memmap2::{Mmap, MmapOptions};

use crate::bytes::Plain;
use crate::error::{Error, Result};

const CANNOT_WRITE: &str = "a scratch file here cannot be written";

/// A file without a name, written from front to back and then mapped. It is gone when it is dropped, or when the
/// process ends however it ends.
///
/// What is mapped this way can be larger than the memory: pages that are not needed go back to the disk. Since
/// everything is written before anything is mapped, a full disk is an error of [`Scratch::put`] or [`Scratch::map`] and, on file
/// systems that set room aside when they are written to, no signal.
#[derive(Debug)]
pub struct Scratch {
    file: BufWriter<File>,
    len: u64,
    folder: PathBuf,
}

impl Scratch {
    /// An empty file on the disk of `folder`.
    pub fn create_in(folder: impl AsRef<Path>) -> Result<Scratch> {
        let folder = folder.as_ref().to_owned();
        let file = tempfile::tempfile_in(&folder)
            .map_err(|error| Error::io("no scratch file can be made here", &folder, error))?;
        Ok(Scratch {
            file: BufWriter::with_capacity(1 << 18, file),
            len: 0,
            folder,
        })
    }

    /// Appends bytes.
    pub fn put(&mut self, bytes: &[u8]) -> Result<()> {
        self.file
            .write_all(bytes)
            .map_err(|error| Error::io(CANNOT_WRITE, &self.folder, error))?;
        self.len += bytes.len() as u64;
        Ok(())
    }

    /// The bytes written so far.
    pub fn len(&self) -> u64 {
        self.len
    }

    /// Whether nothing was written.
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// Ends writing and maps what was written, as numbers of type `T`. Bytes behind the last whole number are not seen.
    pub fn map<T: Plain>(self) -> Result<ScratchMap<T>> {
        let folder = self.folder;
        let file = self
            .file
            .into_inner()
            .map_err(|error| Error::io(CANNOT_WRITE, &folder, error.into_error()))?;
        let fail = |error| Error::io("a scratch file here cannot be mapped", &folder, error);
        let size = usize::try_from(self.len).map_err(|error| fail(std::io::Error::other(error)))?;
        let map = if size == 0 {
            None
        } else {
            // SAFETY: nobody else can reach the file, which has no name, and this was its only handle: it is neither
            // written nor cut while it is mapped.
            Some(unsafe { MmapOptions::new().len(size).map(&file) }.map_err(fail)?)
        };
        Ok(ScratchMap {
            map,
            of: PhantomData,
        })
    }
}

/// A scratch file, mapped.
#[derive(Debug)]
pub struct ScratchMap<T> {
    /// `None` where there is nothing.
    map: Option<Mmap>,
    of: PhantomData<T>,
}

impl<T: Plain> Deref for ScratchMap<T> {
    type Target = [T];

    fn deref(&self) -> &[T] {
        let Some(map) = &self.map else {
            return &[];
        };
        // SAFETY: a map begins at a page, so it is aligned for any number; the numbers counted lie inside it; `T` is
        // `Plain`, so any bytes are one; and nobody writes to the file (see `Scratch::map`).
        unsafe { std::slice::from_raw_parts(map.as_ptr().cast(), map.len() / size_of::<T>()) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn gives_back_what_was_put() {
        let folder = tempfile::tempdir().unwrap();
        let mut scratch = Scratch::create_in(folder.path()).unwrap();
        assert!(scratch.is_empty());
        let numbers: Vec<u32> = (0..100_000)
            .map(|i: u32| i.wrapping_mul(2_654_435_761))
            .collect();
        for number in &numbers {
            scratch.put(&number.to_le_bytes()).unwrap();
        }
        scratch.put(&[7]).unwrap();
        assert_eq!(scratch.len(), 400_001);
        let map = scratch.map::<u32>().unwrap();
        assert_eq!(map.len(), 100_000);
        assert!(
            map.iter()
                .zip(&numbers)
                .all(|(got, &put)| u32::from_le(*got) == put)
        );
        assert!(
            Scratch::create_in(folder.path())
                .unwrap()
                .map::<f32>()
                .unwrap()
                .is_empty()
        );
        assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 0);
    }

    #[test]
    fn a_folder_that_is_not_there_is_an_error() {
        let folder = tempfile::tempdir().unwrap();
        let error = Scratch::create_in(folder.path().join("none")).unwrap_err();
        assert!(error.to_string().contains("none"), "{error}");
    }
}

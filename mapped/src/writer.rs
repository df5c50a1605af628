//! Writing a file: streamed through a temporary file beside the target, so that the old one stays until the new
//! one is whole.

use std::io::{self, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};

use tempfile::NamedTempFile;

use crate::atomic;
use crate::error::{Error, ErrorKind, Result};
use crate::hash::{Hash, Hasher};
use crate::header::{self, FIRST_SECTION, Kind};
use crate::table::{self, MAX_SECTIONS, Section};

/// Bytes collected before they are hashed and written: enough for BLAKE3's wide instructions and large writes.
const BUFFER_BYTES: usize = 1 << 18;

/// Writes one part file.
///
/// Everything goes to a temporary file beside the target, which [`Writer::finish`] renames into place. A writer that
/// is dropped before that, or that fails, leaves the target as it was and nothing beside it. Memory: a buffer of
/// 256 KiB, whatever the sections' sizes.
///
/// ```
/// # let folder = tempfile::tempdir()?;
/// # let path = folder.path().join("tiny.weights");
/// use std::io::Write;
/// use morelet_mapped::{Kind, Writer};
///
/// let mut writer = Writer::create(&path, Kind::Weights)?;
/// let mut data = writer.section("data", 1, true)?;
/// data.write_all(&1.5f32.to_le_bytes())?;
/// data.finish()?;
/// let root = writer.finish()?;
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug)]
pub struct Writer {
    path: PathBuf,
    kind: Kind,
    file: NamedTempFile,
    /// Bytes that were taken and are neither hashed nor written yet.
    buffer: Vec<u8>,
    /// Over the section that is open.
    hasher: Hasher,
    /// The number of bytes taken so far.
    position: u64,
    sections: Vec<Section>,
    open: Option<Open>,
    /// A write failed: what lies in the temporary file is not what was asked for, and never will be.
    failed: bool,
}

/// The section that was begun and not finished.
#[derive(Debug)]
struct Open {
    name: String,
    revision: u32,
    bulk: bool,
    start: u64,
}

impl Writer {
    /// Begins a file at `path`, in a temporary file beside it.
    pub fn create(path: impl AsRef<Path>, kind: Kind) -> Result<Writer> {
        Writer::begin(path.as_ref(), kind, None)
    }

    /// Begins a file at `path`, in a temporary file in `folder`, which must be on the same file system.
    pub fn create_in(
        folder: impl AsRef<Path>,
        path: impl AsRef<Path>,
        kind: Kind,
    ) -> Result<Writer> {
        Writer::begin(path.as_ref(), kind, Some(folder.as_ref()))
    }

    fn begin(path: &Path, kind: Kind, folder: Option<&Path>) -> Result<Writer> {
        let mut writer = Writer {
            path: path.to_owned(),
            kind,
            file: atomic::temporary_for(path, folder)?,
            buffer: Vec::with_capacity(BUFFER_BYTES),
            hasher: Hasher::new(),
            position: 0,
            sections: Vec::new(),
            open: None,
            failed: false,
        };
        writer.pad_to(FIRST_SECTION)?;
        Ok(writer)
    }

    /// Begins a section, after the one before was finished. A reader checks the hash of a `bulk` section only when
    /// asked to, so what is not bulk should be small.
    pub fn section(&mut self, name: &str, revision: u32, bulk: bool) -> Result<SectionWriter<'_>> {
        table::check_name(name).map_err(|error| error.at(&self.path))?;
        let refuse = |message: &str| Err(self.misuse(name, message));
        if self.open.is_some() {
            return refuse("the section before this one was not finished");
        }
        if self.sections.iter().any(|section| section.name == name) {
            return refuse("the file already has a section of this name");
        }
        if self.sections.len() == MAX_SECTIONS {
            return refuse("the file has as many sections as it can hold");
        }
        let Some(start) = table::aligned(self.position) else {
            return refuse("the file is as long as a file can be");
        };
        self.pad_to(start)?;
        self.flush()?;
        self.hasher = Hasher::new();
        self.open = Some(Open {
            name: name.to_owned(),
            revision,
            bulk,
            start,
        });
        Ok(SectionWriter {
            writer: self,
            start,
        })
    }

    /// Goes on with a section that was suspended.
    pub fn resume(&mut self, section: &Suspended) -> Result<SectionWriter<'_>> {
        match &self.open {
            Some(open) if open.name == section.name && open.start == section.start => {
                Ok(SectionWriter {
                    writer: self,
                    start: section.start,
                })
            }
            _ => Err(self.misuse(&section.name, "the section is not the one that is open")),
        }
    }

    /// Writes table and header, syncs, and renames the file into place. Gives the file's root hash.
    pub fn finish(mut self) -> Result<Hash> {
        if let Some(open) = &self.open {
            return Err(self.misuse(&open.name, "the section was begun and not finished"));
        }
        self.flush()?;
        let table = table::encode(&self.sections).map_err(|error| error.at(&self.path))?;
        let (header, root) = header::encode(self.kind, self.position, &table);
        let fail = |error| Error::io(CANNOT_WRITE, &self.path, error);
        let file = self.file.as_file_mut();
        file.seek(SeekFrom::Start(0)).map_err(fail)?;
        file.write_all(&header).map_err(fail)?;
        file.write_all(&table).map_err(fail)?;
        atomic::persist(self.file, &self.path)?;
        Ok(root)
    }

    fn put(&mut self, bytes: &[u8]) -> Result<()> {
        if self.buffer.len() + bytes.len() > BUFFER_BYTES {
            self.flush()?;
        }
        if bytes.len() >= BUFFER_BYTES {
            self.write_out(bytes)?;
        } else {
            self.buffer.extend_from_slice(bytes);
        }
        self.position += bytes.len() as u64;
        Ok(())
    }

    fn flush(&mut self) -> Result<()> {
        let mut buffer = std::mem::take(&mut self.buffer);
        let written = self.write_out(&buffer);
        buffer.clear();
        self.buffer = buffer;
        written
    }

    fn write_out(&mut self, bytes: &[u8]) -> Result<()> {
        if self.failed {
            return Err(Error::new(ErrorKind::Io, CANNOT_WRITE)
                .at(&self.path)
                .finding("a write that failed before this one"));
        }
        self.hasher.update(bytes);
        self.file.as_file_mut().write_all(bytes).map_err(|error| {
            self.failed = true;
            Error::io(CANNOT_WRITE, &self.path, error)
        })
    }

    fn pad_to(&mut self, position: u64) -> Result<()> {
        const ZEROS: [u8; 4096] = [0; 4096];
        while self.position < position {
            let step = (position - self.position).min(ZEROS.len() as u64) as usize;
            self.put(&ZEROS[..step])?;
        }
        Ok(())
    }

    fn misuse(&self, section: &str, message: &str) -> Error {
        Error::new(ErrorKind::Invalid, message)
            .at(&self.path)
            .in_section(section)
    }
}

const CANNOT_WRITE: &str = "cannot be written";

/// Writes one section of a file. It must be finished: a section that is merely dropped spoils the file.
#[derive(Debug)]
#[must_use = "a section that is not finished spoils the file"]
pub struct SectionWriter<'a> {
    writer: &'a mut Writer,
    start: u64,
}

impl SectionWriter<'_> {
    /// The number of bytes written to this section so far.
    pub fn position(&self) -> u64 {
        self.writer.position - self.start
    }

    /// Writes all of `bytes`.
    pub fn put(&mut self, bytes: &[u8]) -> Result<()> {
        self.writer.put(bytes)
    }

    /// Writes zeros until the position is a multiple of `to`, a power of two up to 4096. What is aligned in its
    /// section is aligned in memory.
    pub fn align(&mut self, to: u64) -> Result<()> {
        if !to.is_power_of_two() || to > table::ALIGNMENT {
            return Err(Error::new(ErrorKind::Invalid, "not an alignment")
                .at(&self.writer.path)
                .expecting(format_args!("a power of two up to {}", table::ALIGNMENT))
                .finding(to));
        }
        self.writer
            .pad_to(self.writer.position.next_multiple_of(to))
    }

    /// Lets go of the writer without ending the section, so that both can be kept in one struct; [`Writer::resume`]
    /// goes on.
    pub fn suspend(self) -> Suspended {
        let name = self
            .writer
            .open
            .as_ref()
            .map_or_else(String::new, |open| open.name.clone());
        Suspended {
            name,
            start: self.start,
        }
    }

    /// Ends the section.
    pub fn finish(self) -> Result<()> {
        let writer = self.writer;
        writer.flush()?;
        if let Some(Open {
            name,
            revision,
            bulk,
            start,
        }) = writer.open.take()
        {
            let len = writer.position - start;
            let hash = writer.hasher.finish();
            writer.sections.push(Section {
                name,
                revision,
                bulk,
                offset: start,
                len,
                hash,
            });
        }
        Ok(())
    }
}

impl Write for SectionWriter<'_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.put(bytes)?;
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(self.writer.flush()?)
    }
}

/// A section that was begun and is neither finished nor being written: see [`SectionWriter::suspend`].
#[derive(Clone, Debug)]
#[must_use = "a section that is not finished spoils the file"]
pub struct Suspended {
    name: String,
    start: u64,
}

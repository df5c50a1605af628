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
pub struct Writer {
    path: PathBuf,
    kind: Kind,
    file: NamedTempFile,
    buffer: Vec<u8>,
    hasher: Hasher,
    /// Bytes given so far, those in the buffer too.
    position: u64,
    sections: Vec<Section>,
    /// The section that was begun and not finished.
    open: Option<String>,
    failed: bool,
}

impl Writer {
    /// Begins a file at `path`, in a temporary file beside it.
    pub fn create(path: impl AsRef<Path>, kind: Kind) -> Result<Writer> {
        let path = path.as_ref();
        let mut writer = Writer {
            path: path.to_owned(),
            kind,
            file: atomic::temporary_beside(path)?,
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

    /// Begins a section, after the one before was finished.
    pub fn section(&mut self, name: &str, revision: u32, bulk: bool) -> Result<SectionWriter<'_>> {
        table::check_name(name).map_err(|error| error.at(&self.path))?;
        let refuse = |message: &str| {
            Err(Error::new(ErrorKind::Invalid, message)
                .at(&self.path)
                .in_section(name))
        };
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
            return refuse("the file is longer than a file can be");
        };
        self.pad_to(start)?;
        self.flush()?;
        self.hasher = Hasher::new();
        self.open = Some(name.to_owned());
        Ok(SectionWriter {
            start,
            name: name.to_owned(),
            revision,
            bulk,
            writer: self,
        })
    }

    /// Goes on with a section that was suspended.
    pub fn resume(&mut self, section: &Suspended) -> Result<SectionWriter<'_>> {
        let Suspended {
            name,
            revision,
            bulk,
            start,
        } = section.clone();
        if self.open.as_ref() != Some(&name) || start > self.position {
            return Err(Error::new(
                ErrorKind::Invalid,
                "the section is not the one that is open",
            )
            .at(&self.path)
            .in_section(&name));
        }
        Ok(SectionWriter {
            writer: self,
            name,
            revision,
            bulk,
            start,
        })
    }

    /// Writes table and header, syncs, and renames the file into place. Gives the file's root hash.
    pub fn finish(mut self) -> Result<Hash> {
        if let Some(name) = &self.open {
            return Err(
                Error::new(ErrorKind::Invalid, "the section was begun and not finished")
                    .at(&self.path)
                    .in_section(name),
            );
        }
        self.flush()?;
        let table = table::encode(&self.sections).map_err(|error| error.at(&self.path))?;
        let (header, root) = header::encode(self.kind, self.position, &table);
        let fail = |error| Error::io("cannot be written", &self.path, error);
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
            return Err(
                Error::new(ErrorKind::Io, "cannot be written: an earlier write failed")
                    .at(&self.path),
            );
        }
        self.hasher.update(bytes);
        self.file.as_file_mut().write_all(bytes).map_err(|error| {
            self.failed = true;
            Error::io("cannot be written", &self.path, error)
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
}

/// Writes one section of a file. It must be finished: a section that is dropped spoils the file.
pub struct SectionWriter<'a> {
    writer: &'a mut Writer,
    name: String,
    revision: u32,
    bulk: bool,
    start: u64,
}

impl SectionWriter<'_> {
    /// The bytes written to this section so far.
    pub fn position(&self) -> u64 {
        self.writer.position - self.start
    }

    /// Writes all of `bytes`.
    pub fn put(&mut self, bytes: &[u8]) -> Result<()> {
        self.writer.put(bytes)
    }

    /// Writes zeros until the position is a multiple of `to`, a power of two up to 4096.
    pub fn align(&mut self, to: u64) -> Result<()> {
        if !to.is_power_of_two() || to > table::ALIGNMENT {
            return Err(Error::new(ErrorKind::Invalid, "not an alignment")
                .at(&self.writer.path)
                .in_section(&self.name)
                .expected("a power of two up to 4096")
                .got(to));
        }
        self.writer
            .pad_to(self.writer.position.next_multiple_of(to))
    }

    /// Lets go of the writer without ending the section, so that both can be kept in one struct;
    /// [`Writer::resume`] goes on.
    pub fn suspend(self) -> Suspended {
        let SectionWriter {
            name,
            revision,
            bulk,
            start,
            ..
        } = self;
        Suspended {
            name,
            revision,
            bulk,
            start,
        }
    }

    /// Ends the section.
    pub fn finish(self) -> Result<()> {
        self.writer.flush()?;
        let len = self.position();
        let hash = self.writer.hasher.finish();
        let SectionWriter {
            writer,
            name,
            revision,
            bulk,
            start,
        } = self;
        writer.sections.push(Section {
            name,
            revision,
            bulk,
            offset: start,
            len,
            hash,
        });
        writer.open = None;
        Ok(())
    }
}

/// A section that was begun and is neither finished nor being written: see [`SectionWriter::suspend`].
#[derive(Clone, Debug)]
#[must_use = "a section that is not finished spoils the file"]
pub struct Suspended {
    name: String,
    revision: u32,
    bulk: bool,
    start: u64,
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

//! The pictures that will be in the index, in order, each with the number of its feature: a file between looking at
//! pictures and building the index, so that the list is read once (it may come through a pipe) and is not held in memory.

use super::ids::{Ids, hash};
use crate::records::ImageRecord;
use crate::{Error, Result};
use std::fs::File;
use std::io::{BufReader, BufWriter, Read, Seek, SeekFrom, Write};
use std::path::PathBuf;

/// Bytes read or written at once.
const BUFFER: usize = 1 << 18;

/// The file, being written.
pub(super) struct Entries {
    file: BufWriter<File>,
    path: PathBuf,
    len: u64,
}

/// A picture and where its feature is.
#[derive(Debug, Default)]
pub(super) struct Entry {
    /// The number of its feature.
    pub feature: u64,
    pub id: String,
    pub title: String,
    pub intro: String,
}

impl Entries {
    /// An empty file.
    pub fn create(path: PathBuf) -> Result<Self> {
        let file = File::options()
            .read(true)
            .write(true)
            .create(true)
            .truncate(true)
            .open(&path)
            .map_err(|error| Error::io(&path, error))?;
        Ok(Self {
            file: BufWriter::with_capacity(BUFFER, file),
            path,
            len: 0,
        })
    }

    /// Appends a picture.
    pub fn push(&mut self, feature: u64, record: ImageRecord) -> Result<()> {
        let id = record.id.into_text();
        let texts = [&id, &record.title, &record.intro];
        let mut write = || -> std::io::Result<()> {
            self.file.write_all(&feature.to_le_bytes())?;
            for text in texts {
                // A line has at most 256 MiB.
                self.file.write_all(&(text.len() as u32).to_le_bytes())?;
                self.file.write_all(text.as_bytes())?;
            }
            Ok(())
        };
        write().map_err(|error| Error::io(&self.path, error))?;
        self.len += 1;
        Ok(())
    }

    /// Ends the writing and reads from the start.
    pub fn reader(self) -> Result<EntryReader> {
        let fail = |error| Error::io(&self.path, error);
        let file = self
            .file
            .into_inner()
            .map_err(|error| fail(error.into_error()))?;
        let mut reader = EntryReader {
            reader: BufReader::with_capacity(BUFFER, file),
            path: self.path.clone(),
            len: self.len,
            left: 0,
        };
        reader.rewind()?;
        Ok(reader)
    }
}

/// The file, being read.
pub(super) struct EntryReader {
    reader: BufReader<File>,
    path: PathBuf,
    len: u64,
    left: u64,
}

impl EntryReader {
    /// How many there are.
    pub fn len(&self) -> u64 {
        self.len
    }

    fn rewind(&mut self) -> Result<()> {
        self.left = self.len;
        let rewound = self.reader.seek(SeekFrom::Start(0));
        rewound
            .map(drop)
            .map_err(|error| Error::io(&self.path, error))
    }

    /// The ids of all, read from the start; what comes next is then the first again.
    pub fn ids(&mut self) -> Result<Ids> {
        self.rewind()?;
        let mut ids = Ids::default();
        while let Some(entry) = self.next_entry()? {
            ids.insert(hash(&entry.id), 0);
        }
        self.rewind()?;
        Ok(ids)
    }

    /// The next one.
    pub fn next_entry(&mut self) -> Result<Option<Entry>> {
        if self.left == 0 {
            return Ok(None);
        }
        self.left -= 1;
        let entry = self.read().map_err(|error| Error::io(&self.path, error))?;
        Ok(Some(entry))
    }

    fn read(&mut self) -> std::io::Result<Entry> {
        let mut feature = [0; 8];
        self.reader.read_exact(&mut feature)?;
        Ok(Entry {
            feature: u64::from_le_bytes(feature),
            id: self.text()?,
            title: self.text()?,
            intro: self.text()?,
        })
    }

    fn text(&mut self) -> std::io::Result<String> {
        let mut len = [0; 4];
        self.reader.read_exact(&mut len)?;
        let mut text = String::new();
        let len = u64::from(u32::from_le_bytes(len));
        self.reader.by_ref().take(len).read_to_string(&mut text)?;
        Ok(text)
    }
}

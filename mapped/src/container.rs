//! A file that is open for reading: mapped or copied, and checked before anything is handed out.

use std::io::Read;
use std::iter;
use std::ops::RangeInclusive;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use memmap2::Mmap;

use crate::bytes::Bytes;
use crate::error::{Error, ErrorKind, Result};
use crate::hash::{Hash, Hasher};
use crate::header::{self, COPY_AGAIN, FIRST_SECTION, HEADER_BYTES, Kind};
use crate::load::{self, Load};
use crate::table::{self, ALIGNMENT, Section};

/// Which hashes are checked when a file is opened.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Verify {
    /// Those of the header, the table and all sections that are not bulk: milliseconds, whatever the file's size.
    #[default]
    Quick,
    /// All of them: reads the whole file.
    Full,
}

/// How to open a file.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct OpenOptions {
    /// How the bytes come into memory.
    pub load: Load,
    /// Which hashes are checked first.
    pub verify: Verify,
}

/// How many bytes are hashed between two reports of progress.
const PROGRESS_BYTES: usize = 4 << 20;

/// An open part file. Clones share one map.
#[derive(Clone)]
pub struct Container {
    inner: Arc<Inner>,
}

/// What every view into the file keeps alive.
pub(crate) struct Inner {
    pub path: PathBuf,
    pub map: Mmap,
    pub sections: Vec<Section>,
    kind: Kind,
    root: Hash,
}

impl Container {
    /// Opens a file of the given kind and checks it as `options` say.
    pub fn open(path: impl AsRef<Path>, kind: Kind, options: OpenOptions) -> Result<Container> {
        Container::open_checked(path.as_ref(), Some(kind), options)
    }

    /// Opens a file of whatever kind.
    pub fn open_any(path: impl AsRef<Path>, options: OpenOptions) -> Result<Container> {
        Container::open_checked(path.as_ref(), None, options)
    }

    fn open_checked(path: &Path, kind: Option<Kind>, options: OpenOptions) -> Result<Container> {
        let (mut file, actual_len) = load::open_regular(path)?;
        let mut head = Vec::new();
        file.by_ref()
            .take(FIRST_SECTION)
            .read_to_end(&mut head)
            .map_err(|error| Error::io("cannot be read", path, error))?;
        let (header, table) = header::decode(path, &head, actual_len)?;
        if let Some(kind) = kind.filter(|&kind| kind != header.kind) {
            return Err(
                Error::new(ErrorKind::WrongKind, "a Morelet file of another kind")
                    .at(path)
                    .at_offset(16)
                    .expecting(kind)
                    .finding(header.kind)
                    .mend("Check that two files were not exchanged"),
            );
        }
        let sections = table::decode(path, table, header.file_len)?;
        let table_end = (HEADER_BYTES + table.len()) as u64;
        let map = load::load(path, &mut file, &head, header.file_len, options.load)?;
        let inner = Inner {
            path: path.to_owned(),
            map,
            sections,
            kind: header.kind,
            root: header.root,
        };
        inner.check_padding(table_end)?;
        for section in &inner.sections {
            if !section.bulk || options.verify == Verify::Full {
                inner.check_hash(section, &mut |_| {})?;
            }
        }
        Ok(Container {
            inner: Arc::new(inner),
        })
    }

    /// The file's path, as it was given.
    pub fn path(&self) -> &Path {
        &self.inner.path
    }

    /// What the file is.
    pub fn kind(&self) -> Kind {
        self.inner.kind
    }

    /// The file's length in bytes.
    #[allow(clippy::len_without_is_empty)] // A container is never empty: it has a header.
    pub fn len(&self) -> u64 {
        self.inner.map.len() as u64
    }

    /// The BLAKE3 hash over header and section table, which holds each section's hash: it names the file's content.
    pub fn root(&self) -> Hash {
        self.inner.root
    }

    /// The sections in the order in which they lie in the file.
    pub fn sections(&self) -> &[Section] {
        &self.inner.sections
    }

    /// The bytes of a section that must be there, in one of the revisions that the caller reads.
    pub fn section(&self, name: &str, revisions: RangeInclusive<u32>) -> Result<Bytes> {
        self.optional(name, revisions)?.ok_or_else(|| {
            let names: Vec<&str> = self
                .sections()
                .iter()
                .map(|section| section.name.as_str())
                .collect();
            Error::new(ErrorKind::Missing, "the file has no such section")
                .at(self.path())
                .in_section(name)
                .finding(format_args!("only {names:?}"))
                .mend("Convert again with the morelet-convert that came with this program")
        })
    }

    /// The bytes of a section that may be absent.
    pub fn optional(&self, name: &str, revisions: RangeInclusive<u32>) -> Result<Option<Bytes>> {
        let Some(index) = self
            .sections()
            .iter()
            .position(|section| section.name == name)
        else {
            return Ok(None);
        };
        let revision = self.sections()[index].revision;
        if !revisions.contains(&revision) {
            let range = if revisions.start() == revisions.end() {
                revisions.start().to_string()
            } else {
                format!("{} to {}", revisions.start(), revisions.end())
            };
            return Err(Error::new(ErrorKind::Version, "the section's revision is not one that this program reads")
                .at(self.path())
                .in_section(name)
                .expecting(range)
                .finding(revision)
                .mend("Convert again with the morelet-convert that came with this program, or update this program"));
        }
        Ok(Some(Bytes::of_section(self.inner.clone(), index)))
    }

    /// Checks all over again, bulk sections too, and so reads the whole file. `progress` is told the bytes done and the
    /// bytes in all, every 4 MiB.
    pub fn verify(&self, progress: &mut dyn FnMut(u64, u64)) -> Result<()> {
        let inner = &*self.inner;
        let head = inner.bytes(0, FIRST_SECTION);
        let (header, table) = header::decode(&inner.path, head, self.len())?;
        if header.root != inner.root {
            return Err(Error::new(
                ErrorKind::Corrupt,
                "the file was overwritten while it was open",
            )
            .at(&inner.path)
            .at_offset(0)
            .expecting(inner.root)
            .finding(header.root)
            .mend("Replace files by renaming, never in place, and open this one again"));
        }
        inner.check_padding((HEADER_BYTES + table.len()) as u64)?;
        let total = inner.sections.iter().map(|section| section.len).sum();
        let mut done = 0;
        for section in &inner.sections {
            inner.check_hash(section, &mut |bytes| {
                done += bytes;
                progress(done, total);
            })?;
        }
        Ok(())
    }

    /// Reads a byte of every page of a section, so that its first use need not wait for the disk.
    pub fn prefault(&self, name: &str) -> Result<()> {
        let bytes = self.section(name, 0..=u32::MAX)?;
        let sum = bytes
            .iter()
            .step_by(ALIGNMENT as usize)
            .fold(0, |sum: u8, &byte| sum.wrapping_add(byte));
        std::hint::black_box(sum);
        Ok(())
    }
}

impl std::fmt::Debug for Container {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(
            f,
            "Container({}, {}, {} bytes)",
            self.path().display(),
            self.kind(),
            self.len()
        )
    }
}

impl Inner {
    /// The bytes of a range that the table's checks have placed inside the file.
    fn bytes(&self, start: u64, end: u64) -> &[u8] {
        // Both fit a usize, because the whole map does.
        &self.map[start as usize..end as usize]
    }

    /// What lies between table and first section, and between two sections, is zero. The table's checks made each of
    /// these ranges shorter than 8192 bytes, and let the last section end where the file does.
    fn check_padding(&self, table_end: u64) -> Result<()> {
        let starts = iter::once(table_end).chain(self.sections.iter().map(Section::end));
        let next = self
            .sections
            .iter()
            .map(|section| (section.offset, Some(&section.name)));
        for (start, (end, name)) in starts.zip(next.chain([(self.map.len() as u64, None)])) {
            let Some(at) = self.bytes(start, end).iter().position(|&byte| byte != 0) else {
                continue;
            };
            let offset = start + at as u64;
            let error = Error::new(ErrorKind::Corrupt, "padding is not zero")
                .at(&self.path)
                .at_offset(offset)
                .expecting(0)
                .finding(self.bytes(offset, offset + 1)[0])
                .mend(COPY_AGAIN);
            return Err(match name {
                Some(name) => error.in_section(name),
                None => error,
            });
        }
        Ok(())
    }

    fn check_hash(&self, section: &Section, progress: &mut dyn FnMut(u64)) -> Result<()> {
        let mut hasher = Hasher::new();
        for piece in self
            .bytes(section.offset, section.end())
            .chunks(PROGRESS_BYTES)
        {
            hasher.update(piece);
            progress(piece.len() as u64);
        }
        let hash = hasher.finish();
        if hash != section.hash {
            return Err(Error::new(
                ErrorKind::Corrupt,
                "the section's hash does not agree with its bytes",
            )
            .at(&self.path)
            .in_section(&section.name)
            .at_offset(section.offset)
            .expecting(section.hash)
            .finding(hash)
            .mend(COPY_AGAIN));
        }
        Ok(())
    }
}

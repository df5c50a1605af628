//! What can go wrong with a file, told so that a person can mend it.

use std::fmt;
use std::io;
use std::path::{Path, PathBuf};

/// A result whose error is [`Error`].
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// What went wrong, for a program to act on. The words for a person are the error's `Display`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum ErrorKind {
    /// The operating system refused: no such file, no permission, no space left.
    Io,
    /// The file is something else (a checkpoint, a web page, a Git-LFS pointer, a folder), which the message names.
    NotThisFormat,
    /// The file is one of ours, but of another [`Kind`](crate::Kind) than the one asked for.
    WrongKind,
    /// The file is one of ours and ends before it should.
    Truncated,
    /// The file, or one of its sections, was written in a version that this build does not read.
    Version,
    /// The file was written for machines of the other byte order.
    ByteOrder,
    /// The bytes contradict each other or their hash.
    Corrupt,
    /// The file is sound but has no section of that name.
    Missing,
    /// The caller asked for something that cannot be: a name used twice, a range past the end.
    Invalid,
}

/// Why a file could not be opened, read or written.
///
/// Opaque: a program asks [`Error::kind`] and the accessors, a person reads the `Display`, which names file,
/// section and offset, what was expected, what was found, and how to mend it.
#[derive(Debug, thiserror::Error)]
#[error(transparent)]
pub struct Error(Box<Report>);

#[derive(Debug)]
struct Report {
    kind: ErrorKind,
    message: String,
    path: Option<PathBuf>,
    section: Option<String>,
    offset: Option<u64>,
    expected: Option<String>,
    got: Option<String>,
    mend: Option<String>,
    source: Option<io::Error>,
}

impl Error {
    pub(crate) fn new(kind: ErrorKind, message: impl Into<String>) -> Error {
        Error(Box::new(Report {
            kind,
            message: message.into(),
            path: None,
            section: None,
            offset: None,
            expected: None,
            got: None,
            mend: None,
            source: None,
        }))
    }

    /// The operating system's refusal of `doing` something with `path`.
    pub(crate) fn io(doing: &str, path: &Path, source: io::Error) -> Error {
        let mut error = Error::new(ErrorKind::Io, doing).at(path);
        error.0.mend = match source.kind() {
            io::ErrorKind::NotFound => Some("Check the path".to_owned()),
            io::ErrorKind::PermissionDenied => {
                Some("Check the permissions of the file and its folder".to_owned())
            }
            io::ErrorKind::StorageFull
            | io::ErrorKind::QuotaExceeded
            | io::ErrorKind::FileTooLarge => Some("Make room there, or write elsewhere".to_owned()),
            _ => None,
        };
        error.0.source = Some(source);
        error
    }

    pub(crate) fn at(mut self, path: &Path) -> Error {
        self.0.path = Some(path.to_owned());
        self
    }

    pub(crate) fn in_section(mut self, name: &str) -> Error {
        self.0.section = Some(name.to_owned());
        self
    }

    pub(crate) fn at_offset(mut self, offset: u64) -> Error {
        self.0.offset = Some(offset);
        self
    }

    /// Adds what should have been there.
    pub fn expecting(mut self, expected: impl fmt::Display) -> Error {
        self.0.expected = Some(expected.to_string());
        self
    }

    /// Adds what was there.
    pub fn finding(mut self, got: impl fmt::Display) -> Error {
        self.0.got = Some(got.to_string());
        self
    }

    /// Adds what the person can do about it: a sentence without its full stop.
    pub fn mend(mut self, mend: impl Into<String>) -> Error {
        self.0.mend = Some(mend.into());
        self
    }

    /// What went wrong, for a program to act on.
    pub fn kind(&self) -> ErrorKind {
        self.0.kind
    }

    /// The file, where the error is about one.
    pub fn path(&self) -> Option<&Path> {
        self.0.path.as_deref()
    }

    /// The section, where the error is about one.
    pub fn section(&self) -> Option<&str> {
        self.0.section.as_deref()
    }

    /// The place in bytes from the start of the file, where the error is about one.
    pub fn offset(&self) -> Option<u64> {
        self.0.offset
    }

    /// What should have been there.
    pub fn expected(&self) -> Option<&str> {
        self.0.expected.as_deref()
    }

    /// What was there.
    pub fn got(&self) -> Option<&str> {
        self.0.got.as_deref()
    }

    /// The operating system's error, where there was one.
    pub fn io_error(&self) -> Option<&io::Error> {
        self.0.source.as_ref()
    }
}

impl std::error::Error for Report {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        self.source.as_ref().map(|source| source as _)
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(path) = &self.path {
            write!(f, "{}: ", path.display())?;
        }
        if let Some(section) = &self.section {
            write!(f, "section `{section}`: ")?;
        }
        if let Some(offset) = self.offset {
            write!(f, "at byte {offset}: ")?;
        }
        f.write_str(&self.message)?;
        if let Some(source) = &self.source {
            write!(f, ": {source}")?;
        }
        match (&self.expected, &self.got) {
            (Some(expected), Some(got)) => write!(f, ": expected {expected}, got {got}")?,
            (Some(expected), None) => write!(f, ": expected {expected}")?,
            (None, Some(got)) => write!(f, ": got {got}")?,
            (None, None) => {}
        }
        match &self.mend {
            Some(mend) => write!(f, ". {mend}."),
            None => Ok(()),
        }
    }
}

impl From<Error> for io::Error {
    /// Keeps the operating system's kind, so that `io::Write` callers can still tell a full disk.
    fn from(error: Error) -> io::Error {
        let kind = match &error.0.source {
            Some(source) => source.kind(),
            None if error.kind() == ErrorKind::Invalid => io::ErrorKind::InvalidInput,
            None => io::ErrorKind::InvalidData,
        };
        io::Error::new(kind, error)
    }
}

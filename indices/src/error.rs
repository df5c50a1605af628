//! What can go wrong with an index.

use std::fmt;
use std::path::Path;

/// A result whose error is [`Error`].
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// What went wrong, for a program to act on. The words for a person are the error's `Display`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum ErrorKind {
    /// An index file could not be opened, read or written: the kind that `morelet-mapped` gave it.
    File(morelet_mapped::ErrorKind),
    /// The operating system refused something with a temporary file.
    Io,
    /// What the caller gave cannot be indexed or searched: an option out of range, a vector of another length.
    Input,
    /// The corpus is larger than the file format can number.
    TooLarge,
    /// An index was begun that cannot be gone on with: it was begun otherwise, or is damaged.
    Unfinished,
    /// Another process is at work on the same index.
    Busy,
    /// The caller ended the work.
    Stopped,
}

/// Why an index could not be built, opened or searched.
///
/// Opaque: a program asks [`Error::kind`], a person reads the `Display`, which names file, section and offset
/// where there is one.
#[derive(Debug, thiserror::Error)]
#[error(transparent)]
pub struct Error(Box<Report>);

#[derive(Debug, thiserror::Error)]
enum Report {
    #[error(transparent)]
    File(morelet_mapped::Error),
    #[cfg(feature = "build")]
    #[error("{}: {doing}: {source}", path.display())]
    Io {
        doing: &'static str,
        path: std::path::PathBuf,
        source: std::io::Error,
    },
    #[error("{message}")]
    Plain { kind: ErrorKind, message: String },
}

impl Error {
    /// The caller's fault.
    pub(crate) fn input(message: impl fmt::Display) -> Error {
        Error(Box::new(Report::Plain {
            kind: ErrorKind::Input,
            message: message.to_string(),
        }))
    }

    /// More of something than the file format can number.
    pub(crate) fn too_large(message: impl fmt::Display) -> Error {
        Error(Box::new(Report::Plain {
            kind: ErrorKind::TooLarge,
            message: message.to_string(),
        }))
    }

    /// Something begun that cannot be gone on with.
    #[cfg(feature = "build")]
    pub(crate) fn unfinished(message: impl fmt::Display) -> Error {
        Error(Box::new(Report::Plain {
            kind: ErrorKind::Unfinished,
            message: message.to_string(),
        }))
    }

    /// Another process's work.
    #[cfg(feature = "build")]
    pub(crate) fn busy(message: impl fmt::Display) -> Error {
        Error(Box::new(Report::Plain {
            kind: ErrorKind::Busy,
            message: message.to_string(),
        }))
    }

    /// The caller's wish to end.
    #[cfg(feature = "build")]
    pub(crate) fn stopped() -> Error {
        Error(Box::new(Report::Plain {
            kind: ErrorKind::Stopped,
            message: "stopped by the caller".to_owned(),
        }))
    }

    /// The operating system's refusal of `doing` something with a file at or beside `path`.
    #[cfg(feature = "build")]
    pub(crate) fn io(doing: &'static str, path: &Path, source: std::io::Error) -> Error {
        Error(Box::new(Report::Io {
            doing,
            path: path.to_owned(),
            source,
        }))
    }

    /// What went wrong, for a program to act on.
    pub fn kind(&self) -> ErrorKind {
        match &*self.0 {
            Report::File(error) => ErrorKind::File(error.kind()),
            #[cfg(feature = "build")]
            Report::Io { .. } => ErrorKind::Io,
            Report::Plain { kind, .. } => *kind,
        }
    }

    /// The file, where the error is about one.
    pub fn path(&self) -> Option<&Path> {
        match &*self.0 {
            Report::File(error) => error.path(),
            #[cfg(feature = "build")]
            Report::Io { path, .. } => Some(path),
            Report::Plain { .. } => None,
        }
    }

    /// The section, where the error is about one.
    pub fn section(&self) -> Option<&str> {
        match &*self.0 {
            Report::File(error) => error.section(),
            _ => None,
        }
    }

    /// The place in bytes from the start of the file, where the error is about one.
    pub fn offset(&self) -> Option<u64> {
        match &*self.0 {
            Report::File(error) => error.offset(),
            _ => None,
        }
    }
}

impl From<morelet_mapped::Error> for Error {
    fn from(error: morelet_mapped::Error) -> Error {
        Error(Box::new(Report::File(error)))
    }
}

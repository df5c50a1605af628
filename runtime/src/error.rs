//! The one error of this crate.

use std::error::Error as StdError;
use std::io;
use std::path::{Path, PathBuf};

/// A result with this crate's [`Error`].
pub type Result<T> = std::result::Result<T, Error>;

/// What went wrong, as far as a program needs to tell apart.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum ErrorKind {
    /// A query, or a line of an input file, is not as it should be.
    Input,
    /// A bundle or one of its parts is damaged, of another kind, or does not belong to the others.
    Bundle,
    /// The operating system refused to read or write.
    Io,
    /// The device that was asked for cannot serve.
    Device,
    /// What was asked for cannot be done with this bundle or this build.
    Unsupported,
    /// A [`Cancel`](crate::Cancel) handle stopped the run.
    Cancelled,
    /// A defect of this library; please report it.
    Internal,
}

/// A failure: what kind, which file and line where there is one, and how to mend it.
#[derive(Debug, thiserror::Error)]
#[error("{}{message}", self.place())]
pub struct Error {
    kind: ErrorKind,
    message: String,
    path: Option<PathBuf>,
    line: Option<u64>,
    source: Option<Box<dyn StdError + Send + Sync>>,
}

impl Error {
    /// An error with a message and no place.
    pub(crate) fn new(kind: ErrorKind, message: impl Into<String>) -> Self {
        Self {
            kind,
            message: message.into(),
            path: None,
            line: None,
            source: None,
        }
    }

    pub(crate) fn input(message: impl Into<String>) -> Self {
        Self::new(ErrorKind::Input, message)
    }

    pub(crate) fn bundle(message: impl Into<String>) -> Self {
        Self::new(ErrorKind::Bundle, message)
    }

    pub(crate) fn unsupported(message: impl Into<String>) -> Self {
        Self::new(ErrorKind::Unsupported, message)
    }

    pub(crate) fn cancelled() -> Self {
        Self::new(ErrorKind::Cancelled, "cancelled")
    }

    /// What the operating system refused, at a file.
    pub(crate) fn io(path: impl AsRef<Path>, error: io::Error) -> Self {
        Self::from(error).at(path)
    }

    /// The same error, naming its file unless it names one already.
    pub(crate) fn at(mut self, path: impl AsRef<Path>) -> Self {
        self.path.get_or_insert_with(|| path.as_ref().to_owned());
        self
    }

    /// The same error, naming its line unless it names one already.
    pub(crate) fn on_line(mut self, line: u64) -> Self {
        self.line.get_or_insert(line);
        self
    }

    /// The same error, told as one of the line that a query was read from.
    pub(crate) fn of_query(self, query: &crate::Query) -> Self {
        match &query.origin {
            Some(origin) => self.of_line(origin),
            None => self,
        }
    }

    /// The same error, told as one of a line; a file that it names already is named in its text.
    pub(crate) fn of_line(mut self, origin: &crate::query::Origin) -> Self {
        if let Some(path) = self.path.replace(origin.path.to_path_buf())
            && path != *origin.path
        {
            self.message = format!("{}: {}", path.display(), self.message);
        }
        self.line = Some(origin.line);
        self
    }

    /// An error of something below, whose text already says everything.
    pub(crate) fn from_below(
        kind: ErrorKind,
        error: impl Into<Box<dyn StdError + Send + Sync>>,
    ) -> Self {
        let source = error.into();
        Self {
            source: Some(source),
            ..Self::new(kind, "")
        }
        .worded()
    }

    fn worded(mut self) -> Self {
        if let Some(source) = &self.source {
            self.message = source.to_string();
        }
        self
    }

    fn place(&self) -> String {
        match (&self.path, self.line) {
            (Some(path), Some(line)) => format!("{}:{line}: ", path.display()),
            (Some(path), None) => format!("{}: ", path.display()),
            (None, Some(line)) => format!("line {line}: "),
            (None, None) => String::new(),
        }
    }

    /// What went wrong.
    pub fn kind(&self) -> ErrorKind {
        self.kind
    }

    /// The file that is to blame, where this crate knows it. An error of a part file names it in its
    /// text.
    pub fn path(&self) -> Option<&Path> {
        self.path.as_deref()
    }

    /// The line in [`path`](Self::path), from 1.
    pub fn line(&self) -> Option<u64> {
        self.line
    }

    /// How a program that fails with this error exits, by the convention of our command lines: 1 the
    /// input or a file is bad, 3 the device cannot serve, 130 interrupted.
    pub fn exit_code(&self) -> u8 {
        match self.kind {
            ErrorKind::Device => 3,
            ErrorKind::Cancelled => 130,
            _ => 1,
        }
    }
}

impl From<io::Error> for Error {
    fn from(error: io::Error) -> Self {
        Self::from_below(ErrorKind::Io, error)
    }
}

impl From<morelet_mapped::Error> for Error {
    fn from(error: morelet_mapped::Error) -> Self {
        Self::from_below(of_file(error.kind()), error)
    }
}

impl From<morelet_indices::Error> for Error {
    fn from(error: morelet_indices::Error) -> Self {
        use morelet_indices::ErrorKind as Below;
        let kind = match error.kind() {
            Below::File(kind) => of_file(kind),
            Below::Io => ErrorKind::Io,
            _ => ErrorKind::Input,
        };
        Self::from_below(kind, error)
    }
}

impl From<morelet_models::Error> for Error {
    fn from(error: morelet_models::Error) -> Self {
        use morelet_models::ErrorKind as Below;
        let kind = match error.kind() {
            Below::File => error
                .file_error()
                .map_or(ErrorKind::Bundle, |file| of_file(file.kind())),
            Below::Model | Below::Tokenizer => ErrorKind::Bundle,
            Below::Device => ErrorKind::Device,
            Below::Cancelled => ErrorKind::Cancelled,
            _ => ErrorKind::Input,
        };
        Self::from_below(kind, error)
    }
}

fn of_file(kind: morelet_mapped::ErrorKind) -> ErrorKind {
    match kind {
        morelet_mapped::ErrorKind::Io => ErrorKind::Io,
        _ => ErrorKind::Bundle,
    }
}

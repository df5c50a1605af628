//! The one error of this crate, and the exit code that it becomes.

use std::error::Error as StdError;
use std::io;
use std::path::{Path, PathBuf};

/// A result with this crate's [`Error`].
pub type Result<T> = std::result::Result<T, Error>;

/// What went wrong, as far as a program that calls a command needs to tell apart.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum ErrorKind {
    /// What was given to read, or a file, is bad.
    Input,
    /// The operating system refused to read or write.
    Io,
    /// The arguments contradict each other or ask for what does not exist.
    Usage,
    /// The device that was asked for cannot serve.
    Device,
    /// Ctrl-C, or a termination signal.
    Interrupted,
}

/// A failed command: what kind of failure, which file, and how to mend it.
#[derive(Debug, thiserror::Error)]
#[error("{}{message}", path.as_ref().map(|path| format!("{}: ", path.display())).unwrap_or_default())]
pub struct Error {
    kind: ErrorKind,
    path: Option<PathBuf>,
    message: String,
    source: Option<Box<dyn StdError + Send + Sync>>,
}

impl Error {
    fn new(kind: ErrorKind, message: impl Into<String>) -> Self {
        Self {
            kind,
            path: None,
            message: message.into(),
            source: None,
        }
    }

    /// Something to read is not as it should be.
    pub fn input(message: impl Into<String>) -> Self {
        Self::new(ErrorKind::Input, message)
    }

    /// The arguments cannot be meant.
    pub fn usage(message: impl Into<String>) -> Self {
        Self::new(ErrorKind::Usage, message)
    }

    /// A device that cannot serve.
    pub fn device(message: impl Into<String>) -> Self {
        Self::new(ErrorKind::Device, message)
    }

    /// The user stopped the command.
    pub fn interrupted() -> Self {
        Self::new(ErrorKind::Interrupted, "interrupted")
    }

    /// The operating system's refusal, at a file.
    pub fn io(path: impl AsRef<Path>, error: io::Error) -> Self {
        Self::new(ErrorKind::Io, error.to_string())
            .at(path)
            .caused_by(error)
    }

    /// The same error, naming the file that it is about (unless it names one already).
    pub fn at(mut self, path: impl AsRef<Path>) -> Self {
        self.path.get_or_insert_with(|| path.as_ref().to_owned());
        self
    }

    /// The same error, saying more.
    pub fn noting(mut self, note: impl std::fmt::Display) -> Self {
        self.message = format!("{}; {note}", self.message);
        self
    }

    /// The same error with the error beneath it, whose text is expected to be in the message already
    /// where the two say the same.
    pub fn caused_by(mut self, source: impl Into<Box<dyn StdError + Send + Sync>>) -> Self {
        self.source = Some(source.into());
        self
    }

    /// What went wrong.
    pub fn kind(&self) -> ErrorKind {
        self.kind
    }

    /// The file that is to blame, where there is one.
    pub fn path(&self) -> Option<&Path> {
        self.path.as_deref()
    }

    /// 1 the input or a file is bad, 2 usage, 3 the device cannot serve, 130 interrupted.
    pub fn exit_code(&self) -> u8 {
        match self.kind {
            ErrorKind::Input | ErrorKind::Io => 1,
            ErrorKind::Usage => 2,
            ErrorKind::Device => 3,
            ErrorKind::Interrupted => 130,
        }
    }

    /// Whether the reader of our output went away, as `head` does: no failure of ours.
    pub fn is_closed_pipe(&self) -> bool {
        let io = self
            .source
            .as_ref()
            .and_then(|source| source.downcast_ref::<io::Error>());
        self.path.is_none() && io.is_some_and(|error| error.kind() == io::ErrorKind::BrokenPipe)
    }

    /// The message followed by those of its causes, without saying a thing twice.
    pub fn chain(&self) -> String {
        let mut text = self.to_string();
        let mut cause = self.source();
        while let Some(error) = cause {
            let message = error.to_string();
            if !text.contains(&message) {
                text = format!("{text}: {message}");
            }
            cause = error.source();
        }
        text
    }
}

/// Errors of the rooms below name file, section and line themselves.
macro_rules! from_below {
    ($error:ty, $kind:expr) => {
        impl From<$error> for Error {
            fn from(error: $error) -> Self {
                let kind: fn(&$error) -> ErrorKind = $kind;
                Self::new(kind(&error), error.to_string()).caused_by(error)
            }
        }
    };
}

from_below!(morelet_mapped::Error, |error| match error.kind() {
    morelet_mapped::ErrorKind::Io => ErrorKind::Io,
    _ => ErrorKind::Input,
});
from_below!(morelet_indices::Error, |error| match error.kind() {
    morelet_indices::ErrorKind::Io
    | morelet_indices::ErrorKind::File(morelet_mapped::ErrorKind::Io) => ErrorKind::Io,
    _ => ErrorKind::Input,
});
from_below!(morelet_models::Error, |error| match error.kind() {
    morelet_models::ErrorKind::Device => ErrorKind::Device,
    morelet_models::ErrorKind::Cancelled => ErrorKind::Interrupted,
    _ => match error.file_error().map(morelet_mapped::Error::kind) {
        Some(morelet_mapped::ErrorKind::Io) => ErrorKind::Io,
        _ => ErrorKind::Input,
    },
});
from_below!(morelet::Error, |error| match error.kind() {
    morelet::ErrorKind::Io => ErrorKind::Io,
    morelet::ErrorKind::Device => ErrorKind::Device,
    morelet::ErrorKind::Cancelled => ErrorKind::Interrupted,
    _ => ErrorKind::Input,
});

/// Errors of standard output, which has no path.
impl From<io::Error> for Error {
    fn from(error: io::Error) -> Self {
        Self::new(ErrorKind::Io, error.to_string()).caused_by(error)
    }
}

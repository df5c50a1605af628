use std::fmt;
use std::path::Path;
use std::sync::Arc;

/// The result of an operation on a model.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// What went wrong, coarsely: enough to choose an exit code or a retry.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum ErrorKind {
    /// A file could not be read or written, or its container is damaged; the source is an error of
    /// `morelet_mapped`.
    File,
    /// A file is sound as a container, but what it says does not fit together: tensors that do not
    /// match the architecture, hyper-parameters out of range, a model of another kind.
    Model,
    /// The tokenizer cannot be read, or failed on a text.
    Tokenizer,
    /// The caller's input is at fault: a span outside the words, a picture that cannot be decoded.
    Input,
    /// The device that was asked for cannot serve, or failed while it computed.
    Device,
    /// The run was stopped by its [`Cancel`](crate::Cancel) handle.
    Cancelled,
}

/// An error of this crate.
///
/// The message names the file and the tensor where there is one, what was expected, what was found,
/// and how to mend it where that is known. A clone is the same error, for each input of a pass that failed.
#[derive(Clone, thiserror::Error)]
#[error(transparent)]
pub struct Error(Arc<Repr>);

#[derive(Debug, thiserror::Error)]
enum Repr {
    #[error(transparent)]
    File(#[from] morelet_mapped::Error),
    #[error("{message}")]
    Told {
        kind: ErrorKind,
        message: String,
        #[source]
        source: Option<Box<dyn std::error::Error + Send + Sync>>,
    },
    #[error("stopped by the caller")]
    Cancelled,
}

impl Error {
    /// What went wrong, coarsely.
    pub fn kind(&self) -> ErrorKind {
        match &*self.0 {
            Repr::File(_) => ErrorKind::File,
            Repr::Told { kind, .. } => *kind,
            Repr::Cancelled => ErrorKind::Cancelled,
        }
    }

    /// The container's own error, where the file itself is at fault.
    pub fn file_error(&self) -> Option<&morelet_mapped::Error> {
        match &*self.0 {
            Repr::File(error) => Some(error),
            _ => None,
        }
    }

    pub(crate) fn new(kind: ErrorKind, message: impl Into<String>) -> Self {
        Self(Arc::new(Repr::Told {
            kind,
            message: message.into(),
            source: None,
        }))
    }

    /// An error with the one that caused it, which `source()` returns.
    pub(crate) fn caused(
        kind: ErrorKind,
        message: impl Into<String>,
        source: impl Into<Box<dyn std::error::Error + Send + Sync>>,
    ) -> Self {
        Self(Arc::new(Repr::Told {
            kind,
            message: message.into(),
            source: Some(source.into()),
        }))
    }

    pub(crate) fn model(path: &Path, message: impl fmt::Display) -> Self {
        Self::new(ErrorKind::Model, format!("{}: {message}", path.display()))
    }

    pub(crate) fn input(message: impl Into<String>) -> Self {
        Self::new(ErrorKind::Input, message)
    }

    pub(crate) fn device(message: impl Into<String>) -> Self {
        Self::new(ErrorKind::Device, message)
    }

    pub(crate) fn cancelled() -> Self {
        Self(Arc::new(Repr::Cancelled))
    }
}

impl fmt::Debug for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl From<morelet_mapped::Error> for Error {
    fn from(error: morelet_mapped::Error) -> Self {
        Self(Arc::new(Repr::File(error)))
    }
}

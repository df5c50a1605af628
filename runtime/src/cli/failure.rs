//! How a command ends when it does not end well.

use crate::{Error, ErrorKind};
use std::fmt;
use std::io;

/// Why a command stopped.
#[derive(Debug)]
#[non_exhaustive]
pub enum Failure {
    /// The arguments cannot be meant: exit code 2.
    Usage(String),
    /// The library's error: exit code 1, 3 or 130.
    Error(Error),
    /// The reader of our output went away, as `head` does: no failure of ours, exit code 0.
    ClosedPipe,
}

impl Failure {
    /// The code that the process exits with.
    pub fn exit_code(&self) -> u8 {
        match self {
            Self::Usage(_) => 2,
            Self::Error(error) => error.exit_code(),
            Self::ClosedPipe => 0,
        }
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Usage(message) => f.write_str(message),
            Self::Error(error) if error.kind() == ErrorKind::Cancelled => {
                f.write_str("interrupted")
            }
            Self::Error(error) => error.fmt(f),
            Self::ClosedPipe => f.write_str("the reader of the output went away"),
        }
    }
}

impl std::error::Error for Failure {}

impl From<Error> for Failure {
    fn from(error: Error) -> Self {
        Self::Error(error)
    }
}

/// Errors of standard output.
impl From<io::Error> for Failure {
    fn from(error: io::Error) -> Self {
        match error.kind() {
            io::ErrorKind::BrokenPipe => Self::ClosedPipe,
            _ => Self::Error(Error::from(error).at("standard output")),
        }
    }
}

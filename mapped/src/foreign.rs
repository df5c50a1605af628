//! What a file is when it is not ours: called by its name, with what to do about it.

use std::path::Path;

use crate::error::{Error, ErrorKind};
use crate::header::{self, HEADER_BYTES, MAGIC};

/// The error for a file that does not start with the magic.
pub(crate) fn describe(path: &Path, head: &[u8]) -> Error {
    if !head.is_empty() && MAGIC.starts_with(head) {
        return header::cut(path, HEADER_BYTES as u64, head.len() as u64);
    }
    Error::new(ErrorKind::NotThisFormat, "not a Morelet file").at(path)
}

//! Morelet's runtime.
#![forbid(unsafe_code)]
#![deny(missing_docs)]

mod error;
mod input;
mod manifest;
mod spans;
mod words;

pub use error::{Error, ErrorKind, Result};
pub use input::{Lines, open_text};
pub use manifest::{
    ContextKind, Decode, ExpertEntry, Fusion, FusionKind, MANIFEST_FILE, MANIFEST_FORMAT, Manifest,
    Part, PartKind, Task,
};
pub use spans::{Span, spans};
pub use words::{Place, Sentence, Words};

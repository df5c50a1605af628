//! indices

#![deny(unsafe_code)]

mod error;
mod hit;
#[cfg(feature = "build")]
pub mod sentences;
mod store;
mod text;
mod varint;

pub use error::{Error, ErrorKind, Result};
pub use hit::Hit;
pub use text::Analyzer;

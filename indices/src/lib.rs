//! indices

#![deny(unsafe_code)]

mod error;
mod hit;
mod store;
mod varint;

pub use error::{Error, ErrorKind, Result};
pub use hit::Hit;

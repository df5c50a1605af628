//! indices

#![deny(unsafe_code)]

mod error;
mod hit;
mod image;
#[cfg(feature = "build")]
pub mod sentences;
#[cfg(feature = "build")]
mod spool;
mod store;
mod text;
mod varint;

pub use error::{Error, ErrorKind, Result};
pub use hit::Hit;
pub use image::{DEFAULT_EF, ImageId, ImageIndex, Vectors};
#[cfg(feature = "build")]
pub use image::{ImageEntry, ImageIndexBuilder, ImageOptions};
pub use store::Value;
pub use text::{Analyzer, Paragraph, ParagraphId, SentenceHit, SentenceId, TextIndex};
#[cfg(feature = "build")]
pub use text::{Article, ParagraphText, TextIndexBuilder, TextOptions};

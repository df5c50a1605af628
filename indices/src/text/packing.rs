//! How postings are packed, up to 128 at a time, so that a processor can read many at once.
//!
//! `gaps` are the distances between sentences, in one or two streams of `rice` codes; `tfs` say how often sentences
//! have a term.

use crate::kernels::Places;
pub(super) use crate::kernels::{BLOCK, PADDING};
pub(super) use gaps::Gaps;
#[cfg(feature = "build")]
pub(super) use gaps::put_gaps;
#[cfg(feature = "build")]
pub(super) use tfs::put_tfs;
pub(super) use tfs::{LEAST_TF, take_tfs};

mod gaps;
mod rice;
mod tfs;

/// Memory to unpack in.
pub(super) struct Work {
    places: Places,
    far: [u32; BLOCK],
}

impl Work {
    /// Holds nothing.
    pub fn new() -> Work {
        Work {
            places: Places::new(),
            far: [0; BLOCK],
        }
    }
}

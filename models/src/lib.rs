//! The models of Morelet: XLM-R experts, CLIP and the gate, in Burn.
#![deny(unsafe_code)]

mod cancel;
mod clip;
pub mod device;
mod error;
mod fuse;
mod gate;
mod layers;
mod picture;
pub mod weights;

pub use cancel::Cancel;
pub use error::{Error, ErrorKind, Result};

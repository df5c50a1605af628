//! The models of Morelet: XLM-R experts, CLIP and the gate, in Burn.
#![deny(unsafe_code)]

mod cancel;
mod clip;
mod crf;
pub mod device;
mod error;
mod expert;
mod gate;
mod input;
mod kernels;
mod layers;
mod picture;
mod tokenizer;
pub mod weights;
pub mod xlmr;

pub use cancel::Cancel;
pub use clip::Clip;
pub use crf::Crf;
pub use error::{Error, ErrorKind, Result};
pub use expert::{Expert, NerOutput, ReOutput, Timings};
pub use gate::Gate;
pub use input::Input;
pub use picture::{Picture, PictureLimits};
pub use tokenizer::Tokenizer;

//! The models of Morelet: XLM-R experts, CLIP and the gate, one definition each, in Burn.
//!
//! MoRe labels a sentence with two experts. Both are XLM-R encoders of the same shape; one reads the
//! sentence together with paragraphs that were retrieved for its text, the other together with what was
//! retrieved for its picture. CLIP turns sentence and picture into the features that retrieval and the
//! gate work on, and the gate says, label by label, how far to trust the first expert.
//!
//! ```text
//! words, contexts ──► Input ──► xlmr::Encoder ──► head ──► Crf ──► marginals      Expert
//! Picture ──► vision tower ──┐
//! text ─────► text tower ────┴─► Gate ──► g, a weight for each label              Clip, Gate
//! ```
//!
//! Each model is one file, [`weights::Weights`], which is mapped and never parsed into memory. Where it
//! computes is a [`device::Compute`], chosen once: CUDA, wgpu or the CPU, by value and not by type.
//!
//! ```no_run
//! use morelet_models::device::{Compute, ComputeOptions};
//! use morelet_models::weights::Weights;
//! use morelet_models::{Cancel, Expert};
//!
//! # fn main() -> morelet_models::Result<()> {
//! let weights = Weights::open("expert-text.weights", Default::default())?;
//! let compute = Compute::for_models(&ComputeOptions::default(), [weights.meta()])?;
//! let expert = Expert::load(weights, &compute, None)?;
//! let contexts = ["Kolo is a dog that lives in Tunis."];
//! let output = expert.ner(&["Kolo", "loves", "the", "sun"], &contexts, &Cancel::new())?;
//! for &label in &output.labels {
//!     println!("{}", expert.labels()[label]);
//! }
//! # Ok(())
//! # }
//! ```
//!
//! # What runs where
//!
//! The layers run on the device. On the CPU they are operations of our own (`kernels/`): products with weights
//! as they lie in the map, of 8-bit integers where the file has `q8` or `q4`, and between them everything in
//! `f32`. On GPUs they are kernels of our own too (`stack/`): in CUDA C++ on NVIDIA's since Ampere (`cuda/`), in WGSL on any that wgpu
//! reaches (`webgpu/`), with factors in `f16` and everything that is summed up in `f32`; what follows them is computed on the host. What those
//! cannot take is left to Burn, with `q8` and `q4` packed as in the file. The table of word embeddings, half of a large
//! model, is never loaded: the rows of one input are gathered from the map. What follows the scores of the head is a few thousand
//! numbers, and is done on the host in `f64`: the CRF's marginals in log space, the softmax of a relation, the gate.
//!
//! A run can be stopped by its [`Cancel`] handle between two layers, or by our kernels on a GPU between two passes. A panic below us, in a kernel or in
//! a tokenizer, becomes an [`Error`].
//!
//! # Unsafe code
//!
//! There is none outside `kernels/`, and `cuda/` and `webgpu/`, where a GPU is called.

#![deny(unsafe_code)]

mod cancel;
mod clip;
mod crf;
#[cfg(feature = "cuda")]
mod cuda;
pub mod device;
mod error;
mod expert;
mod gate;
mod gpu;
#[cfg(feature = "cpu")]
mod host;
mod input;
mod kernels;
mod layers;
mod packed;
mod picture;
mod source;
mod stack;
mod tokenizer;
#[cfg(feature = "train")]
pub mod train;
#[cfg(feature = "wgpu")]
mod webgpu;
pub mod weights;
pub mod xlmr;

pub use cancel::Cancel;
pub use clip::{Clip, caption_ids};
pub use crf::{Crf, argmax, softmax};
pub use error::{Error, ErrorKind, Result};
pub use expert::{Expert, NerOutput, NerQuery, ReOutput, ReQuery, Timings, WarmedUp};
pub use gate::Gate;
pub use input::Input;
pub use picture::{Picture, PictureLimits};
pub use tokenizer::{Compiled as CompiledTokenizer, NotCompiled, Tokenizer};

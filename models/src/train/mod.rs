//! Training, by gradients that Burn takes of the layers that the runtime runs.
//!
//! A model in training is a list of [`Parameters`], named as in a `.weights` file. For each step the layers are put
//! together over them, exactly as a session puts them together over a file (both are a
//! `Source` of tensors), so there is one definition of each model and what is trained is what runs:
//!
//! ```text
//! Parameters ──► xlmr, clip (as in a session) ──► loss ──► gradients ──► Optimizer ──► Parameters
//! ```
//!
//! * [`ExpertLoss`]: negative log-likelihood of a CRF, or cross-entropy, with the cross-view loss of the paper (§2.4).
//! * [`ContrastiveLoss`]: CLIP's, over a batch of pictures and captions.
//! * [`MixtureLoss`]: that of the gate (equations 5 to 7), over what the frozen experts said.
//! * [`Optimizer`]: AdamW with a rate for each parameter, gradients clipped by their norm.
//!
//! Nothing here is compiled into an application: the feature `train` is the converter's. Where the CPU computes, it is by
//! Burn's `flex` backend, because our own kernels have no gradients; a GPU trains with the same code.
//!
//! Everything random (dropout) comes from the device, seeded anew for each step, so that a run that is resumed goes on as
//! if it had not stopped. That holds while one training runs in a process at a time: Burn's generator is global.

mod clip;
mod crf;
mod expert;
mod gate;
mod optimizer;
mod parameters;
#[cfg(all(test, feature = "cpu"))]
mod reference;

pub use clip::{ContrastiveLoss, Pair};
pub use expert::{Example, ExpertLoss};
pub use gate::{MixtureLoss, Observation};
pub use optimizer::{Loss, Moments, Optimizer};
pub use parameters::Parameters;

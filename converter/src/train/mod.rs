//! Training: what turns labelled sentences into a checkpoint.
//!
//! ```text
//! checkpoint or random numbers ── initial ──► Parameters ─┐
//! sentences ── data, contexts ──► examples ───────────────┴─ run ──► checkpoint ──► a directory that `model` converts
//!                                                             │ ▲
//!                                                         state (a killed run goes on from here)
//! ```
//!
//! The losses and the optimizer are in `morelet_models::train`. Here is everything around them: what is read, in which
//! order it is shown, when it is written down. All that is random comes from one seed, and from the number of the epoch or
//! of the step, so that a run that was killed and goes on ends with the same weights as one that was not.

pub(crate) mod checkpoint;
pub(crate) mod contexts;
pub(crate) mod data;
pub(crate) mod fingerprint;
pub(crate) mod initial;
pub(crate) mod observations;
pub(crate) mod run;
pub(crate) mod schedule;
pub(crate) mod score;
mod state;
pub(crate) mod tensors;

//! The `.weights` file: one model, complete by itself.
//!
//! A container of `morelet_mapped` with these sections:
//!
//! ```text
//! meta        JSON, a Meta: kind, hyper-parameters, labels, identity, licence
//! tokenizer   tokenizer.json, whole; absent for a gate; bulk where there is a compiled one, which is read instead
//! unigram     bincode, the stages of the compiled tokenizer: see `tokenizer/unigram`
//! pieces      bulk: the pieces and tables of the compiled tokenizer
//! tensors     bincode, a list of TensorInfo: name, shape, precision, layouts
//! data        bulk: the weights and scales of every tensor, each at a multiple of 64 bytes
//! ```
//!
//! [`expected_tensors`] says which tensors a model has; [`WeightsWriter`] accepts no other, and
//! [`Weights::open`] reports every difference at once.

mod check;
mod meta;
mod quantize;
mod reader;
mod schema;
mod storing;
mod table;
#[cfg(test)]
mod tests;
mod values;
mod writer;

pub use check::{
    MAX_HIDDEN, MAX_INTERMEDIATE, MAX_LABELS, MAX_LAYERS, MAX_PICTURE, MAX_POSITIONS,
    MAX_SEPARATOR, MAX_VOCABULARY, differences,
};
pub use meta::{
    Activation, Architecture, ClipConfig, ClipTextConfig, ClipVisionConfig, GateConfig, Meta,
    ModelKind, Pooling, Preprocess, Resample, XlmrConfig,
};
pub(crate) use quantize::q4_integers;
pub use reader::Weights;
pub use schema::{always_f32, expected_tensors, has_panels};
pub(crate) use table::rows_and_width;
pub use table::{Extent, Layout, Precision, Q4_BLOCK, Stored, TENSOR_ALIGNMENT, TensorInfo};
pub(crate) use values::{StoredMatrix, finite};
pub use writer::{Target, TensorReport, WeightsWriter};

/// The revisions of each section that this version reads; it writes the last of each.
mod revision {
    use std::ops::RangeInclusive;

    pub(super) const META: RangeInclusive<u32> = 1..=1;
    pub(super) const TOKENIZER: RangeInclusive<u32> = 1..=1;
    pub(super) const TENSORS: RangeInclusive<u32> = 1..=2;
    pub(super) const UNIGRAM: RangeInclusive<u32> = 1..=1;
    pub(super) const PIECES: RangeInclusive<u32> = 1..=1;
    pub(super) const DATA: RangeInclusive<u32> = 1..=1;
}

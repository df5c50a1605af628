//! The one folder of this crate with unsafe code: arithmetic in the widest instructions that the
//! processor has, and what else talks to the machine directly.
//!
//! ```text
//! products/              products of small blocks, for AMX, AVX-512, AVX2, NEON and anything
//! rows, panels, matrix   activations and weights in the order of those products
//! strips                 some rows times some panels, and what becomes of the sums
//! linear, attention, norm, transformer    the operations of a transformer, on all threads
//! team                   threads that stay awake during a pass
//! level, functions, buffer            loops that become vectors, and aligned memory
//! picture/               resampling and colours of pictures
//! ```
#![allow(unsafe_code)]

mod attention;
mod buffer;
mod functions;
mod level;
mod linear;
mod matrix;
mod norm;
pub(crate) mod panels;
pub(crate) mod picture;
mod products;
mod rows;
mod strips;
mod team;
#[cfg(test)]
mod tests;
mod transformer;

pub(crate) use buffer::Number;
pub(crate) use matrix::{Matrix, Numbers, Packed, q4_output_scales};
pub(crate) use norm::layer_norm;
pub(crate) use products::Kernels;
pub(crate) use team::awake;
pub(crate) use transformer::{AttentionMatrices, Packing, feed_forward, project, self_attention};

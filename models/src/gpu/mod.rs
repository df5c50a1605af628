//! What a model needs to run well on a GPU.
//!
//! * **Matrices** stay as small as the file has them: `q8` and `q4` go up as they lie in the map, and the kernel that
//!   multiplies unpacks them as it reads ([`DeviceLinear`]).
//! * **Products** are taken in the device's [`ComputeType`], `f16` where it has that and answers rightly. What is added
//!   up over many layers or many elements stays `f32`: the sum that runs through the layers, layer norms, activations,
//!   the accumulators of products and of attention, and the heads whose answer is read back.
//! * **Shapes** are few ([`bucket`]): a kernel is compiled and tuned for each, so an input is padded to the next of a
//!   handful of lengths, and the padding masked.
//! * **Proof**: before a device serves, it computes one layer whose answer is known ([`self_test`]).
//!
//! Nothing here is special to a backend: the same code answers on Burn's CPU backend, where the tests compare it.

mod bucket;
mod compute_type;
mod linear;
#[cfg_attr(not(any(feature = "wgpu", feature = "cuda-burn")), allow(dead_code))]
pub(crate) mod self_test;
mod upload;

pub(crate) use bucket::{buckets, padding_mask, rows};
pub use compute_type::ComputeType;
pub(crate) use compute_type::{narrow, widen};
pub(crate) use linear::DeviceLinear;

//! NVIDIA GPUs by kernels of our own, in CUDA C++ (`kernels/*.cu`).
//!
//! A transformer's layers are four kernels: a product with bias and activation, a product whose sums over K are left in parts,
//! attention, and a layer norm that adds those parts up on the way. A whole stack of layers is recorded once for each of a few
//! lengths as a CUDA graph, and replayed: nothing is chosen, allocated or compiled in between, and a pass is one call of the driver.
//!
//! * `driver.rs`: the device, its memory, launches and graphs;
//! * `program.rs`: compiling with NVRTC, and keeping what came of it;
//! * `product.rs`, `kernels.rs`: what each kernel is compiled for, and the choice among the products' tiles;
//! * `stack.rs`: the layers of a model; `matrix.rs`: a matrix by itself;
//! * `upload.rs`: matrices, from the map to the device; `embeddings.rs`: what goes up with each input;
//! * `self_test.rs`: the proof that a device answers rightly; `absent.rs`: all of it, where it is not built in.
//!
//! Factors are `f16` on matrix units. Sums, layer norms, activations and what runs through the layers are `f32`. Small parts of a
//! model (pooling, heads, projections, CLIP's embeddings) are computed on the host, by Burn.
//!
//! Hopper has kernels of its own for products. All other GPUs since Ampere (compute capability 8.0) share one; older ones are
//! left to Burn.

#[cfg(not(feature = "cuda"))]
mod absent;
#[cfg(feature = "cuda")]
mod driver;
#[cfg(feature = "cuda")]
mod embeddings;
#[cfg(feature = "cuda")]
mod kernels;
#[cfg(feature = "cuda")]
mod matrix;
#[cfg(feature = "cuda")]
pub(crate) mod nvrtc;
#[cfg(feature = "cuda")]
mod product;
#[cfg(feature = "cuda")]
mod program;
#[cfg(feature = "cuda")]
mod self_test;
#[cfg(feature = "cuda")]
mod stack;
#[cfg(feature = "cuda")]
mod upload;

use crate::weights::Activation;

#[cfg(not(feature = "cuda"))]
pub(crate) use absent::{Driver, Matrix, Stack};
#[cfg(feature = "cuda")]
pub(crate) use driver::{Driver, device_count};
#[cfg(feature = "cuda")]
pub(crate) use matrix::Matrix;
#[cfg(feature = "cuda")]
pub(crate) use self_test::self_test;
#[cfg(feature = "cuda")]
pub(crate) use stack::Stack;

/// Where a layer normalizes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Order {
    /// What attention and feed-forward read (CLIP).
    PreNorm,
    /// What they were added to (BERT).
    PostNorm,
}

/// What the layers of a stack have in common.
#[derive(Clone, Copy, Debug)]
#[cfg_attr(not(feature = "cuda"), allow(dead_code))]
pub(crate) struct Shape {
    pub(crate) width: usize,
    pub(crate) heads: usize,
    pub(crate) activation: Activation,
    pub(crate) eps: f64,
    pub(crate) causal: bool,
    pub(crate) order: Order,
    /// The most rows of a sequence.
    pub(crate) longest: usize,
}

/// The names of a layer's tensors: each stands before `.weight` and `.bias`.
#[cfg_attr(not(feature = "cuda"), allow(dead_code))]
pub(crate) struct Names {
    pub(crate) attention: String,
    pub(crate) attention_norm: String,
    pub(crate) feed_forward: String,
    pub(crate) feed_forward_norm: String,
}

/// What a pass is given.
#[derive(Clone, Copy, Debug)]
#[cfg_attr(not(feature = "cuda"), allow(dead_code))]
pub(crate) enum Given<'a> {
    /// Embeddings, `[n, d]`.
    Rows(&'a [f32]),
    /// Ids of words, and the position of each.
    Ids(&'a [u32], &'a [u32]),
}

/// Turns an error of the driver into one of ours.
#[cfg(feature = "cuda")]
fn failed(what: &str) -> impl Fn(cudarc::driver::DriverError) -> crate::error::Error + '_ {
    move |error| crate::error::Error::device(format!("CUDA: {what}: {error}"))
}

//! NVIDIA GPUs by kernels of our own, in CUDA C++ (`kernels/*.cu`).
//!
//! A transformer's layers are four kernels: a product with bias and activation, a product whose sums over K are left in parts,
//! attention, and a layer norm that adds those parts up on the way. A whole stack of layers is recorded once for each of a few
//! lengths as a CUDA graph, and replayed: nothing is chosen, allocated or compiled in between, and a pass is a copy, a replay and a copy.
//!
//! * `driver.rs`: the device, its memory, launches and graphs; `tensor_map.rs`: a matrix as Hopper's copy engine sees it;
//! * `program.rs`: compiling with NVRTC, and keeping what came of it;
//! * `product.rs`, `kernels.rs`: what each kernel is compiled for; `tile.rs`: the choice among the products' tiles;
//! * `stack.rs`: the layers of a model; `matrix.rs`: a matrix by itself;
//! * `upload.rs`: matrices, from the map to the device; `embeddings.rs`: what goes up with each input;
//! * `self_test.rs`: the proof that a device answers rightly; `absent.rs`: all of it, where it is not built in.
//!
//! Factors are `f16` on matrix units. Sums, layer norms, activations and what runs through the layers are `f32`. Small parts of a
//! model (pooling, heads, projections, what CLIP adds to its patches and tokens) are computed on the host, by Burn.
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
mod tensor_map;
#[cfg(feature = "cuda")]
mod tile;
#[cfg(feature = "cuda")]
mod upload;

use crate::weights::{Activation, Meta};

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

/// What rows, inputs and outputs of a product are multiples of.
pub(crate) const MULTIPLE: usize = 64;

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
    /// The width between the matrices of a feed-forward.
    pub(crate) between: usize,
    pub(crate) activation: Activation,
    pub(crate) eps: f64,
    pub(crate) causal: bool,
    pub(crate) order: Order,
    /// The most rows of a sequence.
    pub(crate) longest: usize,
}

impl Shape {
    /// Why the kernels cannot take it.
    #[cfg_attr(not(feature = "cuda"), allow(dead_code))]
    fn problem(&self) -> Option<String> {
        problem(self.width, self.heads, self.between)
    }
}

/// Why the kernels cannot take a model.
pub(crate) fn refused(meta: &Meta) -> Option<String> {
    let xlmr = (meta.xlmr().into_iter())
        .map(|it| (it.hidden_size, it.num_attention_heads, it.intermediate_size));
    let clip = meta.clip().into_iter().flat_map(|it| {
        let (text, vision) = (&it.text, &it.vision);
        [
            (
                text.hidden_size,
                text.num_attention_heads,
                text.intermediate_size,
            ),
            (
                vision.hidden_size,
                vision.num_attention_heads,
                vision.intermediate_size,
            ),
        ]
    });
    xlmr.chain(clip).find_map(|(width, heads, between)| {
        problem(width as usize, heads as usize, between as usize)
    })
}

fn problem(width: usize, heads: usize, between: usize) -> Option<String> {
    let head = width / heads.max(1);
    let fits = |size: usize| size > 0 && size.is_multiple_of(MULTIPLE);
    if fits(width)
        && width <= 4096
        && fits(between)
        && [16, 32, 64].contains(&head)
        && head * heads == width
    {
        return None;
    }
    Some(format!(
        "layers of {width} values with {heads} heads and {between} values in between: the CUDA kernels take multiples of 64 up to 4096, \
         and heads of 16, 32 or 64 values"
    ))
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

//! A stack of transformer layers on a GPU by kernels of our own: what CUDA ([`cuda`](crate::cuda)) and wgpu ([`webgpu`](crate::webgpu)) have
//! in common, and one name for both.
//!
//! A pass is a copy up, a list of kernels that was put together when its number of rows was first met, and a copy back. Nothing is
//! chosen by measuring. Factors are `f16`; sums, layer norms, activations and what runs through the layers are `f32`. Small parts of a
//! model (pooling, heads, projections, what CLIP adds to its patches and tokens) are computed on the host, by Burn.
//!
//! * `embeddings.rs`: what goes up with each input;
//! * `halves.rs`: matrices of a file in half precision;
//! * `matrix.rs`: a matrix by itself;
//! * `trial.rs`: the numbers of the proof that a device answers rightly.

#![cfg_attr(
    not(any(feature = "cuda", feature = "wgpu")),
    allow(
        dead_code,
        unused_imports,
        unused_variables,
        unreachable_code,
        clippy::ptr_arg
    )
)]

mod embeddings;
mod halves;
mod matrix;
pub(crate) mod trial;

#[cfg(any(feature = "cuda", feature = "wgpu"))]
use std::sync::Arc;

#[cfg(feature = "cuda")]
use crate::cuda;
use crate::error::Result;
#[cfg(feature = "wgpu")]
use crate::webgpu;
use crate::weights::{Activation, Meta, Weights};
pub(crate) use embeddings::{Embeddings, Rows, fill, words_at};
#[cfg(feature = "cuda")]
pub(crate) use embeddings::{places_at, scales_at};
pub(crate) use halves::{Halves, halves};
pub(crate) use matrix::Matrix;

/// What rows, inputs and outputs of a product are multiples of.
pub(crate) const MULTIPLE: usize = 64;

/// A GPU that computes by our kernels. Clones share it.
#[derive(Clone, Debug)]
pub(crate) enum Driver {
    #[cfg(feature = "cuda")]
    Cuda(Arc<cuda::Driver>),
    #[cfg(feature = "wgpu")]
    Wgpu(Arc<webgpu::Driver>),
}

/// A stack of layers on such a GPU.
#[derive(Debug)]
pub(crate) enum Stack {
    #[cfg(feature = "cuda")]
    Cuda(Box<cuda::Stack>),
    #[cfg(feature = "wgpu")]
    Wgpu(Box<webgpu::Stack>),
}

impl Stack {
    /// Uploads the layers with these names. `front` is the name of embeddings whose ids are given, and of their norm, `NAME.norm`; a
    /// stack without it is given embeddings.
    ///
    /// # Errors
    /// Of kind `Model` where the kernels cannot take the model's shape, or a weight is too large for `f16`; of kind `File`, `Device`.
    pub(crate) fn load(
        driver: &Driver,
        weights: &Weights,
        shape: Shape,
        front: Option<&str>,
        names: impl Iterator<Item = Names>,
    ) -> Result<Self> {
        if let Some(problem) = problem(shape.width, shape.heads, shape.between) {
            return Err(crate::error::Error::model(
                weights.container().path(),
                problem,
            ));
        }
        match driver {
            #[cfg(feature = "cuda")]
            Driver::Cuda(driver) => {
                let stack = cuda::Stack::load(driver, weights, shape, front, names)?;
                Ok(Self::Cuda(Box::new(stack)))
            }
            #[cfg(feature = "wgpu")]
            Driver::Wgpu(driver) => {
                let stack = webgpu::Stack::load(driver, weights, shape, front, names)?;
                Ok(Self::Wgpu(Box::new(stack)))
            }
            #[cfg(not(any(feature = "cuda", feature = "wgpu")))]
            _ => match *driver {},
        }
    }

    /// From embeddings, or ids where the stack has embeddings of its own, to hidden states: those of `rows`, ascending, go behind
    /// what `out` holds.
    ///
    /// # Errors
    /// Of kind `Input` where an id or a position is not one of the model's; of kind `Device`.
    pub(crate) fn forward(
        &self,
        given: Given<'_>,
        rows: &[usize],
        out: &mut Vec<f32>,
    ) -> Result<()> {
        match self {
            #[cfg(feature = "cuda")]
            Self::Cuda(stack) => stack.forward(given, rows, out),
            #[cfg(feature = "wgpu")]
            Self::Wgpu(stack) => stack.forward(given, rows, out),
            #[cfg(not(any(feature = "cuda", feature = "wgpu")))]
            _ => match *self {},
        }
    }
}

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

/// The names of a layer's tensors: each stands before `.weight` and `.bias`.
#[derive(Debug)]
pub(crate) struct Names {
    pub(crate) attention: String,
    pub(crate) attention_norm: String,
    pub(crate) feed_forward: String,
    pub(crate) feed_forward_norm: String,
}

/// The matrices and norms of a layer on a device.
#[derive(Debug)]
pub(crate) struct Layer<Matrix, Scale> {
    pub(crate) qkv: Matrix,
    pub(crate) output: Matrix,
    pub(crate) attention_norm: Scale,
    pub(crate) up: Matrix,
    pub(crate) down: Matrix,
    pub(crate) feed_forward_norm: Scale,
}

impl<Matrix, Scale> Layer<Matrix, Scale> {
    /// Loads it: `matrix` loads the matrices `BLOCK.PART` of a block, one below the other, `scale` a norm.
    pub(crate) fn load(
        names: &Names,
        matrix: impl Fn(&str, &[&str]) -> Result<Matrix>,
        scale: impl Fn(&str) -> Result<Scale>,
    ) -> Result<Self> {
        Ok(Self {
            qkv: matrix(&names.attention, &["query", "key", "value"])?,
            output: matrix(&names.attention, &["output"])?,
            attention_norm: scale(&names.attention_norm)?,
            up: matrix(&names.feed_forward, &["up"])?,
            down: matrix(&names.feed_forward, &["down"])?,
            feed_forward_norm: scale(&names.feed_forward_norm)?,
        })
    }
}

/// What becomes of a row of sums.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Kind {
    /// Post-norm: it is replaced by the normalized row, which also goes on.
    After,
    /// Pre-norm: it stays, and the normalized row goes on.
    Before,
    /// It stays and goes on.
    Plain,
}

/// What a pass is given.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Given<'a> {
    /// Embeddings, `[n, d]`.
    Rows(&'a [f32]),
    /// Ids of words, and the position of each.
    Ids(&'a [u32], &'a [u32]),
}

impl Given<'_> {
    /// The number of rows.
    pub(crate) fn rows(&self, width: usize) -> usize {
        match self {
            Self::Rows(rows) => rows.len() / width,
            Self::Ids(ids, _) => ids.len(),
        }
    }
}

/// The number of rows that a sequence of `n` is padded to.
pub(crate) fn bucket(n: usize) -> usize {
    crate::gpu::rows(n).next_multiple_of(MULTIPLE)
}

/// Why our kernels cannot take a model.
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

/// Why they cannot take layers of this shape.
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
        "layers of {width} values with {heads} heads and {between} values in between: our kernels for GPUs take multiples of 64 up to \
         4096, and heads of 16, 32 or 64 values"
    ))
}

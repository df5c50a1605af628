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
//! * `upload.rs`: matrices, from the host to the device; `input.rs`: what goes up with each input;
//! * `self_test.rs`: the proof that a device answers rightly.
//!
//! Factors are `f16` on matrix units. What it has in common with wgpu is in [`stack`](crate::stack).
//!
//! Hopper has kernels of its own for products. All other GPUs since Ampere (compute capability 8.0) share one; older ones are
//! left to Burn.

mod driver;
mod input;
mod kernels;
mod matrix;
pub(crate) mod nvrtc;
mod product;
mod program;
mod self_test;
mod stack;
mod tensor_map;
mod tile;
mod upload;

pub(crate) use driver::{Driver, device_count};
pub(crate) use matrix::Matrix;
pub(crate) use self_test::self_test;
pub(crate) use stack::Stack;

use crate::stack::MULTIPLE;

/// Turns an error of the driver into one of ours.
fn failed(what: &str) -> impl Fn(cudarc::driver::DriverError) -> crate::error::Error + '_ {
    move |error| crate::error::Error::device(format!("CUDA: {what}: {error}"))
}

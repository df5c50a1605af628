//! GPUs by Vulkan, Metal and DX12, by kernels of our own in WGSL (`kernels/*.wgsl`).
//!
//! A transformer's layers are four kernels, as on CUDA: a product with bias and activation, a product whose sums over K are left in
//! parts, attention, and a layer norm that adds those parts up on the way. Every one is compiled for its sizes and has one shape of
//! workgroup: nothing is tuned. They need no feature beyond WebGPU's own and 29 KiB of memory that a workgroup shares: numbers in half
//! precision are unpacked as they are read, and computed with in `f32`. `q8` and `q4` stay in the device's memory as a row-major file has them.
//!
//! * `driver.rs`: the device, its memory, launches and passes;
//! * `kernels.rs`: what each kernel is compiled for;
//! * `stack.rs`: the layers of a model; `matrix.rs`: a matrix by itself;
//! * `upload.rs`: matrices, from the map to the device;
//! * `self_test.rs`: the proof that a device answers rightly.
//!
//! What it has in common with CUDA is in [`stack`](crate::stack).

mod driver;
mod kernels;
mod matrix;
mod self_test;
mod stack;
#[cfg(all(test, feature = "cpu"))]
mod tests;
mod upload;

pub(crate) use driver::{BRINGING_UP, Driver};
pub(crate) use matrix::Matrix;
pub(crate) use self_test::self_test;
pub(crate) use stack::Stack;

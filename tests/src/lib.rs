//! What the tests of this folder share.
//!
//! A test here crosses crates: it takes a checkpoint as PyTorch wrote it, runs the two commands on it as a
//! user would, and compares what comes out with numbers from elsewhere. The numbers are under
//! `tests/data/`, the scripts that made them under `tests/reference/`:
//!
//! ```text
//! reference/make.py ──► data/golden/checkpoints ──► morelet-convert ──► F.weights ──► bundle ──► morelet predict
//!          │                                                                                        │
//!          └──────────► data/golden/cases/*/answers.jsonl ───────────────► compared with ◄──────────┘
//! ```
//!
//! [`Tools`] runs the commands and [`Run`] is how they ended; [`Workshop`] puts checkpoints and bundles
//! together in a temporary directory; [`compare`] holds answers against predictions within
//! [`Tolerances`]. [`adapter`] says whether a test that needs wgpu can run.
//!
//! The commands are built from the very `main.rs` of the two binaries, as binaries of this crate: cargo
//! builds the binaries of a package for that package's own tests only.
#![forbid(unsafe_code)]
#![deny(missing_docs)]

mod adapter;
mod answers;
mod process;
mod workshop;

pub use adapter::adapter;
pub use answers::{Failures, Tolerances, close, compare, numbers};
pub use process::{Run, Tools};
pub use workshop::{Workshop, golden, lines, read_json, write_lines};

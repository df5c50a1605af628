//! The one folder of this crate with unsafe code: what talks to the machine directly.
#![allow(unsafe_code)]

#[cfg(feature = "cuda")]
pub(crate) mod nvrtc;
pub(crate) mod picture;

//! CLIP.

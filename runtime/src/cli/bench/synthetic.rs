//! Full-size models with random weights, and indices of random sentences and pictures: what a machine can be measured with
//! that has nothing but this program.
//!
//! Speed does not depend on what the weights are, as long as no number becomes infinite or denormal. They are drawn as a transformer is
//! initialized: deviation 0.02, norms 1, biases 0. The tokenizer has as many pieces as XLM-R's, made-up words, from which the
//! sentences are made, so that the ids of an input lie all over the table of embeddings. What such a model answers means nothing.

mod bundle;
mod corpus;
mod models;
mod picture;
mod tokenizers;

pub(super) use bundle::Made;
pub(super) use models::Size;

use morelet_models::weights::{Precision, Target};

/// What is made.
#[derive(Clone, Copy, Debug)]
pub(super) struct Plan {
    pub size: Size,
    pub precision: Precision,
    /// What the weights are laid out for.
    pub target: Target,
    /// Paragraphs of the text index.
    pub paragraphs: u32,
    /// Pictures of the image index.
    pub pictures: u32,
    pub seed: u64,
}

/// The least ids that an input of one expert has with what is retrieved: L.
pub(super) const FULL: usize = 512;

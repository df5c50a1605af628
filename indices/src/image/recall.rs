//! How much of the truth searches find.

use bincode::{Decode, Encode};

/// What searches with one `ef` found, measured when the index was made: with features of pictures that were
/// left out of it for the while.
#[derive(Clone, Copy, Debug, PartialEq, Encode, Decode)]
pub struct Recall {
    /// How many candidates the searches kept.
    pub ef: u32,
    /// How many of the ten nearest neighbours they found, from 0 to 1: recall@10.
    pub recall: f32,
}

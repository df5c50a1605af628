//! One command a file: its arguments and what it does.

pub mod bundle;
pub mod completions;
pub mod corpus;
pub mod image_index;
pub mod man;
pub mod model;
pub mod reproduce;
pub mod sample;
pub mod text_index;
pub mod train;
pub mod world;

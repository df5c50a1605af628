//! One command a file: its arguments and what it does.

pub mod completions;
pub mod corpus;
pub mod man;
pub mod model;

//! The paper's tables, made again: on a world of the project's own, and on the paper's sentences with text alone.
//!
//! Everything but the scores is made by the commands that anybody has: each step is a process of this program, and what a
//! step has written in the same way is not made again, so that a run that was stopped goes on. The folder that it works in holds a file for each
//! score, from which the document is written.
//!
//! ```text
//! world ──► corpus, indices, CLIP ──┐
//! sentences of the paper ───────────┴─► sets ──► experts ──► gates ──► systems ──► scores ──► document
//! ```

mod costs;
mod document;
mod figures;
mod jobs;
mod markdown;
mod real;
mod sets;
mod systems;

pub(crate) use costs::{real_costs, world_costs};
pub(crate) use document::{Findings, write as write_document};
pub(crate) use jobs::Jobs;
pub(crate) use real::real_sets;
pub(crate) use sets::{Set, world_sets};
pub(crate) use systems::run_systems;

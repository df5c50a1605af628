//! `train` as a user runs it: it learns, goes on after a kill with the same bytes, and what it writes is a
//! checkpoint that `model` takes. A command that is refused leaves the checkpoint that was there.

mod clip;
mod gate;
mod learning;
mod made;
mod refusals;
#[cfg(unix)]
mod unfinished;

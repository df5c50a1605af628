//! Everything of Morelet that can be done ahead of time.
//!
//! The runtime maps files and answers; it never trains, imports or indexes. Whatever turns what people
//! have (a checkpoint of PyTorch, a dump of Wikipedia, a folder of pictures) into what the runtime maps
//! is here, behind one command each:
//!
//! ```text
//! checkpoint directory ── model ───────► F.weights ──┐
//! MediaWiki dump ─────── corpus ──► corpus.jsonl ────┤ text-index  ──► text.index ──┐
//!                              └──► images.jsonl ────┤ image-index ──► image.index ─┤
//!                                                    └──────────── bundle ──────────┴─► NAME.morelet/
//! ```
//!
//! The binary `morelet-convert` is a thin `main` over [`Cli`] and [`run`]. A command is a struct of
//! arguments, defined by `clap` in `commands/`, and a function that takes them with a [`Console`]:
//!
//! ```
//! use morelet_convert::{Cli, Console, ErrorKind, run};
//! use clap::Parser as _;
//!
//! let cli = Cli::parse_from(["morelet-convert", "--quiet", "model", "no-such-directory", "-o", "f.weights"]);
//! let error = run(&cli.command, &Console::quiet()).unwrap_err();
//! assert_eq!(error.kind(), ErrorKind::Input);
//! assert_eq!(error.exit_code(), 1);
//! ```
//!
//! What a command writes appears under its name only when it is whole: a temporary file beside the
//! target, synced, then renamed. Nothing that is read is trusted: a checkpoint is data, and so is the
//! pickle inside it.
#![forbid(unsafe_code)]
#![deny(missing_docs)]

mod checkpoint;
mod cli;
pub mod commands;
mod console;
mod conversion;
mod error;
mod keep;
mod layer_cost;
mod names;
mod parts;
mod plan;
mod quantization_cost;
mod quantize_report;
mod random;
mod records;
mod reproduce;
mod sample;
mod shard;
mod train;
pub mod wikitext;
mod world;

pub use cli::{Cli, Command, run};
pub use console::Console;
pub use error::{Error, ErrorKind, Result};

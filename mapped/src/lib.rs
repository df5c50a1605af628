//! The container of Morelet's part files: write, map, check.
//!
//! A bundle holds gigabytes of weights, postings and vectors, and a desktop program should open it in milliseconds.
//! So a part file is not parsed: it is laid out on disk as it is used, mapped, and its sections are handed out as
//! slices. This crate is the only place where a file is mapped, and what makes that safe to build on: it trusts
//! nothing in a file before it was checked, and a damaged, foreign or hostile file is an [`Error`] that names file,
//! section and offset, says what was expected and what was there, and how to mend it. It never panics, reads out of
//! bounds, or allocates more than the file's own size.
//!
//! ```
//! # let folder = tempfile::tempdir()?;
//! # let path = folder.path().join("tiny.weights");
//! use morelet_mapped::{Container, Kind, OpenOptions, Writer, decode, encode};
//!
//! let mut writer = Writer::create(&path, Kind::Weights)?;
//! let mut meta = writer.section("meta", 1, false)?;
//! meta.put(&encode(&("XLM-R", 768u32))?)?;
//! meta.finish()?;
//! let mut data = writer.section("data", 1, true)?;
//! data.put(&1.5f32.to_le_bytes())?;
//! data.align(64)?;
//! data.finish()?;
//! let root = writer.finish()?;
//!
//! let container = Container::open(&path, Kind::Weights, OpenOptions::default())?;
//! assert_eq!(container.root(), root);
//! let (name, width): (String, u32) = decode(&container.section("meta", 1..=1)?)?;
//! assert_eq!((name.as_str(), width), ("XLM-R", 768));
//! let floats = container.section("data", 1..=1)?.slice(0..4)?.typed::<f32>()?;
//! assert_eq!(*floats, [1.5]);
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! # The format, version 1
//!
//! Integers are little-endian. Sections lie at multiples of 4096 bytes, each as soon after the one before as that
//! lets it, the first at 8192; the file ends where its last section does. All bytes between are zero.
//!
//! ```text
//!      0 ┌───────────────────────────────────────┐
//!        │ header, 64 bytes                      │
//!     64 ├───────────────────────────────────────┤
//!        │ section table, at most 8128 bytes     │
//!        ├╌╌╌╌╌╌╌╌╌╌╌╌╌╌╌╌╌╌╌╌╌╌╌╌╌╌╌╌╌╌╌╌╌╌╌╌╌╌╌┤
//!        │ zeros                                 │
//!   8192 ├───────────────────────────────────────┤
//!        │ first section                         │
//!        ├╌╌╌╌╌╌╌╌╌╌╌╌╌╌╌╌╌╌╌╌╌╌╌╌╌╌╌╌╌╌╌╌╌╌╌╌╌╌╌┤
//!        │ zeros, up to a multiple of 4096       │
//!        ├───────────────────────────────────────┤
//!        │ next section …                        │
//!        └───────────────────────────────────────┘
//! ```
//!
//! The header:
//!
//! | at | bytes | what |
//! |---:|---:|---|
//! | 0 | 8 | magic, `89 4D 52 4C 0D 0A 1A 0A`: a 7-bit channel, a change of line ends or of encoding destroys it |
//! | 8 | 4 | endian mark, the number `0x01020304` |
//! | 12 | 2 | container version, 1 |
//! | 14 | 2 | header length, 64 |
//! | 16 | 4 | kind: 1 weights, 2 text index, 3 image index |
//! | 20 | 4 | length of the section table in bytes |
//! | 24 | 8 | length of the file in bytes |
//! | 32 | 32 | root: BLAKE3 of the 32 bytes before it followed by the section table |
//!
//! The section table is bincode (standard configuration: variable-length integers, each in its shortest form): the
//! number of sections, at most 64, then of each its name (1 to 48 of `a-z 0-9 . _ -`, unique), revision, bulk flag,
//! offset, length and BLAKE3 hash. So the root hash stands for every byte of the file: it is the file's name by content.
//!
//! Kind, container version and each section's revision are separate numbers. The container's version says how to
//! find the sections; a section's revision says how to read that section, and whoever reads it states the range that
//! it accepts. The same sections always make the same bytes.
//!
//! # Opening
//!
//! [`Container::open`] checks, in an order in which nothing is believed before what gives it meaning: that this is a
//! regular file; magic (and if it is wrong, what the file is instead); endian mark; version; header length; the
//! table's length against its limit; the root hash; the file's length; kind; each section's name and place; the
//! padding; and the hashes of all sections that are not `bulk`, or, with [`Verify::Full`], of all. What the sections
//! hold is their readers' to check, who have [`Bytes::slice`], [`Bytes::typed`] and [`decode`] for ranges, numbers
//! and counts, and [`Bytes::corrupt`] for an error in the same form.
//!
//! A map is as good as its file: if somebody cuts the file short while it is mapped, touching the lost pages ends the
//! process on Unix (SIGBUS). [`Writer`] never does that, since it replaces files by renaming, and [`Load::Copy`] is
//! there for files that others may touch.

#[cfg(target_endian = "big")]
compile_error!(
    "Morelet's files are mapped as they are, in little-endian order: big-endian machines cannot use them"
);

mod atomic;
mod bytes;
mod codec;
mod container;
mod error;
mod foreign;
mod hash;
mod header;
mod load;
mod pages;
mod scratch;
mod table;
mod writer;

pub use atomic::{AtomicDir, AtomicFile, remove_temporary_files, write_file_atomically};
pub use bytes::{Bytes, Plain, Slice};
pub use codec::{decode, encode};
pub use container::{Container, OpenOptions, Verify};
pub use error::{Error, ErrorKind, Result};
pub use hash::{Hash, Hasher};
pub use header::Kind;
pub use load::Load;
pub use pages::Pages;
pub use scratch::{Scratch, ScratchMap};
pub use table::Section;
pub use writer::{SectionWriter, Suspended, Writer};

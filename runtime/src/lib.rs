//! Named entities and relations from a sentence and its picture, on the machine at hand.
//!
//! Morelet runs MoRe ("Named Entity and Relation Extraction with Multi-Modal Retrieval", Findings of EMNLP 2022) inside
//! another program. What the model needs to know about the world it looks up: paragraphs that resemble the sentence, articles
//! whose pictures resemble the picture. Two experts read one kind each, and a gate that sees sentence and picture weighs what they
//! say.
//!
//! ```text
//! sentence x ──► BM25 over sentences ──► paragraphs z_T ──► XLM-R expert T ──┐
//!     │                                                                      ├─► fuse ──► entities / relation
//! image I ──► CLIP ──► HNSW over images ──► titles + intros z_I ──► XLM-R expert I ──┘
//!     └──────────── CLIP text and image features ──► gate P(T|x,I) ──────────┘
//! ```
//!
//! Everything is in one directory, a *bundle*, made ahead of time by `morelet-convert`. It is mapped, never parsed into the heap, and
//! nothing is ever fetched:
//!
//! ```no_run
//! use morelet::{Bundle, Query, SessionOptions};
//!
//! let bundle = Bundle::open("news.morelet")?; // maps; milliseconds, whatever its size
//! let session = bundle.session(&SessionOptions::default())?; // picks the device, uploads weights
//! let result = session.predict(&Query::text("Kolo loves the sun").image_file("kolo.jpg"))?;
//! for entity in result.entities.iter().flatten() {
//!     println!("{} {} {:.2}", entity.kind, entity.text, entity.score);
//! }
//! # Ok::<(), morelet::Error>(())
//! ```
//!
//! [`Bundle`] and [`Session`] are `Send + Sync`, and answering takes `&self`. Text and picture are worked on at the same time. A
//! [`Cancel`] handle stops a run between two layers:
//!
//! ```no_run
//! use morelet::{Bundle, Detail, DeviceRequest, Query, RunOptions, SessionOptions};
//!
//! let options = SessionOptions { device: DeviceRequest::Cpu, threads: Some(4), ..Default::default() };
//! let session = Bundle::open("news.morelet")?.session(&options)?;
//! let run = RunOptions { detail: Detail::Full, ..Default::default() };
//! let cancel = run.cancel.clone(); // for another thread: cancel.cancel()
//! let queries = [
//!     Query::tokens(["Kolo", "met", "Ann"]).id("1").contexts("text", ["Kolo is an alpaca."]),
//!     Query::text("Zoë met Ann").id("2").subject(0..3).object(8..11),
//! ];
//! for result in session.predict_batch(&queries, &run) {
//!     println!("{}", result?.to_json());
//! }
//! # drop(cancel);
//! # Ok::<(), morelet::Error>(())
//! ```
//!
//! Retrieval needs no session. What the text index of a bundle finds, and why:
//!
//! ```no_run
//! use morelet::{Bundle, SearchOptions};
//!
//! let bundle = Bundle::open("news.morelet")?;
//! if let Some(index) = bundle.text_index() {
//!     let query = "Where did Turing study?";
//!     let found = index.search_with(query, &SearchOptions { k: 3, ..Default::default() })?;
//!     for (hit, sentence) in index.hits(&found, true)?.iter().zip(&found) {
//!         println!("{}. {} ({}): {}", hit.rank, hit.title, hit.score, hit.value);
//!         for term in index.explain(query, sentence.sentence)?.terms {
//!             println!("   {} adds {}", term.term, term.score);
//!         }
//!     }
//! }
//! # Ok::<(), morelet::Error>(())
//! ```
//!
//! On the CPU the threads are the session's own, and end with it. The server of a GPU lives as long as the process. There is no other
//! global state, and no output except through `tracing`; with the feature `cli`, the module `cli` is the binary `morelet`.
//!
//! | to know | look at |
//! |---|---|
//! | what a bundle holds | [`Manifest`] |
//! | what can be asked, as a value or as a line of JSON | [`Query`], [`Queries`] |
//! | what is answered | [`Prediction`] |
//! | how well | [`Evaluation`] |
//! | what is retrieved, and why | [`TextIndex`], [`ImageIndex`] |
//! | how hard retrieval tries | [`Effort`], [`ImageEffort`] |
#![forbid(unsafe_code)]
#![deny(missing_docs)]

mod bundle;
mod cache;
#[cfg(feature = "cli")]
pub mod cli;
mod clock;
mod conll;
mod effort;
mod error;
mod evaluate;
mod fusion;
mod image_effort;
mod input;
mod jsonl;
mod manifest;
mod pipeline;
mod prediction;
mod prefault;
mod queries;
mod query;
mod session;
mod sources;
mod spans;
mod warm_up;
mod words;

pub use bundle::Bundle;
pub use effort::Effort;
pub use error::{Error, ErrorKind, Result};
pub use evaluate::{Evaluation, ExpertScores, Report, Score, Scores};
pub use image_effort::ImageEffort;
pub use input::{Lines, open_text};
pub use manifest::{
    ContextKind, Decode, ExpertEntry, Fusion, FusionKind, MANIFEST_FILE, MANIFEST_FORMAT, Manifest,
    Part, PartKind, Task,
};
pub use morelet_indices::{
    DEFAULT_EF, Explanation, Filter, Hit, ImageFilter, ImageId, ImageIndex, ImageSearchOptions,
    ParagraphId, Recall, SearchOptions, SentenceHit, SentenceId, Snippet, TermExplanation,
    TextIndex,
};
pub use morelet_mapped::{Load, OpenOptions, Verify};
pub use morelet_models::Cancel;
pub use morelet_models::device::{ComputeType, DeviceInfo, DeviceReport, DeviceRequest};
pub use pipeline::RETRIEVED_KEYS;
pub use prediction::{
    Context, Entity, ExpertDetail, Mixture, Named, Offsets, Prediction, Relation, is_no_relation,
};
pub use queries::{Queries, QueryFormat};
pub use query::{Gold, ImageSource, Query, QueryId};
pub use session::{Detail, ModelInfo, Progress, RunOptions, Session, SessionInfo, SessionOptions};
pub use sources::draw_contexts;
pub use spans::{Span, spans};
pub use warm_up::WarmUp;
pub use words::{Place, Sentence, Words};

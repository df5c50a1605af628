//! Morelet's runtime.
#![forbid(unsafe_code)]
#![deny(missing_docs)]

mod conll;
mod error;
mod evaluate;
mod input;
mod jsonl;
mod manifest;
mod prediction;
mod queries;
mod query;
mod spans;
mod words;

pub use error::{Error, ErrorKind, Result};
pub use evaluate::{Evaluation, ExpertScores, Report, Score, Scores};
pub use input::{Lines, open_text};
pub use manifest::{
    ContextKind, Decode, ExpertEntry, Fusion, FusionKind, MANIFEST_FILE, MANIFEST_FORMAT, Manifest,
    Part, PartKind, Task,
};
pub use prediction::{
    Context, Entity, ExpertDetail, Mixture, Named, Offsets, Prediction, Relation, is_no_relation,
};
pub use queries::{Queries, QueryFormat};
pub use query::{Gold, ImageSource, Query, QueryId};
pub use spans::{Span, spans};
pub use words::{Place, Sentence, Words};

//! What is asked: a sentence, perhaps a picture, perhaps contexts, perhaps the right answer.

use crate::words::Words;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::fmt;
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// The name of a query, repeated in its answer: a JSON string or number.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum QueryId {
    /// A string.
    Text(String),
    /// A number, written as it was read.
    Number(serde_json::Number),
}

impl Default for QueryId {
    fn default() -> Self {
        Self::Text(String::new())
    }
}

impl fmt::Display for QueryId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Text(text) => f.write_str(text),
            Self::Number(number) => number.fmt(f),
        }
    }
}

impl From<&str> for QueryId {
    fn from(text: &str) -> Self {
        Self::Text(text.to_owned())
    }
}

impl From<String> for QueryId {
    fn from(text: String) -> Self {
        Self::Text(text)
    }
}

impl From<u64> for QueryId {
    fn from(number: u64) -> Self {
        Self::Number(number.into())
    }
}

/// A picture: JPEG, PNG, WebP or GIF.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ImageSource {
    /// A file.
    File(PathBuf),
    /// The bytes of a file.
    Bytes(Arc<[u8]>),
}

/// The right answer of a query, for evaluation.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Gold {
    /// A BIO or BIOES label for each word.
    Labels(Vec<String>),
    /// Entities with their types; a span counts words, or characters where the sentence came as text.
    Entities(Vec<(Range<usize>, String)>),
    /// A relation.
    Relation(String),
}

/// Where a query was read, for errors that name it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Origin {
    pub path: Arc<Path>,
    pub line: u64,
}

/// What is asked of a [`Session`](crate::Session).
///
/// ```
/// use morelet::Query;
///
/// let query = Query::text("Kolo loves the sun")
///     .id("tweet-1")
///     .image_file("kolo.jpg")
///     .contexts("image", ["Kolo is an alpaca."]);
/// # let _ = query;
/// ```
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct Query {
    /// Its name.
    pub id: QueryId,
    /// The sentence.
    pub words: Words,
    /// The picture.
    pub image: Option<ImageSource>,
    /// The subject of the relation that is asked for: words, or characters of a text; end exclusive.
    pub subject: Option<Range<usize>>,
    /// The object of the relation that is asked for.
    pub object: Option<Range<usize>>,
    /// Contexts that replace retrieval, keyed by an expert's name or a context kind. An empty list means
    /// *looked, found nothing*.
    pub contexts: BTreeMap<String, Vec<String>>,
    /// The right answer.
    pub gold: Option<Gold>,
    pub(crate) origin: Option<Origin>,
}

impl Query {
    fn new(words: Words) -> Self {
        Self {
            id: QueryId::default(),
            words,
            image: None,
            subject: None,
            object: None,
            contexts: BTreeMap::new(),
            gold: None,
            origin: None,
        }
    }

    /// Asks about running text.
    pub fn text(text: impl Into<String>) -> Self {
        Self::new(Words::Text(text.into()))
    }

    /// Asks about words that are split already.
    pub fn tokens<S: Into<String>>(tokens: impl IntoIterator<Item = S>) -> Self {
        Self::new(Words::Tokens(tokens.into_iter().map(Into::into).collect()))
    }

    /// Names the query. Random contexts depend on the name.
    #[must_use]
    pub fn id(mut self, id: impl Into<QueryId>) -> Self {
        self.id = id.into();
        self
    }

    /// Adds the picture in a file, which is read when the query is answered.
    #[must_use]
    pub fn image_file(mut self, path: impl Into<PathBuf>) -> Self {
        self.image = Some(ImageSource::File(path.into()));
        self
    }

    /// Adds a picture from memory, in the bytes of a JPEG, PNG, WebP or GIF file.
    #[must_use]
    pub fn image_bytes(mut self, bytes: impl Into<Arc<[u8]>>) -> Self {
        self.image = Some(ImageSource::Bytes(bytes.into()));
        self
    }

    /// Says which words, or characters of a text, are the subject of the relation.
    #[must_use]
    pub fn subject(mut self, span: Range<usize>) -> Self {
        self.subject = Some(span);
        self
    }

    /// Says which words, or characters of a text, are the object of the relation.
    #[must_use]
    pub fn object(mut self, span: Range<usize>) -> Self {
        self.object = Some(span);
        self
    }

    /// Brings the contexts of an expert, by its name or by its context kind, so that nothing is retrieved
    /// for it. An empty list means *looked, found nothing*.
    #[must_use]
    pub fn contexts<S: Into<String>>(
        mut self,
        key: impl Into<String>,
        texts: impl IntoIterator<Item = S>,
    ) -> Self {
        let texts = texts.into_iter().map(Into::into).collect();
        self.contexts.insert(key.into(), texts);
        self
    }

    /// Adds the right answer, for evaluation.
    #[must_use]
    pub fn gold(mut self, gold: Gold) -> Self {
        self.gold = Some(gold);
        self
    }
}

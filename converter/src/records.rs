//! JSON lines: the corpus, and the list of pictures.

use crate::Result;
use morelet::Lines;
use serde::Deserialize;
use serde::de::DeserializeOwned;
use std::marker::PhantomData;
use std::path::Path;

/// An article: `{"id", "title", "paragraphs": [text or list of sentences]}`. Other keys are ignored.
#[derive(Debug, Deserialize)]
#[serde(expecting = "an object with `id`, `title` and `paragraphs`")]
pub struct CorpusRecord {
    /// Its id.
    pub id: Id,
    /// Its title.
    pub title: String,
    /// Its paragraphs.
    pub paragraphs: Vec<ParagraphRecord>,
}

/// A paragraph, whole or already cut into sentences.
#[derive(Debug, Deserialize)]
#[serde(
    untagged,
    expecting = "expected a paragraph to be a text or a list of sentences"
)]
pub enum ParagraphRecord {
    /// A text, to be cut into sentences.
    Text(String),
    /// Sentences.
    Sentences(Vec<String>),
}

/// A picture: `{"id", "title", "intro", "image": "path"}`. Other keys are ignored.
#[derive(Debug, Deserialize)]
#[serde(expecting = "an object with `id`, `title`, `intro` and `image`")]
pub struct ImageRecord {
    /// Its id.
    pub id: Id,
    /// The title of its article.
    pub title: String,
    /// The introduction of its article.
    pub intro: String,
    /// Its file, relative to the list.
    pub image: String,
}

/// An id, which some write as a number.
#[derive(Debug, Deserialize)]
#[serde(untagged, expecting = "expected `id` to be a text or a whole number")]
pub enum Id {
    /// `"12"`
    Text(String),
    /// `12`
    Number(i64),
}

impl Id {
    /// The id as text.
    pub fn into_text(self) -> String {
        match self {
            Self::Text(text) => text,
            Self::Number(number) => number.to_string(),
        }
    }
}

/// What is wrong with a record, and in which column of its line.
pub fn message(error: &serde_json::Error) -> String {
    // The line that serde_json counts is that of the record, not of the file.
    let text = error.to_string();
    let text = text.split(" at line ").next().unwrap_or_default();
    format!("{text} (column {})", error.column())
}

/// The records of a file, plain or compressed, or of standard input.
pub struct Records<T> {
    lines: Lines,
    record: PhantomData<T>,
}

impl<T: DeserializeOwned> Records<T> {
    /// Opens a file of JSON lines; `-` is standard input.
    pub fn open(path: &Path) -> Result<Self> {
        Ok(Self {
            lines: Lines::open(path)?,
            record: PhantomData,
        })
    }

    /// The next record; `None` at the end. Empty lines are passed over.
    ///
    /// # Errors
    /// With file and line, where the line is not such a record.
    pub fn next_record(&mut self) -> Result<Option<T>> {
        let parsed = loop {
            match self.lines.next_line()? {
                None => return Ok(None),
                Some(line) if line.trim().is_empty() => {}
                Some(line) => break serde_json::from_str(line),
            }
        };
        parsed
            .map(Some)
            .map_err(|error| self.error(message(&error)))
    }

    /// Passes over the next record without looking at it. `false` at the end.
    pub fn pass(&mut self) -> Result<bool> {
        loop {
            match self.lines.next_line()? {
                None => return Ok(false),
                Some(line) if line.trim().is_empty() => {}
                Some(_) => return Ok(true),
            }
        }
    }

    /// File and line of what was read last.
    pub fn place(&self) -> String {
        format!("{}:{}", self.lines.path().display(), self.lines.number())
    }

    /// An error at the line that was read last.
    pub fn error(&self, message: impl Into<String>) -> crate::Error {
        self.lines.error(message).into()
    }
}

//! The queries of a search: from the command line, or a file of them.

use super::SearchKind;
use crate::jsonl::readable;
use crate::query::{ImageSource, Origin};
use crate::{Error, Lines, Queries, Query, QueryFormat, QueryId, Result, Sentence};
use serde::Deserialize;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// One query.
pub(in crate::cli) struct Asked {
    /// Its name, where it has one.
    pub id: Option<QueryId>,
    /// The sentence, or the path of the picture.
    pub text: String,
    /// The directory that the path is relative to.
    beside: Arc<Path>,
    origin: Option<Origin>,
}

impl Asked {
    /// A query of the command line.
    pub fn by_hand(query: &str) -> Self {
        Self {
            id: None,
            text: query.to_owned(),
            beside: Path::new("").into(),
            origin: None,
        }
    }

    /// The path of the picture, from where the program runs.
    pub fn picture(&self) -> PathBuf {
        self.beside.join(&self.text)
    }

    /// The error, told as one of the line that the query was read from.
    pub fn blame(&self, error: Error) -> Error {
        match &self.origin {
            Some(origin) => error.of_line(origin),
            None => error,
        }
    }
}

/// What a search for pictures reads of a line that `predict` could read: it needs no sentence.
#[derive(Deserialize)]
#[serde(expecting = "an object with `image`")]
struct PictureLine {
    id: Option<QueryId>,
    /// A path.
    image: Option<String>,
}

/// Reads the queries of a file one by one.
pub(in crate::cli) struct Asking {
    kind: SearchKind,
    source: Source,
    /// The directory that paths are relative to.
    beside: Arc<Path>,
}

enum Source {
    Queries(Queries),
    /// One a line.
    Lines {
        lines: Lines,
        /// For errors.
        path: Arc<Path>,
        /// Whether a query without a name has that of its line's number.
        numbered: bool,
    },
}

impl Asking {
    pub fn open(input: &Path, kind: SearchKind) -> Result<Self> {
        let (source, beside) = match (format(input), kind) {
            // These have joined their directory to their paths already.
            (Some(format), SearchKind::Text) | (Some(format @ QueryFormat::Conll), _) => (
                Source::Queries(Queries::open(input, Some(format), None)?),
                Path::new(""),
            ),
            // A picture needs no sentence.
            (format, _) => {
                let lines = Lines::open(input)?;
                let path = lines.path().into();
                let beside = input.parent().unwrap_or(Path::new(""));
                let numbered = format.is_some();
                (
                    Source::Lines {
                        lines,
                        path,
                        numbered,
                    },
                    beside,
                )
            }
        };
        Ok(Self {
            kind,
            source,
            beside: beside.into(),
        })
    }

    fn read(&mut self) -> Result<Option<Asked>> {
        match &mut self.source {
            Source::Queries(queries) => {
                let Some(query) = queries.next().transpose()? else {
                    return Ok(None);
                };
                let text = text(self.kind, &query).map_err(|error| error.of_query(&query))?;
                Ok(Some(Asked {
                    id: Some(query.id),
                    text,
                    beside: self.beside.clone(),
                    origin: query.origin,
                }))
            }
            Source::Lines {
                lines,
                path,
                numbered,
            } => loop {
                let Some(line) = lines.next_line()? else {
                    return Ok(None);
                };
                if line.trim().is_empty() {
                    continue;
                }
                let asked = of_line(self.kind, line);
                let origin = Origin {
                    path: path.clone(),
                    line: lines.number(),
                };
                let (id, text) = asked.map_err(|error| error.of_line(&origin))?;
                let number = || numbered.then(|| QueryId::from(lines.number()));
                let id = id.or_else(number);
                break Ok(Some(Asked {
                    id,
                    text,
                    beside: self.beside.clone(),
                    origin: Some(origin),
                }));
            },
        }
    }
}

impl Iterator for Asking {
    type Item = Result<Asked>;

    fn next(&mut self) -> Option<Self::Item> {
        self.read().transpose()
    }
}

/// CoNLL is told by the name; anything else holds one query a line. A `.txt` is more likely to be a list of sentences
/// here than columns.
fn format(input: &Path) -> Option<QueryFormat> {
    let name = input.file_name()?.to_str()?.to_lowercase();
    let plain = [".zst", ".gz", ".bz2"]
        .iter()
        .find_map(|end| name.strip_suffix(end))
        .unwrap_or(&name);
    QueryFormat::of_path(input).filter(|_| !plain.ends_with(".txt"))
}

/// What a query of a file asks.
fn text(kind: SearchKind, query: &Query) -> Result<String> {
    match (kind, &query.image) {
        (SearchKind::Text, _) => Ok(Sentence::new(&query.words).text().to_owned()),
        (SearchKind::Image, Some(ImageSource::File(path))) => {
            Ok(path.to_string_lossy().into_owned())
        }
        (SearchKind::Image, _) => Err(no_picture()),
    }
}

/// The name, where it has one, and the query of a line: a JSON object as `predict` reads it, or the query itself.
fn of_line(kind: SearchKind, line: &str) -> Result<(Option<QueryId>, String)> {
    if !line.trim_start().starts_with('{') {
        return Ok((None, line.to_owned()));
    }
    let (id, text) = match kind {
        SearchKind::Text => {
            let query = Query::from_json(line)?;
            let text = text(kind, &query)?;
            (Some(query.id), text)
        }
        SearchKind::Image => {
            let line: PictureLine = serde_json::from_str(line).map_err(|error| readable(&error))?;
            (line.id, line.image.ok_or_else(no_picture)?)
        }
    };
    Ok((id.filter(|id| *id != QueryId::default()), text))
}

fn no_picture() -> Error {
    Error::input("there is no `image` to search with")
}

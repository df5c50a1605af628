//! The queries of a search: from the command line, or a file of them.

use super::SearchKind;
use crate::jsonl::readable;
use crate::query::Origin;
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
        /// Whether every line is JSON; the number of a line without a name is its name then, and paths are told with their directory.
        json: bool,
    },
}

impl Asking {
    pub fn open(input: &Path, kind: SearchKind) -> Result<Self> {
        let format = format(input);
        let source = match (format, kind) {
            (Some(format), SearchKind::Text) => {
                Source::Queries(Queries::open(input, Some(format), None)?)
            }
            (Some(QueryFormat::Conll), SearchKind::Image) => {
                let message = "pictures are searched for by their paths, one a line, or in JSON lines; got sentences in columns";
                return Err(Error::input(message).at(input));
            }
            // A picture needs no sentence.
            (None | Some(QueryFormat::JsonLines), _) => {
                let lines = Lines::open(input)?;
                let path = lines.path().into();
                let json = format.is_some();
                Source::Lines { lines, path, json }
            }
        };
        let beside = input.parent().unwrap_or(Path::new("")).into();
        Ok(Self {
            kind,
            source,
            beside,
        })
    }

    fn read(&mut self) -> Result<Option<Asked>> {
        match &mut self.source {
            Source::Queries(queries) => {
                let Some(query) = queries.next().transpose()? else {
                    return Ok(None);
                };
                Ok(Some(Asked {
                    text: sentence(&query),
                    id: Some(query.id),
                    beside: self.beside.clone(),
                    origin: query.origin,
                }))
            }
            Source::Lines { lines, path, json } => loop {
                let Some(line) = lines.next_line()? else {
                    return Ok(None);
                };
                if line.trim().is_empty() {
                    continue;
                }
                let is_json = *json || line.trim_start().starts_with('{');
                let asked = match is_json {
                    true => of_json(self.kind, line),
                    false => Ok((None, line.to_owned())),
                };
                let origin = Origin {
                    path: path.clone(),
                    line: lines.number(),
                };
                let (id, text) = asked.map_err(|error| error.of_line(&origin))?;
                let mut asked = Asked {
                    id,
                    text,
                    beside: self.beside.clone(),
                    origin: Some(origin),
                };
                if *json {
                    asked
                        .id
                        .get_or_insert_with(|| lines.number().to_string().into());
                    asked.text = asked.picture().to_string_lossy().into_owned();
                    asked.beside = Path::new("").into();
                }
                break Ok(Some(asked));
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

/// The sentence of a query.
fn sentence(query: &Query) -> String {
    Sentence::new(&query.words).text().to_owned()
}

/// The name, where it has one, and the query of a JSON object as `predict` reads it.
fn of_json(kind: SearchKind, line: &str) -> Result<(Option<QueryId>, String)> {
    let (id, text) = match kind {
        SearchKind::Text => {
            let query = Query::from_json(line)?;
            (Some(query.id.clone()), sentence(&query))
        }
        SearchKind::Image => {
            let line: PictureLine = serde_json::from_str(line).map_err(|error| readable(&error))?;
            let none = || Error::input("there is no `image` to search with");
            (line.id, line.image.ok_or_else(none)?)
        }
    };
    Ok((id.filter(|id| *id != QueryId::default()), text))
}

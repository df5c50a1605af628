//! A file of queries: JSON lines or CoNLL columns.

use crate::conll::Sentences;
use crate::input::Lines;
use crate::query::{ImageSource, Origin, Query, QueryId};
use crate::{Error, Result};
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// How the queries of a file are written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum QueryFormat {
    /// A JSON object a line: see [`Query::from_json`].
    JsonLines,
    /// A word a line with its label, a blank line after each sentence.
    Conll,
}

impl QueryFormat {
    /// The format that a name stands for, compressed or not: `.jsonl`, `.ndjson` and `.json`, or
    /// `.conll`, `.bio`, `.iob`, `.tsv` and `.txt`.
    pub fn of_path(path: impl AsRef<Path>) -> Option<Self> {
        let name = path.as_ref().file_name()?.to_str()?.to_lowercase();
        let name = [".zst", ".gz", ".bz2"]
            .iter()
            .find_map(|end| name.strip_suffix(end))
            .unwrap_or(&name);
        match name.rsplit_once('.')?.1 {
            "jsonl" | "ndjson" | "json" => Some(Self::JsonLines),
            "conll" | "bio" | "iob" | "tsv" | "txt" => Some(Self::Conll),
            _ => None,
        }
    }
}

/// Reads the queries of a file one by one.
///
/// A query without an id is named by the number of its line (JSON) or of its sentence (CoNLL).
pub struct Queries {
    lines: Lines,
    path: Arc<Path>,
    images: PathBuf,
    /// Without `--images` the pictures of a CoNLL file are not there to be read.
    ignore_images: bool,
    /// Whether that was said.
    told: bool,
    sentences: Option<Sentences>,
    failed: bool,
}

impl Queries {
    /// Opens a file of queries, plain or compressed; `-` is standard input. `format` is told by the name where
    /// it is `None`; standard input holds JSON lines unless told otherwise.
    ///
    /// Pictures are looked for in `images`. Without it, those of a JSON file are relative to that file, and those of a CoNLL
    /// file are left out.
    ///
    /// # Errors
    /// `Io`; `Input` where the name tells no format.
    pub fn open(
        path: impl AsRef<Path>,
        format: Option<QueryFormat>,
        images: Option<&Path>,
    ) -> Result<Self> {
        let path = path.as_ref();
        let format = match format.or_else(|| QueryFormat::of_path(path)) {
            Some(format) => format,
            None if path == Path::new("-") => QueryFormat::JsonLines,
            None => {
                return Err(Error::input(
                    "the name does not tell the format; expected .jsonl or .conll, perhaps with .zst, .gz or .bz2",
                )
                .at(path));
            }
        };
        let lines = Lines::open(path)?;
        let beside = path.parent().unwrap_or(Path::new("")).to_owned();
        Ok(Self {
            path: lines.path().into(),
            lines,
            images: images.map_or(beside, Path::to_owned),
            ignore_images: images.is_none() && format == QueryFormat::Conll,
            told: false,
            sentences: (format == QueryFormat::Conll).then(Sentences::new),
            failed: false,
        })
    }

    fn read(&mut self) -> Result<Option<Query>> {
        let (line, mut query) = match &mut self.sentences {
            Some(sentences) => match sentences.next(&mut self.lines)? {
                Some(sentence) => sentence,
                None => return Ok(None),
            },
            None => loop {
                let Some(line) = self.lines.next_line()? else {
                    return Ok(None);
                };
                if line.trim().is_empty() {
                    continue;
                }
                let read = Query::from_json(line);
                let number = self.lines.number();
                let mut query = read.map_err(|error| error.at(&self.path).on_line(number))?;
                if query.id == QueryId::default() {
                    query.id = number.to_string().into();
                }
                break (number, query);
            },
        };
        if self.ignore_images && query.image.take().is_some() && !self.told {
            self.told = true;
            tracing::warn!(
                "{}: it names pictures, which are left out; --images DIR says where they lie",
                self.path.display()
            );
        }
        if let Some(ImageSource::File(file)) = &mut query.image {
            *file = self.images.join(&*file);
        }
        query.origin = Some(Origin {
            path: self.path.clone(),
            line,
        });
        Ok(Some(query))
    }
}

/// Ends after the first error: what follows a broken line cannot be trusted to be what it seems.
impl Iterator for Queries {
    type Item = Result<Query>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.failed {
            return None;
        }
        let next = self.read().transpose();
        self.failed = matches!(next, Some(Err(_)));
        next
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_tells_the_format() {
        let cases = [
            ("a.jsonl", Some(QueryFormat::JsonLines)),
            ("a.test.JSONL.zst", Some(QueryFormat::JsonLines)),
            ("a.conll.bz2", Some(QueryFormat::Conll)),
            ("test.txt", Some(QueryFormat::Conll)),
            ("a.gz", None),
            ("-", None),
        ];
        for (name, format) in cases {
            assert_eq!(QueryFormat::of_path(name), format, "{name}");
        }
    }

    #[test]
    fn pictures_are_relative_to_the_file_or_to_the_folder_of_pictures() {
        let folder = tempfile::tempdir().unwrap();
        let json = folder.path().join("q.jsonl");
        std::fs::write(&json, "\n{\"text\": \"a\", \"image\": \"p/x.png\"}\n").unwrap();
        let conll = folder.path().join("q.conll");
        std::fs::write(&conll, "IMGID:7\na\tO\n").unwrap();
        let image = |path: &Path, images: Option<&Path>| {
            let mut queries = Queries::open(path, None, images).unwrap();
            queries.next().unwrap().unwrap().image
        };
        let file = |path: PathBuf| Some(ImageSource::File(path));
        assert_eq!(image(&json, None), file(folder.path().join("p/x.png")));
        assert_eq!(
            image(&json, Some(Path::new("/i"))),
            file("/i/p/x.png".into())
        );
        assert_eq!(
            image(&conll, Some(Path::new("/i"))),
            file("/i/7.jpg".into())
        );
        assert_eq!(image(&conll, None), None);
    }

    #[test]
    fn a_bad_line_ends_the_reading_with_its_number() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("q.jsonl");
        std::fs::write(
            &path,
            "{\"text\": \"a\"}\n\n{\"text\": \n{\"text\": \"b\"}\n",
        )
        .unwrap();
        let mut queries = Queries::open(&path, None, None).unwrap();
        assert_eq!(queries.next().unwrap().unwrap().id, QueryId::from("1"));
        let error = queries.next().unwrap().unwrap_err();
        assert_eq!(
            (error.path(), error.line()),
            (Some(path.as_path()), Some(3))
        );
        assert!(queries.next().is_none());
    }
}

//! Sentences in CoNLL columns.
//!
//! ```text
//! IMGID:16_05_01_360
//! Citifield  B-LOC
//! Fan        O
//!
//! IMGID:O_2144
//! Just       O
//! ```
//!
//! The first column is the word and the last one its label; with one column there are no labels. Columns are separated
//! by tabs where a line has one, else by spaces. A blank line ends a sentence. `IMGID:x` says that the sentence which
//! follows has the picture `x.jpg`; `-DOCSTART-` lines are skipped.

use crate::Result;
use crate::input::Lines;
use crate::query::{Gold, Query};
use std::collections::HashMap;

/// The prefix of the line that names a picture.
const IMAGE_PREFIX: &str = "IMGID:";

/// Reads sentence after sentence.
pub(crate) struct Sentences {
    /// How often each picture was named so far.
    seen: HashMap<String, u64>,
    /// The sentences so far.
    count: u64,
}

impl Sentences {
    pub(crate) fn new() -> Self {
        Self {
            seen: HashMap::new(),
            count: 0,
        }
    }

    /// The next sentence with the number of its first line, or `None` at the end.
    ///
    /// Its id is the picture's `x` (`x#2`, `x#3`, … where a picture returns), or the sentence's number from
    /// 1 where it has no picture. The picture is `x.jpg`, relative to wherever pictures are.
    pub(crate) fn next(&mut self, lines: &mut Lines) -> Result<Option<(u64, Query)>> {
        let mut image: Option<String> = None;
        let mut tokens: Vec<String> = Vec::new();
        let mut labels: Vec<String> = Vec::new();
        let mut first = 0;
        while let Some(line) = lines.next_line()? {
            if line.trim_ascii().is_empty() {
                if tokens.is_empty() {
                    continue;
                }
                break;
            }
            if let Some(x) = line.strip_prefix(IMAGE_PREFIX) {
                let x = x.trim().to_owned();
                if !tokens.is_empty() {
                    return Err(lines.error(
                        "a picture in the middle of a sentence; expected a blank line before it",
                    ));
                }
                if x.is_empty() {
                    return Err(lines.error("`IMGID:` without a name"));
                }
                image = Some(x);
                continue;
            }
            if line.starts_with("-DOCSTART-") {
                continue;
            }
            let (token, label) = columns(line);
            let (token, label) = (token.to_owned(), label.map(str::to_owned));
            if token.is_empty() {
                return Err(lines.error("the first column, the word, is empty"));
            }
            if tokens.is_empty() {
                first = lines.number();
            } else if label.is_some() == labels.is_empty() {
                return Err(lines.error(match label {
                    Some(_) => "has a label, but the words before it have none",
                    None => "has no label, but the words before it have one",
                }));
            }
            tokens.push(token);
            labels.extend(label);
        }
        if tokens.is_empty() {
            return Ok(None);
        }
        self.count += 1;
        let mut query = Query::tokens(tokens);
        query = match image {
            None => query.id(self.count.to_string()),
            Some(x) => {
                let times = self.seen.entry(x.clone()).or_default();
                *times += 1;
                let id = if *times == 1 {
                    x.clone()
                } else {
                    format!("{x}#{times}")
                };
                query.id(id).image_file(format!("{x}.jpg"))
            }
        };
        if !labels.is_empty() {
            query = query.gold(Gold::Labels(labels));
        }
        Ok(Some((first, query)))
    }
}

/// The first column and, where there is more than one, the last.
fn columns(line: &str) -> (&str, Option<&str>) {
    if line.contains('\t') {
        // Only ASCII blanks part columns: a word may be a no-break space.
        let line = line.trim_ascii_end();
        match (line.split_once('\t'), line.rsplit_once('\t')) {
            (Some((first, _)), Some((_, last))) => (first.trim_ascii(), Some(last.trim_ascii())),
            _ => (line.trim_ascii(), None),
        }
    } else {
        let mut columns = line.split_ascii_whitespace();
        (columns.next().unwrap_or_default(), columns.next_back())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::query::{ImageSource, QueryId};
    use crate::words::Words;

    fn read(text: &str) -> Result<Vec<(u64, Query)>> {
        let reader = Box::new(std::io::Cursor::new(text.to_owned().into_bytes()));
        let mut lines = Lines::new(reader, "test.conll");
        let mut sentences = Sentences::new();
        std::iter::from_fn(|| sentences.next(&mut lines).transpose()).collect()
    }

    #[test]
    fn reads_words_labels_and_pictures() {
        let read = read(
            "-DOCSTART- O\n\nIMGID:a\nNew\tNNP\tB-LOC\nYork\tNNP\tI-LOC\n\n\n\nIMGID:b\n# O\nhi O\n\n\
             alone\n\nIMGID:a\nagain\tO\r\n",
        )
        .unwrap();
        let ids: Vec<String> = read.iter().map(|(_, query)| query.id.to_string()).collect();
        assert_eq!(ids, ["a", "b", "3", "a#2"]);
        assert_eq!(
            read.iter().map(|(line, _)| *line).collect::<Vec<_>>(),
            [4, 10, 13, 16]
        );
        let (_, first) = &read[0];
        assert_eq!(
            first.words,
            Words::Tokens(vec!["New".into(), "York".into()])
        );
        assert_eq!(
            first.gold,
            Some(Gold::Labels(vec!["B-LOC".into(), "I-LOC".into()]))
        );
        assert_eq!(first.image, Some(ImageSource::File("a.jpg".into())));
        assert_eq!(
            read[1].1.words,
            Words::Tokens(vec!["#".into(), "hi".into()])
        );
        assert_eq!((&read[2].1.gold, &read[2].1.image), (&None, &None));
        assert_eq!(read[2].1.id, QueryId::from("3"));
        assert_eq!(read[3].1.gold, Some(Gold::Labels(vec!["O".into()])));
    }

    #[test]
    fn names_the_line_that_breaks_the_columns() {
        let cases = [
            ("a\tO\nb\n", 2, "no label"),
            ("a\nb\tO\n", 2, "has a label"),
            ("a\tO\nIMGID:x\n", 2, "in the middle"),
            ("\n\tO\n", 2, "empty"),
            ("IMGID:\n", 1, "without a name"),
        ];
        for (text, line, message) in cases {
            let error = read(text).unwrap_err();
            assert_eq!(error.line(), Some(line), "{text:?}");
            assert!(error.to_string().contains(message), "{text:?}: {error}");
        }
    }

    #[test]
    fn an_empty_file_has_no_sentences() {
        assert!(read("").unwrap().is_empty());
        assert!(read("\n\n-DOCSTART-\n").unwrap().is_empty());
        assert!(read("IMGID:x\n").unwrap().is_empty());
    }
}

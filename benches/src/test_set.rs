//! The sentences of the test sets of the task: CoNLL files, and files of Python's dictionaries.

use std::path::Path;

use crate::{Lines, Result, open};

/// The sentences of a test set, each as its words joined by single spaces.
///
/// Two forms are told apart by the first line. CoNLL: a word and its label a line, an empty line between sentences, lines
/// of `IMGID:` in between. MNRE: a Python dictionary a line, whose first list of strings are the words.
pub struct TestSet {
    lines: Lines,
    dictionaries: bool,
    /// The first line, not yet used.
    first: Option<String>,
}

impl TestSet {
    /// Opens the file at `path`.
    pub fn open(path: impl AsRef<Path>) -> Result<TestSet> {
        let mut lines = open(path)?;
        let first = lines.next()?.map(str::to_owned);
        Ok(TestSet {
            dictionaries: first.as_deref().is_some_and(|line| line.starts_with('{')),
            first,
            lines,
        })
    }

    /// The next sentence.
    pub fn next_sentence(&mut self) -> Result<Option<String>> {
        let mut sentence = Vec::new();
        while let Some(line) = self.next_line()? {
            if self.dictionaries {
                let words = words(&line).ok_or_else(|| format!("no list of words in {line:?}"))?;
                return Ok(Some(words.join(" ")));
            }
            if line.trim().is_empty() {
                if !sentence.is_empty() {
                    break;
                }
            } else if !line.starts_with("IMGID:") {
                sentence.extend(line.split_whitespace().next().map(str::to_owned));
            }
        }
        Ok((!sentence.is_empty()).then(|| sentence.join(" ")))
    }

    fn next_line(&mut self) -> Result<Option<String>> {
        Ok(match self.first.take() {
            Some(line) => Some(line),
            None => self.lines.next()?.map(str::to_owned),
        })
    }
}

/// The strings of the first list in a literal of Python's; `None` if it is damaged.
pub fn words(literal: &str) -> Option<Vec<String>> {
    let mut characters = literal[literal.find('[')? + 1..].chars();
    let mut words = Vec::new();
    loop {
        match characters.next()? {
            ']' => return Some(words),
            quote @ ('\'' | '"') => {
                let mut word = String::new();
                loop {
                    match characters.next()? {
                        '\\' => word.push(escaped(&mut characters)?),
                        end if end == quote => break,
                        character => word.push(character),
                    }
                }
                words.push(word);
            }
            ',' | ' ' => {}
            _ => return None,
        }
    }
}

/// What follows a backslash in a string of Python's.
fn escaped(characters: &mut std::str::Chars<'_>) -> Option<char> {
    let digits = match characters.next()? {
        'x' => 2,
        'u' => 4,
        'U' => 8,
        'n' => return Some('\n'),
        't' => return Some('\t'),
        'r' => return Some('\r'),
        other => return Some(other),
    };
    let code: String = characters.take(digits).collect();
    char::from_u32(u32::from_str_radix(&code, 16).ok()?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_words_of_a_dictionary_are_read() {
        let line = r#"{'token': ['RT', "don't", 'a\'b"', '\xe9\U0001f600'], 'h': {'pos': [1, 2]}}"#;
        let read = words(line).unwrap();
        assert_eq!(read, ["RT", "don't", "a'b\"", "\u{e9}\u{1f600}"]);
        for damaged in ["", "{'token': ['a", "{'token': [1]}", r"['\xzz']"] {
            assert_eq!(words(damaged), None, "{damaged}");
        }
    }

    #[test]
    fn the_words_of_a_conll_file_are_read() {
        let folder = std::env::temp_dir().join(format!("morelet-test-set-{}", std::process::id()));
        std::fs::write(&folder, "IMGID:1\nA\tO\nb\tB-X\n\n\nIMGID:2\nC O\n").unwrap();
        let mut set = TestSet::open(&folder).unwrap();
        assert_eq!(set.next_sentence().unwrap().unwrap(), "A b");
        assert_eq!(set.next_sentence().unwrap().unwrap(), "C");
        assert_eq!(set.next_sentence().unwrap(), None);
        std::fs::remove_file(folder).unwrap();
    }
}

//! Files of lines, read as they come.

use std::fs::File;
use std::io::{BufRead, BufReader};
use std::path::Path;

use morelet_indices::Analyzer;

use crate::Result;

/// Opens a file for reading line by line, decompressing it where its name ends in `.zst`.
pub fn open(path: impl AsRef<Path>) -> Result<Lines> {
    let path = path.as_ref();
    let file = File::open(path).map_err(|error| format!("{}: {error}", path.display()))?;
    let reader: Box<dyn BufRead> = match path.extension().is_some_and(|end| end == "zst") {
        true => Box::new(BufReader::with_capacity(1 << 20, zstd::Decoder::new(file)?)),
        false => Box::new(BufReader::with_capacity(1 << 20, file)),
    };
    Ok(Lines {
        reader,
        line: String::new(),
    })
}

/// The lines of a file, each without its end.
pub struct Lines {
    reader: Box<dyn BufRead>,
    line: String,
}

impl Lines {
    /// The next line; `None` after the last.
    #[expect(
        clippy::should_implement_trait,
        reason = "a line lives until the next one is read"
    )]
    pub fn next(&mut self) -> Result<Option<&str>> {
        self.line.clear();
        Ok(match self.reader.read_line(&mut self.line)? {
            0 => None,
            _ => Some(self.line.trim_end_matches(['\n', '\r'])),
        })
    }

    /// All lines.
    pub fn all(mut self) -> Result<Vec<String>> {
        let mut lines = Vec::new();
        while let Some(line) = self.next()? {
            lines.push(line.to_owned());
        }
        Ok(lines)
    }
}

/// Puts the terms of `text` into `line`, joined by single spaces, such that analysing the line gives the same terms.
///
/// One analysis is as good as always enough. Lower case can have other word boundaries than the text had, though
/// (`İ` becomes `i`), so the line is analysed again until it stays as it is.
pub fn terms_of(text: &str, line: &mut String) {
    join(text, line);
    loop {
        let before = std::mem::take(line);
        join(&before, line);
        // Each round can only split a term further, and the shortest term cannot be split.
        if *line == before {
            return;
        }
    }
}

fn join(text: &str, line: &mut String) {
    line.clear();
    Analyzer::Standard.for_each_term(text, |term| {
        if !line.is_empty() {
            line.push(' ');
        }
        line.push_str(term);
    });
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_of_terms_has_itself_as_its_terms() {
        let mut line = String::new();
        for (text, terms) in [
            (
                "Obama's #USA2016 win! http://t.co/aB1",
                "obama's usa2016 win http t.co ab1",
            ),
            ("U.S.A. 3.14 \u{130}I \u{1f600}", "u.s.a 3.14 ii \u{1f600}"),
            ("… !", ""),
        ] {
            terms_of(text, &mut line);
            assert_eq!(line, terms);
            let again = Analyzer::Standard.terms(&line);
            assert_eq!(again, line.split_terminator(' ').collect::<Vec<_>>());
        }
    }
}

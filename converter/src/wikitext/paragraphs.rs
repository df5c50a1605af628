//! The third pass: lines to paragraphs, and marks to text.

use super::marks::{ANCHOR, ANCHOR_END, ANCHOR_TEXT, BREAK, BROKEN, HOLE, is_mark, unprotect};
use super::quotes;
use std::borrow::Cow;

/// What starts a line of a list, of an indented note, of a definition.
const LIST: [char; 4] = ['*', '#', ':', ';'];

/// Joins lines to paragraphs. Returns them with anchors, and the introduction without: the first
/// paragraph of prose before the first heading, or else the first anywhere.
///
/// `open_table`: a table was never closed, so lines that start with `!` are its cells.
pub fn split(text: &str, open_table: bool) -> (Vec<String>, String) {
    let mut pass = Paragraphs {
        open_table,
        ..Paragraphs::default()
    };
    for line in text.split('\n') {
        let line = line.find(BROKEN).map_or(line, |broken| &line[..broken]);
        for (index, part) in line.split(BREAK).enumerate() {
            if index > 0 {
                pass.flush(true);
            }
            pass.line(part);
        }
    }
    pass.flush(true);
    (pass.done, pass.introduction)
}

#[derive(Default)]
struct Paragraphs {
    open_table: bool,
    done: Vec<String>,
    introduction: String,
    /// The paragraph that is being read, with marks.
    current: String,
}

impl Paragraphs {
    fn line(&mut self, line: &str) {
        let line = without_switches(line);
        let line = line.trim_matches(|c: char| c.is_whitespace() || c == HOLE);
        let is_cell = line.starts_with('|')
            || line.starts_with("{|")
            || (self.open_table && line.starts_with('!'));
        let is_heading = line.len() > 2 && line.starts_with('=') && line.ends_with('=');
        if line.is_empty() || is_cell || is_heading {
            return self.flush(true);
        }
        if line.starts_with(LIST) {
            self.flush(true);
            self.current =
                quotes::remove(line.trim_start_matches(|c: char| {
                    LIST.contains(&c) || c.is_whitespace() || c == HOLE
                }));
            return self.flush(false);
        }
        let line = if line.starts_with("----") {
            self.flush(true);
            line.trim_start_matches('-')
        } else {
            line
        };
        if !self.current.is_empty() {
            self.current.push('\n');
        }
        self.current.push_str(&quotes::remove(line));
    }

    /// Ends the paragraph; only prose can be an introduction.
    fn flush(&mut self, prose: bool) {
        let marked = std::mem::take(&mut self.current);
        let text = render(&marked, true);
        if !text.contains(char::is_alphanumeric) {
            return;
        }
        if prose && self.introduction.is_empty() {
            self.introduction = render(&marked, false);
        }
        self.done.push(text);
    }
}

/// Removes `__NOTOC__` and its like.
fn without_switches(line: &str) -> Cow<'_, str> {
    if !line.contains("__") {
        return line.into();
    }
    let mut pieces = line.split("__").peekable();
    let mut kept = pieces.next().unwrap_or_default().to_owned();
    while let Some(piece) = pieces.next() {
        let is_switch = !piece.is_empty() && piece.bytes().all(|byte| byte.is_ascii_uppercase());
        match pieces.peek() {
            Some(_) if is_switch => kept.push_str(pieces.next().unwrap_or_default()),
            _ => {
                kept.push_str("__");
                kept.push_str(piece);
            }
        }
    }
    kept.into()
}

/// Writes the text that the marks stand for, with single blanks.
fn render(marked: &str, anchors: bool) -> String {
    let mut text = Text::default();
    let mut chars = marked.chars();
    while let Some(c) = chars.next() {
        match c {
            ANCHOR => {
                let title: String = chars
                    .by_ref()
                    .take_while(|&c| c != ANCHOR_TEXT)
                    .map(unprotect)
                    .collect();
                if anchors {
                    text.open(&title);
                }
            }
            ANCHOR_END if anchors => text.close(),
            HOLE => text.hole = true,
            c if is_mark(c) && unprotect(c) == c => {}
            c if c.is_whitespace() => text.blank = true,
            // Joiners, directions and hyphens that are shown only at the end of a line.
            '\u{AD}' | '\u{200B}' | '\u{200E}' | '\u{200F}' | '\u{FEFF}' => {}
            c => text.push(unprotect(c)),
        }
    }
    text.out
}

#[derive(Default)]
struct Text {
    out: String,
    /// A blank is due before the next character.
    blank: bool,
    /// Something was removed since the last character.
    hole: bool,
    /// Where the anchor that is open starts, and its text.
    anchor: Option<(usize, usize)>,
}

impl Text {
    fn push(&mut self, c: char) {
        if self.hole && self.fill(c) {
            return;
        }
        self.hole = false;
        let at_start = self.out.is_empty()
            || self
                .anchor
                .is_some_and(|(_, start)| start == self.out.len());
        if self.blank && !at_start {
            self.out.push(' ');
        }
        self.blank = false;
        self.out.push(c);
        // Text that looks like an anchor is kept from being one.
        if (c == ':' && self.out.ends_with("<e:")) || (c == '>' && self.out.ends_with("</e>")) {
            self.out.insert(self.out.len() - 2, ' ');
        }
    }

    /// Mends the text around a hole, before `next`: `( , x)` is `(x)`, `x ; )` is `x)`, `( )` is
    /// nothing. Whether `next` goes with it.
    fn fill(&mut self, next: char) -> bool {
        let start = self.anchor.map_or(0, |(_, start)| start);
        let written = &self.out[start..];
        let opening = if next == ']' { '[' } else { '(' };
        let in_parenthesis = written.ends_with(['(', '[']);
        match next {
            ',' | ';' | ':' if in_parenthesis => {
                self.blank = false;
                return true;
            }
            ')' | ']' => {
                let kept = written.trim_end_matches([' ', ',', ';', ':']);
                let empty = kept.ends_with(opening);
                let kept = kept.strip_suffix(opening).unwrap_or(kept).trim_end();
                let len = start + kept.len();
                self.out.truncate(len);
                self.blank = empty;
                return empty;
            }
            ',' | ';' | ':' | '.' | '!' | '?' => {
                let len = start + written.trim_end_matches([' ', ',', ';', ':']).len();
                self.out.truncate(len);
                self.blank = false;
            }
            _ if in_parenthesis => self.blank = false,
            _ => {}
        }
        false
    }

    fn open(&mut self, title: &str) {
        if self.anchor.is_some() {
            return;
        }
        if self.hole && self.out.ends_with(['(', '[']) {
            self.blank = false;
        }
        self.hole = false;
        let start = self.out.len();
        if self.blank && start > 0 {
            self.out.push(' ');
        }
        self.blank = false;
        self.out.push_str("<e: ");
        self.out.push_str(title);
        self.out.push_str("> ");
        self.anchor = Some((start, self.out.len()));
    }

    fn close(&mut self) {
        if let Some((anchor, start)) = self.anchor.take() {
            if self.out.len() == start {
                self.out.truncate(anchor);
                self.blank = true;
            } else {
                self.out.push_str(" </e>");
            }
        }
    }
}

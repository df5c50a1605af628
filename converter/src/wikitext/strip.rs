//! The first pass: removes what is not prose, and finds the pictures.

use super::marks::{self, BREAK, BROKEN, HOLE, NOTHING};
use super::site::{Site, underscored};
use super::tags::{Closings, Kind, Tag};
use super::templates;
use std::collections::HashSet;

/// A page without comments, templates, tables, references and tags.
#[derive(Debug)]
pub struct Stripped {
    pub text: String,
    /// File names of pictures, in order of appearance.
    pub images: Vec<String>,
    /// A table was never closed, so that lines of its cells are among the text.
    pub open_table: bool,
}

/// Reads a page once from left to right.
pub fn strip(source: &str, site: &Site) -> Stripped {
    let mut pass = Strip {
        source,
        site,
        at: 0,
        out: String::with_capacity(source.len() / 2),
        open: Vec::new(),
        templates: 0,
        tables: 0,
        conversions: 0,
        line_start: true,
        closings: Closings::default(),
        images: Images::default(),
    };
    while pass.at < source.len() {
        pass.step();
    }
    Stripped {
        text: pass.out,
        images: pass.images.names,
        open_table: pass.tables > 0,
    }
}

/// Templates nested deeper than this are removed even if they are of those that show text.
const MAX_TEXT_DEPTH: usize = 8;

/// Language conversion is looked for within as many bytes.
const MAX_CONVERSION: usize = 2048;

/// Something that was opened and whose end is not seen yet.
struct Open {
    kind: Bracket,
    /// Length of the output before it.
    out: usize,
    /// Whether it stood at the beginning of a line.
    line_start: bool,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Bracket {
    /// `{{`, or `{{{` if the width is 3.
    Template { width: usize },
    /// `{|` or `<table>`.
    Table,
}

struct Strip<'a> {
    source: &'a str,
    site: &'a Site,
    at: usize,
    out: String,
    open: Vec<Open>,
    /// How many of `open` are templates, and tables.
    templates: usize,
    tables: usize,
    /// Openings of language conversion whose closing is still to be dropped.
    conversions: usize,
    /// Whether only blanks and colons stand before this place on its line.
    line_start: bool,
    closings: Closings,
    images: Images,
}

impl<'a> Strip<'a> {
    fn rest(&self) -> &'a str {
        &self.source[self.at..]
    }

    /// Copies text up to the next character that may be markup, and reads the markup there.
    fn step(&mut self) {
        let rest = self.rest();
        let special = |byte: &u8| matches!(byte, b'<' | b'{' | b'}' | b'|' | b'[' | &marks::LEAD);
        let Some(plain) = rest.as_bytes().iter().position(special) else {
            return self.copy(rest.len());
        };
        self.copy(plain);
        let rest = &rest[plain..];
        match rest.as_bytes()[0] {
            b'<' if rest.starts_with("<!--") => self.comment(rest),
            b'<' => self.tag(rest),
            b'{' => self.braces(rest),
            b'}' => self.closing_braces(rest),
            b'|' if self.ends_table(rest) => {
                self.at += 2;
                self.close_table();
            }
            b'[' if rest.starts_with("[[") => {
                if let Some(name) = self.site.file(&rest[2..]) {
                    self.images.add(name);
                }
                self.copy(2);
            }
            marks::LEAD => {
                let next = rest.chars().next().unwrap_or(NOTHING);
                if marks::is_mark(next) {
                    self.at += next.len_utf8();
                } else {
                    self.copy(next.len_utf8());
                }
            }
            _ => self.copy(1),
        }
    }

    /// Takes the next `len` bytes over as they are.
    fn copy(&mut self, len: usize) {
        let text = &self.rest()[..len];
        let line = text
            .rfind('\n')
            .map_or(text, |newline| &text[newline + 1..]);
        self.line_start = (self.line_start || line.len() < text.len())
            && line.chars().all(|c| c.is_whitespace() || c == ':');
        self.out.push_str(text);
        self.at += len;
    }

    fn mark(&mut self, mark: char) {
        self.out.push(mark);
    }

    /// A comment goes, and with it the line that held nothing else.
    fn comment(&mut self, rest: &str) {
        let Some(end) = rest[4..].find("-->") else {
            self.at = self.source.len();
            return;
        };
        let len = 4 + end + 3;
        self.at += len;
        let after = rest[len..].trim_start_matches([' ', '\t']);
        if self.line_start && after.starts_with('\n') {
            self.at = self.source.len() - after.len() + 1;
        }
    }

    fn tag(&mut self, rest: &'a str) {
        let Some(tag) = Tag::read(rest) else {
            return self.copy(1);
        };
        self.at += tag.len;
        let within = &rest[tag.len..];
        match tag.kind {
            Kind::Inline => {}
            Kind::Block => self.mark(BREAK),
            Kind::Blank => self.out.push(' '),
            Kind::Table if tag.closing => self.close_table(),
            Kind::Table => self.opened(Bracket::Table),
            _ if tag.closing => {}
            _ if tag.empty => self.mark(if tag.kind == Kind::Literal {
                NOTHING
            } else {
                HOLE
            }),
            kind => {
                let Some((end, after)) = self.closings.find(within, tag.name) else {
                    return self.mark(HOLE);
                };
                self.at += after;
                match kind {
                    Kind::Literal => {
                        marks::push_protected(&mut self.out, &within[..end].replace('\n', " "))
                    }
                    Kind::Gallery => {
                        self.images.add_each(&within[..end], self.site);
                        self.mark(HOLE);
                    }
                    _ => self.mark(HOLE),
                }
            }
        }
    }

    fn braces(&mut self, rest: &str) {
        let run = rest.bytes().take_while(|&byte| byte == b'{').count();
        if run >= 2 {
            // Of three, five, … braces, the innermost three are a parameter.
            let odd = run % 2;
            for pair in 1..=run / 2 {
                let width = if pair == run / 2 { 2 + odd } else { 2 };
                self.opened(Bracket::Template { width });
            }
            self.at += run;
        } else if self.line_start && rest[1..].starts_with('|') {
            self.opened(Bracket::Table);
            self.at += 2;
        } else if self.out.ends_with('-') {
            self.conversion(&rest[1..]);
        } else {
            self.copy(1);
        }
    }

    fn closing_braces(&mut self, rest: &str) {
        let mut run = rest.bytes().take_while(|&byte| byte == b'}').count();
        self.at += run;
        while run >= 2 && self.templates > 0 {
            let innermost = self
                .open
                .iter()
                .rev()
                .find(|open| open.kind != Bracket::Table);
            let width = match innermost.map(|open| open.kind) {
                Some(Bracket::Template { width }) => width.min(run),
                _ => 2,
            };
            self.close_template();
            run -= width;
        }
        if run == 1 {
            if self.conversions > 0 && self.rest().starts_with('-') {
                self.conversions -= 1;
                self.at += 1;
            } else {
                self.out.push('}');
                self.line_start = false;
            }
        }
    }

    /// Whether a table ends at this `|`. In `|}}` a template does, unless the table was opened inside it.
    fn ends_table(&self, rest: &str) -> bool {
        let in_table = self
            .open
            .last()
            .is_some_and(|open| open.kind == Bracket::Table);
        let braces = rest
            .bytes()
            .skip(1)
            .take(3)
            .take_while(|&byte| byte == b'}')
            .count();
        self.line_start
            && self.tables > 0
            && match braces {
                0 => false,
                1 => true,
                2 => in_table && self.templates == 0,
                _ => in_table,
            }
    }

    fn opened(&mut self, kind: Bracket) {
        match kind {
            Bracket::Table => self.tables += 1,
            Bracket::Template { .. } => self.templates += 1,
        }
        self.open.push(Open {
            kind,
            out: self.out.len(),
            line_start: self.line_start,
        });
        self.mark(BROKEN);
        self.line_start = false;
    }

    /// Takes back brackets up to the innermost of a kind: it, and what was opened in it and never closed.
    fn pop(&mut self, is_kind: impl Fn(Bracket) -> bool) -> Option<Open> {
        while let Some(open) = self.open.pop() {
            match open.kind {
                Bracket::Table => self.tables -= 1,
                Bracket::Template { .. } => self.templates -= 1,
            }
            if is_kind(open.kind) {
                return Some(open);
            }
        }
        None
    }

    fn close_table(&mut self) {
        if self.tables > 0
            && let Some(open) = self.pop(|kind| kind == Bracket::Table)
        {
            self.out.truncate(open.out);
            self.mark(HOLE);
            self.line_start = open.line_start;
        }
    }

    fn close_template(&mut self) {
        let Some(open) = self.pop(|kind| kind != Bracket::Table) else {
            return;
        };
        let content = &self.out[open.out + BROKEN.len_utf8()..];
        self.images.add_each(content, self.site);
        let is_text = open.kind == Bracket::Template { width: 2 }
            && self.templates < MAX_TEXT_DEPTH
            && !content.contains(BROKEN);
        let text = is_text.then(|| templates::text(content)).flatten();
        self.out.truncate(open.out);
        self.line_start = open.line_start && text.is_none();
        match text {
            Some(text) => self.out.push_str(&text),
            None => self.mark(HOLE),
        }
    }

    /// `-{zh-hans:a;zh-hant:b}-` is the first of its variants, `-{a}-` is `a`; what follows `-{` is `rest`.
    fn conversion(&mut self, rest: &str) {
        let window = rest
            .bytes()
            .take(MAX_CONVERSION)
            .take_while(|byte| !b"\n{".contains(byte))
            .count();
        let Some(end) = rest.as_bytes()[..window]
            .windows(2)
            .position(|pair| pair == b"}-")
        else {
            if rest[window..].starts_with('{') {
                self.begin_conversion();
            } else {
                self.copy(1);
            }
            return;
        };
        let content = &rest[..end];
        if content.contains(['<', '[']) {
            return self.begin_conversion();
        }
        self.out.pop();
        self.at += 1 + end + 2;
        let (flags, rules) = content.split_once('|').unwrap_or(("", content));
        if flags.contains(['H', 'T', '-', 'D']) {
            return self.mark(NOTHING);
        }
        let first = rules.split(';').next().unwrap_or_default();
        let text = match first.split_once(':') {
            Some((variant, text))
                if variant
                    .trim()
                    .bytes()
                    .all(|b| b.is_ascii_lowercase() || b == b'-') =>
            {
                text
            }
            _ => rules,
        };
        self.out
            .extend(text.trim().chars().filter(|&c| !marks::is_mark(c)));
        self.line_start = false;
    }

    /// Drops the marks of a conversion that holds other markup, and reads what is in it.
    fn begin_conversion(&mut self) {
        self.out.pop();
        self.at += 1;
        self.conversions += 1;
    }
}

/// File names of pictures, each once.
#[derive(Default)]
struct Images {
    names: Vec<String>,
    seen: HashSet<String>,
}

/// What image-index decodes; drawings (SVG), sounds and documents are no pictures to it.
const PICTURES: [&str; 5] = [".jpg", ".jpeg", ".png", ".gif", ".webp"];

/// Longest name of a file on a MediaWiki, in bytes.
const MAX_NAME: usize = 255;

impl Images {
    /// Adds a file if it is a picture.
    fn add(&mut self, name: &str) {
        let name = underscored(name);
        let mut chars = name.chars();
        let name: String = chars
            .next()
            .into_iter()
            .flat_map(char::to_uppercase)
            .chain(chars)
            .collect();
        let lower = name.to_ascii_lowercase();
        let is_picture = PICTURES
            .iter()
            .any(|end| lower.len() > end.len() && lower.ends_with(end));
        let is_name = name.len() <= MAX_NAME
            && !name.contains(['/', '\\', ':', '#', '<', '>', '"', '&'])
            && !name.contains(marks::is_mark);
        if is_picture && is_name && self.seen.insert(name.clone()) {
            self.names.push(name);
        }
    }

    /// Adds the pictures among the arguments of a template or the lines of a gallery.
    fn add_each(&mut self, content: &str, site: &Site) {
        for piece in content.split(['|', '=', '\n', '[', ']', '{', '}']) {
            let piece = piece.trim_matches(|c: char| c.is_whitespace() || marks::is_mark(c));
            if piece.contains('.') && piece.len() <= 2 * MAX_NAME {
                self.add(site.file(piece).unwrap_or(piece));
            }
        }
    }
}

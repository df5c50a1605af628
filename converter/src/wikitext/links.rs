//! The second pass: decides what each link is, and decodes character references.

use super::marks::{self, ANCHOR, ANCHOR_END, ANCHOR_TEXT, BREAK, BROKEN, HOLE};
use super::site::{Site, Target, underscored};
use quick_xml::escape::resolve_html5_entity;

/// Longest target of a link, in bytes: a title has at most 255, a section as many.
const MAX_TARGET: usize = 600;

/// Links nested deeper than this are no links: only captions of pictures hold any.
const MAX_DEPTH: usize = 16;

/// Longest character reference, in bytes: HTML's longest name has 31.
const MAX_REFERENCE: usize = 40;

/// What may stand after the bracket of a link to the web.
const PROTOCOLS: [&str; 9] = [
    "http://",
    "https://",
    "//",
    "ftp://",
    "mailto:",
    "news:",
    "irc://",
    "gopher://",
    "git://",
];

/// Reads the first pass's output once from left to right: links to articles become anchors, other links
/// their text, and files and categories nothing.
pub fn resolve(text: &str, site: &Site) -> String {
    let mut pass = Links {
        text,
        site,
        at: 0,
        out: String::with_capacity(text.len()),
        open: Vec::new(),
    };
    while pass.at < text.len() {
        pass.step();
    }
    pass.out
}

/// A link whose end is not seen yet.
struct Open {
    /// Length of the output before it.
    start: usize,
    kind: Link,
}

enum Link {
    /// `[[`
    Inner {
        /// Where the text after the first bar starts in the output.
        bar: Option<usize>,
        /// Another link stands in its text, which only the captions of files may hold.
        nested: bool,
    },
    /// `[http://`
    Outer,
}

struct Links<'a> {
    text: &'a str,
    site: &'a Site,
    at: usize,
    out: String,
    open: Vec<Open>,
}

impl<'a> Links<'a> {
    fn step(&mut self) {
        let rest = &self.text[self.at..];
        let special = |byte: &u8| matches!(byte, b'[' | b']' | b'|' | b'&' | b'\n');
        let plain = rest
            .as_bytes()
            .iter()
            .position(special)
            .unwrap_or(rest.len());
        self.out.push_str(&rest[..plain]);
        self.at += plain;
        let rest = &rest[plain..];
        if let Some(after) = rest.strip_prefix("[[") {
            self.begin(after);
        } else if rest.starts_with("]]")
            && !matches!(
                self.open.last(),
                Some(Open {
                    kind: Link::Outer,
                    ..
                })
            )
        {
            self.at += 2;
            self.end();
        } else if rest.starts_with(']') && self.end_outer() {
            self.at += 1;
        } else if let Some(len) = rest.strip_prefix('[').and_then(outer_len) {
            self.open.push(Open {
                start: self.out.len(),
                kind: Link::Outer,
            });
            self.at += 1 + len + usize::from(rest[1 + len..].starts_with(' '));
        } else if rest.starts_with('&') {
            self.reference(rest);
        } else if let Some(next) = rest.chars().next() {
            match next {
                '\n' => self.line_end(&rest[1..]),
                '|' => self.bar(),
                _ => {}
            }
            self.out.push(next);
            self.at += next.len_utf8();
        }
    }

    /// `[[`, before `after`.
    fn begin(&mut self, after: &str) {
        // A third bracket belongs to the text before: `[[[a]]]` shows `[a]`.
        if after.starts_with('[') && !after.starts_with("[[") {
            self.out.push('[');
            self.at += 1;
            return;
        }
        if outer_len(after).is_some() {
            // `[[http://a b]]`: somebody wrote one bracket too many, and sees it.
            self.out.push('[');
            self.at += 1;
            return;
        }
        self.at += 2;
        if self.open.len() >= MAX_DEPTH {
            return;
        }
        let start = self.out.len();
        if self.site.file(after).is_some() {
            self.out.push(BROKEN);
        }
        self.open.push(Open {
            start,
            kind: Link::Inner {
                bar: None,
                nested: false,
            },
        });
    }

    fn bar(&mut self) {
        let after = self.out.len() + 1;
        if let Some(Open {
            kind: Link::Inner { bar, .. },
            ..
        }) = self.open.last_mut()
        {
            bar.get_or_insert(after);
        }
    }

    /// `]]`
    fn end(&mut self) {
        let Some(Open {
            start,
            kind: Link::Inner { bar, nested },
        }) = self.open.pop()
        else {
            return;
        };
        let written = &self.out[start..bar.map_or(self.out.len(), |bar| bar - 1)];
        if written.starts_with(BROKEN) {
            return self.hide(start);
        }
        let target = target(written);
        let title = match target.as_deref().map(|target| self.site.target(target)) {
            Some(Target::Hidden | Target::File(_)) => return self.hide(start),
            Some(Target::Article(title)) if !nested => Some(title),
            Some(_) => None,
            None if bar.is_none() => return,
            None => None,
        };
        let mut text = self.out.split_off(bar.unwrap_or(start));
        self.out.truncate(start);
        let shown = target.as_deref().unwrap_or_default();
        if bar.is_none() {
            text.clear();
            marks::push_protected(&mut text, shown.trim().trim_start_matches(':'));
        } else if is_blank(&text) {
            text.clear();
            marks::push_protected(&mut text, before_parentheses(shown.trim()));
        }
        let after = &self.text[self.at..];
        let trail = &after[..after
            .find(|c: char| !c.is_lowercase())
            .unwrap_or(after.len())];
        match title {
            Some(title) if !is_blank(&text) => {
                self.out.push(ANCHOR);
                marks::push_protected(&mut self.out, &underscored(title));
                self.out.push(ANCHOR_TEXT);
                // An anchor lies on one line, whole.
                self.out.extend(
                    text.trim()
                        .chars()
                        .filter(|&c| c != BROKEN)
                        .map(|c| if matches!(c, '\n' | BREAK) { ' ' } else { c }),
                );
                let is_apart = text.ends_with(char::is_whitespace);
                if !is_apart {
                    self.out.push_str(trail);
                    self.at += trail.len();
                }
                self.out.push(ANCHOR_END);
                if is_apart && after.starts_with(char::is_alphanumeric) {
                    self.out.push(' ');
                }
                if let Some(Open {
                    kind: Link::Inner { nested, .. },
                    ..
                }) = self.open.last_mut()
                {
                    *nested = true;
                }
            }
            _ => self.out.push_str(&text),
        }
    }

    /// Removes what was written since `start`.
    fn hide(&mut self, start: usize) {
        self.out.truncate(start);
        self.out.push(HOLE);
    }

    /// `]` after a link to the web: what stands between its address and here is its text.
    fn end_outer(&mut self) -> bool {
        let Some(Open {
            start,
            kind: Link::Outer,
        }) = self.open.last()
        else {
            return false;
        };
        if is_blank(&self.out[*start..]) {
            self.out.push(HOLE);
        }
        self.open.pop();
        true
    }

    /// Links to the web end with their line, others with their paragraph or at a heading.
    fn line_end(&mut self, next_line: &str) {
        if next_line.starts_with(['\n', '=']) {
            self.open.clear();
        }
        while matches!(
            self.open.last(),
            Some(Open {
                kind: Link::Outer,
                ..
            })
        ) {
            self.open.pop();
        }
    }

    /// `&name;`, `&#8212;` or `&#x2014;`, as text.
    fn reference(&mut self, rest: &str) {
        let end = rest
            .bytes()
            .take(MAX_REFERENCE)
            .position(|byte| byte == b';');
        let decoded = end.and_then(|end| decode(&rest[1..end]).map(|text| (text, end + 1)));
        match decoded {
            Some((text, len)) => {
                marks::push_protected(&mut self.out, &text);
                self.at += len;
            }
            None => {
                self.out.push('&');
                self.at += 1;
            }
        }
    }
}

/// The text of a character reference, given what stands between `&` and `;`.
fn decode(name: &str) -> Option<String> {
    let Some(number) = name.strip_prefix('#') else {
        return resolve_html5_entity(name).map(str::to_owned);
    };
    let code = match number.strip_prefix(['x', 'X']) {
        Some(digits) => u32::from_str_radix(digits, 16),
        None => number.parse(),
    };
    let c = char::from_u32(code.ok()?)?;
    Some(if c.is_whitespace() {
        " ".to_owned()
    } else if c.is_control() {
        String::new()
    } else {
        c.to_string()
    })
}

/// What a link's target says, unless it is none.
fn target(written: &str) -> Option<String> {
    let target: String =
        (written.len() <= MAX_TARGET).then(|| written.chars().map(marks::unprotect).collect())?;
    (!target.contains(|c: char| "<>{}[]\n".contains(c) || marks::is_mark(c))).then_some(target)
}

/// Bytes of the address that `text` starts with, if it starts with one.
fn outer_len(text: &str) -> Option<usize> {
    let protocol = PROTOCOLS.iter().find(|known| {
        text.get(..known.len())
            .is_some_and(|start| start.eq_ignore_ascii_case(known))
    })?;
    let address = &text[protocol.len()..];
    let len = address
        .find(|c: char| c.is_whitespace() || "[]<>\"|".contains(c))
        .unwrap_or(address.len());
    let len = address[..len].find("''").unwrap_or(len);
    (len > 0).then_some(protocol.len() + len)
}

/// `Mercury` of `Mercury (planet)`: what `[[Mercury (planet)|]]` shows.
fn before_parentheses(title: &str) -> &str {
    match title.rfind(" (") {
        Some(start) if title.ends_with(')') => &title[..start],
        _ => title,
    }
}

fn is_blank(text: &str) -> bool {
    text.chars()
        .all(|c| c.is_whitespace() || c == '\'' || marks::is_mark(marks::unprotect(c)))
}

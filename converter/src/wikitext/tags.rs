//! HTML-like tags: which there are, and what becomes of them.

/// What becomes of a tag.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// The tag is removed, its content stays.
    Inline,
    /// As [`Kind::Inline`], and a paragraph ends there.
    Block,
    /// The tag stands for a blank.
    Blank,
    /// The element is removed with its content, which is not wikitext.
    Raw,
    /// As [`Kind::Raw`], and lists pictures, one a line.
    Gallery,
    /// The content is text, whatever it looks like.
    Literal,
    /// The element is a table, removed like one.
    Table,
}

const NAMES: [(Kind, &str); 7] = [
    (
        Kind::Inline,
        "abbr b bdi bdo big cite code data del dfn em font i ins kbd mark noinclude onlyinclude q rb rp rt rtc ruby s samp section \
         small span strike strong sub sup time translate tt tvar u var wbr",
    ),
    (
        Kind::Block,
        "blockquote caption center dd div dl dt h1 h2 h3 h4 h5 h6 hr li ol p poem td th tr ul",
    ),
    (Kind::Blank, "br"),
    (
        Kind::Raw,
        "categorytree ce charinsert chem dynamicpagelist graph hiero includeonly indicator inputbox languages mapframe maplink math \
         pre ref references score script source style syntaxhighlight templatedata templatestyles timeline",
    ),
    (Kind::Gallery, "gallery imagemap"),
    (Kind::Literal, "nowiki"),
    (Kind::Table, "table"),
];

/// Longest name above, in bytes.
const MAX_NAME: usize = 16;

/// A tag at the beginning of a text.
#[derive(Debug)]
pub struct Tag<'a> {
    /// What becomes of it.
    pub kind: Kind,
    /// Its name as written.
    pub name: &'a str,
    /// `</name>`.
    pub closing: bool,
    /// `<name/>`.
    pub empty: bool,
    /// Bytes up to and including its `>`.
    pub len: usize,
}

impl<'a> Tag<'a> {
    /// Reads the tag at the beginning of `text`, which starts with `<`. What is no tag that MediaWiki
    /// knows is text.
    pub fn read(text: &'a str) -> Option<Self> {
        let rest = text.get(1..)?;
        let closing = rest.starts_with('/');
        let rest = rest.strip_prefix('/').unwrap_or(rest);
        let name_len = rest
            .bytes()
            .take(MAX_NAME + 1)
            .take_while(u8::is_ascii_alphanumeric)
            .count();
        let (name, attributes) = rest.split_at(name_len);
        let kind = kind(name)?;
        // A tag's name ends at a blank, `/` or `>`; `<` inside a tag means that it was never closed.
        attributes
            .starts_with(|c: char| c.is_whitespace() || c == '/' || c == '>')
            .then_some(())?;
        let end = attributes.find(['>', '<'])?;
        let attributes = attributes.get(..=end)?.strip_suffix('>')?;
        Some(Self {
            kind,
            name,
            closing,
            empty: attributes.ends_with('/'),
            len: text.len() - rest.len() + name_len + end + 1,
        })
    }
}

fn kind(name: &str) -> Option<Kind> {
    let name = name.to_ascii_lowercase();
    NAMES
        .iter()
        .find(|(_, names)| names.split_ascii_whitespace().any(|known| known == name))
        .map(|&(kind, _)| kind)
}

/// Finds closing tags, and remembers which there are none of, so that a page with a thousand unclosed
/// `<ref>` is not searched to its end a thousand times.
#[derive(Debug, Default)]
pub struct Closings {
    absent: Vec<String>,
}

impl Closings {
    /// Where in `text` the element `name` ends: start and end of its closing tag.
    pub fn find(&mut self, text: &str, name: &str) -> Option<(usize, usize)> {
        if self
            .absent
            .iter()
            .any(|absent| absent.eq_ignore_ascii_case(name))
        {
            return None;
        }
        for (start, _) in text.match_indices("</") {
            let rest = &text[start + 2..];
            let named = rest
                .get(..name.len())
                .is_some_and(|found| found.eq_ignore_ascii_case(name));
            if let Some(after) = named.then(|| rest[name.len()..].trim_start())
                && after.starts_with('>')
            {
                return Some((start, text.len() - after.len() + 1));
            }
        }
        self.absent.push(name.to_ascii_lowercase());
        None
    }
}

//! The XML export of MediaWiki, page by page.
//!
//! ```text
//! mediawiki
//!   siteinfo/namespaces/namespace key="6"   names of namespaces
//!   page
//!     title, ns, id                         ns is missing in exports before 2010
//!     redirect
//!     revision/{model, text}                of several revisions, the last one counts
//! ```

use super::site::Site;
use crate::{Error, Result};
use quick_xml::Reader;
use quick_xml::escape::resolve_xml_entity;
use quick_xml::events::{BytesStart, Event};
use std::io::BufRead;

/// Longest source of a page, in bytes. MediaWiki itself stops at 2 MiB unless configured otherwise.
const MAX_SOURCE: usize = 64 << 20;

/// Deepest nesting of elements; an export has five levels.
const MAX_DEPTH: usize = 32;

/// An article as it stands in the dump.
#[derive(Debug, Default)]
pub struct Page {
    /// Page id.
    pub id: String,
    /// Title, with blanks.
    pub title: String,
    /// Wikitext.
    pub source: String,
}

/// How many pages were left out, and why.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Skipped {
    /// Redirects in the main namespace.
    pub redirects: u64,
    /// Pages of other namespaces: talk, templates, categories.
    pub other_namespaces: u64,
    /// Pages whose content is not wikitext, or is empty.
    pub other_content: u64,
}

/// The parts of an export that are read.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Element {
    Root,
    Page,
    Revision,
    Title,
    Namespace,
    Id,
    Model,
    Text,
    SiteNamespace(i32),
    Other,
}

/// Reads a dump from a stream, holding one page.
pub struct Dump<R> {
    reader: Reader<R>,
    buffer: Vec<u8>,
    /// The elements that are open.
    path: Vec<Element>,
    /// Text of the innermost element.
    field: String,
    /// The page that is being read.
    page: Page,
    namespace: Option<i32>,
    model: String,
    redirect: bool,
    seen_root: bool,
    site: Site,
    skipped: Skipped,
}

impl<R: BufRead> Dump<R> {
    /// A dump at the beginning of a stream; nothing is read yet.
    pub fn new(stream: R) -> Self {
        Self {
            reader: Reader::from_reader(stream),
            buffer: Vec::new(),
            path: Vec::new(),
            field: String::new(),
            page: Page::default(),
            namespace: None,
            model: String::new(),
            redirect: false,
            seen_root: false,
            site: Site::default(),
            skipped: Skipped::default(),
        }
    }

    /// The wiki's namespaces, complete once the first page was read.
    pub fn site(&self) -> &Site {
        &self.site
    }

    /// What was left out so far.
    pub fn skipped(&self) -> Skipped {
        self.skipped
    }

    /// The next article of the main namespace; `None` at the end.
    ///
    /// # Errors
    /// Of kind `Input` if this is not an export of MediaWiki, is not well-formed, or ends in the middle.
    pub fn next_page(&mut self) -> Result<Option<Page>> {
        let mut buffer = std::mem::take(&mut self.buffer);
        let found = loop {
            buffer.clear();
            let event = match self.reader.read_event_into(&mut buffer) {
                Ok(event) => event,
                Err(quick_xml::Error::Io(error)) => break Err(self.cut(&error.to_string())),
                Err(error) => break Err(self.bad(&error.to_string())),
            };
            match self.event(event) {
                Ok(Step::More) => {}
                Ok(Step::Page(page)) => break Ok(Some(page)),
                Ok(Step::End) => break Ok(None),
                Err(error) => break Err(error),
            }
        };
        self.buffer = buffer;
        found
    }

    fn event(&mut self, event: Event<'_>) -> Result<Step> {
        match event {
            Event::Start(start) => self.start(&start).map(|()| Step::More),
            Event::Empty(start) => {
                self.start(&start)?;
                self.end()
            }
            Event::End(_) => self.end(),
            Event::Text(text) => {
                let text = text
                    .decode()
                    .map_err(|error| self.bad(&error.to_string()))?;
                self.text(&text)
            }
            Event::CData(text) => {
                let text = text
                    .decode()
                    .map_err(|error| self.bad(&error.to_string()))?;
                self.text(&text)
            }
            Event::GeneralRef(reference) => {
                let character = reference
                    .resolve_char_ref()
                    .map_err(|error| self.bad(&error.to_string()))?;
                if let Some(character) = character {
                    return self.text(character.encode_utf8(&mut [0; 4]));
                }
                let name = reference
                    .decode()
                    .map_err(|error| self.bad(&error.to_string()))?;
                match resolve_xml_entity(&name) {
                    Some(text) => self.text(text),
                    None => Err(self.bad(&format!("unknown entity &{name};"))),
                }
            }
            Event::Eof if !self.path.is_empty() => Err(self.cut("the end of the file")),
            Event::Eof if !self.seen_root => Err(Error::input(
                "no <mediawiki> element: expected the XML export of a MediaWiki",
            )),
            Event::Eof => Ok(Step::End),
            Event::Comment(_) | Event::Decl(_) | Event::DocType(_) | Event::PI(_) => Ok(Step::More),
        }
    }

    fn start(&mut self, start: &BytesStart<'_>) -> Result<()> {
        let name = start.local_name();
        let element = match (self.path.last(), name.as_ref()) {
            (None, b"mediawiki") => {
                self.seen_root = true;
                Element::Root
            }
            (None, other) => {
                let other = String::from_utf8_lossy(other);
                return Err(self.bad(&format!("expected the XML export of a MediaWiki, whose first element is <mediawiki>, got <{other}>")));
            }
            (Some(Element::Root), b"page") => {
                self.page = Page::default();
                self.namespace = None;
                self.model.clear();
                self.redirect = false;
                Element::Page
            }
            (Some(Element::Page), b"title") => Element::Title,
            (Some(Element::Page), b"ns") => Element::Namespace,
            (Some(Element::Page), b"id") => Element::Id,
            (Some(Element::Page), b"redirect") => {
                self.redirect = true;
                Element::Other
            }
            (Some(Element::Page), b"revision") => Element::Revision,
            (Some(Element::Revision), b"model") => Element::Model,
            (Some(Element::Revision), b"text") => Element::Text,
            (Some(Element::Other), b"namespace") => {
                let key = start.try_get_attribute("key").ok().flatten();
                let key = key.and_then(|key| std::str::from_utf8(&key.value).ok()?.parse().ok());
                key.map_or(Element::Other, Element::SiteNamespace)
            }
            _ => Element::Other,
        };
        if self.path.len() >= MAX_DEPTH {
            return Err(self.bad(&format!("elements nested deeper than {MAX_DEPTH}")));
        }
        self.path.push(element);
        self.field.clear();
        Ok(())
    }

    fn text(&mut self, text: &str) -> Result<Step> {
        if !matches!(
            self.path.last(),
            None | Some(Element::Root | Element::Page | Element::Revision | Element::Other)
        ) {
            self.field.push_str(text);
        }
        if self.field.len() > MAX_SOURCE {
            return Err(self.bad(&format!("a page longer than {MAX_SOURCE} bytes")));
        }
        Ok(Step::More)
    }

    fn end(&mut self) -> Result<Step> {
        let field = std::mem::take(&mut self.field);
        match self.path.pop() {
            Some(Element::Title) => self.page.title = field,
            Some(Element::Id) => self.page.id = field.trim().to_owned(),
            Some(Element::Namespace) => self.namespace = field.trim().parse().ok(),
            Some(Element::Model) => self.model = field,
            Some(Element::Text) => self.page.source = field,
            Some(Element::SiteNamespace(key)) => self.site.namespace(key, &field),
            Some(Element::Page) => return self.end_page(),
            _ => {}
        }
        Ok(Step::More)
    }

    fn end_page(&mut self) -> Result<Step> {
        let page = std::mem::take(&mut self.page);
        let in_main = self
            .namespace
            .map_or_else(|| self.site.is_article(&page.title), |key| key == 0);
        let begins = page.source.trim_start().get(..9).unwrap_or_default();
        if !in_main {
            self.skipped.other_namespaces += 1;
        } else if self.redirect || begins.eq_ignore_ascii_case("#redirect") {
            self.skipped.redirects += 1;
        } else if page.source.is_empty() || !matches!(self.model.as_str(), "" | "wikitext") {
            self.skipped.other_content += 1;
        } else if page.id.is_empty() || page.title.is_empty() {
            return Err(self.bad("a page with no id or no title"));
        } else {
            return Ok(Step::Page(page));
        }
        Ok(Step::More)
    }

    fn bad(&self, message: &str) -> Error {
        Error::input(format!(
            "byte {}{}: {message}",
            self.reader.buffer_position(),
            self.place()
        ))
    }

    /// The error of a dump that ends too early.
    fn cut(&self, got: &str) -> Error {
        Error::input(format!(
            "cut short at byte {}{}: expected </mediawiki>, got {got}; fetch the file again",
            self.reader.buffer_position(),
            self.place(),
        ))
    }

    fn place(&self) -> String {
        match (self.path.contains(&Element::Page), self.page.title.as_str()) {
            (true, "") => ", in a page".to_owned(),
            (true, title) => format!(", in the page \"{title}\""),
            _ => String::new(),
        }
    }
}

enum Step {
    More,
    Page(Page),
    End,
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(xml: &str) -> (Vec<Page>, Skipped, Option<String>) {
        let mut dump = Dump::new(xml.as_bytes());
        let mut pages = Vec::new();
        loop {
            match dump.next_page() {
                Ok(Some(page)) => pages.push(page),
                Ok(None) => return (pages, dump.skipped(), None),
                Err(error) => return (pages, dump.skipped(), Some(error.to_string())),
            }
        }
    }

    const SMALL: &str = "<mediawiki xmlns=\"http://www.mediawiki.org/xml/export-0.10/\"><siteinfo><namespaces>\
        <namespace key=\"0\" /><namespace key=\"6\">Datei</namespace><namespace key=\"10\">Vorlage</namespace></namespaces></siteinfo>\n\
        <page><title>A &amp; B</title><ns>0</ns><id>7</id><revision><id>1</id><text>old</text></revision>\
        <revision><id>2</id><contributor><id>3</id></contributor><model>wikitext</model><text bytes=\"4\">&lt;b&gt;&#233;<![CDATA[<&]]></text></revision></page>\n\
        <page><title>C</title><ns>0</ns><id>8</id><redirect title=\"A\" /><revision><text>#REDIRECT [[A]]</text></revision></page>\
        <page><title>D</title><ns>0</ns><id>9</id><revision><text> #redirect [[A]]</text></revision></page>\
        <page><title>Vorlage:E</title><id>10</id><revision><text>x</text></revision></page>\
        <page><title>F: the return</title><id>11</id><revision><text>x</text></revision></page>\
        <page><title>G</title><ns>1</ns><id>12</id><revision><text>x</text></revision></page>\
        <page><title>H</title><ns>0</ns><id>13</id><revision><model>css</model><text>x</text></revision></page>\
        <page><title>I</title><ns>0</ns><id>14</id><revision><text deleted=\"deleted\" /></revision></page>\
        </mediawiki>";

    #[test]
    fn gives_the_articles_and_counts_the_rest() {
        let (pages, skipped, error) = read(SMALL);
        assert_eq!(error, None);
        let got: Vec<_> = pages
            .iter()
            .map(|page| (page.id.as_str(), page.title.as_str(), page.source.as_str()))
            .collect();
        assert_eq!(
            got,
            [("7", "A & B", "<b>é<&"), ("11", "F: the return", "x")]
        );
        let expected = Skipped {
            redirects: 2,
            other_namespaces: 2,
            other_content: 2,
        };
        assert_eq!(skipped, expected);
    }

    #[test]
    fn says_where_a_dump_was_cut_at_every_byte() {
        for len in 0..SMALL.len() {
            let Some(cut) = SMALL.get(..len) else {
                continue;
            };
            let (_, _, error) = read(cut);
            assert!(
                error.is_some(),
                "{len} bytes of {} were taken for a whole dump",
                SMALL.len()
            );
        }
        let (_, _, error) = read(&SMALL[..SMALL.find("old").unwrap()]);
        let error = error.unwrap();
        assert!(
            error.contains("A & B") && error.contains("cut short"),
            "{error}"
        );
    }

    #[test]
    fn refuses_what_is_no_export() {
        for (xml, says) in [
            ("<html><body/></html>", "<html>"),
            ("", "no <mediawiki>"),
            ("{\"a\": 1}", "no <mediawiki>"),
            ("<mediawiki><page></mediawiki>", "byte"),
        ] {
            let (_, _, error) = read(xml);
            assert!(
                error.as_deref().is_some_and(|error| error.contains(says)),
                "{xml}: {error:?}"
            );
        }
    }
}

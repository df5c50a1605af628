//! Wikitext, the markup of MediaWiki, to paragraphs of plain text with anchors.
//!
//! MoRe retrieves paragraphs of Wikipedia in which links are kept as `<e: Alan_Turing> Turing </e>`
//! and nothing else of the markup is. Wikitext has no grammar: every sequence of characters is a valid
//! page, and what MediaWiki shows for malformed ones is an accident of its passes. So this is not a
//! parser of a language but three passes, each of which reads its input once from left to right:
//!
//! ```text
//! page source ── strip ──► prose with links ── links ──► lines with marks ── paragraphs ──► paragraphs
//!                removes comments,             decides what a link is,       joins lines, drops
//!                templates, tables,            drops categories and          headings and quotes,
//!                references, galleries,        files, decodes entities       closes the holes
//!                tags; finds images
//! ```
//!
//! Nesting never becomes recursion. A pass that meets an opening bracket notes how long its output is;
//! at the closing bracket it cuts its output back to there, or rewrites what came since. Whatever is
//! never closed costs nothing and swallows nothing but the rest of its line. Each pass is linear in its
//! input on every input, which the tests check with the inputs that break parsers.
//!
//! Between the passes travel marks: characters for private use, dropped from every page first, that say
//! "this bracket is text", "something was removed here", "an anchor starts here".

mod dump;
mod links;
mod marks;
mod paragraphs;
mod quotes;
mod site;
mod strip;
mod tags;
mod templates;

pub use dump::{Dump, Page, Skipped};
pub use site::Site;

/// What is kept of a page.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Article {
    /// Paragraphs and list items in order, anchors as `<e: Title> text </e>`.
    pub paragraphs: Vec<String>,
    /// The first paragraph of prose, without anchors; empty where there is none.
    pub introduction: String,
    /// File names of the pictures that `morelet-convert image-index` can read, in order, each once,
    /// as the file is called: capitalized, with underscores.
    pub images: Vec<String>,
}

/// Reads the wikitext of one page. Every text is a page: there is nothing to fail.
///
/// ```
/// use morelet_convert::wikitext::{Site, article};
///
/// let page = article("'''Turing''' was a [[mathematician]].<ref>Hodges</ref>", &Site::default());
/// assert_eq!(page.paragraphs, ["Turing was a <e: mathematician> mathematician </e>."]);
/// assert_eq!(page.introduction, "Turing was a mathematician.");
/// ```
pub fn article(source: &str, site: &Site) -> Article {
    let stripped = strip::strip(source, site);
    let linked = links::resolve(&stripped.text, site);
    let (paragraphs, introduction) = paragraphs::split(&linked, stripped.open_table);
    Article {
        paragraphs,
        introduction,
        images: stripped.images,
    }
}

#[cfg(test)]
mod tests;

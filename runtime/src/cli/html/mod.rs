//! Answers as a page to look at: one file, no script, nothing loaded from anywhere.
//!
//! Each answer shows the sentence with its entities marked, the picture, the weight of each expert, what was retrieved, and the
//! time by module.

mod base64;
mod sentence;

use crate::prediction::{Context, ExpertDetail, Named, Prediction};
use crate::query::{ImageSource, Query};
use sentence::mark_sentence;
use std::fmt::{self, Write as _};
use std::path::Path;

/// The largest picture that is put into the page, in bytes; of a larger one only the name is told.
const PICTURE_LIMIT: u64 = 8 << 20;

const STYLE: &str = include_str!("style.css");

/// A page that grows by one answer at a time.
///
/// The answers must have been made with [`Detail::Labels`](crate::Detail::Labels) or more for the contexts to be shown.
#[derive(Debug)]
pub struct Page {
    title: String,
    introduction: String,
    cards: String,
    count: usize,
}

impl Page {
    /// An empty page. The introduction is plain text, a paragraph a line.
    pub fn new(title: impl Into<String>, introduction: impl Into<String>) -> Self {
        Self {
            title: title.into(),
            introduction: introduction.into(),
            cards: String::new(),
            count: 0,
        }
    }

    /// Appends an answer.
    pub fn add(&mut self, query: &Query, prediction: &Prediction) {
        self.count += 1;
        // Writing to a string cannot fail.
        let _ = card(&mut self.cards, query, prediction);
    }

    /// How many answers there are.
    pub fn len(&self) -> usize {
        self.count
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.count == 0
    }

    /// The page as HTML.
    pub fn finish(&self) -> String {
        let mut introduction = String::new();
        for line in self
            .introduction
            .lines()
            .filter(|line| !line.trim().is_empty())
        {
            let _ = writeln!(introduction, "<p>{}</p>", Escaped(line));
        }
        format!(
            "<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n\
             <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n\
             <meta name=\"generator\" content=\"morelet {version}\">\n\
             <title>{title}</title>\n<style>\n{STYLE}</style>\n</head>\n<body>\n<main>\n\
             <header><h1>{title}</h1>\n{introduction}</header>\n{cards}</main>\n</body>\n</html>\n",
            version = env!("CARGO_PKG_VERSION"),
            title = Escaped(&self.title),
            cards = self.cards,
        )
    }
}

fn card(out: &mut String, query: &Query, prediction: &Prediction) -> fmt::Result {
    let id = prediction.id.to_string();
    writeln!(out, "<article>\n<div class=\"id\">{}</div>", Escaped(&id))?;
    out.push_str("<div class=\"top\">\n<div class=\"said\">\n");
    mark_sentence(out, query, prediction)?;
    if let Some(relation) = &prediction.relation {
        writeln!(
            out,
            "<p class=\"relation\"><b>{}</b> <span class=\"score\">{:.3}</span></p>",
            Escaped(&relation.kind),
            relation.score
        )?;
    }
    if !prediction.notes.is_empty() {
        out.push_str("<ul class=\"notes\">");
        for note in &prediction.notes {
            write!(out, "<li>{}</li>", Escaped(note))?;
        }
        out.push_str("</ul>\n");
    }
    if let Some(gate) = &prediction.gate {
        gate_bar(out, gate)?;
    }
    out.push_str("</div>\n");
    if let Some(image) = &query.image {
        picture(out, image)?;
    }
    out.push_str("</div>\n");
    for (name, expert) in prediction.experts.iter().flat_map(Named::iter) {
        contexts(out, name, expert)?;
    }
    timings(out, &prediction.timings_us)?;
    out.push_str("</article>\n");
    Ok(())
}

fn gate_bar(out: &mut String, gate: &Named<f64>) -> fmt::Result {
    out.push_str("<div class=\"gate\" title=\"weight of each expert\">");
    for (i, (name, weight)) in gate.iter().enumerate() {
        let percent = 100.0 * weight.clamp(0.0, 1.0);
        write!(
            out,
            "<span class=\"side{i}\" style=\"flex-grow:{percent:.2}\">{} {percent:.0}&nbsp;%</span>",
            Escaped(name)
        )?;
    }
    out.push_str("</div>\n");
    Ok(())
}

fn contexts(out: &mut String, name: &str, expert: &ExpertDetail) -> fmt::Result {
    let count = expert.contexts.len();
    write!(
        out,
        "<details><summary>Expert <b>{}</b>: {} ids, {count} context{}</summary>\n<ol>\n",
        Escaped(name),
        expert.input_ids.len(),
        if count == 1 { "" } else { "s" }
    )?;
    for Context { id, score, text } in &expert.contexts {
        out.push_str("<li>");
        if let Some(score) = score {
            write!(out, "<span class=\"score\">{score:.3}</span> ")?;
        }
        if let Some(id) = id {
            write!(out, "<span class=\"key\">{}</span> ", Escaped(id))?;
        }
        anchors(out, text)?;
        out.push_str("</li>\n");
    }
    out.push_str("</ol></details>\n");
    Ok(())
}

/// Writes a context, `<e: Alan_Turing> Alan Turing </e>` as an underlined `Alan Turing`.
fn anchors(out: &mut String, mut text: &str) -> fmt::Result {
    while let Some((before, after)) = text.split_once("<e: ") {
        let parts = after.split_once('>').and_then(|(title, rest)| {
            let (anchor, rest) = rest.split_once("</e>")?;
            Some((title, anchor, rest))
        });
        let Some((title, anchor, rest)) = parts else {
            break;
        };
        let anchor = anchor.trim();
        write!(
            out,
            "{}<u title=\"{}\">{}</u>",
            Escaped(before),
            Escaped(title),
            Escaped(anchor)
        )?;
        text = rest;
    }
    write!(out, "{}", Escaped(text))
}

fn timings(out: &mut String, timings: &Named<u64>) -> fmt::Result {
    let longest = timings
        .iter()
        .map(|(_, &time)| time)
        .max()
        .unwrap_or(0)
        .max(1);
    if timings.is_empty() {
        return Ok(());
    }
    let total = timings.get("total").copied().unwrap_or(longest);
    writeln!(
        out,
        "<details><summary>Time: {:.1} ms</summary>\n<table class=\"times\">",
        total as f64 / 1e3
    )?;
    for (module, &time) in timings.iter() {
        writeln!(
            out,
            "<tr><th>{}</th><td>{:.2} ms</td><td class=\"bar\"><i style=\"width:{:.1}%\"></i></td></tr>",
            Escaped(module),
            time as f64 / 1e3,
            100.0 * time as f64 / longest as f64
        )?;
    }
    out.push_str("</table></details>\n");
    Ok(())
}

fn picture(out: &mut String, image: &ImageSource) -> fmt::Result {
    let (name, bytes) = match image {
        ImageSource::File(path) => (path.display().to_string(), read_small(path)),
        ImageSource::Bytes(bytes) => {
            let small = bytes.len() as u64 <= PICTURE_LIMIT;
            (String::from("picture"), small.then(|| bytes.to_vec()))
        }
    };
    match bytes
        .as_deref()
        .and_then(|bytes| Some((media_type(bytes)?, bytes)))
    {
        Some((kind, bytes)) => writeln!(
            out,
            "<img alt=\"{}\" src=\"data:{kind};base64,{}\">",
            Escaped(&name),
            base64::encode(bytes)
        ),
        None => writeln!(out, "<p class=\"noimage\">{}</p>", Escaped(&name)),
    }
}

fn read_small(path: &Path) -> Option<Vec<u8>> {
    let metadata = std::fs::metadata(path).ok()?;
    if !metadata.is_file() || metadata.len() > PICTURE_LIMIT {
        return None;
    }
    std::fs::read(path).ok()
}

/// What a browser calls the pictures that CLIP reads.
fn media_type(bytes: &[u8]) -> Option<&'static str> {
    match bytes {
        [0xff, 0xd8, 0xff, ..] => Some("image/jpeg"),
        [0x89, b'P', b'N', b'G', ..] => Some("image/png"),
        [b'G', b'I', b'F', b'8', ..] => Some("image/gif"),
        [
            b'R',
            b'I',
            b'F',
            b'F',
            _,
            _,
            _,
            _,
            b'W',
            b'E',
            b'B',
            b'P',
            ..,
        ] => Some("image/webp"),
        _ => None,
    }
}

/// Text that is safe between tags and in quoted attributes.
pub(super) struct Escaped<'a>(pub &'a str);

impl fmt::Display for Escaped<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut rest = self.0;
        while let Some(at) = rest.find(['&', '<', '>', '"', '\'']) {
            let (before, after) = rest.split_at(at);
            f.write_str(before)?;
            // All five are one byte long.
            let (special, after) = after.split_at(1);
            f.write_str(match special {
                "&" => "&amp;",
                "<" => "&lt;",
                ">" => "&gt;",
                "\"" => "&quot;",
                _ => "&#39;",
            })?;
            rest = after;
        }
        f.write_str(rest)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::prediction::Entity;

    #[test]
    fn nothing_from_outside_becomes_a_tag() {
        let query = Query::tokens(["<script>", "Kolo"])
            .id("<&\"'>")
            .image_file("<x>.jpg");
        let prediction = Prediction {
            id: query.id.clone(),
            entities: Some(vec![Entity {
                kind: "<b>".into(),
                start: 1,
                end: 2,
                text: "Kolo".into(),
                score: 0.5,
                offsets: None,
            }]),
            notes: vec!["<note>".into()],
            ..Prediction::default()
        };
        let mut page = Page::new("<title>", "<intro>");
        page.add(&query, &prediction);
        let html = page.finish();
        for forbidden in [
            "<script>", "<&", "<x>", "<b>", "<note>", "<title><", "<intro>",
        ] {
            assert!(!html.contains(forbidden), "{forbidden}");
        }
        assert!(html.contains("&lt;script&gt;") && html.contains("&lt;&amp;&quot;&#39;&gt;"));
        assert!(!html.contains("http"), "a page loads nothing");
    }

    #[test]
    fn anchors_are_underlined_and_broken_ones_shown_as_they_are() {
        let mut out = String::new();
        anchors(&mut out, "a <e: Alan_Turing> Alan Turing </e>, b <e: open").unwrap();
        assert_eq!(
            out,
            "a <u title=\"Alan_Turing\">Alan Turing</u>, b &lt;e: open"
        );
    }

    #[test]
    fn knows_pictures_by_their_first_bytes() {
        assert_eq!(media_type(b"\xff\xd8\xff\xe0"), Some("image/jpeg"));
        assert_eq!(media_type(b"RIFF\0\0\0\0WEBPVP8 "), Some("image/webp"));
        assert_eq!(media_type(b"<svg onload=x>"), None);
    }
}

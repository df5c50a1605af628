//! Hits for people to read.

use super::line::{ExplanationLine, Found, HitLine, SnippetLine};
use crate::cli::table::table;
use std::fmt::Write as _;

/// How far what belongs to a hit is indented.
const INDENT: &str = "    ";

/// What terminals understand (ECMA-48, select graphic rendition).
const BOLD: &str = "\u{1b}[1m";
const NOT_BOLD: &str = "\u{1b}[0m";

/// A query and its hits. With `colours`, what matched is bold.
pub(super) fn show(found: &Found<'_>, colours: bool) -> String {
    let mut text = plain(found.query);
    text.push('\n');
    for hit in &found.hits {
        show_hit(&mut text, hit, colours);
    }
    if found.hits.is_empty() {
        let _ = writeln!(text, "{INDENT}nothing found");
    }
    text
}

fn show_hit(text: &mut String, hit: &HitLine, colours: bool) {
    // Writing to a string cannot fail.
    let _ = write!(
        text,
        "\n{:>3} {:.4}  {}  (id {}, key {}",
        hit.rank,
        hit.score,
        plain(&hit.title),
        plain(&hit.id),
        plain(&hit.key)
    );
    if let Some(paragraph) = hit.paragraph {
        let _ = write!(text, ", paragraph {paragraph}");
    }
    text.push_str(")\n");
    match &hit.snippet {
        Some(snippet) => indented(text, &marked(snippet, colours)),
        None => indented(text, &plain(&hit.value)),
    }
    if let Some(explanation) = &hit.explanation {
        text.push('\n');
        indented(text, &terms(explanation));
    }
}

/// A snippet whose matches are bold on a terminal.
fn marked(snippet: &SnippetLine, colours: bool) -> String {
    let characters = plain(&snippet.text).chars().collect::<Vec<_>>();
    let mut text = String::new();
    let mut at = 0;
    for &[start, end] in snippet.matches.iter().filter(|_| colours) {
        let parts = [characters.get(at..start), characters.get(start..end)];
        let [Some(between), Some(word)] = parts else {
            continue;
        };
        text.extend(between);
        text.push_str(BOLD);
        text.extend(word);
        text.push_str(NOT_BOLD);
        at = end;
    }
    text.extend(&characters[at..]);
    text
}

/// The score term by term, as a table.
fn terms(explanation: &ExplanationLine) -> String {
    let rows: Vec<Vec<String>> = explanation
        .terms
        .iter()
        .map(|term| {
            vec![
                plain(&term.term),
                term.times.to_string(),
                term.tf.to_string(),
                term.df.to_string(),
                format!("{:.4}", term.idf),
                format!("{:.4}", term.score),
            ]
        })
        .collect();
    let header = ["term", "times", "tf", "df", "idf", "score"];
    format!(
        "{}a sentence of {} terms; the average has {:.2}\n",
        table(&header, &[0], &rows),
        explanation.length,
        explanation.average_length
    )
}

fn indented(text: &mut String, block: &str) {
    for line in block.lines() {
        let _ = writeln!(text, "{INDENT}{line}");
    }
}

/// Text of a corpus must not speak to the terminal: control characters, but for ends of lines, are shown as replaced.
fn plain(text: &str) -> String {
    let shown = |c: char| {
        if c.is_control() && c != '\n' {
            '\u{fffd}'
        } else {
            c
        }
    };
    text.chars().map(shown).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn matches_are_bold_and_a_corpus_cannot_speak_to_the_terminal() {
        let snippet = SnippetLine {
            text: "the \u{1b}[31mÖl museum".into(),
            matches: vec![[9, 11], [12, 18]],
        };
        assert_eq!(marked(&snippet, false), "the \u{fffd}[31mÖl museum");
        assert_eq!(
            marked(&snippet, true),
            "the \u{fffd}[31m\u{1b}[1mÖl\u{1b}[0m \u{1b}[1mmuseum\u{1b}[0m"
        );
        assert_eq!(plain("a\u{7}\r\n\u{9b}b"), "a\u{fffd}\u{fffd}\n\u{fffd}b");
    }
}

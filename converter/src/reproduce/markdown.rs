//! Lines and tables of Markdown.

use std::fmt::Write as _;

/// Appends a line. Writing to a string has no way to fail.
pub(crate) fn line(text: &mut String, line: impl AsRef<str>) {
    let _ = writeln!(text, "{}", line.as_ref());
}

/// Appends a row of a table.
pub(crate) fn row(text: &mut String, cells: impl IntoIterator<Item = String>) {
    let cells: Vec<String> = cells.into_iter().collect();
    line(text, format!("| {} |", cells.join(" | ")));
}

/// Appends the head of a table: names at the left, numbers at the right.
pub(crate) fn head(text: &mut String, cells: &[String]) {
    row(text, cells.iter().cloned());
    row(
        text,
        cells
            .iter()
            .enumerate()
            .map(|(at, _)| if at == 0 { "---" } else { "---:" }.to_owned()),
    );
}

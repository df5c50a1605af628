//! Bold and italic: runs of apostrophes.

/// Removes the quotes of one line, and leaves the apostrophes that MediaWiki shows.
///
/// Two apostrophes are italic, three bold, five both; the others of a run are text. Where a line has an
/// odd number of both, one of its threes was an apostrophe before an italic word (`l'''amour''`):
/// MediaWiki prefers the one after a word of one letter, then one after a longer word.
pub fn remove(line: &str) -> String {
    if !line.contains("''") {
        return line.to_owned();
    }
    let runs = runs(line);
    let shown = |len: usize| match len {
        4 => 1,
        len => len.saturating_sub(5),
    };
    let bold = |len: usize| matches!(len, 3 | 4) || len >= 5;
    let italic = |len: usize| len == 2 || len >= 5;
    let odd =
        |is: &dyn Fn(usize) -> bool| runs.iter().filter(|&&(_, len)| is(len)).count() % 2 == 1;
    let apostrophe = if odd(&bold) && odd(&italic) {
        let threes = runs.iter().filter(|&&(_, len)| len == 3).map(|&(at, _)| at);
        threes.min_by_key(|&at| preference(&line[..at]))
    } else {
        None
    };
    let mut out = String::with_capacity(line.len());
    let mut copied = 0;
    for (at, len) in runs {
        out.push_str(&line[copied..at]);
        let count = if apostrophe == Some(at) {
            1
        } else {
            shown(len)
        };
        out.extend(std::iter::repeat_n('\'', count));
        copied = at + len;
    }
    out.push_str(&line[copied..]);
    out
}

/// Start and length of each run of two or more apostrophes.
fn runs(line: &str) -> Vec<(usize, usize)> {
    let mut found = Vec::new();
    let mut at = 0;
    while let Some(start) = line[at..].find("''").map(|start| at + start) {
        let len = line[start..]
            .bytes()
            .take_while(|&byte| byte == b'\'')
            .count();
        found.push((start, len));
        at = start + len;
    }
    found
}

/// 0 after a word of one letter, 1 after a longer word, 2 after a blank.
fn preference(before: &str) -> u8 {
    let mut last = before.chars().rev();
    match (last.next(), last.next()) {
        (None | Some(' '), _) => 2,
        (_, None | Some(' ')) => 0,
        _ => 1,
    }
}

#[cfg(test)]
mod tests {
    use super::remove;

    #[test]
    fn leaves_the_apostrophes_that_mediawiki_shows() {
        let cases = [
            ("''a'' '''b''' '''''c'''''", "a b c"),
            ("it's", "it's"),
            ("L'''amour''", "L'amour"),
            ("''x'' dell'''arte''", "x dell'arte"),
            ("''''a'''", "'a"),
            ("''''''a'''''", "'a"),
            ("'''unclosed", "unclosed"),
            ("the ''Times''' editor", "the Times' editor"),
            ("", ""),
        ];
        for (line, expected) in cases {
            assert_eq!(remove(line), expected, "{line}");
        }
    }
}

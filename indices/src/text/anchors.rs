//! Anchors in a text: `<e: Alan_Turing> Alan Turing </e>` is the words `Alan Turing`, linked to an article.

use std::borrow::Cow;
use std::ops::Range;

/// Where an anchor stands in its text, in bytes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Anchor {
    /// With its tags and the space inside each.
    pub outer: Range<usize>,
    /// The words alone.
    pub inner: Range<usize>,
}

/// The anchors of `text`, in order. A tag without its partner is text like any other; anchors do not nest.
pub(crate) fn anchors(text: &str) -> impl Iterator<Item = Anchor> {
    const OPEN: &str = "<e:";
    const CLOSE: &str = "</e>";
    let mut at = 0;
    std::iter::from_fn(move || {
        loop {
            let start = at + text[at..].find(OPEN)?;
            let title = start + OPEN.len();
            // A title holds no angle brackets, so that a stray tag costs no search through the whole text.
            at = title + text[title..].find(['<', '>'])?;
            if text.as_bytes()[at] == b'<' {
                continue;
            }
            let inner = at + 1;
            // The next tag of ours must be the closing one.
            let next = text[inner..]
                .match_indices('<')
                .map(|(tag, _)| inner + tag)
                .find(|&tag| text[tag..].starts_with(OPEN) || text[tag..].starts_with(CLOSE))?;
            if text[next..].starts_with(OPEN) {
                at = next;
                continue;
            }
            let end = next;
            at = end + CLOSE.len();
            let words = text[inner..end]
                .strip_prefix(' ')
                .unwrap_or(&text[inner..end]);
            let inner = end - words.len();
            let words = words.strip_suffix(' ').unwrap_or(words);
            return Some(Anchor {
                outer: start..at,
                inner: inner..inner + words.len(),
            });
        }
    })
}

/// `text` without the tags of its anchors: what the index sees.
pub(crate) fn without_tags(text: &str) -> Cow<'_, str> {
    let mut plain = String::new();
    let mut at = 0;
    for anchor in anchors(text) {
        plain.push_str(&text[at..anchor.outer.start]);
        plain.push_str(&text[anchor.inner]);
        at = anchor.outer.end;
    }
    if at == 0 {
        return Cow::Borrowed(text);
    }
    plain.push_str(&text[at..]);
    Cow::Owned(plain)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tags_go_and_the_words_stay_as_they_were() {
        for (text, plain) in [
            ("no anchors, 1 < 2 > 0", "no anchors, 1 < 2 > 0"),
            ("<e: Alan_Turing> Alan Turing </e>", "Alan Turing"),
            (
                "He met <e: Alan_Turing> Alan Turing </e>, once. <e: Bus> buses </e>!",
                "He met Alan Turing, once. buses!",
            ),
            ("<e: A><e: B> b </e></e>", "<e: A>b</e>"),
            ("<e: A> a <b> c </e>d", "a <b> cd"),
            ("<e: A>a</e><e: B> </e><e:C>  c  </e>", "a c "),
            ("<e: A > B < C", "<e: A > B < C"),
            ("</e> <e: A> a", "</e> <e: A> a"),
            ("<e: <e: A> a </e>", "<e: a"),
            ("<e:", "<e:"),
        ] {
            assert_eq!(without_tags(text), plain, "{text}");
        }
    }

    #[test]
    fn a_million_stray_tags_take_no_time() {
        for stray in ["<e: A> ", "<e:", "</e>", "<e: A> < "] {
            let text = stray.repeat(1 << 20);
            assert_eq!(without_tags(&text), text);
        }
    }
}

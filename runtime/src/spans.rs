//! Spans from BIO and BIOES labels, read as `conlleval` reads them.
//!
//! `conlleval` (Tjong Kim Sang, CoNLL-2000) decides at each word, from its label and the one before,
//! whether a chunk ends before it and whether one starts at it. It refuses no sequence: an `I-PER` after `O`
//! starts an entity, and so does one after `B-LOC`. `E` (an end) and `S` (an entity of one word) are
//! read as its extensions to BIOES read them: an entity ends after each.

use std::ops::Range;

/// An entity: its type, and the words that it covers.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Span {
    /// The words, end exclusive.
    pub words: Range<usize>,
    /// The label without its prefix.
    pub kind: String,
}

/// The entities in a sequence of labels, from left to right; they do not overlap.
pub fn spans<S: AsRef<str>>(labels: &[S]) -> Vec<Span> {
    let mut found = Vec::new();
    let mut open: Option<(usize, &str)> = None;
    let mut before = Tag::OUTSIDE;
    let tags = labels.iter().map(|label| Tag::parse(label.as_ref()));
    for (i, tag) in tags.chain([Tag::OUTSIDE]).enumerate() {
        if let Some((start, kind)) = open
            && tag.ends_chunk_of(before)
        {
            found.push(Span {
                words: start..i,
                kind: kind.to_owned(),
            });
            open = None;
        }
        if tag.starts_chunk_after(before) {
            open = Some((i, tag.kind));
        }
        before = tag;
    }
    found
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Prefix {
    Outside,
    Begin,
    Inside,
    End,
    Single,
}

#[derive(Clone, Copy, Debug)]
struct Tag<'a> {
    prefix: Prefix,
    kind: &'a str,
}

impl<'a> Tag<'a> {
    const OUTSIDE: Tag<'static> = Tag {
        prefix: Prefix::Outside,
        kind: "",
    };

    /// `B-PER` is a beginning of `PER`. A label with no known prefix is the inside of a type of its own name, so
    /// that label lists without prefixes (`PER`, `O`) join equal neighbours.
    fn parse(label: &'a str) -> Self {
        if label == "O" {
            return Self::OUTSIDE;
        }
        let (prefix, kind) = match label.split_once('-').unwrap_or((label, "")) {
            ("B", kind) => (Prefix::Begin, kind),
            ("I", kind) => (Prefix::Inside, kind),
            ("E", kind) => (Prefix::End, kind),
            ("S", kind) => (Prefix::Single, kind),
            _ => (Prefix::Inside, label),
        };
        Self { prefix, kind }
    }

    fn ends_chunk_of(self, before: Self) -> bool {
        use Prefix::{Begin, End, Inside, Outside, Single};
        match before.prefix {
            Outside => false,
            End | Single => true,
            Begin | Inside => {
                matches!(self.prefix, Begin | Single | Outside) || self.kind != before.kind
            }
        }
    }

    fn starts_chunk_after(self, before: Self) -> bool {
        use Prefix::{Begin, End, Inside, Outside, Single};
        match self.prefix {
            Outside => false,
            Begin | Single => true,
            Inside | End => {
                matches!(before.prefix, Outside | End | Single) || self.kind != before.kind
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Sequences with the chunks that `conlleval.pl` counts in them (each found by following
    /// `endOfChunk` and `startOfChunk` of its source by hand), and, where `S` is involved, those of its
    /// extension in `seqeval.metrics.sequence_labeling.get_entities`.
    #[test]
    fn reads_ill_formed_sequences_as_conlleval_does() {
        type Case = (&'static str, &'static [(&'static str, usize, usize)]);
        let cases: &[Case] = &[
            ("O O", &[]),
            ("B-PER I-PER O B-LOC", &[("PER", 0, 2), ("LOC", 3, 4)]),
            ("I-PER I-PER", &[("PER", 0, 2)]),
            ("O I-PER O", &[("PER", 1, 2)]),
            ("B-PER I-LOC", &[("PER", 0, 1), ("LOC", 1, 2)]),
            ("I-PER B-PER I-PER", &[("PER", 0, 1), ("PER", 1, 3)]),
            ("B-PER B-PER", &[("PER", 0, 1), ("PER", 1, 2)]),
            ("S-PER S-PER", &[("PER", 0, 1), ("PER", 1, 2)]),
            ("B-PER I-PER E-PER", &[("PER", 0, 3)]),
            ("B-PER E-PER I-PER", &[("PER", 0, 2), ("PER", 2, 3)]),
            ("E-PER E-PER", &[("PER", 0, 1), ("PER", 1, 2)]),
            ("I-PER E-LOC", &[("PER", 0, 1), ("LOC", 1, 2)]),
            (
                "B-PER S-PER E-PER",
                &[("PER", 0, 1), ("PER", 1, 2), ("PER", 2, 3)],
            ),
            ("S-PER I-PER", &[("PER", 0, 1), ("PER", 1, 2)]),
            ("B-PER O E-PER", &[("PER", 0, 1), ("PER", 2, 3)]),
            ("PER PER O LOC", &[("PER", 0, 2), ("LOC", 3, 4)]),
            ("B-a-b I-a-b", &[("a-b", 0, 2)]),
            ("B I O B", &[("", 0, 2), ("", 3, 4)]),
        ];
        for (labels, expected) in cases {
            let labels: Vec<&str> = labels.split(' ').collect();
            let got = spans(&labels);
            let got: Vec<_> = got
                .iter()
                .map(|span| (span.kind.as_str(), span.words.start, span.words.end))
                .collect();
            assert_eq!(got, *expected, "{labels:?}");
        }
    }

    #[test]
    fn no_labels_no_spans() {
        assert_eq!(spans::<&str>(&[]), []);
    }
}

//! A sentence with its entities, or its subject and object, marked.

use super::Escaped;
use crate::prediction::Prediction;
use crate::query::Query;
use crate::words::Sentence;
use std::fmt::{self, Write as _};
use std::ops::Range;

/// The number of colours in the style sheet.
const COLOURS: u64 = 8;

/// What is marked: words, the label beside them, and its colour.
struct Mark {
    words: Range<usize>,
    label: String,
    score: Option<f64>,
    colour: u64,
}

pub(super) fn mark_sentence(
    out: &mut String,
    query: &Query,
    prediction: &Prediction,
) -> fmt::Result {
    let sentence = Sentence::new(&query.words);
    let mut marks: Vec<Mark> = Vec::new();
    for entity in prediction.entities.iter().flatten() {
        marks.push(Mark {
            words: entity.start..entity.end,
            label: entity.kind.clone(),
            score: Some(entity.score),
            colour: colour(&entity.kind),
        });
    }
    if prediction.relation.is_some() {
        for (span, label, colour) in [(&query.subject, "subject", 0), (&query.object, "object", 1)]
        {
            if let Some(words) = span
                .as_ref()
                .and_then(|span| sentence.resolve(span, label).ok())
            {
                marks.push(Mark {
                    words,
                    label: label.into(),
                    score: None,
                    colour,
                });
            }
        }
    }
    marks.sort_by_key(|mark| mark.words.start);
    out.push_str("<p class=\"sentence\">");
    let mut marks = marks.into_iter().peekable();
    let mut written = 0;
    for i in 0..sentence.len() {
        // Where two marks overlap, as subject and object may, the one that starts first is shown.
        while marks.peek().is_some_and(|mark| mark.words.start < i) {
            marks.next();
        }
        if i < written {
            continue;
        }
        write_gap(out, &sentence, i)?;
        match marks.next_if(|mark| mark.words.start == i && !mark.words.is_empty()) {
            Some(mark) => {
                let text = sentence.span_text(&mark.words);
                write!(
                    out,
                    "<mark class=\"c{}\">{}<sup>{}",
                    mark.colour,
                    Escaped(&text),
                    Escaped(&mark.label)
                )?;
                if let Some(score) = mark.score {
                    write!(out, " {score:.2}")?;
                }
                out.push_str("</sup></mark>");
                written = mark.words.end;
            }
            None => {
                write!(out, "{}", Escaped(&sentence.span_text(&(i..i + 1))))?;
                written = i + 1;
            }
        }
    }
    out.push_str("</p>\n");
    Ok(())
}

/// Writes what lies between word `i` and the one before it.
fn write_gap(out: &mut String, sentence: &Sentence, i: usize) -> fmt::Result {
    if i == 0 {
        return Ok(());
    }
    let gap = match sentence.places() {
        Some(places) => {
            let gap = places[i - 1].bytes.end..places[i].bytes.start;
            sentence.text().get(gap).unwrap_or(" ")
        }
        None => " ",
    };
    write!(out, "{}", Escaped(gap))
}

/// The same colour for the same type, on every page.
fn colour(kind: &str) -> u64 {
    let known = [
        (0, ["PER", "PERSON"]),
        (1, ["LOC", "GPE"]),
        (2, ["ORG", "GROUP"]),
        (3, ["MISC", "OTHER"]),
    ];
    let upper = kind.to_uppercase();
    match known
        .iter()
        .find(|(_, names)| names.contains(&upper.as_str()))
    {
        Some((colour, _)) => *colour,
        None => {
            4 + kind
                .bytes()
                .fold(0u64, |sum, byte| sum * 31 % 4093 + u64::from(byte))
                % (COLOURS - 4)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::prediction::{Entity, Relation};

    fn marked(query: &Query, prediction: &Prediction) -> String {
        let mut out = String::new();
        mark_sentence(&mut out, query, prediction).unwrap();
        out
    }

    #[test]
    fn text_keeps_its_spaces_and_entities_are_marked() {
        let query = Query::text("Hi  Zoë, hi!");
        let entity = Entity {
            kind: "PER".into(),
            start: 1,
            end: 2,
            text: "Zoë".into(),
            score: 0.987,
            offsets: None,
        };
        let prediction = Prediction {
            entities: Some(vec![entity]),
            ..Prediction::default()
        };
        assert_eq!(
            marked(&query, &prediction),
            "<p class=\"sentence\">Hi  <mark class=\"c0\">Zoë<sup>PER 0.99</sup></mark>, hi!</p>\n"
        );
    }

    #[test]
    fn subject_and_object_are_marked_even_where_they_overlap() {
        let relation = Relation {
            kind: "peer".into(),
            score: 0.5,
        };
        let prediction = Prediction {
            relation: Some(relation),
            ..Prediction::default()
        };
        let query = Query::tokens(["a", "b", "c", "d"])
            .subject(1..3)
            .object(2..3);
        assert_eq!(
            marked(&query, &prediction),
            "<p class=\"sentence\">a <mark class=\"c0\">b c<sup>subject</sup></mark> d</p>\n"
        );
        let query = Query::tokens(["a", "b"]).subject(1..2).object(0..1);
        assert_eq!(
            marked(&query, &prediction),
            "<p class=\"sentence\"><mark class=\"c1\">a<sup>object</sup></mark> \
             <mark class=\"c0\">b<sup>subject</sup></mark></p>\n"
        );
    }
}

//! Snippets: the part of a paragraph that says best why it was found.
//!
//! The words of the paragraph go through the analyzer once, and a window as long as a snippet may be slides over
//! those whose term the query has. The best window is the one whose *different* terms weigh most together; of equal
//! ones, the first. `fragment` then gives the window the text around it that makes it readable. Both take time linear in
//! the paragraph's length.

use std::collections::{HashMap, VecDeque};
use std::ops::Range;

use super::analyzer::Analyzer;
use super::anchors::without_tags;

mod fragment;

/// How long a snippet is unless told otherwise, in characters.
pub const SNIPPET_CHARACTERS: usize = 200;

/// A part of a paragraph, as its reader sees it: without the tags of anchors.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Snippet {
    /// The part, with `…` where it begins or ends inside a sentence.
    pub text: String,
    /// Where the words stand that the query has too, in bytes of `text`, in order.
    pub matches: Vec<Range<usize>>,
}

impl Snippet {
    /// The text with `before` and `after` around each match. Nothing is escaped.
    ///
    /// ```
    /// let snippet = morelet_indices::Snippet { text: "Alan Turing.".into(), matches: vec![5..11] };
    /// assert_eq!(snippet.marked("[", "]"), "Alan [Turing].");
    /// ```
    pub fn marked(&self, before: &str, after: &str) -> String {
        let mut marked = String::with_capacity(self.text.len());
        let mut at = 0;
        for place in &self.matches {
            // Anyone can write to the fields, so places are taken only where they are places.
            let (Some(between), Some(word)) =
                (self.text.get(at..place.start), self.text.get(place.clone()))
            else {
                continue;
            };
            marked.extend([between, before, word, after]);
            at = place.end;
        }
        marked.push_str(&self.text[at..]);
        marked
    }
}

/// Makes the snippets for one query.
pub(crate) struct Highlighter {
    analyzer: Analyzer,
    terms: HashMap<String, Term>,
}

#[derive(Clone, Copy)]
struct Term {
    /// From 0.
    number: usize,
    /// In 2⁻¹⁶: an integer, so that a window's weight does not depend on the windows before it.
    weight: u64,
}

/// A word of the text that matches.
struct Match {
    term: Term,
    /// Where it stands, in bytes.
    bytes: Range<usize>,
    /// The same in characters.
    characters: Range<usize>,
}

impl Highlighter {
    /// For a query with these terms, as `analyzer` gives them, and what each weighs: its idf times how often the query
    /// has it, say.
    pub fn new(
        analyzer: Analyzer,
        weights: impl IntoIterator<Item = (String, f32)>,
    ) -> Highlighter {
        let mut terms: HashMap<String, Term> = HashMap::new();
        for (term, weight) in weights {
            let number = terms.len();
            // Saturates; NaN becomes 0. The sums stay far below 2⁶⁴.
            let weight = u64::from((weight * 65536.0) as u32);
            let term = terms.entry(term).or_insert(Term { number, weight: 0 });
            term.weight += weight;
        }
        Highlighter { analyzer, terms }
    }

    /// The best part of `paragraph` (which may have anchors), at most `characters` long. Where nothing matches, the
    /// beginning.
    pub fn snippet(&self, paragraph: &str, characters: usize) -> Snippet {
        let text = without_tags(paragraph);
        let text = text.trim();
        if text.chars().nth(characters).is_none() {
            return self.matches_in(text, 0..text.len(), "", "");
        }
        // Both ends may be cut.
        let room = characters.saturating_sub(2);
        let window = self.best_window(text, room).unwrap_or(0..0);
        let fragment = fragment::around(text, window, room);
        let mark = |cut: bool| match cut && characters > 2 {
            true => "…",
            false => "",
        };
        let (before, after) = (mark(fragment.cut_before), mark(fragment.cut_after));
        self.matches_in(text, fragment.place, before, after)
    }

    /// Calls `act` with each word of `text` that matches.
    fn for_each_match(&self, text: &str, mut act: impl FnMut(Term, Range<usize>)) {
        self.analyzer.for_each_word(text, |term, place| {
            if let Some(&term) = self.terms.get(term) {
                act(term, place);
            }
        });
    }

    /// From the first to the last match, in bytes, of the best window of at most `room` characters.
    fn best_window(&self, text: &str, room: usize) -> Option<Range<usize>> {
        let mut best: Option<(u64, Range<usize>)> = None;
        let mut window: VecDeque<Match> = VecDeque::new();
        let mut times = vec![0_u32; self.terms.len()];
        let mut weight = 0;
        // The last place that was counted, in bytes and in characters.
        let mut counted = (0, 0);
        self.for_each_match(text, |term, bytes| {
            let mut count_to = |place: usize| {
                counted = (place, counted.1 + text[counted.0..place].chars().count());
                counted.1
            };
            let characters = count_to(bytes.start)..count_to(bytes.end);
            if times[term.number] == 0 {
                weight += term.weight;
            }
            times[term.number] += 1;
            window.push_back(Match {
                term,
                bytes,
                characters: characters.clone(),
            });
            // A term that comes again weighs nothing more, and without it the window is shorter. A word that is longer
            // than the room leaves nothing.
            while let Some(first) = window.front()
                && (times[first.term.number] > 1 || characters.end - first.characters.start > room)
            {
                times[first.term.number] -= 1;
                if times[first.term.number] == 0 {
                    weight -= first.term.weight;
                }
                window.pop_front();
            }
            if let (Some(first), Some(last)) = (window.front(), window.back())
                && best.as_ref().is_none_or(|(best, _)| weight > *best)
            {
                best = Some((weight, first.bytes.start..last.bytes.end));
            }
        });
        best.map(|(_, window)| window)
    }

    /// The snippet that is `text[place]` with `before` and `after`.
    fn matches_in(&self, text: &str, place: Range<usize>, before: &str, after: &str) -> Snippet {
        // Words are those of the whole text: analysis starts anew after every space, so it can start at one.
        let space = [' ', '\n', '\t', '\r'];
        let start = text[..place.start].rfind(space).unwrap_or(0);
        let end = text[place.end..]
            .find(space)
            .map_or(text.len(), |len| place.end + len);
        let mut matches = Vec::new();
        self.for_each_match(&text[start..end], |_, word| {
            let (from, to) = (start + word.start, start + word.end);
            if place.start <= from && to <= place.end {
                let at = before.len() + from - place.start;
                matches.push(at..at + to - from);
            }
        });
        Snippet {
            text: [before, &text[place], after].concat(),
            matches,
        }
    }
}

#[cfg(test)]
mod tests;

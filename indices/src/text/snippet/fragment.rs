//! Where to cut: the text around a window, in whole sentences where they fit and in whole words elsewhere.

use std::ops::Range;

use crate::text::characters::{Class, class};

/// A part of a text.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Fragment {
    /// In bytes.
    pub place: Range<usize>,
    /// Whether it begins inside a sentence.
    pub cut_before: bool,
    /// Whether it ends inside one.
    pub cut_after: bool,
}

/// A place between two characters.
#[derive(Clone, Copy, Debug)]
struct Place {
    /// In bytes of the text.
    byte: usize,
    /// In characters, from the first place looked at.
    character: usize,
    /// A sentence begins here.
    begins: bool,
    /// A sentence ends here.
    ends: bool,
    /// No word goes on across it.
    free: bool,
    /// No character goes on across it.
    whole: bool,
}

/// At most `room` characters of `text` around `window`, which is not longer and does not begin or end inside a
/// word.
pub(super) fn around(text: &str, window: Range<usize>, room: usize) -> Fragment {
    let spare = room.saturating_sub(text[window.clone()].chars().count());
    let places = places(text, &window, spare);
    let at = |byte: usize| places.iter().position(|place| place.byte == byte);
    let (Some(first), Some(last)) = (at(window.start), at(window.end)) else {
        // Not reached: all places from before the window to behind it are there.
        return Fragment {
            place: window,
            cut_before: true,
            cut_after: true,
        };
    };
    let begin = begin(&places, first, last, spare);
    let end = end(&places, begin, last, room);
    // What is left over behind the end is of use before the beginning.
    let wanted = |place: &Place| match places[begin].begins {
        true => place.begins && places[end].byte == text.len(),
        false => place.begins || place.free,
    };
    let begin = (0..begin)
        .find(|&at| wanted(&places[at]) && places[end].character - places[at].character <= room)
        .unwrap_or(begin);
    let place = places[begin].byte..places[end].byte;
    let trimmed = text[place.clone()].trim_start();
    let start = place.end - trimmed.len();
    Fragment {
        place: start..start + trimmed.trim_end().len(),
        cut_before: !places[begin].begins,
        cut_after: !places[end].ends,
    }
}

/// Where a fragment with the places `first` to `last` begins: at the beginning of the sentence if that is near,
/// else with a fair share of the spare characters.
fn begin(places: &[Place], first: usize, last: usize, spare: usize) -> usize {
    if let Some(sentence) = (0..=first).rev().find(|&at| places[at].begins) {
        return sentence;
    }
    let behind = places[places.len() - 1].character - places[last].character;
    let share = (spare / 2).max(spare.saturating_sub(behind));
    (0..first)
        .find(|&at| places[at].free && places[first].character - places[at].character <= share)
        .unwrap_or(first)
}

/// Where a fragment ends that begins at `begin` and reaches to `last` at least: at the end of a sentence if that uses
/// most of the room, else after a word.
fn end(places: &[Place], begin: usize, last: usize, room: usize) -> usize {
    let limit = places[begin].character + room;
    let within = || {
        (last..places.len())
            .rev()
            .filter(|&at| places[at].character <= limit)
    };
    let sentence = within().find(|&at| places[at].ends && at > 0);
    let word = within().find(|&at| at > 0 && (places[at].free || places[at].ends));
    let enough = |at: usize| limit - places[at].character <= room / 5 * 2;
    match (sentence, word) {
        (Some(sentence), _) if enough(sentence) => sentence,
        (_, Some(word)) => word,
        // One word that is longer than the room: cut it, if need be.
        _ if last > 0 => last,
        _ => within().find(|&at| places[at].whole).unwrap_or(last),
    }
}

/// All places from `spare` characters before the window to `spare` behind it.
fn places(text: &str, window: &Range<usize>, spare: usize) -> Vec<Place> {
    let start = match spare {
        0 => window.start,
        _ => text[..window.start]
            .char_indices()
            .rev()
            .nth(spare - 1)
            .map_or(0, |(at, _)| at),
    };
    let mut before = text[..start].chars().next_back();
    let mut sentence = Sentence::default();
    let mut places = Vec::new();
    let mut behind = 0;
    let next = text[start..].chars().map(Some).chain([None]);
    let mut byte = start;
    for (character, after) in next.enumerate() {
        let (begins, ends) = sentence.boundary(before, after);
        places.push(Place {
            byte,
            character,
            begins: begins || byte == 0,
            ends,
            free: is_free(before, after),
            whole: is_whole(before, after),
        });
        if byte >= window.end {
            if behind == spare {
                break;
            }
            behind += 1;
        }
        byte += after.map_or(0, char::len_utf8);
        before = after;
    }
    places
}

/// What was read of a sentence's end.
#[derive(Default)]
struct Sentence {
    /// After a full stop and what may follow it: whether that is enough (`。`) or a space must come (`.`).
    stopped: Option<bool>,
    /// After the space behind a sentence.
    over: bool,
}

impl Sentence {
    /// Whether a sentence begins and whether one ends between two characters. To be asked of all places in order.
    fn boundary(&mut self, before: Option<char>, after: Option<char>) -> (bool, bool) {
        if before.is_some_and(|before| !before.is_whitespace()) {
            self.over = false;
        }
        match before {
            Some('.' | '!' | '?' | '…') => self.stopped = Some(false),
            Some('。' | '！' | '？' | '．') => self.stopped = Some(true),
            Some('"' | '\'' | ')' | ']' | '»' | '”' | '’' | '」' | '』' | '）') => {}
            Some('\n') => (self.stopped, self.over) = (None, true),
            Some(space) if space.is_whitespace() => self.stopped = None,
            _ => self.stopped = None,
        }
        let Some(after) = after else {
            return (false, true);
        };
        let closing = matches!(after, '」' | '』' | '）' | '”' | '’' | '。' | '！' | '？');
        let ends = after == '\n'
            || match self.stopped {
                Some(true) => !closing,
                Some(false) => after.is_whitespace(),
                None => false,
            };
        self.over |= ends;
        (self.over && !after.is_whitespace(), ends)
    }
}

/// Whether a text can be cut between two characters without cutting a word.
fn is_free(before: Option<char>, after: Option<char>) -> bool {
    let (Some(before), Some(after)) = (before, after) else {
        return true;
    };
    if before.is_whitespace() || after.is_whitespace() {
        return is_whole(Some(before), Some(after));
    }
    // Where words have no spaces between them.
    let alone = |character| {
        matches!(
            class(character),
            Class::Han | Class::Hiragana | Class::Emoji
        )
    };
    let stays = matches!(
        after,
        '。' | '、'
            | '，'
            | '！'
            | '？'
            | '：'
            | '；'
            | '」'
            | '』'
            | '）'
            | '.'
            | ','
            | '!'
            | '?'
            | ')'
    );
    let opens = matches!(before, '「' | '『' | '（' | '(' | '"' | '“');
    (alone(before) || alone(after)) && !stays && !opens && is_whole(Some(before), Some(after))
}

/// Whether a text can be cut between two characters without cutting what a reader sees as one.
fn is_whole(before: Option<char>, after: Option<char>) -> bool {
    let (Some(before), Some(after)) = (before, after) else {
        return true;
    };
    let (before, after) = (class(before), class(after));
    let extends = matches!(
        after,
        Class::Extend
            | Class::ComplexExtend
            | Class::Joiner
            | Class::Keycap
            | Class::TextSelector
            | Class::EmojiSelector
            | Class::SkinTone
            | Class::Tag
            | Class::TagEnd
    );
    !extends && before != Class::Joiner && (before, after) != (Class::Regional, Class::Regional)
}

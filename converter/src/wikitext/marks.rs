//! Characters that travel between the passes and that no text contains.
//!
//! They lie at the end of the last private-use plane; the first pass drops such characters from its input, so whoever
//! meets one later knows that we wrote it.

/// ASCII characters that are text although they look like markup are shifted here: from `nowiki`, from
/// character references.
const PROTECTED: u32 = 0x10_FE00;

/// Something was removed here; the spaces and punctuation around it may have to go, too.
pub const HOLE: char = '\u{10FE80}';
/// Stands for nothing, and keeps its neighbours from being read as one.
pub const NOTHING: char = '\u{10FE81}';
/// What follows on this line belongs to markup that was never closed.
pub const BROKEN: char = '\u{10FE82}';
/// A paragraph ends here, though the line does not.
pub const BREAK: char = '\u{10FE83}';
/// An anchor starts; the title follows, up to [`ANCHOR_TEXT`].
pub const ANCHOR: char = '\u{10FE84}';
/// The title of an anchor ends and its text starts.
pub const ANCHOR_TEXT: char = '\u{10FE85}';
/// An anchor ends.
pub const ANCHOR_END: char = '\u{10FE86}';

/// The first byte of every mark in UTF-8.
pub const LEAD: u8 = 0xF4;

/// Whether this is a mark, of whatever meaning.
pub fn is_mark(c: char) -> bool {
    (PROTECTED..PROTECTED + 0x100).contains(&u32::from(c))
}

/// `c` as text, whatever it means in wikitext.
pub fn protect(c: char) -> char {
    if c.is_ascii_punctuation() {
        char::from_u32(PROTECTED + u32::from(c)).unwrap_or(c)
    } else {
        c
    }
}

/// The text character that a protected one stands for; others stand for themselves.
pub fn unprotect(c: char) -> char {
    let code = u32::from(c).wrapping_sub(PROTECTED);
    u8::try_from(code)
        .ok()
        .filter(u8::is_ascii)
        .map_or(c, char::from)
}

/// Appends text that is not to be read as markup.
pub fn push_protected(out: &mut String, text: &str) {
    out.extend(text.chars().filter(|&c| !is_mark(c)).map(protect));
}

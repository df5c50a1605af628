//! Comparing a compiled tokenizer with `tokenizers`, before anything is written.

use rayon::prelude::*;

use crate::tokenizer::Tokenizer;

/// Texts that tokenizers fall over: white space of all kinds, control characters, marks that combine, characters
/// that become others or several, marks of tokenizers themselves, scripts without spaces.
const AWKWARD: [&str; 60] = [
    "",
    " ",
    "   ",
    "\t\n\r\u{b}\u{c}",
    "\r\n",
    "a\r\nb\rc\nd",
    "This is a test",
    "  two  spaces   three ",
    "a\u{a0}b\u{2003}c\u{3000}d\u{202f}e\u{205f}f\u{1680}g",
    "a\u{200b}b\u{200c}c\u{200d}d\u{2060}e\u{feff}f\u{ad}g",
    "\u{0}a\u{0}\u{0}",
    "\u{1}\u{2}leading controls",
    "between\u{7f}\u{80}\u{9f}controls\u{1f}",
    "▁",
    "▁▁▁a▁ ▁b",
    "a▁",
    "<s>",
    "</s><s>",
    "<pad> <unk> <mask>",
    "a<mask>b",
    "a <mask> b",
    "  <mask>  ",
    "<mask",
    "<<s>>",
    "<S> a </S>",
    "＜s＞＜/s＞",
    "fi ﬁ ﬀ ﬃ ﬄ ﬅ ŉ ǆ",
    "½ ⅓ ¼ ⅐ ↉ x² x₂ ①②③ ㈱ ㎏ ㍿",
    "½\u{1}b",
    "¨a",
    "ＡＢＣ１２３！？　ﾊﾝｶｸ ｶﾞｷﾞﾊﾟ",
    "ﷺ ﷺﷺ",
    "e\u{301} E\u{301}\u{327} a\u{308}\u{304} o\u{338}",
    "\u{301}",
    " \u{301}x",
    "q\u{307}\u{323}\u{301}\u{302}\u{303}\u{304}\u{306}",
    "Å Å A\u{30a} Ω Ω",
    "İstanbul ıI ſt ß ẞ",
    "한국어 한국어 ㅎㅏㄴ ᄒ",
    "日本語のテキスト、空白なし。",
    "中华人民共和国万岁",
    "ภาษาไทยกำลังจะมา ำ",
    "हिन्दी क्षत्रिय ज्ञ",
    "العربية مرحبا بكم ﻻ ـــ",
    "עברית שָׁלוֹם",
    "Ελληνικά Ὀδυσσεύς ΐ",
    "Русский текст, ещё й и\u{306}",
    "👩‍👩‍👧‍👦 🏳️‍🌈 👍🏽 🇩🇪🇫🇷 1️⃣ ❤️ ☺",
    "𝔘𝔫𝔦𝔠𝔬𝔡𝔢 𝟘𝟙𝟚 𐍈 𠜎𠜱",
    "\u{e000}\u{f8ff}\u{10ffff}\u{fffd}",
    "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa",
    "http://t.co/AbC123?x=1&y=%20#tag @user_name RT: …",
    "don't “quote” ‘x’ – — … • ™ © ®",
    "1,234,567.89 € £ ¥ ₹ 10^-5 ±3 °C",
    "C++ C# .NET a.b.c 1.2.3 (x) [y] {z} \\ | ~ `",
    "``quoted''",
    "Supercalifragilisticexpialidocious antidisestablishmentarianism",
    "<0x0A> <0xE2>",
    "\u{61c}\u{202a}x\u{202c}\u{2066}y\u{2069}",
    "tail   ",
];

/// How many pieces are joined to a text without spaces.
const JOINED: usize = 5;

/// Compares the ids of awkward texts, of each piece alone, and of pieces joined. A text that `tokenizers` itself
/// fails on says nothing.
///
/// # Errors
/// Says which text has other ids.
pub(super) fn verify(
    reference: &Tokenizer,
    compiled: &Tokenizer,
    pieces: &[&str],
) -> Result<(), String> {
    let compare = |text: &str| -> Option<String> {
        let expected = reference.encode(text).ok()?;
        match compiled.encode(text) {
            Ok(ids) if ids == expected => None,
            Ok(ids) => Some(format!(
                "{text:?}: expected the ids {expected:?}, got {ids:?}"
            )),
            Err(error) => Some(format!("{text:?}: {error}")),
        }
    };
    let awkward = AWKWARD.par_iter().find_map_first(|text| {
        let mut joined = AWKWARD.iter().map(|other| format!("{text}{other}"));
        joined.find_map(|text| compare(&text))
    });
    let around = || {
        let tokens = reference.added_tokens();
        let mut around = tokens.iter().flat_map(|token| around(token));
        around.find_map(|text| compare(&text))
    };
    let alone = || pieces.par_iter().find_map_first(|piece| compare(piece));
    let joined = || {
        let joined = pieces.par_chunks(JOINED).map(|pieces| pieces.concat());
        joined.find_map_first(|text| compare(&text.replace('▁', " ")))
    };
    match awkward.or_else(around).or_else(alone).or_else(joined) {
        Some(difference) => Err(difference),
        None => Ok(()),
    }
}

/// Texts with an added token in them.
fn around(token: &str) -> [String; 8] {
    let cut = token.floor_char_boundary(token.len().saturating_sub(1));
    [
        token.to_owned(),
        token.repeat(3),
        format!("{token} {token}"),
        format!("  {token}  "),
        format!("x{token}y"),
        format!("x {token} y"),
        format!("x\u{3000}{token}\n\ty"),
        token[..cut].to_owned(),
    ]
}

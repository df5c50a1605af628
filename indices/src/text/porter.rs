//! Porter's stemmer, the first one ("An algorithm for suffix stripping", 1980), with the two departures that its
//! author later made and Lucene keeps: `bli` becomes `ble` and `logi` becomes `log`. Not Snowball's English
//! stemmer, which is often called Porter 2 and answers differently.

/// What a word is made of: a byte of ASCII, or a UTF-16 code unit, which is what Lucene counts in other words.
pub(super) trait Unit: Copy + Eq + From<u8> {}
impl Unit for u8 {}
impl Unit for u16 {}

/// Cuts `word`, which is in lower case, down to its stem.
pub(super) fn stem<U: Unit>(word: &mut Vec<U>) {
    if word.len() < 3 {
        return;
    }
    plural(word);
    past_and_progressive(word);
    if let Some(at) = ends(word, b"y")
        && has_vowel(&word[..at])
    {
        word[at] = U::from(b'i');
    }
    replace_first(word, DOUBLE_SUFFIXES);
    replace_first(word, SUFFIXES);
    strip(word);
    tidy(word);
}

/// Step 1a: plurals.
fn plural<U: Unit>(word: &mut Vec<U>) {
    if ends(word, b"sses").is_some() || ends(word, b"ies").is_some() {
        word.truncate(word.len() - 2);
    } else if ends(word, b"s").is_some() && ends(word, b"ss").is_none() {
        word.pop();
    }
}

/// Step 1b: `eed`, `ed` and `ing`.
fn past_and_progressive<U: Unit>(word: &mut Vec<U>) {
    if let Some(at) = ends(word, b"eed") {
        if measure(&word[..at]) > 0 {
            word.pop();
        }
        return;
    }
    let Some(at) = ends(word, b"ed").or_else(|| ends(word, b"ing")) else {
        return;
    };
    if !has_vowel(&word[..at]) {
        return;
    }
    word.truncate(at);
    if [b"at", b"bl", b"iz"]
        .iter()
        .any(|end| ends(word, *end).is_some())
    {
        word.push(U::from(b'e'));
    } else if ends_in_double_consonant(word) {
        if ![b"l", b"s", b"z"]
            .iter()
            .any(|end| ends(word, *end).is_some())
        {
            word.pop();
        }
    } else if measure(word) == 1 && ends_in_short_syllable(word) {
        word.push(U::from(b'e'));
    }
}

/// Suffixes with what takes their place. Where one ends with another, the longer comes first.
type Replacements = &'static [(&'static [u8], &'static [u8])];

/// Step 2: suffixes made of two.
const DOUBLE_SUFFIXES: Replacements = &[
    (b"ational", b"ate"),
    (b"tional", b"tion"),
    (b"enci", b"ence"),
    (b"anci", b"ance"),
    (b"izer", b"ize"),
    (b"bli", b"ble"),
    (b"alli", b"al"),
    (b"entli", b"ent"),
    (b"eli", b"e"),
    (b"ousli", b"ous"),
    (b"ization", b"ize"),
    (b"ation", b"ate"),
    (b"ator", b"ate"),
    (b"alism", b"al"),
    (b"iveness", b"ive"),
    (b"fulness", b"ful"),
    (b"ousness", b"ous"),
    (b"aliti", b"al"),
    (b"iviti", b"ive"),
    (b"biliti", b"ble"),
    (b"logi", b"log"),
];

/// Step 3.
const SUFFIXES: Replacements = &[
    (b"icate", b"ic"),
    (b"ative", b""),
    (b"alize", b"al"),
    (b"iciti", b"ic"),
    (b"ical", b"ic"),
    (b"ful", b""),
    (b"ness", b""),
];

/// Replaces the one suffix that the word ends with, if something that counts as a stem stands before it.
fn replace_first<U: Unit>(word: &mut Vec<U>, replacements: Replacements) {
    let found = replacements
        .iter()
        .find_map(|(suffix, by)| Some((ends(word, suffix)?, by)));
    if let Some((at, by)) = found
        && measure(&word[..at]) > 0
    {
        word.truncate(at);
        word.extend(by.iter().map(|&byte| U::from(byte)));
    }
}

/// Step 4: suffixes that go when a longer stem stands before them.
fn strip<U: Unit>(word: &mut Vec<U>) {
    const STRIPPED: &[&[u8]] = &[
        b"al", b"ance", b"ence", b"er", b"ic", b"able", b"ible", b"ant", b"ement", b"ment", b"ent",
        b"ion", b"ou", b"ism", b"ate", b"iti", b"ous", b"ive", b"ize",
    ];
    let Some((at, suffix)) = STRIPPED
        .iter()
        .find_map(|suffix| Some((ends(word, suffix)?, *suffix)))
    else {
        return;
    };
    let stem = &word[..at];
    let may_go = suffix != b"ion" || ends(stem, b"s").is_some() || ends(stem, b"t").is_some();
    if may_go && measure(stem) > 1 {
        word.truncate(at);
    }
}

/// Step 5: a last `e`, and one of two `l`.
fn tidy<U: Unit>(word: &mut Vec<U>) {
    if let Some(at) = ends(word, b"e") {
        let stem = &word[..at];
        let measure = measure(stem);
        if measure > 1 || measure == 1 && !ends_in_short_syllable(stem) {
            word.pop();
        }
    }
    if ends(word, b"ll").is_some() && measure(word) > 1 {
        word.pop();
    }
}

/// Where `suffix` begins, if `word` ends with it.
#[inline]
fn ends<U: Unit>(word: &[U], suffix: &[u8]) -> Option<usize> {
    let at = word.len().checked_sub(suffix.len())?;
    let equal = word[at..]
        .iter()
        .zip(suffix)
        .all(|(&unit, &byte)| unit == U::from(byte));
    equal.then_some(at)
}

/// Whether each unit is a consonant: not a vowel, and `y` only where no consonant stands before it.
fn consonants<U: Unit>(word: &[U]) -> impl Iterator<Item = bool> {
    word.iter().scan(false, |after_consonant, &unit| {
        let is = |byte| unit == U::from(byte);
        *after_consonant = if is(b'y') {
            !*after_consonant
        } else {
            !(is(b'a') || is(b'e') || is(b'i') || is(b'o') || is(b'u'))
        };
        Some(*after_consonant)
    })
}

/// How often a consonant follows a vowel: the `m` of `[C](VC)^m[V]`.
fn measure<U: Unit>(word: &[U]) -> usize {
    let after = consonants(word).skip(1);
    consonants(word)
        .zip(after)
        .filter(|&(first, second)| !first && second)
        .count()
}

fn has_vowel<U: Unit>(word: &[U]) -> bool {
    consonants(word).any(|consonant| !consonant)
}

fn ends_in_double_consonant<U: Unit>(word: &[U]) -> bool {
    word.len() >= 2
        && word[word.len() - 1] == word[word.len() - 2]
        && consonants(word).last() == Some(true)
}

/// Consonant, vowel, consonant other than `w`, `x` and `y`: as in `hop`, which `hoping` comes from once its `e` is back.
fn ends_in_short_syllable<U: Unit>(word: &[U]) -> bool {
    let Some(at) = word.len().checked_sub(3) else {
        return false;
    };
    consonants(word).skip(at).eq([true, false, true])
        && ![b"w", b"x", b"y"]
            .iter()
            .any(|end| ends(word, *end).is_some())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The examples of the paper, and the two departures.
    #[test]
    fn stems_what_the_paper_stems() {
        for (word, expected) in [
            ("caresses", "caress"),
            ("ponies", "poni"),
            ("ties", "ti"),
            ("cats", "cat"),
            ("feed", "feed"),
            ("agreed", "agre"),
            ("plastered", "plaster"),
            ("bled", "bled"),
            ("motoring", "motor"),
            ("sing", "sing"),
            ("conflated", "conflat"),
            ("troubled", "troubl"),
            ("sized", "size"),
            ("hopping", "hop"),
            ("falling", "fall"),
            ("filing", "file"),
            ("happy", "happi"),
            ("sky", "sky"),
            ("relational", "relat"),
            ("generalizations", "gener"),
            ("oscillators", "oscil"),
            ("adoption", "adopt"),
            ("controll", "control"),
            ("possibly", "possibl"),
            ("archaeology", "archaeolog"),
            ("as", "as"),
            ("ing", "ing"),
            ("ies", "i"),
        ] {
            let mut bytes = word.as_bytes().to_vec();
            stem(&mut bytes);
            assert_eq!(String::from_utf8(bytes).unwrap(), expected, "{word}");
            let mut units: Vec<u16> = word.encode_utf16().collect();
            stem(&mut units);
            assert_eq!(String::from_utf16(&units).unwrap(), expected, "{word}");
        }
    }
}

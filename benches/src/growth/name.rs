//! Names for new terms.

use crate::random::Random;

/// How often to try before a name gets longer.
const TRIES: usize = 8;
const VOWELS: &[u8] = b"aeiou";
const CONSONANTS: &[u8] = b"bcdfghklmnprstvwyz";

/// A name of the shape of `name` that `is_new`: the later half of its ASCII letters and digits are others, vowels for
/// vowels and digits for digits, so that the dictionary finds prefixes to share as it does among real terms,
/// and analysis takes it for one term as it does `name`. Where there is no room left, it gets longer. `None` without
/// letters and digits to change.
pub fn like(name: &str, random: &mut Random, is_new: impl Fn(&str) -> bool) -> Option<String> {
    let mut characters: Vec<char> = name.chars().collect();
    let places: Vec<usize> = (characters.len() / 2..characters.len())
        .filter(|&at| characters[at].is_ascii_alphanumeric())
        .collect();
    let last = *places.last()?;
    loop {
        for _ in 0..TRIES {
            for &at in &places {
                characters[at] = other(characters[at], random);
            }
            let name: String = characters.iter().collect();
            if is_new(&name) {
                return Some(name);
            }
        }
        // One more of the same kind next to it, which no word boundary divides.
        characters.insert(last, characters[last]);
    }
}

/// A character of the same kind.
fn other(character: char, random: &mut Random) -> char {
    let kind: &[u8] = match character {
        '0'..='9' => b"0123456789",
        'a' | 'e' | 'i' | 'o' | 'u' => VOWELS,
        _ => CONSONANTS,
    };
    char::from(kind[random.below(kind.len())])
}

#[cfg(test)]
mod tests {
    use super::*;
    use morelet_indices::Analyzer;

    #[test]
    fn names_are_new_and_one_term() {
        let mut random = Random::new(3);
        for name in [
            "a",
            "1208",
            "o'brien",
            "u.s.a",
            "3.14",
            "taf\u{e9}s",
            "\u{4e00}",
        ] {
            let mut taken = vec![name.to_owned()];
            for _ in 0..40 {
                let like = like(name, &mut random, |name| !taken.iter().any(|t| t == name));
                let Some(like) = like else {
                    assert!(!name.chars().any(|c| c.is_ascii_alphanumeric()));
                    break;
                };
                assert_eq!(Analyzer::Standard.terms(&like), [like.as_str()]);
                assert!(!taken.contains(&like));
                taken.push(like);
            }
        }
    }
}

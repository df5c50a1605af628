//! The trie against a sorted map.

use std::collections::BTreeMap;

use super::super::double_array::double_array;
use super::super::trie::Trie;
use super::Random;

fn bytes(keys: &BTreeMap<&[u8], u32>) -> Vec<u8> {
    let units = double_array(keys).unwrap();
    units.iter().flat_map(|unit| unit.to_le_bytes()).collect()
}

/// Every key that is a prefix of a text, the plain way.
fn plain(keys: &BTreeMap<&[u8], u32>, text: &[u8], most: usize) -> Vec<(usize, u32)> {
    (1..=text.len().min(most))
        .filter_map(|len| Some((len, *keys.get(&text[..len])?)))
        .collect()
}

#[test]
fn finds_the_prefixes_that_a_sorted_map_has() {
    let mut random = Random(3);
    for round in 0..300 {
        let alphabet = [2, 5, 255][round % 3];
        let mut string = |most: usize| -> Vec<u8> {
            let len = 1 + random.below(most);
            (0..len).map(|_| 1 + random.below(alphabet) as u8).collect()
        };
        let owned: Vec<Vec<u8>> = (0..1 + round * 3).map(|_| string(6)).collect();
        let texts: Vec<Vec<u8>> = (0..200).map(|_| string(12)).collect();
        let keys: BTreeMap<&[u8], u32> = owned.iter().map(Vec::as_slice).zip(0..).collect();
        let bytes = bytes(&keys);
        let trie = Trie::new(&bytes, 0, owned.len() as u32);
        for text in owned.iter().chain(&texts) {
            for most in [1, 3, 12] {
                let mut found = Vec::new();
                trie.prefixes(text, most, |len, value| found.push((len, value)))
                    .unwrap();
                assert_eq!(found, plain(&keys, text, most), "{text:?}");
                assert_eq!(trie.longest(text, most).unwrap(), found.last().copied());
                let expected = keys
                    .get(text.as_slice())
                    .copied()
                    .filter(|_| text.len() <= most);
                assert_eq!(trie.get(text, most).unwrap(), expected);
            }
        }
    }
}

#[test]
fn an_empty_trie_finds_nothing() {
    let bytes = bytes(&BTreeMap::new());
    assert_eq!(Trie::new(&bytes, 0, 0).longest(b"a", 9).unwrap(), None);
}

#[test]
fn a_zero_byte_ends_a_walk() {
    let keys = BTreeMap::from([(&b"a"[..], 0), (b"ab", 1)]);
    let bytes = bytes(&keys);
    assert_eq!(
        Trie::new(&bytes, 0, 2).longest(b"a\0b", 9).unwrap(),
        Some((1, 0))
    );
    assert_eq!(Trie::new(&bytes, 0, 2).longest(b"\0", 9).unwrap(), None);
}

#[test]
fn refuses_keys_that_it_cannot_hold() {
    for key in [&b""[..], b"a\0", b"\0"] {
        assert!(
            double_array(&BTreeMap::from([(key, 0)])).is_err(),
            "{key:?}"
        );
    }
    assert!(double_array(&BTreeMap::from([(&b"a"[..], 1 << 22)])).is_err());
}

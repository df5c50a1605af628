//! Where each expert's context comes from, for one query.

use crate::manifest::{ContextKind, ExpertEntry, Manifest};
use crate::pipeline::RETRIEVED_KEYS;
use crate::query::Query;

/// What decides about the contexts of a query, beside the query itself.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Means {
    pub text_index: bool,
    pub image_index: bool,
    pub clip: bool,
}

/// Where an expert's context comes from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Source<'q> {
    /// The caller brought it.
    Given(&'q [String]),
    /// There is none: the baseline.
    Nothing,
    /// Retrieved by the sentence.
    Text,
    /// Retrieved by the picture.
    Image,
    /// Paragraphs drawn at random.
    RandomText,
    /// Titles and introductions drawn at random.
    RandomImage,
    /// It can be neither retrieved nor was it given: the expert does not run, for this reason.
    Missing(&'static str),
}

/// The source of one expert. The query's contexts are looked up by the expert's name, then by its context kind.
pub(crate) fn source<'q>(expert: &ExpertEntry, query: &'q Query, means: Means) -> Source<'q> {
    let kind = expert.context;
    if kind == ContextKind::None {
        return Source::Nothing;
    }
    let given = query
        .contexts
        .get(&expert.name)
        .or_else(|| query.contexts.get(kind.as_str()));
    if let Some(texts) = given {
        return Source::Given(texts);
    }
    match kind {
        ContextKind::None => Source::Nothing,
        ContextKind::Given => Source::Missing("its contexts were not given"),
        ContextKind::Text if means.text_index => Source::Text,
        ContextKind::RandomText if means.text_index => Source::RandomText,
        ContextKind::Text | ContextKind::RandomText => {
            Source::Missing("no contexts were given, and the bundle has no text index")
        }
        ContextKind::RandomImage if means.image_index => Source::RandomImage,
        ContextKind::Image | ContextKind::RandomImage if !means.image_index => {
            Source::Missing("no contexts were given, and the bundle has no image index")
        }
        ContextKind::Image if !means.clip => {
            Source::Missing("no contexts were given, and the bundle has no CLIP")
        }
        ContextKind::Image if query.image.is_none() => {
            Source::Missing("there is no picture, and no contexts were given")
        }
        ContextKind::Image | ContextKind::RandomImage => Source::Image,
    }
}

/// Keys of the query's contexts that no expert of the bundle reads.
pub(crate) fn unread_keys<'q>(manifest: &Manifest, query: &'q Query) -> Vec<&'q str> {
    let kinds = ContextKind::ALL.map(ContextKind::as_str);
    query
        .contexts
        .keys()
        .map(String::as_str)
        // A context kind that this bundle has no expert for is normal: the same queries serve several bundles.
        .filter(|key| {
            !kinds.contains(key) && manifest.experts.iter().all(|expert| expert.name != *key)
        })
        .collect()
}

/// k different numbers below `count`, drawn by the bundle's seed and the query's id. The same query gets the same numbers
/// from the same bundle, on every machine.
pub(crate) fn draw(seed: u64, kind: ContextKind, id: &str, count: u32, k: usize) -> Vec<u32> {
    let mut state = fnv1a(&[
        &seed.to_le_bytes(),
        kind.as_str().as_bytes(),
        b"\0",
        id.as_bytes(),
    ]);
    let mut drawn: Vec<u32> = Vec::new();
    let k = k.min(count as usize);
    while drawn.len() < k {
        // The upper bits of a product are uniform to within 2^-32.
        let number = ((u128::from(splitmix64(&mut state)) * u128::from(count)) >> 64) as u32;
        if !drawn.contains(&number) {
            drawn.push(number);
        }
    }
    drawn
}

/// The numbers, below `count`, of the contexts that a query is given at random by a bundle with this seed: what the kinds
/// `random-text` and `random-image` read. For trainings that must see what the runtime will.
pub fn draw_contexts(seed: u64, kind: ContextKind, id: &str, count: u32) -> Vec<u32> {
    draw(seed, kind, id, count, RETRIEVED_KEYS)
}

/// FNV-1a, 64 bits.
fn fnv1a(parts: &[&[u8]]) -> u64 {
    let bytes = parts.iter().flat_map(|part| part.iter());
    bytes.fold(0xcbf2_9ce4_8422_2325, |hash, &byte| {
        (hash ^ u64::from(byte)).wrapping_mul(0x0000_0100_0000_01b3)
    })
}

/// SplitMix64 (Steele, Lea, Flood, 2014).
fn splitmix64(state: &mut u64) -> u64 {
    *state = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
    let mut z = *state;
    z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn expert(name: &str, context: ContextKind) -> ExpertEntry {
        ExpertEntry {
            name: name.into(),
            model: "m.weights".into(),
            context,
            extra: serde_json::Map::new(),
        }
    }

    const ALL: Means = Means {
        text_index: true,
        image_index: true,
        clip: true,
    };

    #[test]
    fn given_contexts_replace_retrieval_by_name_before_kind() {
        let text = expert("one", ContextKind::Text);
        let query = Query::text("x").contexts("text", ["by kind"]);
        assert_eq!(
            source(&text, &query, ALL),
            Source::Given(&["by kind".to_owned()])
        );
        let query = query.contexts("one", Vec::<String>::new());
        assert_eq!(source(&text, &query, ALL), Source::Given(&[]));
        let query = Query::text("x").contexts("image", ["other"]);
        assert_eq!(source(&text, &query, ALL), Source::Text);
        assert_eq!(
            source(
                &expert("one", ContextKind::None),
                &query.contexts("one", ["z"]),
                ALL
            ),
            Source::Nothing
        );
    }

    #[test]
    fn says_why_an_expert_cannot_run() {
        let query = Query::text("x");
        let pictured = Query::text("x").image_file("p.jpg");
        let without = |text_index, image_index, clip| Means {
            text_index,
            image_index,
            clip,
        };
        let cases = [
            (
                ContextKind::Text,
                &query,
                without(false, true, true),
                "no text index",
            ),
            (
                ContextKind::RandomText,
                &query,
                without(false, true, true),
                "no text index",
            ),
            (
                ContextKind::Image,
                &pictured,
                without(true, false, true),
                "no image index",
            ),
            (
                ContextKind::Image,
                &pictured,
                without(true, true, false),
                "no CLIP",
            ),
            (ContextKind::Image, &query, ALL, "no picture"),
            (
                ContextKind::RandomImage,
                &query,
                without(true, false, true),
                "no image index",
            ),
            (ContextKind::Given, &pictured, ALL, "not given"),
        ];
        for (kind, query, means, why) in cases {
            match source(&expert("e", kind), query, means) {
                Source::Missing(reason) => assert!(reason.contains(why), "{kind}: {reason}"),
                other => panic!("{kind}: {other:?}"),
            }
        }
        assert_eq!(
            source(&expert("e", ContextKind::Image), &pictured, ALL),
            Source::Image
        );
        assert_eq!(
            source(&expert("e", ContextKind::RandomImage), &query, ALL),
            Source::RandomImage
        );
    }

    #[test]
    fn draws_differ_by_seed_kind_and_id_and_repeat() {
        let base = draw(1, ContextKind::RandomText, "q", 1000, 10);
        assert_eq!(base, draw(1, ContextKind::RandomText, "q", 1000, 10));
        assert_ne!(base, draw(2, ContextKind::RandomText, "q", 1000, 10));
        assert_ne!(base, draw(1, ContextKind::RandomImage, "q", 1000, 10));
        assert_ne!(base, draw(1, ContextKind::RandomText, "r", 1000, 10));
        let mut all = draw(7, ContextKind::RandomText, "q", 6, 10);
        all.sort_unstable();
        assert_eq!(all, [0, 1, 2, 3, 4, 5]);
        assert!(draw(7, ContextKind::RandomText, "q", 0, 10).is_empty());
    }

    /// The reference values of the two algorithms: FNV-1a of "foobar" (Noll's test suite), and the first
    /// output of SplitMix64 for the seed 1234567 (Vigna's splitmix64.c).
    #[test]
    fn hashes_and_numbers_are_those_of_their_references() {
        assert_eq!(fnv1a(&[b"foo", b"bar"]), 0x85944171f73967e8);
        assert_eq!(splitmix64(&mut 1234567), 6457827717110365317);
    }
}

//! What holds for every world.

use super::posts::Group;
use super::*;
use std::collections::BTreeSet;

fn small(seed: u64) -> World {
    let size = Size {
        articles: 500,
        train: 200,
        dev: 80,
        gate: 80,
        test: 80,
    };
    World::new(seed, &size)
}

/// Every name in the posts of a part, in lower case.
fn mentioned(part: &Part) -> BTreeSet<String> {
    let posts = part.posts.iter().map(|post| &post.wording);
    let questions = part.questions.iter().map(|question| &question.wording);
    let spans = posts.chain(questions).flat_map(|wording| {
        wording
            .spans
            .iter()
            .map(|&(start, end)| wording.tokens[start..end].join(" ").to_lowercase())
    });
    spans.collect()
}

#[test]
fn the_same_seed_makes_the_same_world() {
    let [one, two, other] = [small(1), small(1), small(2)];
    assert_eq!(write::dump(&one.articles), write::dump(&two.articles));
    assert_eq!(one.parts[2].posts, two.parts[2].posts);
    assert_eq!(one.parts[2].questions, two.parts[2].questions);
    assert_ne!(one.parts[2].posts, other.parts[2].posts);
}

#[test]
fn no_name_is_in_two_splits() {
    let world = small(3);
    let [train, dev, test, gate] = [0, 1, 2, 3].map(|part| mentioned(&world.parts[part]));
    assert!(!test.is_empty());
    assert!(train.is_disjoint(&dev) && train.is_disjoint(&test) && dev.is_disjoint(&test));
    // A gate asks about the things of dev.
    assert!(gate.is_disjoint(&train) && gate.is_disjoint(&test) && !gate.is_disjoint(&dev));
}

#[test]
fn no_picture_shows_a_thing_of_another_split() {
    for part in &small(3).parts {
        let world = small(3);
        let pictures = part.posts.iter().map(|post| post.picture);
        for picture in pictures.chain(part.questions.iter().map(|question| question.picture)) {
            assert!(
                picture
                    .thing
                    .is_none_or(|thing| world.things[thing].split == part.split)
            );
        }
    }
}

#[test]
fn every_span_lies_in_its_tokens() {
    for part in &small(4).parts {
        for post in &part.posts {
            assert_eq!(post.bio().len(), post.wording.tokens.len());
            assert_eq!(post.labels.len(), post.wording.spans.len());
            assert!(
                post.wording
                    .spans
                    .iter()
                    .all(|&(s, e)| s < e && e <= post.wording.tokens.len())
            );
        }
        for question in &part.questions {
            let &[(s, e), (t, f)] = question.wording.spans.as_slice() else {
                panic!("a question has a subject and an object")
            };
            assert!(s < e && t < f && (e <= t || f <= s));
            assert!(e.max(f) <= question.wording.tokens.len());
        }
    }
}

#[test]
fn the_encyclopedia_knows_no_nickname() {
    let world = small(5);
    let dump = write::dump(&world.articles).to_lowercase();
    let known: BTreeSet<&str> = dump.split(|c: char| !c.is_alphabetic()).collect();
    for part in &world.parts {
        for post in part.posts.iter().filter(|post| post.group == Group::Image) {
            for &(start, end) in &post.wording.spans {
                for word in &post.wording.tokens[start..end] {
                    let word = word.trim_start_matches('@').to_lowercase();
                    assert!(!known.contains(word.as_str()), "{word}");
                }
            }
        }
    }
}

#[test]
fn relations_fit_the_labels_of_subject_and_object() {
    let world = small(6);
    for fact in &world.facts {
        let Some(relation) = fact.relation else {
            continue;
        };
        let (subject, object) = fact.pair();
        let label = |thing: usize| world.things[thing].kind.label().unwrap().to_lowercase();
        let prefix = format!("/{}/{}/", label(subject), label(object));
        assert!(
            relation.name().starts_with(&prefix),
            "{} {prefix}",
            relation.name()
        );
    }
}

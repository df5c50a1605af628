//! MaxScore against scoring everything, on random indexes and queries.

use morelet_mapped::{Container, Kind, OpenOptions};

use super::best::Scored;
use super::clause::Clause;
use super::exhaustive;
use super::maxscore::Part;
use super::rare::Rare;
use super::window::WINDOW;
use crate::text::bm25::TermScores;
use crate::text::postings::List;
use crate::text::query;
use crate::text::{
    Article, ParagraphId, ParagraphText, SearchOptions, SentenceId, TextIndex, TextIndexBuilder,
    TextOptions,
};

/// Numbers that are the same every time.
struct Random(u64);

impl Random {
    fn below(&mut self, bound: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 >> 11) % bound
    }

    /// A word by Zipf's law: from every other sentence to one in many thousands.
    fn word(&mut self) -> String {
        let rank = 1u64 << self.below(15);
        format!("w{}", rank + self.below(rank))
    }

    fn sentence(&mut self) -> String {
        // Some are long, and some repeat themselves.
        let words = match self.below(20) {
            0 => 100 + self.below(400),
            1 => 1,
            _ => 1 + self.below(35),
        };
        let mut sentence = String::new();
        for _ in 0..words {
            let word = self.word();
            for _ in 0..=self.below(12).saturating_sub(10) * self.below(300) {
                sentence.push_str(&word);
                sentence.push(' ');
            }
        }
        sentence
    }
}

fn index(random: &mut Random, paragraphs: usize, options: TextOptions) -> TextIndex {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("text.index");
    let mut builder = TextIndexBuilder::create(&path, options).unwrap();
    for id in 0..paragraphs {
        let sentences = (0..1 + random.below(4)).map(|_| random.sentence());
        builder
            .add(&Article {
                id: id.to_string(),
                title: String::new(),
                paragraphs: vec![ParagraphText::Sentences(sentences.collect())],
            })
            .unwrap();
    }
    builder.finish(&mut |_, _| {}).unwrap();
    // The map outlives the file's name.
    TextIndex::open(&path, OpenOptions::default()).unwrap()
}

/// The lists of a query's terms in the only file of an index.
fn lists<'a>(index: &'a TextIndex, query: &str) -> Vec<(List<'a>, TermScores<'a>)> {
    let terms = query::terms(index.analyzer(), &index.segments, &index.bm25, query).unwrap();
    let lists = terms.into_iter().map(|mut term| {
        let list = term.lists.remove(0).unwrap();
        (list, index.bm25.term(term.weight))
    });
    lists.collect()
}

/// All of this file that the options let be found.
fn part<'a>(index: &'a TextIndex, options: &SearchOptions<'a>) -> Part<'a> {
    let segment = &index.segments[0];
    Part {
        lengths: &segment.lengths,
        allowed: options.filter.map(|filter| filter.segment(0)),
        sentences: segment.sentences(),
    }
}

/// By scoring everything.
fn plain(index: &TextIndex, query: &str, options: &SearchOptions<'_>) -> Vec<(u32, f32)> {
    let part = part(index, options);
    pairs(exhaustive::best(&lists(index, query), &part, options.k).unwrap())
}

fn pairs(scored: Vec<Scored>) -> Vec<(u32, f32)> {
    let pair = |scored: Scored| (scored.sentence, scored.score);
    scored.into_iter().map(pair).collect()
}

fn search(index: &TextIndex, query: &str, options: &SearchOptions<'_>) -> Vec<(u32, f32)> {
    let hits = index.search_with(query, options).unwrap();
    hits.iter().map(|hit| (hit.sentence.0, hit.score)).collect()
}

#[test]
fn finds_what_scoring_everything_finds_to_the_bit() {
    let mut random = Random(0x2545_F491_4F6C_DD1D);
    for (k1, b) in [(1.2, 0.75), (0.9, 0.0), (2.5, 1.0), (0.0, 0.5), (1e30, 0.5)] {
        let options = TextOptions {
            k1,
            b,
            ..TextOptions::default()
        };
        let index = index(&mut random, 28_000, options);
        assert!(index.len() > 2 * WINDOW, "three windows: {}", index.len());
        let some = (0..index.paragraphs()).filter(|_| random.below(3) == 0);
        let filter = index
            .filter(some.map(ParagraphId).collect::<Vec<_>>())
            .unwrap();
        let few = index.filter((0..40).map(|n| ParagraphId(n * 675))).unwrap();
        for round in 0..24 {
            let terms = [1, 2, 5, 12, 25, 60][round % 6];
            let query: Vec<String> = (0..terms).map(|_| random.word()).collect();
            let query = query.join(" ");
            for (k, filter, threads) in [
                (10, None, 1),
                (1, None, 3),
                (10, Some(&filter), 1),
                (3, Some(&few), 2),
                (500, None, 2),
            ] {
                let options = SearchOptions {
                    k,
                    filter,
                    threads,
                    ..SearchOptions::default()
                };
                let expected = plain(&index, &query, &options);
                assert_eq!(
                    search(&index, &query, &options),
                    expected,
                    "{options:?}: {query}"
                );
            }
        }
    }
}

#[test]
fn k_sentences_reach_the_score_that_is_known_before() {
    let mut random = Random(7);
    let index = index(&mut random, 9_000, TextOptions::default());
    let half = index
        .filter((0..index.paragraphs()).step_by(2).map(ParagraphId))
        .unwrap();
    let mut close = 0;
    for round in 0..200 {
        let query: Vec<String> = (0..1 + round % 20).map(|_| random.word()).collect();
        let query = query.join(" ");
        for (k, filter) in [(1, None), (10, None), (10, Some(&half)), (40, None)] {
            let options = SearchOptions {
                k,
                filter,
                ..SearchOptions::default()
            };
            let mut clauses = Vec::new();
            for (list, scores) in lists(&index, &query) {
                Clause::put(&list, scores, &mut clauses);
            }
            clauses.sort_by_key(Clause::len);
            let mut rare = Rare::new();
            rare.take(&clauses, &part(&index, &options)).unwrap();
            let known = rare.known_score(k);
            let best = plain(&index, &query, &options);
            let reached = best.get(k - 1).map_or(0.0, |&(_, score)| score);
            assert!(known <= reached, "{k}: {known} {reached}, {query}");
            close += usize::from(known > 0.5 * reached);
        }
    }
    assert!(close > 200, "mostly something is known: {close}");
}

#[test]
fn less_effort_finds_less_but_nothing_that_is_wrong() {
    let mut random = Random(99);
    let index = index(&mut random, 20_000, TextOptions::default());
    assert!(index.len() > WINDOW, "{}", index.len());
    let (mut found, mut all) = (0, 0);
    for _ in 0..40 {
        let query: Vec<String> = (0..15).map(|_| random.word()).collect();
        let query = query.join(" ");
        let exact = SearchOptions {
            k: 10_000,
            ..SearchOptions::default()
        };
        let scores = plain(&index, &query, &exact);
        let quick = SearchOptions {
            effort: 0.1,
            ..SearchOptions::default()
        };
        let hits = search(&index, &query, &quick);
        assert_eq!(hits.len(), 10);
        assert!(hits.is_sorted_by(|a, b| a.1 > b.1 || (a.1 == b.1 && a.0 < b.0)));
        for (sentence, score) in hits {
            // What is found has its whole score.
            assert!(scores.contains(&(sentence, score)));
            found += usize::from(score >= scores[9].1);
            all += 1;
        }
    }
    assert!(found < all, "an effort that gives up nothing tests nothing");
    assert!(found * 5 > all, "{found} of {all}");
}

#[test]
fn several_files_give_the_scores_of_one() {
    let folder = tempfile::tempdir().unwrap();
    let mut random = Random(31);
    let sentences: Vec<String> = (0..9_000).map(|_| random.sentence()).collect();
    let build = |name: &str, sentences: &[String]| {
        let path = folder.path().join(name);
        let mut builder = TextIndexBuilder::create(&path, TextOptions::default()).unwrap();
        for (id, sentence) in sentences.iter().enumerate() {
            builder
                .add(&Article {
                    id: id.to_string(),
                    title: String::new(),
                    paragraphs: vec![ParagraphText::Sentences(vec![sentence.clone()])],
                })
                .unwrap();
        }
        builder.finish(&mut |_, _| {}).unwrap();
        Container::open(&path, Kind::TextIndex, OpenOptions::default()).unwrap()
    };
    let whole = TextIndex::from_container(build("whole.index", &sentences)).unwrap();
    let parts = [0..1_000, 1_000..1_001, 1_001..9_000];
    let parts = parts.map(|part| build(&format!("{}.index", part.start), &sentences[part]));
    let parts = TextIndex::from_containers(parts.into()).unwrap();
    assert_eq!(
        (parts.len(), parts.paragraphs()),
        (whole.len(), whole.paragraphs())
    );
    let filter = |index: &TextIndex| {
        index
            .filter((0..9_000).step_by(2).map(ParagraphId))
            .unwrap()
    };
    let (of_whole, of_parts) = (filter(&whole), filter(&parts));
    for round in 0..60 {
        let query: Vec<String> = (0..1 + round % 20).map(|_| random.word()).collect();
        let query = query.join(" ");
        for k in [1, 10, 9_000] {
            let mut options = SearchOptions {
                k,
                threads: 1 + round % 3,
                ..SearchOptions::default()
            };
            assert_eq!(
                search(&parts, &query, &options),
                plain(&whole, &query, &options)
            );
            options.filter = Some(&of_parts);
            let found = search(&parts, &query, &options);
            options.filter = Some(&of_whole);
            assert_eq!(found, plain(&whole, &query, &options), "{query}");
            if let Some(&(sentence, score)) = found.first() {
                let explanation = parts.explain(&query, SentenceId(sentence)).unwrap();
                assert_eq!(explanation.score, score);
            }
        }
    }
    let error = whole.search_with(
        "w1",
        &SearchOptions {
            filter: Some(&of_parts),
            ..SearchOptions::default()
        },
    );
    assert!(error.is_err(), "a filter of another index");
}

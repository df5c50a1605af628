//! BM25 against Lucene 9.5's (`tests/data/lucene/README.md` says where its answers come from).

use std::fs;
use std::path::Path;

use morelet_indices::{Analyzer, Article, ParagraphText, TextIndex, TextIndexBuilder, TextOptions};

fn golden(name: &str) -> String {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../tests/data/lucene");
    fs::read_to_string(folder.join(name)).unwrap()
}

/// An article of a single sentence for each line, so that sentences have Lucene's numbers.
fn build(path: &Path, analyzer: Analyzer) -> TextIndex {
    let options = TextOptions {
        analyzer,
        ..TextOptions::default()
    };
    let mut builder = TextIndexBuilder::create(path, options).unwrap();
    for line in golden("sentences.tsv").lines() {
        let [id, title, sentence] = line.split('\t').collect::<Vec<_>>().try_into().unwrap();
        builder
            .add(&Article {
                id: id.into(),
                title: title.into(),
                paragraphs: vec![ParagraphText::Sentences(vec![sentence.into()])],
            })
            .unwrap();
    }
    builder.finish(&mut |_, _| {}).unwrap();
    TextIndex::open(path, Default::default()).unwrap()
}

#[test]
fn hits_are_lucenes_in_its_order_with_its_scores() {
    let folder = tempfile::tempdir().unwrap();
    for analyzer in Analyzer::ALL {
        let index = build(&folder.path().join("text.index"), analyzer);
        assert_eq!(index.len(), 1564);
        let (queries, answers) = (
            golden("queries.tsv"),
            golden(&format!("hits.{analyzer}.tsv")),
        );
        let (mut hits, mut equal) = (0, 0);
        for (line, answer) in queries.lines().zip(answers.split('\n')) {
            let query = line.split('\t').next_back().unwrap();
            let fields: Vec<&str> = answer
                .split('\t')
                .filter(|field| !field.is_empty())
                .collect();
            let expected: Vec<(u32, f32)> = fields
                .chunks_exact(2)
                .map(|pair| (pair[0].parse().unwrap(), pair[1].parse().unwrap()))
                .collect();
            let got = index.search(query, 10).unwrap();
            let ids = |hits: &mut dyn Iterator<Item = u32>| hits.collect::<Vec<_>>();
            assert_eq!(
                ids(&mut got.iter().map(|hit| hit.sentence.0)),
                ids(&mut expected.iter().map(|hit| hit.0)),
                "{analyzer}: {query}"
            );
            for (hit, (_, score)) in got.iter().zip(&expected) {
                assert!(
                    (hit.score - score).abs() <= 1e-6 * score,
                    "{analyzer}: {query}: {hit:?}, {score}"
                );
                equal += usize::from(hit.score == *score);
            }
            hits += got.len();
        }
        assert!(hits > 2500, "{hits}");
        // Not only close: the same floats.
        assert_eq!(equal, hits, "{analyzer}");
    }
}

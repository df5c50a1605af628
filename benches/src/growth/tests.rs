use super::*;
use crate::open;

/// A corpus of articles with terms of all frequencies: term `t` is in about one of `t` articles.
fn source(every: usize) -> Source {
    let mut random = Random::new(5);
    let mut text = String::new();
    for article in 0..400 {
        for _ in 0..1 + random.below(8) {
            let mut line = vec![format!("own{article}")];
            for term in 1..200 {
                if random.happens(0.5 / f64::from(term)) {
                    line.push(format!("term{term}"));
                }
            }
            text += &(line.join(" ") + "\n");
        }
        text += "\n";
    }
    let path = std::env::temp_dir().join(format!(
        "morelet-growth-{}-{:?}",
        std::process::id(),
        std::thread::current().id()
    ));
    std::fs::write(&path, text).unwrap();
    let source = Source::read(open(&path).unwrap(), every).unwrap();
    std::fs::remove_file(path).unwrap();
    source
}

fn grown(options: GrowthOptions) -> (Grown, String) {
    let mut out = Vec::new();
    let grown = grow(source(1), options, &mut out).unwrap();
    (grown, String::from_utf8(out).unwrap())
}

/// The articles of a corpus, each as its sentences.
fn articles(text: &str) -> Vec<Vec<Vec<&str>>> {
    let articles = text.split("\n\n").filter(|article| !article.is_empty());
    articles
        .map(|article| {
            let sentences = article.lines().map(|line| line.split(' ').collect());
            sentences.collect()
        })
        .collect()
}

#[test]
fn a_larger_corpus_begins_with_the_smaller_one() {
    let options = |sentences| GrowthOptions {
        sentences,
        ..GrowthOptions::default()
    };
    let (_, small) = grown(options(1000));
    let (all, large) = grown(options(20_000));
    assert!(large.starts_with(&small));
    assert!((20_000..20_010).contains(&all.sentences));
    assert_eq!(
        large.lines().filter(|line| !line.is_empty()).count() as u64,
        all.sentences
    );
    let other = GrowthOptions {
        seed: 2,
        ..options(1000)
    };
    assert_ne!(grown(other).1, small);
}

#[test]
fn made_articles_have_the_shape_of_real_ones() {
    let (all, text) = grown(GrowthOptions {
        sentences: 20_000,
        ..GrowthOptions::default()
    });
    let shape = |article: &Vec<Vec<&str>>| {
        let lengths: Vec<usize> = article.iter().map(Vec::len).collect();
        let mut counts: HashMap<&str, usize> = HashMap::new();
        for term in article.iter().flatten() {
            *counts.entry(term).or_default() += 1;
        }
        let mut counts: Vec<usize> = counts.into_values().collect();
        counts.sort_unstable();
        (lengths, counts)
    };
    let articles = articles(&text);
    let (real, made) = articles.split_at(all.real);
    assert_eq!(made.len(), all.made);
    let shapes: std::collections::HashSet<_> = real.iter().map(shape).collect();
    assert!(made.iter().all(|article| shapes.contains(&shape(article))));
}

#[test]
fn the_vocabulary_grows_as_heaps_law_says() {
    let terms = |sentences| {
        let (grown, text) = grown(GrowthOptions {
            sentences,
            ..GrowthOptions::default()
        });
        let distinct: std::collections::HashSet<&str> = text.split_whitespace().collect();
        (grown.real + grown.made, distinct.len())
    };
    let source = source(1);
    let by_term = source.articles_by_term();
    let discount = by_term.iter().filter(|&&a| a == 1).count() as f64 / by_term.len() as f64;
    let ((articles, before), (more_articles, after)) = (terms(2000), terms(20_000));
    let exponent =
        (after as f64 / before as f64).ln() / (more_articles as f64 / articles as f64).ln();
    assert!((exponent - discount).abs() < 0.05, "{exponent} {discount}");
}

#[test]
fn one_article_in_some_can_be_read() {
    assert_eq!(source(10).articles(), 40);
    assert_eq!(source(1).sentences(0).next().unwrap()[0], 0);
    let nothing = grow(Source::default(), GrowthOptions::default(), &mut Vec::new()).unwrap();
    assert_eq!(nothing, Grown::default());
}

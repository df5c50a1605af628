//! The analyzers against Lucene 9.5's (`tests/data/lucene/README.md` says where its answers come from).

use std::fs;
use std::path::Path;

use morelet_indices::Analyzer;

fn golden(name: &str) -> String {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../tests/data/lucene");
    fs::read_to_string(folder.join(name)).unwrap()
}

#[test]
fn terms_are_lucenes() {
    for (texts, analyzer) in [
        ("tweets", Analyzer::Standard),
        ("tweets", Analyzer::English),
        ("random", Analyzer::Standard),
    ] {
        let lines = golden(&format!("{texts}.txt"));
        let answers = golden(&format!("{texts}.{analyzer}.tsv"));
        let lines: Vec<&str> = lines.split_terminator('\n').collect();
        let answers: Vec<&str> = answers.split_terminator('\n').collect();
        assert_eq!(lines.len(), answers.len());
        assert!(lines.len() > 300);
        for (line, answer) in lines.iter().zip(answers) {
            let expected: Vec<&str> = answer.split('\t').filter(|term| !term.is_empty()).collect();
            assert_eq!(analyzer.terms(line), expected, "{analyzer}, {line:?}");
        }
    }
}

/// As `LuceneGolden.characters` writes it.
fn signature(character: char) -> String {
    const SURROUNDINGS: [(&str, &str); 10] = [
        ("", ""),
        ("a", "a"),
        ("1", "1"),
        ("a", "1"),
        ("\u{5d0}", "\u{5d0}"),
        ("\u{30ab}", "\u{30ab}"),
        ("_", "_"),
        ("\u{1f600}", "\u{1f600}"),
        ("1", "\u{20e3}"),
        ("\u{e01}", "\u{e01}"),
    ];
    let mut signature = String::new();
    for (before, after) in SURROUNDINGS {
        for term in Analyzer::Standard.terms(&format!("{before}{character}{after}")) {
            signature.push_str(&term.chars().count().to_string());
        }
        signature.push(' ');
    }
    let alone = Analyzer::Standard.terms(&character.to_string());
    let lower = alone.first().and_then(|term| term.chars().next());
    let distance = lower.map_or(0, |lower| lower as i64 - character as i64);
    signature + &distance.to_string()
}

#[test]
fn every_character_is_treated_as_lucene_treats_it() {
    let mut seen = 0;
    for line in golden("characters.tsv").lines() {
        let mut fields = line.split('\t');
        let mut code = || u32::from_str_radix(fields.next().unwrap(), 16).unwrap();
        let (first, last) = (code(), code());
        let expected = fields.next().unwrap();
        for character in (first..=last).filter_map(char::from_u32) {
            assert_eq!(signature(character), expected, "U+{:04X}", character as u32);
            seen += 1;
        }
    }
    assert_eq!(seen, 0x110000 - 0x800);
}

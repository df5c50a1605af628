use super::*;

/// The snippet of `text` for the words of `query`, which weigh 1 each, with matches in brackets.
fn marked(analyzer: Analyzer, query: &str, text: &str, characters: usize) -> String {
    let weights = analyzer.terms(query).into_iter().map(|term| (term, 1.0));
    let snippet = Highlighter::new(analyzer, weights).snippet(text, characters);
    assert!(snippet.text.chars().count() <= characters, "{snippet:?}");
    // Whatever is marked is a word of the query, and in order.
    let mut at = 0;
    for place in &snippet.matches {
        assert!(at <= place.start && place.start < place.end);
        at = place.end;
        let word = analyzer.terms(&snippet.text[place.clone()]);
        assert!(analyzer.terms(query).contains(&word[0]), "{word:?}");
    }
    snippet.marked("[", "]")
}

const TURING: &str = "<e: Alan_Turing> Alan Turing </e> was born in London. He studied at <e: Cambridge> \
    King's College </e>, where he was elected a fellow in 1935, on the strength of a dissertation. During the war he \
    worked at Bletchley Park. After the war he designed the Automatic Computing Engine.";

#[test]
fn a_short_paragraph_is_given_whole_without_its_tags() {
    for (analyzer, query, text, expected) in [
        (
            Analyzer::Standard,
            "turing",
            "<e: Alan_Turing> Alan Turing </e>, once.",
            "Alan [Turing], once.",
        ),
        // The title inside a tag is not text.
        (
            Analyzer::Standard,
            "alan_turing",
            "<e: Alan_Turing> He </e> ran.",
            "He ran.",
        ),
        (
            Analyzer::English,
            "connected Obama",
            "Connections: Obama's.",
            "[Connections]: [Obama's].",
        ),
        // Porter's stemmer makes `fly` and `fli` of these.
        (Analyzer::English, "flying", "It flies.", "It flies."),
        (Analyzer::Standard, "flying", "Time flies.", "Time flies."),
        (
            Analyzer::English,
            "the of",
            "The end of it.",
            "The end of it.",
        ),
        (
            Analyzer::Standard,
            "京 🙈",
            "我爱北京。🙈🙉",
            "我爱北[京]。[🙈]🙉",
        ),
        (
            Analyzer::Standard,
            "ÉCOLE",
            "L'école, l’École école.",
            "L'école, l’École [école].",
        ),
        (Analyzer::Standard, "a", "", ""),
        (
            Analyzer::Standard,
            "",
            "  nothing asked \n",
            "nothing asked",
        ),
    ] {
        assert_eq!(marked(analyzer, query, text, 200), expected);
    }
}

#[test]
fn the_best_window_is_the_one_with_the_most_weight_of_different_terms() {
    let filler = "word ".repeat(60);
    let text =
        format!("alpha alpha alpha {filler}. Then beta and gamma. {filler}. Then alpha and delta.");
    let best = |weights: &[(&str, f32)]| {
        let weights = weights
            .iter()
            .map(|&(term, weight)| (term.to_owned(), weight));
        let highlighter = Highlighter::new(Analyzer::Standard, weights);
        highlighter.snippet(&text, 40).marked("[", "]")
    };
    let equal = [
        ("alpha", 1.0),
        ("beta", 1.0),
        ("gamma", 1.0),
        ("delta", 1.0),
    ];
    assert_eq!(best(&equal), "Then [beta] and [gamma]. word word word…");
    assert_eq!(
        best(&[("alpha", 1.0), ("beta", 1.0), ("delta", 1.5)]),
        "Then [alpha] and [delta]."
    );
    // Three times one term is one term; of equal windows, the first.
    assert!(best(&[("alpha", 1.0), ("beta", 1.0)]).starts_with("[alpha] [alpha] [alpha] word"));
    assert!(best(&[("alpha", 1.0), ("beta", 1.001)]).starts_with("Then [beta] and gamma."));
    // A term that comes twice does not make the window longer than its sentence.
    let twice = "Alpha one two. Then alpha and beta follow it. The end is near.";
    assert_eq!(
        marked(Analyzer::Standard, "alpha beta", twice, 36),
        "Then [alpha] and [beta] follow it."
    );
    // Weights that are none are not followed, and do no harm.
    for weight in [f32::NAN, -1.0, 0.0] {
        assert!(best(&[("beta", 0.5), ("delta", weight)]).starts_with("Then [beta]"));
    }
    assert!(best(&[("delta", f32::INFINITY), ("beta", 1.0)]).ends_with("[delta]."));
}

#[test]
fn cuts_are_at_sentences_where_they_fit_and_at_words_elsewhere() {
    for (query, characters, expected) in [
        ("London", 33, "Alan Turing was born in [London]."),
        (
            "bletchley",
            60,
            "During the war he worked at [Bletchley] Park.",
        ),
        ("fellow", 30, "…elected a [fellow] in 1935,…"),
        (
            "engine",
            60,
            "After the war he designed the Automatic Computing [Engine].",
        ),
        (
            "engine",
            110,
            "During the war he worked at Bletchley Park. After the war he designed the Automatic Computing [Engine].",
        ),
        ("computing", 20, "…[Computing] Engine."),
        // Nothing matches: the beginning.
        (
            "zebra",
            60,
            "Alan Turing was born in London. He studied at King's…",
        ),
        ("zebra", 20, "Alan Turing was…"),
        ("zebra", 3, "A…"),
        ("zebra", 2, ""),
        ("zebra", 0, ""),
        ("alan", 2, ""),
    ] {
        assert_eq!(
            marked(Analyzer::Standard, query, TURING, characters),
            expected,
            "{query} {characters}"
        );
    }
}

#[test]
fn words_without_spaces_and_emoji_are_cut_between_characters_that_a_reader_sees() {
    let chinese =
        "图灵是英国数学家。他被视为计算机科学之父，他在战争中破译密码。战后他设计了计算机。"
            .repeat(3);
    assert_eq!(
        marked(Analyzer::Standard, "密", &chinese, 12),
        "…他在战争中破译[密]码。"
    );
    assert_eq!(
        marked(Analyzer::Standard, "父", &chinese, 8),
        "…学之[父]，他在…"
    );
    let family = "👨‍👩‍👧‍👦".repeat(50);
    // 7 characters make a family: one does not fit twice, and none is cut.
    assert_eq!(marked(Analyzer::Standard, "zebra", &family, 12), "👨‍👩‍👧‍👦…");
    let flags = "🇫🇷🇩🇪".repeat(40);
    let got = marked(Analyzer::Standard, "🇩🇪", &flags, 6);
    assert!(got.contains("[🇩🇪]"), "{got}");
    // One word that is longer than a snippet.
    let thai = "ก".repeat(1000);
    assert_eq!(
        marked(Analyzer::Standard, "zebra", &thai, 10)
            .chars()
            .count(),
        9
    );
    assert_eq!(
        marked(Analyzer::Standard, &"ก".repeat(255), &thai, 10),
        format!("{}…", "ก".repeat(8))
    );
    let accents = format!("{}end", "e\u{301}".repeat(100));
    let got = marked(Analyzer::Standard, "zebra", &accents, 10);
    assert!(got.ends_with("\u{301}…"), "{got}");
}

#[test]
fn any_text_and_any_length_give_a_snippet_that_fits() {
    let pieces = [
        "word",
        " ",
        "  ",
        "\n",
        ". ",
        "? ",
        "。",
        "”",
        "(",
        "京",
        "カタカナ",
        "🇫🇷",
        "👨‍👩‍👧",
        "e\u{301}",
        "\u{301}",
        "…",
        "'s",
        "<e: A> x </e>",
        "<e:",
        "3.14",
        "\u{202f}",
        "\u{a0}",
        "ก",
    ];
    let mut state = 7_u64;
    let mut random = |below: usize| {
        state = state
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        (state >> 33) as usize % below
    };
    for _ in 0..4000 {
        let text: String = (0..random(60))
            .map(|_| pieces[random(pieces.len())])
            .collect();
        let query = format!(
            "{} {} x",
            pieces[random(pieces.len())],
            pieces[random(pieces.len())]
        );
        let characters = random(40);
        for analyzer in Analyzer::ALL {
            let got = marked(analyzer, &query, &text, characters);
            // What the paragraph has is found, if there is room for it.
            let plain = without_tags(&text);
            let plain = plain.trim();
            let terms = analyzer.terms(&query);
            let mut found = false;
            analyzer.for_each_word(plain, |term, place| {
                found |= terms.iter().any(|wanted| wanted == term)
                    && plain[place].chars().count() + 2 <= characters;
            });
            assert_eq!(
                found,
                got.contains('['),
                "{text:?} {query:?} {characters}: {got:?}"
            );
        }
    }
}

#[test]
fn fifty_megabytes_take_seconds() {
    let mut text = "a ".repeat(25 << 20);
    text.push_str("needle in it");
    let got = marked(Analyzer::Standard, "a needle", &text, 30);
    assert!(got.contains("[needle]") && got.contains("[a]"), "{got}");
    let text = "x".repeat(50 << 20);
    assert_eq!(
        marked(Analyzer::Standard, "zebra", &text, 30).len(),
        28 + "…".len()
    );
}

#[test]
fn what_is_marked_is_told_by_ranges_that_need_not_be_right() {
    let snippet = Snippet {
        text: "né".into(),
        matches: vec![0..1, 0..1, 2..3, 1..3, 9..10],
    };
    assert_eq!(snippet.marked("<b>", "</b>"), "<b>n</b><b>é</b>");
}

//! What becomes of markup, piece by piece, and of text that is made to break parsers.

use super::{Article, Site, article, marks};
use std::time::{Duration, Instant};

fn read(source: &str) -> Article {
    article(source, &Site::default())
}

/// Source, and its paragraphs joined by ` ¶ `.
const CASES: &[(&str, &str)] = &[
    // Links.
    (
        "[[Alan Turing]] ran",
        "<e: Alan_Turing> Alan Turing </e> ran",
    ),
    ("[[Alan Turing|Turing]]'s", "<e: Alan_Turing> Turing </e>'s"),
    ("the [[bus]]es", "the <e: bus> buses </e>"),
    (
        "non-[[Hierarchy|hierarchical]]",
        "non-<e: Hierarchy> hierarchical </e>",
    ),
    (
        "[[ Alan_Turing  | ''Turing'' ]].",
        "<e: Alan_Turing> Turing </e>.",
    ),
    (
        "[[Paris#History|then]] [[#Notes|here]]",
        "<e: Paris> then </e> here",
    ),
    (
        "[[Mercury (planet)|]]",
        "<e: Mercury_(planet)> Mercury </e>",
    ),
    (
        "[[2001: A Space Odyssey]]",
        "<e: 2001:_A_Space_Odyssey> 2001: A Space Odyssey </e>",
    ),
    (
        "[[:Category:Cats|cats]] [[Help:Links|help]] [[wikt:word|word]]",
        "cats help word",
    ),
    ("a [[Category:Cats]] b [[de:Katze]] c", "a b c"),
    ("[[:de:Katze|Katze]]", "Katze"),
    (
        "a [[File:X.jpg|thumb|A [[cat]] on [http://a.b mats]]] b",
        "a b",
    ),
    ("[[Datei:X.jpg|mini|x]]a", "a"),
    ("[[File:X.jpg|thumb|never closed [[cat]] b\n\nc", "c"),
    ("[[a\n\n[[b]] c]]", "a ¶ <e: b> b </e> c"),
    ("[[a [[b]] c]]", "a <e: b> b </e> c"),
    ("x]] [[y", "x y"),
    ("[[]] [[|]] [[a|]] [[ ]]x", "<e: a> a </e> x"),
    ("[[[a]]]", "[<e: a> a </e>]"),
    ("[[a<b|c]]", "c"),
    ("[[R&amp;B|R &amp; B]]", "<e: R&B> R & B </e>"),
    (
        "[http://a.b/c?d=e the ''page''] [https://a.b] [//x y]",
        "the page y",
    ),
    ("http://a.b and [sic]", "http://a.b and [sic]"),
    ("[[http://a.b c]]", "[c]"),
    // Quotes, headings, lists, lines.
    ("'''''a''''' ''b'' '''c''' d's", "a b c d's"),
    ("== H ==\na\nb\n\nc\n=== I ===<!-- x -->\nd", "a b ¶ c ¶ d"),
    ("* a\n** b\n# c\n:d\n; e : f", "a ¶ b ¶ c ¶ d ¶ e : f"),
    ("a\n----\nb", "a ¶ b"),
    ("__NOTOC__a __init__ b__NOTOC__", "a __init__ b"),
    ("a<br />b<p>c</p><blockquote>d</blockquote>", "a b ¶ c ¶ d"),
    (
        "H<sub>2</sub>O <span style=\"x\">y</span> <b>z</b>",
        "H2O y z",
    ),
    // What is removed.
    ("a<!-- b -->c", "ac"),
    ("a\n<!-- b -->\nc", "a c"),
    ("a<!-- never closed", "a"),
    ("a,<ref>b {{c}} [[d]]</ref><ref name=x /> e", "a, e"),
    ("a<REF group=\"n\">b</Ref >.", "a."),
    ("a<ref>never closed", "anever closed"),
    ("a {{b|{{c}}|{{d|{{e}}}}}} f {{g}}.", "a f."),
    ("{{{a|b}}} c {{{{{d}}}}} e", "c e"),
    ("a {{never closed\n\nb", "a ¶ b"),
    ("a }} b", "a b"),
    ("{{Box\n| a = {|\n! b\n|}\n|}}\nc", "c"),
    ("a\n{|\n|-\n! h\n| x [[y]]\n{|\n| inner\n|}\n|}\nb", "a ¶ b"),
    ("a\n{| class=x\n! h\n| cell\n\nb", "a ¶ b"),
    ("<table><tr><td>a</td></tr></table>b", "b"),
    ("a <math>\\frac{a}{b}</math> b", "a b"),
    ("<gallery>\nA.jpg|[[cat]]\n</gallery>\nb", "b"),
    (
        "<syntaxhighlight lang=\"c\">if (a < b) {{ }}</syntaxhighlight>c",
        "c",
    ),
    // Holes.
    ("'''A''' ({{x}}) b", "A b"),
    ("A ({{x}}, ''b''; {{y}}) c", "A (b) c"),
    ("A ({{x}}; {{y}}), b [{{z}}].", "A, b."),
    ("A ({{x}}, b, {{y}}; c, {{z}}), {{x}}.", "A (b; c)."),
    ("f() and ( x ) , y", "f() and ( x ) , y"),
    // What stays as written.
    (
        "<nowiki>[[a]] {{b}} '''c''' <ref></nowiki>",
        "[[a]] {{b}} '''c''' <ref>",
    ),
    ("'<nowiki/>''a''", "'a"),
    (
        "&lt;ref&gt; &#91;&#91;a]] &amp;lt; &nbsp;x&ndash;y &unknown; &#x10FFFF; &#xD800; AT&T",
        "<ref> [[a &lt; x–y &unknown; \u{10FFFF} &#xD800; AT&T",
    ),
    ("a < b > c <foo> <3", "a < b > c <foo> <3"),
    // Text that looks like an anchor is not one.
    ("<e: A> a </e>", "< e: A> a </ e>"),
    (
        "&lt;e: A&gt; <nowiki><e: B></e></nowiki> <<nowiki/>e: C>",
        "< e: A> < e: B></ e> < e: C>",
    ),
    ("[[a|<e: B> b </e>]]", "<e: a> < e: B> b </ e> </e>"),
    ("[[&lt;e: A&gt;|b]]", "b"),
    // Language conversion.
    (
        "-{zh-hans:软件;zh-hant:軟體}- -{plain}- -{H|zh:a}- -{[[a]]}- -{b",
        "软件 plain <e: a> a </e> -{b",
    ),
    // Templates whose argument is text.
    (
        "It is {{convert|5|km|mi}} to {{lang|fr|[[Paris|la ville]]}}.",
        "It is 5 km to <e: Paris> la ville </e>.",
    ),
    ("{{quote|A {{nowrap|b c}} d}}", "A b c d"),
    ("", ""),
];

#[test]
fn markup_becomes_text_with_anchors() {
    for &(source, expected) in CASES {
        assert_eq!(read(source).paragraphs.join(" ¶ "), expected, "{source}");
    }
}

#[test]
fn the_introduction_is_the_first_prose_without_anchors() {
    let cases = [
        (
            "{{Box}}\n:''For the ship, see [[B]].''\n'''A''' is [[b|c]].\n\nD.",
            "A is c.",
        ),
        ("* item\n== H ==\nProse.", "Prose."),
        ("* item", ""),
        ("", ""),
    ];
    for (source, expected) in cases {
        assert_eq!(read(source).introduction, expected, "{source}");
    }
}

#[test]
fn finds_the_pictures_of_a_page_once_each_and_in_order() {
    let source = "{{Infobox\n| image = a dog.jpg <!-- x -->\n| logo = [[File:logo.svg|b.png]]\n| url = http://a.b/c.jpg}}\n\
        [[Image:B_c.PNG|thumb|d]] [[file:A dog.jpg]] [[:File:no.jpg]] <!-- [[File:no.jpg]] --> <nowiki>[[File:no.jpg]]</nowiki>\n\
        {|\n| [[File:in table.gif]]\n|}\n<gallery>\nFile:g1.webp|x\ng2.jpeg\n</gallery> see no.jpg [[Media:no.jpg]] [[File:.jpg]]";
    let expected = [
        "A_dog.jpg",
        "B.png",
        "B_c.PNG",
        "In_table.gif",
        "G1.webp",
        "G2.jpeg",
    ];
    assert_eq!(read(source).images, expected);
}

#[test]
fn no_page_takes_longer_than_its_length() {
    let pieces = [
        "{{",
        "}}",
        "{{{",
        "{|",
        "\n{|",
        "\n|}",
        "{|\n|}",
        "[[",
        "]]",
        "[[a|",
        "[[File:a.jpg|",
        "[http://a ",
        "<ref>",
        "<ref",
        "<ref name=a ",
        "</ref",
        "<!--",
        "<nowiki>",
        "-{",
        "-{a",
        "'''",
        "''",
        "&",
        "&#",
        "__",
        "__A__",
        "\n*",
        "\n=",
        "{{small|",
        "{{a.jpg|",
        "|",
        "[[[",
        "<table>",
        "</table>",
        " ",
        "\u{10FE80}",
        "<br",
        "(",
        "({{a}}",
        ",{{a}}",
    ];
    let close = [
        ("{{a|", "}}"),
        ("{{small|x", "}}"),
        ("[[a|", "]]"),
        ("[[a ", "]]"),
        ("[[File:a.jpg|", "]]"),
        ("\n{|", "\n|}"),
        ("-{", "}-"),
        ("<table>", "</table>"),
    ];
    let mut pages: Vec<String> = pieces
        .iter()
        .map(|piece| piece.repeat(1_000_000 / piece.len()))
        .collect();
    pages.extend(pieces.iter().map(|piece| {
        format!(
            "{}{}",
            piece.repeat(500_000 / piece.len()),
            "x".repeat(500_000)
        )
    }));
    pages.extend(pieces.iter().map(|piece| {
        format!(
            "{}{}",
            " ".repeat(500_000),
            piece.repeat(500_000 / piece.len())
        )
    }));
    pages.extend(close.iter().map(|(open, close)| {
        format!(
            "{}{}{}",
            open.repeat(100_000),
            "x ".repeat(200_000),
            close.repeat(100_000)
        )
    }));
    for page in &pages {
        let start = Instant::now();
        read(page);
        // A megabyte takes some 10 ms; one quadratic pass would take hours.
        let head: String = page.chars().take(20).collect();
        assert!(
            start.elapsed() < Duration::from_secs(60),
            "{head:?}… took {:?}",
            start.elapsed()
        );
    }
}

#[test]
fn no_page_panics_or_leaves_marks_or_broken_anchors() {
    let pieces = [
        "{{",
        "}}",
        "{",
        "}",
        "{|",
        "|}",
        "|",
        "[[",
        "]]",
        "[",
        "]",
        "'''",
        "''",
        "'",
        "<ref>",
        "</ref>",
        "<nowiki>",
        "</nowiki>",
        "<e: A>",
        "</e>",
        "<!--",
        "-->",
        "\n",
        "\n\n",
        "==",
        "*",
        "-{",
        "}-",
        "é",
        "軟",
        "&lt;",
        "&#91;",
        "&",
        ";",
        "File:a.jpg",
        "Category:b",
        "http://c ",
        "small",
        "a",
        " ",
        "<br>",
        "<p>",
        "\u{10FE80}",
        "\u{10FE84}",
        "\u{F0000}",
        "lang|fr|",
        "(",
        ")",
        ",",
        "#",
        ":",
        "__TOC__",
        "=",
        "<table>",
        "</table>",
        "<gallery>",
        "</gallery>",
    ];
    let mut state = 1_u64;
    for _ in 0..20_000 {
        let mut source = String::new();
        for _ in 0..24 {
            state = state
                .wrapping_mul(6_364_136_223_846_793_005)
                .wrapping_add(1_442_695_040_888_963_407);
            source.push_str(pieces[(state >> 33) as usize % pieces.len()]);
        }
        let page = read(&source);
        for text in page
            .paragraphs
            .iter()
            .chain([&page.introduction])
            .chain(&page.images)
        {
            assert!(
                !text.contains(marks::is_mark),
                "{source:?} left a mark: {text:?}"
            );
            assert!(!text.contains("  "), "{source:?} left two blanks: {text:?}");
        }
        for text in &page.paragraphs {
            let mut rest = text.as_str();
            while let Some((before, after)) = rest.split_once("<e: ") {
                assert!(!before.contains("</e>"), "{source:?}: {text:?}");
                let (title, after) = after
                    .split_once("> ")
                    .unwrap_or_else(|| panic!("{source:?}: {text:?}"));
                let (shown, after) = after
                    .split_once(" </e>")
                    .unwrap_or_else(|| panic!("{source:?}: {text:?}"));
                assert!(
                    !title.is_empty() && !title.contains([' ', '<', '>']),
                    "{source:?}: {text:?}"
                );
                assert!(
                    !shown.contains("<e:") && !shown.trim().is_empty(),
                    "{source:?}: {text:?}"
                );
                rest = after;
            }
            assert!(
                !rest.contains("</e>") && !rest.contains("<e:"),
                "{source:?}: {text:?}"
            );
        }
    }
}

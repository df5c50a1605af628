//! Every dependency has a licence that `deny.toml` allows: what `cargo deny check licenses` says, without
//! installing it.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::process::Command;

/// The root of the workspace.
fn root() -> &'static Path {
    Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/.."))
}

/// The strings between `key = [` and `]` in `deny.toml`.
fn list(text: &str, key: &str) -> BTreeSet<String> {
    let start = text
        .find(&format!("\n{key} = ["))
        .expect("deny.toml has the list");
    let body = &text[start..];
    let end = body.find("\n]").expect("the list ends");
    body[..end]
        .lines()
        .filter_map(|line| {
            line.trim()
                .strip_prefix('"')?
                .split('"')
                .next()
                .map(str::to_owned)
        })
        .collect()
}

/// The crates whose licence stands in a file of theirs instead of their manifest: `name` to `expression`.
fn clarified(text: &str) -> BTreeMap<String, String> {
    let value = |block: &str, key: &str| {
        let line = block
            .lines()
            .find(|line| line.starts_with(key))
            .expect("the block has the key");
        line.split('"').nth(1).expect("a quoted value").to_owned()
    };
    text.split("[[licenses.clarify]]")
        .skip(1)
        .map(|block| (value(block, "crate"), value(block, "expression")))
        .collect()
}

/// Whether an SPDX expression can be met with the allowed licences: one side of each OR, both sides of each AND.
fn allowed(expression: &str, licences: &BTreeSet<String>) -> bool {
    let expression = expression.trim();
    for (operator, any) in [(" AND ", false), (" OR ", true), ("/", true)] {
        let mut depth = 0i32;
        let mut parts = vec![0];
        for (at, byte) in expression.bytes().enumerate() {
            depth += i32::from(byte == b'(') - i32::from(byte == b')');
            if depth == 0 && expression[at..].starts_with(operator) {
                parts.extend([at, at + operator.len()]);
            }
        }
        if parts.len() > 1 {
            parts.push(expression.len());
            let mut sides = parts
                .chunks(2)
                .map(|range| allowed(&expression[range[0]..range[1]], licences));
            return if any {
                sides.any(|ok| ok)
            } else {
                sides.all(|ok| ok)
            };
        }
    }
    match expression
        .strip_prefix('(')
        .and_then(|inner| inner.strip_suffix(')'))
    {
        Some(inner) => allowed(inner, licences),
        None => licences.contains(expression),
    }
}

#[test]
fn reads_spdx_expressions() {
    let licences = BTreeSet::from(["MIT".to_owned(), "Zlib".to_owned()]);
    for (expression, expected) in [
        ("MIT", true),
        ("GPL-3.0-only", false),
        ("GPL-3.0-only OR MIT", true),
        ("GPL-3.0-only AND MIT", false),
        ("(GPL-3.0-only OR MIT) AND Zlib", true),
        ("MIT/Apache-2.0", true),
        ("", false),
    ] {
        assert_eq!(allowed(expression, &licences), expected, "{expression:?}");
    }
}

#[test]
fn every_dependency_has_an_allowed_licence() {
    let deny = std::fs::read_to_string(root().join("deny.toml")).expect("deny.toml");
    let (licences, clarified) = (list(&deny, "allow"), clarified(&deny));
    let tree = |platforms: &[&str]| {
        Command::new(env!("CARGO"))
            .current_dir(root())
            .args([
                "tree",
                "--locked",
                "--workspace",
                "-e",
                "normal,build",
                "--prefix",
                "none",
                "--format",
                "{p}|{l}",
            ])
            .args(platforms)
            .output()
            .expect("cargo runs")
    };
    // The packages of other platforms may not be here where there is no network.
    let mut output = tree(&["--target", "all"]);
    if !output.status.success() {
        eprintln!("the packages of other platforms are not here: checking this one's");
        output = tree(&[]);
    }
    assert!(
        output.status.success(),
        "cargo tree: {}",
        String::from_utf8_lossy(&output.stderr)
    );
    let text = String::from_utf8(output.stdout).expect("cargo prints UTF-8");
    let mut refused = BTreeSet::new();
    let mut seen = BTreeSet::new();
    for line in text.lines().filter(|line| !line.is_empty()) {
        let (package, licence) = line
            .trim_end_matches(" (*)")
            .split_once('|')
            .expect("package|licence");
        let name = package.split(' ').next().unwrap_or_default();
        seen.insert(name);
        if !allowed(
            clarified.get(name).map_or(licence, String::as_str),
            &licences,
        ) {
            refused.insert(format!("{package}: {licence:?}"));
        }
    }
    assert!(
        seen.len() > 100,
        "{} packages cannot be the whole tree",
        seen.len()
    );
    assert!(refused.is_empty(), "deny.toml does not allow: {refused:#?}");
}
